/*
 * lookup.c - hit, stale, wait, load or miss.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "ban.h"
#include "blocks.h"
#include "cold.h"
#include "core.h"
#include "counters.h"
#include "encodings.h"
#include "esi_page.h"
#include "index.h"
#include "lurker.h"
#include "lookup.h"
#include "params.h"
#include "search_key.h"
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
	k->variant = 0;
}

/* What memory has for a request; the objects are counted. */
struct found {
	struct object *hit;    /* fresh, or stale within grace */
	struct object *stale;  /* only good for revalidation */
	struct objhead *head;  /* of this turn */
	struct str vary;       /* of a variant, ours or not; of this turn */
	bool fresh, marker_miss, marker_pass;
	uint64_t marker_was;   /* xid of one within its grace; 0: none */
	bool others;           /* variants that are not for this request */
};

/* Does the client want it as fresh as it says (RFC 9111 5.2.1)? */
static bool
wants_fresh(const struct request *req)
{
	return req->is_heard && (req->asked.no_cache ||
	    req->asked.max_age >= 0 || req->asked.min_fresh >= 0);
}

/* RFC 9111 4.2.4: not even a client's max-stale is leave then */
static bool
stale_is_forbidden(const struct object *o)
{
	struct cache_control cc;

	cache_control_effective(&cc, &o->http, params->surrogate_control);
	return cc.no_cache || cc.must_revalidate || cc.proxy_revalidate ||
	    cc.s_maxage >= 0;
}

/* A soft purge took off its time, and is leave to serve it stale. */
static bool
is_softened(const struct object *o)
{
	struct freshness_rules rules = {.surrogate = params->surrogate_control};
	struct freshness fr;

	freshness_of(&fr, &o->http, o->t_origin, &rules);
	return o->ttl < fr.ttl;
}

static bool
asks_first(const struct object *o)
{
	return object_is(o, OBJ_ASK_FIRST) &&
	    (object_is(o, OBJ_NEVER_FRESH) || !is_softened(o));
}

static double
grace_of(const struct request *req, const struct object *o)
{
	double grace = asks_first(o) || wants_fresh(req) ? 0 : o->grace;

	if (req->is_heard && req->asked.max_stale >= 0 &&
	    (double)req->asked.max_stale > grace && !stale_is_forbidden(o))
		grace = (double)req->asked.max_stale;
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
	if (!req->is_heard)
		return left;
	if (req->asked.no_cache)
		return left < 0 ? left : 0;
	if (req->asked.max_age >= 0) {
		double limited = (double)req->asked.max_age -
		    floor(object_age(o, req->ctx.now));

		if (limited < left)
			left = limited;
	}
	if (req->asked.min_fresh > 0)
		left -= (double)req->asked.min_fresh;
	return left;
}

/* RFC 9111 3.5: may who has Authorization get what all get? */
static bool
may_be_shared(const struct object *o)
{
	struct cache_control cc;

	cache_control_effective(&cc, &o->http, params->surrogate_control);
	return cc.public_ || cc.must_revalidate || cc.s_maxage >= 0;
}

static bool
object_is_usable(const struct request *req, struct object *o)
{
	if (object_is(o, OBJ_DYING | OBJ_VARY_ALL) ||
	    atomic_load(&o->body.state) == BODY_FAILED)
		return false;
	if (req->only_shared && !may_be_shared(o))
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
	struct object *o, *next, *newest;

	memset(f, 0, sizeof *f);
	f->head = index_find(key);
	if (f->head == NULL)
		return;
	newest = index_first(f->head);
	for (o = newest; o != NULL; o = next) {
		double left;

		next = index_next(o);
		if (f->vary.len == 0)
			f->vary = o->vary;
		if (!object_is_usable(req, o)) {
			f->others = true;
			continue;
		}
		if (ban_hits(o, req)) {
			stevedore_drop(o->stevedore, o);
			continue;
		}
		left = ttl_left(req, o);
		if (object_is(o, OBJ_MOMENT)) {
			if (req->waits_since != 0 &&
			    o->born >= req->waits_since) {
				object_unref(&f->hit);
				f->hit = object_ref(o);
				f->fresh = true;
				return;
			}
			if (object_is_expired(o, req->ctx.now) &&
			    index_remove(o))
				COUNT_INC(n_expired);
			continue;
		}
		if (object_is(o, OBJ_HITMISS | OBJ_HITPASS)) {
			if (left <= 0) {
				if (left + o->grace > 0 && o == newest)
					f->marker_was = o->xid;
				continue;
			}
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

/* What of an object's flags is on disk, too. */
static const struct {
	unsigned object, meta;
} stored_flags[] = {
	{OBJ_PLAIN_KEY, META_PLAIN_KEY},
	{OBJ_NO_ENCODE, META_NO_ENCODE},
	{OBJ_ESI, META_ESI},
	{OBJ_BLOCKS, META_BLOCKS},
	{OBJ_ASK_FIRST, META_ASK_FIRST},
	{OBJ_NEVER_FRESH, META_NEVER_FRESH},
	{OBJ_HAS_LISTS, META_HAS_LISTS},
};
enum { STORED_FLAGS = sizeof stored_flags / sizeof *stored_flags };

static unsigned
flags_of_meta(unsigned meta)
{
	unsigned flags = 0;

	for (unsigned i = 0; i < STORED_FLAGS; i++)
		if (meta & stored_flags[i].meta)
			flags |= stored_flags[i].object;
	return flags;
}

/* --- loading from a store ------------------------------------------------ */

struct load {
	const struct request *req; /* NULL: a block */
	const struct key *key;
	struct stevedore *stv;
	struct store_object *found;
	struct buf *whole; /* a small body, read and right */
	/* as it lies there, if that is what the client wants; or NULL */
	struct buf *frame;
	bool wants_zstd;
	int result;
};

static bool
load_match(void *priv, const struct store_meta *m)
{
	const struct load *l = priv;
	const struct request *req = l->req;

	if (req == NULL)
		return str_eq(m->key, l->key->bytes);
	return str_eq(m->key, req->key.bytes) &&
	    m->t_origin + m->ttl + m->grace + m->keep > req->ctx.now &&
	    (req->hash_ignore_vary || m->vary.len == 0 ||
	    vary_matches(m->vary, &req->http));
}

/*
 * Its first bytes, which are wanted next.  If they are wrong the origin is
 * still there to ask: later, the response would have to be cut short.  As
 * cold_read; without memory it is a miss, and stays.
 */
static int
load_first(struct load *l)
{
	const struct extent *e = &l->found->extent[0];
	struct store *st = l->stv->store;

	if (l->found->packed) {
		l->whole = buf_new((uint32_t)l->found->meta.body_len);
		if (l->wants_zstd && store_frame_len(l->found) > 0)
			l->frame = buf_new(store_frame_len(l->found));
		return l->whole == NULL ? STORE_NO_MEMORY :
		    store_unpack(st, l->found, l->whole->data,
		    l->frame != NULL ? l->frame->data : NULL);
	}
	if (l->found->extent_n == 0)
		return 0;
	if (l->found->extent_n > 1 || e->len > params->sendfile_min)
		return cold_read(st, e, NULL);
	l->whole = buf_new(e->len);
	return l->whole == NULL ? STORE_NO_MEMORY :
	    cold_read(st, e, l->whole->data);
}

/* By io_uring?  What is to be unpacked is for another thread in any case. */
static bool
load_on_fiber(const struct load *l)
{
	return l->req != NULL && l->result == 1 && !l->found->packed &&
	    l->req->core->uring != NULL;
}

static void
load_check(struct load *l)
{
	int r = l->result == 1 ? load_first(l) : 0;

	if (r == 0)
		return;
	if (r != STORE_NO_MEMORY)
		store_drop(l->stv->store, l->found->seq);
	buf_unref(&l->whole);
	buf_unref(&l->frame);
	store_object_free(&l->found);
	l->result = 0;
}

static void
load_run(void *arg)
{
	struct load *l = arg;

	l->result = store_lookup(l->stv->store, l->key->hash, load_match,
	    l, &l->found);
	if (!load_on_fiber(l))
		load_check(l);
}

static struct object *
object_from_store(struct stevedore *stv, struct store_object *so,
    struct buf *whole, uint64_t tested)
{
	struct object *o = NULL;
	int r;

	if (!so->packed || whole != NULL)
		o = object_from_bytes(so->meta.head, so->meta.vary);
	if (o == NULL) {
		buf_unref(&whole);
		return NULL;
	}
	o->t_origin = so->meta.t_origin;
	o->ttl = so->meta.ttl;
	o->grace = so->meta.grace;
	o->keep = so->meta.keep;
	o->last_modified = so->meta.last_modified;
	o->inval_seq = so->meta.inval_seq > tested ? so->meta.inval_seq :
	    tested;
	o->store_seq = so->seq;
	o->stevedore = stv;
	o->flags = OBJ_FROM_STORE;
	o->flags |= flags_of_meta(so->meta.flags);
	encodings_mark(o);
	o->esi_flags = (uint8_t)(so->meta.flags >> META_ESI_FLAGS);
	o->body.flat_max = params->sendfile_min;
	if (so->meta.flags & META_BLOCKS) {
		r = blocks_mark(o) ? 0 : -1;
	} else if (so->packed) {
		o->body.flat_max = UINT64_MAX;
		r = body_set_buf(&o->body, whole);
	} else if (so->inline_body.p != NULL) {
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
load(struct request *req, const struct claim *claim)
{
	for (unsigned i = 0; i < stevedore_count(); i++) {
		struct load l = {.req = req, .key = &req->key,
		    .stv = stevedore_at(i),
		    .wants_zstd = encodings_wanted(req, CODING_ZSTD)};
		uint64_t purges = purge_count(), tested = lurker_floor();
		struct object *o;

		if (l.stv->store == NULL ||
		    !store_may_have(l.stv->store, req->key.hash))
			continue;
		pool_call(req->core->pool, load_run, &l, "store");
		if (load_on_fiber(&l))
			load_check(&l);
		if (l.result != 1)
			continue;
		o = object_from_store(l.stv, l.found, l.whole, tested);
		store_object_free(&l.found);
		if (o == NULL) {
			buf_unref(&l.frame);
			continue;
		}
		o->xid = req->xid;
		index_insert(claim, o);
		if (l.frame != NULL)
			encodings_adopt(o, CODING_ZSTD, &l.frame);
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

struct object *
lookup_load_block(struct core *c, struct stevedore *stv,
    const struct key *key, struct claim *claimed)
{
	struct load l = {.key = key, .stv = stv};
	struct object *o;

	if (stv->store == NULL || !store_may_have(stv->store, key->hash))
		return NULL;
	pool_call(c->pool, load_run, &l, "store");
	if (l.result != 1)
		return NULL;
	o = object_from_store(stv, l.found, l.whole, UINT64_MAX);
	store_object_free(&l.found);
	if (o == NULL)
		return NULL;
	index_insert(claimed, o);
	COUNT_INC(cache_load);
	return o;
}

/* --- the decision -------------------------------------------------------- */

/* For Cache-Status (RFC 9211 2.2). */
static enum forward
forward_of(const struct request *req, const struct found *f)
{
	if (req->hash_always_miss || (f->stale != NULL && req->is_heard &&
	    object_ttl_left(f->stale, req->ctx.now) > 0))
		return FORWARD_REQUEST;
	if (f->stale != NULL)
		return FORWARD_STALE;
	return f->others ? FORWARD_VARY_MISS : FORWARD_URI_MISS;
}

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
	req->busy = index_try_claim(f->head, req->key.variant);
	return LOOKUP_HIT;
}

static enum lookup_result
hit_for_miss(struct request *req, uint64_t marker, double left)
{
	req->forward = FORWARD_BYPASS;
	req->is_hitmiss = true;
	COUNT_INC(cache_hitmiss);
	COUNT_INC(cache_miss);
	log_printf(&req->log, LOG_MISS, "%llu %.6f",
	    (unsigned long long)marker, left);
	return LOOKUP_MISS;
}

static enum lookup_result
marker(struct request *req, struct found *f)
{
	double left = object_ttl_left(f->stale, req->ctx.now);
	uint64_t xid = f->stale->xid;

	object_unref(&f->stale);
	if (f->marker_pass) {
		req->forward = FORWARD_BYPASS;
		req->is_hitpass = true;
		COUNT_INC(cache_hitpass);
		log_printf(&req->log, LOG_HITPASS, "%llu %.6f",
		    (unsigned long long)xid, left);
		return LOOKUP_HITPASS;
	}
	return hit_for_miss(req, xid, left);
}

void
lookup_explain(const struct request *req, explain_object_fn *fn, void *priv)
{
	struct objhead *head = index_find(&req->key);
	struct object *o = head != NULL ? index_first(head) : NULL;
	bool found = false;

	for (; o != NULL; o = index_next(o)) {
		struct explained e = {.object = o};

		e.ttl = ttl_left(req, o);
		e.grace = o->grace;
		if (object_is(o, OBJ_DYING))
			continue;
		if (!object_is_usable(req, o))
			e.state = "variant";
		else if (ban_explain(o, req, NULL, NULL))
			e.state = "banned";
		else if (object_is(o, OBJ_HITMISS))
			e.state = e.ttl > 0 ? "hit-for-miss" : "expired";
		else if (object_is(o, OBJ_HITPASS))
			e.state = e.ttl > 0 ? "hit-for-pass" : "expired";
		else if (e.ttl > 0)
			e.state = "fresh";
		else if (e.ttl + grace_of(req, o) > 0)
			e.state = "grace";
		else if (e.ttl + e.grace > 0)
			e.state = "ask-first";
		else
			e.state = object_is_expired(o, req->ctx.now) ?
			    "expired" : "keep";
		e.usable = strcmp(e.state, "variant") != 0 &&
		    strcmp(e.state, "banned") != 0;
		e.chosen = !found && e.usable &&
		    (e.ttl > 0 || !strcmp(e.state, "grace"));
		found |= e.chosen;
		fn(priv, &e);
	}
}

bool
lookup_may_load(const struct key *key)
{
	for (unsigned i = 0; i < stevedore_count(); i++) {
		const struct stevedore *stv = stevedore_at(i);

		if (stv->store != NULL &&
		    store_may_have(stv->store, key->hash))
			return true;
	}
	return false;
}

/* Shall a request wait for the one that fetches for its key? */
static bool
waits(const struct request *req, const struct found *f)
{
	/* each has to ask for itself: one after the other would take long */
	if (f->stale != NULL && object_is(f->stale, OBJ_NEVER_FRESH))
		return false;
	if (req->is_heard && (req->asked.no_cache ||
	    req->asked.only_if_cached))
		return false;
	return !req->hash_ignore_busy && !req->hash_always_miss &&
	    !req->only_shared;
}

/* What the client asks of caches, if the administrator lets it. */
static void
hear(struct request *req)
{
	struct str pragma = http_get(&req->http, FIELD_PRAGMA);

	req->is_heard = req->no_store = false;
	req->error_limit = -1;
	if (!params->honour_request_cc)
		return;
	req->is_heard = true;
	cache_control_parse(&req->asked, &req->http);
	/* RFC 9111 5.4: for the sake of HTTP/1.0 */
	if (http_get(&req->http, FIELD_CACHE_CONTROL).p == NULL &&
	    pragma.p != NULL && str_list_has(pragma, STR("no-cache")))
		req->asked.no_cache = true;
	req->no_store = req->asked.no_store;
	req->error_limit = (double)req->asked.stale_if_error;
}

enum lookup_result
lookup_run(struct request *req)
{
	/* what was found to be of the past may be on disk for a moment yet */
	bool waited = false, looked = req->run.lookups > 0;
	struct found f;

	hear(req);
	req->waits_since = 0;
	for (unsigned round = 0;; round++) {
		enum claim_result claim;

		memset(&f, 0, sizeof f);
		if (!req->hash_always_miss) {
			find(req, &req->key, &f);
			/* a fresh hit, which is most, claims nothing */
			if (!f.fresh && !req->hash_ignore_vary)
				req->key.variant =
				    vary_hash(f.vary, &req->http);
			if (f.marker_miss || f.marker_pass)
				return marker(req, &f);
			if (f.hit != NULL)
				return hit(req, &f);
		}
		claim = index_claim(&req->key, &req->busy);
		/* one asks whether it is still so; others need not know */
		if (claim == CLAIM_BUSY && f.marker_was != 0) {
			object_unref(&f.stale);
			return hit_for_miss(req, f.marker_was, 0);
		}
		if (claim == CLAIM_BUSY && waits(req, &f) &&
		    round < LOOKUP_ROUNDS) {
			object_unref(&f.stale);
			if (!waited) {
				COUNT_INC(cache_coalesced);
				req->waits_since = clock_mono();
			}
			waited = true;
			req->collapsed = true;
			req->forward = forward_of(req, &f);
			if (index_wait(&req->key, esi_deadline(req)) !=
			    FIBER_WOKEN)
				return LOOKUP_FAILED;
			req->ctx.now = loop_wall(req->core->loop);
			if (search_key_is_old(req))
				search_key_make(req, req->search.plain);
			continue;
		}
		if (claim != CLAIM_GRANTED)
			req->busy = NULL;
		/* Between find and claim another one may have finished. */
		if (claim == CLAIM_GRANTED && !req->hash_always_miss &&
		    !looked) {
			looked = true;
			if (load(req, req->busy) ||
			    index_first(req->busy->head) != NULL) {
				object_unref(&f.stale);
				index_release(&req->busy);
				continue;
			}
		}
		req->forward = forward_of(req, &f);
		req->stale = f.stale;
		/* nobody shall wait for what is likely to be for one only */
		if (req->busy != NULL && req->only_shared)
			index_release(&req->busy);
		if (req->is_heard && req->asked.only_if_cached) {
			if (req->busy != NULL)
				index_release(&req->busy);
			return LOOKUP_NOT_CACHED;
		}
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
	for (unsigned i = 0; i < STORED_FLAGS; i++)
		if (object_is(o, stored_flags[i].object))
			m->flags |= stored_flags[i].meta;
	m->flags |= (uint32_t)o->esi_flags << META_ESI_FLAGS;
}
