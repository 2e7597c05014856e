/*
 * directors_pool.c - the backends of a director, read without a lock.
 */
#include <stdlib.h>
#include <string.h>

#include "directors_pool.h"

bool
pool_init(struct vcl_ctx *ctx, struct pool *p)
{
	pthread_mutex_init(&p->lock, NULL);
	p->members = calloc(1, sizeof *p->members);
	if (p->members == NULL)
		vrt_failf(ctx, "directors: out of memory");
	return p->members != NULL;
}

void
pool_destroy(struct pool *p)
{
	free(p->members);
	pthread_mutex_destroy(&p->lock);
}

static void
free_members(struct qsbr_item *item)
{
	free((struct members *)item);
}

/* With room for n; NULL: no memory, recorded. */
static struct members *
new_members(struct vcl_ctx *ctx, unsigned n)
{
	struct members *m = calloc(1, sizeof *m + n * sizeof m->member[0]);

	if (m == NULL)
		vrt_failf(ctx, "directors: out of memory");
	else
		m->n = n;
	return m;
}

static void
publish(struct pool *p, struct members *old, struct members *new)
{
	atomic_store_explicit(&p->members, new, memory_order_release);
	qsbr_retire(&old->item, free_members);
}

void
pool_add(struct vcl_ctx *ctx, struct pool *p, struct backend *b, double weight)
{
	struct members *old, *new;

	bool some = vrt_backend_is_some(b);

	if (!some || !(weight >= 0)) {
		vrt_failf(ctx, "directors: %s can't be added", !some ?
		    "none is no backend, and" : "a weight below 0");
		return;
	}
	pthread_mutex_lock(&p->lock);
	old = p->members;
	if (old->n >= POOL_MAX) {
		vrt_failf(ctx, "directors: more than %d backends", POOL_MAX);
		new = NULL;
	} else
		new = new_members(ctx, old->n + 1);
	if (new != NULL) {
		memcpy(new->member, old->member,
		    old->n * sizeof old->member[0]);
		new->member[old->n] = (struct member){b, weight};
		publish(p, old, new);
	}
	pthread_mutex_unlock(&p->lock);
}

int
pool_remove(struct vcl_ctx *ctx, struct pool *p, struct backend *b)
{
	struct members *old, *new = NULL;
	unsigned at = 0;

	pthread_mutex_lock(&p->lock);
	old = p->members;
	while (at < old->n && old->member[at].backend != b)
		at++;
	if (at < old->n)
		new = new_members(ctx, old->n - 1);
	if (new != NULL) {
		memcpy(new->member, old->member,
		    at * sizeof old->member[0]);
		memcpy(new->member + at, old->member + at + 1,
		    (old->n - at - 1) * sizeof old->member[0]);
		publish(p, old, new);
	}
	pthread_mutex_unlock(&p->lock);
	return new != NULL ? (int)at : -1;
}

bool
pool_is_healthy(struct vcl_ctx *ctx, struct pool *p, double *changed)
{
	const struct members *m = pool_members(p);
	bool healthy = false;
	double at;

	if (changed != NULL)
		*changed = 0;
	for (unsigned i = 0; i < m->n; i++) {
		/* who has no weight is never picked */
		healthy |= vrt_backend_health(ctx, m->member[i].backend,
		    &at) && m->member[i].weight > 0;
		if (changed != NULL && at > *changed)
			*changed = at;
		if (changed == NULL && healthy)
			break;
	}
	return healthy;
}

double
pool_weight(struct vcl_ctx *ctx, const struct members *m)
{
	double sum = 0;

	for (unsigned i = 0; i < m->n; i++)
		if (vrt_backend_healthy(ctx, m->member[i].backend))
			sum += m->member[i].weight;
	return sum;
}

struct backend *
pool_by_weight(struct vcl_ctx *ctx, struct pool *p, double part)
{
	const struct members *m = pool_members(p);
	double left = part * pool_weight(ctx, m);
	struct backend *last = NULL;

	/* health may change between the two walks: the last will do, then */
	for (unsigned i = 0; i < m->n && left >= 0; i++) {
		if (m->member[i].weight <= 0 ||
		    !vrt_backend_healthy(ctx, m->member[i].backend))
			continue;
		last = m->member[i].backend;
		left -= m->member[i].weight;
		if (left < 0)
			break;
	}
	return last;
}
