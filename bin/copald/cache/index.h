/*
 * index.h - keys in memory: a hash table of keys, each with its variants.
 *
 * Readers take no lock: chains and variant lists are read under QSBR (what
 * is unlinked is freed when every core has finished its turn), so a lookup
 * must not wait between index_first and its object_ref.  Writers take the
 * lock of the key's stripe.
 *
 * The number of buckets is fixed when the worker starts, from the memory
 * that objects may use: the budget bounds the number of objects, so chains
 * stay short, and the table never has to be rebuilt under traffic.
 *
 * A claim is the right and the duty to fetch for a key.  Others who find
 * nothing usable wait until the claim is released.  Where it is known what the
 * variants of a key depend on, each has a claim of its own (key.variant).
 */
#ifndef COPAL_INDEX_H
#define COPAL_INDEX_H

#include "request.h"

struct claim {
	struct objhead *head;
	uint64_t variant;                   /* 0: any may come of it */
	struct claim *next;                 /* of the head */
};

struct claim_waiter {
	struct fiber *fiber;
	struct claim_waiter *next;
	uint64_t variant;
};

struct objhead {
	struct objhead *_Atomic next;       /* of the bucket */
	struct object *_Atomic variants;    /* newest first */
	struct claim *_Atomic claims;
	bool unlinked;
	unsigned waiter_n;
	struct claim_waiter *waiters;
	struct fetch *fetches;              /* under way, to tell of purges */
	struct qsbr_item retire;
	uint8_t hash[STORE_HASH_LEN];
	uint32_t key_len;
	char key[];
};

/* memory: what objects may use in all. 0, or -1: no memory. */
int index_init(uint64_t memory);

/* The key's entry; NULL: none.  Valid until the end of the turn. */
struct objhead *index_find(const struct key *);
/* Variants of an entry; a dying one may be among them. */
struct object *index_first(const struct objhead *);
struct object *index_next(const struct object *);

enum claim_result {
	CLAIM_GRANTED,  /* *out is to be released */
	CLAIM_BUSY,     /* another one has what could be the same */
	CLAIM_NO_MEMORY,
};
/* The entry is made if there is none. */
enum claim_result index_claim(const struct key *, struct claim **out);
/* A claim on an entry that we found in this turn; NULL: not to be had. */
struct claim *index_try_claim(struct objhead *, uint64_t variant);
/*
 * Waits until a claim on the key that could be for the same variant is
 * released, or deadline; at once if there is none now.
 */
enum fiber_wake index_wait(const struct key *, nsec_t deadline) WAITS;
/*
 * Puts o under a key that we have claimed.  Variants equal to it go, as soon
 * as its body is complete.
 */
void index_insert(const struct claim *, struct object *);
/* The same, unless the key was purged since f began; false: it was. */
bool index_insert_fetched(const struct claim *, struct fetch *f,
    struct object *);
/* The body of an object that was put there is complete. */
void index_completed(struct object *);
/* Puts o under the key. 0, or -1: no memory. */
int index_insert_key(const struct key *, struct object *);
/* Does anybody wait for our claim, or another of its key? */
bool index_has_waiters(const struct claim *);
/* Gives the claim back and wakes who waits; leaves NULL. */
void index_release(struct claim **);

/*
 * A copy of the bytes of the key that o is under, in *mem, which grows and is
 * the caller's to free.  false: it is in no longer, or there is no memory.
 */
bool index_key(const struct object *o, char **mem, size_t *cap,
    struct str *key);

/* Takes o out; false: it was not in (any more). */
bool index_remove(struct object *);
/* Every variant of the key out; how many. */
unsigned index_purge(const uint8_t hash[STORE_HASH_LEN]);
/*
 * A soft purge at an instant: takes off the times of every variant, and keeps
 * what is being fetched from being kept; how many.
 */
unsigned index_soften(const uint8_t hash[STORE_HASH_LEN],
    const struct inval_limits *, double at);
/* The object with this id in a store has lost its body or its record. */
void index_gone(const uint8_t hash[STORE_HASH_LEN], struct stevedore *,
    uint64_t store_seq);
/* Is that object of a store in memory? */
bool index_holds(const uint8_t hash[STORE_HASH_LEN], struct stevedore *,
    uint64_t store_seq);

/* A fetch under way is told when its key is purged. */
void index_fetch_begins(const struct claim *, struct fetch *);
void index_fetch_ends(struct fetch *);

#endif
