/*
 * vclprog_impl.h - the programs and labels that the manager knows, and who
 * depends on whom.
 *
 *      program --return (vcl(label))--> label --> program
 *
 * A label is a program without a folder that depends on exactly one.
 * There are no circles: vcl.label refuses them.
 */
#ifndef COPAL_VCLPROG_IMPL_H
#define COPAL_VCLPROG_IMPL_H

#include <sys/queue.h>

#include "compile.h"
#include "vclprog.h"

/* max_vcl_handling */
enum { VCL_TOO_MANY_SAID = 1, VCL_TOO_MANY_REFUSED = 2 };

struct vclprog;

struct vcldep {
	struct vclprog *from, *to;
	TAILQ_ENTRY(vcldep) in_from, in_to;
};

TAILQ_HEAD(vcldeps, vcldep);

struct vclprog {
	TAILQ_ENTRY(vclprog) list;
	char name[VCLPROG_NAME_MAX + 1];
	char dir[COMPILE_PATH_MAX]; /* "": a label */
	const char *state;          /* "auto", "warm", "cold", "label" */
	bool warm;
	nsec_t cool_at; /* auto and not in use: when it becomes cold */
	struct vcldeps deps; /* what it depends on */
	struct vcldeps refs; /* what depends on it */
	bool chosen;    /* to be discarded */
	bool pushed;    /* the new worker has it */
	bool seen;      /* by a walk over what depends on what */
};

TAILQ_HEAD(vclprogs, vclprog);

extern struct vclprogs vclprogs; /* oldest first */

/* The one of vcl.use, perhaps a label; NULL: none yet. */
struct vclprog *vclprog_active(void);
struct vclprog *vclprog_find(const char *name);
/* The same; NULL with a message. */
struct vclprog *vclprog_find_or_fail(const char *name, struct cli_answer *);
bool vclprog_is_label(const struct vclprog *);
/* A label's program; of a program itself. */
struct vclprog *vclprog_target(struct vclprog *);

/* A letter, then letters, digits, _ and -; false with a message. */
bool vclprog_check_name(const char *name, struct cli_answer *);
/* Not yet in the list; state: a static text; NULL with a message. */
struct vclprog *vclprog_new(
    const char *name, const char *state, struct cli_answer *);
/* Off the list, with its folder; nothing depends on it. */
void vclprog_forget(struct vclprog *);

/* false: no memory */
bool vclprog_depend(struct vclprog *from, struct vclprog *to);
void vclprog_undepend(struct vcldep *);
/* Is it the other, or does it depend on it over any number of steps? */
bool vclprog_reaches(struct vclprog *, const struct vclprog *to);

/* Before its use; false with a message. */
bool vclprog_warm_up(struct vclprog *, struct cli_answer *);
/* A program's use may have changed: when does it become cold? */
void vclprog_settle(struct vclprog *);

#endif
