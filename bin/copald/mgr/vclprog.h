/*
 * vclprog.h - the VCL programs that the manager knows.
 *
 * They are the truth that a new worker is given.  A program is compiled once
 * and its object kept in the state folder until it is discarded.
 */
#ifndef COPAL_VCLPROG_H
#define COPAL_VCLPROG_H

#include <stdbool.h>

#include "cli.h"
#include "clock.h"

/* Program names: letters, digits, _ and -, a letter first. */
enum { VCLPROG_NAME_MAX = 127 };

/*
 * Compiles and loads; path or text as for compile_vcl; state: auto, warm or
 * cold, NULL: auto.  The CLI's status goes into out.
 */
void vclprog_load(const char *name, const char *path, struct str text,
    const char *state, struct cli_answer *out);
void vclprog_use(const char *name, struct cli_answer *out);
/* Patterns as of glob(7). */
void vclprog_discard(unsigned n, char *const *pattern, struct cli_answer *out);
void vclprog_set_state(
    const char *name, const char *state, struct cli_answer *out);
void vclprog_list(
    bool json, unsigned n, char *const *word, struct cli_answer *out);
/* name NULL: the active one; all: included and built-in sources too. */
void vclprog_show(const char *name, bool all, struct cli_answer *out);

bool vclprog_has_active(void);
/*
 * Loads all programs into a new worker and uses the active one.  One that the
 * worker refuses is left out with a message, unless it is the active
 * one: then false, with the reason in out.
 */
bool vclprog_push(struct cli_answer *out);
/* Makes programs cold that were replaced vcl_cooldown ago; when next. */
nsec_t vclprog_tick(nsec_t now);

#endif
