/*
 * arena.h - memory that dies all at once, with a sticky overflow flag.
 *
 * An arena hands out pieces of one fixed block.  When it is full it returns
 * NULL and remembers it, so that a caller may do ten allocations and ask
 * arena_overflowed() once.  A snapshot and a rollback free what came after
 * the snapshot (and clear nothing else: overflow stays until arena_reset).
 *
 * An arena may be allowed large pieces: those of ARENA_LARGE bytes and more
 * then are mallocs of their own, up to a sum.  So the rare head of 100 KiB has
 * room, and the ordinary request does not pay for it.
 *
 * Built with sanitizers (ARENA_MALLOC), each piece is a malloc of its own, so
 * that AddressSanitizer sees an access beyond it, or after a rollback; the
 * limits are the same.  Whoever is done with an arena calls arena_reset(), or
 * the mallocs leak.
 */
#ifndef COPAL_ARENA_H
#define COPAL_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

enum { ARENA_LARGE = 16384 };

/*
 * Told of the bytes that are taken (> 0) and given back (< 0); false: they may
 * not be taken.
 */
typedef bool arena_charge(int64_t bytes);

struct arena {
	char *base;     /* the block; not owned */
	size_t used;    /* bytes handed out, including alignment */
	size_t size;
	bool overflow;
	bool reserved;  /* between arena_reserve and arena_commit */
	void *pieces;   /* ARENA_MALLOC: the list of mallocs */
	struct arena_large *large; /* the newest large piece */
	size_t large_len, large_max; /* sum of bytes, and its limit */
	arena_charge *charge;
};

typedef size_t arena_mark;

/* mem must be 16-byte aligned and outlive the arena */
void arena_init(struct arena *a, void *mem, size_t size);
/* Large pieces, of max bytes in all; charge may be NULL. */
void arena_allow_large(struct arena *a, size_t max, arena_charge *charge);
/* everything is free again, overflow is cleared */
void arena_reset(struct arena *a);

/* 8-byte aligned, not zeroed; NULL and the sticky flag when full */
void *arena_alloc(struct arena *a, size_t n) __attribute__((malloc));
void *arena_zalloc(struct arena *a, size_t n) __attribute__((malloc));
/* bytes, unaligned */
char *arena_bytes(struct arena *a, size_t n) __attribute__((malloc));
/*
 * Copies; p is NULL when full.  The copy is followed by a NUL.  The copy of
 * STR_NULL is STR_NULL.
 */
struct str arena_strdup(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap);

/*
 * All that is left of the block, as one piece of *room bytes; nothing else may
 * be allocated until arena_commit says how much of it is kept.  NULL when the
 * arena is full.
 */
char *arena_reserve(struct arena *a, size_t *room);
void arena_commit(struct arena *a, size_t keep);

arena_mark arena_snapshot(const struct arena *a);
void arena_rollback(struct arena *a, arena_mark m);

static inline bool
arena_overflowed(const struct arena *a)
{
	return a->overflow;
}

static inline void
arena_set_overflow(struct arena *a)
{
	a->overflow = true;
}

/* Of the block. */
static inline size_t
arena_room(const struct arena *a)
{
	return a->size - a->used;
}

/* Would n unaligned bytes be had now? */
bool arena_fits(const struct arena *a, size_t n);
/* Is p in what was handed out?  With ARENA_MALLOC: no. */
bool arena_holds(const struct arena *a, const char *p);

#endif
