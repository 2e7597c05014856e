/*
 * child.h - the worker process, as the manager sees it.
 *
 *   STOPPED --start--> STARTING --"start" answered--> RUNNING
 *      ^                  |  ^                           |
 *      |               failed |  after a pause         stop, or it died
 *      |                  v  |                           v
 *      +----------------- (waits) <---- died ------- STOPPING
 *
 * A worker that ends without being told to leaves a panic; it is started
 * again (auto_restart) at once, or after a growing pause if it lived
 * for less than a few seconds.
 */
#ifndef COPAL_CHILD_H
#define COPAL_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli.h"
#include "clock.h"
#include "worker.h"

/* The parameter workers, or how many cores this process may use. */
unsigned child_cores(void);
/* config is completed for each worker; it must stay. */
void child_init(struct worker_config *config);

/*
 * Starts a worker with all VCL programs and waits until it serves.  false:
 * it does not run, and out says why.
 */
bool child_start(struct cli_answer *out);
/* Stops it, with requests in progress ending; false: there was none. */
bool child_stop(struct cli_answer *out);
bool child_is_running(void);
/* "stopped", "starting", "running", "stopping" */
const char *child_state(void);
pid_t child_pid(void); /* 0: none */

/*
 * Sends a command to the worker and appends its answer to out, with its
 * status, which is returned.  CLI_CANT if there is none; CLI_COMMS if
 * it died, or did not answer within cli_timeout and was killed.
 */
unsigned child_ask(struct cli_answer *out, unsigned n, char *const *word);
/* The same with words given, the last one NULL. */
unsigned child_ask_words(struct cli_answer *out, ...) __attribute__((sentinel));

/* Looks after a worker that has died; when there was a SIGCHLD. */
void child_reap(void);
/* Pings, restarts; when it wants to be called next. */
nsec_t child_tick(nsec_t now);

/* What the last panic left; NULL: none, or cleared. */
const char *child_panic(void);
void child_panic_clear(void);
/* Makes the worker crash; false: there is none. */
bool child_crash(void);

#endif
