/*
 * trailers.c - trailer fields on their way (RFC 9110 6.5).
 *
 * Those of a response go to who says "TE: trailers" and reads the body as it
 * comes, in chunks: they are no part of what is stored, and a body whose length
 * is known has no place for them.  What has a meaning in a head is never
 * forwarded here: some merge the two.
 *
 * Those of a request go to the origin if Trailer announces them: by that field
 * policy sees which there will be, and can take them out of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "params.h"
#include "stream.h"
#include "trailers.h"

/* A checksum, a status, a signature; more is dropped. */
enum { TRAILERS_MAX = 2048 };

bool
trailers_wanted(const struct http *h)
{
	for (unsigned i = 0; h->version > 10 && i < h->field_n; i++) {
		const struct field *f = &h->field[i];

		if (f->id == FIELD_TE && str_list_has(str_of(f->value,
		    f->value_len), STR("trailers")))
			return true;
	}
	return false;
}

void
trailers_begin(struct fetch *f, struct upstream *u)
{
	if (!f->wants_trailers || f->framing.body != H1_CHUNKED ||
	    f->filters != NULL)
		return;
	u->chunked.trailer = arena_bytes(&f->ws, TRAILERS_MAX);
	u->chunked.trailer_cap = u->chunked.trailer != NULL ? TRAILERS_MAX : 0;
}

/* 6.5.1: nothing that says how to frame, route, trust or cache a message */
static bool
may_go_on(const struct field *f)
{
	static const char *const never[] = {"content-", "x-forwarded-",
	    "access-control-", "sec-", "cf-", "cdn-", "proxy-", "set-cookie",
	    "www-authenticate", "strict-transport-security", "refresh"};
	struct str name = str_of(f->name, f->name_len);

	if (str_caseeq(name, STR("Content-Digest")))
		return true;
	if (f->id != FIELD_OTHER)
		return false;
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (str_casestarts(name, str_from_z(never[i])))
			return false;
	return true;
}

/* false: there are none, or they are too long */
static bool
parse(struct fetch *f, const char *section, size_t len, size_t cap,
    struct http *h)
{
	/* "\r\n" alone: none */
	return len > 2 && section != NULL && len <= cap &&
	    http_init(h, &f->ws, params->http_max_hdr) &&
	    h1_parse_trailers(h, section, len);
}

static size_t
last_chunk_size(const struct http *h)
{
	size_t size = sizeof "0\r\n\r\n";

	for (unsigned i = 0; i < h->field_n; i++)
		size += h->field[i].name_len + h->field[i].value_len +
		    sizeof ": \r\n";
	return size;
}

/* announced: only these; p == NULL: all that may go on */
static size_t
last_chunk_write(const struct http *h, struct str announced, char *to)
{
	char *p = stpcpy(to, "0\r\n");

	for (unsigned i = 0; i < h->field_n; i++) {
		const struct field *x = &h->field[i];

		if (may_go_on(x) && (announced.p == NULL || str_list_has(
		    announced, str_of(x->name, x->name_len))))
			p += sprintf(p, "%.*s: %.*s\r\n", (int)x->name_len,
			    x->name, (int)x->value_len, x->value);
	}
	return (size_t)(stpcpy(p, "\r\n") - to);
}

void
trailers_end(struct fetch *f, const struct upstream *u)
{
	const struct h1_chunked *c = &u->chunked;
	struct http h;
	char *p;

	if (!parse(f, c->trailer, c->trailer_len, c->trailer_cap, &h))
		return;
	p = malloc(last_chunk_size(&h));
	if (p == NULL)
		return;
	f->obj->last_chunk = p;
	f->obj->last_chunk_len = (uint32_t)last_chunk_write(&h, STR_NULL, p);
}

bool
trailers_are_due(const struct request *req)
{
	return req->obj->last_chunk != NULL && trailers_wanted(&req->received);
}

void
trailers_put(struct request *req)
{
	const struct object *o = req->obj;

	if (trailers_are_due(req))
		req->stream->last_chunk = str_of(o->last_chunk,
		    o->last_chunk_len);
}

void
trailers_of_request_begin(struct fetch *f)
{
	struct stream *s = f->req->stream;

	if (http_get(&f->bereq, FIELD_TRAILER).p == NULL)
		return;
	s->trailer = arena_bytes(&f->ws, TRAILERS_MAX);
	s->trailer_cap = TRAILERS_MAX;
}

enum upstream_error
trailers_of_request_send(struct fetch *f, struct upstream *u)
{
	struct stream *s = f->req->stream;
	struct str names = http_get_list(&f->bereq, FIELD_TRAILER, &f->ws);
	struct http h;
	char *p;

	if (names.p == NULL ||
	    !parse(f, s->trailer, s->trailer_len, s->trailer_cap, &h))
		return upstream_send_end(u, true);
	p = arena_bytes(&f->ws, last_chunk_size(&h));
	if (p == NULL)
		return upstream_send_end(u, true);
	return upstream_send_body(u, p, last_chunk_write(&h, names, p), false);
}
