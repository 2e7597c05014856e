/*
 * eviction.c - S3-FIFO (Yang et al., SOSP 2023).
 */
#include <stdlib.h>

#include "eviction.h"

enum {
	/* Bounds the time under the lock; then the oldest goes anyway. */
	LOOK = 64,
	FREQUENCY_MAX = 3,
	/* The share of the small queue: 1 / 10. */
	SMALL_PART = 10,
	/* Hits in the small queue that lead to main. */
	HITS_TO_STAY = 2,
	/* What takes more than this part of the store needs one more. */
	LARGE_PART = 640,
	GHOST_WAYS = 4,
	GHOSTS_MIN = 4096,
	GHOSTS_MAX = 1 << 20,
	/* Bytes of a store for each ghost. */
	GHOST_BYTES = 8192,
};

struct eviction_ghost {
	uint32_t print; /* 0: empty */
	uint32_t at;    /* the clock when it left */
};

bool
eviction_init(struct eviction *e, const struct eviction_ops *ops,
    uint64_t limit)
{
	uint32_t n = GHOSTS_MIN;

	*e = (struct eviction){.ops = ops};
	while (n < GHOSTS_MAX && n < limit / GHOST_BYTES)
		n *= 2;
	e->ghost = calloc(n, sizeof *e->ghost);
	e->ghost_mask = n - 1;
	return e->ghost != NULL;
}

void
eviction_destroy(struct eviction *e)
{
	free(e->ghost);
	e->ghost = NULL;
}

/* --- ghosts -------------------------------------------------------------- */

static uint32_t
print_of(uint64_t hash)
{
	uint32_t print = (uint32_t)(hash >> 32);

	return print != 0 ? print : 1;
}

/* The four slots of a hash. */
static struct eviction_ghost *
set_of(const struct eviction *e, uint64_t hash)
{
	return &e->ghost[(uint32_t)hash & e->ghost_mask &
	    ~(uint32_t)(GHOST_WAYS - 1)];
}

static void
ghost_add(struct eviction *e, uint64_t hash)
{
	struct eviction_ghost *set = set_of(e, hash), *to = set;

	for (unsigned i = 1; i < GHOST_WAYS && to->print != 0; i++)
		if (set[i].print == 0 || e->ghost_clock - set[i].at >
		    e->ghost_clock - to->at)
			to = &set[i];
	*to = (struct eviction_ghost){print_of(hash), e->ghost_clock++};
}

/* It left not longer ago than as many others as there are in main. */
static bool
ghost_take(struct eviction *e, uint64_t hash)
{
	struct eviction_ghost *set = set_of(e, hash);

	for (unsigned i = 0; i < GHOST_WAYS; i++) {
		if (set[i].print != print_of(hash))
			continue;
		set[i].print = 0;
		return e->ghost_clock - set[i].at <=
		    e->main.n + e->small.n;
	}
	return false;
}

bool
eviction_remembers(const struct eviction *e, uint64_t hash)
{
	const struct eviction_ghost *set = set_of(e, hash);

	for (unsigned i = 0; i < GHOST_WAYS; i++)
		if (set[i].print == print_of(hash))
			return true;
	return false;
}

void
eviction_remember(struct eviction *e, uint64_t hash)
{
	ghost_add(e, hash);
}

/* --- queues -------------------------------------------------------------- */

static struct eviction_queue *
queue_of(struct eviction *e, const struct eviction_entry *x)
{
	return x->queue == EVICTION_SMALL ? &e->small : &e->main;
}

static void
append(struct eviction *e, struct eviction_entry *x,
    enum eviction_queue_id id)
{
	struct eviction_queue *q;

	x->queue = (uint8_t)id;
	q = queue_of(e, x);
	x->next = NULL;
	x->prev = q->last;
	if (q->last != NULL)
		q->last->next = x;
	else
		q->first = x;
	q->last = x;
	q->bytes += x->bytes;
	q->n++;
}

/* in the order of a walk */
static struct eviction_entry *
after(const struct eviction *e, const struct eviction_entry *x)
{
	if (x->next != NULL)
		return x->next;
	return x->queue == EVICTION_SMALL ? e->main.first : NULL;
}

static void
unlink_entry(struct eviction *e, struct eviction_entry *x)
{
	struct eviction_queue *q = queue_of(e, x);

	if (e->walk == x)
		e->walk = after(e, x);
	if (x->prev != NULL)
		x->prev->next = x->next;
	else
		q->first = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	else
		q->last = x->prev;
	x->next = x->prev = NULL;
	q->bytes -= x->bytes;
	q->n--;
	x->queue = EVICTION_NONE;
}

void
eviction_insert(struct eviction *e, struct eviction_entry *x, size_t bytes)
{
	x->bytes = bytes;
	x->hits_seen = e->ops->hits(x);
	x->frequency = 0;
	append(e, x, ghost_take(e, e->ops->hash(x)) ? EVICTION_MAIN :
	    EVICTION_SMALL);
}

void
eviction_remove(struct eviction *e, struct eviction_entry *x)
{
	unlink_entry(e, x);
	x->bytes = 0;
}

void
eviction_resize(struct eviction *e, struct eviction_entry *x, int64_t by)
{
	x->bytes += (size_t)by;
	queue_of(e, x)->bytes += (uint64_t)by;
}

/* Counts the hits since it was looked at last. */
static unsigned
look_at(struct eviction *e, struct eviction_entry *x)
{
	uint64_t hits = e->ops->hits(x), more = hits - x->hits_seen;

	x->hits_seen = hits;
	x->frequency = more + x->frequency > FREQUENCY_MAX ? FREQUENCY_MAX :
	    (uint8_t)(more + x->frequency);
	return x->frequency;
}

static void
move_on(struct eviction *e, struct eviction_entry *x)
{
	bool walked = e->walk == x;

	unlink_entry(e, x);
	append(e, x, EVICTION_MAIN);
	/* the last one of the walk is still to come */
	if (walked && e->walk == NULL)
		e->walk = x;
}

/* Does it leave the small queue for good? */
static bool
leaves_small(struct eviction *e, struct eviction_entry *x, uint64_t limit)
{
	unsigned needed = HITS_TO_STAY + (x->bytes > limit / LARGE_PART);

	if (look_at(e, x) < needed)
		return true;
	x->frequency = 0;
	move_on(e, x);
	return false;
}

struct eviction_entry *
eviction_victim(struct eviction *e, uint64_t limit)
{
	for (unsigned i = 0; i < LOOK; i++) {
		struct eviction_entry *x = e->main.first;

		if (e->small.bytes > limit / SMALL_PART || x == NULL) {
			x = e->small.first;
			if (x == NULL)
				return NULL;
			if (!leaves_small(e, x, limit))
				continue;
			ghost_add(e, e->ops->hash(x));
			return x;
		}
		if (look_at(e, x) == 0)
			return x;
		x->frequency--;
		move_on(e, x);
	}
	return e->main.first != NULL ? e->main.first : e->small.first;
}

void
eviction_walk_begin(struct eviction *e)
{
	e->walk = e->small.first != NULL ? e->small.first : e->main.first;
}

struct eviction_entry *
eviction_walk_next(struct eviction *e)
{
	struct eviction_entry *x = e->walk;

	if (x != NULL)
		e->walk = after(e, x);
	return x;
}
