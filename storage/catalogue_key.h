/*
 * catalogue_key.h - keys and small values of the catalogue, to bytes and
 * back.  For catalogue*.c only.
 */
#ifndef COPAL_STORAGE_CATALOGUE_KEY_H
#define COPAL_STORAGE_CATALOGUE_KEY_H

#include <endian.h>

#include "catalogue.h"

/* A key of one number, or of two */
struct key {
	uint8_t b[STORE_HASH_LEN + 8];
};

static inline MDB_val
key_u32(struct key *k, uint32_t a)
{
	a = htobe32(a);
	memcpy(k->b, &a, 4);
	return (MDB_val){4, k->b};
}

static inline MDB_val
key_u64(struct key *k, uint64_t a)
{
	a = htobe64(a);
	memcpy(k->b, &a, 8);
	return (MDB_val){8, k->b};
}

static inline MDB_val
key_u64_u32(struct key *k, uint64_t a, uint32_t b)
{
	a = htobe64(a);
	b = htobe32(b);
	memcpy(k->b, &a, 8);
	memcpy(k->b + 8, &b, 4);
	return (MDB_val){12, k->b};
}

static inline MDB_val
key_u32_u64(struct key *k, uint32_t a, uint64_t b)
{
	a = htobe32(a);
	b = htobe64(b);
	memcpy(k->b, &a, 4);
	memcpy(k->b + 4, &b, 8);
	return (MDB_val){12, k->b};
}

static inline MDB_val
key_hash(struct key *k, const uint8_t hash[STORE_HASH_LEN], uint64_t vhash)
{
	vhash = htobe64(vhash);
	memcpy(k->b, hash, STORE_HASH_LEN);
	memcpy(k->b + STORE_HASH_LEN, &vhash, 8);
	return (MDB_val){STORE_HASH_LEN + 8, k->b};
}

/* The numbers in a key; the caller has looked at its length. */
static inline uint32_t
be32_at(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static inline uint64_t
be64_at(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return be64toh(v);
}

/* A value of one number, host order; false: it is not one. */
static inline bool
val_u64(const MDB_val *v, uint64_t *out)
{
	if (v->mv_size != 8)
		return false;
	memcpy(out, v->mv_data, 8);
	return true;
}

/*
 * A long value in pieces under (seq, from), (seq, from + 1), ...; those that
 * a shorter value leaves over are removed.
 */
int chunks_put(MDB_txn *, MDB_dbi, uint64_t seq, uint32_t from,
    const uint8_t *p, size_t len);
/* Into p; MDB_CORRUPTED if they are not len bytes in all. */
int chunks_get(
    MDB_txn *, MDB_dbi, uint64_t seq, uint32_t from, uint8_t *p, size_t len);
/* All from (seq, from) on */
int chunks_del(MDB_txn *, MDB_dbi, uint64_t seq, uint32_t from);

/* Writes the counts that were kept back into stale. */
int delta_flush(struct catalogue *, MDB_txn *);

#endif
