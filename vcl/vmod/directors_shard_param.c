/*
 * directors_shard_param.c - module directors: how a shard director is asked.
 *
 * A parameter set has what vcl_init gave it and, apart for each backend
 * request, what was set there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "directors_shard.h"
#include "vcl/vmod_functions.h"

struct vmod_directors_shard_param {
	struct vmod_directors_shard_param *self; /* says that it is one */
	struct shard_asks asks;
};

const struct shard_asks shard_defaults = {
	.by = SHARD_HASH,
	.warmup = -1,
	.rampup = true,
	.healthy = SHARD_CHOSEN,
};

static const char *const by_names[] = {"HASH", "URL", "KEY", "BLOB"};
static const char *const healthy_names[] = {"CHOSEN", "IGNORE", "ALL"};

static unsigned
number_of(const char *word, const char *const *names, unsigned n)
{
	unsigned i = 0;

	while (i + 1 < n && strcmp(word, names[i]) != 0)
		i++;
	return i;
}

/* by and what it needs */
static bool
key_from(struct vcl_ctx *ctx, const char *function,
    const struct shard_arguments *a, struct shard_asks *s)
{
	if (a->has_by) {
		s->by = (enum shard_by)number_of(a->by, by_names, 4);
		s->given |= GIVEN_BY;
	}
	if (a->has_key && s->by != SHARD_KEY)
		vrt_failf(ctx, "%s: key is for by=KEY, not for by=%s",
		    function, by_names[s->by]);
	else if (a->has_key_blob && s->by != SHARD_BLOB)
		vrt_failf(ctx, "%s: key_blob is for by=BLOB, not for by=%s",
		    function, by_names[s->by]);
	else if (s->by == SHARD_KEY && !a->has_key)
		vrt_failf(ctx, "%s: by=KEY needs a key", function);
	else if (s->by == SHARD_BLOB && !a->has_key_blob)
		vrt_failf(ctx, "%s: by=BLOB needs a key_blob", function);
	else if (a->has_key && (a->key < 0 || a->key > UINT32_MAX))
		vrt_failf(ctx, "%s: key=%" PRId64 " is out of range", function,
		    a->key);
	else {
		if (a->has_key)
			s->key = (uint32_t)a->key;
		if (a->has_key_blob)
			s->key = shard_key_of_blob(a->key_blob.p,
			    a->key_blob.len);
		s->given |= a->has_key || a->has_key_blob ? GIVEN_KEY : 0;
		return true;
	}
	return false;
}

bool
shard_asks_from(struct vcl_ctx *ctx, const char *function,
    const struct shard_arguments *a, struct shard_asks *s)
{
	*s = shard_defaults;
	if (!key_from(ctx, function, a, s))
		return false;
	if (a->has_alt) {
		if (a->alt < 0) {
			vrt_failf(ctx, "%s: alt=%" PRId64 " is below 0",
			    function, a->alt);
			return false;
		}
		s->alt = a->alt;
		s->given |= GIVEN_ALT;
	}
	if (a->has_warmup) {
		if (a->warmup != -1 && !(a->warmup >= 0 && a->warmup <= 1)) {
			vrt_failf(ctx, "%s: warmup is from 0 to 1, or -1",
			    function);
			return false;
		}
		s->warmup = a->warmup;
		s->given |= GIVEN_WARMUP;
	}
	if (a->has_rampup) {
		s->rampup = a->rampup;
		s->given |= GIVEN_RAMPUP;
	}
	if (a->has_healthy) {
		s->healthy = (enum shard_healthy)number_of(a->healthy,
		    healthy_names, 3);
		s->given |= GIVEN_HEALTHY;
	}
	return true;
}

struct shard_asks
shard_asks_over(struct shard_asks over, struct shard_asks under)
{
	struct shard_asks s = under;

	if (over.given & GIVEN_BY) {
		s.by = over.by;
		s.key = over.key;
	}
	if (over.given & GIVEN_ALT)
		s.alt = over.alt;
	if (over.given & GIVEN_WARMUP)
		s.warmup = over.warmup;
	if (over.given & GIVEN_RAMPUP)
		s.rampup = over.rampup;
	if (over.given & GIVEN_HEALTHY)
		s.healthy = over.healthy;
	s.given |= over.given;
	return s;
}

struct vmod_directors_shard_param *
shard_param_of_blob(struct vcl_ctx *ctx, VCL_BLOB b)
{
	struct vmod_directors_shard_param *p;

	/* its bytes are the object's address, twice: in p, and there */
	if (b.p != NULL && b.len == sizeof *p) {
		memcpy(&p, b.p, sizeof p);
		if (p == b.p)
			return p;
	}
	vrt_failf(ctx, "shard: param is not what shard_param.use() gave");
	return NULL;
}

/* What was set in this task; NULL: nothing */
static struct shard_asks *
of_task(struct vcl_ctx *ctx, const struct vmod_directors_shard_param *p,
    bool make)
{
	struct vmod_priv *priv;

	if (ctx == NULL || vrt_sub(ctx) == VCL_SUB_INIT ||
	    vrt_sub(ctx) == VCL_SUB_FINI)
		return NULL;
	priv = vrt_priv_task(ctx, p);
	if (priv != NULL && priv->p == NULL && make) {
		priv->p = vrt_alloc(ctx, sizeof(struct shard_asks));
		if (priv->p != NULL)
			*(struct shard_asks *)priv->p =
			    (struct shard_asks){0};
	}
	return priv != NULL ? priv->p : NULL;
}

struct shard_asks
shard_param_asks(struct vcl_ctx *ctx, struct vmod_directors_shard_param *p)
{
	const struct shard_asks *mine = of_task(ctx, p, false);

	return mine != NULL ? shard_asks_over(*mine, p->asks) : p->asks;
}

void
vmod_directors_shard_param__init(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param **o, const char *name)
{
	(void)name;
	*o = calloc(1, sizeof **o);
	if (*o == NULL) {
		vrt_failf(ctx, "directors: out of memory");
		return;
	}
	(*o)->self = *o;
	(*o)->asks = shard_defaults;
}

void
vmod_directors_shard_param__fini(struct vmod_directors_shard_param **o)
{
	free(*o);
	*o = NULL;
}

void
vmod_directors_shard_param_clear(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	struct shard_asks *mine = of_task(ctx, o, false);

	if (mine != NULL)
		*mine = (struct shard_asks){0};
	else if (vrt_sub(ctx) == VCL_SUB_INIT)
		o->asks = shard_defaults;
}

void
vmod_directors_shard_param_set(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o, bool has_by, VCL_ENUM by,
    bool has_key, VCL_INT key, bool has_key_blob, VCL_BLOB key_blob,
    bool has_alt, VCL_INT alt, bool has_warmup, VCL_REAL warmup,
    bool has_rampup, VCL_BOOL rampup, bool has_healthy, VCL_ENUM healthy)
{
	struct shard_arguments a = {has_by, has_key, has_key_blob, has_alt,
	    has_warmup, has_rampup, has_healthy, by, healthy, key, alt,
	    key_blob, warmup, rampup};
	struct shard_asks asks, *mine;

	if (!shard_asks_from(ctx, "shard_param.set()", &a, &asks))
		return;
	mine = vrt_sub(ctx) == VCL_SUB_INIT ? &o->asks :
	    of_task(ctx, o, true);
	if (mine != NULL)
		*mine = shard_asks_over(asks, *mine);
}

VCL_STRING
vmod_directors_shard_param_get_by(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	return str_from_z(by_names[shard_param_asks(ctx, o).by]);
}

VCL_INT
vmod_directors_shard_param_get_key(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	struct shard_asks asks = shard_param_asks(ctx, o);
	bool is_request = vrt_sub(ctx) != VCL_SUB_INIT &&
	    vrt_sub(ctx) != VCL_SUB_FINI;

	return is_request ? shard_asks_key(ctx, &asks) : asks.key;
}

VCL_INT
vmod_directors_shard_param_get_alt(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	return shard_param_asks(ctx, o).alt;
}

VCL_REAL
vmod_directors_shard_param_get_warmup(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	return shard_param_asks(ctx, o).warmup;
}

VCL_BOOL
vmod_directors_shard_param_get_rampup(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	return shard_param_asks(ctx, o).rampup;
}

VCL_STRING
vmod_directors_shard_param_get_healthy(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	return str_from_z(healthy_names[shard_param_asks(ctx, o).healthy]);
}

VCL_BLOB
vmod_directors_shard_param_use(struct vcl_ctx *ctx,
    struct vmod_directors_shard_param *o)
{
	(void)ctx;
	return (VCL_BLOB){o, sizeof *o};
}
