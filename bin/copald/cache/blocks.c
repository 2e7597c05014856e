/*
 * blocks.c - the blocks of a large representation: found, waited for, loaded
 * from the store, or fetched.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "blocks.h"
#include "byte_range.h"
#include "core.h"
#include "counters.h"
#include "fetch.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "stevedore.h"

enum {
	/*
	 * A block that was found, or fetched, and fails when it is read (cut
	 * off, evicted, damaged) is looked for anew so many times.
	 */
	BLOCK_TRIES = 3,
	/* Others' fetches of it that are waited for. */
	BLOCK_WAITS = 16,
	RANGES_LOOKED_AT = 256, /* of http_max_ranges */
};

bool
blocks_of(const struct object *head, struct blocks *b)
{
	struct str v = http_get(&head->http, FIELD_X_COPAL_BLOCKS);

	if (v.p == NULL || v.len < BLOCKS_ID_LEN + 2 ||
	    v.p[BLOCKS_ID_LEN] != ' ')
		return false;
	memcpy(b->id, v.p, BLOCKS_ID_LEN);
	return str_to_u64(str_of(v.p + BLOCKS_ID_LEN + 1,
	    v.len - BLOCKS_ID_LEN - 1), &b->size) && b->size <= INT64_MAX;
}

struct str
blocks_name(uint64_t size, struct arena *a)
{
	uint64_t id[2];

	/* without it two responses might share blocks: rather none */
	if (getrandom(id, sizeof id, GRND_NONBLOCK) != (ssize_t)sizeof id)
		return STR_NULL;
	return arena_printf(a, "%016llx%016llx %llu",
	    (unsigned long long)id[0], (unsigned long long)id[1],
	    (unsigned long long)size);
}

bool
blocks_mark(struct object *o)
{
	struct blocks b;

	if (!blocks_of(o, &b))
		return false;
	o->body.expected = (int64_t)b.size;
	/* a coding is made from the whole */
	atomic_fetch_and(&o->flags, ~(unsigned)OBJ_ENCODABLE);
	atomic_fetch_or(&o->flags, OBJ_BLOCKS);
	return true;
}

void
block_key_make(struct block_key *k, const struct blocks *b, uint64_t n)
{
	/* what vcl_hash makes is text and has no such byte */
	static const char prefix[8] = "\0block\0";

	memcpy(k->bytes, prefix, sizeof prefix);
	memcpy(k->bytes + 8, b->id, BLOCKS_ID_LEN);
	memcpy(k->bytes + 8 + BLOCKS_ID_LEN, &n, 8);
	key_make(&k->key, str_of(k->bytes, sizeof k->bytes));
}

struct object *
block_peek(const struct key *k)
{
	struct objhead *h = index_find(k);
	struct object *o = h != NULL ? index_first(h) : NULL;

	for (; o != NULL; o = index_next(o))
		if (!object_is(o, OBJ_DYING) &&
		    atomic_load(&o->body.state) != BODY_FAILED)
			return object_ref(o);
	return NULL;
}

/* Is it likely to be had without the origin? */
static bool
block_may_be_there(const struct object *head, const struct key *k)
{
	struct object *o = block_peek(k);
	bool there = o != NULL;

	object_unref(&o);
	return there || (head->stevedore->store != NULL &&
	    store_may_have(head->stevedore->store, k->hash));
}

/* Has the origin asked for block n and what misses behind it. */
static enum body_get
fetch_missing(struct request *req, const struct blocks *b, uint64_t n,
    uint64_t end, struct claim **busy)
{
	struct block_run *run = &req->run;
	struct fetch *f;
	bool ok;

	run->head = req->obj;
	run->busy = *busy;
	*busy = NULL;
	run->first = n * BLOCK_LEN;
	run->end = run->first + BLOCK_LEN;
	for (unsigned i = 1; i < BLOCK_RUN && run->end < end; i++) {
		struct block_key k;

		block_key_make(&k, b, n + i);
		if (block_may_be_there(req->obj, &k.key))
			break;
		run->end += BLOCK_LEN;
	}
	if (run->end > b->size)
		run->end = b->size;
	COUNT_INC(fetch_blocks);
	f = fetch_start(req, FETCH_BLOCKS, NULL);
	if (f == NULL) {
		if (run->busy != NULL)
			index_release(&run->busy);
		run->failure = FAILURE_MEMORY;
		return BODY_GET_FAILED;
	}
	req->forward = FORWARD_PARTIAL;
	fetch_wait(f);
	ok = atomic_load(&f->state) == FETCH_READY;
	if (!ok) {
		run->failure = f->failure;
		run->changed = f->blocks.changed;
	}
	req->origin_status = f->got_status;
	fetch_unref(&f);
	return ok ? BODY_GET_OK : BODY_GET_FAILED;
}

/* req->block <- block n */
static enum body_get
block_find(struct request *req, const struct blocks *b, uint64_t n,
    uint64_t end)
{
	unsigned waits = 0;
	struct block_key k;

	block_key_make(&k, b, n);
	for (unsigned tries = 0; tries < BLOCK_TRIES;) {
		struct claim *busy = NULL;
		enum body_get r;

		req->block_n = n;
		req->block = block_peek(&k.key);
		if (req->block != NULL)
			return BODY_GET_OK;
		switch (index_claim(&k.key, &busy)) {
		case CLAIM_BUSY:
			if (waits++ == BLOCK_WAITS || index_wait(&k.key,
			    NSEC_NEVER) == FIBER_CANCELED)
				return BODY_GET_FAILED;
			continue;
		case CLAIM_NO_MEMORY:
			req->run.failure = FAILURE_MEMORY;
			return BODY_GET_FAILED;
		case CLAIM_GRANTED:
			break;
		}
		/* another one may have had the claim in between */
		req->block = block_peek(&k.key);
		if (req->block == NULL)
			req->block = lookup_load_block(req->core,
			    req->obj->stevedore, &k.key, busy);
		if (req->block != NULL) {
			index_release(&busy);
			return BODY_GET_OK;
		}
		tries++;
		r = fetch_missing(req, b, n, end, &busy);
		if (r != BODY_GET_OK)
			return r;
	}
	return BODY_GET_FAILED;
}

enum body_get
blocks_get(struct request *req, uint64_t at, uint64_t end, bool in_memory,
    struct body_view *v)
{
	struct stevedore *stv = req->obj->stevedore;
	uint64_t n = at / BLOCK_LEN;
	struct blocks b;

	if (!blocks_of(req->obj, &b))
		return BODY_GET_FAILED;
	if (at >= b.size)
		return BODY_GET_END;
	if (end > b.size)
		end = b.size;
	for (unsigned tries = 0; tries < BLOCK_TRIES; tries++) {
		if (req->block == NULL || req->block_n != n) {
			object_unref(&req->block);
			if (block_find(req, &b, n, end) != BODY_GET_OK)
				return BODY_GET_FAILED;
			atomic_fetch_add_explicit(&req->block->hits, 1,
			    memory_order_relaxed);
		}
		if (body_get(&req->block->body, stv, at - n * BLOCK_LEN,
		    in_memory, NSEC_NEVER, v) == BODY_GET_OK)
			return BODY_GET_OK;
		/* cut off, or damaged: what was sent of it is right all the
		 * same, as its validator is the same */
		stevedore_drop(stv, req->block);
		object_unref(&req->block);
	}
	return BODY_GET_FAILED;
}

bool
blocks_prepare(struct request *req)
{
	struct byte_range set[RANGES_LOOKED_AT], r = {0, 0};
	struct str v = http_get(&req->http, FIELD_RANGE);
	struct blocks b;
	unsigned n;

	req->run.failure = FAILURE_BODY_CUT;
	req->run.changed = false;
	if (!str_eq(req->http.method, STR("GET")) ||
	    http_get(&req->http, FIELD_IF_NONE_MATCH).p != NULL ||
	    http_get(&req->http, FIELD_IF_MODIFIED_SINCE).p != NULL)
		return true;
	if (!blocks_of(req->obj, &b) || b.size == 0)
		return false;
	r.last = b.size - 1;
	if (v.p != NULL && params->http_range_support)
		switch (range_parse(v, b.size, set, params->http_max_ranges,
		    &n)) {
		case RANGE_NONE:
			break;
		case RANGE_UNSATISFIABLE:
			return true;
		case RANGE_SOME:
			r = set[0];
			break;
		}
	return block_find(req, &b, r.first / BLOCK_LEN, r.last + 1) ==
	    BODY_GET_OK;
}
