/*
 * lookup.c - objects found in the catalogue and copied out.
 *
 * A read transaction is begun and ended within one call: one that lives on
 * keeps every page written since from being used again, and the store fills.
 * So all that is given out is a copy, or a reference to a segment.
 */
#include <errno.h>
#include <stdlib.h>

#include "store_impl.h"

/* One piece of memory: the object, its extents, its strings. */
static struct store_object *
object_new(const struct record *r, uint64_t seq)
{
	const struct store_meta *m = &r->meta;
	size_t extents = r->extent_n * sizeof(struct extent);
	struct store_object *o =
	    calloc(1, sizeof *o + extents + m->key.len + m->vary.len +
			  m->head.len + r->inline_body.len + 1);
	char *mem;

	if (o == NULL)
		return NULL;
	o->meta = *m;
	o->seq = seq;
	o->packed = r->packed;
	o->dict = r->dict;
	o->extent = (struct extent *)(o + 1);
	mem = (char *)o->extent + extents;
	o->meta.key = str_copy(&mem, m->key);
	o->meta.vary = str_copy(&mem, m->vary);
	o->meta.head = str_copy(&mem, m->head);
	o->inline_body = str_copy(&mem, r->inline_body);
	return o;
}

/* 0, or the errno why a segment can't be had */
static int
object_extents(struct store *st, struct store_object *o, const struct record *r)
{
	struct segment *last = NULL;
	uint32_t last_gen = 0;
	uint64_t body_at = 0;

	for (uint32_t i = 0; i < r->extent_n; i++) {
		struct record_extent re = record_extent_at(r, i);
		struct extent *e = &o->extent[i];

		if (last != NULL && last->no == re.segno && last_gen == re.gen)
			e->segment = segment_ref(last);
		else
			e->segment = segments_get(&st->segs, re.segno, re.gen);
		if (e->segment == NULL)
			return errno;
		o->extent_n++;
		last = e->segment;
		last_gen = re.gen;
		e->offset = re.offset;
		e->len = re.len;
		e->sum = re.sum;
		e->body_at = body_at;
		body_at += re.len;
	}
	return 0;
}

int
lookup_copy(struct store *st, const struct record *r, uint64_t seq,
    struct store_object **out)
{
	struct store_object *o = object_new(r, seq);
	int rc = o != NULL ? object_extents(st, o, r) : ENOMEM;

	if (rc != 0)
		store_object_free(&o);
	*out = o;
	return rc;
}

void
store_object_free(struct store_object **op)
{
	struct store_object *o = *op;

	*op = NULL;
	if (o == NULL)
		return;
	for (unsigned i = 0; i < o->extent_n; i++)
		segment_unref(&o->extent[i].segment);
	free(o);
}

/* 1: it is the one; 0: it is not, or it is bad; -1: error */
static int
try_variant(struct store *st, MDB_txn *txn, const uint8_t hash[STORE_HASH_LEN],
    const struct variant *v, bool (*match)(void *, const struct store_meta *),
    void *priv, struct store_object **out)
{
	struct record r;
	struct blob b;
	int found = 0, rc = catalogue_load(&st->cat, txn, v->seq, &b);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return -1;
	if (rc == MDB_NOTFOUND || !record_decode(b.p, b.len, v->seq, &r) ||
	    memcmp(r.meta.hash, hash, STORE_HASH_LEN) != 0) {
		queue_drop(st, v->seq, hash, v->vhash);
		blob_free(&b);
		return 0;
	}
	if (match == NULL || match(priv, &r.meta)) {
		rc = lookup_copy(st, &r, v->seq, out);
		if (rc == 0) {
			found = 1;
		} else {
			/*
			 * No such segment: evicted since we read, or its file
			 * was lost.  The drop finds nothing, or is right.
			 */
			if (rc == ENOENT)
				queue_drop(st, v->seq, hash, v->vhash);
			else
				found = -1;
		}
	}
	blob_free(&b);
	return found;
}

struct lookup {
	struct store *st;
	const uint8_t *hash;
	bool (*match)(void *priv, const struct store_meta *);
	void *priv;
	struct store_object *object;
	int result;
};

static void
lookup_run(void *arg)
{
	struct lookup *l = arg;
	struct store *st = l->st;
	struct variant v[CATALOGUE_VARIANT_MAX];
	MDB_txn *txn;
	unsigned n;
	int found = 0, rc;

	l->result = -1;
	txn = catalogue_read(&st->cat, &rc);
	if (txn == NULL)
		return;
	rc = catalogue_variants(&st->cat, txn, l->hash, v, &n);
	for (unsigned i = 0; rc == 0 && found == 0 && i < n; i++)
		found = try_variant(st, txn, l->hash, &v[i], l->match,
		    l->priv, &l->object);
	catalogue_read_end(&st->cat, txn);
	if (found == 1)
		store_note_hit(st, l->object->seq);
	if (rc == 0)
		l->result = found;
}

int
store_lookup(struct store *st, const uint8_t hash[STORE_HASH_LEN],
    bool (*match)(void *priv, const struct store_meta *), void *priv,
    struct store_object **out)
{
	struct lookup l = {st, hash, match, priv, NULL, -1};

	*out = NULL;
	if (!store_guarded(st, lookup_run, &l))
		return -1;
	*out = l.object;
	return l.result;
}

bool
store_may_have(const struct store *st, const uint8_t hash[STORE_HASH_LEN])
{
	return fpset_may_have((struct fpset *)&st->filter, hash);
}

struct reading {
	struct store *st;
	void (*fn)(void *priv, const struct inval *);
	void *priv;
	int rc;
};

static void
inval_run(void *arg)
{
	struct reading *r = arg;
	MDB_txn *txn = catalogue_read(&r->st->cat, &r->rc);

	if (txn == NULL)
		return;
	r->rc = catalogue_inval_each(&r->st->cat, txn, r->fn, r->priv);
	catalogue_read_end(&r->st->cat, txn);
}

int
store_inval_each(
    struct store *st, void (*fn)(void *priv, const struct inval *), void *priv)
{
	struct reading r = {st, fn, priv, 0};

	return store_guarded(st, inval_run, &r) && r.rc == 0 ? 0 : -1;
}
