/*
 * catalogue_object.c - objects and segments in the catalogue: records whole
 * or in chunks, the index from hash to seq, and what lies on which segment.
 */
#include <errno.h>
#include <stdlib.h>

#include "catalogue.h"
#include "catalogue_key.h"

int
chunks_put(MDB_txn *txn, MDB_dbi dbi, uint64_t seq, uint32_t from,
    const uint8_t *p, size_t len)
{
	struct key kb;
	int rc;

	for (; len > 0; from++) {
		size_t n = len < CATALOGUE_CHUNK ? len : CATALOGUE_CHUNK;
		MDB_val k = key_u64_u32(&kb, seq, from), v = {n, (void *)p};

		rc = mdb_put(txn, dbi, &k, &v, 0);
		if (rc != 0)
			return rc;
		p += n;
		len -= n;
	}
	return chunks_del(txn, dbi, seq, from);
}

int
chunks_get(MDB_txn *txn, MDB_dbi dbi, uint64_t seq, uint32_t from, uint8_t *p,
    size_t len)
{
	struct key kb;
	int rc;

	for (; len > 0; from++) {
		MDB_val k = key_u64_u32(&kb, seq, from), v;

		rc = mdb_get(txn, dbi, &k, &v);
		if (rc != 0)
			return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
		if (v.mv_size == 0 || v.mv_size > len)
			return MDB_CORRUPTED;
		memcpy(p, v.mv_data, v.mv_size);
		p += v.mv_size;
		len -= v.mv_size;
	}
	return 0;
}

int
chunks_del(MDB_txn *txn, MDB_dbi dbi, uint64_t seq, uint32_t from)
{
	struct key kb;
	MDB_cursor *cur;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, dbi, &cur);

	if (rc != 0)
		return rc;
	for (;;) {
		k = key_u64_u32(&kb, seq, from);
		rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
		if (rc != 0 || k.mv_size != 12 || be64_at(k.mv_data) != seq)
			break;
		rc = mdb_cursor_del(cur, 0);
		if (rc != 0)
			break;
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* --------------------------------------------------------------- stale */

static int
stale_add(struct catalogue *c, MDB_txn *txn, uint64_t inval_seq, int64_t n)
{
	unsigned i;

	for (i = 0; i < c->delta_n; i++)
		if (c->delta[i].seq == inval_seq) {
			c->delta[i].n += n;
			return 0;
		}
	if (c->delta_n == CATALOGUE_DELTA_N) {
		int rc = delta_flush(c, txn);

		if (rc != 0)
			return rc;
	}
	i = c->delta_n++;
	c->delta[i].seq = inval_seq;
	c->delta[i].n = n;
	return 0;
}

int
delta_flush(struct catalogue *c, MDB_txn *txn)
{
	struct key kb;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < c->delta_n; i++) {
		MDB_val k = key_u64(&kb, c->delta[i].seq), v;
		uint64_t old = 0;
		int64_t n;

		if (c->delta[i].n == 0)
			continue;
		rc = mdb_get(txn, c->stale, &k, &v);
		if (rc == 0 && !val_u64(&v, &old))
			old = 0;
		if (rc != 0 && rc != MDB_NOTFOUND)
			break;
		n = (int64_t)old + c->delta[i].n;
		if (n > 0) {
			v = (MDB_val){8, &n};
			rc = mdb_put(txn, c->stale, &k, &v, 0);
		} else if (rc == 0) {
			rc = mdb_del(txn, c->stale, &k, NULL);
		} else {
			rc = 0;
		}
	}
	c->delta_n = 0;
	return rc;
}

int
catalogue_oldest_inval(struct catalogue *c, MDB_txn *txn, uint64_t *seq)
{
	MDB_cursor *cur;
	MDB_stat st;
	MDB_val k, v;
	int rc = mdb_stat(txn, c->obj, &st);

	*seq = UINT64_MAX;
	if (rc != 0 || st.ms_entries == 0)
		return rc;
	rc = mdb_cursor_open(txn, c->stale, &cur);
	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cur, &k, &v, MDB_FIRST);
	if (rc == 0 && k.mv_size == 8)
		*seq = be64_at(k.mv_data);
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* --------------------------------------------------------------- index */

static int
by_seq_down(const void *a, const void *b)
{
	const struct variant *x = a, *y = b;

	return (x->seq < y->seq) - (x->seq > y->seq);
}

int
catalogue_variants(struct catalogue *c, MDB_txn *txn,
    const uint8_t hash[STORE_HASH_LEN],
    struct variant variant[CATALOGUE_VARIANT_MAX], unsigned *n)
{
	struct key kb;
	MDB_cursor *cur;
	MDB_val k = key_hash(&kb, hash, 0), v;
	int rc = mdb_cursor_open(txn, c->idx, &cur);

	*n = 0;
	if (rc != 0)
		return rc;
	for (rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
	     rc == 0 && k.mv_size == STORE_HASH_LEN + 8 &&
	     !memcmp(k.mv_data, hash, STORE_HASH_LEN) &&
	     *n < CATALOGUE_VARIANT_MAX;
	     rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) {
		struct variant *x = &variant[*n];

		x->vhash = be64_at((char *)k.mv_data + STORE_HASH_LEN);
		if (val_u64(&v, &x->seq))
			(*n)++;
	}
	mdb_cursor_close(cur);
	if (*n > 1)
		qsort(variant, *n, sizeof *variant, by_seq_down);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
hash_is_gone(struct catalogue *c, MDB_txn *txn,
    const uint8_t hash[STORE_HASH_LEN], bool *gone)
{
	struct key kb;
	MDB_cursor *cur;
	MDB_val k = key_hash(&kb, hash, 0), v;
	int rc = mdb_cursor_open(txn, c->idx, &cur);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
	*gone = rc != 0 || k.mv_size != STORE_HASH_LEN + 8 ||
		memcmp(k.mv_data, hash, STORE_HASH_LEN) != 0;
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
catalogue_unindex(struct catalogue *c, MDB_txn *txn,
    const uint8_t hash[STORE_HASH_LEN], uint64_t vhash, uint64_t seq,
    struct gone *g)
{
	struct key kb;
	MDB_val k = key_hash(&kb, hash, vhash), v;
	uint64_t at;
	int rc = mdb_get(txn, c->idx, &k, &v);

	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (val_u64(&v, &at) && at != seq)
		return 0; /* a newer one took its place */
	rc = mdb_del(txn, c->idx, &k, NULL);
	if (rc != 0)
		return rc;
	memcpy(g->hash, hash, STORE_HASH_LEN);
	g->known = true;
	return hash_is_gone(c, txn, hash, &g->last);
}

int
catalogue_hashes(struct catalogue *c, MDB_txn *txn, const uint8_t *after,
    uint8_t (*out)[STORE_HASH_LEN], unsigned n, unsigned *got)
{
	struct key kb;
	MDB_cursor *cur;
	MDB_val k, v;
	const uint8_t *last = after;
	int rc = mdb_cursor_open(txn, c->idx, &cur);

	*got = 0;
	if (rc != 0)
		return rc;
	if (after != NULL) {
		k = key_hash(&kb, after, UINT64_MAX);
		rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
	} else {
		rc = mdb_cursor_get(cur, &k, &v, MDB_FIRST);
	}
	while (rc == 0 && *got < n) {
		if (k.mv_size == STORE_HASH_LEN + 8 &&
		    (last == NULL ||
			memcmp(last, k.mv_data, STORE_HASH_LEN) != 0)) {
			memcpy(out[*got], k.mv_data, STORE_HASH_LEN);
			last = out[(*got)++];
		}
		rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
catalogue_next(
    struct catalogue *c, MDB_txn *txn, uint64_t seq, uint64_t *next)
{
	struct key kb;
	MDB_val k = key_u64(&kb, seq + 1), v;
	MDB_cursor *cur;
	int rc = mdb_cursor_open(txn, c->obj, &cur);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
	if (rc == 0 && k.mv_size != 8)
		rc = MDB_CORRUPTED;
	if (rc == 0)
		*next = be64_at(k.mv_data);
	mdb_cursor_close(cur);
	return rc;
}

int
catalogue_clear(struct catalogue *c, MDB_txn *txn,
    int (*fn)(void *priv, const struct gone *), void *priv)
{
	MDB_dbi all[] = {c->obj, c->ext, c->idx, c->sobj, c->seg, c->stale};
	struct gone g = {0};
	MDB_cursor *cur;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, c->idx, &cur);

	if (rc != 0)
		return rc;
	/* One behind: whether it was the last of its hash, the next one says */
	while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
		uint64_t seq;

		if (k.mv_size != STORE_HASH_LEN + 8 || !val_u64(&v, &seq))
			continue;
		g.last = memcmp(g.hash, k.mv_data, STORE_HASH_LEN) != 0;
		if (g.known && (rc = fn(priv, &g)) != 0)
			break;
		g.known = true;
		g.seq = seq;
		memcpy(g.hash, k.mv_data, STORE_HASH_LEN);
	}
	g.last = true;
	if (rc == MDB_NOTFOUND)
		rc = g.known ? fn(priv, &g) : 0;
	mdb_cursor_close(cur);
	for (size_t i = 0; rc == 0 && i < sizeof all / sizeof all[0]; i++)
		rc = mdb_drop(txn, all[i], 0);
	c->delta_n = 0;
	return rc;
}

/* ------------------------------------------------------------- records */

int
catalogue_load(struct catalogue *c, MDB_txn *txn, uint64_t seq, struct blob *b)
{
	struct key kb;
	MDB_val k = key_u64(&kb, seq), v;
	struct record r;
	size_t whole;
	int rc = mdb_get(txn, c->obj, &k, &v);

	*b = (struct blob){0};
	if (rc != 0)
		return rc;
	*b = (struct blob){v.mv_data, v.mv_size, NULL};
	/* Damaged, or all there: the same to us. */
	if (!record_peek(v.mv_data, v.mv_size, seq, &r, &whole) ||
	    whole <= v.mv_size)
		return 0;
	b->owned = malloc(whole);
	if (b->owned == NULL)
		return ENOMEM;
	memcpy(b->owned, v.mv_data, v.mv_size);
	rc = chunks_get(
	    txn, c->ext, seq, 1, b->owned + v.mv_size, whole - v.mv_size);
	if (rc == MDB_CORRUPTED) {
		/* The first part alone won't decode, as it should not. */
		blob_free(b);
		*b = (struct blob){v.mv_data, v.mv_size, NULL};
		return 0;
	}
	if (rc != 0) {
		blob_free(b);
		return rc;
	}
	b->p = b->owned;
	b->len = whole;
	return 0;
}

void
blob_free(struct blob *b)
{
	free(b->owned);
	*b = (struct blob){0};
}

int
blob_own(struct blob *b)
{
	if (b->owned != NULL)
		return 0;
	b->owned = malloc(b->len + 1);
	if (b->owned == NULL)
		return ENOMEM;
	memcpy(b->owned, b->p, b->len);
	b->p = b->owned;
	return 0;
}

static int
record_put(struct catalogue *c, MDB_txn *txn, uint64_t seq, const uint8_t *buf,
    size_t len, unsigned flags)
{
	struct key kb;
	size_t n = len < CATALOGUE_CHUNK ? len : CATALOGUE_CHUNK;
	MDB_val k = key_u64(&kb, seq), v = {n, (void *)buf};
	int rc = mdb_put(txn, c->obj, &k, &v, flags);

	if (rc == 0 && len > n)
		rc = chunks_put(txn, c->ext, seq, 1, buf + n, len - n);
	return rc;
}

/* Calls fn for each segment that r lies on, once. */
static int
each_segment(struct catalogue *c, MDB_txn *txn, uint64_t seq,
    const struct record *r,
    int (*fn)(struct catalogue *, MDB_txn *, uint32_t, uint64_t))
{
	uint32_t last = 0;
	int rc = 0;

	if (r->extent_n == 0)
		return fn(c, txn, CATALOGUE_INLINE, seq);
	/* Segments are filled one by one, so equal numbers are neighbours. */
	for (uint32_t i = 0; rc == 0 && i < r->extent_n; i++) {
		uint32_t no = record_extent_at(r, i).segno;

		if (no != last)
			rc = fn(c, txn, no, seq);
		last = no;
	}
	return rc;
}

static int
segment_note_object(
    struct catalogue *c, MDB_txn *txn, uint32_t no, uint64_t seq)
{
	struct key kb;
	MDB_val k = key_u32_u64(&kb, no, seq), v = {0, NULL};
	int rc = MDB_KEYEXIST;

	/* The virtual segment is last, and seqs grow. */
	if (no == CATALOGUE_INLINE)
		rc = mdb_put(txn, c->sobj, &k, &v, MDB_APPEND);
	if (rc == MDB_KEYEXIST)
		rc = mdb_put(txn, c->sobj, &k, &v, 0);
	return rc;
}

int
catalogue_segment_forget_object(
    struct catalogue *c, MDB_txn *txn, uint32_t no, uint64_t seq)
{
	struct key kb;
	MDB_val k = key_u32_u64(&kb, no, seq);
	int rc = mdb_del(txn, c->sobj, &k, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
catalogue_insert(struct catalogue *c, MDB_txn *txn, const struct record *r,
    uint64_t seq, const uint8_t *buf, size_t len)
{
	struct key kb;
	MDB_val k, v = {8, &seq};
	int rc = record_put(c, txn, seq, buf, len, MDB_APPEND);

	if (rc != 0)
		return rc;
	k = key_hash(&kb, r->meta.hash, r->vhash);
	rc = mdb_put(txn, c->idx, &k, &v, 0);
	if (rc == 0)
		rc = each_segment(c, txn, seq, r, segment_note_object);
	if (rc == 0)
		rc = stale_add(c, txn, r->meta.inval_seq, 1);
	return rc;
}

int
catalogue_replace(struct catalogue *c, MDB_txn *txn, uint64_t seq,
    const struct record *old, size_t old_len, const struct record *r,
    const uint8_t *buf, size_t len)
{
	int rc = record_put(c, txn, seq, buf, len, 0);

	if (rc == 0 && old_len > CATALOGUE_CHUNK && len <= CATALOGUE_CHUNK)
		rc = chunks_del(txn, c->ext, seq, 1);
	if (rc == 0 && old->meta.inval_seq != r->meta.inval_seq) {
		rc = stale_add(c, txn, old->meta.inval_seq, -1);
		if (rc == 0)
			rc = stale_add(c, txn, r->meta.inval_seq, 1);
	}
	return rc;
}

int
catalogue_move(struct catalogue *c, MDB_txn *txn, uint64_t seq,
    const struct record *old, size_t old_len, const struct record *r,
    const uint8_t *buf, size_t len)
{
	int rc =
	    each_segment(c, txn, seq, old, catalogue_segment_forget_object);

	if (rc == 0)
		rc = catalogue_replace(c, txn, seq, old, old_len, r, buf, len);
	if (rc == 0)
		rc = each_segment(c, txn, seq, r, segment_note_object);
	return rc;
}

int
catalogue_delete(
    struct catalogue *c, MDB_txn *txn, uint64_t seq, struct gone *g)
{
	struct key kb;
	MDB_val k = key_u64(&kb, seq);
	struct blob b;
	struct record r;
	size_t whole = SIZE_MAX;
	int rc = catalogue_load(c, txn, seq, &b);

	*g = (struct gone){.seq = seq};
	if (rc == 0)
		rc = blob_own(&b);
	if (rc != 0)
		return rc;
	if (record_peek(b.p, b.len, seq, &r, &whole)) {
		rc = catalogue_unindex(c, txn, r.meta.hash, r.vhash, seq, g);
		if (rc == 0)
			rc = stale_add(c, txn, r.meta.inval_seq, -1);
	}
	/*
	 * Of a record that can't be read, entries in sobj stay until the
	 * segment goes.
	 */
	if (rc == 0 && record_decode(b.p, b.len, seq, &r))
		rc = each_segment(
		    c, txn, seq, &r, catalogue_segment_forget_object);
	blob_free(&b);
	if (rc == 0 && whole > CATALOGUE_CHUNK)
		rc = chunks_del(txn, c->ext, seq, 1);
	k = key_u64(&kb, seq);
	if (rc == 0)
		rc = mdb_del(txn, c->obj, &k, NULL);
	return rc;
}

/* ------------------------------------------------------------ segments */

int
catalogue_segment_first(
    struct catalogue *c, MDB_txn *txn, uint32_t no, uint64_t *seq)
{
	return catalogue_segment_next(c, txn, no, 0, seq);
}

int
catalogue_segment_next(struct catalogue *c, MDB_txn *txn, uint32_t no,
    uint64_t after, uint64_t *seq)
{
	struct key kb;
	MDB_cursor *cur;
	MDB_val k = key_u32_u64(&kb, no, after + 1), v;
	int rc = mdb_cursor_open(txn, c->sobj, &cur);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
	if (rc == 0) {
		if (k.mv_size == 12 && be32_at(k.mv_data) == no)
			*seq = be64_at((char *)k.mv_data + 4);
		else
			rc = MDB_NOTFOUND;
	}
	mdb_cursor_close(cur);
	return rc;
}

int
catalogue_segment_put(
    struct catalogue *c, MDB_txn *txn, const struct seg_info *s)
{
	struct key kb;
	uint64_t n[3] = {s->gen, s->size, s->used};
	MDB_val k = key_u32(&kb, s->no), v = {sizeof n, n};

	return mdb_put(txn, c->seg, &k, &v, 0);
}

int
catalogue_segment_del(struct catalogue *c, MDB_txn *txn, uint32_t no)
{
	struct key kb;
	MDB_val k = key_u32(&kb, no);
	int rc = mdb_del(txn, c->seg, &k, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
catalogue_segment_each(struct catalogue *c, MDB_txn *txn,
    int (*fn)(void *priv, const struct seg_info *), void *priv)
{
	MDB_cursor *cur;
	MDB_val k, v;
	uint64_t n[3];
	int rc = mdb_cursor_open(txn, c->seg, &cur);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
		struct seg_info s;

		if (k.mv_size != 4 || v.mv_size != sizeof n) {
			rc = MDB_CORRUPTED;
			break;
		}
		memcpy(n, v.mv_data, sizeof n);
		s = (struct seg_info){
		    be32_at(k.mv_data), (uint32_t)n[0], n[1], n[2]};
		rc = fn(priv, &s);
		if (rc != 0) {
			if (rc != ENOMEM)
				rc = MDB_CORRUPTED;
			break;
		}
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}
