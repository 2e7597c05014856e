/*
 * http_semantics.h - Cache-Control, freshness and entity tags, without I/O.
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
	bool has_lists; /* one of them had: cache_control_lists() */
};

/* All Cache-Control fields of h together (RFC 9111 5.2). */
void cache_control_parse(struct cache_control *, const struct http *h);

/*
 * What a cache goes by: Copal-Cache-Control, else CDN-Cache-Control (RFC 9213:
 * empty or malformed ones count as absent), else, if surrogate says so,
 * Surrogate-Control, else Cache-Control; which it was.
 */
enum field_id cache_control_effective(struct cache_control *,
    const struct http *, bool surrogate);
/*
 * Does a no-cache or private directive of h list the field?  It is not to be
 * used again (RFC 9111 5.2.2.4, 5.2.2.7).
 */
bool cache_control_lists(const struct http *h, struct str field);

/*
 * delta-seconds (RFC 9111 1.2.2), at most CACHE_CONTROL_AGE_MAX; -1: it is no
 * number.
 */
int64_t http_seconds(struct str);

/*
 * Is etag in the If-None-Match / If-Match list ("*" matches)? weak or strong
 * comparison (RFC 9110 8.8.3.2)
 */
bool etag_list_has(struct str list, struct str etag, bool weak);

/*
 * Is Last-Modified a strong validator (RFC 9110 8.8.2.2): had the origin's
 * clock gone on when the response was made?
 */
bool http_last_modified_is_strong(const struct http *, double now);

/* Is the method safe (RFC 9110 9.2.1)?  Unknown ones are not. */
bool http_is_safe(struct str method);

/*
 * Initial age, freshness lifetime of a response (RFC 9111 4.2), in seconds;
 * it is fresh for ttl - age from now on.  now: when it was received.
 * If nothing explicit is given and the status is cacheable by default, or
 * public says so, it is a tenth of the time since Last-Modified, at most a day
 * (4.2.2), without that default_ttl; of other statuses 0.  default_ttl 0: no
 * guesses at all.  Of no-store, private and the like, ttl knows nothing: they
 * are policy's.
 */
struct freshness_rules {
	double default_ttl;
	bool surrogate;    /* Surrogate-Control counts */
	bool authorized;   /* the request had Authorization (3.5) */
};
struct freshness {
	double age, ttl;
	bool age_is_unknown; /* Age can't be read: it is 0, and so is ttl */
	/*
	 * stale-while-revalidate and stale-if-error (RFC 5861); < 0: it does
	 * not say, 0: it forbids it
	 */
	double grace, error_grace;
	bool cacheable;      /* status allows it by default or explicit */
	bool explicit_;
	bool storable;       /* a shared cache may keep it (3) */
	bool no_cache;       /* not to be used unasked (5.2.2.4) */
	bool has_lists;      /* struct cache_control */
	enum field_id field; /* which said so */
	const char *source;  /* of ttl: static text */
};
void freshness_of(struct freshness *, const struct http *response, double now,
    const struct freshness_rules *);

#endif
