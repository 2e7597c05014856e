/*
 * eviction.h - which object leaves memory: S3-FIFO.
 *
 *      new -> small (a tenth) --hit--> main (goes round while it is hit)
 *                 \---not hit---> ghost: only remembered; comes back to main
 *
 * Most objects are asked for once: they leave by the small queue, and what is
 * popular stays in main whatever passes by.  A hit writes nothing here: the
 * object's own count of hits is compared when it is looked at.  An object
 * that is large for its store must be hit more often to stay.
 *
 * Who calls holds a lock.
 */
#ifndef COPAL_EVICTION_H
#define COPAL_EVICTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum eviction_queue_id { EVICTION_NONE, EVICTION_SMALL, EVICTION_MAIN };

struct eviction_entry { /* embedded in what is kept */
	struct eviction_entry *next, *prev;
	size_t bytes;
	uint64_t hits_seen;
	uint8_t queue;     /* enum eviction_queue_id */
	uint8_t frequency; /* hits that count, 0 to 3 */
};

struct eviction_ops {
	uint64_t (*hash)(const struct eviction_entry *); /* of its key */
	uint64_t (*hits)(const struct eviction_entry *); /* only grows */
};

struct eviction_queue {
	struct eviction_entry *first, *last; /* oldest first */
	uint64_t bytes, n;
};

struct eviction {
	const struct eviction_ops *ops;
	struct eviction_queue small, main;
	struct eviction_ghost *ghost;
	uint32_t ghost_mask, ghost_clock;
	struct eviction_entry *walk; /* the next of the walk */
};

/* limit: bytes, to size the ghosts by (8 bytes each).  false: no memory */
bool eviction_init(struct eviction *, const struct eviction_ops *,
    uint64_t limit);
void eviction_destroy(struct eviction *);

/* Takes an entry into a queue; bytes are what it counts for. */
void eviction_insert(struct eviction *, struct eviction_entry *, size_t bytes);
void eviction_remove(struct eviction *, struct eviction_entry *);
void eviction_resize(struct eviction *, struct eviction_entry *, int64_t by);

static inline bool
eviction_has(const struct eviction_entry *e)
{
	return e->queue != EVICTION_NONE;
}

/*
 * The one to go now, which stays in its queue until it is removed; NULL:
 * there is none.  Moves some others on, at most 64.
 */
struct eviction_entry *eviction_victim(struct eviction *, uint64_t limit);

/* Is the hash that of one that left unhit not long ago? */
bool eviction_remembers(const struct eviction *, uint64_t hash);
void eviction_remember(struct eviction *, uint64_t hash);

/*
 * A walk over all entries, one at a time for each struct eviction: what is
 * moved or removed meanwhile is found later, again, or not at all if it is
 * gone.  NULL: the end.
 */
void eviction_walk_begin(struct eviction *);
struct eviction_entry *eviction_walk_next(struct eviction *);

#endif
