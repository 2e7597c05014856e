/*
 * ban_twins.h - finds the ban in the list that says the same as another.
 *
 * All in inval_log_lock, or at start.  Of bans that say the same, one is in the
 * table, the newest.
 */
#ifndef COPAL_BAN_TWINS_H
#define COPAL_BAN_TWINS_H

#include "ban_expr.h"

/* A part of each ban in the table. */
struct ban_twin {
	struct ban_twin *next;
	const struct ban_expr *expr;
	uint64_t hash; /* 0: it is not in the table */
};

/*
 * expr comes into the table; whose place it took, or NULL.  What is of a
 * moment is like no other, and stays out.
 */
struct ban_twin *ban_twins_put(struct ban_twin *, const struct ban_expr *);
void ban_twins_drop(struct ban_twin *);
void ban_twins_free(void); /* when it is empty: the worker's end */

#endif
