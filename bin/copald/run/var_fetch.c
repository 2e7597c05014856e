/*
 * var_fetch.c - bereq.* and beresp.*: the request to the origin, its answer.
 *
 * bereq exists in vcl_pipe too, where there is no fetch: what VCL sets there
 * goes to the request.
 */
#include "backend.h"
#include "fetch.h"
#include "fetch_head.h"
#include "filters.h"
#include "params.h"
#include "program.h"
#include "stevedore.h"
#include "vrt_head.h"

/* ---- bereq ---- */

VCL_BACKEND
vrt_r_bereq_backend(struct vcl_ctx *ctx)
{
	struct backend *b = ctx->fetch != NULL ? ctx->fetch->backend
					       : ctx->req->backend_hint;

	return b != NULL ? b : program_default_backend(ctx->program);
}

void
vrt_w_bereq_backend(struct vcl_ctx *ctx, VCL_BACKEND b)
{
	if (ctx->fetch != NULL)
		ctx->fetch->backend = b;
	else
		ctx->req->backend_hint = b;
}

/* VCL's value, else the backend's, else the parameter's. */
static double
timeout(double mine, double backends, double parameter)
{
	return mine >= 0 ? mine : backends >= 0 ? backends : parameter;
}

static double *
connect_timeout(struct vcl_ctx *ctx)
{
	return ctx->fetch != NULL ? &ctx->fetch->connect_timeout
				  : &ctx->connect_timeout;
}

#define BEREQ_TIMEOUT(name, where)                                            \
	VCL_DURATION                                                          \
	vrt_r_bereq_##name(struct vcl_ctx *ctx)                               \
	{                                                                     \
		const struct backend *b = vrt_r_bereq_backend(ctx);           \
									      \
		return timeout(*(where), b != NULL ? b->name : -1,            \
		    params->name);                                            \
	}                                                                     \
	void                                                                  \
	vrt_w_bereq_##name(struct vcl_ctx *ctx, VCL_DURATION d)               \
	{                                                                     \
		*(where) = d > 0 ? d : 0;                                     \
	}                                                                     \
	void                                                                  \
	vrt_u_bereq_##name(struct vcl_ctx *ctx)                               \
	{                                                                     \
		*(where) = -1;                                                \
	}
BEREQ_TIMEOUT(connect_timeout, connect_timeout(ctx))
BEREQ_TIMEOUT(first_byte_timeout, &ctx->fetch->first_byte_timeout)
BEREQ_TIMEOUT(between_bytes_timeout, &ctx->fetch->between_bytes_timeout)

/* No body, so no framing of one either. */
void
vrt_u_bereq_body(struct vcl_ctx *ctx)
{
	static const struct vcl_header framing[] = {
		{{"Content-Length", 14}, FIELD_CONTENT_LENGTH},
		{{"Transfer-Encoding", 17}, FIELD_TRANSFER_ENCODING},
	};

	ctx->unset_body = true;
	ctx->fetch->has_body = false;
	for (unsigned i = 0; i < 2; i++)
		vrt_hdr_unset(ctx, VCL_HTTP_BEREQ, &framing[i]);
}

VCL_BLOB
vrt_r_bereq_hash(struct vcl_ctx *ctx)
{
	const struct key *k = ctx->fetch != NULL ? &ctx->fetch->key
						 : &ctx->req->key;

	return (VCL_BLOB){k->hash, sizeof k->hash};
}

VCL_BOOL
vrt_r_bereq_is_bgfetch(struct vcl_ctx *ctx)
{
	return ctx->fetch->is_bgfetch;
}

VCL_BOOL
vrt_r_bereq_is_hitmiss(struct vcl_ctx *ctx)
{
	return ctx->fetch->is_hitmiss;
}

VCL_BOOL
vrt_r_bereq_is_hitpass(struct vcl_ctx *ctx)
{
	return ctx->fetch->is_hitpass;
}

VCL_STRING
vrt_r_bereq_method(struct vcl_ctx *ctx)
{
	return ctx->http[VCL_HTTP_BEREQ]->method;
}

void
vrt_w_bereq_method(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_method(ctx, VCL_HTTP_BEREQ, s);
}

VCL_STRING
vrt_r_bereq_proto(struct vcl_ctx *ctx)
{
	return vcl_proto(ctx->http[VCL_HTTP_BEREQ]);
}

void
vrt_w_bereq_proto(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_proto(ctx, VCL_HTTP_BEREQ, s);
}

VCL_INT
vrt_r_bereq_retries(struct vcl_ctx *ctx)
{
	return ctx->fetch->retries;
}

VCL_BOOL
vrt_r_bereq_retry_connect(struct vcl_ctx *ctx)
{
	return !ctx->fetch->send_once;
}

void
vrt_w_bereq_retry_connect(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->send_once = !b;
}

VCL_DURATION
vrt_r_bereq_task_deadline(struct vcl_ctx *ctx)
{
	return ctx->task_deadline >= 0 ? ctx->task_deadline
				       : params->pipe_task_deadline;
}

void
vrt_w_bereq_task_deadline(struct vcl_ctx *ctx, VCL_DURATION d)
{
	ctx->task_deadline = d > 0 ? d : 0;
}

void
vrt_u_bereq_task_deadline(struct vcl_ctx *ctx)
{
	ctx->task_deadline = -1;
}

VCL_TIME
vrt_r_bereq_time(struct vcl_ctx *ctx)
{
	return ctx->fetch != NULL ? ctx->fetch->t_start : ctx->req->t_start;
}

VCL_BOOL
vrt_r_bereq_trace(struct vcl_ctx *ctx)
{
	return ctx->fetch->trace;
}

void
vrt_w_bereq_trace(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->trace = b;
}

VCL_BOOL
vrt_r_bereq_uncacheable(struct vcl_ctx *ctx)
{
	return ctx->fetch->is_pass;
}

VCL_STRING
vrt_r_bereq_url(struct vcl_ctx *ctx)
{
	return ctx->http[VCL_HTTP_BEREQ]->target;
}

void
vrt_w_bereq_url(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_url(ctx, VCL_HTTP_BEREQ, s);
}

VCL_INT
vrt_r_bereq_xid(struct vcl_ctx *ctx)
{
	return (VCL_INT)(ctx->fetch != NULL ? ctx->fetch->xid
					    : ctx->req->xid);
}

/* ---- beresp ---- */

/* How much of the ttl is over: ttl counts from t_origin, VCL's from now. */
static double
age(const struct vcl_ctx *ctx)
{
	double d = ctx->now - ctx->fetch->t_origin;

	return d > 0 ? d : 0;
}

VCL_DURATION
vrt_r_beresp_age(struct vcl_ctx *ctx)
{
	return age(ctx);
}

VCL_BACKEND
vrt_r_beresp_backend(struct vcl_ctx *ctx)
{
	return ctx->fetch->origin;
}

VCL_IP
vrt_r_beresp_backend_ip(struct vcl_ctx *ctx)
{
	return ctx->fetch->remote;
}

VCL_STRING
vrt_r_beresp_backend_name(struct vcl_ctx *ctx)
{
	return vrt_backend_string(ctx->fetch->origin);
}

void
vrt_w_beresp_body(struct vcl_ctx *ctx, bool append, VCL_STRING s)
{
	if (!append)
		ctx->body.len = 0;
	vcl_buf_append(ctx, &ctx->body, s, "beresp.body");
}

/* What may be switched until the list of filters was set. */
#define BERESP_FILTER(name)                                                   \
	VCL_BOOL                                                              \
	vrt_r_beresp_##name(struct vcl_ctx *ctx)                              \
	{                                                                     \
		return ctx->fetch->name;                                      \
	}                                                                     \
	void                                                                  \
	vrt_w_beresp_##name(struct vcl_ctx *ctx, VCL_BOOL b)                  \
	{                                                                     \
		if (ctx->filters.p != NULL)                                   \
			vcl_fail(ctx, "beresp." #name " can't be set after "  \
			    "beresp.filters");                                \
		else                                                          \
			ctx->fetch->name = b;                                 \
	}
BERESP_FILTER(do_esi)
BERESP_FILTER(do_gunzip)
BERESP_FILTER(do_gzip)
BERESP_FILTER(esi_disable_xml_check)
BERESP_FILTER(esi_ignore_https)
BERESP_FILTER(esi_ignore_other_elements)
BERESP_FILTER(esi_remove_bom)

VCL_BOOL
vrt_r_beresp_do_encode(struct vcl_ctx *ctx)
{
	return ctx->fetch->do_encode;
}

void
vrt_w_beresp_do_encode(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->do_encode = b;
}

VCL_BOOL
vrt_r_beresp_do_stream(struct vcl_ctx *ctx)
{
	return ctx->fetch->do_stream;
}

void
vrt_w_beresp_do_stream(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->do_stream = b;
}

VCL_STRING
vrt_r_beresp_filters(struct vcl_ctx *ctx)
{
	return filters_of_fetch(ctx->fetch);
}

void
vrt_w_beresp_filters(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_filters(ctx, VCL_HTTP_BERESP, s);
}

static void
log_times(struct vcl_ctx *ctx)
{
	const struct fetch *f = ctx->fetch;

	if (ctx->log != NULL)
		log_ttl(ctx->log, "VCL", &(struct log_ttl){.ttl = f->ttl,
		    .grace = f->grace, .keep = f->keep,
		    .reference = f->t_origin, .age = f->age,
		    .cacheable = !f->uncacheable});
}

VCL_DURATION
vrt_r_beresp_ttl(struct vcl_ctx *ctx)
{
	return ctx->fetch->ttl - age(ctx);
}

void
vrt_w_beresp_ttl(struct vcl_ctx *ctx, VCL_DURATION d)
{
	ctx->fetch->ttl = (d > 0 ? d : 0) + age(ctx);
	/* how long it is good is policy's word now, and so is its grace */
	ctx->fetch->ask_first = false;
	log_times(ctx);
}

#define BERESP_DURATION(name)                                                 \
	VCL_DURATION                                                          \
	vrt_r_beresp_##name(struct vcl_ctx *ctx)                              \
	{                                                                     \
		return ctx->fetch->name;                                      \
	}                                                                     \
	void                                                                  \
	vrt_w_beresp_##name(struct vcl_ctx *ctx, VCL_DURATION d)              \
	{                                                                     \
		ctx->fetch->name = d > 0 ? d : 0;                             \
		log_times(ctx);                                               \
	}
BERESP_DURATION(keep)

VCL_DURATION
vrt_r_beresp_grace(struct vcl_ctx *ctx)
{
	return ctx->fetch->grace;
}

void
vrt_w_beresp_grace(struct vcl_ctx *ctx, VCL_DURATION d)
{
	ctx->fetch->grace = d > 0 ? d : 0;
	ctx->fetch->ask_first = false;
	log_times(ctx);
}

VCL_BOOL
vrt_r_beresp_ask_first(struct vcl_ctx *ctx)
{
	return ctx->fetch->ask_first;
}

void
vrt_w_beresp_ask_first(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->ask_first = b;
}

VCL_BOOL
vrt_r_beresp_grants_stale(struct vcl_ctx *ctx)
{
	return ctx->fetch->grants_stale;
}

VCL_BOOL
vrt_r_beresp_no_cache(struct vcl_ctx *ctx)
{
	return fetch_is_no_cache(ctx->fetch);
}

VCL_BOOL
vrt_r_beresp_storable(struct vcl_ctx *ctx)
{
	return fetch_is_storable(ctx->fetch);
}

VCL_STRING
vrt_r_beresp_proto(struct vcl_ctx *ctx)
{
	return vcl_proto(ctx->http[VCL_HTTP_BERESP]);
}

void
vrt_w_beresp_proto(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_proto(ctx, VCL_HTTP_BERESP, s);
}

VCL_STRING
vrt_r_beresp_reason(struct vcl_ctx *ctx)
{
	return ctx->http[VCL_HTTP_BERESP]->reason;
}

void
vrt_w_beresp_reason(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_reason(ctx, VCL_HTTP_BERESP, s);
}

VCL_INT
vrt_r_beresp_status(struct vcl_ctx *ctx)
{
	return ctx->http[VCL_HTTP_BERESP]->status;
}

void
vrt_w_beresp_status(struct vcl_ctx *ctx, VCL_INT status)
{
	vcl_set_status(ctx, VCL_HTTP_BERESP, status);
}

VCL_STEVEDORE
vrt_r_beresp_storage(struct vcl_ctx *ctx)
{
	if (ctx->fetch->storage != NULL)
		return ctx->fetch->storage;
	return (VCL_STEVEDORE)(const void *)stevedore_at(0);
}

void
vrt_w_beresp_storage(struct vcl_ctx *ctx, VCL_STEVEDORE s)
{
	if (s != NULL)
		ctx->fetch->storage = s;
}

VCL_STRING
vrt_r_beresp_storage_hint(struct vcl_ctx *ctx)
{
	return vrt_stevedore_string(vrt_r_beresp_storage(ctx));
}

/* A hint: a name that no store has changes nothing. */
void
vrt_w_beresp_storage_hint(struct vcl_ctx *ctx, VCL_STRING s)
{
	vrt_w_beresp_storage(ctx,
	    (VCL_STEVEDORE)(const void *)stevedore_by_name(s));
}

VCL_STRING
vrt_r_beresp_tags(struct vcl_ctx *ctx)
{
	return ctx->fetch->tags;
}

void
vrt_w_beresp_tags(struct vcl_ctx *ctx, VCL_STRING s)
{
	ctx->fetch->tags = vcl_keep(ctx, s, "beresp.tags");
}

VCL_TIME
vrt_r_beresp_time(struct vcl_ctx *ctx)
{
	return ctx->fetch->t_last;
}

VCL_BYTES
vrt_r_beresp_transit_buffer(struct vcl_ctx *ctx)
{
	return ctx->transit_buffer >= 0 ? ctx->transit_buffer
	    : (VCL_BYTES)params->fetch_window;
}

void
vrt_w_beresp_transit_buffer(struct vcl_ctx *ctx, VCL_BYTES n)
{
	if (n < 0)
		vcl_fail(ctx, "beresp.transit_buffer can't be negative");
	else
		ctx->transit_buffer = n;
}

VCL_BOOL
vrt_r_beresp_uncacheable(struct vcl_ctx *ctx)
{
	return ctx->fetch->uncacheable;
}

void
vrt_w_beresp_uncacheable(struct vcl_ctx *ctx, VCL_BOOL b)
{
	if (!b && ctx->fetch->uncacheable) {
		if (ctx->log != NULL)
			log_put(ctx->log, LOG_VCL_ERROR, STR("Ignoring "
			    "attempt to reset beresp.uncacheable"));
		return;
	}
	ctx->fetch->uncacheable = b;
}

VCL_BOOL
vrt_r_beresp_was_304(struct vcl_ctx *ctx)
{
	return ctx->fetch->was_304;
}
