/*
 * arena.c - memory that dies all at once.
 *
 *	base                      used            size
 *	 |  piece | piece |  piece  |    room       |
 *
 * take() is the only place that hands out; it has two forms.  The plain one
 * moves `used`.  The ARENA_MALLOC one moves it by the same amounts, so that an
 * arena is full at the same piece in both builds, but gives out mallocs:
 *
 *	pieces -> {at, data} -> {at, data} -> NULL	newest first
 *
 * where `at` is the offset that the piece would have had in the block.  A
 * rollback frees the pieces from the mark on.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 8 };

#ifdef ARENA_MALLOC

struct piece {
	struct piece *next;
	size_t at;
	size_t size;
	char *data; /* a malloc of its own: red zones on both sides */
};

static char *
take(struct arena *a, size_t at, size_t n)
{
	struct piece *p = malloc(sizeof *p);

	if (p != NULL && (p->data = malloc(n > 0 ? n : 1)) == NULL) {
		free(p);
		p = NULL;
	}
	if (p == NULL) {
		a->overflow = true;
		return NULL;
	}
	p->at = at;
	p->size = n;
	p->next = a->pieces;
	a->pieces = p;
	a->used = at + n;
	return p->data;
}

static void
drop_newest(struct arena *a)
{
	struct piece *p = a->pieces;

	a->pieces = p->next;
	ASAN_UNPOISON_MEMORY_REGION(p->data, p->size);
	free(p->data);
	free(p);
}

static void
give_back(struct arena *a, size_t mark)
{
	struct piece *p;

	while ((p = a->pieces) != NULL && p->at >= mark) {
		/* an empty piece just before the mark stays */
		if (p->at == mark && p->size == 0 && a->used == mark)
			break;
		drop_newest(a);
	}
}

/* The last piece, which is the reserved one, keeps its first n bytes. */
static void
shrink_newest(struct arena *a, size_t n)
{
	struct piece *p = a->pieces;

	if (n == 0)
		drop_newest(a);
	else
		ASAN_POISON_MEMORY_REGION(p->data + n, p->size - n);
}

#else

static inline char *
take(struct arena *a, size_t at, size_t n)
{
	a->used = at + n;
	return a->base + at;
}

static inline void
give_back(struct arena *a, size_t mark)
{
	(void)a;
	(void)mark;
}

static inline void
shrink_newest(struct arena *a, size_t n)
{
	(void)a;
	(void)n;
}

#endif

/*
 * A mark is the sum of the bytes in the block and in large pieces, so that the
 * marks of both are in one order.
 */
struct arena_large {
	struct arena_large *next;
	size_t len;
	arena_mark at; /* when it was taken */
	_Alignas(16) char data[];
};

static arena_mark
mark_of(const struct arena *a)
{
	return a->used + a->large_len;
}

static bool
may_be_large(const struct arena *a, size_t n)
{
	return n >= ARENA_LARGE && a->large_len <= a->large_max &&
	    n <= a->large_max - a->large_len;
}

static char *
take_large(struct arena *a, size_t n)
{
	struct arena_large *l;

	if (a->charge != NULL && !a->charge((int64_t)n))
		return NULL;
	l = malloc(sizeof *l + n);
	if (l == NULL) {
		if (a->charge != NULL)
			a->charge(-(int64_t)n);
		return NULL;
	}
	*l = (struct arena_large){a->large, n, mark_of(a)};
	a->large = l;
	a->large_len += n;
	return l->data;
}

static void
give_back_large(struct arena *a, arena_mark m)
{
	struct arena_large *l;

	while ((l = a->large) != NULL && l->at >= m) {
		a->large = l->next;
		a->large_len -= l->len;
		if (a->charge != NULL)
			a->charge(-(int64_t)l->len);
		free(l);
	}
}

static char *
alloc(struct arena *a, size_t n, size_t align)
{
	size_t at = (a->used + align - 1) & ~(align - 1);
	char *p;

	assert(!a->reserved);
	if (may_be_large(a, n) && (p = take_large(a, n)) != NULL)
		return p;
	if (at > a->size || n > a->size - at) {
		a->overflow = true;
		return NULL;
	}
	return take(a, at, n);
}

void
arena_init(struct arena *a, void *mem, size_t size)
{
	assert(((uintptr_t)mem & 15) == 0);
	*a = (struct arena){.base = mem, .size = size};
}

void
arena_allow_large(struct arena *a, size_t max, arena_charge *charge)
{
	a->large_max = max;
	a->charge = charge;
}

bool
arena_fits(const struct arena *a, size_t n)
{
	if (n <= arena_room(a))
		return true;
	if (!may_be_large(a, n))
		return false;
	if (a->charge == NULL)
		return true;
	if (!a->charge((int64_t)n))
		return false;
	a->charge(-(int64_t)n);
	return true;
}

bool
arena_holds(const struct arena *a, const char *p)
{
	if (p >= a->base && p < a->base + a->used)
		return true;
	for (const struct arena_large *l = a->large; l != NULL; l = l->next)
		if (p >= l->data && p < l->data + l->len)
			return true;
	return false;
}

void
arena_reset(struct arena *a)
{
	a->reserved = false;
	arena_rollback(a, 0);
	a->overflow = false;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	return alloc(a, n, ALIGN);
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	void *p = alloc(a, n, ALIGN);

	return p == NULL ? NULL : memset(p, 0, n);
}

char *
arena_bytes(struct arena *a, size_t n)
{
	return alloc(a, n, 1);
}

struct str
arena_strdup(struct arena *a, struct str s)
{
	char *p;

	if (s.p == NULL)
		return STR_NULL;
	if (s.len == SIZE_MAX || (p = alloc(a, s.len + 1, 1)) == NULL) {
		a->overflow = true;
		return STR_NULL;
	}
	memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return str_of(p, s.len);
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

/*
 * Most texts are short: formatted once, into a buffer on the stack, so that a
 * piece has its final size from the start.
 */
struct str
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char buf[256], *p;
	va_list again;
	size_t len;
	int n;

	va_copy(again, ap);
	n = vsnprintf(buf, sizeof buf, fmt, ap);
	len = n < 0 ? a->size : (size_t)n; /* bad conversion: as if full */
	p = alloc(a, len + 1, 1);
	if (p != NULL && len < sizeof buf)
		memcpy(p, buf, len + 1);
	else if (p != NULL)
		vsnprintf(p, len + 1, fmt, again);
	va_end(again);
	return str_of(p, p != NULL ? len : 0);
}

char *
arena_reserve(struct arena *a, size_t *room)
{
	size_t used = a->used;
	char *p;

	assert(!a->reserved);
	*room = a->size - used;
	if (*room == 0) {
		a->overflow = true;
		return NULL;
	}
	if ((p = take(a, used, *room)) == NULL)
		return NULL;
	a->used = used; /* until the commit; `reserved` guards the rest */
	a->reserved = true;
	return p;
}

void
arena_commit(struct arena *a, size_t keep)
{
	assert(a->reserved);
	assert(keep <= a->size - a->used);
	shrink_newest(a, keep);
	a->used += keep;
	a->reserved = false;
}

arena_mark
arena_snapshot(const struct arena *a)
{
	assert(!a->reserved);
	return mark_of(a);
}

void
arena_rollback(struct arena *a, arena_mark m)
{
	assert(!a->reserved);
	assert(m <= mark_of(a));
	give_back_large(a, m);
	m -= a->large_len;
	give_back(a, m);
	a->used = m;
}
