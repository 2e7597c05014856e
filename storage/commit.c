/*
 * commit.c - a batch becomes durable.
 *
 * The order is what makes a power cut harmless: bodies were written, now
 * their segments are synced, and only then the catalogue that points to them
 * is committed (LMDB syncs twice).  A segment's file goes only after the
 * commit that forgot it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_impl.h"

static bool
grow(void **p, size_t *room, size_t n, size_t size)
{
	size_t want = *room * 2 + 64;
	void *q;

	if (n < *room)
		return true;
	q = realloc(*p, want * size);
	if (q == NULL)
		return false;
	*p = q;
	*room = want;
	return true;
}

uint64_t
commit_pages(const struct store *st)
{
	const struct writer *w = &st->w;
	uint64_t idx = w->batch_n;

	/*
	 * Records are appended, and fill their pages; an index entry dirties
	 * a page of its own at worst, but the index has only so many.
	 */
	if (idx > w->idx_pages + w->batch_n / 16)
		idx = w->idx_pages + w->batch_n / 16;
	return w->record_bytes / 3072 + idx + w->batch_n / 8 + 16;
}

/* Does the filter follow what happens to this hash? See fill_filter. */
static bool
filter_follows(const struct store *st, const uint8_t hash[STORE_HASH_LEN])
{
	const struct writer *w = &st->w;

	return !w->filling ||
	       (w->fill_begun && memcmp(hash, w->fill_at, STORE_HASH_LEN) <= 0);
}

bool
space_note_gone(struct store *st, const struct gone *g)
{
	struct writer *w = &st->w;

	if (!grow((void **)&w->gone, &w->gone_room, w->gone_n, sizeof *w->gone))
		return false;
	w->gone[w->gone_n++] = *g;
	return true;
}

static int
note_added(struct store *st, const uint8_t hash[STORE_HASH_LEN])
{
	struct writer *w = &st->w;

	if (!filter_follows(st, hash))
		return 0;
	if (!grow((void **)&w->added, &w->added_room, w->added_n,
		sizeof *w->added) ||
	    !fpset_add(&st->filter, hash))
		return ENOMEM;
	memcpy(w->added[w->added_n++], hash, STORE_HASH_LEN);
	return 0;
}

/* Deletes an object; told: on_gone is called. */
static int
delete_object(struct store *st, MDB_txn *txn, uint64_t seq, bool told)
{
	struct gone g;
	int rc = catalogue_delete(&st->cat, txn, seq, &g);

	if (rc == 0) {
		g.told = told;
		if (!space_note_gone(st, &g))
			rc = ENOMEM;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
commit_encode(
    struct store *st, const struct record *r, uint64_t seq, size_t *len)
{
	struct writer *w = &st->w;

	*len = record_size(r);
	if (*len == 0)
		return EMSGSIZE;
	if (*len > w->buf_room) {
		uint8_t *buf = realloc(w->buf, *len);

		if (buf == NULL)
			return ENOMEM;
		w->buf = buf;
		w->buf_room = *len;
	}
	record_encode(r, seq, w->buf);
	return 0;
}

/* The put's extents as the record wants them, or NULL: one was lost */
static uint8_t *
put_extents(const struct store_put *put)
{
	uint8_t *p = malloc((size_t)put->n * RECORD_EXTENT_LEN + 1);

	for (uint32_t i = 0; p != NULL && i < put->n; i++) {
		const struct segment *seg = put->piece[i].segment;

		/* A slow fetch may see its first segment recycled. */
		if (seg->dying || segment_is_dead(seg)) {
			free(p);
			return NULL;
		}
		record_extent_put(
		    p + (size_t)i * RECORD_EXTENT_LEN, &put->piece[i].extent);
	}
	return p;
}

static int
make_room_among_variants(
    struct store *st, MDB_txn *txn, const struct record *r, bool *alone)
{
	struct variant v[CATALOGUE_VARIANT_MAX];
	unsigned n, left;
	int rc = catalogue_variants(&st->cat, txn, r->meta.hash, v, &n);

	left = n;
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		bool same = v[i].vhash == r->vhash;
		bool oldest = i + 1 == CATALOGUE_VARIANT_MAX && left == n;

		if (!same && !oldest)
			continue;
		rc = delete_object(st, txn, v[i].seq, !same);
		left--;
	}
	*alone = left == 0;
	return rc;
}

static int
apply_commit(struct store *st, MDB_txn *txn, struct op *op)
{
	struct store_put *put = op->put;
	struct record r = {
	    .meta = op->commit.meta,
	    .vhash = catalogue_vhash(
		&st->cat, op->commit.meta.key, op->commit.meta.vary),
	    .packed = op->commit.packed,
	    .dict = op->commit.dict,
	    .inline_body = op->commit.inline_body,
	    .extent_n = put->n,
	};
	uint8_t *extent = NULL;
	size_t len;
	bool alone;
	int rc;

	op->seq = 0;
	if (atomic_load(&put->failed) || put->written != put->accepted)
		return 0;
	if (put->n > 0) {
		extent = put_extents(put);
		if (extent == NULL)
			return 0;
		r.extent = extent;
	}
	rc = commit_encode(st, &r, st->cat.next_seq, &len);
	if (rc == EMSGSIZE) {
		free(extent);
		return 0;
	}
	if (rc == 0)
		rc = make_room_among_variants(st, txn, &r, &alone);
	if (rc == 0)
		rc = catalogue_insert(
		    &st->cat, txn, &r, st->cat.next_seq, st->w.buf, len);
	if (rc == 0 && alone)
		rc = note_added(st, r.meta.hash);
	if (rc == 0)
		op->seq = st->cat.next_seq++;
	free(extent);
	return rc;
}

/* change gets an object's meta, and what op says of it.  MDB_NOTFOUND: none */
static int
change_object(struct store *st, MDB_txn *txn, uint64_t seq,
    void (*change)(struct store_meta *, const struct op *),
    const struct op *op)
{
	struct record old, r;
	struct blob b;
	size_t len;
	int rc = catalogue_load(&st->cat, txn, seq, &b);

	if (rc != 0)
		return rc;
	if (!record_decode(b.p, b.len, seq, &old)) {
		blob_free(&b);
		atomic_fetch_add(&st->corrupt, 1);
		return delete_object(st, txn, seq, true);
	}
	r = old;
	change(&r.meta, op);
	rc = commit_encode(st, &r, seq, &len);
	if (rc == 0)
		rc = catalogue_replace(
		    &st->cat, txn, seq, &old, b.len, &r, st->w.buf, len);
	blob_free(&b);
	/* A head too long to store: the object stays as it was. */
	return rc == EMSGSIZE ? 0 : rc;
}

static void
refresh(struct store_meta *to, const struct op *op)
{
	const struct store_meta *m = &op->commit.meta;

	to->head = m->head;
	to->t_origin = m->t_origin;
	to->ttl = m->ttl;
	to->grace = m->grace;
	to->keep = m->keep;
	to->last_modified = m->last_modified;
	to->inval_seq = m->inval_seq;
	to->flags = m->flags;
	to->status = m->status;
}

/*
 * The record may have been evicted while its revalidation was under way: who
 * shares its body must learn of that, or would hold its segment.
 */
static int
apply_refresh(struct store *st, MDB_txn *txn, const struct op *op)
{
	struct gone g = {.seq = op->seq, .known = true, .told = true};
	int rc = change_object(st, txn, op->seq, refresh, op);

	if (rc != MDB_NOTFOUND)
		return rc;
	memcpy(g.hash, op->commit.meta.hash, sizeof g.hash);
	return space_note_gone(st, &g) ? 0 : ENOMEM;
}

/* A soft purge. */
static void
take_off_times(struct store_meta *m, const struct op *op)
{
	const struct inval *i = &op->inval.inval;
	const struct inval_limits *l = &i->limits;

	m->ttl = inval_limited_ttl(l, i->at, m->t_origin, m->ttl);
	if (l->grace >= 0 && l->grace < m->grace)
		m->grace = l->grace;
	if (l->keep >= 0 && l->keep < m->keep)
		m->keep = l->keep;
}

static int
apply_drop(struct store *st, MDB_txn *txn, const struct op *op)
{
	size_t before = st->w.gone_n;
	int rc = delete_object(st, txn, op->seq, true);

	if (rc == 0 && op->drop.indexed) {
		struct gone g = {.seq = op->seq, .told = true};

		rc = catalogue_unindex(
		    &st->cat, txn, op->drop.hash, op->drop.vhash, op->seq, &g);
		if (rc == 0 && g.known && !space_note_gone(st, &g))
			rc = ENOMEM;
	}
	if (rc == 0 && st->w.gone_n > before)
		atomic_fetch_add(&st->corrupt, 1);
	return rc;
}

static int
purge_object(struct store *st, MDB_txn *txn, const uint8_t *hash,
    const struct variant *v)
{
	struct gone g = {.seq = v->seq};
	int rc = delete_object(st, txn, v->seq, false);

	/* Also where the record can't say what it was indexed as */
	if (rc == 0)
		rc = catalogue_unindex(
		    &st->cat, txn, hash, v->vhash, v->seq, &g);
	if (rc == 0 && g.known && !space_note_gone(st, &g))
		rc = ENOMEM;
	return rc;
}

static int
apply_inval(struct store *st, MDB_txn *txn, struct op *op)
{
	const struct inval *inval = &op->inval.inval;
	const uint8_t *hash = (const uint8_t *)inval->text.p;
	struct variant v[CATALOGUE_VARIANT_MAX];
	unsigned n;
	int rc = catalogue_inval_put(&st->cat, txn, inval);

	op->inval.objects = 0;
	if (rc != 0 ||
	    (inval->kind != INVAL_PURGE && inval->kind != INVAL_SOFT) ||
	    inval->text.len != STORE_HASH_LEN)
		return rc;
	rc = catalogue_variants(&st->cat, txn, hash, v, &n);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		rc = inval->kind == INVAL_PURGE
			 ? purge_object(st, txn, hash, &v[i])
			 : change_object(
			       st, txn, v[i].seq, take_off_times, op);
		if (rc == MDB_NOTFOUND)
			rc = 0;
		op->inval.objects++;
	}
	/*
	 * A purge is done with: only the newest stays, for its position.  A
	 * transaction that fails leaves one more at worst.
	 */
	if (rc == 0 && st->w.purge_seq != inval->seq) {
		if (st->w.purge_seq != 0)
			rc = catalogue_inval_del(&st->cat, txn,
			    st->w.purge_seq);
		st->w.purge_seq = inval->seq;
	}
	return rc;
}

static int
apply_trim(struct store *st, MDB_txn *txn, const struct op *op)
{
	unsigned n;

	/* What is left over goes with the next trim. */
	return catalogue_inval_trim(&st->cat, txn, op->seq, EVICT_STEP, &n);
}

static int
note_emptied(void *priv, const struct gone *gone)
{
	struct gone g = *gone;

	g.told = true;
	return space_note_gone(priv, &g) ? 0 : ENOMEM;
}

static int
apply_empty(struct store *st, MDB_txn *txn, struct op *op)
{
	int rc = catalogue_clear(&st->cat, txn, note_emptied, st);

	*op->empty.objects = st->w.gone_n;
	st->w.emptied = true;
	return rc;
}

static int
apply(struct store *st, MDB_txn *txn, struct op *op)
{
	switch (op->kind) {
	case OP_COMMIT:
		return apply_commit(st, txn, op);
	case OP_REFRESH:
		return apply_refresh(st, txn, op);
	case OP_DROP:
		return apply_drop(st, txn, op);
	case OP_INVAL:
		return apply_inval(st, txn, op);
	case OP_TRIM:
		return apply_trim(st, txn, op);
	case OP_DICT:
		return op->dict.len == 0 ? 0 :
		    catalogue_dict_put(&st->cat, txn, op->dict.id, op->dict.p,
			op->dict.len);
	case OP_EMPTY:
		return apply_empty(st, txn, op);
	case OP_PIECE:
	case OP_FAIL:
	case OP_ABORT:
	case OP_SYNC:
		return 0;
	}
	return 0;
}

static int
sync_segments(struct store *st)
{
	struct segments *t = &st->segs;

	for (uint32_t no = 1; no <= t->top; no++) {
		struct segment *s = t->tab[no];
		int error;

		if (s == NULL || !s->dirty || !s->touched)
			continue;
		error = segment_sync(s);
		if (error != 0)
			return error;
	}
	if (t->dir_dirty) {
		if (fsync(t->dirfd) != 0)
			return errno;
		t->dir_dirty = false;
	}
	return 0;
}

static int
put_segments(struct store *st, MDB_txn *txn)
{
	const struct segments *t = &st->segs;
	int rc = 0;

	for (uint32_t no = 1; rc == 0 && no <= t->top; no++) {
		const struct segment *s = t->tab[no];
		struct seg_info info;

		if (s == NULL || !s->touched || s->dying)
			continue;
		info = (struct seg_info){s->no, s->gen, s->size, s->used};
		rc = catalogue_segment_put(&st->cat, txn, &info);
	}
	return rc;
}

static void
retire_all(struct store *st)
{
	struct writer *w = &st->w;

	w->current = w->spare = w->victim = NULL;
	for (uint32_t no = 1; no <= st->segs.top; no++)
		if (st->segs.tab[no] != NULL)
			segments_retire(&st->segs, st->segs.tab[no]);
}

/*
 * Everything that the transaction did is on disk (ok), or nothing: what was
 * kept in RAM follows.
 */
static void
settle(struct store *st, bool ok, bool victim_empty, bool invals_only)
{
	struct writer *w = &st->w;

	for (size_t i = 0; !ok && i < w->added_n; i++)
		fpset_remove(&st->filter, w->added[i]);
	for (size_t i = 0; ok && i < w->gone_n; i++) {
		const struct gone *g = &w->gone[i];

		if (!g->known)
			continue;
		if (g->last && filter_follows(st, g->hash))
			fpset_remove(&st->filter, g->hash);
		hits_forget(&st->hits, g->seq);
		if (g->told && st->cfg.on_gone != NULL)
			st->cfg.on_gone(st->cfg.priv, g->hash, g->seq);
	}
	w->added_n = 0;
	w->gone_n = 0;
	if (ok)
		atomic_fetch_add(&st->evicted, w->evicted_n);
	w->evicted_n = 0;
	if (ok)
		atomic_fetch_add(&st->rescued, w->moved_n);
	w->moved_n = 0;
	rescue_reset(st);
	if (ok && w->emptied)
		retire_all(st);
	w->emptied = false;
	if (!ok)
		return;
	for (uint32_t no = 1; !invals_only && no <= st->segs.top; no++)
		if (st->segs.tab[no] != NULL)
			st->segs.tab[no]->touched = false;
	if (victim_empty) {
		segments_retire(&st->segs, w->victim);
		w->victim = NULL;
	}
	atomic_fetch_add(&st->commits, 1);
	commit_measure(st);
}

static void
measure_run(void *arg)
{
	struct store *st = arg;
	struct writer *w = &st->w;
	uint64_t oldest = UINT64_MAX;
	MDB_stat idx, obj;
	MDB_txn *txn;
	int rc;

	w->file_pages = catalogue_file(&st->cat);
	txn = catalogue_read(&st->cat, &rc);
	if (txn == NULL)
		return;
	w->live_pages = catalogue_live(&st->cat, txn);
	if (mdb_stat(txn, st->cat.idx, &idx) == 0)
		w->idx_pages = idx.ms_leaf_pages + idx.ms_branch_pages;
	if (mdb_stat(txn, st->cat.obj, &obj) == 0)
		atomic_store(&st->objects, obj.ms_entries);
	if (catalogue_oldest_inval(&st->cat, txn, &oldest) == 0)
		w->oldest_inval = oldest;
	catalogue_read_end(&st->cat, txn);
}

void
commit_measure(struct store *st)
{
	struct writer *w = &st->w;
	const struct segments *t = &st->segs;
	uint64_t used = 0, oldest;

	(void)store_guarded(st, measure_run, st);
	for (uint32_t no = 1; no <= t->top; no++)
		if (t->tab[no] != NULL)
			used += t->tab[no]->used;
	atomic_store(&st->segment_used, used);
	atomic_store(&st->segment_bytes, t->bytes);
	atomic_store(&st->catalogue_bytes, w->file_pages * CATALOGUE_PAGE);

	/* Those that are still on their way count as well. */
	pthread_mutex_lock(&st->q.mtx);
	oldest = w->oldest_inval;
	for (const struct op *op = w->todo; op != NULL; op = op->next)
		if (op->kind == OP_COMMIT && op->commit.meta.inval_seq < oldest)
			oldest = op->commit.meta.inval_seq;
	for (const struct op *op = st->q.list.head; op != NULL; op = op->next)
		if (op->kind == OP_COMMIT && op->commit.meta.inval_seq < oldest)
			oldest = op->commit.meta.inval_seq;
	atomic_store(&st->oldest_inval, oldest);
	pthread_mutex_unlock(&st->q.mtx);
}

static void
answer(struct store *st, struct op *op, int error)
{
	uint64_t seq = error == 0 ? op->seq : 0;
	sem_t *sync;

	switch (op->kind) {
	case OP_COMMIT:
		if (seq != 0) {
			atomic_fetch_add(&st->puts, 1);
			atomic_fetch_add(
			    &st->put_bytes, op->commit.meta.body_len);
		} else {
			atomic_fetch_add(&st->dropped, 1);
		}
		if (op->commit.seq_cb != NULL)
			op->commit.seq_cb(op->priv, seq);
		break;
	case OP_INVAL:
		if (op->inval.done != NULL)
			op->inval.done(op->priv,
			    error != 0 ? mdb_strerror(error) : NULL,
			    op->inval.objects);
		break;
	case OP_DICT:
		pack_dict_written(st->packer, op->dict.id,
		    error == 0 && op->dict.len > 0);
		break;
	case OP_SYNC:
		/* The waiter may look at the queue: it is out of it. */
		sync = op->sync;
		op_free(st, op);
		sem_post(sync);
		return;
	case OP_EMPTY:
		*op->empty.error = error;
		sync = op->empty.done;
		op_free(st, op);
		sem_post(sync);
		return;
	case OP_PIECE:
	case OP_FAIL:
	case OP_ABORT:
	case OP_REFRESH:
	case OP_DROP:
	case OP_TRIM:
		break;
	}
	op_free(st, op);
}

/*
 * invals_only: the rest of the batch failed, perhaps for want of space, but
 * what the administrator wants gone must go.
 */
struct transaction {
	struct store *st;
	struct op *batch;
	bool invals_only, victim_empty;
	int rc;
};

static void
transact_run(void *arg)
{
	struct transaction *t = arg;
	struct store *st = t->st;
	MDB_txn *txn = NULL;
	int rc = catalogue_begin(&st->cat, &txn);

	t->rc = rc;
	if (rc != 0)
		return;
	for (struct op *op = t->batch; rc == 0 && op != NULL; op = op->next)
		if (!t->invals_only || op->kind == OP_INVAL)
			rc = apply(st, txn, op);
	if (rc == 0 && !t->invals_only && !st->w.emptied) {
		rc = space_evict(st, txn, &t->victim_empty);
		if (rc == 0)
			rc = put_segments(st, txn);
	}
	if (rc == 0)
		rc = catalogue_commit(&st->cat, txn);
	else
		catalogue_abort(&st->cat, txn);
	t->rc = rc;
}

static int
transact(
    struct store *st, struct op *batch, bool invals_only, const char **what)
{
	struct transaction t = {st, batch, invals_only, false, 0};
	uint64_t seq = st->cat.next_seq;

	*what = "syncing a segment";
	if (!invals_only)
		rescue_copy(st, space_evict_step(st));
	if (!invals_only && (t.rc = sync_segments(st)) != 0)
		return t.rc;
	*what = "writing the catalogue";
	if (!store_guarded(st, transact_run, &t))
		t.rc = EIO;
	if (t.rc != 0)
		st->cat.next_seq = seq;
	settle(st, t.rc == 0, t.victim_empty, invals_only);
	return t.rc;
}

static bool
report(struct store *st, const char *what, int rc)
{
	struct writer *w = &st->w;

	if (rc != 0) {
		writer_failed(st, what, rc);
		return false;
	}
	if (w->failing && !store_read_only(st)) {
		w->failing = false;
		atomic_store(&st->failed_at, 0);
		store_message(st, "store %s: writes work again", st->name);
	}
	return true;
}

/* A batch of calls that change nothing needs no transaction. */
static bool
only_sync(const struct op *op)
{
	while (op != NULL && op->kind == OP_SYNC)
		op = op->next;
	return op == NULL;
}

static bool
has_inval(const struct op *op)
{
	while (op != NULL && op->kind != OP_INVAL)
		op = op->next;
	return op != NULL;
}

void
commit_batch(struct store *st)
{
	struct writer *w = &st->w;
	struct op *op = w->batch.head, *next;
	const char *what;
	int rc = 0, inval_rc;

	op_list_init(&w->batch);
	w->batch_n = 0;
	w->batch_bytes = 0;
	w->record_bytes = 0;
	w->urgent = false;
	if (!only_sync(op)) {
		rc = transact(st, op, false, &what);
		report(st, what, rc);
	}
	inval_rc = rc;
	if (rc != 0 && has_inval(op))
		inval_rc = transact(st, op, true, &what);
	for (; op != NULL; op = next) {
		next = op->next;
		answer(st, op, op->kind == OP_INVAL ? inval_rc : rc);
	}
	if (!store_read_only(st))
		space_prepare(st);
}

bool
commit_evictions(struct store *st)
{
	const char *what;
	int rc = transact(st, NULL, false, &what);

	return report(st, what, rc);
}
