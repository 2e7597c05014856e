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
#include "var_read.h"
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
	return vcl_key_hash(ctx, ctx->fetch != NULL ? &ctx->fetch->key :
	    &ctx->req->key);
}

VAR_READ(BOOL, bereq_is_bgfetch, ctx->fetch->is_bgfetch)
VAR_READ(BOOL, bereq_is_hitmiss, ctx->fetch->is_hitmiss)
VAR_READ(BOOL, bereq_is_hitpass, ctx->fetch->is_hitpass)
VAR_READ(STRING, bereq_method, ctx->http[VCL_HTTP_BEREQ]->method)

void
vrt_w_bereq_method(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_method(ctx, VCL_HTTP_BEREQ, s);
}

VAR_READ(STRING, bereq_proto, vcl_proto(ctx->http[VCL_HTTP_BEREQ]))

void
vrt_w_bereq_proto(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_proto(ctx, VCL_HTTP_BEREQ, s);
}

VAR_READ(INT, bereq_retries, ctx->fetch->retries)
VAR_READ(BOOL, bereq_retry_connect, !ctx->fetch->send_once)

void
vrt_w_bereq_retry_connect(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->send_once = !b;
}

VAR_READ(DURATION, bereq_task_deadline,
    ctx->task_deadline >= 0 ? ctx->task_deadline : params->pipe_task_deadline)

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

VAR_READ(TIME, bereq_time,
    ctx->fetch != NULL ? ctx->fetch->t_start : ctx->req->t_start)
VAR_READ(BOOL, bereq_trace, ctx->fetch->trace)

void
vrt_w_bereq_trace(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->trace = b;
}

VAR_READ(BOOL, bereq_uncacheable, ctx->fetch->is_pass)
VAR_READ(STRING, bereq_url, ctx->http[VCL_HTTP_BEREQ]->target)

void
vrt_w_bereq_url(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_url(ctx, VCL_HTTP_BEREQ, s);
}

VAR_READ(INT, bereq_xid,
    (VCL_INT)(ctx->fetch != NULL ? ctx->fetch->xid : ctx->req->xid))

/* ---- beresp ---- */

/* How much of the ttl is over: ttl counts from t_origin, VCL's from now. */
static double
age(const struct vcl_ctx *ctx)
{
	double d = ctx->now - ctx->fetch->t_origin;

	return d > 0 ? d : 0;
}

VAR_READ(DURATION, beresp_age, age(ctx))
VAR_READ(BACKEND, beresp_backend, ctx->fetch->origin)
VAR_READ(IP, beresp_backend_ip, ctx->fetch->remote)
VAR_READ(STRING, beresp_backend_name, vrt_backend_string(ctx->fetch->origin))

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

VAR_READ(BOOL, beresp_do_encode, ctx->fetch->do_encode)

void
vrt_w_beresp_do_encode(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->do_encode = b;
}

VAR_READ(BOOL, beresp_do_stream, ctx->fetch->do_stream)

void
vrt_w_beresp_do_stream(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->do_stream = b;
}

VAR_READ(STRING, beresp_filters, filters_of_fetch(ctx->fetch))

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

VAR_READ(DURATION, beresp_ttl, ctx->fetch->ttl - age(ctx))

void
vrt_w_beresp_ttl(struct vcl_ctx *ctx, VCL_DURATION d)
{
	ctx->fetch->ttl = (d > 0 ? d : 0) + age(ctx);
	/*
	 * How long it is good is policy's word now, and so is its grace; but
	 * what may not be fresh for a moment, policy does not want shared.
	 */
	ctx->fetch->ask_first = ctx->fetch->no_ttl = d <= 0;
	log_times(ctx);
}

VAR_READ(DURATION, beresp_keep, ctx->fetch->keep)

void
vrt_w_beresp_keep(struct vcl_ctx *ctx, VCL_DURATION d)
{
	ctx->fetch->keep = d > 0 ? d : 0;
	ctx->fetch->keep_is_set = true;
	log_times(ctx);
}

VAR_READ(DURATION, beresp_grace, ctx->fetch->grace)

void
vrt_w_beresp_grace(struct vcl_ctx *ctx, VCL_DURATION d)
{
	struct fetch *f = ctx->fetch;

	f->grace = d > 0 ? d : 0;
	/* a grace for whatever comes is not meant for what has no ttl */
	if (f->ttl - age(ctx) > 0)
		f->ask_first = false;
	else if (!f->grants_stale)
		f->ask_first = true;
	log_times(ctx);
}

VAR_READ(BOOL, beresp_ask_first, ctx->fetch->ask_first)

void
vrt_w_beresp_ask_first(struct vcl_ctx *ctx, VCL_BOOL b)
{
	ctx->fetch->ask_first = b;
}

VAR_READ(BOOL, beresp_grants_stale, ctx->fetch->grants_stale)
VAR_READ(BOOL, beresp_no_cache, fetch_is_no_cache(ctx->fetch))
VAR_READ(BOOL, beresp_storable, fetch_is_storable(ctx->fetch))
VAR_READ(STRING, beresp_proto, vcl_proto(ctx->http[VCL_HTTP_BERESP]))

void
vrt_w_beresp_proto(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_proto(ctx, VCL_HTTP_BERESP, s);
}

VAR_READ(STRING, beresp_reason, ctx->http[VCL_HTTP_BERESP]->reason)

void
vrt_w_beresp_reason(struct vcl_ctx *ctx, VCL_STRING s)
{
	vcl_set_reason(ctx, VCL_HTTP_BERESP, s);
}

VAR_READ(INT, beresp_status, ctx->http[VCL_HTTP_BERESP]->status)

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
	return (VCL_STEVEDORE)(const void *)(ctx->fetch->is_pass ?
	    stevedore_transient() : stevedore_at(0));
}

void
vrt_w_beresp_storage(struct vcl_ctx *ctx, VCL_STEVEDORE s)
{
	if (s != NULL)
		ctx->fetch->storage = s;
}

VAR_READ(STRING, beresp_storage_hint,
    vrt_stevedore_string(vrt_r_beresp_storage(ctx)))

/* A hint: a name that no store has changes nothing. */
void
vrt_w_beresp_storage_hint(struct vcl_ctx *ctx, VCL_STRING s)
{
	vrt_w_beresp_storage(ctx,
	    (VCL_STEVEDORE)(const void *)stevedore_by_name(s));
}

VAR_READ(STRING, beresp_tags, ctx->fetch->tags)

void
vrt_w_beresp_tags(struct vcl_ctx *ctx, VCL_STRING s)
{
	ctx->fetch->tags = vcl_keep(ctx, s, "beresp.tags");
}

VAR_READ(TIME, beresp_time, ctx->fetch->t_last)

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

VAR_READ(BOOL, beresp_uncacheable, ctx->fetch->uncacheable)

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

VAR_READ(BOOL, beresp_was_304, ctx->fetch->was_304)
