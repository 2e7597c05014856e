/*
 * fetch.c - the life of a request to an origin: each step returns the next.
 *
 *   FETCH -> CONNECT -> ANSWER -> REFRESH? -> RESPONSE -> BODY -> DONE
 *     |        |          |                     |
 *     +--------+----------+------> ERROR -------+---> FAIL
 *                                  RETRY goes back to FETCH
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "ban.h"
#include "core.h"
#include "counters.h"
#include "fetch.h"
#include "fetch_body.h"
#include "fetch_head.h"
#include "fetch_impl.h"
#include "fetch_object.h"
#include "http_date.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "program.h"
#include "stevedore.h"
#include "stream.h"
#include "vary.h"

enum fetch_step {
	FS_FETCH,
	FS_CONNECT,
	FS_ANSWER,
	FS_REFRESH,
	FS_RESPONSE,
	FS_BODY,
	FS_RETRY,
	FS_ERROR,
	FS_FAIL,
	FS_DONE,
};

struct fetching { /* what lives as long as the fiber */
	struct fetch *f;
	struct upstream up;
	enum upstream_error error;
	bool again;     /* the second try after a stale connection */
	bool early;     /* answered before it had read our body */
};

static void
event(struct fetch *f, const char *what)
{
	double now = loop_wall(f->core->loop);

	log_timestamp(&f->log, what, now, f->t_start, f->t_last);
	f->t_last = now;
}

/* --- steps ----------------------------------------------------------------- */

static enum fetch_step
fail_with(struct fetch *f, const char *why)
{
	f->error = why;
	log_put(&f->log, LOG_FETCH_ERROR, str_from_z(why));
	return FS_ERROR;
}

static enum fetch_step
step_fetch(struct fetching *x)
{
	struct fetch *f = x->f;

	http_copy(&f->bereq, &f->bereq0);
	f->ctx.http[VCL_HTTP_BEREQ] = &f->bereq;
	f->ctx.http[VCL_HTTP_BERESP] = NULL;
	f->ctx.original_bereq = &f->bereq0;
	if (f->backend == NULL)
		f->backend = program_default_backend(f->program);
	log_put(&f->log, LOG_BEREQ_METHOD, f->bereq.method);
	log_put(&f->log, LOG_BEREQ_URL, f->bereq.target);
	log_put(&f->log, LOG_BEREQ_PROTOCOL, STR("HTTP/1.1"));
	log_head_fields(&f->log, LOG_BEREQ_HEADER, &f->bereq);
	switch (program_call(&f->ctx, VCL_SUB_BACKEND_FETCH)) {
	case VCL_RET_FETCH:
		break;
	case VCL_RET_ERROR:
		return FS_ERROR;
	case VCL_RET_ABANDON:
		f->error = "abandoned by VCL";
		return FS_FAIL;
	default:
		f->error = "VCL failed";
		return FS_FAIL;
	}
	if (f->ctx.unset_body)
		f->has_body = false;
	/* a restart: it can't be had again, and a part must not look whole */
	if (f->has_body && !f->req->buffered &&
	    f->req->stream->body_received > 0)
		return fail_with(f, "the request's body was sent before");
	if (f->backend == NULL)
		return fail_with(f, "no backend");
	if (!fetch_finish_bereq(f))
		return fail_with(f, "workspace_backend full");
	return FS_CONNECT;
}

/* Can it be sent a second time without harm (RFC 9110 9.2.2)? */
static bool
may_send_again(const struct fetch *f)
{
	static const char *const idempotent[] = {"GET", "HEAD", "PUT",
	    "DELETE", "OPTIONS", "TRACE", "PROPFIND"};

	if (f->body_sent)
		return false;
	for (size_t i = 0; i < sizeof idempotent / sizeof *idempotent; i++)
		if (str_eq(f->bereq.method, str_from_z(idempotent[i])))
			return true;
	return false;
}

static double
timeout_of(double vcl, double backend, double param)
{
	return vcl >= 0 ? vcl : backend >= 0 ? backend : param;
}

static enum fetch_step
step_connect(struct fetching *x)
{
	struct fetch *f = x->f;
	struct backend *b = f->backend;
	struct backend_conn *conn = NULL;
	enum backend_error e;
	char addr[ADDR_HOST_MAX];
	int err;

	e = backend_get(b, x->again, timeout_of(f->connect_timeout,
	    b->connect_timeout, params->connect_timeout), &conn, &err);
	if (e != BACKEND_OK) {
		if (e == BACKEND_REFUSED)
			log_printf(&f->log, LOG_ERROR, "%s: %s", b->name,
			    strerror(err));
		return fail_with(f, backend_error_text(e));
	}
	memset(&x->up, 0, sizeof x->up);
	x->up.conn = conn;
	x->up.buf = f->block;
	x->up.cap = f->block_len;
	x->up.first_byte_timeout = timeout_of(f->first_byte_timeout,
	    b->first_byte_timeout, params->first_byte_timeout);
	x->up.between_bytes_timeout = timeout_of(f->between_bytes_timeout,
	    b->between_bytes_timeout, params->between_bytes_timeout);
	f->remote_addr = conn->addr;
	f->remote = &f->remote_addr;
	addr_host(&conn->addr, addr);
	log_printf(&f->log, LOG_BACKEND_OPEN, "%d %s.%s %s %u %s",
	    conn->src.fd, b->program_name, b->name, addr,
	    addr_port(&conn->addr), conn->reused ? "reuse" : "connect");
	event(f, "Connected");
	return FS_ANSWER;
}

static void
conn_done(struct fetching *x, bool keep)
{
	struct fetch *f = x->f;

	if (x->up.conn == NULL)
		return;
	log_printf(&f->log, LOG_BACKEND_CLOSE, "%d %s %s",
	    x->up.conn->src.fd, f->backend->name, keep ? "recycle" : "close");
	f->sent_head += x->up.sent_head;
	f->sent_body += x->up.sent_body;
	backend_conn_put(&x->up.conn, keep);
}

/* The client's body goes to the origin as it comes. */
static enum upstream_error
send_body(struct fetching *x)
{
	struct fetch *f = x->f;
	bool chunked = f->req->framing.body == H1_CHUNKED;
	struct stream *s = f->req->stream;
	char *buf = malloc(REQUEST_BODY_WINDOW);
	enum upstream_error e = buf == NULL ? UP_NO_MEMORY : UP_OK;

	while (e == UP_OK) {
		ssize_t n = s->ops->read_body(s, buf, REQUEST_BODY_WINDOW);

		if (n < 0)
			e = UP_CLIENT; /* cut short: never completed */
		else if (n == 0)
			break;
		else {
			f->body_sent = true;
			e = upstream_send_body(&x->up, buf, (size_t)n, chunked);
		}
	}
	free(buf);
	if (e == UP_OK)
		e = upstream_send_end(&x->up, chunked);
	return e;
}

/* 1xx are not the answer (RFC 9110 15.2); a flood of them is cut. */
enum { INTERIM_MAX = 16 };

static enum upstream_error
read_answer(struct fetching *x)
{
	struct fetch *f = x->f;
	struct h1_limits limits = {(uint32_t)params->http_resp_size,
	    (uint32_t)params->http_resp_hdr_len};
	bool head = str_eq(f->bereq.method, STR("HEAD"));

	for (unsigned i = 0; i < INTERIM_MAX; i++) {
		enum upstream_error e;

		f->beresp.field_n = 0;
		f->beresp.overflow = false;
		e = upstream_read_head(&x->up, &f->beresp, &f->framing, head,
		    &limits);
		if (e != UP_OK)
			return e;
		if (f->beresp.status == 101) {
			x->up.why = "101 Switching Protocols without Upgrade";
			return UP_BAD_HEAD;
		}
		if (f->beresp.status >= 200)
			return UP_OK;
	}
	x->up.why = "too many 1xx responses";
	return UP_BAD_HEAD;
}

static enum fetch_step
step_answer(struct fetching *x)
{
	struct fetch *f = x->f;
	enum upstream_error e;

	COUNT_INC(backend_req);
	atomic_fetch_add_explicit(&f->backend->requests, 1,
	    memory_order_relaxed);
	e = upstream_send_head(&x->up, &f->bereq, &f->ws);
	if (e == UP_OK && f->has_body)
		e = send_body(x);
	/* an origin may answer before it has read all, and close */
	x->early = e == UP_SEND && f->has_body;
	if (e == UP_OK || x->early) {
		event(f, "Bereq");
		e = read_answer(x);
	}
	if (e == UP_OK) {
		event(f, "Beresp");
		log_put(&f->log, LOG_BERESP_PROTOCOL, STR("HTTP/1.1"));
		log_status(&f->log, LOG_BERESP_STATUS, f->beresp.status);
		log_put(&f->log, LOG_BERESP_REASON, f->beresp.reason);
		log_head_fields(&f->log, LOG_BERESP_HEADER, &f->beresp);
		fetch_strip_beresp(f);
		f->ctx.http[VCL_HTTP_BERESP] = &f->beresp;
		if (f->beresp.status == 304 && f->stale != NULL)
			return FS_REFRESH;
		if (f->beresp.status == 304 && !f->is_pass) {
			conn_done(x, false);
			return fail_with(f, "304 to what was no condition");
		}
		return FS_RESPONSE;
	}
	if ((e == UP_CLOSED_EARLY || e == UP_SEND) && x->up.conn->reused &&
	    !x->again && may_send_again(f)) {
		conn_done(x, false);
		x->again = true;
		COUNT_INC(backend_retry);
		return FS_CONNECT;
	}
	if (e == UP_CLIENT) {
		f->error = "the client's body was cut short";
		conn_done(x, false);
		return FS_FAIL;
	}
	if (e == UP_BAD_HEAD && x->up.have > 0)
		log_put(&f->log, LOG_HTTP_GARBAGE, str_of(x->up.buf,
		    x->up.have < 200 ? x->up.have : 200));
	atomic_fetch_add(&f->backend->fails, 1);
	e = e == UP_OK ? UP_SEND : e;
	conn_done(x, false);
	return fail_with(f, upstream_error_text(&x->up, e));
}

/* 304: what we have is still good (RFC 9111 4.3). */
static enum fetch_step
step_refresh(struct fetching *x)
{
	struct fetch *f = x->f;
	bool ok;

	COUNT_INC(fetch_304);
	f->was_304 = true;
	f->ctx.http[VCL_HTTP_OBJ_STALE] = &f->stale->http;
	conn_done(x, f->framing.keep_alive && x->up.have == x->up.at);
	fetch_freshness(f);
	switch (program_call(&f->ctx, VCL_SUB_BACKEND_REFRESH)) {
	case VCL_RET_MERGE:
		ok = fetch_merge_304(f);
		break;
	case VCL_RET_OBJ_STALE:
		ok = fetch_use_stale(f);
		break;
	case VCL_RET_RETRY:
		return FS_RETRY;
	case VCL_RET_ERROR:
		return FS_ERROR;
	case VCL_RET_ABANDON:
		f->error = "abandoned by VCL";
		return FS_FAIL;
	default:
		f->error = "VCL failed";
		return FS_FAIL;
	}
	if (!ok)
		return fail_with(f, "workspace_backend full");
	return FS_RESPONSE;
}

static enum fetch_step
step_response(struct fetching *x)
{
	struct fetch *f = x->f;

	fetch_freshness(f);
	f->ctx.pass_ttl = -1;
	switch (program_call(&f->ctx, VCL_SUB_BACKEND_RESPONSE)) {
	case VCL_RET_DELIVER:
		return FS_BODY;
	case VCL_RET_PASS:
		f->uncacheable = true;
		f->make_hitpass = true;
		if (f->ctx.pass_ttl >= 0) {
			f->ttl = f->ctx.pass_ttl + f->age;
			f->grace = f->keep = 0;
		}
		return FS_BODY;
	case VCL_RET_RETRY:
		conn_done(x, false);
		return FS_RETRY;
	case VCL_RET_ERROR:
		conn_done(x, false);
		return FS_ERROR;
	case VCL_RET_ABANDON:
		f->error = "abandoned by VCL";
		break;
	default:
		f->error = "VCL failed";
		break;
	}
	conn_done(x, false);
	return FS_FAIL;
}

static enum fetch_step
step_retry(struct fetching *x)
{
	struct fetch *f = x->f;

	conn_done(x, false);
	if (f->retries >= params->max_retries) {
		log_put(&f->log, LOG_VCL_ERROR,
		    STR("Too many retries, failing"));
		f->error = "too many retries";
		return FS_FAIL;
	}
	if (f->body_sent) {
		f->error = "the request's body can't be sent again";
		return FS_FAIL;
	}
	f->retries++;
	f->was_304 = false;
	f->uncacheable = f->is_pass;
	f->make_hitpass = false;
	f->do_stream = true;
	f->ctx.body = (struct vcl_buf){0};
	x->again = false;
	/* as vcl_backend_response or _error left it */
	http_copy(&f->bereq0, &f->bereq);
	event(f, "Retry");
	return FS_FETCH;
}

static void
body_counters(const struct fetch *f)
{
	switch (f->framing.body) {
	case H1_NONE:
		COUNT_INC(fetch_head);
		break;
	case H1_LENGTH:
		COUNT_INC(fetch_length);
		break;
	case H1_CHUNKED:
		COUNT_INC(fetch_chunked);
		break;
	case H1_UNTIL_CLOSE:
		COUNT_INC(fetch_eof);
		break;
	}
}

static enum fetch_step
body_of_stale(struct fetch *f)
{
	bool cacheable = fetch_is_cacheable(f);

	if (fetch_object_reuse_body(f, cacheable) != 0)
		return fail_with(f, "the stored body is gone");
	fetch_publish(f, cacheable);
	if (cacheable && f->obj->store_seq == 0 && f->obj->body.flat != NULL)
		fetch_store(f);
	return FS_DONE;
}

static enum fetch_step
step_body(struct fetching *x)
{
	struct fetch *f = x->f;
	enum upstream_error e;
	bool cacheable;

	switch (vary_make(&f->beresp, f->is_pass ? &f->bereq : &f->bereq0,
	    &f->ws, &f->vary)) {
	case VARY_NONE:
	case VARY_SPEC:
		break;
	case VARY_ALL:
	case VARY_BAD:
		f->uncacheable = true;
		f->vary = STR_NULL;
		break;
	}
	if (!fetch_object_make(f)) {
		conn_done(x, false);
		f->error = "out of memory";
		return FS_FAIL;
	}
	if (f->was_304)
		return body_of_stale(f);
	fetch_late_claim(f);
	cacheable = fetch_is_cacheable(f);
	if (!cacheable)
		atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
	if (f->framing.body == H1_LENGTH)
		f->obj->body.expected = (int64_t)f->framing.length;
	else if (f->framing.body == H1_NONE)
		f->obj->body.expected = 0;
	if (str_eq(f->bereq.method, STR("HEAD")))
		atomic_fetch_or(&f->obj->flags, OBJ_HEAD_ONLY);
	if (!cacheable && (f->framing.body == H1_CHUNKED ||
	    f->framing.body == H1_UNTIL_CLOSE ||
	    f->framing.length > params->fetch_window))
		f->obj->body.windowed = true;
	body_counters(f);
	log_printf(&f->log, LOG_STORAGE, "%s %s",
	    !cacheable ? "pass" :
	    f->obj->stevedore->store != NULL ? "lmdb" : "ram",
	    cacheable ? f->obj->stevedore->name : "-");
	/* a window can't be filled before somebody reads */
	if (f->do_stream || f->obj->body.windowed)
		fetch_publish(f, cacheable);
	e = fetch_body(f, &x->up);
	if (e != UP_OK) {
		f->error = upstream_error_text(&x->up, e);
		log_put(&f->log, LOG_FETCH_ERROR, str_from_z(f->error));
		conn_done(x, false);
		COUNT_INC(fetch_failed);
		return atomic_load(&f->state) == FETCH_READY ? FS_DONE :
		    fail_with(f, f->error);
	}
	event(f, "BerespBody");
	conn_done(x, f->framing.keep_alive && !x->up.eof &&
	    f->framing.body != H1_UNTIL_CLOSE && x->up.have == x->up.at &&
	    !x->early);
	if (atomic_load(&f->state) == FETCH_RUNNING)
		fetch_publish(f, cacheable);
	return FS_DONE;
}

/* vcl_backend_error makes a response of its own. */
static enum fetch_step
step_error(struct fetching *x)
{
	struct fetch *f = x->f;
	struct http *h = &f->beresp;
	double now = loop_wall(f->core->loop);
	unsigned status = 503;
	bool cacheable;

	COUNT_INC(fetch_failed);
	conn_done(x, false);
	object_unref(&f->obj);
	h->field_n = 0;
	h->overflow = false;
	h->version = 11;
	if (f->ctx.synth_status >= 200 && f->ctx.synth_status <= 999)
		status = (unsigned)f->ctx.synth_status;
	h->status = (uint16_t)status;
	h->reason = f->ctx.synth_reason.p != NULL ? f->ctx.synth_reason :
	    f->ctx.synth_status != 0 ? str_from_z(http_reason(status)) :
	    STR("Backend fetch failed");
	f->ctx.synth_status = 0;
	f->ctx.synth_reason = STR_NULL;
	f->ctx.body = (struct vcl_buf){0};
	f->ctx.http[VCL_HTTP_BERESP] = h;
	http_add_known(h, FIELD_DATE, arena_strdup(&f->ws,
	    core_date(f->core)));
	http_add_known(h, FIELD_SERVER, STR("Copal"));
	f->t_origin = now;
	f->age = f->ttl = f->grace = f->keep = 0;
	/* who waits for the same key gets this answer, not one each */
	if (f->busy != NULL && index_has_waiters(f->busy)) {
		f->ttl = 1;
		f->grace = f->keep = 5;
	}
	f->vary = STR_NULL;
	log_status(&f->log, LOG_BERESP_STATUS, h->status);
	log_put(&f->log, LOG_BERESP_REASON, h->reason);
	switch (program_call(&f->ctx, VCL_SUB_BACKEND_ERROR)) {
	case VCL_RET_DELIVER:
		break;
	case VCL_RET_RETRY:
		return FS_RETRY;
	case VCL_RET_ABANDON:
		return FS_FAIL;
	default:
		f->error = "VCL failed";
		return FS_FAIL;
	}
	http_unset(h, FIELD_CONTENT_LENGTH);
	if (!fetch_object_make(f))
		return FS_FAIL;
	atomic_fetch_or(&f->obj->flags, OBJ_SYNTH);
	f->framing.body = H1_LENGTH;
	f->framing.length = f->ctx.body.len;
	cacheable = fetch_is_cacheable(f) && !f->is_bgfetch;
	if (!cacheable)
		atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
	f->obj->body.expected = (int64_t)f->ctx.body.len;
	if (body_set(&f->obj->body, f->ctx.body.p, f->ctx.body.len) != 0)
		return FS_FAIL;
	fetch_publish(f, cacheable);
	return FS_DONE;
}

static enum fetch_step
step_fail(struct fetching *x)
{
	struct fetch *f = x->f;

	conn_done(x, false);
	log_printf(&f->log, LOG_FETCH_ERROR, "failed: %s",
	    f->error != NULL ? f->error : "unknown");
	COUNT_INC(fetch_failed);
	if (f->busy != NULL)
		index_release(&f->busy);
	object_unref(&f->obj);
	f->req = NULL;
	fetch_set_state(f, FETCH_FAILED);
	return FS_DONE;
}

void
fetch_run(void *arg)
{
	static enum fetch_step (*const steps[])(struct fetching *) = {
		[FS_FETCH] = step_fetch,
		[FS_CONNECT] = step_connect,
		[FS_ANSWER] = step_answer,
		[FS_REFRESH] = step_refresh,
		[FS_RESPONSE] = step_response,
		[FS_BODY] = step_body,
		[FS_RETRY] = step_retry,
		[FS_ERROR] = step_error,
		[FS_FAIL] = step_fail,
	};
	struct fetching x = {.f = arg};
	struct fetch *f = arg;
	enum fetch_step step = FS_FETCH;

	if (!fetch_make_conditional(f))
		step = fail_with(f, "workspace_backend full");
	while (step != FS_DONE)
		step = steps[step](&x);
	index_fetch_ends(f);
	if (arena_overflowed(&f->ws))
		COUNT_INC(ws_backend_overflow);
	log_acct(&f->log, LOG_BEREQ_ACCT, f->sent_head, f->sent_body,
	    f->got_head, f->got_body);
	log_txn_end(&f->log);
	fetch_unref(&f);
}
