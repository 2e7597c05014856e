/*
 * fetch_head.c - heads between client, cache and origin (RFC 9110 7.6).
 */
#include <string.h>

#include "backend.h"
#include "core.h"
#include "fetch_head.h"
#include "fetch_stale.h"
#include "hops.h"
#include "http_semantics.h"
#include "params.h"
#include "program.h"
#include "req_body.h"
#include "stream.h"
#include "trailers.h"

void
log_head_fields(struct log_txn *log, enum log_tag tag, const struct http *h)
{
	for (unsigned i = 0; i < h->field_n; i++) {
		const struct field *f = &h->field[i];

		/* as most are: "Name: value" in one piece */
		if (f->value == f->name + f->name_len + 2 &&
		    !memcmp(f->name + f->name_len, ": ", 2))
			log_put(log, tag, str_of(f->name,
			    f->name_len + 2u + f->value_len));
		else
			log_put2(log, tag, str_of(f->name, f->name_len),
			    STR(": "), str_of(f->value, f->value_len));
	}
}

/* Fields that belong to the client's exchange, not to ours with the origin. */
static bool
field_is_ours(const struct field *f, enum fetch_kind kind)
{
	switch (f->id) {
	case FIELD_CONTENT_LENGTH: /* framing is made anew */
	case FIELD_PROXY_AUTHENTICATE: /* a response's (RFC 9110 11.7) */
	case FIELD_PROXY_AUTHENTICATION_INFO:
	case FIELD_X_COPAL:
		return true;
	case FIELD_EXPECT:
		return kind != FETCH_PASS;
	case FIELD_IF_MATCH: /* the cache wants the whole response */
	case FIELD_IF_MODIFIED_SINCE:
	case FIELD_IF_NONE_MATCH:
	case FIELD_IF_RANGE:
	case FIELD_IF_UNMODIFIED_SINCE:
	case FIELD_RANGE:
	case FIELD_PROXY_AUTHORIZATION: /* one client's (RFC 9110 11.7.2) */
		return kind != FETCH_PASS;
	default:
		return false;
	}
}

static bool
add_copy(struct fetch *f, struct http *h, const struct field *from)
{
	struct field_name name = {
	    arena_strdup(&f->ws, str_of(from->name, from->name_len)),
	    from->id};
	struct str value = arena_strdup(&f->ws,
	    str_of(from->value, from->value_len));

	return name.name.p != NULL && value.p != NULL &&
	    http_add(h, &name, value);
}

bool
fetch_make_bereq(struct fetch *f, const struct request *req,
    enum fetch_kind kind)
{
	static const struct field_name capability = {
	    {"Surrogate-Capability", 20}, FIELD_OTHER};
	struct http *h = &f->bereq0;
	unsigned room = params->http_max_hdr + FIELDS_OWN;

	if (!http_init(h, &f->ws, room) ||
	    !http_init(&f->bereq, &f->ws, room) ||
	    !http_init(&f->beresp, &f->ws, params->http_max_hdr))
		return false;
	h->method = kind == FETCH_PASS ?
	    arena_strdup(&f->ws, req->http.method) : f->is_query ?
	    STR("QUERY") : STR("GET");
	h->target = arena_strdup(&f->ws, req->http.target);
	h->version = 11;
	if (h->method.p == NULL || h->target.p == NULL)
		return false;
	for (unsigned i = 0; i < req->http.field_n; i++) {
		const struct field *from = &req->http.field[i];

		if (field_is_ours(from, kind) ||
		    http_is_hop_by_hop(from, STR_NULL))
			continue;
		if (!add_copy(f, h, from))
			return false;
	}
	f->wants_trailers = kind != FETCH_BACKGROUND &&
	    trailers_wanted(&req->received);
	if (!f->is_query) {
		f->has_body = kind == FETCH_PASS &&
		    req->framing.body != H1_NONE;
		f->body_by_method = kind != FETCH_PASS &&
		    req->framing.body != H1_NONE;
	}
	if (f->has_body && !f->is_query && req->framing.body == H1_CHUNKED) {
		struct str names = http_get_list(&req->http, FIELD_TRAILER,
		    &f->ws);

		/* it may be the request's, which may end before we do */
		if (names.p != NULL && !http_set_known(h, FIELD_TRAILER,
		    arena_strdup(&f->ws, names)))
			return false;
	}
	/* one for all: who does not take it gets it unpacked */
	if (kind != FETCH_PASS && params->http_gzip_support &&
	    !http_set_known(h, FIELD_ACCEPT_ENCODING, STR("gzip")))
		return false;
	/* so that origins know that Surrogate-Control is heard */
	if (kind != FETCH_PASS && params->surrogate_control &&
	    http_find(h, &capability, 0) < 0 &&
	    !http_add(h, &capability, STR("copal=\"Surrogate/1.0\"")))
		return false;
	return hops_count(h, req->http.version, &f->ws) &&
	    http_set_known(h, FIELD_X_COPAL, arena_printf(&f->ws, "%llu",
	    (unsigned long long)f->xid));
}

bool
fetch_make_conditional(struct fetch *f)
{
	struct str etag, lm;

	if (f->stale == NULL)
		return true;
	etag = http_get(&f->stale->http, FIELD_ETAG);
	lm = http_get(&f->stale->http, FIELD_LAST_MODIFIED);
	/* dying: purged or banned since it was found, if not evicted */
	if (object_is(f->stale, OBJ_DYING | OBJ_HITMISS | OBJ_HITPASS) ||
	    (atomic_load(&f->stale->body.state) != BODY_COMPLETE &&
	    !object_is(f->stale, OBJ_BLOCKS)) ||
	    f->stale->http.status != 200 ||
	    (etag.p == NULL && lm.p == NULL)) {
		/* and a 304 would not be about it */
		object_unref(&f->stale);
		return true;
	}
	if (etag.p != NULL &&
	    !http_set_known(&f->bereq0, FIELD_IF_NONE_MATCH, etag))
		return false;
	return lm.p == NULL ||
	    http_set_known(&f->bereq0, FIELD_IF_MODIFIED_SINCE, lm);
}

/*
 * The length of the body that is sent; false: it is not known yet, or its
 * trailers go along.  A chunked one that std.cache_req_body() has whole has a
 * length: many an origin takes no other.
 */
static bool
body_has_length(const struct fetch *f, uint64_t *len)
{
	struct str kept;

	if (f->own_body != NULL) {
		*len = f->own_body_len;
		return true;
	}
	*len = f->req->framing.length;
	if (f->req->framing.body == H1_LENGTH)
		return true;
	if (http_get(&f->bereq, FIELD_TRAILER).p != NULL ||
	    !req_body_kept(f->req, &kept))
		return false;
	*len = kept.len;
	return true;
}

bool
fetch_finish_bereq(struct fetch *f)
{
	struct http *h = &f->bereq;
	bool ok = true;
	uint64_t len;

	/* nobody waits for 100 (RFC 9110 10.1.1) */
	if (!f->has_body || f->own_body != NULL ||
	    !f->req->framing.expect_continue ||
	    f->req->stream->body_received > 0 || params->expect_timeout <= 0)
		http_unset(h, FIELD_EXPECT);
	/* VCL can't frame the message: we do (RFC 9112 6) */
	http_unset(h, FIELD_CONTENT_LENGTH);
	http_unset(h, FIELD_TRANSFER_ENCODING);
	/* VCL may say close (RFC 9112 9.6); the client's is not here */
	f->closes = str_list_has(
	    http_get_list(h, FIELD_CONNECTION, &f->ws), STR("close"));
	http_unset(h, FIELD_CONNECTION);
	if (f->closes)
		ok = http_set_known(h, FIELD_CONNECTION, STR("close"));
	f->sends_chunked = f->has_body && !body_has_length(f, &len);
	if (f->sends_chunked)
		ok = ok && http_set_known(h, FIELD_TRANSFER_ENCODING,
		    STR("chunked"));
	else if (f->has_body)
		ok = ok && http_set_known(h, FIELD_CONTENT_LENGTH, arena_printf(
		    &f->ws, "%llu", (unsigned long long)len));
	if (!f->sends_chunked)
		http_unset(h, FIELD_TRAILER);
	/* Connection: TE is for the next hop (RFC 9110 10.1.4) */
	if (f->wants_trailers)
		ok = ok && http_set_known(h, FIELD_TE, STR("trailers")) &&
		    http_set_known(h, FIELD_CONNECTION, STR("TE"));
	if (http_get(h, FIELD_HOST).p == NULL &&
	    f->origin->host_header != NULL)
		ok = ok && http_set_known(h, FIELD_HOST,
		    str_from_z(f->origin->host_header));
	return ok && !h->overflow;
}

/*
 * What the stored body depends on stays as it is (RFC 9111 3.2), whatever a
 * 304 says of it; and so does what was said of our connection then.
 */
static bool
field_stays(const struct field *f)
{
	switch (f->id) {
	case FIELD_CONTENT_LENGTH:
	case FIELD_CONTENT_ENCODING:
	case FIELD_CONTENT_RANGE:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_VIA:
		return true;
	default:
		/* digests of the body (RFC 9530; RFC 1864) */
		return str_caseeq(str_of(f->name, f->name_len),
		    STR("Content-MD5")) || str_caseeq(str_of(f->name,
		    f->name_len), STR("Content-Digest"));
	}
}

static bool
in_head(const struct http *h, const struct field *f)
{
	struct field_name name = {str_of(f->name, f->name_len), f->id};

	return http_find(h, &name, 0) >= 0;
}

static bool
add_field(struct http *h, const struct field *f)
{
	struct field_name name = {str_of(f->name, f->name_len), f->id};

	return http_add(h, &name, str_of(f->value, f->value_len));
}

/* The fields stay where they are: f->stale is ours, and so is the block. */
static bool
merge(struct fetch *f, bool update)
{
	const struct http *old = &f->stale->http;
	struct http h;

	if (!http_init(&h, &f->ws, params->http_max_hdr))
		return false;
	h.status = old->status;
	h.reason = old->reason;
	h.version = old->version;
	for (unsigned i = 0; i < old->field_n; i++) {
		const struct field *x = &old->field[i];

		if (x->id == FIELD_AGE && update)
			continue;
		/*
		 * The entity tag is the stored body's: it was asked about by
		 * it, perhaps in the weak form that a filter made of it.
		 */
		if (update && !field_stays(x) && in_head(&f->beresp, x) &&
		    x->id != FIELD_ETAG)
			continue;
		if (!add_field(&h, x))
			return false;
	}
	for (unsigned i = 0; update && i < f->beresp.field_n; i++) {
		const struct field *x = &f->beresp.field[i];

		if (field_stays(x) ||
		    (x->id == FIELD_ETAG && http_get(&h, FIELD_ETAG).p != NULL))
			continue;
		if (!add_field(&h, x))
			return false;
	}
	f->beresp = h;
	f->ctx.http[VCL_HTTP_BERESP] = &f->beresp;
	return true;
}

bool
fetch_merge_304(struct fetch *f)
{
	return merge(f, true);
}

bool
fetch_use_stale(struct fetch *f)
{
	return merge(f, false);
}

/*
 * What describes the bytes of the body, and what they are asked about by,
 * stays with them.
 */
bool
fetch_use_beresp(struct fetch *f)
{
	static const enum field_id theirs[] = {FIELD_CONTENT_LENGTH,
	    FIELD_CONTENT_ENCODING, FIELD_ETAG, FIELD_LAST_MODIFIED,
	    FIELD_X_COPAL_BLOCKS};
	struct http *h = &f->beresp;

	for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
		struct str old = http_get(&f->stale->http, theirs[i]);

		http_unset(h, theirs[i]);
		if (old.p == NULL)
			continue;
		old = arena_strdup(&f->ws, old);
		if (old.p == NULL || !http_set_known(h, theirs[i], old))
			return false;
	}
	if (h->status == 304) {
		h->status = f->stale->http.status;
		h->reason = arena_strdup(&f->ws, f->stale->http.reason);
	}
	return h->reason.p != NULL && !h->overflow;
}

static struct freshness
freshness_at(const struct fetch *f, double now)
{
	struct freshness_rules rules = {.default_ttl = params->default_ttl,
	    .surrogate = params->surrogate_control,
	    .authorized = f->only_shared};
	struct freshness fr;

	freshness_of(&fr, &f->beresp, now, &rules);
	return fr;
}

bool
fetch_is_storable(const struct fetch *f)
{
	/* whatever the time is */
	return !f->no_store && freshness_at(f, f->t_origin).storable;
}

bool
fetch_is_no_cache(const struct fetch *f)
{
	return freshness_at(f, f->t_origin).no_cache;
}

void
fetch_freshness(struct fetch *f)
{
	/* the turn's time, as whoever delivers will count from */
	double now = loop_wall(f->core->loop);
	struct freshness fr = freshness_at(f, now);

	f->age = fr.age;
	f->t_origin = now - fr.age;
	f->ttl = fr.ttl;
	f->has_lists = fr.has_lists;
	fetch_stale_limits(f, &fr);
	/* its definition gives no leave to guess */
	if (f->is_query && !fr.explicit_) {
		f->ttl = 0;
		fr.cacheable = false;
	}
	/* a part that policy asked for is kept if policy says so */
	if (f->beresp.status == 206) {
		f->ttl = f->grace = f->keep = 0;
		fr.cacheable = false;
	}
	/* a pass is kept for nobody: policy asks "beresp.ttl > 0s" */
	if (f->is_pass) {
		f->ttl = f->grace = f->keep = 0;
		f->ask_first = fr.cacheable = false;
	}
	log_ttl(&f->log, "RFC", &(struct log_ttl){.ttl = f->ttl,
	    .grace = f->grace, .keep = f->keep, .reference = now,
	    .age = fr.age, .cacheable = fr.cacheable});
}

/* ... and for no other (RFC 9110 11.7.1, 11.7.3) */
static bool
is_for_next_client(const struct field *f)
{
	return f->id == FIELD_PROXY_AUTHENTICATE ||
	    f->id == FIELD_PROXY_AUTHENTICATION_INFO;
}

/* Of what ends here, VCL may look at this before (vcl_backend_response). */
static bool
is_for_policy(const struct field *f)
{
	return f->id == FIELD_CONNECTION || f->id == FIELD_KEEP_ALIVE;
}

bool
fetch_strip_connection(struct fetch *f)
{
	bool closes = str_list_has(http_get_list(&f->beresp, FIELD_CONNECTION,
	    &f->ws), STR("close"));

	http_unset(&f->beresp, FIELD_CONNECTION);
	http_unset(&f->beresp, FIELD_KEEP_ALIVE);
	return closes;
}

void
fetch_strip_beresp(struct fetch *f)
{
	struct http *h = &f->beresp;
	struct str connection = http_get_list(h, FIELD_CONNECTION, &f->ws);

	for (unsigned i = 0; i < h->field_n;) {
		if ((!is_for_policy(&h->field[i]) &&
		    http_is_hop_by_hop(&h->field[i], connection)) ||
		    (!f->is_pass && is_for_next_client(&h->field[i])))
			http_remove_at(h, i);
		else
			i++;
	}
	/* policy looks at one line; what has no room stays as it came */
	http_join(h, FIELD_CACHE_CONTROL, &f->ws);
	http_join(h, FIELD_VARY, &f->ws);
	/* ours alone (blocks.h) */
	http_unset(h, FIELD_X_COPAL_BLOCKS);
	/* a length that framed nothing is not one (RFC 9112 6.3) */
	if (f->framing.body == H1_CHUNKED || f->framing.body == H1_UNTIL_CLOSE)
		http_unset(h, FIELD_CONTENT_LENGTH);
}
