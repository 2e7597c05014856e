/*
 * fetch_stale.h - a fetch that failed, and the stale object that is served in
 * the place of an error (RFC 9111 4.2.4, RFC 5861 4).
 */
#ifndef COPAL_FETCH_STALE_H
#define COPAL_FETCH_STALE_H

#include "fetch.h"

/*
 * Times of an object from what its response says; VCL sees and may change
 * them.
 */
struct freshness;
void fetch_stale_limits(struct fetch *, const struct freshness *);
/*
 * No answer could be had: may f->fallback be served?  It may within its
 * grace, or its stale-if-error or the request's if that is longer.
 */
bool fetch_may_serve_stale(const struct fetch *);
/* The answer is an error of the origin (RFC 5861 4) that is not to be kept. */
bool fetch_may_hide_error(const struct fetch *);
/* f->fallback is what the fetch gives; the claim is given back. */
void fetch_serve_stale(struct fetch *, const char *why);

#endif
