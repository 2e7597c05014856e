/*
 * var_object.c - obj.*, obj_stale.* and resp.*: what is stored, what is sent.
 */
#include "fetch.h"
#include "filters.h"
#include "request.h"
#include "stevedore.h"
#include "var_read.h"
#include "vrt_head.h"

/* ---- obj: there is one in vcl_hit, and mostly in vcl_deliver ---- */

static const struct object *
obj_of(const struct vcl_ctx *ctx)
{
	return ctx->req->obj;
}

static double
load(const _Atomic double *d)
{
	return atomic_load_explicit((_Atomic double *)d, memory_order_relaxed);
}

static VCL_DURATION
age_of(const struct vcl_ctx *ctx, const struct object *o)
{
	return o != NULL ? object_age(o, ctx->now) : 0;
}

static VCL_DURATION
ttl_of(const struct vcl_ctx *ctx, const struct object *o)
{
	return o != NULL ? object_ttl_left(o, ctx->now) : 0;
}

static VCL_DURATION
grace_of(const struct object *o)
{
	return o != NULL ? load(&o->grace) : 0;
}

static VCL_DURATION
keep_of(const struct object *o)
{
	return o != NULL ? load(&o->keep) : 0;
}

static VCL_TIME
time_of(const struct vcl_ctx *ctx, const struct object *o)
{
	return o != NULL ? load(&o->t_origin) : ctx->now;
}

static VCL_INT
hits_of(const struct object *o)
{
	return o != NULL ? (VCL_INT)atomic_load_explicit(
	    (_Atomic uint64_t *)&o->hits, memory_order_relaxed) : 0;
}

static bool
can_esi(const struct object *o)
{
	return o != NULL && object_is(o, OBJ_ESI);
}

static bool
is_uncacheable(const struct object *o)
{
	return o != NULL &&
	    object_is(o, OBJ_UNCACHEABLE | OBJ_HITMISS | OBJ_HITPASS);
}

/* What is not kept takes memory for a while, whichever store was meant. */
static VCL_STEVEDORE
storage_of(const struct object *o)
{
	if (o == NULL)
		return NULL;
	return (VCL_STEVEDORE)(const void *)(object_is(o, OBJ_PRIVATE) ?
	    stevedore_transient() : o->stevedore);
}

static VCL_STRING
tags_of(const struct object *o)
{
	return o != NULL ? o->tags : STR_NULL;
}

static VCL_STRING
reason_of(const struct http *h)
{
	return h != NULL ? h->reason : STR_NULL;
}

static VCL_INT
status_of(const struct http *h)
{
	return h != NULL ? h->status : 0;
}

VAR_READ(DURATION, obj_age, age_of(ctx, obj_of(ctx)))
VAR_READ(BOOL, obj_can_esi, can_esi(obj_of(ctx)))
VAR_READ(DURATION, obj_grace, grace_of(obj_of(ctx)))
VAR_READ(INT, obj_hits, ctx->req->is_hit ? hits_of(obj_of(ctx)) : 0)
VAR_READ(DURATION, obj_keep, keep_of(obj_of(ctx)))
VAR_READ(STRING, obj_proto, vcl_proto(ctx->http[VCL_HTTP_OBJ]))
VAR_READ(STRING, obj_reason, reason_of(ctx->http[VCL_HTTP_OBJ]))
VAR_READ(INT, obj_status, status_of(ctx->http[VCL_HTTP_OBJ]))
VAR_READ(STEVEDORE, obj_storage, storage_of(obj_of(ctx)))
VAR_READ(STRING, obj_tags, tags_of(obj_of(ctx)))
VAR_READ(TIME, obj_time, time_of(ctx, obj_of(ctx)))
VAR_READ(DURATION, obj_ttl, ttl_of(ctx, obj_of(ctx)))
VAR_READ(BOOL, obj_uncacheable, is_uncacheable(obj_of(ctx)))

/* ---- obj_stale: in vcl_backend_refresh ---- */

VAR_READ(DURATION, obj_stale_age, age_of(ctx, ctx->fetch->stale))
VAR_READ(BOOL, obj_stale_can_esi, can_esi(ctx->fetch->stale))
VAR_READ(DURATION, obj_stale_grace, grace_of(ctx->fetch->stale))
VAR_READ(INT, obj_stale_hits, hits_of(ctx->fetch->stale))

VCL_BOOL
vrt_r_obj_stale_is_valid(struct vcl_ctx *ctx)
{
	struct fetch *f = ctx->fetch;

	return f->stale != NULL && !object_is(f->stale, OBJ_DYING) &&
	       !atomic_load(&f->purged);
}

VAR_READ(DURATION, obj_stale_keep, keep_of(ctx->fetch->stale))
VAR_READ(STRING, obj_stale_proto, vcl_proto(ctx->http[VCL_HTTP_OBJ_STALE]))
VAR_READ(STRING, obj_stale_reason, reason_of(ctx->http[VCL_HTTP_OBJ_STALE]))
VAR_READ(INT, obj_stale_status, status_of(ctx->http[VCL_HTTP_OBJ_STALE]))
VAR_READ(STEVEDORE, obj_stale_storage, storage_of(ctx->fetch->stale))
VAR_READ(TIME, obj_stale_time, time_of(ctx, ctx->fetch->stale))
VAR_READ(DURATION, obj_stale_ttl, ttl_of(ctx, ctx->fetch->stale))
VAR_READ(BOOL, obj_stale_uncacheable, is_uncacheable(ctx->fetch->stale))

/* ---- resp ---- */

void
vrt_w_resp_body(struct vcl_ctx *ctx, bool append, VCL_STRING s)
{
	if (!append)
		ctx->body.len = 0;
	vcl_buf_append(ctx, &ctx->body, s, "resp.body");
}

VAR_READ(BOOL, resp_do_esi, ctx->req->do_esi)

void
vrt_w_resp_do_esi(struct vcl_ctx *ctx, VCL_BOOL b)
{
	if (ctx->filters.p != NULL)
		vcl_fail(ctx, "resp.do_esi can't be set after resp.filters");
	else
		ctx->req->do_esi = b;
}

VAR_READ(STRING, resp_filters, filters_of_delivery(ctx->req))

void
vrt_w_resp_filters(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_filters(ctx, VCL_HTTP_RESP, s);
}

VAR_READ(BOOL, resp_esi_include_onerror, ctx->req->esi_include_onerror)

void
vrt_w_resp_esi_include_onerror(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->req->esi_include_onerror = b;
}

VAR_READ(STEVEDORE, resp_storage, ctx->req->resp_storage)

void
vrt_w_resp_storage(struct vcl_ctx *ctx, VCL_STEVEDORE s)
{
	ctx->req->resp_storage = s;
}

VCL_BOOL
vrt_r_resp_is_streaming(struct vcl_ctx *ctx)
{
	const struct object *o = obj_of(ctx);

	return o != NULL && atomic_load_explicit((_Atomic int *)&o->body.state,
	    memory_order_acquire) == BODY_GROWING;
}

VAR_READ(STRING, resp_proto, vcl_proto(ctx->http[VCL_HTTP_RESP]))

void
vrt_w_resp_proto(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_proto(ctx, VCL_HTTP_RESP, s);
}

VAR_READ(STRING, resp_reason, ctx->http[VCL_HTTP_RESP]->reason)

void
vrt_w_resp_reason(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_reason(ctx, VCL_HTTP_RESP, s);
}

VAR_READ(INT, resp_status, ctx->http[VCL_HTTP_RESP]->status)

void
vrt_w_resp_status(struct vcl_ctx *ctx, VCL_INT status)
{
	vcl_set_status(ctx, VCL_HTTP_RESP, status);
}

VAR_READ(TIME, resp_time, ctx->now)
