/*
 * directors_shard.c - module directors: shard.
 *
 *   add, remove, clear -> table --reconfigure--> view (hosts and ring)
 *
 * The table is under a lock and only seen by who changes it.  Cores read the
 * view, which never changes, without a lock; see directors_pool.h.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "directors_shard.h"
#include "vcl/vmod_functions.h"
#include "vmod_director.h"
#include "vrt.h"

enum { REPLICAS = 67, IDENT_MAX = 255 };

struct host {
	struct backend *backend;
	char *ident;
	double weight;
	double rampup;          /* < 0: the director's */
};

struct view {
	struct qsbr_item item;
	struct shard_ring *ring;
	unsigned n;
	struct host host[];     /* with idents of its own */
};

struct vmod_directors_shard {
	struct backend *director;
	char *name;
	_Atomic double warmup, rampup;
	struct vmod_directors_shard_param *_Atomic param;
	pthread_mutex_t lock;   /* of what follows; view's writers */
	struct host *table;
	unsigned n;
	bool changed;           /* the view is not made of this table */
	struct view *_Atomic view; /* NULL: none yet */
};

/* --- the table and its view ---------------------------------------------- */

static void
view_free(struct view *v)
{
	for (unsigned i = 0; i < v->n; i++)
		free(v->host[i].ident);
	free(v->ring);
	free(v);
}

static void
free_item(struct qsbr_item *item)
{
	view_free((struct view *)item);
}

/* NULL: no memory, or too many points */
static struct view *
view_new(const struct host *table, unsigned n, uint32_t replicas)
{
	struct view *v = calloc(1, sizeof *v + n * sizeof v->host[0]);
	struct str *ident = calloc(n + 1, sizeof *ident);
	double *weight = calloc(n + 1, sizeof *weight);
	bool ok = v != NULL && ident != NULL && weight != NULL;

	for (; ok && v->n < n; v->n++) {
		struct host *h = &v->host[v->n];

		*h = table[v->n];
		h->ident = strdup(h->ident);
		ok = h->ident != NULL;
		ident[v->n] = str_from_z(h->ident);
		weight[v->n] = h->weight;
	}
	if (ok)
		v->ring = shard_ring_new(n, ident, weight, replicas);
	free(ident);
	free(weight);
	if (v != NULL && v->ring == NULL) {
		view_free(v);
		v = NULL;
	}
	return v;
}

/* Under the lock. */
static bool
reconfigure(struct vmod_directors_shard *o, uint32_t replicas)
{
	struct view *old = o->view, *new = NULL;

	if (o->n > 0) {
		new = view_new(o->table, o->n, replicas);
		if (new == NULL)
			return false;
	}
	atomic_store_explicit(&o->view, new, memory_order_release);
	if (old != NULL)
		qsbr_retire(&old->item, free_item);
	o->changed = false;
	return true;
}

/* The task that changed the table is over. */
static void
at_end_of_task(void *priv)
{
	struct vmod_directors_shard *o = priv;

	pthread_mutex_lock(&o->lock);
	if (o->changed)
		reconfigure(o, REPLICAS);
	pthread_mutex_unlock(&o->lock);
}

/* Under the lock. */
static void
has_changed(struct vcl_ctx *ctx, struct vmod_directors_shard *o)
{
	struct vmod_priv *p = vrt_priv_task(ctx, &o->table);

	o->changed = true;
	if (p == NULL)
		return;
	p->p = o;
	p->free = at_end_of_task;
}

static void __attribute__((format(printf, 3, 4)))
complain(struct vcl_ctx *ctx, const struct vmod_directors_shard *o,
    const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	vrt_log_error(ctx, "vmod_directors.shard %s: %s", o->name, text);
}

static bool
add(struct vcl_ctx *ctx, struct vmod_directors_shard *o, struct host h)
{
	struct host *grown;

	for (unsigned i = 0; i < o->n; i++)
		if (!strcmp(o->table[i].ident, h.ident)) {
			complain(ctx, o, "there is a backend with the ident "
			    "%s already", h.ident);
			return false;
		}
	if (o->n == SHARD_HOSTS) {
		complain(ctx, o, "more than %d backends", SHARD_HOSTS);
		return false;
	}
	grown = realloc(o->table, (o->n + 1) * sizeof *grown);
	if (grown != NULL)
		o->table = grown;
	h.ident = grown != NULL ? strdup(h.ident) : NULL;
	if (h.ident == NULL) {
		complain(ctx, o, "out of memory");
		return false;
	}
	o->table[o->n++] = h;
	has_changed(ctx, o);
	return true;
}

/* backend NULL: any; ident p NULL: any.  How many. */
static unsigned
remove_hosts(struct vmod_directors_shard *o, const struct backend *b,
    struct str ident)
{
	unsigned kept = 0, n = o->n;

	for (unsigned i = 0; i < n; i++) {
		struct host *h = &o->table[i];

		if ((b == NULL || h->backend == b) && (ident.p == NULL ||
		    str_eq(ident, str_from_z(h->ident))))
			free(h->ident);
		else
			o->table[kept++] = *h;
	}
	o->n = kept;
	return n - kept;
}

/* --- picking ------------------------------------------------------------- */

struct pick {
	struct vcl_ctx *ctx;
	const struct view *view;
};

static bool
host_is_healthy(void *priv, unsigned host)
{
	const struct pick *p = priv;

	return vrt_backend_healthy(p->ctx, p->view->host[host].backend);
}

static double
rampup_of(const struct vmod_directors_shard *o, const struct host *h)
{
	return h->rampup >= 0 ? h->rampup : o->rampup;
}

/* The part of its slow start that is behind it: 1 if it is over. */
static double
rampup_done(struct vcl_ctx *ctx, const struct vmod_directors_shard *o,
    const struct host *h, double *left)
{
	double all = rampup_of(o, h), since, changed = 0;
	bool healthy = vrt_backend_health(ctx, h->backend, &changed);

	*left = 0;
	if (!healthy || all <= 0)
		return healthy ? 1 : 0;
	since = clock_wall() - changed;
	if (since >= all)
		return 1;
	*left = all - (since > 0 ? since : 0);
	return since > 0 ? since / all : 0;
}

/* Is the request better for the alternative? */
static bool
prefers_alternative(struct vcl_ctx *ctx, const struct vmod_directors_shard *o,
    const struct shard_asks *a, const struct host *chosen,
    const struct host *other)
{
	double left, done = 1, other_done = 1, warmup;

	if (a->rampup) {
		done = rampup_done(ctx, o, chosen, &left);
		other_done = rampup_done(ctx, o, other, &left);
	}
	if (other_done < 1)
		return false;
	if (done < 1)
		return vmod_std_random(ctx, 0, 1) >= done;
	warmup = a->warmup >= 0 ? a->warmup : o->warmup;
	return warmup > 0 && vmod_std_random(ctx, 0, 1) < warmup;
}

uint32_t
shard_asks_key(struct vcl_ctx *ctx, const struct shard_asks *a)
{
	bool client = vrt_is_client(ctx);
	bool pipe = vrt_sub(ctx) == VCL_SUB_PIPE;

	switch (a->by) {
	case SHARD_KEY:
	case SHARD_BLOB:
		return a->key;
	case SHARD_HASH:
		if (!client || pipe) {
			VCL_BLOB hash = vrt_r_bereq_hash(ctx);

			return shard_key_of_blob(hash.p, hash.len);
		}
		break;
	case SHARD_URL:
		break;
	}
	return shard_key(client ? vrt_r_req_url(ctx) : vrt_r_bereq_url(ctx));
}

static struct backend *
pick(struct vcl_ctx *ctx, struct vmod_directors_shard *o,
    const struct shard_asks *a)
{
	const struct view *v = atomic_load_explicit(&o->view,
	    memory_order_acquire);
	struct pick p = {ctx, v};
	struct shard_walk walk;
	const struct host *chosen;
	int host;

	if (v == NULL) {
		complain(ctx, o, "no backends");
		return NULL;
	}
	shard_walk_begin(&walk, v->ring, shard_asks_key(ctx, a));
	host = shard_pick(&walk, a->alt, a->healthy, host_is_healthy, &p);
	if (host < 0)
		return NULL;
	chosen = &v->host[host];
	if (a->alt > 0 || a->healthy == SHARD_IGNORE)
		return chosen->backend;
	host = shard_pick(&walk, 0, SHARD_CHOSEN, host_is_healthy, &p);
	if (host >= 0 && prefers_alternative(ctx, o, a, chosen,
	    &v->host[host]))
		return v->host[host].backend;
	return chosen->backend;
}

/* --- as a BACKEND -------------------------------------------------------- */

/* What backend(resolve=LAZY) of this task has said. */
struct lazy {
	struct shard_asks asks;
	struct vmod_directors_shard_param *param; /* NULL: the associated one */
};

/* over it what this call asks; the call's param comes before lazy's */
static struct shard_asks
with_defaults(struct vcl_ctx *ctx, struct vmod_directors_shard *o,
    struct shard_asks asks, struct vmod_directors_shard_param *param,
    const struct lazy *l)
{
	if (l != NULL) {
		asks = shard_asks_over(asks, l->asks);
		param = param != NULL ? param : l->param;
	}
	if (param == NULL)
		param = o->param;
	return shard_asks_over(asks, param != NULL ?
	    shard_param_asks(ctx, param) : shard_defaults);
}

/* NULL: nothing, or no task */
static const struct lazy *
lazy_of(struct vcl_ctx *ctx, struct vmod_directors_shard *o)
{
	struct vmod_priv *p = vrt_priv_task(ctx, o);

	return p != NULL ? p->p : NULL;
}

static struct backend *
shard_resolve(struct vcl_ctx *ctx, void *priv)
{
	struct vmod_directors_shard *o = priv;
	struct shard_asks asks = {0};

	if (!vrt_is_client(ctx) && !vrt_is_backend(ctx)) {
		/* vcl_init, vcl_fini: there is no request, so no key */
		complain(ctx, o, "can't be resolved here");
		return NULL;
	}
	asks = with_defaults(ctx, o, asks, NULL, lazy_of(ctx, o));
	return pick(ctx, o, &asks);
}

static bool
shard_is_healthy(struct vcl_ctx *ctx, void *priv, double *changed)
{
	struct vmod_directors_shard *o = priv;
	const struct view *v = o->view;
	bool healthy = false;
	double at;

	if (changed != NULL)
		*changed = 0;
	for (unsigned i = 0; v != NULL && i < v->n; i++) {
		healthy |= vrt_backend_health(ctx, v->host[i].backend, &at);
		if (changed != NULL && at > *changed)
			*changed = at;
		if (changed == NULL && healthy)
			break;
	}
	return healthy;
}

static void
shard_list(void *priv, struct vmod_director_list *l)
{
	struct vmod_directors_shard *o = priv;
	const struct view *v = o->view;
	char text[300], json[320];

	snprintf(json, sizeof json, "%f", o->warmup);
	vrt_director_list_value(l, "warmup", json);
	snprintf(json, sizeof json, "%f", o->rampup);
	vrt_director_list_value(l, "rampup_duration", json);
	for (unsigned i = 0; v != NULL && i < v->n; i++) {
		const struct host *h = &v->host[i];
		double left, done = rampup_done(NULL, o, h, &left);

		vrt_director_list_row(l, h->backend);
		snprintf(json, sizeof json, "\"%s\"", h->ident);
		vrt_director_list_cell(l, "Ident", h->ident, "ident", json);
		snprintf(text, sizeof text, "%.2f%%", 100 * done);
		snprintf(json, sizeof json, "%f", done);
		vrt_director_list_cell(l, "Rampup", text, "rampup", json);
		snprintf(json, sizeof json, "%.3f", left);
		snprintf(text, sizeof text, "%.3fs", left);
		vrt_director_list_cell(l, "Remaining", text,
		    "rampup_remaining", json);
	}
}

static const struct vmod_director_methods shard_methods = {
	.type = "shard",
	.resolve = shard_resolve,
	.healthy = shard_is_healthy,
	.list = shard_list,
};

/* --- what VCL calls ------------------------------------------------------ */

void
vmod_directors_shard__init(struct vcl_ctx *ctx,
    struct vmod_directors_shard **out, const char *name)
{
	struct vmod_directors_shard *o = calloc(1, sizeof *o);

	*out = o;
	if (o == NULL) {
		vrt_failf(ctx, "directors: out of memory");
		return;
	}
	pthread_mutex_init(&o->lock, NULL);
	o->name = strdup(name);
	if (o->name == NULL)
		vrt_failf(ctx, "directors: out of memory");
	else
		o->director = vrt_director_new(ctx, &shard_methods, name, o);
}

void
vmod_directors_shard__fini(struct vmod_directors_shard **out)
{
	struct vmod_directors_shard *o = *out;

	*out = NULL;
	if (o == NULL)
		return;
	vrt_director_free(&o->director);
	if (o->view != NULL)
		view_free(o->view);
	remove_hosts(o, NULL, STR_NULL);
	free(o->table);
	free(o->name);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

void
vmod_directors_shard_set_warmup(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, VCL_REAL probability)
{
	if (probability >= 0 && probability < 1)
		o->warmup = probability;
	else
		complain(ctx, o, "set_warmup(): %g is ignored, it is not from "
		    "0 to below 1", probability);
}

void
vmod_directors_shard_set_rampup(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, VCL_DURATION duration)
{
	(void)ctx;
	o->rampup = duration > 0 ? duration : 0;
}

void
vmod_directors_shard_associate(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, bool has_param, VCL_BLOB param)
{
	struct vmod_directors_shard_param *p = NULL;

	if (has_param) {
		p = shard_param_of_blob(ctx, param);
		if (p == NULL)
			return;
	}
	o->param = p;
}

VCL_BOOL
vmod_directors_shard_add_backend(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, VCL_BACKEND b, bool has_ident,
    VCL_STRING ident, bool has_rampup, VCL_DURATION rampup, bool has_weight,
    VCL_REAL weight)
{
	struct host h = {b, NULL, 1, has_rampup ? rampup : -1};
	char text[IDENT_MAX + 1];
	bool ok;

	if (!vrt_backend_is_some(b)) {
		vrt_failf(ctx, "shard %s.add_backend(): none is no backend",
		    o->name);
		return false;
	}
	if (!has_ident || ident.len == 0)
		ident = str_from_z(vrt_backend_name(b));
	if (ident.len > IDENT_MAX) {
		complain(ctx, o, "an ident has at most %d bytes", IDENT_MAX);
		return false;
	}
	snprintf(text, sizeof text, "%.*s", STR_ARG(ident));
	h.ident = text;
	if (has_weight && weight >= 1)
		h.weight = weight;
	else if (has_weight)
		complain(ctx, o, "weight %g of %s is taken as 1", weight,
		    text);
	pthread_mutex_lock(&o->lock);
	ok = add(ctx, o, h);
	pthread_mutex_unlock(&o->lock);
	return ok;
}

VCL_BOOL
vmod_directors_shard_remove_backend(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, bool has_backend, VCL_BACKEND b,
    bool has_ident, VCL_STRING ident)
{
	unsigned n;

	has_backend = has_backend && b != NULL;
	has_ident = has_ident && ident.len > 0;
	if (!has_backend && !has_ident) {
		vrt_failf(ctx, "shard %s.remove_backend() needs a backend or "
		    "an ident", o->name);
		return false;
	}
	pthread_mutex_lock(&o->lock);
	n = remove_hosts(o, has_backend ? b : NULL,
	    has_ident ? ident : STR_NULL);
	if (n > 0)
		has_changed(ctx, o);
	else
		complain(ctx, o, "there is no such backend to be removed");
	pthread_mutex_unlock(&o->lock);
	return n > 0;
}

VCL_BOOL
vmod_directors_shard_clear(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o)
{
	pthread_mutex_lock(&o->lock);
	remove_hosts(o, NULL, STR_NULL);
	has_changed(ctx, o);
	pthread_mutex_unlock(&o->lock);
	return true;
}

VCL_BOOL
vmod_directors_shard_reconfigure(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, VCL_INT replicas)
{
	bool ok;

	if (replicas < 1 || replicas > SHARD_POINTS) {
		complain(ctx, o, "reconfigure(%" PRId64 "): not from 1 to %d",
		    replicas, SHARD_POINTS);
		return false;
	}
	pthread_mutex_lock(&o->lock);
	ok = reconfigure(o, (uint32_t)replicas);
	pthread_mutex_unlock(&o->lock);
	if (!ok)
		complain(ctx, o, "reconfigure(): no memory, or too many "
		    "replicas");
	return ok;
}

VCL_INT
vmod_directors_shard_key(struct vcl_ctx *ctx, struct vmod_directors_shard *o,
    VCL_STRING s)
{
	(void)ctx;
	(void)o;
	return shard_key(s);
}

/* What it says stays said for this task. */
static VCL_BACKEND
resolve_later(struct vcl_ctx *ctx, struct vmod_directors_shard *o,
    const struct shard_asks *asks, struct vmod_directors_shard_param *param)
{
	struct vmod_priv *p;
	struct lazy *l;

	/* vcl_init, the client's side: nothing is given, or it was refused */
	if (!vrt_is_backend(ctx) && vrt_sub(ctx) != VCL_SUB_PIPE)
		return o->director;
	p = vrt_priv_task(ctx, o);
	l = p != NULL ? vrt_alloc(ctx, sizeof *l) : NULL;
	if (l == NULL)
		return NULL;
	*l = (struct lazy){*asks, param};
	p->p = l;
	return o->director;
}

VCL_BACKEND
vmod_directors_shard_backend(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, bool has_by, VCL_ENUM by, bool has_key,
    VCL_INT key, bool has_key_blob, VCL_BLOB key_blob, bool has_alt,
    VCL_INT alt, bool has_warmup, VCL_REAL warmup, bool has_rampup,
    VCL_BOOL rampup, bool has_healthy, VCL_ENUM healthy, bool has_param,
    VCL_BLOB param, bool has_resolve, VCL_ENUM resolve)
{
	struct shard_arguments a = {has_by, has_key, has_key_blob, has_alt,
	    has_warmup, has_rampup, has_healthy, by, healthy, key, alt,
	    key_blob, warmup, rampup};
	bool task = vrt_is_backend(ctx) || vrt_sub(ctx) == VCL_SUB_PIPE;
	bool init = !vrt_is_backend(ctx) && !vrt_is_client(ctx);
	bool lazy = has_resolve ? !strcmp(resolve, "LAZY") : init;
	struct vmod_directors_shard_param *p = NULL;
	struct shard_asks asks;

	if (!shard_asks_from(ctx, "shard.backend()", &a, &asks))
		return NULL;
	if (has_param && param.p != NULL) {
		p = shard_param_of_blob(ctx, param);
		if (p == NULL)
			return NULL;
	}
	if (!lazy && init) {
		vrt_failf(ctx, "shard.backend(): resolve=NOW is not for "
		    "vcl_init");
		return NULL;
	}
	if (lazy && !task && (asks.given != 0 || p != NULL)) {
		vrt_failf(ctx, "shard.backend(): resolve=LAZY takes no other "
		    "argument here");
		return NULL;
	}
	if (lazy)
		return resolve_later(ctx, o, &asks, p);
	asks = with_defaults(ctx, o, asks, p, lazy_of(ctx, o));
	return pick(ctx, o, &asks);
}

void
vmod_directors_shard_debug(struct vcl_ctx *ctx,
    struct vmod_directors_shard *o, VCL_INT flags)
{
	(void)ctx;
	(void)o;
	(void)flags;
}
