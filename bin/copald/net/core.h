/*
 * core.h - one thread with its event loop, and what it owns.
 *
 * Connections, requests, fetches and idle origin connections belong to one
 * core and never move.  Blocks (the memory of a request or a fetch) are
 * reused last in, first out, so that the next request finds them in the
 * CPU's cache.
 */
#ifndef COPAL_CORE_H
#define COPAL_CORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http_date.h"
#include "loop.h"
#include "pool.h"
#include "shmlog.h"

struct conn;
struct counters_map;
struct listener;
struct stream;

/* Free blocks of one size, at most BLOCKS_KEPT of them. */
struct block_list {
	size_t size;
	unsigned n;
	void *first;
};

enum { BLOCKS_KEPT = 64 };

struct core {
	unsigned index;
	pthread_t thread;
	struct loop *loop;
	struct log_ring *ring;
	/* Serves a request on its fiber; the request path's entry. */
	void (*serve)(struct stream *) WAITS;
	struct pool *pool;              /* shared by all cores */
	struct uring *uring;            /* NULL: the pool does it */

	uint64_t xid_next, xid_end;     /* our share of transaction ids */
	unsigned xid_epoch;
	struct block_list client_blocks, backend_blocks, include_blocks;

	struct acceptor *acceptor;      /* a listener each */
	unsigned acceptor_n;
	struct conn *free_conns;
	struct conn *conns;             /* all open ones */
	unsigned conn_n;
	_Atomic bool draining;          /* close when idle; accept no more */

	double date_at;                 /* second that date is of */
	char date[HTTP_DATE_LEN + 1];
};

extern __thread struct core *core_mine;

static inline struct core *
core_self(void)
{
	return core_mine;
}

unsigned core_count(void);
struct core *core_at(unsigned);

/*
 * Makes n cores with their loops and starts their threads.  Every core
 * accepts from its own socket of each listener once cores_accept is called.
 * on_start and on_end run on each core's thread, before its first turn and
 * after its last.
 * 0, or -1 with errno.
 */
int cores_start(unsigned n, const char *log_dir,
    struct counters_map *counters, void (*serve)(struct stream *) WAITS,
    void (*on_start)(struct core *), void (*on_end)(struct core *));
void cores_accept(const struct listener *, unsigned listener_n);
/* Stops accepting, lets requests finish for at most wait, ends the threads. */
void cores_stop(nsec_t wait);

/* The next transaction id (X-Copal). */
uint64_t core_xid(struct core *);
/* Sets the next id for all; share: how many a core takes at a time. */
void core_xid_set(uint64_t next, unsigned share);
uint64_t core_xid_peek(void);

/* A block of at least size bytes, 16-byte aligned; NULL: no memory. */
void *core_block_get(struct block_list *, size_t size);
void core_block_put(struct block_list *, void *block);

/* "Date: " value of this second */
struct str core_date(struct core *);

#endif
