/*
 * addr_set.h - the addresses of one origin, and which to try first.
 *
 * A set never changes, but for what is remembered of failures; who needs
 * another one makes it, and those that use the old one keep it.
 */
#ifndef COPAL_ADDR_SET_H
#define COPAL_ADDR_SET_H

#include <stdatomic.h>

#include "clock.h"
#include "sock.h"

/* More would not be tried within any connect_timeout. */
enum { ADDR_SET_MAX = 32 };

struct addr_entry {
	struct addr addr;
	unsigned priority;       /* RFC 2782: the lowest first */
	double share;            /* of the connections of its priority */
	_Atomic nsec_t failed_at; /* a connect; 0: it did not */
};

struct addr_set {
	_Atomic unsigned ref;
	unsigned n;
	struct addr_entry at[];
};

/* Of n entries, at most ADDR_SET_MAX, all zero; one reference.  NULL: memory */
struct addr_set *addr_set_new(unsigned n);
struct addr_set *addr_set_ref(struct addr_set *);
void addr_set_unref(struct addr_set **);

/*
 * The entries' numbers in the order in which they should be tried; turn: a
 * number that grows by one each time.  By priority; those that have the same
 * share take turns, others are drawn by their shares (RFC 2782).  Those that
 * could not be connected to in the last ten seconds are last.
 */
void addr_set_order(const struct addr_set *, uint64_t turn, nsec_t now,
    unsigned char order[ADDR_SET_MAX]);
bool addr_set_has(const struct addr_set *, const struct addr *);
/* The same addresses, priorities and shares, in any order? */
bool addr_set_eq(const struct addr_set *, const struct addr_set *);
/* What old knows of failures holds for the addresses of new, too. */
void addr_set_inherit(struct addr_set *new, const struct addr_set *old);

#endif
