/*
 * cache_status.h - what a response says of how it was come by: Cache-Status
 * (RFC 9211), and Proxy-Status (RFC 9209) of a failure.
 */
#ifndef COPAL_CACHE_STATUS_H
#define COPAL_CACHE_STATUS_H

#include "failure.h"
#include "http.h"

struct request;

/* Why an origin was asked (RFC 9211 2.2). */
enum forward {
	FORWARD_NONE,      /* it was not */
	FORWARD_BYPASS,    /* policy, or a marker, passed */
	FORWARD_URI_MISS,  /* nothing of that key */
	FORWARD_VARY_MISS, /* only other variants */
	FORWARD_STALE,     /* what there is must be asked about */
	FORWARD_REQUEST,   /* the request does not take what there is */
	FORWARD_PARTIAL,   /* a part of it is missing */
};

/*
 * Appends to Cache-Status of resp (parameter cache_status): hit or why not,
 * ttl, and a detail that stays the same from version to version.  false: no
 * room in the workspace or the head.
 */
bool cache_status_put(struct request *);
/* Sets Proxy-Status (parameter proxy_status) unless it is FAILURE_NONE. */
bool cache_status_failed(struct http *, enum failure, struct arena *);

#endif
