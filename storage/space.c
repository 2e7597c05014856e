/*
 * space.c - the store's size: where new bodies go, and what must go for them.
 *
 *      |<------------------------- size -------------------------->|
 *      | segments .......................... | free | catalogue -> |
 *
 * Segments take what the catalogue does not.  The catalogue's file only ever
 * grows, up to half of the store: to let it, the oldest segment is given up.
 * What goes is always what came first, be it the oldest segment with all its
 * objects or, when the catalogue is short of pages, the objects kept whole
 * in it.
 *
 * Free room ahead is kept for a few batches, as LMDB writes new pages before
 * it may use the old ones again.
 */
#include <errno.h>

#include "store_impl.h"

enum {
	/*
	 * Batches whose pages may be in use at once: LMDB keeps two behind,
	 * and a commit of evictions touches more than was guessed.
	 */
	BATCHES_AHEAD = 8,
	/* With fewer segments, one in reserve is too dear. */
	SPARE_FROM = 8,
	/* Objects between two looks at the catalogue's pages */
	PRESSURE_STEP = 64,
};

static uint64_t
ahead(const struct store *st)
{
	return BATCHES_AHEAD * st->batch_pages * CATALOGUE_PAGE;
}

static bool
may_create(const struct store *st)
{
	const struct writer *w = &st->w;
	uint64_t bytes = st->segs.bytes + st->segment_size;
	uint64_t held = atomic_load(&st->segs.held->bytes);

	/* Disk that is taken all the same; more of it is not waited for */
	bytes += held < st->segs.held->max ? held : st->segs.held->max;
	if (w->soft_limit > 0 && bytes > w->soft_limit &&
	    now_ms() < w->soft_until)
		return false;
	return bytes + w->file_pages * CATALOGUE_PAGE + ahead(st) <=
	       st->cfg.size;
}

/* Would the next batches make the catalogue too large? */
static bool
must_shed(const struct store *st)
{
	const struct writer *w = &st->w;
	uint64_t taken = st->segs.bytes + w->file_pages * CATALOGUE_PAGE;

	if (taken + 2 * st->batch_pages * CATALOGUE_PAGE <= st->cfg.size)
		return false;
	if (taken > st->cfg.size)
		return true;
	/* Free pages inside the file serve as well. */
	return w->file_pages - w->live_pages < BATCHES_AHEAD * st->batch_pages;
}

/* Pages of the catalogue that may hold something */
static uint64_t
live_target(const struct store *st)
{
	uint64_t room =
	    st->cfg.size > st->segs.bytes ? st->cfg.size - st->segs.bytes : 0;
	uint64_t margin = BATCHES_AHEAD * st->batch_pages;

	if (room > st->catalogue_max)
		room = st->catalogue_max;
	room /= CATALOGUE_PAGE;
	if (room / 10 > margin)
		margin = room / 10;
	return room > margin ? room - margin : 0;
}

static bool
choose_victim(struct store *st)
{
	struct writer *w = &st->w;

	if (w->victim != NULL)
		return true;
	w->victim = segments_oldest(&st->segs, w->current, w->spare);
	if (w->victim == NULL)
		return false;
	w->victim->dying = true;
	rescue_begin(st);
	return true;
}

static struct segment *
create(struct store *st)
{
	struct segment *s = segments_create(&st->segs, st->segment_size);
	struct writer *w = &st->w;

	if (s != NULL)
		return s;
	if ((errno == ENOSPC || errno == EDQUOT) &&
	    st->segs.bytes >= 2 * st->segment_size) {
		/* The disk is smaller than we were told: make do with it. */
		if (w->soft_limit != st->segs.bytes)
			store_message(st,
			    "store %s: the disk is full; "
			    "keeping to %llu MB of bodies",
			    st->name,
			    (unsigned long long)(st->segs.bytes >> 20));
		w->soft_limit = st->segs.bytes;
		w->soft_until = now_ms() + SOFT_LIMIT_MS;
		return NULL;
	}
	writer_failed(st, "making a segment", errno);
	return NULL;
}

/* What is kept of the victim goes to the current segment: its room stays. */
static bool
current_has_room(const struct store *st, uint32_t len)
{
	const struct writer *w = &st->w;
	uint64_t kept = w->victim != NULL ? w->rescue_left : 0;

	return w->current != NULL && segment_has_room(w->current, len) &&
	       w->current->used + segment_space(len) + kept <=
		   w->current->size;
}

/* Is one segment in reserve too dear? */
static bool
has_few_segments(const struct store *st)
{
	return st->cfg.size / st->segment_size < SPARE_FROM;
}

/*
 * Without one in reserve, what is kept of the victim has the last part of the
 * segment that is being filled: it is chosen when that begins.
 */
static void
victim_in_time(struct store *st, uint32_t len)
{
	struct writer *w = &st->w;
	const struct segment *c = w->current;

	if (w->victim == NULL && c != NULL && has_few_segments(st) &&
	    c->used + segment_space(len) > c->size - c->size / RESCUE_SHARE &&
	    !may_create(st))
		choose_victim(st);
}

struct segment *
space_for(struct store *st, uint32_t len)
{
	struct writer *w = &st->w;

	victim_in_time(st, len);
	while (!current_has_room(st, len) && w->current != NULL &&
	       w->victim != NULL && !store_read_only(st))
		if (!commit_evictions(st))
			break;
	if (current_has_room(st, len))
		return w->current;
	w->current = w->spare;
	w->spare = NULL;
	while (w->current == NULL && !store_read_only(st)) {
		if (may_create(st)) {
			w->current = create(st);
			continue;
		}
		if (!choose_victim(st)) {
			writer_failed(st, "making a segment", ENOSPC);
			break;
		}
		if (!commit_evictions(st))
			break;
	}
	return w->current;
}

bool
space_evicting(const struct store *st)
{
	return st->w.victim != NULL;
}

void
space_prepare(struct store *st)
{
	struct writer *w = &st->w;
	const struct segment *c = w->current;

	if (w->victim == NULL && must_shed(st))
		choose_victim(st);
	if (w->spare != NULL || c == NULL || c->used < c->size / 2 ||
	    has_few_segments(st))
		return;
	if (may_create(st))
		w->spare = create(st);
	else
		choose_victim(st);
}

void
space_settle(struct store *st)
{
	struct writer *w = &st->w;

	/* The newest of all goes last, but it may have to. */
	while (must_shed(st)) {
		if (!choose_victim(st)) {
			if (w->current == NULL)
				break;
			w->current = NULL;
			continue;
		}
		if (!commit_evictions(st))
			break;
	}
}

/* The first n objects of a segment go; MDB_NOTFOUND: there are no more. */
static int
evict_from(struct store *st, MDB_txn *txn, uint32_t no, unsigned n)
{
	const struct segment *victim = st->w.victim;
	unsigned kept = n / RESCUE_SHARE;
	int rc = 0;

	while (rc == 0 && n-- > 0) {
		bool moved = false;
		struct gone g;
		uint64_t seq;

		rc = catalogue_segment_first(&st->cat, txn, no, &seq);
		if (rc == 0 && victim != NULL && victim->no == no)
			rc = rescue_move(st, txn, seq, &moved);
		else if (rc == 0 && no == CATALOGUE_INLINE && kept > 0)
			rc = rescue_inline(st, txn, seq, &moved);
		kept -= moved && kept > 0;
		if (rc != 0)
			break;
		if (!moved)
			rc = catalogue_delete(&st->cat, txn, seq, &g);
		if (rc == 0 && !moved) {
			g.told = true;
			st->w.evicted_n++;
			if (!space_note_gone(st, &g))
				rc = ENOMEM;
		}
		/* Once more, for a record that could not say where it was. */
		if (rc == 0 || rc == MDB_NOTFOUND)
			rc = catalogue_segment_forget_object(
			    &st->cat, txn, no, seq);
	}
	return rc;
}

static int
evict_victim(struct store *st, MDB_txn *txn, unsigned n, bool *empty)
{
	struct writer *w = &st->w;
	int rc;

	if (*empty)
		return 0;
	rc = evict_from(st, txn, w->victim->no, n);
	if (rc == MDB_NOTFOUND) {
		*empty = true;
		rc = catalogue_segment_del(&st->cat, txn, w->victim->no);
	}
	return rc;
}

/* Is the oldest object kept whole older than what the segment holds? */
static bool
inline_is_older(struct store *st, MDB_txn *txn, const struct segment *s)
{
	uint64_t a, b;

	if (catalogue_segment_first(&st->cat, txn, CATALOGUE_INLINE, &a) != 0)
		return false;
	return s == NULL ||
	       catalogue_segment_first(&st->cat, txn, s->no, &b) != 0 || a < b;
}

static int
relieve(struct store *st, MDB_txn *txn, unsigned budget, bool *empty)
{
	struct writer *w = &st->w;
	uint64_t target = live_target(st);
	int rc = 0;

	while (rc == 0 && budget >= PRESSURE_STEP &&
	       catalogue_live(&st->cat, txn) > target) {
		struct segment *s =
		    w->victim != NULL
			? w->victim
			: segments_oldest(&st->segs, w->current, w->spare);

		budget -= PRESSURE_STEP;
		if (inline_is_older(st, txn, *empty ? NULL : s)) {
			rc = evict_from(
			    st, txn, CATALOGUE_INLINE, PRESSURE_STEP);
			if (rc == MDB_NOTFOUND)
				rc = 0;
		} else if (!*empty && choose_victim(st)) {
			rc = evict_victim(st, txn, PRESSURE_STEP, empty);
		} else {
			break;
		}
	}
	return rc;
}

unsigned
space_evict_step(const struct store *st)
{
	return EVICT_STEP > st->batch_pages * 4
		   ? (unsigned)st->batch_pages * 4
		   : EVICT_STEP;
}

int
space_evict(struct store *st, MDB_txn *txn, bool *victim_empty)
{
	int rc = 0;

	*victim_empty = false;
	if (st->w.victim != NULL)
		rc = evict_victim(
		    st, txn, space_evict_step(st), victim_empty);
	/* At least as many as a batch may bring */
	if (rc == 0)
		rc = relieve(st, txn, 2 * BATCH_OBJECTS, victim_empty);
	return rc;
}
