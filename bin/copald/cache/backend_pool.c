/*
 * backend_pool.c - which backends share idle connections.
 */
#include "backend_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core.h"

/* Programs may have thousands of backends. */
enum { BUCKETS = 1024 };

static struct backend_pool *buckets[BUCKETS];
static pthread_mutex_t buckets_lock = PTHREAD_MUTEX_INITIALIZER;

static struct backend_pool **
bucket_of(const struct backend_pool_key *k)
{
	return &buckets[XXH3_64bits(k->where.p, k->where.len) % BUCKETS];
}

static bool
key_eq(const struct backend_pool_key *a, const struct backend_pool_key *b)
{
	return a->via == b->via && str_eq(a->where, b->where) &&
	    str_eq(a->authority, b->authority) &&
	    str_eq(a->preamble, b->preamble);
}

/* false: no memory */
static bool
copy(struct str *to, struct str from)
{
	char *p;

	*to = STR_NULL;
	if (from.len == 0)
		return true;
	p = malloc(from.len);
	if (p == NULL)
		return false;
	memcpy(p, from.p, from.len);
	*to = str_of(p, from.len);
	return true;
}

static void
free_it(struct backend_pool *p)
{
	backend_pool_unref(&p->key.via);
	free((char *)p->key.where.p);
	free((char *)p->key.authority.p);
	free((char *)p->key.preamble.p);
	free((void *)p->idle);
	free(p);
}

static struct backend_pool *
make(const struct backend_pool_key *k)
{
	struct backend_pool *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->ref = 1;
	p->idle = calloc(core_count() > 0 ? core_count() : 1, sizeof *p->idle);
	if (p->idle != NULL && copy(&p->key.where, k->where) &&
	    copy(&p->key.authority, k->authority) &&
	    copy(&p->key.preamble, k->preamble)) {
		if (k->via != NULL)
			p->key.via = backend_pool_ref(k->via);
		return p;
	}
	free_it(p);
	return NULL;
}

struct backend_pool *
backend_pool_get(const struct backend_pool_key *k)
{
	struct backend_pool **bucket = bucket_of(k), *p;

	pthread_mutex_lock(&buckets_lock);
	for (p = *bucket; p != NULL && !key_eq(&p->key, k); p = p->next)
		continue;
	if (p != NULL)
		backend_pool_ref(p);
	else if ((p = make(k)) != NULL) {
		p->next = *bucket;
		*bucket = p;
	}
	pthread_mutex_unlock(&buckets_lock);
	return p;
}

struct backend_pool *
backend_pool_ref(struct backend_pool *p)
{
	atomic_fetch_add_explicit(&p->ref, 1, memory_order_relaxed);
	return p;
}

static bool
unref_not_last(struct backend_pool *p)
{
	uint32_t n = atomic_load_explicit(&p->ref, memory_order_relaxed);

	while (n > 1)
		if (atomic_compare_exchange_weak_explicit(&p->ref, &n, n - 1,
		    memory_order_release, memory_order_relaxed))
			return true;
	return false;
}

/* The last one goes under the lock, so that nobody finds it then. */
void
backend_pool_unref(struct backend_pool **pp)
{
	struct backend_pool *p = *pp, **at;
	bool last;

	*pp = NULL;
	if (p == NULL || unref_not_last(p))
		return;
	pthread_mutex_lock(&buckets_lock);
	last = atomic_fetch_sub_explicit(&p->ref, 1,
	    memory_order_acq_rel) == 1;
	if (last) {
		for (at = bucket_of(&p->key); *at != p; at = &(*at)->next)
			continue;
		*at = p->next;
	}
	pthread_mutex_unlock(&buckets_lock);
	if (last)
		free_it(p);
}
