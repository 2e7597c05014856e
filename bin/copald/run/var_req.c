/*
 * var_req.c - req.* and req_top.*: the request, and the client's one that it
 * is an ESI include of, if it is.
 */
#include "coding.h"
#include "program.h"
#include "request.h"
#include "stevedore.h"
#include "var_read.h"
#include "vrt_head.h"

VCL_BACKEND
vrt_r_req_backend_hint(struct vcl_ctx *ctx)
{
	if (ctx->req->backend_hint != NULL)
		return ctx->req->backend_hint;
	return program_default_backend(ctx->program);
}

void
vrt_w_req_backend_hint(struct vcl_ctx *ctx, VCL_BACKEND b)
{
	ctx->req->backend_hint = b;
}

VAR_READ(BOOL, req_can_gzip,
    accepts_coding(ctx->http[VCL_HTTP_REQ], CODING_GZIP))

#define REQ_BOOL(name, member)                                                \
	VCL_BOOL                                                              \
	vrt_r_req_##name(struct vcl_ctx *ctx)                                 \
	{                                                                     \
		return ctx->req->member;                                      \
	}                                                                     \
	void                                                                  \
	vrt_w_req_##name(struct vcl_ctx *ctx, VCL_BOOL b)                     \
	{                                                                     \
		ctx->req->member = b;                                         \
	}
REQ_BOOL(hash_always_miss, hash_always_miss)
REQ_BOOL(hash_ignore_busy, hash_ignore_busy)
REQ_BOOL(hash_ignore_vary, hash_ignore_vary)
REQ_BOOL(only_shared, only_shared)
REQ_BOOL(trace, trace)

/* An upper limit; -1 is none. */
#define REQ_LIMIT(name, member)                                               \
	VCL_DURATION                                                          \
	vrt_r_req_##name(struct vcl_ctx *ctx)                                 \
	{                                                                     \
		return ctx->req->member;                                      \
	}                                                                     \
	void                                                                  \
	vrt_w_req_##name(struct vcl_ctx *ctx, VCL_DURATION d)                 \
	{                                                                     \
		ctx->req->member = d > 0 ? d : 0;                             \
	}                                                                     \
	void                                                                  \
	vrt_u_req_##name(struct vcl_ctx *ctx)                                 \
	{                                                                     \
		ctx->req->member = -1;                                        \
	}
REQ_LIMIT(grace, grace_limit)
REQ_LIMIT(ttl, ttl_limit)

VAR_READ(BOOL, req_esi, ctx->req->esi)

/*
 * In vcl_deliver it was looked at before.  As in Varnish it is the page's, and
 * what its includes set has no effect.
 */
void
vrt_w_req_esi(struct vcl_ctx *ctx, VCL_BOOL b)
{
	struct request *req = ctx->req;

	if (req->esi_level > 0)
		return;
	req->esi = b;
	req->do_esi = b && req->obj != NULL && object_is(req->obj, OBJ_ESI);
}

VAR_READ(INT, req_esi_level, ctx->req->esi_level)

VCL_BLOB
vrt_r_req_hash(struct vcl_ctx *ctx)
{
	return vcl_key_hash(ctx, &ctx->req->key);
}

VAR_READ(BOOL, req_is_hitmiss, ctx->req->is_hitmiss)
VAR_READ(BOOL, req_is_hitpass, ctx->req->is_hitpass)
VAR_READ(STRING, req_method, ctx->http[VCL_HTTP_REQ]->method)

void
vrt_w_req_method(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_method(ctx, VCL_HTTP_REQ, s);
}

VAR_READ(STRING, req_proto, vcl_proto(ctx->http[VCL_HTTP_REQ]))

void
vrt_w_req_proto(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_proto(ctx, VCL_HTTP_REQ, s);
}

VAR_READ(INT, req_restarts, ctx->req->restarts)

VCL_STEVEDORE
vrt_r_req_storage(struct vcl_ctx *ctx)
{
	if (ctx->req->storage != NULL)
		return ctx->req->storage;
	return (VCL_STEVEDORE)(const void *)stevedore_at(0);
}

void
vrt_w_req_storage(struct vcl_ctx *ctx, VCL_STEVEDORE s)
{
	if (s != NULL)
		ctx->req->storage = s;
}

VAR_READ(TIME, req_time, ctx->req->t_received)
VAR_READ(STRING, req_transport,
    ctx->http[VCL_HTTP_REQ]->version >= 20 ? STR("HTTP/2") : STR("HTTP/1"))
VAR_READ(STRING, req_url, ctx->http[VCL_HTTP_REQ]->target)

void
vrt_w_req_url(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_url(ctx, VCL_HTTP_REQ, s);
}

VAR_READ(INT, req_xid, (VCL_INT)ctx->req->xid)

/* ---- req_top ---- */

static const struct request *
top_of(const struct vcl_ctx *ctx)
{
	return ctx->req->top;
}

VAR_READ(STRING, req_top_method, top_of(ctx)->http.method)
VAR_READ(STRING, req_top_proto, vcl_proto(&top_of(ctx)->http))
VAR_READ(TIME, req_top_time, top_of(ctx)->t_received)
VAR_READ(STRING, req_top_url, top_of(ctx)->http.target)

/* ---- req0 ---- */

VAR_READ(STRING, req0_method, ctx->http[VCL_HTTP_REQ0]->method)
VAR_READ(STRING, req0_proto, vcl_proto(ctx->http[VCL_HTTP_REQ0]))
VAR_READ(STRING, req0_url, ctx->http[VCL_HTTP_REQ0]->target)

/* ---- filters of bodies that go up ---- */

/* There are none, so that none is the only list that can be set. */
static void
set_no_filters(struct vcl_ctx *ctx, const char *name, struct str s)
{
	if (str_trim(s).len != 0)
		vcl_fail(ctx, "%s: there is no filter \"%.*s\"", name,
		    STR_ARG(s));
}

VCL_STRING
vrt_r_req_filters(struct vcl_ctx *ctx)
{
	(void)ctx;
	return STR("");
}

void
vrt_w_req_filters(struct vcl_ctx *ctx, VCL_STRING s)
{
	set_no_filters(ctx, "req.filters", s);
}

VCL_STRING
vrt_r_bereq_filters(struct vcl_ctx *ctx)
{
	(void)ctx;
	return STR("");
}

void
vrt_w_bereq_filters(struct vcl_ctx *ctx, VCL_STRING s)
{
	set_no_filters(ctx, "bereq.filters", s);
}
