/*
 * lookup.c - hit, stale, wait, load or miss.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "ban.h"
#include "core.h"
#include "counters.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "stevedore.h"
#include "vary.h"

enum {
	/*
	 * Rounds of waiting for others: a key whose answers never match (a
	 * Vary of many values, failures) must not hold a request for ever.
	 */
	LOOKUP_ROUNDS = 16,
};

void
key_make(struct key *k, struct str bytes)
{
	XXH128_hash_t h = XXH3_128bits(bytes.p, bytes.len);
	XXH128_canonical_t c;

	_Static_assert(sizeof c == STORE_HASH_LEN, "a hash is 16 bytes");
	XXH128_canonicalFromHash(&c, h);
	memcpy(k->hash, &c, sizeof c);
	k->bytes = bytes;
}

/* What memory has for a request; the objects are counted. */
struct found {
	struct object *hit;    /* fresh, or stale within grace */
	struct object *stale;  /* only good for revalidation */
	struct objhead *head;  /* of this turn */
	bool fresh, marker_miss, marker_pass;
};

static double
grace_of(const struct request *req, const struct object *o)
{
	double grace = o->grace;

	return req->grace_limit >= 0 && req->grace_limit < grace ?
	    req->grace_limit : grace;
}

static double
ttl_left(const struct request *req, const struct object *o)
{
	double left = object_ttl_left(o, req->ctx.now);

	/* req.ttl: the oldest that this client takes */
	if (req->ttl_limit >= 0) {
		double limited = req->ttl_limit -
		    object_age(o, req->ctx.now);

		if (limited < left)
			left = limited;
	}
	return left;
}

static bool
object_is_usable(const struct request *req, struct object *o)
{
	if (object_is(o, OBJ_DYING | OBJ_VARY_ALL) ||
	    atomic_load(&o->body.state) == BODY_FAILED)
		return false;
	return req->hash_ignore_vary || o->vary.len == 0 ||
	    vary_matches(o->vary, &req->http);
}

/*
 * No lock, no wait: the whole of it is one turn.  Objects to be removed are
 * removed here, under the key's lock.
 */
static void
find(const struct request *req, const struct key *key, struct found *f)
{
	struct object *o, *next;

	memset(f, 0, sizeof *f);
	f->head = index_find(key);
	if (f->head == NULL)
		return;
	for (o = index_first(f->head); o != NULL; o = next) {
		double left;

		next = index_next(o);
		if (!object_is_usable(req, o))
			continue;
		if (ban_hits(o, req)) {
			stevedore_drop(o->stevedore, o);
			continue;
		}
		left = ttl_left(req, o);
		if (object_is(o, OBJ_HITMISS | OBJ_HITPASS)) {
			if (left <= 0)
				continue;
			f->marker_miss = object_is(o, OBJ_HITMISS);
			f->marker_pass = !f->marker_miss;
			object_unref(&f->hit);
			object_unref(&f->stale);
			f->stale = object_ref(o);
			return;
		}
		if (left > 0) {
			object_unref(&f->hit);
			f->hit = object_ref(o);
			f->fresh = true;
			return;
		}
		if (f->hit == NULL && left + grace_of(req, o) > 0) {
			f->hit = object_ref(o);
		} else if (f->stale == NULL && !object_is_expired(o,
		    req->ctx.now)) {
			f->stale = object_ref(o);
		} else if (object_is_expired(o, req->ctx.now) &&
		    index_remove(o)) {
			COUNT_INC(n_expired);
		}
	}
}

/* --- loading from a store ---------------------------------------------- */

struct load {
	const struct request *req;
	struct stevedore *stv;
	struct store_object *found;
	struct buf *whole; /* a small body, read and right */
	int result;
};

static bool
load_match(void *priv, const struct store_meta *m)
{
	const struct load *l = priv;
	const struct request *req = l->req;

	return str_eq(m->key, req->key.bytes) &&
	    m->t_origin + m->ttl + m->grace + m->keep > req->ctx.now &&
	    (req->hash_ignore_vary || m->vary.len == 0 ||
	    vary_matches(m->vary, &req->http));
}

/*
 * Its first bytes, which are wanted next.  If they are wrong the origin is
 * still there to ask: later, the response would have to be cut short.
 */
static bool
load_first(struct load *l)
{
	const struct extent *e = &l->found->extent[0];
	struct store *st = l->stv->store;

	if (l->found->extent_n == 0)
		return true;
	if (l->found->extent_n > 1 || e->len > params->sendfile_min)
		return extent_verify(st, e) == 0;
	l->whole = buf_new(e->len);
	return l->whole == NULL || extent_read(st, e, l->whole->data) == 0;
}

static void
load_run(void *arg)
{
	struct load *l = arg;

	l->result = store_lookup(l->stv->store, l->req->key.hash, load_match,
	    l, &l->found);
	if (l->result != 1 || load_first(l))
		return;
	store_drop(l->stv->store, l->found->seq);
	buf_unref(&l->whole);
	store_object_free(&l->found);
	l->result = 0;
}

static struct object *
object_from_store(struct stevedore *stv, struct store_object *so,
    struct buf *whole)
{
	struct object *o = object_from_bytes(so->meta.head, so->meta.vary);
	int r;

	if (o == NULL) {
		buf_unref(&whole);
		return NULL;
	}
	o->t_origin = so->meta.t_origin;
	o->ttl = so->meta.ttl;
	o->grace = so->meta.grace;
	o->keep = so->meta.keep;
	o->last_modified = so->meta.last_modified;
	o->inval_seq = so->meta.inval_seq;
	o->store_seq = so->seq;
	o->stevedore = stv;
	o->flags = OBJ_FROM_STORE;
	o->body.flat_max = params->sendfile_min;
	if (so->inline_body.p != NULL) {
		r = body_set(&o->body, so->inline_body.p, so->inline_body.len);
	} else {
		r = body_set_extents(&o->body, so->extent, so->extent_n);
		/* each extent's reference is the body's now */
		if (r == 0) {
			so->extent_n = 0;
			body_first_is_right(&o->body, whole);
		} else {
			buf_unref(&whole);
		}
	}
	if (r != 0)
		object_unref(&o);
	return o;
}

/*
 * We hold the claim: looks on disk.  true: something was put into the index.
 */
static bool
load(struct request *req, struct objhead *head)
{
	for (unsigned i = 0; i < stevedore_count(); i++) {
		struct load l = {.req = req, .stv = stevedore_at(i)};
		uint64_t purges = purge_count();
		struct object *o;

		if (l.stv->store == NULL ||
		    !store_may_have(l.stv->store, req->key.hash))
			continue;
		pool_call(req->core->pool, load_run, &l, "store");
		if (l.result != 1)
			continue;
		o = object_from_store(l.stv, l.found, l.whole);
		store_object_free(&l.found);
		if (o == NULL)
			continue;
		o->xid = req->xid;
		index_insert(head, o);
		/* a purge since we read it has not seen it */
		if (purge_count() != purges && index_remove(o)) {
			object_unref(&o);
			i--;
			continue;
		}
		object_unref(&o);
		COUNT_INC(cache_load);
		return true;
	}
	return false;
}

/* --- the decision -------------------------------------------------------- */

static enum lookup_result
hit(struct request *req, struct found *f)
{
	req->obj = f->hit;
	object_unref(&f->stale);
	if (f->fresh) {
		COUNT_INC(cache_hit);
		return LOOKUP_HIT;
	}
	COUNT_INC(cache_hit);
	COUNT_INC(cache_hit_grace);
	if (index_try_claim(f->head))
		req->busy = f->head;
	return LOOKUP_HIT;
}

static enum lookup_result
marker(struct request *req, struct found *f)
{
	double left = object_ttl_left(f->stale, req->ctx.now);

	if (f->marker_pass) {
		req->is_hitpass = true;
		COUNT_INC(cache_hitpass);
		log_printf(&req->log, LOG_HITPASS, "%llu %.6f",
		    (unsigned long long)f->stale->xid, left);
		object_unref(&f->stale);
		return LOOKUP_HITPASS;
	}
	req->is_hitmiss = true;
	COUNT_INC(cache_hitmiss);
	COUNT_INC(cache_miss);
	log_printf(&req->log, LOG_MISS, "%llu %.6f",
	    (unsigned long long)f->stale->xid, left);
	object_unref(&f->stale);
	return LOOKUP_MISS;
}

enum lookup_result
lookup_run(struct request *req)
{
	bool waited = false, looked = false;
	struct found f;

	for (unsigned round = 0;; round++) {
		enum claim_result claim;

		memset(&f, 0, sizeof f);
		if (!req->hash_always_miss) {
			find(req, &req->key, &f);
			if (f.marker_miss || f.marker_pass)
				return marker(req, &f);
			if (f.hit != NULL)
				return hit(req, &f);
		}
		claim = index_claim(&req->key, &req->busy);
		if (claim == CLAIM_BUSY && !req->hash_ignore_busy &&
		    !req->hash_always_miss && round < LOOKUP_ROUNDS) {
			object_unref(&f.stale);
			if (!waited)
				COUNT_INC(cache_coalesced);
			waited = true;
			if (index_wait(&req->key, NSEC_NEVER) ==
			    FIBER_CANCELED)
				return LOOKUP_FAILED;
			req->ctx.now = loop_wall(req->core->loop);
			continue;
		}
		if (claim != CLAIM_GRANTED)
			req->busy = NULL;
		/* Between find and claim another one may have finished. */
		if (claim == CLAIM_GRANTED && !req->hash_always_miss &&
		    !looked) {
			looked = true;
			if (load(req, req->busy) ||
			    index_first(req->busy) != NULL) {
				object_unref(&f.stale);
				index_release(&req->busy);
				continue;
			}
		}
		req->stale = f.stale;
		COUNT_INC(cache_miss);
		return LOOKUP_MISS;
	}
}

void
object_store_meta(const struct object *o, const struct key *key,
    struct store_meta *m, struct str head)
{
	memset(m, 0, sizeof *m);
	memcpy(m->hash, key->hash, STORE_HASH_LEN);
	m->key = key->bytes;
	m->vary = o->vary;
	m->head = head;
	m->t_origin = o->t_origin;
	m->ttl = o->ttl;
	m->grace = o->grace;
	m->keep = o->keep;
	m->last_modified = o->last_modified;
	m->inval_seq = o->inval_seq;
	m->body_len = o->body.len;
	m->status = o->http.status;
}
