/*
 * pipe.h - bytes both ways, unseen, until one side has nothing to say.
 */
#ifndef COPAL_PIPE_H
#define COPAL_PIPE_H

#include "request.h"

/* bereq for vcl_pipe, in the request's workspace.  false: no room. */
bool pipe_make_bereq(struct request *, struct http *bereq);
/* Takes one of pipe_sess_max; false: there is none. */
bool pipe_enter(void);
void pipe_leave(void);
/*
 * Connects to backend, sends bereq, relays; the stream is finished.  false: the
 * workspace has no room for bereq, and the client was told nothing.
 */
bool pipe_run(struct request *, struct http *bereq,
    struct backend *) WAITS;

#endif
