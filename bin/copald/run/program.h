/*
 * program.h - loaded VCL programs: which one runs, who still uses which.
 *
 *   load --> AVAILABLE --use--> ACTIVE --use another--> AVAILABLE
 *                 \------------ discard ---> DISCARDED --last request--> gone
 *
 * Besides, a program is warm or cold.  A cold one can't run: it holds no
 * connections to backends.  What is made cold while requests use it is busy
 * until they have ended.
 *
 * A request takes a reference to the active program when it begins and drops
 * it when it ends; a fetch that outlives its request has its own.  That
 * costs two plain additions in memory of the core: nothing is shared
 * between cores but the pointer to the active program.  A program that was
 * discarded is closed by program_reap() when all cores together have dropped
 * as many references as they took.
 *
 * Everything but program_ref_active, program_ref, program_unref, program_call
 * and the plain getters is for one thread, the worker's CLI thread.
 */
#ifndef COPAL_PROGRAM_H
#define COPAL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"
#include "vcl_abi.h"

struct program;
struct program_label;

enum { PROGRAM_NAME_MAX = 128 };

enum program_state {
	PROGRAM_AVAILABLE,
	PROGRAM_ACTIVE,
	PROGRAM_DISCARDED, /* waits for its last request */
};

enum program_temp { PROGRAM_COLD, PROGRAM_WARM, PROGRAM_BUSY };

/* --- administration: the CLI thread -------------------------------------- */

/*
 * Before anything else; cores: how many threads will call
 * program_bind_core().  0, or -1 if there is no memory.
 */
int program_init(unsigned cores);
/* No request runs any more: discards and closes every program (vcl_fini). */
void program_shutdown(void);

/*
 * Loads so_path: symbols, version of the ABI, regexes, ACLs (names are
 * resolved: may block in DNS), header ids, backends, labels, vcl_init.  On
 * any failure everything is undone, err has a text for the administrator
 * and NULL is returned.  It is cold.  The caller holds no reference.
 */
struct program *program_load(const char *name, const char *so_path, char *err,
    size_t err_len);
struct program *program_find(const char *name); /* NULL: no such */
/* New requests run p, which must be warm. */
void program_use(struct program *p);
/*
 * p is found no more, and closed when its last request has left.  false:
 * it is the active one, or a label points at it, and it stays.
 */
bool program_discard(struct program *p, char *err, size_t err_len);
/*
 * What waits for the last request of a program is done: discarded ones are
 * closed, busy ones become cold.  To be called now and then (a second) and
 * after program_discard.  How many discarded ones still wait.
 */
unsigned program_reap(void);

struct program_info {
	const char *name;
	enum program_state state;
	uint64_t refs; /* requests and fetches that run it */
	enum program_temp temp;
};
/* Every program, oldest first, discarded ones that wait included. */
void program_list(void (*fn)(void *priv, const struct program_info *),
    void *priv);
/* false: it can't be warmed up, or is in use and would go cold. */
bool program_set_warm(struct program *p, bool warm, char *err, size_t err_len);

/*
 * Points the label, a new one if there is none of that name, at p, which must
 * be warm; requests that have gone there are not disturbed.  false with a
 * message.
 */
bool program_label_set(const char *name, struct program *p, char *err,
    size_t err_len);
struct program_label *program_label_find(const char *name); /* NULL: no such */
/* false: a program uses it. */
bool program_label_discard(struct program_label *, char *err, size_t err_len);

/* --- use: any core ------------------------------------------------------- */

/* This thread is core number core (from 0); once, before its first request. */
void program_bind_core(unsigned core);
/* The active program with a reference; NULL: none was ever used. */
struct program *program_ref_active(void);
/* Where the label points, with a reference; never NULL. */
struct program *program_label_ref(const struct program_label *);
const char *program_label_name(const struct program_label *);
/* p has a reference already. */
struct program *program_ref(struct program *p);
/* Leaves NULL; the reference may have been taken on another core. */
void program_unref(struct program **p);

/*
 * Runs a sub; ctx->program is the program.  Logs VCL_call and VCL_return.
 * VCL_RET_FAIL if anything in it failed; the caller finds the arguments
 * of the verdict in ctx (synth_status, synth_reason, pass_ttl, ...).
 */
enum vcl_ret program_call(struct vcl_ctx *ctx, enum vcl_sub_id);

const char *program_name(const struct program *);
/* The backend called default, or the first; NULL: none. */
struct backend *program_default_backend(const struct program *);
const struct vcl_program_info *program_info_of(const struct program *);

#endif
