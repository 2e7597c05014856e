/*
 * lookup.h - from a request's key to what to do about it.
 */
#ifndef COPAL_LOOKUP_H
#define COPAL_LOOKUP_H

#include "request.h"

enum lookup_result {
	LOOKUP_HIT,     /* req->obj; req->busy set: refresh it (grace) */
	LOOKUP_MISS,    /* req->busy: our claim, NULL: fetch without one */
	LOOKUP_HITPASS,
	LOOKUP_FAILED,  /* shutting down */
};

/*
 * Looks in memory, then in the stores; waits while another request fetches
 * for the key, unless hash_ignore_busy.  On a miss req->stale may be an
 * object to revalidate.  Sets is_hitmiss, is_hitpass.
 */
enum lookup_result lookup_run(struct request *) WAITS;

/* Makes the key from what vcl_hash appended. */
void key_make(struct key *, struct str bytes);

/* Writes a complete object to its store (on the fetch's fiber). */
void object_store_meta(const struct object *, const struct key *,
    struct store_meta *, struct str head);

#endif
