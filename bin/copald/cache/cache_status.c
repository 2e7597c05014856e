/*
 * cache_status.c - Cache-Status (RFC 9211) and Proxy-Status (RFC 9209).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cache_status.h"
#include "core.h"
#include "forwarded.h"
#include "params.h"
#include "request.h"

/* Longer than the longest: all parameters, and a number of 20 digits. */
enum { STATUS_MAX = 160 };

struct text {
	char buf[STATUS_MAX];
	size_t len;
};

static void
put(struct text *t, struct str s)
{
	memcpy(t->buf + t->len, s.p, s.len);
	t->len += s.len;
}

static void
put_number(struct text *t, int64_t v)
{
	char digits[20], *p = digits + sizeof digits;
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (v < 0)
		t->buf[t->len++] = '-';
	put(t, str_of(p, (size_t)(digits + sizeof digits - p)));
}

static struct str
forward_name(const struct request *req)
{
	static const struct str names[] = {
		[FORWARD_NONE] = STR("miss"),
		[FORWARD_BYPASS] = STR("bypass"),
		[FORWARD_URI_MISS] = STR("uri-miss"),
		[FORWARD_VARY_MISS] = STR("vary-miss"),
		[FORWARD_STALE] = STR("stale"),
		[FORWARD_REQUEST] = STR("request"),
		[FORWARD_PARTIAL] = STR("partial"),
	};

	if (req->forward == FORWARD_BYPASS && !req->is_hitmiss &&
	    !req->is_hitpass && !str_eq(req->http.method, STR("GET")) &&
	    !str_eq(req->http.method, STR("HEAD")))
		return STR("method");
	return names[req->forward];
}

static struct str
detail(const struct request *req, double ttl)
{
	if (req->failure != FAILURE_NONE)
		return failure_name(req->failure);
	if (req->is_hitpass)
		return STR("hit-for-pass");
	if (req->is_hitmiss)
		return STR("hit-for-miss");
	if (req->is_pass)
		return STR("pass");
	if (req->gave_stale)
		return STR("stale-if-error");
	if (req->not_for_cache)
		return STR("uncacheable");
	if (object_is(req->obj, OBJ_MOMENT))
		return STR("zero-ttl");
	if (req->revalidated)
		return STR("revalidated");
	return req->is_hit && ttl < 0 ? STR("grace") : STR_NULL;
}

bool
cache_status_put(struct request *req)
{
	double ttl = floor(object_ttl_left(req->obj,
	    loop_wall(req->core->loop)));
	struct text t = {.len = 0};
	struct str before, value, d = detail(req, ttl);

	if (!params->cache_status)
		return true;
	put(&t, STR("copal"));
	if (req->is_hit && !req->collapsed && !req->gave_stale) {
		put(&t, STR("; hit"));
	} else {
		put(&t, STR("; fwd="));
		put(&t, forward_name(req));
		if (req->origin_status != 0) {
			put(&t, STR("; fwd-status="));
			put_number(&t, req->origin_status);
		}
		if (req->collapsed)
			put(&t, STR("; collapsed"));
		if (req->stored)
			put(&t, STR("; stored"));
	}
	/* an integer of a structured field has 15 digits (RFC 8941 3.3.1) */
	if ((req->is_hit || req->stored) && fabs(ttl) < 1e15) {
		put(&t, STR("; ttl="));
		put_number(&t, (int64_t)ttl);
	}
	if (d.p != NULL && (req->failure == FAILURE_NONE ||
	    forwarded_may_ask(req->client))) {
		put(&t, STR("; detail="));
		put(&t, d);
	}
	before = http_get_list(&req->resp, FIELD_CACHE_STATUS, &req->ws);
	value = before.p == NULL ? arena_strdup(&req->ws,
	    str_of(t.buf, t.len)) : arena_printf(&req->ws, "%.*s, %.*s",
	    STR_ARG(before), (int)t.len, t.buf);
	return value.p != NULL &&
	    http_set_known(&req->resp, FIELD_CACHE_STATUS, value);
}

bool
cache_status_failed(struct http *h, enum failure failure, struct arena *a)
{
	struct str value;

	if (failure == FAILURE_NONE || !params->proxy_status)
		return true;
	value = arena_printf(a, "copal; error=%.*s",
	    STR_ARG(failure_type(failure)));
	return value.p != NULL && http_set_known(h, FIELD_PROXY_STATUS, value);
}
