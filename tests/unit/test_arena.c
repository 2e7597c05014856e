/*
 * test_arena.c - arenas: what they hand out, when they are full, rollback.
 */
#include <CUnit/CUnit.h>

#include <stdlib.h>

#include "arena.h"

void suite_arena(void);

enum { SIZE = 256 };
static _Alignas(16) char mem[SIZE];

static void
test_alloc(void)
{
	struct arena a;
	char *p, *q;

	arena_init(&a, mem, SIZE);
	p = arena_bytes(&a, 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	memset(p, 1, 3);
	q = arena_alloc(&a, 8);
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	CU_ASSERT_EQUAL((uintptr_t)q & 7, 0);
	memset(q, 0xff, 8);
	CU_ASSERT_EQUAL(arena_room(&a), SIZE - 16);
	arena_rollback(&a, 8);
	q = arena_zalloc(&a, 8);
	CU_ASSERT_EQUAL(q[0] | q[7], 0);
	CU_ASSERT_EQUAL(p[2], 1);
	CU_ASSERT_PTR_NOT_NULL(arena_alloc(&a, 0));
	arena_reset(&a);
	CU_ASSERT_EQUAL(arena_room(&a), SIZE);
}

static void
test_overflow(void)
{
	struct arena a;

	arena_init(&a, mem, SIZE);
	CU_ASSERT_PTR_NULL(arena_alloc(&a, SIZE + 1));
	CU_ASSERT(arena_overflowed(&a));
	/* sticky, but smaller ones still succeed */
	CU_ASSERT_PTR_NOT_NULL(arena_alloc(&a, SIZE));
	CU_ASSERT(arena_overflowed(&a));
	CU_ASSERT_PTR_NULL(arena_bytes(&a, 1));
	arena_rollback(&a, 0);
	CU_ASSERT(arena_overflowed(&a));
	arena_reset(&a);
	CU_ASSERT(!arena_overflowed(&a));
	CU_ASSERT_PTR_NULL(arena_alloc(&a, SIZE_MAX));
	CU_ASSERT_PTR_NULL(arena_bytes(&a, SIZE_MAX - 7));
	arena_reset(&a);
	/* alignment alone can be too much */
	CU_ASSERT_PTR_NOT_NULL(arena_bytes(&a, SIZE - 1));
	CU_ASSERT_PTR_NULL(arena_alloc(&a, 1));
	CU_ASSERT_EQUAL(arena_room(&a), 1);
	arena_reset(&a);
	arena_set_overflow(&a);
	CU_ASSERT(arena_overflowed(&a));
	arena_reset(&a);
}

static void
test_text(void)
{
	char big[SIZE + 1];
	struct arena a;
	struct str s;

	arena_init(&a, mem, SIZE);
	s = arena_strdup(&a, STR("abc"));
	CU_ASSERT(str_eq(s, STR("abc")));
	CU_ASSERT_EQUAL(s.p[3], '\0');
	CU_ASSERT_PTR_NULL(arena_strdup(&a, STR_NULL).p);
	s = arena_strdup(&a, STR(""));
	CU_ASSERT_PTR_NOT_NULL(s.p);
	CU_ASSERT(!arena_overflowed(&a));
	s = arena_printf(&a, "%d-%s", 12, "x");
	CU_ASSERT(str_eq(s, STR("12-x")));
	CU_ASSERT_EQUAL(s.p[4], '\0');
	arena_reset(&a);

	memset(big, 'x', SIZE);
	big[SIZE] = '\0';
	s = arena_strdup(&a, str_of(big, SIZE)); /* no room for the NUL */
	CU_ASSERT_PTR_NULL(s.p);
	CU_ASSERT(arena_overflowed(&a));
	arena_reset(&a);
	s = arena_printf(&a, "%s", big);
	CU_ASSERT_PTR_NULL(s.p);
	CU_ASSERT_EQUAL(s.len, 0);
	CU_ASSERT(arena_overflowed(&a));
	arena_reset(&a);
	s = arena_printf(&a, "%s", big + 1);
	CU_ASSERT_EQUAL(s.len, SIZE - 1);
	CU_ASSERT(str_eq(s, str_of(big, SIZE - 1)));
	CU_ASSERT_EQUAL(arena_room(&a), 0);
	arena_reset(&a);
}

static void
test_long_text(void)
{
	static _Alignas(16) char room[2048];
	char big[1001];
	struct arena a;
	struct str s;

	memset(big, 'y', 1000);
	big[1000] = '\0';
	arena_init(&a, room, sizeof room);
	s = arena_printf(&a, "<%s>", big);
	CU_ASSERT_EQUAL_FATAL(s.len, 1002);
	CU_ASSERT_EQUAL(s.p[1000], 'y');
	CU_ASSERT_EQUAL(s.p[1001], '>');
	CU_ASSERT_EQUAL(s.p[1002], '\0');
	arena_reset(&a);
}

static void
test_reserve(void)
{
	struct arena a;
	size_t room;
	char *p;

	arena_init(&a, mem, SIZE);
	arena_bytes(&a, 6);
	p = arena_reserve(&a, &room);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(room, SIZE - 6);
	memset(p, 'r', room);
	arena_commit(&a, 10);
	CU_ASSERT_EQUAL(arena_room(&a), SIZE - 16);
	CU_ASSERT_EQUAL(p[9], 'r');
	p = arena_reserve(&a, &room);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	arena_commit(&a, 0);
	CU_ASSERT_EQUAL(arena_room(&a), SIZE - 16);
	p = arena_reserve(&a, &room);
	arena_commit(&a, room);
	CU_ASSERT(!arena_overflowed(&a));
	CU_ASSERT_PTR_NULL(arena_reserve(&a, &room));
	CU_ASSERT(arena_overflowed(&a));
	arena_reset(&a);
	p = arena_reserve(&a, &room);
	arena_reset(&a); /* gives up a reservation as well */
	CU_ASSERT_PTR_NOT_NULL(arena_alloc(&a, SIZE));
	arena_reset(&a);
}

static void
test_rollback(void)
{
	arena_mark outer, inner;
	struct arena a;
	char *keep;

	arena_init(&a, mem, SIZE);
	keep = arena_bytes(&a, 5);
	memset(keep, 'k', 5);
	outer = arena_snapshot(&a);
	arena_alloc(&a, 16);
	inner = arena_snapshot(&a);
	arena_alloc(&a, 32);
	arena_rollback(&a, inner);
	CU_ASSERT_EQUAL(arena_room(&a), SIZE - 24);
	arena_strdup(&a, STR("again"));
	arena_rollback(&a, outer);
	CU_ASSERT_EQUAL(arena_room(&a), SIZE - 5);
	CU_ASSERT_EQUAL(keep[4], 'k');
	arena_rollback(&a, outer); /* nothing came after it: no change */
	CU_ASSERT_EQUAL(arena_room(&a), SIZE - 5);
	arena_reset(&a);
}

static int64_t charged, charge_max;

static bool
charge(int64_t bytes)
{
	if (charged + bytes > charge_max)
		return false;
	charged += bytes;
	return true;
}

/* What does not fit the block, or is long in any case. */
static void
test_large(void)
{
	enum { BLOCK = 2 * ARENA_LARGE, MAX = 10 * ARENA_LARGE };
	char *block = aligned_alloc(16, BLOCK), *p, *q;
	arena_mark m, inner;
	struct arena a;

	charge_max = MAX;
	arena_init(&a, block, BLOCK);
	CU_ASSERT_PTR_NULL(arena_bytes(&a, BLOCK + 1));
	CU_ASSERT(!arena_fits(&a, BLOCK + 1));
	arena_reset(&a);
	arena_allow_large(&a, MAX, charge);
	CU_ASSERT_PTR_NOT_NULL(arena_bytes(&a, 5));
	CU_ASSERT(arena_fits(&a, MAX));
	CU_ASSERT(!arena_fits(&a, MAX + 1));
	CU_ASSERT_EQUAL(charged, 0);
	m = arena_snapshot(&a);
	p = arena_bytes(&a, ARENA_LARGE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	memset(p, 1, ARENA_LARGE);
	CU_ASSERT(arena_holds(&a, p));
	CU_ASSERT_EQUAL(arena_room(&a), BLOCK - 5);
	CU_ASSERT_EQUAL(charged, ARENA_LARGE);
	/* a mark between two, none of which takes of the block */
	inner = arena_snapshot(&a);
	q = arena_alloc(&a, 3 * ARENA_LARGE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	CU_ASSERT_EQUAL((uintptr_t)q & 7, 0);
	memset(q, 2, 3 * ARENA_LARGE);
	CU_ASSERT_PTR_NOT_NULL(arena_bytes(&a, 100));
	CU_ASSERT_EQUAL(charged, 4 * ARENA_LARGE);
	arena_rollback(&a, inner);
	CU_ASSERT_EQUAL(charged, ARENA_LARGE);
	CU_ASSERT_EQUAL(arena_room(&a), BLOCK - 5);
	CU_ASSERT_EQUAL(p[ARENA_LARGE - 1], 1);
	/* no more than that in all, nor than the budget has */
	CU_ASSERT_PTR_NULL(arena_bytes(&a, MAX));
	CU_ASSERT(arena_overflowed(&a));
	charge_max = 3 * ARENA_LARGE;
	CU_ASSERT(!arena_fits(&a, 4 * ARENA_LARGE));
	CU_ASSERT_PTR_NULL(arena_bytes(&a, 4 * ARENA_LARGE));
	CU_ASSERT_EQUAL(charged, ARENA_LARGE);
	/* then the block is there yet */
	charge_max = 0;
	CU_ASSERT_PTR_NOT_NULL(arena_bytes(&a, ARENA_LARGE));
	CU_ASSERT_EQUAL(arena_room(&a), ARENA_LARGE - 5);
	arena_rollback(&a, m);
	CU_ASSERT_EQUAL(charged, 0);
	CU_ASSERT_EQUAL(arena_room(&a), BLOCK - 5);
	charge_max = MAX;
	CU_ASSERT_PTR_NOT_NULL(arena_bytes(&a, ARENA_LARGE));
	arena_reset(&a);
	CU_ASSERT_EQUAL(charged, 0);
	free(block);
}

void
suite_arena(void)
{
	CU_pSuite s = CU_add_suite("arena", NULL, NULL);

	CU_add_test(s, "alloc", test_alloc);
	CU_add_test(s, "overflow", test_overflow);
	CU_add_test(s, "text", test_text);
	CU_add_test(s, "long text", test_long_text);
	CU_add_test(s, "reserve", test_reserve);
	CU_add_test(s, "rollback", test_rollback);
	CU_add_test(s, "large", test_large);
}
