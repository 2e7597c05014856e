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
	/* A store that lived this long did not crash because of its files. */
	GOOD_AFTER_MS = 60000,
};

volatile int fault_retry_ms = 5000;

void
writer_failed(struct store *st, const char *what, int error)
{
	struct writer *w = &st->w;

	atomic_store(&st->read_only_until, now_ms() + fault_retry_ms);
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

/* false: it is not in a segment */
static bool
piece_write(struct store *st, struct op *op)
{
	struct store_put *put = op->put;
	struct record_extent e = {.len = op->piece.len};
	struct extent out;
	struct segment *seg;
	int error;

	if (put->n == RECORD_EXTENT_MAX || store_read_only(st))
		return false;
	seg = space_for(st, e.len);
	if (seg == NULL)
		return false;
	error = segment_append(seg, put->id, op->piece.data, e.len, &e.offset);
	if (error != 0) {
		writer_failed(st, "writing a segment", error);
		return false;
	}
	e.segno = seg->no;
	e.gen = seg->gen;
	e.sum = XXH3_64bits(op->piece.data, e.len);
	piece_keep(put, seg, &e);
	if (atomic_load(&put->failed))
		return false;
	st->w.batch_bytes += e.len;
	out = (struct extent){
	    .segment = seg,
	    .offset = e.offset,
	    .body_at = put->written,
	    .len = e.len,
	    .sum = e.sum,
	};
	put->written += e.len;
	if (op->piece.done != NULL)
		op->piece.done(op->priv, &out);
	return true;
}

static void
do_piece(struct store *st, struct op *op)
{
	struct store_put *put = op->put;

	if (atomic_load(&put->failed) || !piece_write(st, op)) {
		atomic_store(&put->failed, true);
		if (op->piece.done != NULL)
			op->piece.done(op->priv, NULL);
	}
	op_free(st, op);
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
	case OP_REFRESH:
	case OP_DROP:
	case OP_TRIM:
		to_batch(st, op);
		break;
	case OP_FAIL:
		atomic_fetch_add(&st->dropped, 1);
		if (op->commit.seq_cb != NULL)
			op->commit.seq_cb(op->priv, 0);
		op_free(st, op);
		break;
	case OP_ABORT:
		op_free(st, op);
		break;
	case OP_INVAL:
	case OP_SYNC:
		to_batch(st, op);
		st->w.urgent = true;
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
	unsigned n = 0;
	MDB_txn *txn;
	int rc = ENOMEM;

	if (hash == NULL)
		return;
	txn = catalogue_read(&st->cat, &rc);
	if (txn != NULL) {
		rc = catalogue_hashes(&st->cat, txn,
		    w->fill_begun ? w->fill_at : NULL, hash, FILL_STEP, &n);
		catalogue_read_end(&st->cat, txn);
	}
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
	return NULL;
}
