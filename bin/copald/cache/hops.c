/*
 * hops.c - how far a request goes: Via, Max-Forwards, loops (RFC 9110 7.6).
 *
 * Our name in Via is the same everywhere, and one Copal in front of another
 * is no loop.  So it may be there a few times.
 */
#include "counters.h"
#include "deliver.h"
#include "hops.h"
#include "params.h"
#include "stream.h"

#define OUR_NAME "copal"

/* "1.1 copal", "HTTP/1.1 copal (comment)" */
static bool
is_our_hop(struct str hop)
{
	const char *p = memchr(hop.p, ' ', hop.len);
	struct str name;

	if (p == NULL)
		return false;
	name = str_trim(str_of(p, hop.len - (size_t)(p - hop.p)));
	p = memchr(name.p, ' ', name.len);
	if (p != NULL)
		name.len = (size_t)(p - name.p);
	return str_eq(name, STR(OUR_NAME));
}

static bool
is_loop(const struct http *h)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->field_n; i++) {
		const struct field *f = &h->field[i];
		struct str list = str_of(f->value, f->value_len), hop;

		if (f->id != FIELD_VIA)
			continue;
		while (str_next_item(&list, &hop))
			n += is_our_hop(hop);
	}
	return n > params->max_hops;
}

/* Is there a number of further hops, and which? (7.6.2) */
static bool
max_forwards(const struct http *h, uint64_t *n)
{
	struct str v = http_get(h, FIELD_MAX_FORWARDS);

	if (!str_eq(h->method, STR("TRACE")) &&
	    !str_eq(h->method, STR("OPTIONS")))
		return false;
	*n = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		if (*n < UINT32_MAX) /* it is not going to be that many */
			*n = *n * 10 + (uint64_t)(v.p[i] - '0');
	}
	return v.len > 0;
}

enum hops
hops_look(struct request *req)
{
	uint64_t n;

	if (max_forwards(&req->http, &n) && n == 0)
		return HOPS_LAST;
	return is_loop(&req->http) ? HOPS_LOOP : HOPS_ON;
}

/* What nobody but client and origin should see (9.3.8). */
static bool
is_secret(const struct field *f)
{
	return f->id == FIELD_AUTHORIZATION || f->id == FIELD_COOKIE ||
	    f->id == FIELD_PROXY_AUTHORIZATION;
}

/* The request as it came; p NULL: no room. */
static struct str
trace(struct request *req)
{
	struct http h;
	char *p;

	if (!http_init(&h, &req->ws, req->received.field_n + 1u))
		return STR_NULL;
	http_copy(&h, &req->received);
	for (unsigned i = 0; i < h.field_n;)
		if (is_secret(&h.field[i]))
			http_remove_at(&h, i);
		else
			i++;
	p = arena_bytes(&req->ws, http_request_size(&h));
	if (p == NULL)
		return STR_NULL;
	return str_of(p, (size_t)(http_write_request(&h, p) - p));
}

void
hops_answer(struct request *req)
{
	bool traced = str_eq(req->http.method, STR("TRACE"));
	struct str body = traced ? trace(req) : STR("");

	if (body.p == NULL || !deliver_synth_head(req, 200, STR_NULL) ||
	    (traced && !http_set_known(&req->resp, FIELD_CONTENT_TYPE,
	    STR("message/http"))) || !deliver_has_room(req)) {
		req->stream->ops->abort(req->stream);
		return;
	}
	log_status(&req->log, LOG_RESP_STATUS, 200);
	deliver_bytes(req, body);
}

bool
hops_count(struct http *h, unsigned version, struct arena *a)
{
	struct str name = version == 10 ? STR("1.0 " OUR_NAME) :
	    STR("1.1 " OUR_NAME);
	struct str via = http_get_list(h, FIELD_VIA, a);
	uint64_t n;

	if (via.p != NULL)
		name = arena_printf(a, "%.*s, %.*s", STR_ARG(via),
		    STR_ARG(name));
	if (name.p == NULL || !http_set_known(h, FIELD_VIA, name))
		return false;
	if (h->method.p == NULL || !max_forwards(h, &n) || n == 0)
		return true;
	name = arena_printf(a, "%llu", (unsigned long long)n - 1);
	return name.p != NULL &&
	    http_set_known(h, FIELD_MAX_FORWARDS, name);
}
