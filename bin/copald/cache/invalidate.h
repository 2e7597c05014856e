/*
 * invalidate.h - a URL's invalidation: all that is stored for it; and what the
 * answer to an unsafe request makes invalid (RFC 9111 4.4).
 */
#ifndef COPAL_INVALIDATE_H
#define COPAL_INVALIDATE_H

#include "ban.h"
#include "request.h"
#include "search_key.h"

/*
 * Purges the key of a URL, and what is stored for it under other keys: the
 * answers to QUERY, and those under No-Vary-Search.  soft: their times only.
 * 0, or -1 with a text in err.
 */
int invalidate_url(const uint8_t hash[STORE_HASH_LEN],
    const struct search_family *, const struct inval_limits *soft,
    struct purged *, char err[BAN_ERR_LEN]) WAITS;

/*
 * The request's answer, req->obj, is there and was not sent.  If its method is
 * not safe and it is no error: purges the target, and what Location and
 * Content-Location name on the same host, if there is anything of them.
 * That is on disk before this returns.
 */
void invalidate_after(struct request *) WAITS;

#endif
