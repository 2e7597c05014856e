/*
 * deliver_range.c - 206 and 416: one range, or several as
 * multipart/byteranges (RFC 9110 15.3.7).
 *
 *      --boundary CRLF Content-Type CRLF Content-Range CRLF CRLF bytes CRLF
 *      --boundary CRLF ... bytes CRLF --boundary--
 *
 * What a client asks for can't make a response larger than the whole by more
 * than the parts' heads: ranges that overlap are one (byte_range.h), and
 * beyond http_max_ranges the Range is ignored.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core.h"
#include "deliver.h"
#include "deliver_range.h"
#include "http_semantics.h"
#include "params.h"
#include "stream.h"

enum {
	MAX_RANGES = 256, /* of http_max_ranges, whose doc has the reason */
	DELIMITER_LEN = 2 + 2 + 32, /* CRLF, dashes, boundary */
	PART_HEAD_MAX = 512,
};

/* Several ranges on their way out. */
struct parts {
	struct byte_range set[MAX_RANGES];
	unsigned n;
	uint64_t size;          /* of the whole */
	char delimiter[DELIMITER_LEN + 1];
	struct str type;        /* of the whole; NULL: not said */
};

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
	return x.p != NULL && str_eq(v, x) &&
	    http_last_modified_is_strong(&req->resp, req->ctx.now);
}

bool
deliver_has_ranges(const struct request *req, int64_t len)
{
	return req->resp.status == 200 && !req->is_pass && len >= 0 &&
	    params->http_range_support;
}

static void
send_unsatisfiable(struct request *req, uint64_t size)
{
	struct stream *s = req->stream;

	deliver_set_status(req, 416);
	http_set_known(&req->resp, FIELD_CONTENT_RANGE, arena_printf(&req->ws,
	    "bytes */%" PRIu64, size));
	deliver_set_length(req, 0);
	if (s->ops->head(s, &req->resp, STREAM_LENGTH, 0, &req->ws) == 0)
		s->ops->finish(s);
}

/* size: -1 as long as nobody knows (RFC 9110 14.4) */
static void
send_one(struct request *req, struct byte_range r, int64_t size)
{
	struct stream *s = req->stream;
	struct str of = size < 0 ? STR("*") :
	    arena_printf(&req->ws, "%" PRIi64, size);

	deliver_set_status(req, 206);
	http_set_known(&req->resp, FIELD_CONTENT_RANGE, arena_printf(&req->ws,
	    "bytes %" PRIu64 "-%" PRIu64 "/%.*s", r.first, r.last,
	    STR_ARG(of)));
	deliver_set_length(req, r.last - r.first + 1);
	if (s->ops->head(s, &req->resp, STREAM_LENGTH, r.last - r.first + 1,
	    &req->ws) == 0 &&
	    deliver_part(req, r.first, r.last + 1, false))
		deliver_finish(req);
}

/* What goes before the bytes of part i; the first begins the body. */
static size_t
part_head(const struct parts *x, unsigned i, char *to)
{
	const struct byte_range *r = &x->set[i];
	int n = snprintf(to, PART_HEAD_MAX,
	    "%s\r\n%s%.*s%sContent-Range: bytes %" PRIu64 "-%" PRIu64
	    "/%" PRIu64 "\r\n\r\n", x->delimiter + (i == 0 ? 2 : 0),
	    x->type.p != NULL ? "Content-Type: " : "",
	    (int)x->type.len, x->type.p != NULL ? x->type.p : "",
	    x->type.p != NULL ? "\r\n" : "", r->first, r->last, x->size);

	return (size_t)n;
}

static uint64_t
parts_length(const struct parts *x)
{
	uint64_t len = DELIMITER_LEN + 4; /* "--" CRLF */
	char head[PART_HEAD_MAX];

	for (unsigned i = 0; i < x->n; i++)
		len += part_head(x, i, head) +
		    x->set[i].last - x->set[i].first + 1;
	return len;
}

static bool
parts_send(struct request *req, const struct parts *x)
{
	struct stream *s = req->stream;
	char head[PART_HEAD_MAX];

	for (unsigned i = 0; i < x->n; i++) {
		if (s->ops->write(s, head, part_head(x, i, head), true) != 0) {
			s->ops->abort(s);
			return false;
		}
		if (!deliver_part(req, x->set[i].first, x->set[i].last + 1,
		    true))
			return false;
	}
	snprintf(head, sizeof head, "%s--\r\n", x->delimiter);
	return s->ops->write(s, head, DELIMITER_LEN + 4, false) == 0;
}

/* A boundary that no body can have been made to contain. */
static void
make_delimiter(struct parts *x, uint64_t xid)
{
	uint64_t random[2] = {0};

	if (getrandom(random, sizeof random, GRND_NONBLOCK) !=
	    (ssize_t)sizeof random)
		random[0] = xid;
	snprintf(x->delimiter, sizeof x->delimiter, "\r\n--%016" PRIx64
	    "%016" PRIx64, random[0], random[1]);
}

/* false: a Content-Type that does not fit is no reason for a cut */
static bool
send_several(struct request *req, struct parts *x)
{
	struct stream *s = req->stream;
	uint64_t len;

	x->type = http_get(&req->resp, FIELD_CONTENT_TYPE);
	if (x->type.len > PART_HEAD_MAX / 2)
		return false;
	if (x->type.p != NULL) {
		x->type = arena_strdup(&req->ws, x->type);
		if (x->type.p == NULL)
			return false;
	}
	make_delimiter(x, req->xid);
	len = parts_length(x);
	if (!http_set_known(&req->resp, FIELD_CONTENT_TYPE, arena_printf(
	    &req->ws, "multipart/byteranges; boundary=%s", x->delimiter + 4)))
		return false;
	deliver_set_status(req, 206);
	http_unset(&req->resp, FIELD_CONTENT_RANGE);
	deliver_set_length(req, len);
	if (s->ops->head(s, &req->resp, STREAM_LENGTH, len, &req->ws) == 0 &&
	    parts_send(req, x))
		deliver_finish(req);
	return true;
}

/*
 * A body of unknown length: its first bytes can be had as soon as they are
 * there, "5-" and "-5" not before its end, so these get the whole as it
 * comes.  A range is waited for if its bytes are kept meanwhile.
 */
static bool
send_early(struct request *req, struct str v)
{
	struct body *b = &req->obj->body;
	struct byte_range r;

	if (b->windowed || memchr(v.p, ',', v.len) != NULL ||
	    !range_begin(v, &r) || r.last == UINT64_MAX ||
	    r.last - r.first >= params->fetch_window)
		return false;
	if (req->reading)
		body_reader_at(b, &req->reader, r.first);
	switch (body_wait(b, r.last, NSEC_NEVER)) {
	case BODY_GET_OK:
		send_one(req, r, atomic_load(&b->state) == BODY_COMPLETE ?
		    (int64_t)b->len : -1);
		return true;
	case BODY_GET_END:
		if (b->len == 0)
			return false;
		if (r.first >= b->len) {
			send_unsatisfiable(req, b->len);
			return true;
		}
		r.last = b->len - 1;
		send_one(req, r, (int64_t)b->len);
		return true;
	case BODY_GET_FAILED:
	case BODY_GET_TIMEOUT:
		break;
	}
	deliver_cut(req, FAILURE_BODY_CUT);
	return true;
}

static int
by_first(const void *a, const void *b)
{
	const struct byte_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

bool
deliver_range(struct request *req, int64_t len)
{
	struct str v = http_get(&req->http, FIELD_RANGE);
	struct parts x;

	if (v.p == NULL || req->resp.status != 200 || req->is_pass ||
	    !params->http_range_support ||
	    http_count(&req->http, FIELD_RANGE) > 1 || !if_range_holds(req))
		return false;
	/* nothing has no parts: who asks for one by habit gets it whole */
	if (len == 0)
		return false;
	if (len < 0)
		return send_early(req, v);
	x.size = (uint64_t)len;
	switch (range_parse(v, x.size, x.set, params->http_max_ranges, &x.n)) {
	case RANGE_NONE:
		return false;
	case RANGE_UNSATISFIABLE:
		send_unsatisfiable(req, x.size);
		return true;
	case RANGE_SOME:
		break;
	}
	/* as asked for (15.3.7.2), but what arrives is sent as it comes, and
	 * may be forgotten behind us */
	if (x.n > 1 && !object_is(req->obj, OBJ_BLOCKS) &&
	    atomic_load(&req->obj->body.state) != BODY_COMPLETE)
		qsort(x.set, x.n, sizeof *x.set, by_first);
	if (x.n > 1)
		return send_several(req, &x);
	send_one(req, x.set[0], len);
	return true;
}
