/*
 * fetch_head.h - the heads of a fetch: what is asked, and what a 304 means.
 */
#ifndef COPAL_FETCH_HEAD_H
#define COPAL_FETCH_HEAD_H

#include "fetch.h"

/* f->bereq0 from the client's request.  false: no room. */
bool fetch_make_bereq(struct fetch *, const struct request *,
    enum fetch_kind);
/* If-None-Match and If-Modified-Since from f->stale.  false: no room. */
bool fetch_make_conditional(struct fetch *);
/* The fields that the connection needs: Host, Via, framing of the body. */
bool fetch_finish_bereq(struct fetch *);
/* beresp <- the stored response, updated from a 304 (RFC 9111 4.3.4). */
bool fetch_merge_304(struct fetch *);
/* beresp <- the stored response as it is. */
bool fetch_use_stale(struct fetch *);
/* beresp as VCL left it, with what describes the stored body. */
bool fetch_use_beresp(struct fetch *);
/* ttl, grace, keep and age of beresp (RFC 9111 4.2). */
void fetch_freshness(struct fetch *);
/*
 * What beresp says as it is now: VCL may have changed its Cache-Control since
 * it came.  storable, no_cache: struct freshness.
 */
bool fetch_is_storable(const struct fetch *);
bool fetch_is_no_cache(const struct fetch *);
/*
 * Fields that end with the origin's connection go, framing ones too: all but
 * Connection and Keep-Alive, which policy may look at, and change.
 * Cache-Control and Vary become one line each.
 */
void fetch_strip_beresp(struct fetch *);
/* These two.  Did Connection say close? */
bool fetch_strip_connection(struct fetch *);
/* Every field of a head to the log. */
void log_head_fields(struct log_txn *, enum log_tag, const struct http *);

#endif
