/*
 * deliver.c - the response on its way out (RFC 9110 13, 14; 9111 4).
 */
#include <string.h>

#include "core.h"
#include "counters.h"
#include "deliver.h"
#include "http_date.h"
#include "http_semantics.h"
#include "params.h"
#include "stream.h"

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

/* What policy saw as 200; the log's readers go by the last one. */
static void
set_status(struct request *req, uint16_t status)
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

static bool
set_via(struct request *req)
{
	struct str via = http_get(&req->resp, FIELD_VIA);

	if (via.p == NULL)
		return http_add_known(&req->resp, FIELD_VIA, STR("1.1 copal"));
	via = http_get_list(&req->resp, FIELD_VIA, &req->ws);
	via = arena_printf(&req->ws, "%.*s, 1.1 copal", STR_ARG(via));
	return via.p != NULL && http_set_known(&req->resp, FIELD_VIA, via);
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

bool
deliver_head(struct request *req)
{
	struct object *o = req->obj;
	double now = loop_wall(req->core->loop);

	if (!resp_init(req))
		return false;
	http_copy(&req->resp, &o->http);
	req->resp.version = 11;
	/* stripped as to be stored; but for the framing, which is made anew */
	http_unset(&req->resp, FIELD_CONTENT_LENGTH);
	return !req->resp.overflow && set_ids(req) &&
	    set_number(req, FIELD_AGE, (uint64_t)object_age(o, now)) &&
	    (http_get(&req->resp, FIELD_DATE).p != NULL ||
	    http_add_known(&req->resp, FIELD_DATE,
	    arena_strdup(&req->ws, core_date(req->core)))) &&
	    set_via(req);
}

bool
deliver_synth_head(struct request *req, unsigned status, struct str reason)
{
	if (!resp_init(req))
		return false;
	req->resp.status = (uint16_t)status;
	req->resp.reason = reason.p != NULL ? reason :
	    str_from_z(http_reason(status));
	req->resp.version = 11;
	return http_add_known(&req->resp, FIELD_DATE,
	    arena_strdup(&req->ws, core_date(req->core))) &&
	    http_add_known(&req->resp, FIELD_SERVER, STR("Copal")) &&
	    set_ids(req) && set_via(req);
}

/* --- conditions ----------------------------------------------------------- */

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
	modified = http_date_parse(http_get(&req->resp, FIELD_LAST_MODIFIED),
	    req->ctx.now);
	return since > 0 && modified > 0 && modified <= since;
}

static bool
is_get_or_head(const struct request *req)
{
	return str_eq(req->http.method, STR("GET")) ||
	    str_eq(req->http.method, STR("HEAD"));
}

/* May Range be answered with a part (RFC 9110 13.1.5)? */
static bool
if_range_holds(struct request *req)
{
	struct str v = http_get(&req->http, FIELD_IF_RANGE), x;

	if (v.p == NULL)
		return true;
	if (v.len > 0 && (v.p[0] == '"' || str_starts(v, STR("W/")))) {
		x = http_get(&req->resp, FIELD_ETAG);
		return x.p != NULL && etag_list_has(v, x, false);
	}
	x = http_get(&req->resp, FIELD_LAST_MODIFIED);
	return x.p != NULL && str_eq(v, x);
}

/* --- body ------------------------------------------------------------------ */

static void
finish(struct request *req)
{
	struct stream *s = req->stream;

	if (s->ops->finish(s) == 0)
		COUNT_ADD(s_resp_bodybytes, (int64_t)s->body_sent);
}

/*
 * The head goes out with the first bytes of the body, unless these take so
 * long: a client may act on the head alone (an event stream).
 */
enum { HEAD_PATIENCE_MS = 20 };

static int
head_goes_ahead(struct request *req, uint64_t at)
{
	struct stream *s = req->stream;
	struct body *b = &req->obj->body;

	if (atomic_load(&b->state) == BODY_COMPLETE ||
	    body_wait(b, at, loop_now(req->core->loop) +
	    NSEC_MS(HEAD_PATIENCE_MS)) != BODY_GET_TIMEOUT)
		return 0;
	return s->ops->write(s, "", 0, false);
}

static void
send_bytes(struct request *req, uint64_t at, uint64_t end)
{
	struct stream *s = req->stream;
	struct object *o = req->obj;
	struct body_view v;

	/* what is before a range need not wait for us */
	if (req->reading && at > 0)
		body_reader_at(&o->body, &req->reader, at);
	if (head_goes_ahead(req, at) != 0) {
		s->ops->abort(s);
		return;
	}
	while (at < end) {
		size_t n;
		int r;

		switch (body_get(&o->body, o->stevedore, at, false, NSEC_NEVER,
		    &v)) {
		case BODY_GET_OK:
			break;
		case BODY_GET_END:
			if (end == UINT64_MAX) {
				finish(req);
				return;
			}
			/* shorter than it said */
			/* FALLTHROUGH */
		case BODY_GET_FAILED:
		case BODY_GET_TIMEOUT:
			log_put(&req->log, LOG_ERROR,
			    STR("body cut short: response aborted"));
			s->ops->abort(s);
			return;
		}
		n = v.len < end - at ? v.len : (size_t)(end - at);
		if (v.p != NULL)
			r = s->ops->write(s, v.p, n, false);
		else
			r = s->ops->sendfile(s, v.fd, v.offset, n, false);
		body_view_release(&v);
		if (r != 0) {
			s->ops->abort(s);
			return;
		}
		at += n;
		if (req->reading)
			body_reader_at(&o->body, &req->reader, at);
	}
	finish(req);
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

/* 206 or 416; false: answer with the whole */
static bool
send_range(struct request *req, uint64_t size)
{
	struct stream *s = req->stream;
	uint64_t first, last;
	struct str v = http_get(&req->http, FIELD_RANGE);

	if (v.p == NULL || !params->http_range_support ||
	    http_count(&req->http, FIELD_RANGE) > 1 || !if_range_holds(req))
		return false;
	switch (range_parse(v, size, &first, &last)) {
	case RANGE_NONE:
	case RANGE_MANY:
		return false;
	case RANGE_UNSATISFIABLE:
		set_status(req, 416);
		http_set_known(&req->resp, FIELD_CONTENT_RANGE, arena_printf(
		    &req->ws, "bytes */%llu", (unsigned long long)size));
		set_number(req, FIELD_CONTENT_LENGTH, 0);
		if (s->ops->head(s, &req->resp, STREAM_LENGTH, 0,
		    &req->ws) == 0)
			s->ops->finish(s);
		return true;
	case RANGE_ONE:
		break;
	}
	set_status(req, 206);
	http_set_known(&req->resp, FIELD_CONTENT_RANGE, arena_printf(&req->ws,
	    "bytes %llu-%llu/%llu", (unsigned long long)first,
	    (unsigned long long)last, (unsigned long long)size));
	set_number(req, FIELD_CONTENT_LENGTH, last - first + 1);
	if (s->ops->head(s, &req->resp, STREAM_LENGTH, last - first + 1,
	    &req->ws) == 0)
		send_bytes(req, first, last + 1);
	return true;
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
}

void
deliver_object(struct request *req)
{
	struct stream *s = req->stream;
	struct object *o = req->obj;
	int64_t len = length_of(o);
	bool head = str_eq(req->http.method, STR("HEAD"));

	/* the last three digits are the client's; 1xx is no response */
	req->resp.status %= 1000;
	if (req->resp.status < 200)
		set_status(req, 503);
	set_connection(req);
	http_unset(&req->resp, FIELD_TRANSFER_ENCODING);
	http_unset(&req->resp, FIELD_CONTENT_LENGTH);
	if (req->resp.status == 200 && !req->is_pass && is_get_or_head(req) &&
	    is_not_modified(req)) {
		set_status(req, 304);
	}
	if (status_has_no_body(req->resp.status)) {
		send_no_body(req);
		return;
	}
	if (object_is(o, OBJ_HEAD_ONLY)) { /* what the origin said of GET */
		struct str cl = http_get(&o->http, FIELD_CONTENT_LENGTH);

		if (cl.p != NULL)
			http_set_known(&req->resp, FIELD_CONTENT_LENGTH, cl);
		if (head) {
			send_no_body(req);
			return;
		}
	}
	if (req->resp.status == 200 && !req->is_pass && len >= 0 &&
	    params->http_range_support &&
	    http_get(&req->resp, FIELD_ACCEPT_RANGES).p == NULL)
		http_add_known(&req->resp, FIELD_ACCEPT_RANGES, STR("bytes"));
	if (head) {
		if (len >= 0)
			set_number(req, FIELD_CONTENT_LENGTH, (uint64_t)len);
		send_no_body(req);
		return;
	}
	if (req->resp.status == 200 && !req->is_pass && len >= 0 &&
	    str_eq(req->http.method, STR("GET")) &&
	    send_range(req, (uint64_t)len))
		return;
	if (len >= 0)
		set_number(req, FIELD_CONTENT_LENGTH, (uint64_t)len);
	if (s->ops->head(s, &req->resp, len >= 0 ? STREAM_LENGTH :
	    STREAM_UNKNOWN, (uint64_t)(len >= 0 ? len : 0), &req->ws) == 0)
		send_bytes(req, 0, len >= 0 ? (uint64_t)len : UINT64_MAX);
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
		set_number(req, FIELD_CONTENT_LENGTH, body.len);
	if (none || str_eq(req->http.method, STR("HEAD"))) {
		send_no_body(req);
		return;
	}
	if (s->ops->head(s, &req->resp, STREAM_LENGTH, body.len,
	    &req->ws) != 0)
		return;
	if (body.len == 0 || s->ops->write(s, body.p, body.len, false) == 0)
		finish(req);
}
