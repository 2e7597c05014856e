/*
 * lurker.h - the background worker that completes bans: it tests objects
 * that nobody asks for, so that those they hit go, and the bans can.
 *
 * A pass tests what is in memory and what is on disk against all bans and
 * purged tags up to a position: those older than ban_lurker_age.  A ban by
 * req.url and req.http.host is tested against the URL and host in the
 * object's key, if it was made of them, and as long as every request was
 * looked up so.  What can't be decided without a request is left to lookups,
 * and so are the bans after it.
 */
#ifndef COPAL_LURKER_H
#define COPAL_LURKER_H

#include "request.h"

/* The thread. 0, or -1: there is none to be had. */
int lurker_start(void);
void lurker_stop(void); /* waits until it has ended */

/* Is its key made of its own URL and host, as by vcl_builtin_hash? */
bool lurker_key_is_plain(const struct request *);
/* A request is looked up by this key. */
void lurker_see_key(const struct request *);

/*
 * Objects on disk that are older were tested up to there.  To be asked
 * before the object is read.
 */
uint64_t lurker_floor(void);

#endif
