/*
 * vclload.h - VCL programs that are being loaded.
 *
 *   vcl.load --> (waits) --> compiled by a deputy --> vclprog_add --> answer
 *
 * The manager goes on with all else meanwhile: other CLI clients, the worker.
 * Two are compiled at a time, the others wait in the order they came.
 */
#ifndef COPAL_VCLLOAD_H
#define COPAL_VCLLOAD_H

#include <stdbool.h>

#include "cli.h"

/* Called once, from the manager's loop; the answer is the callee's to read. */
typedef void vclload_done(void *priv, const struct cli_answer *);

/*
 * path or text as for compile_begin; state: auto, warm or cold, NULL: auto.
 * All are copied.  true: done(priv) will be called.  false: out has the
 * answer, which is a refusal.
 */
bool vclload_begin(const char *name, const char *path, struct str text,
    const char *state, vclload_done *done, void *priv, struct cli_answer *out);
/* The same, waiting for the end: before the manager's loop runs. */
void vclload_now(const char *name, const char *path, struct str text,
    const char *state, struct cli_answer *out);
/* Whoever asked is gone: the load goes on, done is not called. */
void vclload_forget(const void *priv);
/* Ends all of them: copald ends. */
void vclload_cancel(void);

#endif
