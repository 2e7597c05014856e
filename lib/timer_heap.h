/*
 * timer_heap.h - timers by the instant they are due: a heap of four children.
 *
 * Four, because then a node's children are one cache line.  The instant is
 * kept beside the pointer, so that sifting touches the heap's array only; a
 * timer itself is written when it moves.
 */
#ifndef COPAL_TIMER_HEAP_H
#define COPAL_TIMER_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"

struct timer;

struct timer_slot {
	nsec_t at;
	struct timer *timer;
};

struct timer_heap {
	struct timer_slot *slot; /* malloc */
	uint32_t n;
	uint32_t room;
};

/* Adds or moves.  Ends the process if there is no memory. */
void timer_heap_set(struct timer_heap *, struct timer *, nsec_t at);
void timer_heap_remove(struct timer_heap *, struct timer *);
void timer_heap_free(struct timer_heap *);

static inline nsec_t
timer_heap_next(const struct timer_heap *h)
{
	return h->n > 0 ? h->slot[0].at : NSEC_NEVER;
}

#endif
