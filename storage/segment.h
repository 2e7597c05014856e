/*
 * segment.h - the preallocated files that hold bodies.
 *
 *      seg/0001    +--------+----------+---+--------+----------+---+- - -+
 *                  | header | body ... |pad| header | body ... |pad|     |
 *                  +--------+----------+---+--------+----------+---+- - -+
 *                  0                       n * 512                  used
 *
 * A header is 16 bytes: magic, generation, the put it belongs to, length.
 * It serves people with a hex dump; the authority on what is where is the
 * catalogue, and each extent's checksum.
 *
 * A segment number is used again, but never its file: the old one is
 * unlinked, and a new one with the next generation is made.  Who holds a
 * reference can go on reading the old.
 *
 * Threads: the writer makes, fills and retires; anybody may get, ref, unref
 * and read.
 */
#ifndef COPAL_STORAGE_SEGMENT_H
#define COPAL_STORAGE_SEGMENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "store.h"

enum {
	SEGMENT_ALIGN = 512,
	SEGMENT_HEADER_LEN = 16,
	/* Small enough that a file name and a table of them stay small. */
	SEGMENT_NO_MAX = 65535,
};

/*
 * What segments that were given up still take on disk, as readers hold them.
 * It outlives the table: each segment has a reference.
 */
struct segment_held {
	atomic_uint refs;
	atomic_uint_fast64_t bytes;
	uint64_t max; /* more than that, and readers are to let go */
};

struct segment {
	atomic_uint refs;
	atomic_bool dead;
	struct segment_held *held;
	atomic_int fd; /* -1: not opened yet */
	uint32_t no;
	uint32_t gen;
	uint64_t size;
	/* The writer's */
	uint64_t used;
	uint64_t synced_to; /* writeback was asked for up to here */
	bool dirty;         /* bytes were written since the last fdatasync */
	bool touched;       /* used differs from the catalogue's */
	bool dying;         /* is being evicted: nothing new may point to it */
};

struct segments {
	int dirfd;
	pthread_mutex_t mtx;  /* tab's pointers */
	struct segment **tab; /* by number; SEGMENT_NO_MAX + 1 of them */
	uint32_t top;         /* highest number in use */
	uint32_t next_gen;
	uint64_t bytes; /* sum of sizes */
	struct segment_held *held;
	bool dir_dirty; /* a new file's name is not synced yet */
};

/*
 * Opens or makes the folder; -1 and errno.  held_max: bytes of segments given
 * up that readers may hold.
 */
int segments_open(struct segments *, int dirfd, const char *name,
    uint64_t held_max);
void segments_close(struct segments *);

/* One that the catalogue knows; 0, EINVAL: the numbers make no sense; ENOMEM */
int segments_adopt(
    struct segments *, uint32_t no, uint32_t gen, uint64_t size, uint64_t used);
/* Removes files that belong to no adopted segment. */
void segments_sweep(struct segments *);

/*
 * A new segment, preallocated; the table owns it.  NULL and errno
 * (ENOSPC above all).
 */
struct segment *segments_create(struct segments *, uint64_t size);
/*
 * Gives it up: it is dead, its file is unlinked, and the table's reference
 * goes.  The catalogue must have forgotten it durably.
 */
void segments_retire(struct segments *, struct segment *);
/* The one with the lowest generation but for except, or NULL. */
struct segment *segments_oldest(struct segments *,
    const struct segment *except1, const struct segment *except2);

/*
 * A reference to the open segment, or NULL and errno; ENOENT: it is gone or
 * recycled.
 */
struct segment *segments_get(struct segments *, uint32_t no, uint32_t gen);

/* Is there room for a body of len bytes? */
bool segment_has_room(const struct segment *, uint32_t len);
/*
 * Appends; *offset is where the body's first byte is.  0, or an errno, and
 * then nothing has changed but bytes behind used.
 */
int segment_append(struct segment *, uint32_t put_id, const void *data,
    uint32_t len, uint64_t *offset);
/* fdatasync; 0 or errno */
int segment_sync(struct segment *);

/* Space on disk that a body of len bytes takes. */
static inline uint64_t
segment_space(uint64_t len)
{
	return (len + SEGMENT_HEADER_LEN + SEGMENT_ALIGN - 1) &
	       ~(uint64_t)(SEGMENT_ALIGN - 1);
}

#endif
