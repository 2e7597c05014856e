/*
 * esi_plan.h - what ESI says of a page, as a list: texts and includes in
 * order.  Made once from a complete body and kept with its object while that
 * is in memory; not on disk, where only the flags are (object.h).
 *
 *	[text 0+120] [include /head] [text 161+4000] [include /foot] ...
 *
 * Positions are in the body as it is without its coding (gzip).
 */
#ifndef COPAL_ESI_PLAN_H
#define COPAL_ESI_PLAN_H

#include "esi.h"
#include "fiber.h"
#include "object.h"
#include "shmlog.h"

struct fetch;

struct esi_item {
	uint64_t at, len;   /* text */
	struct str src;     /* include; p NULL: it is a text */
	bool may_fail;      /* onerror="continue" */
};

struct esi_plan {
	_Atomic uint32_t ref;
	unsigned n, cap;
	struct esi_item *item;
	size_t bytes;       /* of memory */
	bool found;         /* there is ESI in it */
};

struct esi_plan *esi_plan_ref(struct esi_plan *);
void esi_plan_unref(struct esi_plan **);

/*
 * What was said of a page goes to the log (ESI_xmlerror); for who takes the
 * parser's events himself.  false: not an error, nor a warning.
 */
bool esi_log_event(struct log_txn *, const struct esi_event *);

/*
 * The plan of an object whose body is complete, with a reference: the one
 * it has, or a new one that it keeps from now on.  NULL: no memory, or the
 * body can't be read.
 */
struct esi_plan *esi_plan_of(struct object *, struct log_txn *) WAITS;
/*
 * The fetch's object has its body: is there ESI in it?  Flags it, or not.
 */
void esi_examine(struct fetch *) WAITS;
/* It does not keep its body: who delivers it will have to read it. */
void esi_is_read_later(struct fetch *);
/* The same body under another head (304). */
void esi_plan_share(struct object *to, struct object *from);

#endif
