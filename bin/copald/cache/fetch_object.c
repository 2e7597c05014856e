/*
 * fetch_object.c - the object that a fetch makes: whether it may be kept, and
 * how others come to find it.
 */
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "blocks.h"
#include "core.h"
#include "encodings.h"
#include "esi_plan.h"
#include "fetch_body.h"
#include "fetch_head.h"
#include "fetch_impl.h"
#include "fetch_object.h"
#include "http_date.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "stevedore.h"
#include "tags.h"

/*
 * Seconds that an OBJ_MOMENT stays, for who was woken to find it: they run in
 * the next turn of their core.
 */
enum { MOMENT = 10 };

/* Tells the key's other requests not to wait: hit-for-miss, hit-for-pass. */
static void
put_marker(struct fetch *f, unsigned flag)
{
	struct http h = {.status = f->beresp.status, .version = 11,
	    .reason = f->beresp.reason};
	struct object *o;

	if (f->busy == NULL || f->ttl - f->age <= 0)
		return;
	o = object_new(&h, STR_NULL, STR_NULL);
	if (o == NULL)
		return;
	o->flags = flag;
	o->xid = f->xid;
	o->t_origin = f->t_origin;
	o->ttl = f->ttl;
	o->grace = f->grace;
	o->inval_seq = f->inval_seq;
	o->stevedore = stevedore_at(0);
	body_finish(&o->body);
	index_insert(f->busy, o);
	object_unref(&o);
}

static struct stevedore *
stevedore_of(const struct fetch *f)
{
	return f->storage != NULL ? (struct stevedore *)f->storage :
	    stevedore_at(0);
}

/*
 * Policy lets it be shared, but not be kept for any time: those who wait for it
 * now get it, instead of asking one after the other.
 */
static bool
is_for_waiters(const struct fetch *f)
{
	return !f->uncacheable && !f->no_store && !f->is_pass &&
	    f->busy != NULL && !f->was_304 && f->ttl - f->age <= 0 &&
	    f->grace <= 0 && f->keep <= 0 && fetch_is_storable(f) &&
	    index_has_waiters(f->busy);
}

/*
 * It is never fresh: is it not for others even if the origin says that it is
 * still the same?  Where policy said no ttl, and not to keep it; and where it
 * brings one client's cookie, which a 304 would give to the next.
 */
static bool
is_for_one(const struct fetch *f)
{
	return f->ttl - f->age <= 0 && ((f->no_ttl && !f->keep_is_set) ||
	    http_get(&f->beresp, FIELD_SET_COOKIE).p != NULL);
}

bool
fetch_object_make(struct fetch *f)
{
	struct str lm, tags;
	struct object *o;

	if (!tags_of_response(f, &tags))
		return false;
	if (is_for_one(f))
		f->grace = f->keep = 0;
	/* the origin said so, or VCL */
	f->closes |= fetch_strip_connection(f);
	o = object_new(&f->beresp, f->vary, tags);
	if (o == NULL)
		return false;
	o->xid = f->xid;
	o->t_origin = f->t_origin;
	o->ttl = f->ttl;
	o->grace = f->grace;
	o->keep = f->keep;
	o->inval_seq = f->inval_seq;
	if (f->key_is_plain)
		o->flags |= OBJ_PLAIN_KEY;
	if (f->uncacheable)
		o->flags |= OBJ_UNCACHEABLE;
	if (f->ask_first && f->grace > 0)
		o->flags |= OBJ_ASK_FIRST;
	f->for_waiters = is_for_waiters(f);
	if (f->for_waiters) {
		o->flags |= OBJ_MOMENT;
		o->keep = MOMENT;
	} else if (f->ttl - f->age <= 0 && (f->grace <= 0 || f->ask_first)) {
		o->flags |= OBJ_NEVER_FRESH;
	}
	if (f->has_lists)
		o->flags |= OBJ_HAS_LISTS;
	o->stevedore = stevedore_of(f);
	if (!f->do_encode)
		o->flags |= OBJ_NO_ENCODE;
	encodings_mark(o);
	if (o->stevedore->store != NULL)
		o->body.flat_max = params->sendfile_min;
	lm = http_get(&f->beresp, FIELD_LAST_MODIFIED);
	if (lm.p != NULL)
		o->last_modified = http_date_parse(lm, f->t_origin);
	f->obj = o;
	return true;
}

/* It says itself that it is larger than what its store takes. */
static bool
says_too_large(const struct fetch *f)
{
	return f->framing.body == H1_LENGTH &&
	    fetch_is_too_large(f, f->framing.length);
}

bool
fetch_is_cacheable(const struct fetch *f)
{
	double kept = f->ttl - f->age + f->grace + f->keep;

	return !f->uncacheable && !f->no_store && !f->is_pass &&
	    f->busy != NULL && !f->purged && (f->for_waiters || kept > 0) &&
	    !says_too_large(f);
}

void
fetch_let_others_go(struct fetch *f)
{
	if (f->busy == NULL)
		return;
	if (f->uncacheable || says_too_large(f))
		put_marker(f, f->make_hitpass ? OBJ_HITPASS : OBJ_HITMISS);
	index_release(&f->busy);
}

void
fetch_publish(struct fetch *f, bool cacheable)
{
	f->obj->born = clock_mono();
	if (cacheable) {
		if (!index_insert_fetched(f->busy, f, f->obj))
			atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
	} else {
		fetch_let_others_go(f);
	}
	if (f->req != NULL && !f->req->reading) {
		body_reader_begin(&f->obj->body, &f->req->reader);
		f->req->reading = true;
	}
	if (f->busy != NULL)
		index_release(&f->busy);
	f->req = NULL;
	fetch_set_state(f, FETCH_READY);
}

/* The stored body goes on under the new head. */
int
fetch_object_reuse_body(struct fetch *f, bool cacheable)
{
	if (object_is(f->stale, OBJ_BLOCKS) ? !blocks_mark(f->obj) :
	    body_share(&f->obj->body, &f->stale->body) != 0)
		return -1;
	esi_plan_share(f->obj, f->stale);
	if (!cacheable)
		atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
	else if (f->stale->stevedore == f->obj->stevedore &&
	    str_eq(f->stale->vary, f->obj->vary))
		f->obj->store_seq = f->stale->store_seq;
	return 0;
}

void
fetch_refresh_stored(struct fetch *f)
{
	struct store_meta m;
	size_t size;
	char *head;

	if (f->obj->store_seq == 0)
		return;
	size = object_head_size(f->obj);
	head = malloc(size);
	if (head == NULL)
		return;
	object_head_write(f->obj, head);
	object_store_meta(f->obj, &f->key, &m, str_of(head, size));
	purge_gate_enter();
	if (!f->purged && !ban_is_forgotten(m.inval_seq))
		store_refresh(f->obj->stevedore->store, f->obj->store_seq, &m);
	purge_gate_leave();
	free(head);
}

/*
 * A fetch without a claim (hit-for-miss, hash_ignore_busy) whose answer is
 * cacheable after all takes one now, unless another has it.
 */
void
fetch_late_claim(struct fetch *f)
{
	/* without: what one user got would be a mark for all */
	if (f->only_shared && (f->uncacheable || !fetch_is_storable(f)))
		return;
	if (f->busy != NULL || f->is_pass || f->key.bytes.p == NULL ||
	    index_claim(&f->key, &f->busy) != CLAIM_GRANTED)
		return;
	index_fetch_begins(f->busy, f);
	/* of a purge in the meantime we were not told */
	if (purge_count() != f->purges)
		f->purged = true;
}

