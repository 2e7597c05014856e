/*
 * mgr.h - the manager process: what its parts share.
 *
 * One thread.  It binds the sockets, answers the CLI, compiles VCL in
 * throw-away processes and keeps the worker process alive.  It reads no byte
 * that a client or an origin sent.
 *
 *   options   the command line           session  CLI connections
 *   state     the state folder           command  CLI commands
 *   listener  the sockets of -a          compile  VCL to a loadable object
 *   spec      -s and sizes               vclprog  the list of VCL programs
 *   jail      users and rights           oneshot  a child with limits
 *   child     the worker process         vclload  programs being compiled
 *   vclfile   who may read which VCL file
 */
#ifndef COPAL_MGR_H
#define COPAL_MGR_H

#include <stdbool.h>
#include <syslog.h>

#include "clock.h"

struct options;

/* Runs until the end; the exit code. */
int mgr_main(const struct options *);

/*
 * To syslog, and to stderr ("copald: ...") until the process is a daemon.
 * One line, without its newline.
 */
void mgr_say(int priority, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, of many lines: each is a message. */
void mgr_say_lines(int priority, const char *prefix, const char *text);
/* The user is told and the process ends with 2. */
void mgr_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* --- the poll loop ------------------------------------------------------- */

struct watch {
	int fd;
	short events; /* of poll() */
	void (*fn)(struct watch *, short revents);
	bool paused; /* nothing of it is looked at, not even its end */
};

enum { WATCH_MAX = 256 };

/* w must stay until mgr_unwatch; false: there are WATCH_MAX already. */
bool mgr_watch(struct watch *);
void mgr_unwatch(struct watch *);
/* Ends the loop: the worker is stopped, then the process exits with code. */
void mgr_stop(int code);
/* Has a signal asked us to end?  For what blocks for long. */
bool mgr_is_interrupted(void);
/*
 * In a child after fork: closes what only the manager uses, and gives
 * signals their defaults.
 */
void mgr_leave(void);

/* Where relative VCL files are looked for: the parameter or its default. */
const char *mgr_vcl_path(void);
/* The same of modules that are files. */
const char *mgr_vmod_path(void);

#endif
