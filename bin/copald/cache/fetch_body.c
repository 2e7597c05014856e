/*
 * fetch_body.c - body bytes: origin -> object -> store.
 */
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "coding.h"
#include "core.h"
#include "counters.h"
#include "esi_plan.h"
#include "fetch_body.h"
#include "fetch_object.h"
#include "index.h"
#include "lookup.h"
#include "memory.h"
#include "params.h"
#include "stevedore.h"
#include "trailers.h"

enum {
	/* Between two looks whether the store's queue has room again. */
	STORE_RETRY_MS = 10,
	/* A store that takes nothing for so long is left out. */
	STORE_WAIT_MS = 2000,
	/* Between two looks whether memory has room again, and for how long. */
	MEMORY_RETRY_MS = 10,
	MEMORY_WAIT_MS = 5000,
	/* Of the origin, to be filtered. */
	RAW_BYTES = 65536,
	/* Bytes from a fast origin until others have a turn. */
	TURN_BYTES = 4 << 20,
};

struct filling { /* of a store, by one fetch */
	struct store_put *put;
	bool off;          /* not stored: no store, failed, not wanted */
	bool text;         /* handed over as a whole, to be packed */
	bool late;         /* what was held back: it may have been purged */
	uint32_t next;     /* first piece that was not handed over */
};

bool
fetch_is_too_large(const struct fetch *f, uint64_t len)
{
	const struct stevedore *stv = f->obj->stevedore;

	return stv != NULL && len > stevedore_max_object(stv);
}

struct piece_job {
	struct object *obj;
	struct buf *buf;
	uint32_t i;
};

/* on the writer's thread */
static void
piece_done(void *priv, const struct extent *e)
{
	struct piece_job *j = priv;

	if (e != NULL) {
		uint64_t freed = body_piece_stored(&j->obj->body, j->i, e);

		if (freed > 0)
			stevedore_charge(j->obj->stevedore, j->obj,
			    -(int64_t)freed);
	}
	buf_unref(&j->buf);
	object_unref(&j->obj);
	free(j);
}

bool
fetch_hand_over(struct object *o, struct store_put *put, uint32_t i)
{
	struct piece_job *j = malloc(sizeof *j);
	uint32_t len;

	if (j == NULL)
		return false;
	j->buf = body_piece_buf(&o->body, i, &len);
	j->obj = object_ref(o);
	j->i = i;
	for (int waited = 0; j->buf != NULL; waited += STORE_RETRY_MS) {
		if (store_put_piece(put, j->buf->data, len, piece_done,
		    j))
			return true;
		if (waited >= STORE_WAIT_MS ||
		    fiber_park("room in the store's queue", clock_mono() +
		    NSEC_MS(STORE_RETRY_MS)) == FIBER_CANCELED)
			break;
	}
	buf_unref(&j->buf);
	object_unref(&j->obj);
	free(j);
	return false;
}

static void
filling_stop(struct filling *fill)
{
	if (fill->put != NULL)
		store_put_abort(&fill->put);
	fill->off = true;
}

/* Hands over what is complete: all pieces but the last, or all at the end. */
static void
filling_go_on(struct fetch *f, struct filling *fill, bool end)
{
	struct object *o = f->obj;
	uint32_t n = body_pieces(&o->body);

	if (fill->off || (!end && n < 2))
		return;
	fill->text = fill->text && o->body.len <= params->store_compress_max;
	if (fill->text && !end)
		return;
	if (f->purged) {
		filling_stop(fill);
		return;
	}
	if (fill->put == NULL) {
		fill->put = store_put_begin(o->stevedore->store,
		    o->body.expected >= 0 ? (uint64_t)o->body.expected :
		    end ? o->body.len : UINT64_MAX);
		if (fill->put == NULL) {
			fill->off = true;
			return;
		}
	}
	fill->text = fill->text && o->body.len >= STORE_PACK_MIN;
	if (end && (fill->text || o->body.len <= STORE_INLINE_MAX))
		return;
	while (fill->next + (end ? 0 : 1) < n) {
		if (!fetch_hand_over(o, fill->put, fill->next)) {
			filling_stop(fill);
			return;
		}
		fill->next++;
	}
}

void
fetch_charge(struct object *o, int64_t bytes)
{
	if (bytes != 0 && o->stevedore != NULL)
		stevedore_charge(o->stevedore, o, bytes);
}

void
fetch_stored(void *priv, uint64_t seq)
{
	struct object *o = priv;

	struct store *st = o->stevedore->store; /* NULL: it is being closed */

	atomic_store(&o->store_seq, seq);
	/* Hits from now on see the number themselves. */
	if (seq != 0 && st != NULL && atomic_load(&o->hits) > 0)
		store_note_hit(st, seq);
	object_unref(&o);
}

/* Text that is whole: the writer packs it. */
static void
commit_text(struct fetch *f, struct filling *fill, struct store_meta *m)
{
	struct object *o = f->obj;
	int64_t more;
	struct buf *buf = body_flatten(&o->body, &more);
	bool taken = false;

	object_ref(o); /* until fetch_stored */
	fetch_charge(o, more);
	for (int waited = 0; buf != NULL && !taken && waited < STORE_WAIT_MS;
	    waited += STORE_RETRY_MS) {
		if (waited > 0 && fiber_park("room in the store's queue",
		    clock_mono() + NSEC_MS(STORE_RETRY_MS)) == FIBER_CANCELED)
			break;
		purge_gate_enter();
		if (f->purged || (fill->late && object_is(o, OBJ_DYING)) ||
		    ban_is_forgotten(m->inval_seq))
			waited = STORE_WAIT_MS;
		else
			taken = store_put_text(&fill->put, m, buf->data,
			    (uint32_t)o->body.len, fetch_stored, o);
		purge_gate_leave();
	}
	if (taken)
		return;
	object_unref(&o);
	filling_stop(fill);
}

static void
filling_commit(struct fetch *f, struct filling *fill)
{
	struct object *o = f->obj;
	struct store_meta m;
	struct str inline_body = STR_NULL;
	size_t size = object_head_size(o);
	char *head;

	if (fill->off || fill->put == NULL)
		return;
	head = malloc(size);
	if (head == NULL) {
		filling_stop(fill);
		return;
	}
	object_head_write(o, head);
	object_store_meta(o, &f->key, &m, str_of(head, size));
	if (fill->text) {
		commit_text(f, fill, &m);
		free(head);
		return;
	}
	if (o->body.len <= STORE_INLINE_MAX)
		inline_body = o->body.len == 0 ? STR("") :
		    str_of(o->body.piece[0].buf->data, o->body.len);
	purge_gate_enter();
	object_store_meta(o, &f->key, &m, str_of(head, size));
	if (f->purged || (fill->late && object_is(o, OBJ_DYING)) ||
	    ban_is_forgotten(m.inval_seq))
		filling_stop(fill);
	else
		store_put_commit(&fill->put, &m, inline_body, fetch_stored,
		    object_ref(o));
	purge_gate_leave();
	free(head);
}

static bool
goes_to_store(const struct fetch *f)
{
	return !object_is(f->obj, OBJ_PRIVATE | OBJ_MOMENT) && !f->is_query &&
	    f->obj->stevedore != NULL &&
	    f->obj->stevedore->store != NULL;
}

/*
 * Text is packed as a whole.  What is larger than a piece is not: it goes out
 * of the store's files by sendfile, which sends the bytes that are there.
 */
static struct filling
filling_of(const struct fetch *f)
{
	const struct object *o = f->obj;

	return (struct filling){
	    .off = !goes_to_store(f),
	    .text = params->store_compress && goes_to_store(f) &&
	    o->body.expected <= STORE_PIECE_MAX &&
	    http_get(&o->http, FIELD_CONTENT_ENCODING).p == NULL &&
	    content_type_packs(http_get(&o->http, FIELD_CONTENT_TYPE)),
	};
}

/* Nobody asked for it lately: it is kept in memory alone until it is hit. */
static bool
is_held_back(const struct fetch *f)
{
	if (!params->store_second_hit || !goes_to_store(f) ||
	    stevedore_remembers(f->obj->stevedore, f->obj, f->key.hash))
		return false;
	atomic_fetch_or(&f->obj->flags, OBJ_HELD_BACK);
	return true;
}

/* More than may be kept: goes on as a pass for those who read it now. */
static void
give_up_keeping(struct fetch *f, struct filling *fill)
{
	filling_stop(fill);
	index_remove(f->obj);
	if (object_is(f->obj, OBJ_HELD_BACK))
		stevedore_remember(f->obj->stevedore, f->key.hash);
	atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
	if (f->reads_esi)
		esi_is_read_later(f);
	/* who waited for the whole must read now, to make room */
	if (atomic_load(&f->state) == FETCH_RUNNING)
		fetch_publish(f, false);
	body_set_windowed(&f->obj->body);
}

/* Memory that the body holds although it should be on disk by now. */
static bool
holds_too_much(const struct fetch *f, const struct filling *fill)
{
	const struct stevedore *stv = f->obj->stevedore;

	return fill->off && stv != NULL &&
	    f->obj->body.memory > (stv->store != NULL ? params->ram_limit :
	    stv->limit) / 4;
}

static uint64_t
window_of(const struct fetch *f)
{
	return f->ctx.transit_buffer >= 0 ? (uint64_t)f->ctx.transit_buffer :
	    params->fetch_window;
}

static bool
must_give_up(const struct fetch *f, const struct filling *fill)
{
	const struct body *b = &f->obj->body;

	if (b->windowed)
		return false;
	if (object_is(f->obj, OBJ_PRIVATE))
		return f->reads_esi && b->len > window_of(f);
	return fetch_is_too_large(f, b->len) || holds_too_much(f, fill);
}

/* Known without another read. */
static bool
body_is_over(const struct fetch *f, const struct upstream *u)
{
	switch (f->framing.body) {
	case H1_NONE:
		return true;
	case H1_LENGTH:
		return u->left == 0;
	case H1_CHUNKED:
	case H1_UNTIL_CLOSE:
		break;
	}
	return u->ended;
}

/* The origin is not read on while the budget is used up: objects leave, or
 * other bodies end.  false: nothing did. */
static bool
wait_for_memory(void)
{
	for (int ms = 0; !memory_has_room(MEMORY_FETCH, 0);
	    ms += MEMORY_RETRY_MS) {
		if (ms == 0)
			COUNT_INC(memory_waits);
		stevedores_make_room(STORE_PIECE_MAX);
		if (ms >= MEMORY_WAIT_MS || fiber_park("memory",
		    clock_mono() + NSEC_MS(MEMORY_RETRY_MS)) ==
		    FIBER_CANCELED)
			return false;
	}
	return true;
}

char *
fetch_make_room(struct object *o, uint64_t want, size_t *room)
{
	uint32_t pieces = body_pieces(&o->body);
	char *p = wait_for_memory() ? body_room(&o->body, want, room) : NULL;

	if (p != NULL && body_pieces(&o->body) > pieces) /* a new one, empty */
		fetch_charge(o, (int64_t)*room);
	return p;
}

/* A filter_sink: what comes out is the body. */
static bool
append(void *priv, const char *p, size_t len)
{
	struct object *o = priv;

	while (len > 0) {
		size_t room;
		char *to = fetch_make_room(o, 0, &room);

		if (to == NULL)
			return false;
		if (room > len)
			room = len;
		memcpy(to, p, room);
		body_grow(&o->body, room);
		p += room;
		len -= room;
	}
	return true;
}

/* Bytes of the origin to the filters, and what comes of them. */
static enum upstream_error
filter(struct fetch *f, struct upstream *u, struct str in, bool last)
{
	enum filters_result r = filters_run(f->filters, in, last, append,
	    f->obj);

	switch (r) {
	case FILTERS_OK:
		return UP_OK;
	case FILTERS_BAD:
	case FILTERS_BOMB:
		u->why = filters_text(r);
		return UP_BAD_CODING;
	case FILTERS_NO_MEMORY:
	case FILTERS_STOP:
		break;
	}
	return UP_NO_MEMORY;
}

/* Some more of the body; *n of the origin's bytes were read. */
static enum upstream_error
read_some(struct fetch *f, struct upstream *u, char *raw, size_t *n)
{
	struct object *o = f->obj;
	enum upstream_error e;
	size_t room;
	char *p;

	if (raw != NULL) {
		e = upstream_read_body(u, &f->framing, raw, RAW_BYTES, n);
		return e == UP_OK && *n > 0 ?
		    filter(f, u, str_of(raw, *n), false) : e;
	}
	p = fetch_make_room(o, o->body.expected > 0 ?
	    (uint64_t)o->body.expected - o->body.len : 0, &room);
	if (p == NULL)
		return UP_NO_MEMORY;
	e = upstream_read_body(u, &f->framing, p, room, n);
	if (*n > 0)
		body_grow(&o->body, *n);
	return e;
}

bool
fetch_is_hidden(const struct fetch *f)
{
	return f->is_bgfetch && loop_wall(f->core->loop) < f->stale_until;
}

enum upstream_error
fetch_body(struct fetch *f, struct upstream *u)
{
	struct object *o = f->obj;
	struct body *b = &o->body;
	struct filling fill = filling_of(f);
	enum upstream_error e = UP_OK;
	uint64_t turn = TURN_BYTES;
	char *raw = f->filters != NULL ? malloc(RAW_BYTES) : NULL;

	fill.off |= is_held_back(f);
	if (f->filters != NULL && raw == NULL)
		e = UP_NO_MEMORY;
	while (e == UP_OK && !body_is_over(f, u)) {
		size_t n = 0;

		e = read_some(f, u, raw, &n);
		if (e != UP_OK || n == 0)
			break;
		if (f->is_bgfetch && f->do_stream && !f->reads_esi &&
		    atomic_load(&f->state) == FETCH_RUNNING &&
		    !fetch_is_hidden(f))
			fetch_publish(f, !object_is(o, OBJ_PRIVATE));
		if (b->len >= turn) {
			turn = b->len + TURN_BYTES;
			if (fiber_park("its next turn", loop_now(
			    f->core->loop)) == FIBER_CANCELED) {
				e = UP_CANCELED;
				break;
			}
		}
		filling_go_on(f, &fill, false);
		if (must_give_up(f, &fill))
			give_up_keeping(f, &fill);
		/* readers who have it all may be gone: that is no failure */
		if (b->windowed && !body_is_over(f, u) &&
		    body_wait_window(b, window_of(f), NSEC_NEVER) !=
		    FIBER_WOKEN) {
			e = UP_CLIENT;
			break;
		}
	}
	if (e == UP_OK && f->filters != NULL)
		e = filter(f, u, STR(""), true);
	free(raw);
	f->got_head = u->got_head;
	f->got_body = u->got_body;
	if (e != UP_OK) {
		body_fail(b);
		filling_stop(&fill);
		index_remove(o);
		return e;
	}
	trailers_end(f, u);
	fetch_charge(o, -(int64_t)body_finish(b));
	if (f->reads_esi && !b->windowed)
		esi_examine(f);
	index_completed(o);
	filling_go_on(f, &fill, true);
	filling_commit(f, &fill);
	return UP_OK;
}

void
fetch_store(struct fetch *f)
{
	struct filling fill = filling_of(f);

	filling_go_on(f, &fill, true);
	filling_commit(f, &fill);
}

static void
store_late(void *arg)
{
	struct fetch *f = arg;
	struct filling fill = filling_of(f);

	fill.late = true;
	filling_go_on(f, &fill, true);
	filling_commit(f, &fill);
	object_unref(&f->obj);
	free(f);
}

void
fetch_store_late(struct object *o, const struct key *key)
{
	/* Of a fetch only what a filling looks at. */
	struct fetch *f = calloc(1, sizeof *f + key->bytes.len);
	char *bytes = (char *)(f + 1);

	if (f == NULL) /* it stays in memory alone */
		return;
	f->obj = object_ref(o);
	f->key = *key;
	if (key->bytes.len > 0)
		memcpy(bytes, key->bytes.p, key->bytes.len);
	f->key.bytes.p = bytes;
	if (fiber_start(store_late, f, "store") == 0)
		return;
	object_unref(&f->obj);
	free(f);
}
