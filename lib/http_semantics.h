/*
 * http_semantics.h - Cache-Control, ranges and entity tags, without I/O.
 */
#ifndef COPAL_HTTP_SEMANTICS_H
#define COPAL_HTTP_SEMANTICS_H

#include "http.h"

/*
 * Ages in seconds.  -1: absent; a value that is not a number counts as 0 (RFC
 * 9111 4.2.1); of several the one that lets us reuse least; at most
 * CACHE_CONTROL_AGE_MAX (1.2.2).
 */
#define CACHE_CONTROL_AGE_MAX INT64_C(0x80000000)
struct cache_control {
	int64_t max_age, s_maxage, stale_while_revalidate, stale_if_error;
	/* requests; max_stale without value: INT64_MAX */
	int64_t min_fresh, max_stale;
	bool no_cache, no_store, private_, public_, must_revalidate,
	    proxy_revalidate, no_transform, only_if_cached, immutable,
	    must_understand;
	/* no_cache, private_ are set, but each of them had a field list */
	bool no_cache_fields, private_fields;
};

/* All Cache-Control fields of h together (RFC 9111 5.2). */
void cache_control_parse(struct cache_control *, const struct http *h);

enum range_result {
	RANGE_NONE,            /* no Range, not bytes, or bad syntax: ignore */
	RANGE_ONE,             /* *first, *last (inclusive) */
	RANGE_MANY,            /* several, some satisfiable; we answer 200 */
	RANGE_UNSATISFIABLE,   /* 416: not one of them is */
};
/*
 * RFC 9110 14.1.2; size: of the representation.  *first and *last are set for
 * RANGE_ONE only.
 */
enum range_result range_parse(struct str value, uint64_t size,
    uint64_t *first, uint64_t *last);

/*
 * Is etag in the If-None-Match / If-Match list ("*" matches)? weak or strong
 * comparison (RFC 9110 8.8.3.2)
 */
bool etag_list_has(struct str list, struct str etag, bool weak);

/*
 * Initial age, freshness lifetime of a response (RFC 9111 4.2), in seconds;
 * it is fresh for ttl - age from now on.  now: when it was received.
 * default_ttl: if nothing explicit is given and the status is cacheable by
 * default; else ttl is 0.  no-store, private and the like are not looked at:
 * they are policy.  grace: stale-while-revalidate (RFC 5861), 0 if
 * must-revalidate or proxy-revalidate forbid it.
 */
struct freshness {
	double age, ttl, grace; /* grace < 0: the response does not say */
	bool cacheable;         /* status allows it by default or explicit */
	bool explicit_;
};
void freshness_of(struct freshness *, const struct http *response, double now,
    double default_ttl);

#endif
