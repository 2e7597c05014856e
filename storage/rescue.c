/*
 * rescue.c - second chance: objects that were asked for since they came do
 * not go with their segment.
 *
 *      before a commit: what of the victim was hit is copied to the segment
 *                       that is being filled, checked on the way
 *      in the commit:   its record points to the copy, under the same seq;
 *                       all others are deleted
 *
 * A bit for each object says that it was hit: seqs share bits in a store of
 * very many, which keeps one too many.  At most a quarter of a segment is
 * copied, so that a store whose objects are all popular goes on.
 *
 * An object kept whole in the catalogue goes to the end of the queue under a
 * new seq, of those at its head a quarter at most.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

#include "store_impl.h"

enum {
	/* A bit for so many bytes of the store: more than an object has. */
	BYTES_A_BIT = 2048,
	BITS_MIN = 1 << 16,
	BITS_MAX = 1 << 30, /* 128 MiB */
	WORD_BITS = 64,
};

bool
hits_init(struct hits *h, uint64_t store_size)
{
	uint64_t n = BITS_MIN;

	while (n < store_size / BYTES_A_BIT && n < BITS_MAX)
		n *= 2;
	h->mask = n - 1;
	h->word = calloc(n / WORD_BITS, sizeof *h->word);
	return h->word != NULL;
}

void
hits_fini(struct hits *h)
{
	free(h->word);
	h->word = NULL;
}

static bool
hit(struct hits *h, uint64_t seq)
{
	uint64_t bit = seq & h->mask;

	return (atomic_load_explicit(&h->word[bit / WORD_BITS],
	    memory_order_relaxed) >> (bit % WORD_BITS) & 1) != 0;
}

void
hits_forget(struct hits *h, uint64_t seq)
{
	uint64_t bit = seq & h->mask;

	if (hit(h, seq))
		atomic_fetch_and_explicit(&h->word[bit / WORD_BITS],
		    ~(1ULL << (bit % WORD_BITS)), memory_order_relaxed);
}

void
store_note_hit(struct store *st, uint64_t seq)
{
	uint64_t bit = seq & st->hits.mask;

	if (!hit(&st->hits, seq))
		atomic_fetch_or_explicit(&st->hits.word[bit / WORD_BITS],
		    1ULL << (bit % WORD_BITS), memory_order_relaxed);
}

/* --- copies -------------------------------------------------------------- */

void
rescue_begin(struct store *st)
{
	st->w.rescue_left = st->w.victim->size / RESCUE_SHARE;
}

void
rescue_reset(struct store *st)
{
	struct writer *w = &st->w;

	for (size_t i = 0; i < w->rescued_n; i++)
		free(w->rescued[i].extents);
	w->rescued_n = w->rescued_at = 0;
}

/* Where len bytes go without anything being given up for them */
static struct segment *
room_for(struct store *st, uint32_t len)
{
	struct writer *w = &st->w;

	if (w->current != NULL && segment_has_room(w->current, len))
		return w->current;
	if (w->spare == NULL)
		return NULL;
	w->current = w->spare;
	w->spare = NULL;
	return w->current;
}

/* The bytes of an extent of the victim somewhere else; *e follows. */
static bool
copy_extent(struct store *st, struct record_extent *e)
{
	struct writer *w = &st->w;
	struct segment *from, *to;
	struct extent x;
	bool ok;

	if (segment_space(e->len) > w->rescue_left)
		return false;
	to = room_for(st, e->len);
	from = to != NULL ? segments_get(&st->segs, e->segno, e->gen) : NULL;
	if (from == NULL)
		return false;
	x = (struct extent){.segment = from, .offset = e->offset,
	    .len = e->len, .sum = e->sum};
	ok = extent_read(st, &x, w->rescue_buf) == 0 &&
	     segment_append(to, 0, w->rescue_buf, e->len, &e->offset) == 0;
	segment_unref(&from);
	if (!ok)
		return false;
	w->rescue_left -= segment_space(e->len);
	e->segno = to->no;
	e->gen = to->gen;
	return true;
}

/* The extents of a record, those on the victim copied; NULL: not all were */
static uint8_t *
copy_extents(struct store *st, const struct record *r)
{
	uint8_t *p = malloc((size_t)r->extent_n * RECORD_EXTENT_LEN + 1);

	for (uint32_t i = 0; p != NULL && i < r->extent_n; i++) {
		struct record_extent e = record_extent_at(r, i);

		if (e.segno == st->w.victim->no && !copy_extent(st, &e)) {
			free(p);
			return NULL;
		}
		record_extent_put(p + (size_t)i * RECORD_EXTENT_LEN, &e);
	}
	return p;
}

struct candidate {
	struct store *st;
	uint64_t seq; /* behind it; then its own */
	uint8_t *bytes;
	size_t len;
	int rc;
};

/* The next object of the victim, and its record if it was hit */
static void
candidate_run(void *arg)
{
	struct candidate *c = arg;
	struct store *st = c->st;
	struct blob b;
	MDB_txn *txn = catalogue_read(&st->cat, &c->rc);

	if (txn == NULL)
		return;
	c->rc = catalogue_segment_next(
	    &st->cat, txn, st->w.victim->no, c->seq, &c->seq);
	if (c->rc == 0 && hit(&st->hits, c->seq) &&
	    catalogue_load(&st->cat, txn, c->seq, &b) == 0) {
		c->bytes = malloc(b.len + 1);
		if (c->bytes != NULL)
			memcpy(c->bytes, b.p, b.len);
		c->len = b.len;
		blob_free(&b);
	}
	catalogue_read_end(&st->cat, txn);
}

static bool
is_worth_it(const struct record *r)
{
	const struct store_meta *m = &r->meta;

	return m->t_origin + m->ttl + m->grace + m->keep >
	       (double)time(NULL);
}

static void
rescue_one(struct store *st, const struct candidate *c)
{
	struct writer *w = &st->w;
	struct record r;
	uint8_t *extents;

	if (c->bytes == NULL || !record_decode(c->bytes, c->len, c->seq, &r) ||
	    r.extent_n == 0 || !is_worth_it(&r))
		return;
	extents = copy_extents(st, &r);
	if (extents != NULL)
		w->rescued[w->rescued_n++] = (struct rescued){
		    c->seq, extents, r.extent_n};
}

void
rescue_copy(struct store *st, unsigned n)
{
	struct writer *w = &st->w;
	struct candidate c = {.st = st};

	rescue_reset(st);
	if (w->victim == NULL || w->rescue_left == 0)
		return;
	if (w->rescued == NULL)
		w->rescued = malloc(RESCUED_MAX * sizeof *w->rescued);
	if (w->rescue_buf == NULL)
		w->rescue_buf = malloc(STORE_PIECE_MAX);
	if (w->rescued == NULL || w->rescue_buf == NULL)
		return;
	while (n-- > 0 && w->rescued_n < RESCUED_MAX) {
		c.bytes = NULL;
		if (!store_guarded(st, candidate_run, &c) || c.rc != 0)
			break;
		rescue_one(st, &c);
		free(c.bytes);
	}
}

/* --- in the transaction -------------------------------------------------- */

static const struct rescued *
rescued_of(struct writer *w, uint64_t seq)
{
	/* Both go by seq. */
	while (w->rescued_at < w->rescued_n &&
	       w->rescued[w->rescued_at].seq < seq)
		w->rescued_at++;
	if (w->rescued_at == w->rescued_n ||
	    w->rescued[w->rescued_at].seq != seq)
		return NULL;
	return &w->rescued[w->rescued_at];
}

int
rescue_move(struct store *st, MDB_txn *txn, uint64_t seq, bool *moved)
{
	const struct rescued *c = rescued_of(&st->w, seq);
	struct record old, r;
	struct gone g = {.seq = seq, .known = true, .told = true};
	struct blob b;
	size_t len;
	int rc;

	*moved = false;
	if (c == NULL)
		return 0;
	rc = catalogue_load(&st->cat, txn, seq, &b);
	if (rc == 0)
		rc = blob_own(&b);
	if (rc != 0)
		return rc;
	if (record_decode(b.p, b.len, seq, &old) &&
	    old.extent_n == c->extent_n) {
		r = old;
		r.extent = c->extents;
		memcpy(g.hash, old.meta.hash, STORE_HASH_LEN);
		rc = commit_encode(st, &r, seq, &len);
		if (rc == 0)
			rc = catalogue_move(&st->cat, txn, seq, &old, b.len,
			    &r, st->w.buf, len);
		/*
		 * Who has it in memory refers to the old segment's file: he
		 * is told that it is gone, and finds it again.
		 */
		if (rc == 0 && !space_note_gone(st, &g))
			rc = ENOMEM;
		*moved = rc == 0;
		st->w.moved_n += *moved;
	}
	blob_free(&b);
	return rc;
}

/* r: the record of seq, from memory of our own */
static int
requeue(struct store *st, MDB_txn *txn, uint64_t seq, const struct record *r)
{
	struct gone g;
	size_t len;
	int rc = commit_encode(st, r, st->cat.next_seq, &len);

	if (rc == 0)
		rc = catalogue_delete(&st->cat, txn, seq, &g);
	if (rc == 0)
		rc = catalogue_insert(&st->cat, txn, r, st->cat.next_seq,
		    st->w.buf, len);
	if (rc != 0)
		return rc;
	st->cat.next_seq++;
	/* Who has it in memory knows it by its old seq. */
	g.told = true;
	g.last = false;
	if (!space_note_gone(st, &g))
		return ENOMEM;
	st->w.moved_n++;
	return 0;
}

int
rescue_inline(struct store *st, MDB_txn *txn, uint64_t seq, bool *moved)
{
	struct record r;
	struct blob b;
	int rc;

	*moved = false;
	if (!hit(&st->hits, seq))
		return 0;
	rc = catalogue_load(&st->cat, txn, seq, &b);
	if (rc == 0)
		rc = blob_own(&b);
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (record_decode(b.p, b.len, seq, &r) && r.extent_n == 0 &&
	    is_worth_it(&r)) {
		rc = requeue(st, txn, seq, &r);
		*moved = rc == 0;
	}
	blob_free(&b);
	return rc;
}
