/*
 * deliver.c - the response on its way out (RFC 9110 13; 9111 4).
 */
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "core.h"
#include "counters.h"
#include "deliver.h"
#include "deliver_range.h"
#include "encodings.h"
#include "esi_page.h"
#include "filters.h"
#include "forwarded.h"
#include "hops.h"
#include "http_date.h"
#include "http_semantics.h"
#include "memory.h"
#include "params.h"
#include "stevedore.h"
#include "stream.h"
#include "tags.h"
#include "trailers.h"

/* "<v>" in decimal at the end of buf; no printf on the hit path */
static struct str
decimal(char buf[20], uint64_t v)
{
	char *p = buf + 20;

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return str_of(p, (size_t)(buf + 20 - p));
}

static bool
set_number(struct request *req, enum field_id id, uint64_t v)
{
	char buf[20];
	struct str s = arena_strdup(&req->ws, decimal(buf, v));

	return s.p != NULL && http_set_known(&req->resp, id, s);
}

void
deliver_set_length(struct request *req, uint64_t len)
{
	set_number(req, FIELD_CONTENT_LENGTH, len);
}

/* What policy saw as 200; the log's readers go by the last one. */
void
deliver_set_status(struct request *req, uint16_t status)
{
	req->resp.status = status;
	req->resp.reason = str_from_z(http_reason(status));
	log_status(&req->log, LOG_RESP_STATUS, status);
	log_put(&req->log, LOG_RESP_REASON, req->resp.reason);
}

static bool
set_ids(struct request *req)
{
	char buf[41], d[20];
	struct str s = decimal(d, req->xid);
	size_t n = s.len;

	memcpy(buf, s.p, n);
	if (req->is_hit) {
		s = decimal(d, req->obj->xid);
		buf[n++] = ' ';
		memcpy(buf + n, s.p, s.len);
		n += s.len;
	}
	s = arena_strdup(&req->ws, str_of(buf, n));
	return s.p != NULL && http_set_known(&req->resp, FIELD_X_COPAL, s);
}

/* version: by which the response came */
static bool
set_via(struct request *req, unsigned version)
{
	return hops_count(&req->resp, version, &req->ws);
}

static bool
resp_init(struct request *req)
{
	if (!http_init(&req->resp, &req->ws,
	    params->http_max_hdr + FIELDS_OWN))
		return false;
	req->ctx.http[VCL_HTTP_RESP] = &req->resp;
	return true;
}

/* What was only for the one who asked first (RFC 9111 5.2.2.4, 5.2.2.7). */
static void
drop_listed(struct http *h)
{
	for (unsigned i = 0; i < h->field_n;) {
		const struct field *f = &h->field[i];

		if (cache_control_lists(h, str_of(f->name, f->name_len)))
			http_remove_at(h, i);
		else
			i++;
	}
}

bool
deliver_head(struct request *req)
{
	struct object *o = req->obj;
	double now = loop_wall(req->core->loop);

	if (!resp_init(req))
		return false;
	http_copy(&req->resp, &o->http);
	req->resp.version = 11;
	req->do_esi = req->esi && object_is(o, OBJ_ESI);
	req->esi_include_onerror = params->esi_include_onerror;
	/*
	 * Stripped as to be stored. Policy sees the Content-Length of what is
	 * stored; the framing is made anew (deliver_object()).
	 */
	http_unset(&req->resp, FIELD_X_COPAL_BLOCKS);
	/* who answers Range says so: we do, but for a pass */
	if (!req->is_pass)
		http_unset(&req->resp, FIELD_ACCEPT_RANGES);
	if (req->is_hit && object_is(o, OBJ_HAS_LISTS))
		drop_listed(&req->resp);
	if (params->surrogate_control_strip)
		http_unset(&req->resp, FIELD_SURROGATE_CONTROL);
	if (!filters_add_vary(o, &req->resp, &req->ws))
		return false;
	/* what vcl_backend_error was told, and may have been kept */
	if (object_is(o, OBJ_SYNTH) && !forwarded_may_ask(req->client))
		http_unset(&req->resp, FIELD_PROXY_STATUS);
	if (params->tag_headers_strip)
		tags_strip(&req->resp);
	return !req->resp.overflow && set_ids(req) &&
	    set_number(req, FIELD_AGE, (uint64_t)object_age(o, now)) &&
	    (http_get(&req->resp, FIELD_DATE).p != NULL ||
	    http_add_known(&req->resp, FIELD_DATE,
	    arena_strdup(&req->ws, core_date(req->core)))) &&
	    set_via(req, o->http.version) && cache_status_put(req);
}

bool
deliver_synth_head(struct request *req, unsigned status, struct str reason)
{
	if (!resp_init(req))
		return false;
	req->resp.status = (uint16_t)status;
	/* 2404 is sent as 404, and policy can tell it from others */
	req->resp.reason = reason.p != NULL ? reason :
	    str_from_z(http_reason(status % 1000));
	req->resp.version = 11;
	return http_add_known(&req->resp, FIELD_DATE,
	    arena_strdup(&req->ws, core_date(req->core))) &&
	    http_add_known(&req->resp, FIELD_SERVER, STR("Copal")) &&
	    set_ids(req) && set_via(req, 11) &&
	    (!forwarded_may_ask(req->client) ||
	    cache_status_failed(&req->resp, req->failure, &req->ws));
}

/* --- conditions ---------------------------------------------------------- */

bool
deliver_precondition_fails(struct request *req, const struct http *h)
{
	struct str im = http_get_list(&req->http, FIELD_IF_MATCH, &req->ws);
	struct str ius, lm = http_get(h, FIELD_LAST_MODIFIED);
	double since, modified;

	if (im.p != NULL) {
		struct str etag = http_get(h, FIELD_ETAG);

		return !str_eq(im, STR("*")) &&
		    (etag.p == NULL || !etag_list_has(im, etag, false));
	}
	ius = http_get(&req->http, FIELD_IF_UNMODIFIED_SINCE);
	if (ius.p == NULL || lm.p == NULL)
		return false;
	since = http_date_parse(ius, req->ctx.now);
	modified = http_date_parse(lm, req->ctx.now);
	return since > 0 && modified > 0 && modified > since;
}

/*
 * Last-Modified; without it, for a stored response, when it was made or came
 * (RFC 9111 4.3.2).
 */
static double
modified_at(const struct request *req)
{
	struct str lm = http_get(&req->resp, FIELD_LAST_MODIFIED), date;
	double t = 0;

	if (lm.p != NULL)
		return http_date_parse(lm, req->ctx.now);
	date = http_get(&req->obj->http, FIELD_DATE);
	if (date.p != NULL)
		t = http_date_parse(date, req->ctx.now);
	return t != 0 ? t : floor(req->obj->t_origin);
}

/* Is the client's copy still good (RFC 9110 13.1.2, 13.1.3, 13.2.2)? */
static bool
is_not_modified(struct request *req)
{
	struct str inm = http_get_list(&req->http, FIELD_IF_NONE_MATCH,
	    &req->ws);
	struct str ims;
	double since, modified;

	if (inm.p != NULL) {
		struct str etag = http_get(&req->resp, FIELD_ETAG);

		return etag.p != NULL ? etag_list_has(inm, etag, true) :
		    str_eq(inm, STR("*"));
	}
	ims = http_get(&req->http, FIELD_IF_MODIFIED_SINCE);
	if (ims.p == NULL)
		return false;
	since = http_date_parse(ims, req->ctx.now);
	modified = modified_at(req);
	return since > 0 && modified > 0 && modified <= since;
}

/* What conditions are about (RFC 9110 13.2.1). */
static bool
is_retrieval(const struct request *req)
{
	return str_eq(req->http.method, STR("GET")) ||
	    str_eq(req->http.method, STR("HEAD")) || req->is_query;
}

/* Accept-Ranges, Content-Range, Content-Length: their lines, their values. */
enum { LATE_FIELDS = 3, LATE_BYTES = 300 };

bool
deliver_has_room(const struct request *req)
{
	const struct http *h = &req->resp;

	/* twice: the stream writes the head into the workspace */
	return !h->overflow && h->field_cap - h->field_n >= LATE_FIELDS &&
	    arena_fits(&req->ws, http_response_size(h) + 2 * LATE_BYTES);
}

/* --- body ---------------------------------------------------------------- */

void
deliver_finish(struct request *req)
{
	struct stream *s = req->stream;

	/* of a page's parts only the page is sent */
	if (s->ops->finish(s) == 0 && req->esi_level == 0)
		COUNT_ADD(s_resp_bodybytes, (int64_t)s->body_sent);
}

/*
 * The body can't be had to its end.  As long as no byte of the response is sent
 * it can still be another one; then the client must see that it was cut.
 */
void
deliver_cut(struct request *req, enum failure why)
{
	struct stream *s = req->stream;

	if (s->head_out || s->failed || req->esi_level > 0 ||
	    req->page != NULL) {
		s->ops->abort(s);
		return;
	}
	req->undelivered = memory_has_room(MEMORY_FETCH, 0) ? why :
	    FAILURE_MEMORY;
}

/*
 * The head goes out with the first bytes of the body, unless these take so
 * long: a client may act on the head alone (an event stream).  While there is
 * no memory for them it stays, as the body may not come at all.
 */
enum { HEAD_PATIENCE_MS = 20 };

static int
head_goes_ahead(struct request *req, uint64_t at)
{
	struct stream *s = req->stream;
	struct body *b = &req->obj->body;

	if (atomic_load(&b->state) == BODY_COMPLETE ||
	    object_is(req->obj, OBJ_BLOCKS))
		return 0;
	do {
		if (body_wait(b, at, loop_now(req->core->loop) +
		    NSEC_MS(HEAD_PATIENCE_MS)) != BODY_GET_TIMEOUT)
			return 0;
	} while (!memory_has_room(MEMORY_FETCH, 0));
	return s->ops->write(s, "", 0, false);
}

/*
 * How far ahead of a client the disk reads: what he takes in a quarter of a
 * second, by his pace so far.  A slow one has a little, so that many of them
 * don't drive each other's pages out.
 */
enum { AHEAD_FIRST = 256 << 10, AHEAD_MAX = 8 << 20, AHEAD_MS = 250 };

static uint64_t
ahead_of(uint64_t sent, nsec_t took)
{
	uint64_t n;

	if (sent == 0)
		return AHEAD_FIRST;
	n = (uint64_t)((double)sent / (double)(took + NSEC_MS(1)) *
	    (double)NSEC_MS(AHEAD_MS));
	return n < AHEAD_MAX ? n : AHEAD_MAX;
}

static void
read_ahead(struct request *req, uint64_t at, uint64_t end, uint64_t len)
{
	body_ahead(&req->obj->body, at, len < end - at ? len : end - at);
}

/* Bytes of the body, wherever they are; none behind end is needed. */
static enum body_get
get(struct request *req, uint64_t at, uint64_t end, bool in_memory,
    struct body_view *v)
{
	struct object *o = req->obj;

	return object_is(o, OBJ_BLOCKS) ?
	    blocks_get(req, at, end, in_memory, v) :
	    body_get(&o->body, o->stevedore, at, in_memory, esi_deadline(req),
	    v);
}

bool
deliver_part(struct request *req, uint64_t at, uint64_t end, bool more)
{
	struct stream *s = req->stream;
	struct object *o = req->obj;
	struct body_view v;
	uint64_t from = at;
	nsec_t start = loop_now(req->core->loop);

	/* what is before a range need not wait for us */
	if (req->reading && at > 0)
		body_reader_at(&o->body, &req->reader, at);
	if (head_goes_ahead(req, at) != 0) {
		s->ops->abort(s);
		return false;
	}
	while (at < end) {
		nsec_t began = loop_now(req->core->loop);
		enum body_get got = get(req, at, end, false, &v);
		size_t n;
		int r;

		esi_waited(req, began);
		switch (got) {
		case BODY_GET_OK:
			break;
		case BODY_GET_END:
			if (end == UINT64_MAX) {
				trailers_put(req);
				return true;
			}
			/* shorter than it said */
			/* FALLTHROUGH */
		case BODY_GET_FAILED:
		case BODY_GET_TIMEOUT:
			log_put(&req->log, LOG_ERROR,
			    STR("body cut short"));
			deliver_cut(req, FAILURE_BODY_CUT);
			return false;
		}
		n = v.len < end - at ? v.len : (size_t)(end - at);
		if (v.p == NULL)
			read_ahead(req, at + n, end, ahead_of(at - from,
			    loop_now(req->core->loop) - start));
		if (v.p != NULL)
			r = s->ops->write(s, v.p, n, more);
		else
			r = s->ops->sendfile(s, v.fd, v.offset, n, more);
		body_view_release(&v);
		if (r == STREAM_BAD_FILE) { /* the next client gets another */
			log_put(&req->log, LOG_ERROR,
			    STR("body can't be read from disk"));
			stevedore_drop(o->stevedore, o);
		}
		if (r != 0) {
			s->ops->abort(s);
			return false;
		}
		at += n;
		if (req->reading)
			body_reader_at(&o->body, &req->reader, at);
	}
	return true;
}

/* --- body through filters ------------------------------------------------ */

/* A filter_sink: what comes out is sent. */
static bool
send_out(void *priv, const char *p, size_t len)
{
	struct request *req = priv;

	return req->stream->ops->write(req->stream, p, len, false) == 0;
}

/* All of the body through the filters. */
static enum filters_result
run_filters(struct request *req, struct filters *f)
{
	struct object *o = req->obj;
	struct body_view v;
	uint64_t at = 0;

	for (;;) {
		nsec_t began = loop_now(req->core->loop);
		enum body_get got = get(req, at, UINT64_MAX, true,
		    &v);
		enum filters_result r;

		esi_waited(req, began);
		switch (got) {
		case BODY_GET_OK:
			break;
		case BODY_GET_END:
			return filters_run(f, STR(""), true, send_out, req);
		case BODY_GET_FAILED:
		case BODY_GET_TIMEOUT:
			return FILTERS_BAD;
		}
		r = filters_run(f, str_of(v.p, v.len), false, send_out, req);
		at += v.len;
		body_view_release(&v);
		if (r != FILTERS_OK)
			return r;
		if (req->reading)
			body_reader_at(&o->body, &req->reader, at);
	}
}

/* The length is not known before the end. */
static void
send_filtered(struct request *req, struct filters **f)
{
	struct stream *s = req->stream;
	enum filters_result r;

	if (s->ops->head(s, &req->resp, STREAM_UNKNOWN, 0, &req->ws) == 0) {
		r = run_filters(req, *f);
		if (r == FILTERS_OK) {
			deliver_finish(req);
		} else {
			if (r != FILTERS_STOP)
				log_put(&req->log, LOG_ERROR,
				    str_from_z(filters_text(r)));
			deliver_cut(req, r == FILTERS_NO_MEMORY ?
			    FAILURE_MEMORY : FAILURE_BAD_ENCODING);
		}
	}
	filters_free(f);
}

/* -1: not known yet */
static int64_t
length_of(const struct object *o)
{
	if (atomic_load(&o->body.state) == BODY_COMPLETE)
		return (int64_t)o->body.len;
	return o->body.expected;
}

static void
send_no_body(struct request *req)
{
	struct stream *s = req->stream;

	if (s->ops->head(s, &req->resp, STREAM_NO_BODY, 0, &req->ws) == 0)
		s->ops->finish(s);
}

static bool
status_has_no_body(unsigned status)
{
	return status < 200 || status == 204 || status == 304;
}

/* What policy said of the connection, from this response on. */
static void
set_connection(struct request *req)
{
	const struct vcl_sess *v = &req->ctx.sess;

	req->stream->timeouts = (struct stream_timeouts){
	    .idle = (float)v->timeout_idle, .send = (float)v->send_timeout,
	    .idle_send = (float)v->idle_send_timeout};
	if (req->ctx.ip_tos >= 0)
		req->stream->ops->set_tos(req->stream, req->ctx.ip_tos);
	/* who says close must close (RFC 9112 9.6); the stream says it */
	if (str_list_has(http_get_list(&req->resp, FIELD_CONNECTION, &req->ws),
	    STR("close")))
		req->stream->close = true;
	if (req->stream->close)
		http_unset(&req->resp, FIELD_CONNECTION);
}

/* A 304 of the origin to a pass: the length is of its 200 (RFC 9110 8.6). */
static void
keep_length_of_304(struct request *req)
{
	const struct http *theirs = &req->obj->http;
	struct str len = http_get(theirs, FIELD_CONTENT_LENGTH);

	if (req->is_pass && theirs->status == 304 &&
	    req->resp.status == 304 && len.p != NULL)
		http_set_known(&req->resp, FIELD_CONTENT_LENGTH, len);
}

static bool
start_filters(struct request *req, struct filters **f)
{
	struct str list = filters_of_delivery(req);

	return list.len == 0 ||
	    (filters_change_head(list, &req->resp, &req->ws) &&
	    filters_new(list, f) == FILTERS_OK);
}

/* false: as it is stored after all */
static bool
deliver_encoded(struct request *req, enum coding c, bool head)
{
	struct stream *s = req->stream;
	uint32_t len;
	struct buf *buf = head ? encodings_peek(req->obj, c, &len) :
	    encodings_get(req, c, &len);

	if (buf == NULL && !head)
		return false;
	if (!encodings_change_head(c, &req->resp, &req->ws)) {
		s->ops->abort(s);
		buf_unref(&buf);
		return true;
	}
	if (buf != NULL)
		deliver_set_length(req, len);
	if (head)
		send_no_body(req);
	else if (s->ops->head(s, &req->resp, STREAM_LENGTH, len,
	    &req->ws) == 0) {
		if (s->ops->write(s, buf->data, len, false) == 0)
			deliver_finish(req);
		else
			s->ops->abort(s);
		COUNT_INC(encodings_sent);
		encodings_improve(req, c);
	}
	buf_unref(&buf);
	return true;
}

void
deliver_object(struct request *req)
{
	struct stream *s = req->stream;
	struct object *o = req->obj;
	struct filters *filters = NULL;
	int64_t len = length_of(o);
	bool head = str_eq(req->http.method, STR("HEAD"));
	enum coding coding;

	/* the last three digits are the client's; 1xx is no response */
	req->resp.status %= 1000;
	if (req->resp.status < 200)
		deliver_set_status(req, 503);
	set_connection(req);
	http_unset(&req->resp, FIELD_TRANSFER_ENCODING);
	http_unset(&req->resp, FIELD_CONTENT_LENGTH);
	coding = esi_is_wanted(req) ? CODING_IDENTITY : encodings_choose(req);
	/* it comes from the origin now; of hits that was asked before */
	if (req->resp.status == 200 && !req->is_pass && !req->is_hit &&
	    is_retrieval(req) &&
	    deliver_precondition_fails(req, &req->resp)) {
		deliver_set_status(req, 412);
		deliver_set_length(req, 0);
		send_no_body(req);
		return;
	}
	if (req->resp.status == 200 && !req->is_pass && is_retrieval(req) &&
	    is_not_modified(req)) {
		deliver_set_status(req, 304);
		/* with the validator that a 200 would have (RFC 9110 15.4.5) */
		if (len != 0 && !(esi_is_wanted(req) ? esi_change_head(req) :
		    coding != CODING_IDENTITY ?
		    encodings_change_head(coding, &req->resp, &req->ws) :
		    filters_change_head(filters_of_delivery(req), &req->resp,
		    &req->ws))) {
			s->ops->abort(s);
			return;
		}
	}
	if (status_has_no_body(req->resp.status)) {
		keep_length_of_304(req);
		send_no_body(req);
		return;
	}
	if (esi_is_wanted(req)) {
		if (!head)
			esi_deliver(req);
		else if (esi_change_head(req))
			send_no_body(req);
		else
			s->ops->abort(s);
		return;
	}
	if (coding != CODING_IDENTITY && deliver_encoded(req, coding, head))
		return;
	if (len != 0 && !start_filters(req, &filters)) {
		log_put(&req->log, LOG_ERROR, STR("no memory for filters"));
		s->ops->abort(s);
		return;
	}
	if (object_is(o, OBJ_HEAD_ONLY)) { /* what the origin said of GET */
		struct str cl = http_get(&o->http, FIELD_CONTENT_LENGTH);

		if (cl.p != NULL && filters == NULL)
			http_set_known(&req->resp, FIELD_CONTENT_LENGTH, cl);
		if (head) {
			filters_free(&filters);
			send_no_body(req);
			return;
		}
	}
	if (filters != NULL) {
		if (head) {
			filters_free(&filters);
			send_no_body(req);
		} else {
			send_filtered(req, &filters);
		}
		return;
	}
	if (deliver_has_ranges(req, len) &&
	    http_get(&req->resp, FIELD_ACCEPT_RANGES).p == NULL)
		http_add_known(&req->resp, FIELD_ACCEPT_RANGES, STR("bytes"));
	if (head) {
		if (len >= 0)
			deliver_set_length(req, (uint64_t)len);
		send_no_body(req);
		return;
	}
	if (str_eq(req->http.method, STR("GET")) && deliver_range(req, len))
		return;
	/* however fast its body came */
	if (!req->is_hit && trailers_are_due(req))
		len = -1;
	if (len >= 0)
		deliver_set_length(req, (uint64_t)len);
	if (s->ops->head(s, &req->resp, len >= 0 ? STREAM_LENGTH :
	    STREAM_UNKNOWN, (uint64_t)(len >= 0 ? len : 0), &req->ws) == 0 &&
	    deliver_part(req, 0, len >= 0 ? (uint64_t)len : UINT64_MAX, false))
		deliver_finish(req);
}

void
deliver_bytes(struct request *req, struct str body)
{
	struct stream *s = req->stream;
	bool none = status_has_no_body(req->resp.status);

	set_connection(req);
	http_unset(&req->resp, FIELD_TRANSFER_ENCODING);
	http_unset(&req->resp, FIELD_CONTENT_LENGTH);
	if (!none)
		deliver_set_length(req, body.len);
	if (none || str_eq(req->http.method, STR("HEAD"))) {
		send_no_body(req);
		return;
	}
	if (s->ops->head(s, &req->resp, STREAM_LENGTH, body.len,
	    &req->ws) != 0)
		return;
	if (body.len == 0 || s->ops->write(s, body.p, body.len, false) == 0)
		deliver_finish(req);
}
