/*
 * fetch_body.c - body bytes: origin -> object -> store.
 */
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "core.h"
#include "counters.h"
#include "fetch_body.h"
#include "fetch_object.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "stevedore.h"

enum {
	/* Between two looks whether the store's queue has room again. */
	STORE_RETRY_MS = 10,
	/* A store that takes nothing for so long is left out. */
	STORE_WAIT_MS = 2000,
	/* Bytes from a fast origin until others have a turn. */
	TURN_BYTES = 4 << 20,
};

struct filling { /* of a store, by one fetch */
	struct store_put *put;
	bool off;          /* not stored: no store, failed, not wanted */
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

/* false: the store did not take it */
static bool
hand_over(struct fetch *f, struct filling *fill, uint32_t i)
{
	struct object *o = f->obj;
	struct piece_job *j = malloc(sizeof *j);
	uint32_t len;

	if (j == NULL)
		return false;
	j->buf = body_piece_buf(&o->body, i, &len);
	j->obj = object_ref(o);
	j->i = i;
	for (int waited = 0; j->buf != NULL; waited += STORE_RETRY_MS) {
		if (store_put_piece(fill->put, j->buf->data, len, piece_done,
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
	uint32_t n = o->body.piece_n;

	if (fill->off || (!end && n < 2))
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
	if (end && o->body.len <= STORE_INLINE_MAX)
		return;
	while (fill->next + (end ? 0 : 1) < n) {
		if (!hand_over(f, fill, fill->next)) {
			filling_stop(fill);
			return;
		}
		fill->next++;
	}
}

/* on the writer's thread */
static void
seq_known(void *priv, uint64_t seq)
{
	struct object *o = priv;

	atomic_store(&o->store_seq, seq);
	object_unref(&o);
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
	if (o->body.len <= STORE_INLINE_MAX)
		inline_body = o->body.len == 0 ? STR("") :
		    str_of(o->body.piece[0].buf->data, o->body.len);
	purge_gate_enter();
	if (f->purged || ban_is_forgotten(m.inval_seq))
		filling_stop(fill);
	else
		store_put_commit(&fill->put, &m, inline_body, seq_known,
		    object_ref(o));
	purge_gate_leave();
	free(head);
}

static bool
goes_to_store(const struct fetch *f)
{
	return !object_is(f->obj, OBJ_PRIVATE) && f->obj->stevedore != NULL &&
	    f->obj->stevedore->store != NULL;
}

/* More than may be kept: goes on as a pass for those who read it now. */
static void
give_up_keeping(struct fetch *f, struct filling *fill)
{
	filling_stop(fill);
	index_remove(f->obj);
	atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
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

static void
charge(struct object *o, int64_t bytes)
{
	if (bytes != 0 && o->stevedore != NULL)
		stevedore_charge(o->stevedore, o, bytes);
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

static uint64_t
window_of(const struct fetch *f)
{
	return f->ctx.transit_buffer >= 0 ? (uint64_t)f->ctx.transit_buffer :
	    params->fetch_window;
}

enum upstream_error
fetch_body(struct fetch *f, struct upstream *u)
{
	struct object *o = f->obj;
	struct body *b = &o->body;
	struct filling fill = {.off = !goes_to_store(f)};
	enum upstream_error e = UP_OK;
	uint64_t turn = TURN_BYTES;

	while (!body_is_over(f, u)) {
		uint32_t pieces = b->piece_n;
		size_t room, n;
		char *p = body_room(b, b->expected > 0 ?
		    (uint64_t)b->expected - b->len : 0, &room);

		if (p == NULL) {
			e = UP_NO_MEMORY;
			break;
		}
		if (b->piece_n > pieces) /* a new one, empty: all its room */
			charge(o, (int64_t)room);
		e = upstream_read_body(u, &f->framing, p, room, &n);
		if (n > 0)
			body_grow(b, n);
		if (e != UP_OK || n == 0)
			break;
		if (b->len >= turn) {
			turn = b->len + TURN_BYTES;
			if (fiber_park("its next turn", loop_now(
			    f->core->loop)) == FIBER_CANCELED) {
				e = UP_CANCELED;
				break;
			}
		}
		filling_go_on(f, &fill, false);
		if (!b->windowed && !object_is(o, OBJ_PRIVATE) &&
		    (fetch_is_too_large(f, b->len) ||
		    holds_too_much(f, &fill)))
			give_up_keeping(f, &fill);
		/* readers who have it all may be gone: that is no failure */
		if (b->windowed && !body_is_over(f, u) &&
		    body_wait_window(b, window_of(f), NSEC_NEVER) !=
		    FIBER_WOKEN) {
			e = UP_CLIENT;
			break;
		}
	}
	f->got_head = u->got_head;
	f->got_body = u->got_body;
	if (e != UP_OK) {
		body_fail(b);
		filling_stop(&fill);
		index_remove(o);
		return e;
	}
	charge(o, -(int64_t)body_finish(b));
	index_completed(o);
	filling_go_on(f, &fill, true);
	filling_commit(f, &fill);
	return UP_OK;
}

void
fetch_store(struct fetch *f)
{
	struct filling fill = {.off = !goes_to_store(f)};

	filling_go_on(f, &fill, true);
	filling_commit(f, &fill);
}
