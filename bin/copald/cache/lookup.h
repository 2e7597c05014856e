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
	LOOKUP_NOT_CACHED, /* and the client wants nothing else: 504 */
	LOOKUP_FAILED,  /* shutting down */
};

/*
 * Looks in memory, then in the stores; waits while another request fetches
 * for the key, unless hash_ignore_busy.  On a miss req->stale may be an
 * object to revalidate.  Sets is_hitmiss, is_hitpass.
 */
enum lookup_result lookup_run(struct request *) WAITS;

/* An object of a request's key, and whether the request would get it. */
struct explained {
	struct object *object;
	/*
	 * fresh, grace, ask-first (in grace, but served only if the origin
	 * does not answer), keep (good for a conditional fetch), expired,
	 * banned, variant (not for this request), hit-for-miss, hit-for-pass
	 */
	const char *state;
	double ttl, grace;  /* as they are for this request; seconds */
	bool chosen;
	bool usable;        /* neither variant nor banned */
};
typedef void explain_object_fn(void *priv, const struct explained *);
/* Tells of each object in memory, newest first; changes nothing. */
void lookup_explain(const struct request *, explain_object_fn *, void *priv);
/* May a store have an object of the key on disk? */
bool lookup_may_load(const struct key *);

/* store_meta.flags */
enum {
	META_PLAIN_KEY = 1,    /* OBJ_PLAIN_KEY */
	META_NO_ENCODE = 2,    /* and so on */
	META_ASK_FIRST = 4,
	META_NEVER_FRESH = 8,
	META_HAS_LISTS = 16,
	META_BLOCKS = 1 << 17,
	META_ESI = 1 << 16,
	META_ESI_FLAGS = 24,   /* esi_flags, so far to the left */
};

/* Makes the key from what vcl_hash appended. */
void key_make(struct key *, struct str bytes);

/* Writes a complete object to its store (on the fetch's fiber). */
void object_store_meta(const struct object *, const struct key *,
    struct store_meta *, struct str head);

/*
 * A block (blocks.h) from the store's disk, put under the key that is claimed;
 * counted.  NULL: none
 */
struct object *lookup_load_block(struct core *, struct stevedore *,
    const struct key *, struct claim *claimed) WAITS;

#endif
