/*
 * writer.c - the writer thread: bodies to segments as they come, and the
 * rest into a batch that is committed as a group.
 *
 *      wait --> take all --> for each: piece? write it now
 *        ^                             else: into the batch
 *        |                     full, old, urgent? commit
 *        +-- idle: commit, evict, fill the filter, look at the clock
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "fault.h"
#include "store_impl.h"

enum {
	/* Hashes for the filter in one go: a few milliseconds */
	FILL_STEP = 8192,
	TICK_MS = 1000,
};

volatile int fault_retry_ms = 5000;

void
writer_failed(struct store *st, const char *what, int error)
{
	struct writer *w = &st->w;

	atomic_store(&st->failed_at, now_ms());
	if (error == MDB_CORRUPTED || error == MDB_PAGE_NOTFOUND ||
	    error == MDB_PANIC)
		health_damaged(st->dir);
	if (w->failing)
		return;
	w->failing = true;
	store_message(st,
	    "store %s: %s: %s; nothing new is stored until that "
	    "works again",
	    st->name, what, mdb_strerror(error));
}

static void
piece_keep(
    struct store_put *put, struct segment *seg, const struct record_extent *e)
{
	if (put->n == put->room) {
		uint32_t room = put->room * 2 + 1;
		struct put_piece *p = realloc(put->piece, room * sizeof *p);

		if (p == NULL) {
			atomic_store(&put->failed, true);
			return;
		}
		put->piece = p;
		put->room = room;
	}
	put->piece[put->n].segment = segment_ref(seg);
	put->piece[put->n].extent = *e;
	put->n++;
}

/* The next bytes of a put to a segment; false: they are not there. */
static bool
extent_write(struct store *st, struct store_put *put, const void *data,
    uint32_t len, struct extent *out)
{
	struct record_extent e = {.len = len};
	struct segment *seg;
	int error;

	if (put->n == RECORD_EXTENT_MAX || store_read_only(st))
		return false;
	seg = space_for(st, e.len);
	if (seg == NULL)
		return false;
	error = segment_append(seg, put->id, data, e.len, &e.offset);
	if (error != 0) {
		writer_failed(st, "writing a segment", error);
		return false;
	}
	e.segno = seg->no;
	e.gen = seg->gen;
	e.sum = XXH3_64bits(data, e.len);
	piece_keep(put, seg, &e);
	if (atomic_load(&put->failed))
		return false;
	st->w.batch_bytes += e.len;
	*out = (struct extent){
	    .segment = seg,
	    .offset = e.offset,
	    .body_at = put->written,
	    .len = e.len,
	    .sum = e.sum,
	};
	put->written += e.len;
	return true;
}

static bool
piece_write(struct store *st, struct op *op)
{
	struct extent out;

	if (!extent_write(st, op->put, op->piece.data, op->piece.len, &out))
		return false;
	if (op->piece.done != NULL)
		op->piece.done(op->priv, &out);
	return true;
}

static void
do_piece(struct store *st, struct op *op)
{
	struct store_put *put = op->put;
	bool is_written = false;

	if (!atomic_load(&put->failed)) {
		is_written = piece_write(st, op);
		put->refused = !is_written;
	}
	if (!is_written) {
		atomic_store(&put->failed, true);
		if (op->piece.done != NULL)
			op->piece.done(op->priv, NULL);
	}
	op_free(st, op);
}

/* Text is packed, and written or put into the record. */
static bool
text_write(struct store *st, struct op *op)
{
	struct store_put *put = op->put;
	struct packed x = {op->commit.text, op->commit.text_len, false, 0};
	struct extent out;

	if (store_read_only(st))
		return false;
	if (!op->commit.as_it_is)
		x = pack_try(st->packer, x.data, x.len);
	op->commit.packed = x.is_packed;
	op->commit.dict = x.is_packed ? x.dict : 0;
	if (x.len > STORE_INLINE_MAX) {
		put->accepted = x.len;
		return extent_write(st, put, x.data, x.len, &out);
	}
	op->commit.owned = malloc(x.len);
	if (op->commit.owned == NULL)
		return false;
	memcpy(op->commit.owned, x.data, x.len);
	op->commit.inline_body = str_of(op->commit.owned, x.len);
	op->cost += x.len;
	atomic_fetch_add(&st->q.bytes, x.len);
	return true;
}

static void
do_text(struct store *st, struct op *op)
{
	if (!text_write(st, op))
		atomic_store(&op->put->failed, true);
	/* it is in the segment, or a record: not waiting any more */
	if (!op->commit.as_it_is)
		atomic_fetch_sub(&st->text_bytes, op->commit.text_len);
	atomic_fetch_sub(&st->q.bytes, op->commit.text_len);
	op->cost -= op->commit.text_len;
	op->commit.text = NULL;
}

static void
to_batch(struct store *st, struct op *op)
{
	struct writer *w = &st->w;

	if (w->batch.head == NULL)
		w->batch_at = now_ms();
	op_list_push(&w->batch, op);
	w->batch_n++;
	w->record_bytes += op->cost;
	if (op->put != NULL)
		w->record_bytes += op->put->n * (uint64_t)RECORD_EXTENT_LEN;
}

static bool
is_urgent(const struct op *op)
{
	return op->kind == OP_INVAL || op->kind == OP_SYNC;
}

static void
do_op(struct store *st, struct op *op)
{
	switch (op->kind) {
	case OP_PIECE:
		do_piece(st, op);
		break;
	case OP_COMMIT:
		if (op->commit.text != NULL)
			do_text(st, op);
		to_batch(st, op);
		break;
	case OP_REFRESH:
	case OP_DROP:
	case OP_TRIM:
	case OP_DICT:
		to_batch(st, op);
		break;
	case OP_FAIL:
		atomic_fetch_add(&st->dropped, 1);
		if (op->commit.seq_cb != NULL)
			op->commit.seq_cb(op->priv, 0);
		op_free(st, op);
		break;
	case OP_ABORT:
		if (op->put->refused)
			atomic_fetch_add(&st->dropped, 1);
		op_free(st, op);
		break;
	case OP_INVAL:
	case OP_SYNC:
		to_batch(st, op);
		st->w.urgent = true;
		break;
	case OP_EMPTY:
		/* Alone: who is told that he was stored must be by then. */
		if (st->w.batch.head != NULL)
			commit_batch(st);
		to_batch(st, op);
		commit_batch(st);
		break;
	}
}

static bool
batch_is_due(const struct store *st)
{
	const struct writer *w = &st->w;

	if (w->batch.head == NULL)
		return false;
	/* Neighbours that are urgent too share the commit. */
	if (w->urgent && (w->todo == NULL || !is_urgent(w->todo)))
		return true;
	return w->batch_n >= BATCH_OBJECTS ||
	       w->batch_bytes >= st->batch_bytes ||
	       commit_pages(st) >= st->batch_pages ||
	       /* What waits counts in the queue: it must not fill it. */
	       w->record_bytes >= st->queue_max / 2 ||
	       now_ms() - w->batch_at >= BATCH_FOR_MS;
}

struct fill {
	struct store *st;
	uint8_t (*hash)[STORE_HASH_LEN];
	unsigned n;
	int rc;
};

static void
fill_run(void *arg)
{
	struct fill *f = arg;
	struct writer *w = &f->st->w;
	MDB_txn *txn = catalogue_read(&f->st->cat, &f->rc);

	if (txn == NULL)
		return;
	f->rc = catalogue_hashes(&f->st->cat, txn,
	    w->fill_begun ? w->fill_at : NULL, f->hash, FILL_STEP, &f->n);
	catalogue_read_end(&f->st->cat, txn);
}

/*
 * Reads more of what the catalogue has into the filter.  Here, between
 * batches, because nobody else changes the catalogue then: what is behind
 * fill_at is kept by the commits, what is ahead will be read.
 */
static void
fill_filter(struct store *st)
{
	struct writer *w = &st->w;
	uint8_t(*hash)[STORE_HASH_LEN] = malloc(FILL_STEP * sizeof *hash);
	struct fill f = {.st = st, .hash = hash};
	unsigned n;
	int rc;

	if (hash == NULL)
		return;
	rc = store_guarded(st, fill_run, &f) ? f.rc : EIO;
	n = f.n;
	for (unsigned i = 0; rc == 0 && i < n; i++)
		if (!fpset_add(&st->filter, hash[i]))
			rc = ENOMEM;
	if (rc == 0 && n > 0) {
		memcpy(w->fill_at, hash[n - 1], STORE_HASH_LEN);
		w->fill_begun = true;
	}
	free(hash);
	if (rc != 0) {
		/* It goes on saying "maybe": slower misses, no harm. */
		store_message(st, "store %s: index in memory: %s", st->name,
		    mdb_strerror(rc));
		w->filling = false;
		w->fill_begun = false;
	} else if (n < FILL_STEP) {
		w->filling = false;
		fpset_set_complete(&st->filter);
	}
}

/* How long to sleep when the queue is empty */
static int
patience(const struct store *st)
{
	const struct writer *w = &st->w;
	int64_t left;

	if (w->filling || (space_evicting(st) && !store_read_only(st)))
		return -1;
	if (w->batch.head == NULL)
		return TICK_MS;
	left = w->batch_at + BATCH_FOR_MS - now_ms();
	return left <= 0              ? -1
	       : left < BATCH_IDLE_MS ? (int)left
				      : BATCH_IDLE_MS;
}

static void
idle(struct store *st)
{
	struct writer *w = &st->w;

	if (w->batch.head != NULL)
		commit_batch(st);
	if (!store_read_only(st)) {
		space_prepare(st);
		if (space_evicting(st))
			commit_evictions(st);
	}
	if (w->filling)
		fill_filter(st);
	if (!st->opening_counted && now_ms() - st->opened_at >= GOOD_AFTER_MS) {
		st->opening_counted = true;
		health_good(st);
	}
}

void *
writer_main(void *arg)
{
	struct store *st = arg;
	struct writer *w = &st->w;
	bool stop = false;

	op_list_init(&w->batch);
	space_settle(st);
	for (;;) {
		w->todo = queue_take(st, patience(st), &stop);
		if (w->todo == NULL) {
			if (stop)
				break;
			idle(st);
			continue;
		}
		while (w->todo != NULL) {
			struct op *op = w->todo;

			w->todo = op->next;
			do_op(st, op);
			if (batch_is_due(st))
				commit_batch(st);
		}
		if (w->filling)
			fill_filter(st);
	}
	if (w->batch.head != NULL)
		commit_batch(st);
	free(w->buf);
	free(w->gone);
	free(w->added);
	rescue_reset(st);
	free(w->rescued);
	free(w->rescue_buf);
	return NULL;
}
