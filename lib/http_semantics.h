/*
 * http_semantics.h - Cache-Control, ranges and entity tags, without I/O.
 */
#ifndef COPAL_HTTP_SEMANTICS_H
#define COPAL_HTTP_SEMANTICS_H

#include "http.h"

/* -1: absent; a value that is not a number counts as 0 (RFC 9111 4.2.1) */
struct cache_control {
	int64_t max_age, s_maxage, stale_while_revalidate, stale_if_error;
	int64_t min_fresh, max_stale; /* requests; max_stale without value: INT64_MAX */
	bool no_cache, no_store, private_, public_, must_revalidate,
	    proxy_revalidate, no_transform, only_if_cached, immutable,
	    must_understand;
	bool no_cache_fields, private_fields; /* had a field list */
};

/* All Cache-Control fields of h together (RFC 9111 5.2). */
void cache_control_parse(struct cache_control *, const struct http *h);

enum range_result {
	RANGE_NONE,            /* no Range, not bytes, or bad syntax: ignore */
	RANGE_ONE,             /* *first, *last (inclusive) */
	RANGE_MANY,            /* several; we answer 200 */
	RANGE_UNSATISFIABLE,   /* 416 */
};
/* RFC 9110 14.1.2; size: of the representation */
enum range_result range_parse(struct str value, uint64_t size,
    uint64_t *first, uint64_t *last);

/* Is etag in the If-None-Match / If-Match list ("*" matches)? weak or strong
 * comparison (RFC 9110 8.8.3.2) */
bool etag_list_has(struct str list, struct str etag, bool weak);

/*
 * Initial age, freshness lifetime of a response (RFC 9111 4.2), in seconds.
 * now: when it was received.  default_ttl: if nothing explicit is given.
 */
struct freshness {
	double age, ttl, grace; /* grace < 0: the response does not say */
	bool cacheable;         /* status allows it by default or explicit */
	bool explicit_;
};
void freshness_of(struct freshness *, const struct http *response, double now,
    double default_ttl);

#endif
