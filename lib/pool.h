/*
 * pool.h - a few threads for what blocks: cold reads, DNS, dlopen.
 */
#ifndef COPAL_POOL_H
#define COPAL_POOL_H

#include <stdbool.h>

#include "fiber.h"

struct pool;

/* name: for gdb and ps, cut to 15 bytes.  NULL: errno. */
struct pool *pool_new(unsigned threads, const char *name);
/* Waits for queued jobs; then frees. */
void pool_free(struct pool **);
/*
 * Runs fn(arg) on a thread of the pool and parks the calling fiber until it
 * has returned (not cancellable: arg may live on the fiber's stack).  Where
 * there is no fiber (a thread without a loop, or the loop's own stack), calls
 * fn directly.
 */
void pool_call(struct pool *, void (*fn)(void *), void *arg,
    const char *what) WAITS;
/*
 * Has fn(arg) run on a thread of the pool, and does not wait.  The caller
 * bounds how many there are.  false: no memory
 */
bool pool_post(struct pool *, void (*fn)(void *), void *arg);

#endif
