/*
 * trailers.c - trailer fields of a response on their way to the client (RFC
 * 9110 6.5).
 *
 * They go to who says "TE: trailers" and reads the body as it comes, in
 * chunks: they are no part of what is stored, and a body whose length is known
 * has no place for them.  What has a meaning in a head is never forwarded
 * here: some merge the two.  Those of requests are dropped: policy would not
 * see them, and origins that merge them would take them for what it let by.
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

void
trailers_end(struct fetch *f, const struct upstream *u)
{
	const struct h1_chunked *c = &u->chunked;
	struct http h;
	size_t size;
	char *p;

	/* "\r\n" alone: none */
	if (c->trailer_len <= 2 || c->trailer == NULL ||
	    c->trailer_len > c->trailer_cap ||
	    !http_init(&h, &f->ws, params->http_max_hdr) ||
	    !h1_parse_trailers(&h, c->trailer, c->trailer_len))
		return;
	size = sizeof "0\r\n\r\n";
	for (unsigned i = 0; i < h.field_n; i++)
		size += h.field[i].name_len + h.field[i].value_len +
		    sizeof ": \r\n";
	p = malloc(size);
	if (p == NULL)
		return;
	f->obj->last_chunk = p;
	p = stpcpy(p, "0\r\n");
	for (unsigned i = 0; i < h.field_n; i++) {
		const struct field *x = &h.field[i];

		if (may_go_on(x))
			p += sprintf(p, "%.*s: %.*s\r\n", (int)x->name_len,
			    x->name, (int)x->value_len, x->value);
	}
	p = stpcpy(p, "\r\n");
	f->obj->last_chunk_len = (uint32_t)(p - f->obj->last_chunk);
}

void
trailers_put(struct request *req)
{
	const struct object *o = req->obj;

	if (o->last_chunk != NULL && trailers_wanted(&req->received))
		req->stream->last_chunk = str_of(o->last_chunk,
		    o->last_chunk_len);
}
