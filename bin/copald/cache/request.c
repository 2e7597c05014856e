/*
 * request.c - the request path: each step returns the next.
 *
 * A step calls its VCL sub and acts on the verdict.  The verdicts that mean
 * the same everywhere (synth, restart, fail) are handled in one place,
 * common_verdict().
 */
#include <string.h>
#include <strings.h>

#include "backend.h"
#include "ban.h"
#include "core.h"
#include "counters.h"
#include "deliver.h"
#include "fetch.h"
#include "fetch_head.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "pipe.h"
#include "program.h"
#include "stevedore.h"
#include "stream.h"
#include "worker.h"

const char *
request_step_name(enum request_step s)
{
	static const char *const names[STEP_MAX] = {
#define STEP(id, name, doc) [STEP_##id] = name,
#include "tbl/steps.h"
#undef STEP
	};

	return s < STEP_MAX ? names[s] : "";
}

static void
event(struct request *req, const char *what)
{
	double now = loop_wall(req->core->loop);

	log_timestamp(&req->log, what, now, req->t_start, req->t_last);
	req->t_last = now;
}

/* What a step held and its verdict does not need any more. */
static void
drop_objects(struct request *req)
{
	if (req->busy != NULL)
		index_release(&req->busy);
	if (req->reading)
		body_reader_end(&req->obj->body, &req->reader);
	req->reading = req->is_hit = false;
	object_unref(&req->obj);
	object_unref(&req->stale);
	fetch_unref(&req->fetch);
	req->ctx.http[VCL_HTTP_OBJ] = NULL;
}

static enum request_step
synth(struct request *req, int status, struct str reason)
{
	req->ctx.synth_status = status;
	req->ctx.synth_reason = reason;
	return STEP_SYNTH;
}

/* vcl_synth makes the answer; with the headers as they came. */
static enum request_step
vcl_failed(struct request *req)
{
	COUNT_INC(vcl_fail);
	request_rollback(req);
	return synth(req, 503, STR("VCL failed"));
}

static enum request_step
common_verdict(struct request *req, enum vcl_ret ret)
{
	drop_objects(req);
	switch (ret) {
	case VCL_RET_SYNTH:
		return STEP_SYNTH;
	case VCL_RET_RESTART:
		return STEP_RESTART;
	default: /* fail, and what the compiler would not have let through */
		return vcl_failed(req);
	}
}

/* the rest of a weight after its first 0 */
static bool
is_zero(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '0' && s.p[i] != '.')
			return false;
	return true;
}

static bool
accepts_gzip(struct str v)
{
	struct str item;

	while (str_next_item(&v, &item)) {
		if (!str_casestarts(item, STR("gzip")) &&
		    !str_casestarts(item, STR("x-gzip")))
			continue;
		for (size_t i = 0; i + 2 < item.len; i++)
			if (!strncasecmp(item.p + i, "q=0", 3) &&
			    is_zero(str_of(item.p + i + 3, item.len - i - 3)))
				return false;
		return true;
	}
	return false;
}

/* Before policy: what every policy would do. */
static bool
prepare(struct request *req)
{
	struct http *h = &req->http;
	struct str xff, ae;

	xff = http_get_list(h, FIELD_X_FORWARDED_FOR, &req->ws);
	xff = xff.p == NULL ? arena_strdup(&req->ws, req->peer_host) :
	    arena_printf(&req->ws, "%.*s, %.*s", STR_ARG(xff),
	    STR_ARG(req->peer_host));
	if (xff.p == NULL ||
	    !http_set_known(h, FIELD_X_FORWARDED_FOR, xff))
		return false;
	ae = http_get(h, FIELD_ACCEPT_ENCODING);
	if (ae.p == NULL || !params->http_gzip_support)
		return true;
	ae = http_get_list(h, FIELD_ACCEPT_ENCODING, &req->ws);
	if (accepts_gzip(ae))
		return http_set_known(h, FIELD_ACCEPT_ENCODING, STR("gzip"));
	http_unset(h, FIELD_ACCEPT_ENCODING);
	return true;
}

/* --- steps ---------------------------------------------------------------- */

static enum request_step
step_recv(struct request *req)
{
	enum vcl_ret ret;

	/* what policy set, like req.hash_always_miss, lasts over a restart */
	req->is_hit = req->is_pass = req->is_hitmiss = req->is_hitpass = false;
	req->ctx.key.len = 0;
	ret = program_call(&req->ctx, VCL_SUB_RECV);
	switch (ret) {
	case VCL_RET_HASH:
		req->after_hash = STEP_LOOKUP;
		return STEP_HASH;
	case VCL_RET_PASS:
		req->after_hash = STEP_PASS;
		return STEP_HASH;
	case VCL_RET_PURGE:
		req->after_hash = STEP_PURGE;
		return STEP_HASH;
	case VCL_RET_PIPE:
		req->after_hash = STEP_PIPE;
		return STEP_HASH;
	default:
		return common_verdict(req, ret);
	}
}

static enum request_step
step_hash(struct request *req)
{
	enum vcl_ret ret = program_call(&req->ctx, VCL_SUB_HASH);

	if (ret != VCL_RET_LOOKUP)
		return common_verdict(req, ret);
	key_make(&req->key, str_of(req->ctx.key.p, req->ctx.key.len));
	return req->after_hash;
}

static enum request_step
step_lookup(struct request *req)
{
	switch (lookup_run(req)) {
	case LOOKUP_HIT:
		return STEP_HIT;
	case LOOKUP_MISS:
		return STEP_MISS;
	case LOOKUP_HITPASS:
		return STEP_PASS;
	case LOOKUP_FAILED:
		break;
	}
	return synth(req, 503, STR("Shutting down"));
}

static enum request_step
step_hit(struct request *req)
{
	struct object *o = req->obj;
	double now = req->ctx.now;
	struct fetch *f;
	enum vcl_ret ret;

	req->is_hit = true;
	atomic_fetch_add_explicit(&o->hits, 1, memory_order_relaxed);
	atomic_store_explicit(&o->last_hit, now, memory_order_relaxed);
	log_hit(&req->log, o->xid, object_ttl_left(o, now), o->grace, o->keep,
	    object_age(o, now));
	req->ctx.http[VCL_HTTP_OBJ] = &o->http;
	ret = program_call(&req->ctx, VCL_SUB_HIT);
	switch (ret) {
	case VCL_RET_DELIVER:
		/* stale, and nobody refreshes it: we have it done */
		if (req->busy != NULL) {
			f = fetch_start(req, FETCH_BACKGROUND, o);
			fetch_unref(&f);
		}
		if (o->body.flat == NULL) {
			body_reader_begin(&o->body, &req->reader);
			req->reading = true;
		}
		return STEP_DELIVER;
	case VCL_RET_PASS:
		drop_objects(req);
		req->is_hit = false;
		return STEP_PASS;
	default:
		return common_verdict(req, ret);
	}
}

static enum request_step
step_miss(struct request *req)
{
	enum vcl_ret ret = program_call(&req->ctx, VCL_SUB_MISS);

	switch (ret) {
	case VCL_RET_FETCH:
		req->fetch = fetch_start(req, FETCH_MISS, req->stale);
		return STEP_FETCH;
	case VCL_RET_PASS:
		drop_objects(req);
		return STEP_PASS;
	default:
		return common_verdict(req, ret);
	}
}

static enum request_step
step_pass(struct request *req)
{
	enum vcl_ret ret = program_call(&req->ctx, VCL_SUB_PASS);

	if (ret != VCL_RET_FETCH)
		return common_verdict(req, ret);
	COUNT_INC(s_pass);
	req->is_pass = true;
	req->fetch = fetch_start(req, FETCH_PASS, NULL);
	return STEP_FETCH;
}

static enum request_step
step_fetch(struct request *req)
{
	struct fetch *f = req->fetch;

	object_unref(&req->stale);
	if (f == NULL)
		return synth(req, 503, STR("Out of memory"));
	fetch_wait(f);
	event(req, "Fetch");
	if (atomic_load(&f->state) == FETCH_FAILED) {
		drop_objects(req);
		return synth(req, req->stream->body_status != 0 ?
		    req->stream->body_status : 503, STR_NULL);
	}
	req->obj = object_ref(f->obj);
	fetch_unref(&req->fetch);
	req->ctx.http[VCL_HTTP_OBJ] = &req->obj->http;
	return STEP_DELIVER;
}

static enum request_step
step_deliver(struct request *req)
{
	enum vcl_ret ret;

	if (!deliver_head(req)) {
		vcl_fail_space(&req->ctx, "response head");
		return common_verdict(req, VCL_RET_FAIL);
	}
	event(req, "Process");
	log_put(&req->log, LOG_RESP_PROTOCOL, STR("HTTP/1.1"));
	log_status(&req->log, LOG_RESP_STATUS, req->resp.status);
	log_put(&req->log, LOG_RESP_REASON, req->resp.reason);
	log_head_fields(&req->log, LOG_RESP_HEADER, &req->resp);
	ret = program_call(&req->ctx, VCL_SUB_DELIVER);
	if (ret != VCL_RET_DELIVER)
		return common_verdict(req, ret);
	return STEP_SEND;
}

static enum request_step
step_send(struct request *req)
{
	if (req->resp.overflow) {
		vcl_fail_space(&req->ctx, "response head");
		return common_verdict(req, VCL_RET_FAIL);
	}
	deliver_object(req);
	return STEP_DONE;
}

static enum request_step
step_synth(struct request *req)
{
	int status = req->ctx.synth_status;
	struct str reason = req->ctx.synth_reason;
	enum vcl_ret ret;

	COUNT_INC(s_synth);
	if (status < 100 || status > 65535)
		status = 503;
	req->ctx.synth_status = 0;
	req->ctx.synth_reason = STR_NULL;
	req->ctx.body = (struct vcl_buf){0};
	if (!deliver_synth_head(req, (unsigned)status, reason))
		return STEP_FAIL;
	event(req, "Process");
	log_status(&req->log, LOG_RESP_STATUS, req->resp.status);
	log_put(&req->log, LOG_RESP_REASON, req->resp.reason);
	log_head_fields(&req->log, LOG_RESP_HEADER, &req->resp);
	ret = program_call(&req->ctx, VCL_SUB_SYNTH);
	switch (ret) {
	case VCL_RET_DELIVER:
		break;
	case VCL_RET_RESTART:
		if (req->restarts <= params->max_restarts)
			return STEP_RESTART;
		break; /* too many is why we are here */
	default:
		return STEP_FAIL;
	}
	/* 1xyz: the last three digits are the client's (vcl(7)) */
	req->resp.status %= 1000;
	if (req->resp.status < 200)
		req->resp.status = 503;
	req->is_hit = false;
	deliver_bytes(req, str_of(req->ctx.body.p != NULL ?
	    req->ctx.body.p : "", req->ctx.body.len));
	return STEP_DONE;
}

static enum request_step
step_purge(struct request *req)
{
	char err[BAN_ERR_LEN];
	unsigned removed;
	enum vcl_ret ret;

	COUNT_INC(s_purge);
	if (purge_wait(req->core, &req->key, &removed, err) != 0) {
		/* not on disk: after a restart it might be undone */
		log_put(&req->log, LOG_ERROR, str_from_z(err));
		return synth(req, 503, STR("Purge could not be stored"));
	}
	ret = program_call(&req->ctx, VCL_SUB_PURGE);
	return common_verdict(req, ret);
}

static enum request_step
step_pipe(struct request *req)
{
	struct http bereq;
	struct backend *b;
	enum vcl_ret ret;

	if (req->stream->ops->raw == NULL)
		return synth(req, 501, STR("This protocol can't be piped"));
	if (!pipe_make_bereq(req, &bereq))
		return STEP_FAIL;
	req->ctx.http[VCL_HTTP_BEREQ] = &bereq;
	req->ctx.connect_timeout = -1;
	ret = program_call(&req->ctx, VCL_SUB_PIPE);
	req->ctx.http[VCL_HTTP_BEREQ] = NULL;
	if (ret != VCL_RET_PIPE)
		return common_verdict(req, ret);
	b = req->backend_hint != NULL ? req->backend_hint :
	    program_default_backend(req->program);
	if (b == NULL)
		return synth(req, 503, STR("No backend"));
	pipe_run(req, &bereq, b);
	return STEP_DONE;
}

static void
log_request(struct request *req, enum log_reason reason)
{
	req->log.reason = reason;
	log_timestamp(&req->log, "Start", req->t_start, req->t_start,
	    req->t_start);
	log_req_start(&req->log, req->peer_host, addr_port(req->peer),
	    str_from_z(req->listener_name));
	log_put(&req->log, LOG_REQ_METHOD, req->http.method);
	log_put(&req->log, LOG_REQ_URL, req->http.target);
	log_put(&req->log, LOG_REQ_PROTOCOL,
	    req->http.version == 10 ? STR("HTTP/1.0") : STR("HTTP/1.1"));
	log_head_fields(&req->log, LOG_REQ_HEADER, &req->http);
}

static void
log_finish(struct request *req)
{
	struct stream *s = req->stream;

	event(req, "Resp");
	log_acct(&req->log, LOG_REQ_ACCT, s->head.len, s->body_received,
	    s->head_sent, s->body_sent);
	log_txn_end(&req->log);
}

static enum request_step
step_restart(struct request *req)
{
	void *buf = req->log.buf;
	uint32_t cap = req->log.cap;
	uint64_t parent = req->xid;

	req->restarts++;
	if (req->restarts > params->max_restarts) {
		log_put(&req->log, LOG_VCL_ERROR, STR("Too many restarts"));
		return synth(req, 503, STR_NULL);
	}
	req->xid = core_xid(req->core);
	log_link(&req->log, LOG_KIND_REQUEST, req->xid, LOG_REASON_RESTART);
	event(req, "Restart");
	log_txn_end(&req->log);
	req->t_start = req->t_last;
	log_txn_begin(&req->log, req->core->ring, LOG_KIND_REQUEST, req->xid,
	    parent, buf, cap);
	log_request(req, LOG_REASON_RESTART);
	return STEP_RECV;
}

/* vcl_synth failed as well, or there is no room: an answer without policy. */
static enum request_step
step_fail(struct request *req)
{
	COUNT_INC(vcl_fail);
	drop_objects(req);
	req->stream->close = true;
	/* nothing that policy made is in the workspace after this */
	vcl_ctx_end(&req->ctx);
	request_rollback(req);
	arena_rollback(&req->ws, req->ws_mark);
	if (!deliver_synth_head(req, 503, STR("VCL failed"))) {
		req->stream->ops->abort(req->stream);
		return STEP_DONE;
	}
	req->is_hit = false;
	deliver_bytes(req, STR(""));
	return STEP_DONE;
}

void
request_rollback(struct request *req)
{
	http_copy(&req->http, &req->received);
}

void
request_run(struct request *req)
{
	static enum request_step (*const steps[])(struct request *) = {
		[STEP_RECV] = step_recv,
		[STEP_HASH] = step_hash,
		[STEP_LOOKUP] = step_lookup,
		[STEP_HIT] = step_hit,
		[STEP_MISS] = step_miss,
		[STEP_PASS] = step_pass,
		[STEP_FETCH] = step_fetch,
		[STEP_PIPE] = step_pipe,
		[STEP_PURGE] = step_purge,
		[STEP_SYNTH] = step_synth,
		[STEP_DELIVER] = step_deliver,
		[STEP_SEND] = step_send,
		[STEP_RESTART] = step_restart,
		[STEP_FAIL] = step_fail,
	};
	enum request_step step = STEP_RECV;

	while (step != STEP_DONE) {
		req->step = step;
		step = steps[step](req);
	}
	drop_objects(req);
}

/* The stream's request; its memory: struct, log buffer, workspace. */
static struct request *
request_new(struct stream *s)
{
	size_t at = (sizeof(struct request) + 63) & ~(size_t)63;
	struct request *req = s->mem;
	struct core *c = s->core;
	size_t log = params->vsl_buffer;

	/* the block may be older than the parameter's value */
	if (log > (s->mem_len - at) / 2)
		log = (s->mem_len - at) / 2;
	memset(req, 0, sizeof *req);
	req->core = c;
	req->stream = s;
	req->xid = core_xid(c);
	req->sess_xid = s->sess_xid;
	req->t_start = req->t_last = s->t_first;
	req->framing = s->framing;
	req->peer = s->peer;
	req->local = s->local;
	addr_host(req->peer, req->peer_text);
	req->peer_host = str_from_z(req->peer_text);
	req->listener_name = s->listener->name;
	req->ttl_limit = req->grace_limit = -1;
	log_txn_begin(&req->log, c->ring, LOG_KIND_REQUEST, req->xid,
	    s->sess_xid, (char *)s->mem + at, (uint32_t)log);
	at += log;
	at = (at + 15) & ~(size_t)15;
	arena_init(&req->ws, (char *)s->mem + at, s->mem_len - at);
	req->program = program_ref_active();
	vcl_ctx_init(&req->ctx, &req->ws, &req->log, req->program);
	req->ctx.req = req;
	req->ctx.sess = (struct vcl_sess){.timeout_idle = s->timeouts.idle,
	    .timeout_linger = -1, .send_timeout = s->timeouts.send,
	    .idle_send_timeout = s->timeouts.idle_send};
	req->ctx.now = loop_wall(c->loop);
	return req;
}

static void
request_end(struct request *req)
{
	log_finish(req);
	if (arena_overflowed(&req->ws))
		COUNT_INC(ws_client_overflow);
	COUNT_ADD(s_req_hdrbytes, (int64_t)req->stream->head.len);
	COUNT_ADD(s_req_bodybytes, (int64_t)req->stream->body_received);
	COUNT_ADD(s_resp_hdrbytes, (int64_t)req->stream->head_sent);
	vcl_ctx_end(&req->ctx);
	if (req->program != NULL)
		program_unref(&req->program);
	arena_reset(&req->ws);
}

/* As long as no VCL was loaded. */
static void
no_policy(struct request *req)
{
	req->stream->close = true;
	if (deliver_synth_head(req, 503, STR("No VCL loaded")))
		deliver_bytes(req, STR(""));
	else
		req->stream->ops->abort(req->stream);
}

void
request_serve(struct stream *s)
{
	struct request *req = request_new(s);

	COUNT_INC(client_req);
	/* received keeps the head as it came; VCL works on a copy of it */
	if (!http_init(&req->http, &req->ws,
	    params->http_max_hdr + FIELDS_OWN)) {
		s->ops->abort(s);
		request_end(req);
		return;
	}
	req->received = s->http;
	http_copy(&req->http, &req->received);
	req->method_received = req->http.method;
	log_request(req, LOG_REASON_RXREQ);
	req->ctx.http[VCL_HTTP_REQ] = &req->http;
	req->ctx.http[VCL_HTTP_REQ_TOP] = &req->http;
	req->ctx.original_req = &req->received;
	req->ws_mark = arena_snapshot(&req->ws);
	if (req->program == NULL)
		no_policy(req);
	else if (!prepare(req))
		step_fail(req);
	else
		request_run(req);
	request_end(req);
}
