/*
 * catalogue_inval.c - the invalidation log in the catalogue.
 *
 * An entry is a header of 24 bytes and its text, cut into chunks under
 * (seq, 0), (seq, 1), ...  The checksum covers all but itself: a ban that
 * changed a letter would silently ban something else.
 */
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "catalogue.h"
#include "catalogue_key.h"

struct header {
	uint64_t sum; /* of what follows, and the text; seed seq */
	double at;
	uint32_t kind;
	uint32_t text_len;
};

_Static_assert(sizeof(struct header) == 24, "no hidden padding");

enum { TEXT_MAX = 1 << 20 };

static uint64_t
entry_sum(const uint8_t *p, size_t len, uint64_t seq)
{
	return XXH3_64bits_withSeed(p + 8, len - 8, seq);
}

int
catalogue_inval_put(struct catalogue *c, MDB_txn *txn, const struct inval *i)
{
	size_t len = sizeof(struct header) + i->text.len;
	struct header h = {0, i->at, i->kind, (uint32_t)i->text.len};
	uint8_t *buf;
	int rc;

	if (i->text.len > TEXT_MAX)
		return EINVAL;
	buf = malloc(len);
	if (buf == NULL)
		return ENOMEM;
	memcpy(buf, &h, sizeof h);
	if (i->text.len > 0)
		memcpy(buf + sizeof h, i->text.p, i->text.len);
	h.sum = entry_sum(buf, len, i->seq);
	memcpy(buf, &h, sizeof h);
	rc = chunks_put(txn, c->inval, i->seq, 0, buf, len);
	free(buf);
	return rc;
}

int
catalogue_inval_del(struct catalogue *c, MDB_txn *txn, uint64_t seq)
{
	return chunks_del(txn, c->inval, seq, 0);
}

/* The entry whose first chunk is first */
static int
load(struct catalogue *c, MDB_txn *txn, uint64_t seq, const MDB_val *first,
    uint8_t **buf, struct inval *out)
{
	struct header h;
	size_t len;
	int rc;

	*buf = NULL;
	if (first->mv_size < sizeof h)
		return MDB_CORRUPTED;
	memcpy(&h, first->mv_data, sizeof h);
	if (h.text_len > TEXT_MAX)
		return MDB_CORRUPTED;
	len = sizeof h + h.text_len;
	*buf = malloc(len);
	if (*buf == NULL)
		return ENOMEM;
	rc = chunks_get(txn, c->inval, seq, 0, *buf, len);
	if (rc != 0)
		return rc;
	if (h.sum != entry_sum(*buf, len, seq) ||
	    h.kind < INVAL_BAN || h.kind > INVAL_KIND_MAX)
		return MDB_CORRUPTED;
	*out = (struct inval){
	    .seq = seq,
	    .at = h.at,
	    .kind = h.kind,
	    .text = str_of((char *)*buf + sizeof h, h.text_len),
	};
	return 0;
}

int
catalogue_inval_each(struct catalogue *c, MDB_txn *txn,
    void (*fn)(void *priv, const struct inval *), void *priv)
{
	MDB_cursor *cur;
	MDB_val k, v;
	int bad = 0, rc = mdb_cursor_open(txn, c->inval, &cur);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
		struct inval i;
		uint8_t *buf;

		if (k.mv_size != 12) {
			bad = MDB_CORRUPTED;
			continue;
		}
		if (be32_at((char *)k.mv_data + 8) != 0)
			continue;
		rc = load(c, txn, be64_at(k.mv_data), &v, &buf, &i);
		if (rc == 0)
			fn(priv, &i);
		else
			bad = rc;
		free(buf);
	}
	mdb_cursor_close(cur);
	return rc != MDB_NOTFOUND ? rc : bad;
}

int
catalogue_inval_trim(struct catalogue *c, MDB_txn *txn, uint64_t before,
    unsigned max, unsigned *n)
{
	MDB_cursor *cur;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, c->inval, &cur);

	*n = 0;
	if (rc != 0)
		return rc;
	while (*n < max && (rc = mdb_cursor_get(cur, &k, &v, MDB_FIRST)) == 0 &&
	       k.mv_size == 12 && be64_at(k.mv_data) < before) {
		rc = mdb_cursor_del(cur, 0);
		if (rc != 0)
			break;
		(*n)++;
	}
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}
