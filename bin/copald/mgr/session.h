/*
 * session.h - connections of the CLI.
 *
 * There are four kinds: of the unix socket in the state folder (no secret:
 * the mode of the file keeps others out), of TCP sockets (-T) and
 * to a master (-M), which must prove that they know the secret, and the
 * console (-d): stdin and stdout.
 */
#ifndef COPAL_SESSION_H
#define COPAL_SESSION_H

#include <stdbool.h>

#include "clock.h"

enum { SESSION_ERR_MAX = 512 };

/* path: of the secret file; NULL: none, clients of TCP can't come in. */
void session_init(const char *secret_path);
/* Listens at cli.sock in the current folder; false with a message in err. */
bool session_listen_unix(char err[SESSION_ERR_MAX]);
/* An argument of -T; false with a message in err. */
bool session_listen(const char *arg, char err[SESSION_ERR_MAX]);
/* An argument of -M: keeps a connection there. */
bool session_call(const char *arg, char err[SESSION_ERR_MAX]);
/* -d; the end of stdin ends the manager. */
void session_console(void);
/* Time-outs and calls to masters; when it wants to be called next. */
nsec_t session_tick(nsec_t now);

#endif
