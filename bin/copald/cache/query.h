/*
 * query.h - the QUERY method (draft-ietf-httpbis-safe-method-w-body): its body,
 * and what says how to read that, are part of the key.
 *
 * Results are kept in memory, not on disk, each with a tag of its URL: what
 * invalidates the URL invalidates them (RFC 9111 4.4), and costs nothing
 * where there are none.
 */
#ifndef COPAL_QUERY_H
#define COPAL_QUERY_H

#include "request.h"

struct fetch;
struct purged;

/*
 * Reads the body (at most query_body_max) and makes req->key that of the
 * query, from the key of its URL.  false: it is to be passed, the body may
 * be sent all the same.
 */
bool query_make_key(struct request *) WAITS;
/* f fetches it: with a copy of the body, however long that takes. */
bool query_begin(struct fetch *f, const struct request *);
/* The fetch is freed. */
void query_end(struct fetch *);
/*
 * The URL of this key was invalidated: its queries are, too.  Adds to what
 * *done says.  0, or -1 with a text in err.
 */
int query_purge(const uint8_t hash[STORE_HASH_LEN], bool soft,
    struct purged *done, char *err) WAITS;

#endif
