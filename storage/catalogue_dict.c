/*
 * catalogue_dict.c - dictionaries in the catalogue: a header of 16 bytes and
 * the bytes, cut into chunks under (id, 0), (id, 1), ...
 */
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "catalogue.h"
#include "catalogue_key.h"

struct header {
	uint64_t sum; /* of the bytes; seed id */
	uint64_t len;
};

_Static_assert(sizeof(struct header) == 16, "no hidden padding");

enum { DICT_LEN_MAX = 1 << 20 };

int
catalogue_dict_put(struct catalogue *c, MDB_txn *txn, uint32_t id,
    const uint8_t *p, size_t len)
{
	struct header h = {XXH3_64bits_withSeed(p, len, id), len};
	uint8_t *buf = malloc(sizeof h + len);
	int rc;

	if (buf == NULL)
		return ENOMEM;
	memcpy(buf, &h, sizeof h);
	memcpy(buf + sizeof h, p, len);
	rc = chunks_put(txn, c->dict, id, 0, buf, sizeof h + len);
	free(buf);
	return rc;
}

int
catalogue_dict_get(struct catalogue *c, MDB_txn *txn, uint32_t id,
    uint8_t **out, size_t *len)
{
	struct key kb;
	MDB_val k = key_u64_u32(&kb, id, 0), v;
	struct header h;
	uint8_t *buf;
	int rc = mdb_get(txn, c->dict, &k, &v);

	*out = NULL;
	if (rc != 0)
		return rc;
	if (v.mv_size < sizeof h)
		return MDB_CORRUPTED;
	memcpy(&h, v.mv_data, sizeof h);
	if (h.len == 0 || h.len > DICT_LEN_MAX)
		return MDB_CORRUPTED;
	buf = malloc(sizeof h + h.len);
	if (buf == NULL)
		return ENOMEM;
	rc = chunks_get(txn, c->dict, id, 0, buf, sizeof h + h.len);
	if (rc == 0 &&
	    h.sum != XXH3_64bits_withSeed(buf + sizeof h, h.len, id))
		rc = MDB_CORRUPTED;
	if (rc != 0) {
		free(buf);
		return rc;
	}
	memmove(buf, buf + sizeof h, h.len);
	*out = buf;
	*len = h.len;
	return 0;
}

int
catalogue_dict_last(struct catalogue *c, MDB_txn *txn, uint32_t *id)
{
	MDB_cursor *cur;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, c->dict, &cur);

	*id = 0;
	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cur, &k, &v, MDB_LAST);
	if (rc == 0 && k.mv_size == 12)
		*id = (uint32_t)be64_at(k.mv_data);
	mdb_cursor_close(cur);
	return rc == MDB_NOTFOUND ? 0 : rc;
}
