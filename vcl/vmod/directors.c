/*
 * directors.c - module directors: the ones that keep no more than a list.
 */
#include <stdio.h>
#include <stdlib.h>

#include "directors_pool.h"
#include "shard_ring.h"
#include "vcl/vmod_functions.h"

/*
 * What all of them are; each has its own struct, which holds no more, so
 * that VCL's objects have their types.
 */
struct simple {
	struct pool pool;
	struct backend *director;
	_Atomic unsigned at;    /* round_robin, fallback: whose turn it is */
	bool sticky;
};

#define SIMPLE(type)                                                          \
	struct vmod_directors_##type {                                        \
		struct simple s;                                              \
	};
SIMPLE(round_robin)
SIMPLE(fallback)
SIMPLE(random)
SIMPLE(hash)
SIMPLE(least_conn)
SIMPLE(ewma)

/* --- beginning and end --------------------------------------------------- */

static struct simple *
simple_new(struct vcl_ctx *ctx, const struct vmod_director_methods *m,
    const char *name)
{
	struct simple *s = calloc(1, sizeof *s);

	if (s == NULL) {
		vrt_failf(ctx, "directors: out of memory");
		return NULL;
	}
	if (!pool_init(ctx, &s->pool)) {
		free(s);
		return NULL;
	}
	s->director = vrt_director_new(ctx, m, name, s);
	return s;
}

static void
simple_free(struct simple *s)
{
	if (s == NULL)
		return;
	vrt_director_free(&s->director);
	pool_destroy(&s->pool);
	free(s);
}

static bool
simple_is_healthy(struct vcl_ctx *ctx, void *priv, double *changed)
{
	struct simple *s = priv;

	return pool_is_healthy(ctx, &s->pool, changed);
}

/* --- round_robin --------------------------------------------------------- */

static struct backend *
round_robin_resolve(struct vcl_ctx *ctx, void *priv)
{
	struct simple *s = priv;
	const struct members *m = pool_members(&s->pool);

	for (unsigned i = 0; i < m->n; i++) {
		unsigned at = atomic_fetch_add_explicit(&s->at, 1,
		    memory_order_relaxed) % m->n;

		if (vrt_backend_healthy(ctx, m->member[at].backend))
			return m->member[at].backend;
	}
	return NULL;
}

static void
round_robin_list(void *priv, struct vmod_director_list *l)
{
	struct simple *s = priv;
	const struct members *m = pool_members(&s->pool);

	for (unsigned i = 0; i < m->n; i++) {
		vrt_director_list_row(l, m->member[i].backend);
		vrt_director_list_cell(l, "Weight", "-", NULL, NULL);
	}
}

static const struct vmod_director_methods round_robin_methods = {
	.type = "round-robin",
	.resolve = round_robin_resolve,
	.healthy = simple_is_healthy,
	.list = round_robin_list,
};

/* --- fallback ------------------------------------------------------------ */

static struct backend *
fallback_resolve(struct vcl_ctx *ctx, void *priv)
{
	struct simple *s = priv;
	const struct members *m = pool_members(&s->pool);
	unsigned from = s->sticky ? atomic_load_explicit(&s->at,
	    memory_order_relaxed) : 0;

	for (unsigned i = 0; i < m->n; i++) {
		unsigned at = (from + i) % m->n;

		if (!vrt_backend_healthy(ctx, m->member[at].backend))
			continue;
		/* no store if nothing changes: many cores read it */
		if (at != atomic_load_explicit(&s->at, memory_order_relaxed))
			atomic_store_explicit(&s->at, at,
			    memory_order_relaxed);
		return m->member[at].backend;
	}
	return NULL;
}

static void
fallback_list(void *priv, struct vmod_director_list *l)
{
	struct simple *s = priv;
	const struct members *m = pool_members(&s->pool);

	vrt_director_list_value(l, "sticky", s->sticky ? "true" : "false");
	for (unsigned i = 0; i < m->n; i++) {
		bool current = i == s->at;

		vrt_director_list_row(l, m->member[i].backend);
		vrt_director_list_cell(l, "Current", current ? "*" : "",
		    "current", current ? "true" : "false");
	}
}

static const struct vmod_director_methods fallback_methods = {
	.type = "fallback",
	.resolve = fallback_resolve,
	.healthy = simple_is_healthy,
	.list = fallback_list,
};

/* --- random, hash -------------------------------------------------------- */

static struct backend *
random_resolve(struct vcl_ctx *ctx, void *priv)
{
	struct simple *s = priv;

	return pool_by_weight(ctx, &s->pool, vmod_std_random(ctx, 0, 1));
}

/* The part of the traffic that each gets; for hash, which has a string. */
static void
weight_list(void *priv, struct vmod_director_list *l)
{
	struct simple *s = priv;
	const struct members *m = pool_members(&s->pool);
	double sum = pool_weight(NULL, m);
	char text[32], json[32];

	snprintf(json, sizeof json, "%f", sum);
	vrt_director_list_value(l, "total_weight", json);
	for (unsigned i = 0; i < m->n; i++) {
		double w = vrt_backend_healthy(NULL, m->member[i].backend) ?
		    m->member[i].weight : 0;

		vrt_director_list_row(l, m->member[i].backend);
		snprintf(text, sizeof text, "%.2f%%",
		    sum > 0 ? 100 * w / sum : 0);
		snprintf(json, sizeof json, "%f", w);
		vrt_director_list_cell(l, "Weight", text, "weight", json);
	}
}

static const struct vmod_director_methods random_methods = {
	.type = "random",
	.resolve = random_resolve,
	.healthy = simple_is_healthy,
	.list = weight_list,
};

/* Nobody gets it: hash.backend() has a string, and picks at once. */
static const struct vmod_director_methods hash_methods = {
	.type = "hash",
	.resolve = random_resolve,
	.healthy = simple_is_healthy,
	.list = weight_list,
};

VCL_BACKEND
vmod_directors_hash_backend(struct vcl_ctx *ctx,
    struct vmod_directors_hash *o, VCL_STRING s)
{
	return pool_by_weight(ctx, &o->s.pool, shard_key(s) * 0x1p-32);
}

/* --- least_conn, ewma ---------------------------------------------------- */

/* What one more request would cost at b: the lowest is taken. */
typedef double load_fn(const struct backend *b);

static double
load_by_requests(const struct backend *b)
{
	return vrt_backend_in_flight(b) + 1.0;
}

/* Of one that has not answered yet, as if it took a second. */
static double
load_by_time(const struct backend *b)
{
	double time = vrt_backend_response_time(b);
	unsigned n = vrt_backend_in_flight(b);

	return time > 0 ? time * (n + 1.0) : n;
}

/*
 * Begins where the last one ended, so that equals take turns.  A director
 * counts as what it picks.
 */
static struct backend *
least_loaded(struct vcl_ctx *ctx, struct simple *s, load_fn *load)
{
	const struct members *m = pool_members(&s->pool);
	unsigned from = atomic_fetch_add_explicit(&s->at, 1,
	    memory_order_relaxed);
	struct backend *best = NULL;
	double best_load = 0;

	for (unsigned i = 0; i < m->n; i++) {
		const struct member *x = &m->member[(from + i) % m->n];
		struct backend *b = x->backend;
		double l;

		if (x->weight <= 0 || !vrt_backend_healthy(ctx, b))
			continue;
		if (vrt_backend_is_director(b))
			b = vrt_backend_resolve(ctx, b);
		if (b == NULL)
			continue;
		l = load(b) / x->weight;
		if (best == NULL || l < best_load) {
			best = b;
			best_load = l;
		}
	}
	return best;
}

static struct backend *
least_conn_resolve(struct vcl_ctx *ctx, void *priv)
{
	return least_loaded(ctx, priv, load_by_requests);
}

static struct backend *
ewma_resolve(struct vcl_ctx *ctx, void *priv)
{
	return least_loaded(ctx, priv, load_by_time);
}

static void
load_list(void *priv, struct vmod_director_list *l)
{
	struct simple *s = priv;
	const struct members *m = pool_members(&s->pool);
	char text[32], json[32];

	for (unsigned i = 0; i < m->n; i++) {
		const struct member *x = &m->member[i];

		vrt_director_list_row(l, x->backend);
		snprintf(json, sizeof json, "%f", x->weight);
		vrt_director_list_cell(l, "Weight", json, "weight", json);
		snprintf(json, sizeof json, "%u",
		    vrt_backend_in_flight(x->backend));
		vrt_director_list_cell(l, "Requests", json, "requests", json);
		snprintf(json, sizeof json, "%f",
		    vrt_backend_response_time(x->backend));
		snprintf(text, sizeof text, "%.6fs",
		    vrt_backend_response_time(x->backend));
		vrt_director_list_cell(l, "Time", text, "response_time", json);
	}
}

static const struct vmod_director_methods least_conn_methods = {
	.type = "least-conn",
	.resolve = least_conn_resolve,
	.healthy = simple_is_healthy,
	.list = load_list,
};

static const struct vmod_director_methods ewma_methods = {
	.type = "ewma",
	.resolve = ewma_resolve,
	.healthy = simple_is_healthy,
	.list = load_list,
};

/* --- what VCL calls ------------------------------------------------------ */

#define NEW(type, o, name)                                                    \
	(*(o) = (struct vmod_directors_##type *)(void *)simple_new(ctx,       \
	    &type##_methods, name))

void
vmod_directors_fallback__init(struct vcl_ctx *ctx,
    struct vmod_directors_fallback **o, const char *name, VCL_BOOL sticky)
{
	if (NEW(fallback, o, name) != NULL)
		(*o)->s.sticky = sticky;
}

#define INIT(type)                                                            \
	void vmod_directors_##type##__init(struct vcl_ctx *ctx,               \
	    struct vmod_directors_##type **o, const char *name)               \
	{                                                                     \
		NEW(type, o, name);                                           \
	}
INIT(round_robin)
INIT(random)
INIT(hash)
INIT(least_conn)
INIT(ewma)

#define FINI_AND_REMOVE(type)                                                 \
	void vmod_directors_##type##__fini(struct vmod_directors_##type **o)  \
	{                                                                     \
		simple_free(*o != NULL ? &(*o)->s : NULL);                    \
		*o = NULL;                                                    \
	}                                                                     \
	void vmod_directors_##type##_remove_backend(struct vcl_ctx *ctx,      \
	    struct vmod_directors_##type *o, VCL_BACKEND b)                   \
	{                                                                     \
		removed(&o->s, pool_remove(ctx, &o->s.pool, b));              \
	}

/* fallback: the current one stays the current one, at its new place */
static void
removed(struct simple *s, int place)
{
	unsigned at = s->at;

	if (place >= 0 && (unsigned)place < at)
		atomic_compare_exchange_strong(&s->at, &at, at - 1);
}

FINI_AND_REMOVE(round_robin)
FINI_AND_REMOVE(fallback)
FINI_AND_REMOVE(random)
FINI_AND_REMOVE(hash)
FINI_AND_REMOVE(least_conn)
FINI_AND_REMOVE(ewma)

#define ADD(type)                                                             \
	void vmod_directors_##type##_add_backend(struct vcl_ctx *ctx,         \
	    struct vmod_directors_##type *o, VCL_BACKEND b)                   \
	{                                                                     \
		pool_add(ctx, &o->s.pool, b, 1);                              \
	}
ADD(round_robin)
ADD(fallback)

#define ADD_WEIGHT(type)                                                      \
	void vmod_directors_##type##_add_backend(struct vcl_ctx *ctx,         \
	    struct vmod_directors_##type *o, VCL_BACKEND b, VCL_REAL weight)  \
	{                                                                     \
		pool_add(ctx, &o->s.pool, b, weight);                         \
	}
ADD_WEIGHT(random)
ADD_WEIGHT(hash)
ADD_WEIGHT(least_conn)
ADD_WEIGHT(ewma)

#define BACKEND(type)                                                         \
	VCL_BACKEND vmod_directors_##type##_backend(struct vcl_ctx *ctx,      \
	    struct vmod_directors_##type *o)                                  \
	{                                                                     \
		(void)ctx;                                                    \
		return o->s.director;                                         \
	}
BACKEND(round_robin)
BACKEND(fallback)
BACKEND(random)
BACKEND(least_conn)
BACKEND(ewma)

VCL_BACKEND
vmod_directors_lookup(struct vcl_ctx *ctx, VCL_STRING name)
{
	return vrt_backend_by_name(ctx, name);
}
