/*
 * timer_heap.c - timers by the instant they are due.
 */
#include "timer_heap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

enum { CHILDREN = 4, ROOM_FIRST = 64 };

static inline void
place(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	h->slot[i] = s;
	s.timer->heap_at = i + 1;
}

static void
sift_up(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / CHILDREN;
		if (h->slot[parent].at <= s.at)
			break;
		place(h, i, h->slot[parent]);
		i = parent;
	}
	place(h, i, s);
}

static void
sift_down(struct timer_heap *h, uint32_t i, struct timer_slot s)
{
	for (;;) {
		uint32_t first = i * CHILDREN + 1;
		uint32_t end = first + CHILDREN;
		uint32_t least = first;

		if (first >= h->n)
			break;
		if (end > h->n)
			end = h->n;
		for (uint32_t c = first + 1; c < end; c++)
			if (h->slot[c].at < h->slot[least].at)
				least = c;
		if (s.at <= h->slot[least].at)
			break;
		place(h, i, h->slot[least]);
		i = least;
	}
	place(h, i, s);
}

/*
 * A timer that can't be set would be a wait that never ends, in code that has
 * no way to say so: better a worker that starts again.
 */
static void
grow(struct timer_heap *h)
{
	uint32_t room = h->room > 0 ? h->room * 2 : ROOM_FIRST;
	struct timer_slot *slot = NULL;

	if (room > h->room)
		slot = realloc(h->slot, room * sizeof *slot);
	if (slot == NULL) {
		fprintf(stderr, "copal: no memory for %u timers\n", room);
		abort();
	}
	h->slot = slot;
	h->room = room;
}

void
timer_heap_set(struct timer_heap *h, struct timer *t, nsec_t at)
{
	struct timer_slot s = {at, t};
	uint32_t i = t->heap_at - 1;

	t->at = at;
	if (t->heap_at == 0) {
		if (h->n == h->room)
			grow(h);
		sift_up(h, h->n++, s);
		return;
	}
	assert(i < h->n && h->slot[i].timer == t);
	if (at < h->slot[i].at)
		sift_up(h, i, s);
	else
		sift_down(h, i, s);
}

void
timer_heap_remove(struct timer_heap *h, struct timer *t)
{
	uint32_t i = t->heap_at - 1;
	struct timer_slot last;

	if (t->heap_at == 0)
		return;
	assert(i < h->n && h->slot[i].timer == t);
	t->heap_at = 0;
	last = h->slot[--h->n];
	if (i == h->n)
		return;
	if (i > 0 && last.at < h->slot[(i - 1) / CHILDREN].at)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

void
timer_heap_free(struct timer_heap *h)
{
	free(h->slot);
	*h = (struct timer_heap){0};
}
