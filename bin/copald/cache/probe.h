/*
 * probe.h - asking an origin now and then whether it is well.
 *
 *   backend ---join--> probe <--join--- the same backend of another program
 *
 * A probe belongs to a definition: backends of several programs that have the
 * same name, addresses and .probe share one, so that a new version of a
 * policy begins with what is known.  It runs on one core, a fiber a try, while
 * at least one of its backends is warm.
 */
#ifndef COPAL_PROBE_H
#define COPAL_PROBE_H

#include <stdio.h>

#include "backend.h"

/* b, which has its addresses, is probed when it is warm; false: no memory. */
bool probe_join(struct backend *b, const struct vcl_probe_def *);
/* No more, but what is known stays; may be called again. */
void probe_leave(struct backend *b);
/* b will be freed. */
void probe_forget(struct backend *b);
void probe_set_warm(struct backend *b, bool warm);

/*
 * Whether all that are wanted have been tried since they were made: until then
 * their backends are as healthy as .initial says.
 */
bool probes_have_answers(void);

/* *changed: when it last changed, wall clock */
bool probe_is_healthy(struct probe *, double *changed);

/* How many of the last tries were good. */
struct probe_summary {
	unsigned good, window;
};
struct probe_summary probe_summary(struct probe *);
/* The last 64 tries, in letters; or a JSON object without its braces. */
void probe_print(struct probe *, FILE *out);
void probe_print_json(struct probe *, FILE *out, const char *indent);

#endif
