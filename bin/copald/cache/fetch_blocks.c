/*
 * fetch_blocks.c - parts of a representation from the origin.
 *
 * Parts are only put together if they have the same strong validator (RFC
 * 9110 15.3.7.3): without one, the whole is fetched.  Policy sees a part as
 * the response that it is a part of: 200, with the length of the whole.
 */
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "byte_range.h"
#include "core.h"
#include "counters.h"
#include "fetch_blocks.h"
#include "fetch_body.h"
#include "fetch_object.h"
#include "http_semantics.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "stevedore.h"

enum {
	/* Of a block: as long as there is room, as the head says how long. */
	BLOCK_TTL = 1000000000,
	/* Bytes from a fast origin until others have a turn. */
	TURN_BYTES = 4 << 20,
};

/* --- what is asked for --------------------------------------------------- */

/* If-Range takes it: the strong validator of a response; NULL: none */
static struct str
strong_validator(const struct http *h, double now, enum field_id *id)
{
	struct str etag = http_get(h, FIELD_ETAG);

	*id = FIELD_ETAG;
	if (etag.p != NULL)
		return etag.len > 0 && etag.p[0] == '"' ? etag : STR_NULL;
	*id = FIELD_LAST_MODIFIED;
	return http_last_modified_is_strong(h, now) ?
	    http_get(h, FIELD_LAST_MODIFIED) : STR_NULL;
}

static bool
ask(struct fetch *f, struct str range)
{
	f->blocks.range = range;
	return range.p != NULL &&
	    http_set_known(&f->bereq0, FIELD_RANGE, range);
}

static bool
ask_for_bytes(struct fetch *f)
{
	return ask(f, arena_printf(&f->ws, "bytes=%llu-%llu",
	    (unsigned long long)f->blocks.first,
	    (unsigned long long)f->blocks.end - 1));
}

static bool
ask_for_missing(struct fetch *f, struct request *req)
{
	struct block_run *run = &req->run;
	enum field_id id;
	struct str v;

	f->blocks.head = object_ref(run->head);
	f->blocks.first = run->first;
	f->blocks.end = run->end;
	v = strong_validator(&run->head->http, f->t_start, &id);
	v = v.p != NULL ? arena_strdup(&f->ws, v) : v;
	if (v.p == NULL || !http_set_known(&f->bereq0, FIELD_IF_RANGE, v) ||
	    !ask_for_bytes(f))
		return false;
	f->blocks.busy = run->busy;
	run->busy = NULL;
	return true;
}

/* The client's own: what it gets is not kept. */
static bool
ask_exactly(struct fetch *f)
{
	f->blocks.exact = true;
	return ask(f, f->blocks.wanted) && (f->blocks.if_range.p == NULL ||
	    http_set_known(&f->bereq0, FIELD_IF_RANGE, f->blocks.if_range));
}

bool
fetch_blocks_begin(struct fetch *f, struct request *req, enum fetch_kind kind,
    bool has_stale)
{
	struct str v = http_get(&req->http, FIELD_RANGE);
	struct str if_range = http_get(&req->http, FIELD_IF_RANGE);
	struct byte_range r;

	if (kind == FETCH_BLOCKS)
		return ask_for_missing(f, req);
	/*
	 * A range that begins so far in is of something large, whatever it
	 * is.  What is stale is asked about as a whole.
	 */
	if (kind != FETCH_MISS || has_stale || !params->http_range_support ||
	    !str_eq(req->http.method, STR("GET")) ||
	    http_count(&req->http, FIELD_RANGE) != 1 || !range_begin(v, &r) ||
	    r.first < params->range_fetch_min || r.first > INT64_MAX / 2)
		return true;
	f->blocks.wanted = arena_strdup(&f->ws, v);
	if (if_range.p != NULL)
		f->blocks.if_range = arena_strdup(&f->ws, if_range);
	if (f->blocks.wanted.p == NULL ||
	    (if_range.p != NULL && f->blocks.if_range.p == NULL))
		return false;
	if (req->is_hitmiss)
		return ask_exactly(f);
	f->blocks.first = r.first / BLOCK_LEN * BLOCK_LEN;
	f->blocks.end = f->blocks.first + (uint64_t)BLOCK_RUN * BLOCK_LEN;
	if (r.last < f->blocks.end)
		f->blocks.end = (r.last / BLOCK_LEN + 1) * BLOCK_LEN;
	return ask_for_bytes(f);
}

/* --- the answer ---------------------------------------------------------- */

static void
ask_for_whole(struct fetch *f)
{
	http_unset(&f->bereq0, FIELD_RANGE);
	http_unset(&f->bereq0, FIELD_IF_RANGE);
	f->blocks.range = STR_NULL;
	f->blocks.part = false;
}

/* Is it what we asked for (RFC 9110 14.4)?  The end may come sooner. */
static bool
content_range_fits(struct fetch *f, uint64_t *size)
{
	struct byte_range r;
	uint64_t end;

	if (http_count(&f->beresp, FIELD_CONTENT_RANGE) != 1 ||
	    !content_range_parse(http_get(&f->beresp, FIELD_CONTENT_RANGE),
	    &r, size) || r.first != f->blocks.first ||
	    r.last >= f->blocks.end)
		return false;
	if (f->framing.body == H1_LENGTH &&
	    f->framing.length != r.last - r.first + 1)
		return false;
	/* whole blocks only, but for the last */
	end = r.last + 1 == *size ? *size :
	    (r.last + 1) / BLOCK_LEN * BLOCK_LEN;
	if (end <= r.first)
		return false;
	f->blocks.end = end;
	return true;
}

static enum blocks_answer
answer_to_fill(struct fetch *f)
{
	const struct http *old = &f->blocks.head->http;
	enum field_id id, old_id;
	struct str was = strong_validator(old, f->t_start, &old_id), is;
	struct blocks b;
	uint64_t size;

	if (f->beresp.status >= 500)
		return ANSWER_BAD;
	if (f->beresp.status != 206)
		return ANSWER_CHANGED;
	if (!content_range_fits(f, &size))
		return ANSWER_BAD;
	is = http_get(&f->beresp, old_id);
	if (old_id == FIELD_ETAG)
		is = strong_validator(&f->beresp, f->t_start, &id);
	if (!blocks_of(f->blocks.head, &b) || size != b.size ||
	    !str_eq(was, is))
		return ANSWER_CHANGED;
	f->blocks.size = size;
	return ANSWER_FILL;
}

/* As policy sees it: the whole of which we have a part. */
static bool
show_whole(struct fetch *f, uint64_t size)
{
	f->beresp.status = 200;
	f->beresp.reason = STR("OK");
	http_unset(&f->beresp, FIELD_CONTENT_RANGE);
	return http_set_known(&f->beresp, FIELD_CONTENT_LENGTH,
	    arena_printf(&f->ws, "%llu", (unsigned long long)size));
}

enum blocks_answer
fetch_blocks_answer(struct fetch *f)
{
	struct str range = http_get(&f->bereq, FIELD_RANGE);
	enum field_id id;
	uint64_t size;

	f->blocks.part = false;
	if (f->blocks.head != NULL)
		return answer_to_fill(f);
	if (f->is_pass)
		return ANSWER_PLAIN;
	/* it is shorter than we were to believe; the client is told so */
	if (f->beresp.status == 416 && f->blocks.range.p != NULL) {
		ask_for_whole(f);
		return ANSWER_AGAIN;
	}
	if (f->beresp.status != 206)
		return ANSWER_PLAIN;
	if (range.p == NULL)
		return ANSWER_BAD;
	/* policy's own business */
	if (f->blocks.range.p == NULL || !str_eq(range, f->blocks.range))
		return ANSWER_PLAIN;
	if (f->blocks.exact) {
		f->uncacheable = true;
		return ANSWER_PLAIN;
	}
	if (!content_range_fits(f, &size))
		return ANSWER_BAD;
	if (strong_validator(&f->beresp, f->t_start, &id).p == NULL) {
		ask_for_whole(f);
		return ANSWER_AGAIN;
	}
	f->blocks.size = size;
	f->blocks.part = true;
	return show_whole(f, size) ? ANSWER_PLAIN : ANSWER_BAD;
}

/* --- one piece or blocks ------------------------------------------------- */

/* A whole that is worth it: a cut costs no more than a block. */
static bool
whole_is_for_blocks(struct fetch *f, bool cacheable)
{
	enum field_id id;

	return cacheable && f->beresp.status == 200 &&
	    f->framing.body == H1_LENGTH && f->framing.length > 0 &&
	    f->framing.length >= params->blocks_min &&
	    str_eq(f->bereq.method, STR("GET")) && f->do_stream &&
	    !f->reads_esi && !fetch_is_hidden(f) &&
	    (f->filters == NULL || f->length_stays) &&
	    http_get(&f->bereq, FIELD_RANGE).p == NULL &&
	    strong_validator(&f->beresp, f->t_start, &id).p != NULL;
}

enum blocks_choice
fetch_blocks_choose(struct fetch *f, bool cacheable)
{
	struct str name;

	if (f->blocks.part) {
		/* the next one is told by a marker at once */
		if (!cacheable || fetch_is_too_large(f, f->blocks.size)) {
			f->blocks.part = false;
			if (!ask_exactly(f))
				ask_for_whole(f);
			return BLOCKS_AGAIN;
		}
		if (!f->do_stream || f->reads_esi ||
		    (f->filters != NULL && !f->length_stays)) {
			ask_for_whole(f);
			return BLOCKS_AGAIN;
		}
	} else {
		if (!whole_is_for_blocks(f, cacheable))
			return BLOCKS_NO;
		f->blocks.size = f->blocks.end = f->framing.length;
		f->blocks.first = 0;
	}
	/* the head has a name for its blocks: made anew with it */
	name = blocks_name(f->blocks.size, &f->ws);
	if (name.p != NULL && http_set_known(&f->beresp, FIELD_X_COPAL_BLOCKS,
	    name)) {
		object_unref(&f->obj);
		if (!fetch_object_make(f))
			return BLOCKS_NO_MEMORY;
		filters_free(&f->filters);
		if (blocks_mark(f->obj))
			return BLOCKS_YES;
	}
	if (!f->blocks.part)
		return BLOCKS_NO;
	ask_for_whole(f);
	return BLOCKS_AGAIN;
}

/* --- bytes into blocks --------------------------------------------------- */

static const struct object *
head_of(const struct fetch *f)
{
	return f->blocks.head != NULL ? f->blocks.head : f->obj;
}

/* A block, growing, in the index; the claim is given back. */
static struct object *
block_open(struct fetch *f, struct claim **busy)
{
	struct http h = {.status = 206, .version = 11,
	    .reason = STR("Partial Content")};
	struct object *o = object_new(&h, STR_NULL, STR_NULL);

	if (o != NULL) {
		o->xid = f->xid;
		o->t_origin = loop_wall(f->core->loop);
		o->ttl = BLOCK_TTL;
		/* what can be invalidated is its head */
		o->inval_seq = UINT64_MAX;
		o->stevedore = head_of(f)->stevedore;
		if (o->stevedore->store != NULL)
			o->body.flat_max = params->sendfile_min;
		index_insert(*busy, o);
	}
	index_release(busy);
	return o;
}

/* The next one, unless it is there, or somebody else's. */
static struct object *
block_next(struct fetch *f, const struct blocks *b, uint64_t n)
{
	struct store *st = head_of(f)->stevedore->store;
	struct claim *busy;
	struct block_key k;
	struct object *o;

	block_key_make(&k, b, n);
	o = block_peek(&k.key);
	if (o != NULL) {
		object_unref(&o);
		return NULL;
	}
	/* of a new head nothing can be on disk */
	if (f->blocks.head != NULL && st != NULL &&
	    store_may_have(st, k.key.hash))
		return NULL;
	return index_claim(&k.key, &busy) == CLAIM_GRANTED ?
	    block_open(f, &busy) : NULL;
}

bool
fetch_blocks_open(struct fetch *f)
{
	struct block_key k;
	struct blocks b;

	if (f->blocks.busy == NULL) {
		if (!blocks_of(f->obj, &b))
			return false;
		block_key_make(&k, &b, f->blocks.first / BLOCK_LEN);
		if (index_claim(&k.key, &f->blocks.busy) != CLAIM_GRANTED)
			return false;
	}
	f->blocks.open = block_open(f, &f->blocks.busy);
	return f->blocks.open != NULL;
}

static void
block_store(struct fetch *f, struct object *o, const struct key *key)
{
	struct store *st = o->stevedore->store;
	size_t size = object_head_size(o);
	struct str inline_body = STR_NULL;
	struct store_put *put;
	struct store_meta m;
	char *head;

	if (st == NULL || f->purged)
		return;
	put = store_put_begin(st, o->body.len);
	head = put != NULL ? malloc(size) : NULL;
	if (o->body.len <= STORE_INLINE_MAX)
		inline_body = str_of(o->body.piece[0].buf->data, o->body.len);
	if (head == NULL || (inline_body.p == NULL &&
	    !fetch_hand_over(o, put, 0))) {
		store_put_abort(&put);
		free(head);
		return;
	}
	object_head_write(o, head);
	object_store_meta(o, key, &m, str_of(head, size));
	store_put_commit(&put, &m, inline_body, fetch_stored, object_ref(o));
	free(head);
}

static enum upstream_error
block_read(struct fetch *f, struct upstream *u, struct object *o, uint64_t len)
{
	while (o->body.len < len) {
		enum upstream_error e;
		size_t room, n = 0;
		char *p = fetch_make_room(o, len - o->body.len, &room);

		if (p == NULL)
			return UP_NO_MEMORY;
		if (room > len - o->body.len)
			room = (size_t)(len - o->body.len);
		e = upstream_read_body(u, &f->framing, p, room, &n);
		if (n > 0)
			body_grow(&o->body, n);
		if (e != UP_OK || n == 0)
			return e != UP_OK ? e : UP_CUT;
	}
	return UP_OK;
}

enum upstream_error
fetch_blocks_fill(struct fetch *f, struct upstream *u)
{
	uint64_t at = f->blocks.first, turn = at + TURN_BYTES;
	enum upstream_error e = UP_OK;
	struct block_key k;
	struct blocks b;

	if (!blocks_of(head_of(f), &b))
		return UP_NO_MEMORY;
	while (f->blocks.open != NULL) {
		struct object *o = f->blocks.open, *next = NULL;
		uint64_t n = at / BLOCK_LEN, len = b.size - at;

		if (len > BLOCK_LEN)
			len = BLOCK_LEN;
		e = block_read(f, u, o, len);
		if (e != UP_OK) {
			body_fail(&o->body);
			index_remove(o);
			object_unref(&f->blocks.open);
			break;
		}
		at += len;
		/* before this one ends: who reads on finds it */
		if (at < f->blocks.end)
			next = block_next(f, &b, at / BLOCK_LEN);
		fetch_charge(o, -(int64_t)body_finish(&o->body));
		index_completed(o);
		block_key_make(&k, &b, n);
		block_store(f, o, &k.key);
		object_unref(&f->blocks.open);
		f->blocks.open = next;
		if (at >= turn) {
			turn = at + TURN_BYTES;
			if (fiber_park("its next turn", loop_now(
			    f->core->loop)) == FIBER_CANCELED)
				e = UP_CANCELED;
		}
	}
	f->got_head = u->got_head;
	f->got_body = u->got_body;
	return e;
}
