/*
 * body.h - the bytes of a response, while they arrive and after.
 *
 * A body is a row of pieces.  A piece is in memory (a counted buffer), in a
 * store's segment (an extent), or both.  One fetch appends; any number of
 * readers on any core follow.
 *
 *      GROWING --body_finish--> COMPLETE
 *         \-----body_fail-----> FAILED   (readers must cut their client off)
 *
 * A windowed body (a pass, or one too large to keep) forgets what its
 * readers have read, and its fetch waits when the slowest is too far behind.
 */
#ifndef COPAL_BODY_H
#define COPAL_BODY_H

#include <pthread.h>
#include <stdatomic.h>

#include "fiber.h"
#include "store.h"

struct stevedore;

enum body_state { BODY_GROWING, BODY_COMPLETE, BODY_FAILED };

struct buf { /* a counted buffer */
	_Atomic uint32_t ref;
	uint32_t cap;
	char data[];
};

struct buf *buf_new(uint32_t cap); /* NULL: no memory */
struct buf *buf_ref(struct buf *);
void buf_unref(struct buf **);

struct piece {
	uint64_t at;           /* offset in the body */
	uint32_t len;
	bool dropped;          /* windowed: read and forgotten */
	bool resident;         /* verified, in the page cache at resident_at */
	nsec_t resident_at;
	nsec_t ahead_at;       /* it was read ahead */
	struct buf *buf;       /* NULL: not in memory */
	struct extent extent;  /* segment NULL: not on disk */
};

struct body_waiter {
	struct fiber *fiber;
	struct body_waiter *next;
};

struct body_reader {
	uint64_t at;           /* has read up to here */
	struct body_reader *next;
};

struct body {
	pthread_mutex_t lock;  /* pieces, waiters */
	_Atomic int state;     /* enum body_state */
	_Atomic uint64_t len;  /* bytes there so far */
	int64_t expected;      /* Content-Length of the fetch; -1: unknown */
	/* COMPLETE and in one buffer, for good: no lock needed */
	struct buf *_Atomic flat;
	uint64_t flat_max;     /* larger bodies leave memory once stored */
	struct piece *piece;
	uint32_t piece_n, piece_cap;
	bool windowed;
	uint32_t forgotten;    /* windowed: those of piece that are dropped */
	uint32_t gone;         /* windowed: dropped ones before piece[0] */
	struct body_reader *readers;
	struct body_waiter *waiters;
	uint64_t memory;       /* bytes of buffers held */
};

void body_init(struct body *);
void body_destroy(struct body *);

/*
 * Appends, on the fetch's side: room for at least one byte at the end, in
 * the current piece or a new one of about want bytes; *room how much.  NULL:
 * no memory.  body_grow publishes n bytes and wakes readers.
 */
char *body_room(struct body *, uint64_t want, size_t *room);
void body_grow(struct body *, size_t n);
/* The bytes of memory that were given back. */
uint64_t body_finish(struct body *);
void body_fail(struct body *);
/* Parks the fetch while a windowed body is more than window ahead.
 * CANCELED also when no reader is left. */
enum fiber_wake body_wait_window(struct body *, uint64_t window,
    nsec_t deadline) WAITS;
/* Pieces begun so far, those that are gone among them; on the fetch's side. */
uint32_t body_pieces(const struct body *);
/* The finished piece i (not the one being filled): its buffer with a
 * reference, for the store's writer; NULL if there is none. */
struct buf *body_piece_buf(struct body *, uint32_t i, uint32_t *len);
/* The store has piece i: keeps the extent, drops the buffer of a body that is
 * not flat. The bytes of memory that were freed. */
uint64_t body_piece_stored(struct body *, uint32_t i, const struct extent *);

/* A body of one buffer that is complete (synthetic, or small from a store). */
int body_set(struct body *, const void *bytes, size_t len);
/* The same with a buffer of its length, whose reference is taken over; 0, or
 * -1, and it is released. */
int body_set_buf(struct body *, struct buf *);
/*
 * Puts the pieces of a complete body in memory, that is not windowed, into one
 * buffer, which stays.  NULL: no memory, or it is not in memory; *more: the
 * bytes that it takes more.
 */
struct buf *body_flatten(struct body *, int64_t *more);
/* A complete body of extents; takes over the references. */
int body_set_extents(struct body *, const struct extent *, unsigned n);
/*
 * The first extent's bytes were just found to be right; buf, which is taken
 * over, has them if they are the whole of a small body, else it is NULL.
 */
void body_first_is_right(struct body *, struct buf *buf);

/* A complete body with the bytes of another complete one, which it shares. */
int body_share(struct body *to, struct body *from);
/* From now on it forgets what all its readers have read. */
void body_set_windowed(struct body *);

/* Readers of a body that is not flat say where they are; *r is theirs. */
void body_reader_begin(struct body *, struct body_reader *r);
void body_reader_end(struct body *, struct body_reader *r);
void body_reader_at(struct body *, struct body_reader *r, uint64_t at);

/* A view of bytes at an offset; release it. */
struct body_view {
	const char *p;         /* in memory, or NULL: in file fd at offset */
	int fd;
	uint64_t offset;
	size_t len;
	struct buf *buf;
};

enum body_get {
	BODY_GET_OK,
	BODY_GET_END,     /* at is the end of a complete body */
	BODY_GET_FAILED,  /* the body failed or can't be read */
	BODY_GET_TIMEOUT,
};
/*
 * The next bytes from at on; waits for them (until deadline) if the body is
 * growing, and for the disk if they are cold: a file view has been verified
 * and was in the page cache within the last second.  in_memory: the
 * caller can't use a file.
 */
enum body_get body_get(struct body *, struct stevedore *, uint64_t at,
    bool in_memory, nsec_t deadline, struct body_view *) WAITS;
/*
 * Was what it lies on given up by the store, and is wanted back by now
 * (segment_is_overdue)?  Its first extent is the oldest.
 */
bool body_is_overdue(struct body *);
/* A reader will soon want these bytes: those that are cold are read ahead. */
void body_ahead(struct body *, uint64_t from, uint64_t len);
void body_view_release(struct body_view *);

/* Waits until the body is no longer growing, or longer than at. */
enum body_get body_wait(struct body *, uint64_t at, nsec_t deadline) WAITS;

#endif
