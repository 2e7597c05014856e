/*
 * counters.h - counters in shared memory: words a core, summed by readers.
 *
 * <workdir>/log/counters is created by the manager and mapped by the worker
 * (write) and tools (read).  Each core adds to its own block without atomics;
 * block 0 is for threads that are not cores (relaxed atomics).
 */
#ifndef COPAL_COUNTERS_H
#define COPAL_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

enum counter {
/* COUNTER(id, name, kind, help): kind is COUNT (only grows) or GAUGE */
#define COUNTER(id, name, kind, help) CNT_##id,
#include "tbl/counters.h"
#undef COUNTER
	CNT_MAX
};

struct counters { /* one core's block; cache-line aligned */
	_Alignas(64) int64_t v[CNT_MAX];
};

extern __thread struct counters *counters_mine; /* never NULL */
/* Where counters_mine points in a thread that was bound to nothing. */
extern struct counters counters_nowhere;

/*
 * By the core that owns the block.  Not a read-modify-write instruction: only
 * one thread writes to a block, so a plain store that is not torn will do.
 */
#define COUNT_ADD(id, n) counters_count(CNT_##id, (n))
#define COUNT_INC(id) COUNT_ADD(id, 1)
/* A gauge that has a value rather than a sum: set it on one core only. */
#define COUNT_SET(id, n) \
	__atomic_store_n(&counters_mine->v[CNT_##id], (n), __ATOMIC_RELAXED)

static inline void
counters_add(int64_t *word, int64_t n)
{
	__atomic_store_n(word, *word + n, __ATOMIC_RELAXED);
}

/*
 * By any thread; those that are not cores share block 0.  COUNT_ADD finds out
 * which it is.
 */
extern struct counters *counters_shared; /* never NULL */
#define COUNT_ADD_SHARED(id, n) \
	((void)__atomic_fetch_add(&counters_shared->v[CNT_##id], (n), \
	    __ATOMIC_RELAXED))

static inline void
counters_count(enum counter id, int64_t n)
{
	if (__builtin_expect(counters_mine != &counters_nowhere, 1))
		counters_add(&counters_mine->v[id], n);
	else
		__atomic_fetch_add(&counters_shared->v[id], n,
		    __ATOMIC_RELAXED);
}

struct counters_map;
/*
 * Creates <dir>/log/counters for blocks blocks (cores + 1); dir is the work
 * directory.  A file of the same version and number of blocks is taken over,
 * so that tools go on with their mapping; else it is replaced.  Block 0
 * becomes counters_shared.  NULL: errno.
 */
struct counters_map *counters_create(const char *dir, unsigned blocks);
/* Read-only; NULL: errno, EPROTO if it is of another version of Copal. */
struct counters_map *counters_open(const char *dir);
/* Was the file replaced or removed since counters_open()? */
bool counters_is_stale(const struct counters_map *);
void counters_close(struct counters_map **);
/* Zeroes gauges and counters; when a worker starts. */
void counters_clear(struct counters_map *);
/* Makes block i, not 0, the calling thread's: it is a core. */
void counters_bind(struct counters_map *, unsigned block);
int64_t counters_sum(const struct counters_map *, enum counter);

struct counter_info {
	const char *name;
	char kind; /* 'c' only grows, 'g' gauge */
	const char *help;
};
extern const struct counter_info counter_info[CNT_MAX];

#endif
