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
 * May a program of that name be added, beside more that are on their way?
 * No: the CLI's answer goes into out.  state: auto, warm or cold, NULL: auto.
 */
bool vclprog_may_add(const char *name, const char *state, unsigned more,
    struct cli_answer *out);
/*
 * Adds what was compiled into dir, which becomes ours, and loads it into the
 * worker; the answer goes to the end of out.  It may be added: see above.
 */
void vclprog_add(const char *name, const char *dir, const char *state,
    struct cli_answer *out);
/* name: of a program or a label, as for vclprog_show. */
void vclprog_use(const char *name, struct cli_answer *out);
/*
 * Patterns as of glob(7), of programs and labels.  All of them or, if
 * others depend on one, none.
 */
void vclprog_discard(unsigned n, char *const *pattern, struct cli_answer *out);
void vclprog_set_state(
    const char *name, const char *state, struct cli_answer *out);
/* A label, new or not, for the program. */
void vclprog_label(
    const char *name, const char *program, struct cli_answer *out);
/* Label number i, NULL behind the last: see struct vcl_compile_options. */
const char *vclprog_label_name(unsigned i);
void vclprog_deps(
    bool json, unsigned n, char *const *word, struct cli_answer *out);
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
