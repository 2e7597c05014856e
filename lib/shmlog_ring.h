/*
 * shmlog_ring.h - the format of a ring file; for shmlog.c and shmlog_read.c.
 *
 * A ring file is one page of header and size bytes of data, a power of two.
 * All is in the machine's byte order: a ring is never read elsewhere.
 *
 *   0        4096                                        4096 + size
 *   | header | data ... newest | oldest ...              |
 *
 * A position is the number of bytes ever written before it; it only grows,
 * and lives at data[position % size].  What was written are batches, each
 * at a multiple of 8:
 *
 *   batch:  len u32 | kind u8 | flags u8 | reason u8 | magic u8 |
 *           id u64 | parent u64 | records ... | zeros up to len
 *   record: tag u8 | numbers u8 | len u16 | numbers * double | text
 *           (len: numbers and text together)
 *
 * A batch is a whole transaction or, for one larger than its writer's
 * buffer, a part of it (RING_FIRST and RING_LAST say which).  A batch of kind
 * RING_PAD is only its first 8 bytes and what follows them up to len: what
 * a crashed writer had reserved and not finished.
 *
 * The writer stores reserved, then the bytes, then committed.  A reader
 * loads committed, copies bytes before it, then loads reserved: what it
 * copied is good if reserved - position <= size still, else the writer has
 * overrun it and the copy is thrown away.  No byte is looked at before that.
 *
 * mark[i] is the position of the first batch that began in the i-th part of
 * the ring; there a reader that was overrun, or wants the oldest, goes on.
 */
#ifndef COPAL_SHMLOG_RING_H
#define COPAL_SHMLOG_RING_H

#include <stdint.h>

#define RING_MAGIC "CopalLog"

enum {
	RING_VERSION = 1,
	RING_HEADER = 4096, /* bytes before the data */
	RING_MARKS = 64,
	RING_SIZE_MIN = 256 * 1024,
	RING_SIZE_MAX = 1024 * 1024 * 1024,
	RING_PATH_MAX = 4096,
	RING_CORES_MAX = 1024, /* readers look at no more */
};

struct ring_header {
	char magic[8];
	uint32_t version;
	uint32_t core;
	uint64_t size;
	/* The writer's line, apart from what never changes. */
	_Alignas(64) uint64_t reserved;
	uint64_t committed;
	_Alignas(64) uint64_t mark[RING_MARKS];
};

_Static_assert(sizeof(struct ring_header) <= RING_HEADER, "one page");

enum { RING_PAD = 0 };
enum { RING_FIRST = 1, RING_LAST = 2 };
enum { RING_BATCH_MAGIC = 0xc9 };

struct ring_batch {
	uint32_t len; /* with this header and the zeros; a multiple of 8 */
	uint8_t kind; /* enum log_kind or RING_PAD */
	uint8_t flags;
	uint8_t reason;
	uint8_t magic;
	uint64_t id;
	uint64_t parent;
};

enum { RING_PAD_HEADER = 8 };
_Static_assert(sizeof(struct ring_batch) == 24, "the format");

struct ring_record {
	uint8_t tag;
	uint8_t nums;
	uint16_t len;
};

_Static_assert(sizeof(struct ring_record) == 4, "the format");

/* The largest batch of a ring: half of it, so that a reader has a chance. */
static inline uint64_t
ring_batch_max(uint64_t size)
{
	return size / 2;
}

#endif
