/*
 * directors_pool.h - the backends of a director, read without a lock.
 *
 * Cores read an array that never changes; a change makes a new one, and the
 * old one goes when no core can be looking at it (qsbr.h).  So an array is
 * good until the reader waits.
 */
#ifndef COPAL_DIRECTORS_POOL_H
#define COPAL_DIRECTORS_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "qsbr.h"
#include "vmod.h"
#include "vmod_director.h"

struct member {
	struct backend *backend;
	double weight;
};

struct members {
	struct qsbr_item item;
	unsigned n;
	struct member member[];
};

struct pool {
	pthread_mutex_t lock;   /* of those who change it */
	struct members *_Atomic members; /* never NULL */
};

enum { POOL_MAX = 4096 }; /* backends: a pick looks at all of them */

/* false: no memory, which is recorded as a failure */
bool pool_init(struct vcl_ctx *, struct pool *);
void pool_destroy(struct pool *);
/* NULL backends, weights below 0 and one too many are failures. */
void pool_add(struct vcl_ctx *, struct pool *, struct backend *,
    double weight);
/* The place of the first b, which is out now; -1: there was none. */
int pool_remove(struct vcl_ctx *, struct pool *, struct backend *b);

static inline const struct members *
pool_members(struct pool *p)
{
	return atomic_load_explicit(&p->members, memory_order_acquire);
}

/* Is one of them healthy?  As vmod_director_methods.healthy. */
bool pool_is_healthy(struct vcl_ctx *, struct pool *, double *changed);
/* The sum of weights of healthy ones. */
double pool_weight(struct vcl_ctx *, const struct members *);
/* part of the healthy ones' weight (0 to 1) is before it; NULL: none */
struct backend *pool_by_weight(struct vcl_ctx *, struct pool *, double part);

#endif
