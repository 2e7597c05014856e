/*
 * saintmode.c - module saintmode: backends that fail for some pages.
 *
 * An object is a director with one backend and a list of keys that it is sick
 * for.  The lists are short, and walked under a lock.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "clock.h"
#include "fetch.h"
#include "request.h"
#include "vmod.h"
#include "vmod_director.h"
#include "vcl/vmod_functions.h"

enum { PAGES_MAX = 1000 }; /* on a list: more is a sick backend */

struct page {
	uint8_t hash[STORE_HASH_LEN];
	nsec_t until;
};

struct vmod_saintmode_saintmode {
	struct vmod_saintmode_saintmode *next; /* of the program's */
	struct backend *backend, *director;
	VCL_INT threshold;
	pthread_mutex_t lock;
	struct page *page;
	unsigned page_n;
	char *name;
};

/* The key of the page that ctx is about; NULL: it has none (yet). */
static const uint8_t *
hash_of(const struct vcl_ctx *ctx)
{
	if (ctx == NULL)
		return NULL;
	if (ctx->fetch != NULL)
		return ctx->fetch->key.hash;
	return ctx->req != NULL && ctx->req->key.bytes.p != NULL
	    ? ctx->req->key.hash : NULL;
}

/* lock held: takes off what has expired */
static void
tidy(struct vmod_saintmode_saintmode *sm)
{
	nsec_t now = clock_mono();
	unsigned n = 0;

	for (unsigned i = 0; i < sm->page_n; i++)
		if (sm->page[i].until > now)
			sm->page[n++] = sm->page[i];
	sm->page_n = n;
}

/* lock held; NULL: it is not on the list */
static struct page *
find(struct vmod_saintmode_saintmode *sm, const uint8_t *hash)
{
	for (unsigned i = 0; hash != NULL && i < sm->page_n; i++)
		if (!memcmp(sm->page[i].hash, hash, STORE_HASH_LEN))
			return &sm->page[i];
	return NULL;
}

static bool
healthy(struct vcl_ctx *ctx, void *priv, double *changed)
{
	struct vmod_saintmode_saintmode *sm = priv;
	bool is = vrt_backend_health(ctx, sm->backend, changed);

	if (!is || sm->threshold == 0)
		return is;
	pthread_mutex_lock(&sm->lock);
	tidy(sm);
	is = sm->page_n < sm->threshold && find(sm, hash_of(ctx)) == NULL;
	pthread_mutex_unlock(&sm->lock);
	return is;
}

static struct backend *
resolve(struct vcl_ctx *ctx, void *priv)
{
	struct vmod_saintmode_saintmode *sm = priv;

	return healthy(ctx, sm, NULL) ? sm->backend : NULL;
}

static void
list(void *priv, struct vmod_director_list *out)
{
	struct vmod_saintmode_saintmode *sm = priv;

	vrt_director_list_row(out, sm->backend);
}

static const struct vmod_director_methods methods = {
	.type = "saintmode",
	.resolve = resolve,
	.healthy = healthy,
	.list = list,
};

void
vmod_saintmode_saintmode__init(struct vcl_ctx *ctx,
    struct vmod_saintmode_saintmode **out, const char *name,
    struct vmod_priv *priv, VCL_BACKEND backend, VCL_INT threshold)
{
	struct vmod_saintmode_saintmode *sm;

	if (backend == NULL || threshold < 0) {
		vrt_failf(ctx, "saintmode %s: %s", name, backend == NULL
		    ? "there is no backend" : "a threshold can't be negative");
		return;
	}
	sm = calloc(1, sizeof *sm);
	if (sm != NULL) {
		*out = sm; /* freed by __fini whatever comes */
		pthread_mutex_init(&sm->lock, NULL);
		sm->backend = backend;
		sm->threshold = threshold;
		sm->page = calloc(PAGES_MAX, sizeof *sm->page);
		sm->name = strdup(name);
	}
	if (sm == NULL || sm->page == NULL || sm->name == NULL) {
		vrt_failf(ctx, "saintmode %s: out of memory", name);
		return;
	}
	sm->director = vrt_director_new(ctx, &methods, name, sm);
	sm->next = priv->p;
	priv->p = sm;
}

void
vmod_saintmode_saintmode__fini(struct vmod_saintmode_saintmode **out)
{
	struct vmod_saintmode_saintmode *sm = *out;

	*out = NULL;
	vrt_director_free(&sm->director);
	pthread_mutex_destroy(&sm->lock);
	free(sm->page);
	free(sm->name);
	free(sm);
}

/* lock held; a place for one more page */
static struct page *
make_room(struct vmod_saintmode_saintmode *sm)
{
	struct page *first = &sm->page[0];

	if (sm->page_n < PAGES_MAX)
		return &sm->page[sm->page_n++];
	for (unsigned i = 1; i < sm->page_n; i++)
		if (sm->page[i].until < first->until)
			first = &sm->page[i];
	return first;
}

static void
deny(struct vmod_saintmode_saintmode *sm, const uint8_t *hash,
    VCL_DURATION expires)
{
	struct page *p;

	pthread_mutex_lock(&sm->lock);
	tidy(sm);
	p = find(sm, hash);
	if (p == NULL)
		p = make_room(sm);
	memcpy(p->hash, hash, sizeof p->hash);
	/* a year is for ever, and a number of nanoseconds */
	p->until = clock_mono() + (nsec_t)((expires < 3e7 ? expires : 3e7) *
	    1e9);
	pthread_mutex_unlock(&sm->lock);
}

VCL_VOID
vmod_saintmode_denylist(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_DURATION expires)
{
	struct vmod_saintmode_saintmode *sm;

	if (!(expires > 0))
		return;
	for (sm = priv->p; sm != NULL; sm = sm->next)
		if (sm->backend == ctx->fetch->origin)
			deny(sm, ctx->fetch->key.hash, expires);
}

VCL_VOID
vmod_saintmode_blacklist(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_DURATION expires)
{
	vmod_saintmode_denylist(ctx, priv, expires);
}

VCL_BACKEND
vmod_saintmode_saintmode_backend(struct vcl_ctx *ctx,
    struct vmod_saintmode_saintmode *sm)
{
	(void)ctx;
	return sm->director;
}

VCL_INT
vmod_saintmode_saintmode_denylist_count(struct vcl_ctx *ctx,
    struct vmod_saintmode_saintmode *sm)
{
	VCL_INT n;

	(void)ctx;
	pthread_mutex_lock(&sm->lock);
	tidy(sm);
	n = sm->page_n;
	pthread_mutex_unlock(&sm->lock);
	return n;
}

VCL_INT
vmod_saintmode_saintmode_blacklist_count(struct vcl_ctx *ctx,
    struct vmod_saintmode_saintmode *sm)
{
	return vmod_saintmode_saintmode_denylist_count(ctx, sm);
}

VCL_BOOL
vmod_saintmode_saintmode_is_healthy(struct vcl_ctx *ctx,
    struct vmod_saintmode_saintmode *sm)
{
	return healthy(ctx, sm, NULL);
}

/* The names are VCL's: nothing in them has to be escaped. */
VCL_STRING
vmod_saintmode_status(struct vcl_ctx *ctx, struct vmod_priv *priv)
{
	struct vmod_saintmode_saintmode *sm;
	struct str all = STR("");

	for (sm = priv->p; sm != NULL; sm = sm->next) {
		/* the newest is first: to the front, so that it is last */
		all = vrt_printf(ctx, "\t\t{ \"name\": \"%s\", \"backend\": "
		    "\"%s\", \"count\": \"%lld\", \"threshold\": \"%lld\" }"
		    "%s\n%.*s", sm->name, vrt_backend_name(sm->backend),
		    (long long)vmod_saintmode_saintmode_denylist_count(ctx,
		    sm), (long long)sm->threshold, all.len != 0 ? "," : "",
		    STR_ARG(all));
		if (all.p == NULL)
			return STR_NULL;
	}
	return vrt_printf(ctx, "{\n\t\"saintmode\": [\n%.*s\t]\n}\n",
	    STR_ARG(all));
}
