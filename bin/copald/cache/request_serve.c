/*
 * request_serve.c - the beginning and the end of a request: its memory, what it
 * is before policy sees it, its place in the log; and a dry run of it.
 */
#include <string.h>

#include "coding.h"
#include "core.h"
#include "counters.h"
#include "deliver.h"
#include "fetch_head.h"
#include "forwarded.h"
#include "memory.h"
#include "params.h"
#include "program.h"
#include "request_impl.h"
#include "stream.h"
#include "worker.h"

/*
 * What Connection names is not for who comes next (RFC 9110 7.6.1).  It goes
 * before policy runs: else a client could name, and so take away, what policy
 * says to the origin.
 */
static void
strip_named(struct request *req)
{
	struct http *h = &req->http;
	struct str connection = http_get_list(h, FIELD_CONNECTION, &req->ws);

	if (connection.p == NULL || str_caseeq(connection, STR("keep-alive")) ||
	    str_caseeq(connection, STR("close")))
		return;
	for (unsigned i = 0; i < h->field_n;) {
		const struct field *f = &h->field[i];

		/* what ends here in any case, policy may look at */
		if (http_is_hop_by_hop(f, connection) &&
		    !http_is_hop_by_hop(f, STR_NULL))
			http_remove_at(h, i);
		else
			i++;
	}
}

/* Before policy: what every policy would do. */
bool
request_prepare(struct request *req)
{
	struct http *h = &req->http;

	strip_named(req);
	return forwarded_put(req) &&
	    http_join(h, FIELD_CACHE_CONTROL, &req->ws);
}

/*
 * Policy has seen what the client takes, and a pass sends it as it is: what is
 * looked up is in gzip, or not.  What policy made of it stays.
 */
bool
request_normalise_coding(struct request *req)
{
	struct http *h = &req->http;
	struct str v = http_get(h, FIELD_ACCEPT_ENCODING);

	if (v.p == NULL || !params->http_gzip_support ||
	    !str_eq(v, http_get(&req->received, FIELD_ACCEPT_ENCODING)))
		return true;
	if (accepts_coding(h, CODING_GZIP))
		return http_set_known(h, FIELD_ACCEPT_ENCODING, STR("gzip"));
	http_unset(h, FIELD_ACCEPT_ENCODING);
	return true;
}

/* The request as a program finds it; nothing was said yet. */
void
request_begin_policy(struct request *req)
{
	const struct stream_timeouts *t = &req->stream->timeouts;
	struct vcl_ctx *ctx = &req->ctx;

	vcl_ctx_init(ctx, &req->ws, &req->log, req->program);
	ctx->req = req;
	ctx->sess = (struct vcl_sess){.timeout_idle = t->idle,
	    .timeout_linger = -1, .send_timeout = t->send,
	    .idle_send_timeout = t->idle_send};
	ctx->now = loop_wall(req->core->loop);
	ctx->http[VCL_HTTP_REQ] = &req->http;
	ctx->http[VCL_HTTP_REQ_TOP] = &req->top->http;
	ctx->original_req = ctx->http[VCL_HTTP_REQ0] = &req->received;
	req->client_identity = STR_NULL;
	req->backend_hint = NULL;
	req->storage = NULL;
	req->ttl_limit = req->grace_limit = req->error_limit = -1;
	req->only_shared = req->no_store = false;
	req->esi = true;
	req->hash_always_miss = req->hash_ignore_busy =
	    req->hash_ignore_vary = req->trace = false;
}

void
request_log(struct request *req, enum log_reason reason)
{
	req->log.reason = reason;
	log_timestamp(&req->log, "Start", req->t_start, req->t_start,
	    req->t_start);
	log_req_start(&req->log, req->client_host, addr_port(req->client),
	    str_from_z(req->listener_name));
	if (req->program != NULL)
		log_put(&req->log, LOG_VCL_USE,
		    str_from_z(program_name(req->program)));
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

	request_event(req, "Resp");
	log_acct(&req->log, LOG_REQ_ACCT, s->head.len, s->body_received,
	    s->head_sent, s->body_sent);
	log_txn_end(&req->log);
}

void
request_rollback(struct request *req)
{
	http_copy(&req->http, &req->received);
}

/* Of a stream whose client we wait for. */
static bool
is_overdue(void *arg)
{
	struct request *req = arg;

	if ((req->obj == NULL || !body_is_overdue(&req->obj->body)) &&
	    (req->block == NULL || !body_is_overdue(&req->block->body)))
		return false;
	log_put(&req->log, LOG_ERROR,
	    STR("too slow: the store wants back what is read"));
	COUNT_INC(store_cut_off);
	return true;
}

/*
 * The stream's request; its memory: struct, log buffer, workspace.  page: it
 * is an include of this one; NULL: it is a client's.
 */
static struct request *
request_new(struct stream *s, struct request *page)
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
	req->top = req;
	if (page != NULL) {
		req->top = page->top;
		req->page = page->page;
		req->esi_level = page->esi_level + 1;
	}
	req->xid = core_xid(c);
	req->sess_xid = s->sess_xid;
	req->t_received = req->t_start = req->t_last = s->t_first;
	req->framing = s->framing;
	req->peer = s->peer;
	req->local = s->local;
	req->client = s->client;
	req->server = s->server;
	addr_host(req->client, req->client_text);
	req->client_host = str_from_z(req->client_text);
	req->listener_name = s->listener->name;
	log_txn_begin(&req->log, c->ring, LOG_KIND_REQUEST, req->xid,
	    page != NULL ? page->xid : s->sess_xid, (char *)s->mem + at,
	    (uint32_t)log);
	at += log;
	at = (at + 15) & ~(size_t)15;
	arena_init(&req->ws, (char *)s->mem + at, s->mem_len - at);
	arena_allow_large(&req->ws, WS_LARGE_HEADS * params->http_resp_size,
	    memory_take);
	/* an include begins where the client's request did */
	req->program = page == NULL ? program_ref_active() :
	    program_ref(req->top->first_program != NULL ?
	    req->top->first_program : req->top->program);
	s->is_overdue = is_overdue;
	s->overdue_arg = req;
	request_begin_policy(req);
	return req;
}

static void
request_free(struct request *req)
{
	req->stream->is_overdue = NULL;
	vcl_ctx_end(&req->ctx);
	program_unref(&req->program);
	program_unref(&req->first_program);
	arena_reset(&req->ws);
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
	request_free(req);
}

/* Without policy; the body, if there is one, is not read. */
static void
refuse(struct request *req, unsigned status, struct str reason)
{
	req->stream->close = true;
	if (deliver_synth_head(req, status, reason))
		deliver_bytes(req, STR(""));
	else
		req->stream->ops->abort(req->stream);
}

/* RFC 9110 10.1.1: nothing else than 100 is known, nor passed on. */
static bool
expects_the_unknown(const struct http *h)
{
	static const struct field_name name = {.id = FIELD_EXPECT};

	if (h->version < 11)
		return false;
	for (int i = http_find(h, &name, 0); i >= 0;
	    i = http_find(h, &name, (unsigned)i + 1)) {
		struct str list = str_of(h->field[i].value,
		    h->field[i].value_len), item;

		while (str_next_item(&list, &item))
			if (!str_caseeq(item, STR("100-continue")))
				return true;
	}
	return false;
}

static void
serve(struct request *req, enum log_reason reason)
{
	struct stream *s = req->stream;

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
	request_log(req, reason);
	req->ws_mark = arena_snapshot(&req->ws);
	if (req->program == NULL)
		refuse(req, 503, STR("No VCL loaded"));
	else if (expects_the_unknown(&req->http))
		refuse(req, 417, STR_NULL);
	else if (!request_prepare(req))
		request_step_fail(req);
	else
		request_run(req);
	request_end(req);
}

void
request_serve(struct stream *s)
{
	COUNT_INC(client_req);
	serve(request_new(s, NULL), LOG_REASON_RXREQ);
}

void
request_include(struct stream *s, struct request *page)
{
	struct request *req = request_new(s, page);

	log_link(&page->log, LOG_KIND_REQUEST, req->xid, LOG_REASON_ESI);
	serve(req, LOG_REASON_ESI);
}

void
request_abandon(struct request *req)
{
	req->abandoned = true;
}

void
request_explain(struct stream *s, explain_fn *fn, void *priv)
{
	struct request *req = request_new(s, NULL);
	enum request_step step = STEP_FAIL;

	req->log.ring = NULL;
	if (req->program != NULL && http_init(&req->http, &req->ws,
	    params->http_max_hdr + FIELDS_OWN)) {
		req->received = s->http;
		http_copy(&req->http, &req->received);
		req->method_received = req->http.method;
		req->ws_mark = arena_snapshot(&req->ws);
		if (request_prepare(req))
			step = STEP_RECV;
	}
	for (;;) {
		enum request_step before = step;

		/* switch_program() makes another context */
		req->ctx.dry = true;
		req->ctx.where = NULL;
		if (step == STEP_RECV)
			step = request_step_recv(req);
		else if (step == STEP_HASH)
			step = request_step_hash(req);
		else
			break;
		fn(priv, req, before, step);
	}
	fn(priv, req, step, STEP_DONE);
	request_drop_objects(req);
	request_free(req);
}
