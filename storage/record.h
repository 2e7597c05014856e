/*
 * record.h - the form of an object in the catalogue.
 *
 *      +----------------+-----+------+------+-------------+---------+
 *      | fixed, 136 B   | key | vary | head | inline body | extents |
 *      +----------------+-----+------+------+-------------+---------+
 *
 * in the byte order of the host (the store's format number, written the same
 * way, tells a store of another order apart).  The fixed part carries two
 * checksums, one of itself and one of all that follows, both seeded with the
 * object's seq: a record under a wrong key is a bad record, and the fixed
 * part can be trusted without reading the rest.
 *
 * A packed body (pack.h) has another length there than meta.body_len, and one
 * extent at most.
 *
 * No I/O and no LMDB here; what is decoded is never trusted.
 */
#ifndef COPAL_STORAGE_RECORD_H
#define COPAL_STORAGE_RECORD_H

#include "store.h"

enum {
	RECORD_FIXED_LEN = 136,
	RECORD_EXTENT_LEN = 32,
	/*
	 * Key, vary and head: as long as they ever get, and some.  A head of
	 * the largest http_resp_size may be tags, which are in it once more.
	 */
	RECORD_STRING_MAX = (2 << 20) + (256 << 10),
	/* 4 GiB of body in the smallest pieces, 64 GiB in the largest */
	RECORD_EXTENT_MAX = 65536,
};

/* An extent as the disk knows it; body_at follows from those before it. */
struct record_extent {
	uint32_t segno;
	uint32_t gen; /* of the segment file: tells a recycled one */
	uint64_t offset;
	uint32_t len;
	uint64_t sum;
};

/* What encoding takes and decoding gives; the slices are not owned. */
struct record {
	struct store_meta meta;
	uint64_t vhash;         /* of key and vary */
	bool packed;            /* the body is a zstd frame of body_len bytes */
	uint32_t dict;          /* that it was packed with; 0: none */
	struct str inline_body; /* p == NULL: the body is in extents */
	uint32_t extent_n;
	const uint8_t *extent; /* encoded: record_extent_at reads them */
};

/* Of a record that may be stored; 0 if a part is too long. */
size_t record_size(const struct record *);
/* out: record_size() bytes */
void record_encode(const struct record *, uint64_t seq, uint8_t *out);

/*
 * The fixed part only: buf holds the first len bytes of a record.  Fills in
 * meta but for its slices, vhash and extent_n, and how long the whole record
 * is.  false: damaged.
 */
bool record_peek(const void *buf, size_t len, uint64_t seq, struct record *out,
    size_t *whole);
/* The whole record; the slices of out point into buf.  false: damaged. */
bool record_decode(
    const void *buf, size_t len, uint64_t seq, struct record *out);

void record_extent_put(
    uint8_t out[RECORD_EXTENT_LEN], const struct record_extent *);
struct record_extent record_extent_at(const struct record *, uint32_t i);

/* Writes the checksums anew over a record whose bytes were changed. */
void record_seal(void *buf, size_t len, uint64_t seq);

#endif
