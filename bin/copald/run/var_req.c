/*
 * var_req.c - req.* and req_top.*: the client's request.
 *
 * A request is made by a client, never by another one (an ESI include), so
 * req_top is req.
 */
#include "program.h"
#include "request.h"
#include "stevedore.h"
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

VCL_BOOL
vrt_r_req_can_gzip(struct vcl_ctx *ctx)
{
	struct str list = http_get(ctx->http[VCL_HTTP_REQ],
	    FIELD_ACCEPT_ENCODING);
	struct str item, name, weight;

	while (str_next_item(&list, &item)) {
		const char *semi = memchr(item.p, ';', item.len);

		name = str_trim(str_of(item.p,
		    semi != NULL ? (size_t)(semi - item.p) : item.len));
		if (!str_caseeq(name, STR("gzip")) &&
		    !str_caseeq(name, STR("x-gzip")))
			continue;
		if (semi == NULL)
			return true;
		/* ";q=0" refuses it (RFC 9110 12.4.2) */
		weight = str_trim(str_of(semi + 1,
		    item.p + item.len - (semi + 1)));
		if (!str_casestarts(weight, STR("q=")))
			return true;
		for (size_t i = 2; i < weight.len; i++)
			if (weight.p[i] >= '1' && weight.p[i] <= '9')
				return true;
	}
	return false;
}

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
REQ_BOOL(esi, esi)
REQ_BOOL(hash_always_miss, hash_always_miss)
REQ_BOOL(hash_ignore_busy, hash_ignore_busy)
REQ_BOOL(hash_ignore_vary, hash_ignore_vary)
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

VCL_INT
vrt_r_req_esi_level(struct vcl_ctx *ctx)
{
	return ctx->req->esi_level;
}

VCL_BLOB
vrt_r_req_hash(struct vcl_ctx *ctx)
{
	return (VCL_BLOB){ctx->req->key.hash, sizeof ctx->req->key.hash};
}

VCL_BOOL
vrt_r_req_is_hitmiss(struct vcl_ctx *ctx)
{
	return ctx->req->is_hitmiss;
}

VCL_BOOL
vrt_r_req_is_hitpass(struct vcl_ctx *ctx)
{
	return ctx->req->is_hitpass;
}

VCL_STRING
vrt_r_req_method(struct vcl_ctx *ctx)
{
	return ctx->http[VCL_HTTP_REQ]->method;
}

void
vrt_w_req_method(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_method(ctx, VCL_HTTP_REQ, s);
}

VCL_STRING
vrt_r_req_proto(struct vcl_ctx *ctx)
{
	return vcl_proto(ctx->http[VCL_HTTP_REQ]);
}

void
vrt_w_req_proto(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_proto(ctx, VCL_HTTP_REQ, s);
}

VCL_INT
vrt_r_req_restarts(struct vcl_ctx *ctx)
{
	return ctx->req->restarts;
}

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

VCL_TIME
vrt_r_req_time(struct vcl_ctx *ctx)
{
	return ctx->req->t_start;
}

VCL_STRING
vrt_r_req_transport(struct vcl_ctx *ctx)
{
	return ctx->http[VCL_HTTP_REQ]->version >= 20 ? STR("HTTP/2")
						      : STR("HTTP/1");
}

VCL_STRING
vrt_r_req_url(struct vcl_ctx *ctx)
{
	return ctx->http[VCL_HTTP_REQ]->target;
}

void
vrt_w_req_url(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_url(ctx, VCL_HTTP_REQ, s);
}

VCL_STRING
vrt_r_req_xid(struct vcl_ctx *ctx)
{
	return vrt_int_string(ctx, (int64_t)ctx->req->xid);
}

VCL_STRING
vrt_r_req_top_method(struct vcl_ctx *ctx)
{
	return vrt_r_req_method(ctx);
}

VCL_STRING
vrt_r_req_top_proto(struct vcl_ctx *ctx)
{
	return vrt_r_req_proto(ctx);
}

VCL_TIME
vrt_r_req_top_time(struct vcl_ctx *ctx)
{
	return vrt_r_req_time(ctx);
}

VCL_STRING
vrt_r_req_top_url(struct vcl_ctx *ctx)
{
	return vrt_r_req_url(ctx);
}
