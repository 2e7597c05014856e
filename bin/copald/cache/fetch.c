/*
 * fetch.c - the life of a request to an origin: each step returns the next.
 *
 *   FETCH -> CONNECT -> ANSWER -> REFRESH? -> RESPONSE -> BODY -> DONE
 *     |        |          |                     |
 *     +--------+----------+------> ERROR -------+---> FAIL
 *                                  RETRY goes back to FETCH
 */
#include <string.h>

#include "backend_conn.h"
#include "ban.h"
#include "core.h"
#include "counters.h"
#include "esi_plan.h"
#include "fetch.h"
#include "fetch_blocks.h"
#include "fetch_body.h"
#include "fetch_combine.h"
#include "fetch_head.h"
#include "fetch_impl.h"
#include "fetch_object.h"
#include "fetch_stale.h"
#include "http_date.h"
#include "http_semantics.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "program.h"
#include "req_body.h"
#include "search_key.h"
#include "stevedore.h"
#include "stream.h"
#include "tags.h"
#include "trailers.h"
#include "vary.h"

void
fetch_event(struct fetch *f, const char *what)
{
	double now = loop_wall(f->core->loop);

	log_timestamp(&f->log, what, now, f->t_start, f->t_last);
	f->t_last = now;
}

/* --- steps --------------------------------------------------------------- */

/* vcl_backend_error makes the answer. */
enum fetch_step
fetch_fail_with(struct fetch *f, enum failure failure, const char *why)
{
	f->failure = failure;
	f->error = why;
	log_put(&f->log, LOG_FETCH_ERROR, str_from_z(why));
	/* a page in the middle of a film is of no use */
	return f->blocks.head != NULL ? FS_FAIL : FS_ERROR;
}

/* Without an answer; FS_FAIL says it in the log. */
enum fetch_step
fetch_give_up(struct fetch *f, enum failure failure, const char *why)
{
	f->failure = failure;
	f->error = why;
	return FS_FAIL;
}

static enum fetch_step
vcl_error(struct fetch *f)
{
	f->failure = FAILURE_VCL_ERROR;
	return f->blocks.head != NULL ? FS_FAIL : FS_ERROR;
}

/* of a verdict that ends the fetch */
enum fetch_step
fetch_vcl_ended(struct fetch *f, enum vcl_ret ret)
{
	if (ret == VCL_RET_ABANDON)
		return fetch_give_up(
		    f, FAILURE_VCL_ABANDON, "abandoned by VCL");
	return fetch_give_up(f, FAILURE_VCL_FAILED, "VCL failed");
}

static enum fetch_step
step_fetch(struct fetching *x)
{
	struct fetch *f = x->f;
	enum vcl_ret ret;

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
	ret = program_call(&f->ctx, VCL_SUB_BACKEND_FETCH);
	if (ret == VCL_RET_ERROR)
		return vcl_error(f);
	if (ret != VCL_RET_FETCH)
		return fetch_vcl_ended(f, ret);
	/* policy that caches POST; the body of a GET is no part of a fill */
	if (f->body_by_method)
		f->has_body = !str_eq(f->bereq.method, STR("GET")) &&
		    !str_eq(f->bereq.method, STR("HEAD"));
	if (f->ctx.unset_body)
		f->has_body = false;
	if (f->has_body && f->req != NULL && f->req->stream->body_status != 0)
		return fetch_give_up(f, FAILURE_CLIENT_BODY,
		    "the client's body was cut short");
	/* a restart: it can't be had again, and a part must not look whole */
	if (f->has_body && f->own_body == NULL &&
	    (f->req == NULL || !req_body_is_there(f->req)))
		return fetch_fail_with(f, FAILURE_BODY_SENT,
		    "the request's body was sent before");
	f->origin = backend_resolve(&f->ctx, f->backend);
	if (f->origin == NULL)
		return fetch_fail_with(f, FAILURE_NO_BACKEND, "no backend");
	if (!fetch_finish_bereq(f))
		return fetch_fail_with(
		    f, FAILURE_WORKSPACE, "workspace_backend full");
	return FS_CONNECT;
}

/* Can it be sent a second time without harm (RFC 9110 9.2.2)? */
static bool
may_send_again(const struct fetch *f)
{
	static const char *const idempotent[] = {"GET", "HEAD", "PUT",
	    "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"};

	if (f->body_sent || f->send_once)
		return false;
	for (size_t i = 0; i < sizeof idempotent / sizeof *idempotent; i++)
		if (str_eq(f->bereq.method, str_from_z(idempotent[i])))
			return true;
	return false;
}

/*
 * May b be sent this again?  Another backend than the one that was asked may
 * be asked in any case: that is no load that grows with the failures.
 */
static bool
may_retry(const struct fetching *x, struct backend *b)
{
	if (x->asked != b)
		return true;
	if (!retry_budget_spend(&b->retry_budget, params->retry_budget,
	    params->retry_free, loop_now(x->f->core->loop))) {
		COUNT_INC(backend_retry_refused);
		return false;
	}
	atomic_fetch_add_explicit(&b->retries, 1, memory_order_relaxed);
	return true;
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
	struct backend *b = f->origin;
	struct backend_conn *conn = NULL;
	double timeout = timeout_of(
	    f->connect_timeout, b->connect_timeout, params->connect_timeout);
	struct backend_wish wish = {x->again, timeout, &f->client, &f->server};
	enum backend_error e;
	char text[300];
	int err;

	if (f->retries > 0 && !x->again && !may_retry(x, b))
		return fetch_fail_with(f, FAILURE_RETRIES,
		    "not sent again: beyond retry_budget");
	e = backend_get(b, &wish, &conn, &err);
	if (e != BACKEND_OK) {
		backend_error_text(e, b, err, text, sizeof text);
		f->failure = failure_of_backend(e);
		f->error = "no connection to the backend";
		log_put(&f->log, LOG_FETCH_ERROR, str_from_z(text));
		return f->blocks.head != NULL ? FS_FAIL : FS_ERROR;
	}
	if (x->up.buf != NULL) { /* a long head has made it larger */
		f->block = x->up.buf;
		f->block_len = x->up.cap;
	}
	memset(&x->up, 0, sizeof x->up);
	x->answered = false;
	x->interim_n = 0;
	x->up.conn = conn;
	x->up.buf = f->block;
	x->up.cap = f->block_len;
	x->up.mem = &f->ws;
	x->up.first_byte_timeout = timeout_of(f->first_byte_timeout,
	    b->first_byte_timeout, params->first_byte_timeout);
	x->up.between_bytes_timeout = timeout_of(f->between_bytes_timeout,
	    b->between_bytes_timeout, params->between_bytes_timeout);
	f->remote_addr = conn->addr;
	f->remote = &f->remote_addr;
	addr_host(&conn->addr, text);
	log_printf(&f->log, LOG_BACKEND_OPEN, "%d %s.%s %s %u %s",
	    conn->src.fd, b->program_name, b->name, text,
	    addr_port(&conn->addr), conn->reused ? "reuse" : "connect");
	fetch_event(f, "Connected");
	return FS_ANSWER;
}

void
fetch_conn_done(struct fetching *x, bool keep)
{
	struct fetch *f = x->f;

	if (x->up.conn == NULL)
		return;
	keep = keep && !f->closes;
	log_printf(&f->log, LOG_BACKEND_CLOSE, "%d %s %s",
	    x->up.conn->src.fd, f->origin->name, keep ? "recycle" : "close");
	f->sent_head += x->up.sent_head;
	f->sent_body += x->up.sent_body;
	backend_conn_put(&x->up.conn, keep);
}

/* Since its connection was asked for. */
static double
seconds_since_asked(const struct fetching *x)
{
	return (double)(loop_now(x->f->core->loop) - x->up.conn->began) / 1e9;
}

/* As if nothing had been asked. */
static void
forget_answer(struct fetching *x)
{
	struct fetch *f = x->f;

	fetch_conn_done(x, false);
	f->failure = FAILURE_NONE;
	f->origin = NULL;
	f->was_304 = false;
	f->tags = STR_NULL;
	filters_free(&f->filters);
	object_unref(&f->obj);
	f->reads_esi = false;
	f->uncacheable = f->is_pass;
	f->make_hitpass = false;
	f->do_stream = true;
	f->do_encode = true;
	f->ctx.body = (struct vcl_buf){0};
	x->again = false;
}

static enum fetch_step
step_answer(struct fetching *x)
{
	struct fetch *f = x->f;
	enum upstream_error e;

	COUNT_INC(backend_req);
	if (x->asked != f->origin)
		retry_budget_earn(&f->origin->retry_budget,
		    params->retry_budget);
	x->asked = f->origin;
	atomic_fetch_add_explicit(&f->origin->requests, 1,
	    memory_order_relaxed);
	e = upstream_send_head(&x->up, &f->bereq, &f->ws);
	if (e == UP_OK && f->has_body)
		e = fetch_send_body(x);
	/* an origin may answer before it has read all, and close */
	x->early = (e == UP_SEND || e == UP_ANSWERED) && f->has_body;
	if (e == UP_OK || x->early) {
		fetch_event(f, "Bereq");
		e = fetch_read_answer(x);
	}
	if (e == UP_OK) {
		backend_answered(f->origin, seconds_since_asked(x), false);
		/* it may be left out (RFC 9112 4); policy wants one */
		if (f->beresp.reason.len == 0)
			f->beresp.reason =
			    str_from_z(http_reason(f->beresp.status));
		f->got_status = f->beresp.status;
		fetch_event(f, "Beresp");
		log_put(&f->log, LOG_BERESP_PROTOCOL, STR("HTTP/1.1"));
		log_status(&f->log, LOG_BERESP_STATUS, f->beresp.status);
		log_put(&f->log, LOG_BERESP_REASON, f->beresp.reason);
		log_head_fields(&f->log, LOG_BERESP_HEADER, &f->beresp);
		fetch_strip_beresp(f);
		f->ctx.http[VCL_HTTP_BERESP] = &f->beresp;
		switch (fetch_blocks_answer(f)) {
		case ANSWER_PLAIN:
			break;
		case ANSWER_FILL:
			fetch_combine(f);
			return FS_BLOCKS;
		case ANSWER_AGAIN:
			forget_answer(x);
			return FS_FETCH;
		case ANSWER_CHANGED:
			fetch_conn_done(x, false);
			f->blocks.changed = true;
			return fetch_give_up(f, FAILURE_BODY_CUT,
			    "what was stored a part of has changed");
		case ANSWER_BAD:
			fetch_conn_done(x, false);
			return fetch_fail_with(f, FAILURE_BAD_RESPONSE,
			    "not the part that was asked for");
		}
		if (f->beresp.status == 304 && f->stale != NULL)
			return FS_REFRESH;
		if (f->beresp.status == 304 && !f->is_pass) {
			fetch_conn_done(x, false);
			return fetch_fail_with(f, FAILURE_BAD_RESPONSE,
			    "304 to what was no condition");
		}
		return FS_RESPONSE;
	}
	if ((e == UP_CLOSED_EARLY || e == UP_SEND) && x->up.conn->reused &&
	    !x->again && may_send_again(f) && may_retry(x, f->origin)) {
		fetch_conn_done(x, false);
		x->again = true;
		COUNT_INC(backend_retry);
		return FS_CONNECT;
	}
	if (e == UP_CLIENT) {
		fetch_conn_done(x, false);
		return fetch_give_up(f, FAILURE_CLIENT_BODY,
		    "the client's body was cut short");
	}
	if (e == UP_BAD_HEAD && x->up.have > 0)
		log_put(&f->log, LOG_HTTP_GARBAGE, str_of(x->up.buf,
		    x->up.have < 200 ? x->up.have : 200));
	backend_answered(f->origin, seconds_since_asked(x), true);
	e = e == UP_OK ? UP_SEND : e;
	fetch_conn_done(x, false);
	return fetch_fail_with(f, failure_of_upstream(e),
	    upstream_error_text(&x->up, e));
}

/* 304: what we have is still good (RFC 9111 4.3). */
static enum fetch_step
step_refresh(struct fetching *x)
{
	struct fetch *f = x->f;
	enum vcl_ret ret;
	bool ok;

	COUNT_INC(fetch_304);
	f->was_304 = true;
	f->ctx.http[VCL_HTTP_OBJ_STALE] = &f->stale->http;
	f->tags = f->stale->tags;
	fetch_conn_done(x, f->framing.keep_alive && x->up.have == x->up.at);
	fetch_freshness(f);
	ret = program_call(&f->ctx, VCL_SUB_BACKEND_REFRESH);
	switch (ret) {
	case VCL_RET_MERGE:
		ok = fetch_merge_304(f);
		break;
	case VCL_RET_OBJ_STALE:
		ok = fetch_use_stale(f);
		break;
	case VCL_RET_BERESP:
		ok = fetch_use_beresp(f);
		break;
	case VCL_RET_RETRY:
		return FS_RETRY;
	case VCL_RET_ERROR:
		return vcl_error(f);
	default:
		return fetch_vcl_ended(f, ret);
	}
	if (!ok)
		return fetch_fail_with(
		    f, FAILURE_WORKSPACE, "workspace_backend full");
	return FS_RESPONSE;
}

/* Before the client has the answer (RFC 9875 3). */
static void
invalidate_groups(struct fetch *f)
{
	char err[BAN_ERR_LEN];
	struct purged done;
	struct str tags;

	if (http_is_safe(f->bereq.method) || f->beresp.status >= 400)
		return;
	if (!tags_of_invalidation(f, &tags))
		log_put(&f->log, LOG_ERROR,
		    STR("Cache-Group-Invalidation: workspace_backend full"));
	else if (tags.len > 0 &&
	    tags_purge_list(tags, false, &done, err) != 0)
		log_put(&f->log, LOG_ERROR, str_from_z(err));
	else if (tags.len > 0)
		inval_audit(&f->log, "tags", tags, &done);
}

static enum fetch_step
step_response(struct fetching *x)
{
	struct fetch *f = x->f;
	enum vcl_ret ret;

	invalidate_groups(f);
	fetch_freshness(f);
	f->ctx.pass_ttl = -1;
	ret = program_call(&f->ctx, VCL_SUB_BACKEND_RESPONSE);
	switch (ret) {
	case VCL_RET_DELIVER:
		if (!fetch_may_hide_error(f))
			return FS_BODY;
		fetch_conn_done(x, false);
		fetch_serve_stale(f, "the origin answered with an error");
		return FS_DONE;
	case VCL_RET_PASS:
		f->uncacheable = true;
		f->make_hitpass = true;
		if (f->ctx.pass_ttl >= 0) {
			f->ttl = f->ctx.pass_ttl + f->age;
			f->grace = f->keep = 0;
		}
		return FS_BODY;
	case VCL_RET_RETRY:
		return FS_RETRY;
	case VCL_RET_ERROR:
		fetch_conn_done(x, false);
		return vcl_error(f);
	default:
		fetch_conn_done(x, false);
		return fetch_vcl_ended(f, ret);
	}
}

static bool
has_no_body(const struct fetch *f)
{
	return f->framing.body == H1_NONE ||
	    (f->framing.body == H1_LENGTH && f->framing.length == 0);
}

/* When all of a response was read: may another request follow it? */
static bool
is_as_new(const struct fetching *x)
{
	const struct h1_framing *m = &x->f->framing;

	return m->keep_alive && m->body != H1_UNTIL_CLOSE && !x->up.eof &&
	    x->up.have == x->up.at && !x->early;
}

static enum fetch_step
step_retry(struct fetching *x)
{
	struct fetch *f = x->f;

	/* an origin that fails may close without a word: then it must not
	 * be a request that can't be sent again */
	fetch_conn_done(x, has_no_body(f) && is_as_new(x) &&
	    may_send_again(f));
	/* from vcl_backend_error there is no way back to it: see there */
	if (f->retries >= params->max_retries) {
		log_put(&f->log, LOG_VCL_ERROR,
		    STR("Too many retries, failing"));
		return fetch_fail_with(f, FAILURE_RETRIES, "too many retries");
	}
	if (f->body_sent)
		return fetch_give_up(f, FAILURE_BODY_SENT,
		    "the request's body can't be sent again");
	f->retries++;
	forget_answer(x);
	/* as vcl_backend_response or _error left it */
	http_copy(&f->bereq0, &f->bereq);
	fetch_event(f, "Retry");
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
		return fetch_fail_with(
		    f, FAILURE_MEMORY, "the stored body is gone");
	fetch_publish(f, cacheable);
	fetch_refresh_stored(f);
	if (cacheable && f->obj->store_seq == 0 && f->obj->body.flat != NULL)
		fetch_store(f);
	return FS_DONE;
}

static bool
has_body(const struct fetch *f)
{
	return f->framing.body != H1_NONE &&
	    (f->framing.body != H1_LENGTH || f->framing.length > 0);
}

static bool
start_filters(struct fetch *f)
{
	struct str list = filters_of_fetch(f), rest = list;
	enum filter_id id;

	f->length_stays = true;
	while (filters_next(&rest, &id)) {
		f->length_stays &= id == FILTER_TESTGUNZIP || id == FILTER_ESI;
		f->reads_esi |= id == FILTER_ESI || id == FILTER_ESI_GZIP;
	}
	return filters_change_head(list, &f->beresp, &f->ws) &&
	    filters_new(list, &f->filters) == FILTERS_OK;
}

static enum fetch_step
step_body(struct fetching *x)
{
	struct fetch *f = x->f;
	enum upstream_error e;
	bool cacheable;

	if (!f->was_304 && has_body(f) && !start_filters(f)) {
		fetch_conn_done(x, false);
		return fetch_fail_with(
		    f, FAILURE_MEMORY, "no memory for filters");
	}
	/* it is no answer to GET */
	if (str_eq(f->bereq.method, STR("HEAD")))
		f->no_store = true;
	search_key_learn(f);
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
		fetch_conn_done(x, false);
		return fetch_give_up(f, FAILURE_MEMORY, "out of memory");
	}
	fetch_late_claim(f);
	if (f->was_304)
		return body_of_stale(f);
	cacheable = fetch_is_cacheable(f);
	switch (fetch_blocks_choose(f, cacheable)) {
	case BLOCKS_NO:
		break;
	case BLOCKS_YES:
		return FS_BLOCKS;
	case BLOCKS_AGAIN:
		forget_answer(x);
		return FS_FETCH;
	case BLOCKS_NO_MEMORY:
		fetch_conn_done(x, false);
		return fetch_give_up(f, FAILURE_MEMORY, "out of memory");
	}
	if (!cacheable) {
		atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
		fetch_let_others_go(f);
	}
	if (f->framing.body == H1_NONE)
		f->obj->body.expected = 0;
	else if (f->framing.body == H1_LENGTH && f->length_stays)
		f->obj->body.expected = (int64_t)f->framing.length;
	if (str_eq(f->bereq.method, STR("HEAD")))
		atomic_fetch_or(&f->obj->flags, OBJ_HEAD_ONLY);
	/* a page with ESI is read as a whole, up to that size */
	if (!cacheable && (f->framing.body == H1_LENGTH ?
	    f->framing.length > params->fetch_window :
	    f->framing.body != H1_NONE && !f->reads_esi)) {
		f->obj->body.windowed = true;
		if (f->reads_esi)
			esi_is_read_later(f);
	}
	body_counters(f);
	log_printf(&f->log, LOG_STORAGE, "%s %s",
	    !cacheable ? "pass" :
	    f->obj->stevedore->store != NULL ? "lmdb" : "ram",
	    cacheable ? f->obj->stevedore->name : "-");
	/* a window can't be filled before somebody reads */
	if ((f->do_stream && !f->reads_esi && !fetch_is_hidden(f)) ||
	    f->obj->body.windowed)
		fetch_publish(f, cacheable);
	trailers_begin(f, &x->up);
	e = fetch_body(f, &x->up);
	if (e != UP_OK) {
		fetch_conn_done(x, false);
		if (atomic_load(&f->state) != FETCH_READY)
			return fetch_fail_with(f, failure_of_upstream(e),
			    upstream_error_text(&x->up, e));
		f->error = upstream_error_text(&x->up, e);
		log_put(&f->log, LOG_FETCH_ERROR, str_from_z(f->error));
		COUNT_INC(fetch_failed);
		return FS_DONE;
	}
	fetch_event(f, "BerespBody");
	fetch_conn_done(x, is_as_new(x));
	if (atomic_load(&f->state) == FETCH_RUNNING)
		fetch_publish(f, cacheable);
	return FS_DONE;
}

/* A head that was made now, or blocks of one that was there. */
static enum fetch_step
step_blocks(struct fetching *x)
{
	struct fetch *f = x->f;
	enum upstream_error e;

	if (!fetch_blocks_open(f)) {
		fetch_conn_done(x, false);
		return fetch_give_up(f, FAILURE_MEMORY, "out of memory");
	}
	body_counters(f);
	if (f->blocks.head != NULL) {
		f->req = NULL;
		fetch_set_state(f, FETCH_READY);
	} else {
		fetch_publish(f, true);
		fetch_store(f);
	}
	e = fetch_blocks_fill(f, &x->up);
	if (e != UP_OK) {
		f->error = upstream_error_text(&x->up, e);
		log_put(&f->log, LOG_FETCH_ERROR, str_from_z(f->error));
		COUNT_INC(fetch_failed);
	}
	fetch_event(f, "BerespBody");
	fetch_conn_done(x, e == UP_OK && f->framing.keep_alive && !x->up.eof &&
	    f->framing.body == H1_LENGTH && x->up.left == 0 &&
	    x->up.have == x->up.at);
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
		[FS_BLOCKS] = step_blocks,
		[FS_RETRY] = step_retry,
		[FS_ERROR] = fetch_step_error,
		[FS_FAIL] = fetch_step_fail,
	};
	struct fetching x = {.f = arg};
	struct fetch *f = arg;
	enum fetch_step step = FS_FETCH;

	if (!fetch_make_conditional(f))
		step = fetch_fail_with(
		    f, FAILURE_WORKSPACE, "workspace_backend full");
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
