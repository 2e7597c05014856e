/*
 * test_eviction.c - who leaves memory, and who stays.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "eviction.h"

enum { N = 4000, LIMIT = 1000 };

static struct thing {
	struct eviction_entry entry; /* first */
	uint64_t hits;
} thing[N];

static uint64_t
hash_of(const struct eviction_entry *e)
{
	uint64_t i = (uint64_t)((const struct thing *)(const void *)e - thing);

	return (i + 1) * 0x9e3779b97f4a7c15u;
}

static uint64_t
hits_of(const struct eviction_entry *e)
{
	return ((const struct thing *)(const void *)e)->hits;
}

static const struct eviction_ops ops = {hash_of, hits_of};
static struct eviction e;

static uint64_t
used(void)
{
	return e.small.bytes + e.main.bytes;
}

static void
ask(unsigned i, size_t bytes)
{
	struct eviction_entry *x;

	if (eviction_has(&thing[i].entry)) {
		thing[i].hits++;
		return;
	}
	eviction_insert(&e, &thing[i].entry, bytes);
	while (used() > LIMIT && (x = eviction_victim(&e, LIMIT)) != NULL)
		eviction_remove(&e, x);
}

static int
begin(void)
{
	memset(thing, 0, sizeof thing);
	return eviction_init(&e, &ops, LIMIT) ? 0 : -1;
}

static int
end(void)
{
	eviction_destroy(&e);
	return 0;
}

static void
test_scan(void)
{
	unsigned kept = 0;

	CU_ASSERT_EQUAL_FATAL(begin(), 0);
	for (unsigned round = 0; round < 5; round++)
		for (unsigned i = 0; i < 500; i++)
			ask(i, 1);
	/* a scan of twice the memory, each asked for once */
	for (unsigned i = 1000; i < 3000; i++)
		ask(i, 1);
	for (unsigned i = 0; i < 500; i++)
		kept += eviction_has(&thing[i].entry);
	CU_ASSERT(kept > 450);
	CU_ASSERT(used() <= LIMIT);
	end();
}

static void
test_ghost(void)
{
	CU_ASSERT_EQUAL_FATAL(begin(), 0);
	for (unsigned i = 0; i < 1500; i++)
		ask(i, 1);
	CU_ASSERT(!eviction_has(&thing[0].entry));
	/* it left a short while ago: it is known to be worth more */
	ask(450, 1);
	CU_ASSERT_EQUAL(thing[450].entry.queue, EVICTION_MAIN);
	ask(3500, 1);
	CU_ASSERT_EQUAL(thing[3500].entry.queue, EVICTION_SMALL);
	end();
}

static void
test_size(void)
{
	CU_ASSERT_EQUAL_FATAL(begin(), 0);
	ask(0, 50);
	ask(1, 1);
	for (unsigned i = 0; i < 2; i++) {
		ask(0, 50);
		ask(1, 1);
	}
	for (unsigned i = 100; i < 1200; i++)
		ask(i, 1);
	/* two hits are enough for the small one only */
	CU_ASSERT(eviction_has(&thing[1].entry));
	CU_ASSERT(!eviction_has(&thing[0].entry));
	end();
}

static void
test_resize(void)
{
	struct eviction_entry *x;

	CU_ASSERT_EQUAL_FATAL(begin(), 0);
	CU_ASSERT_PTR_NULL(eviction_victim(&e, LIMIT));
	ask(0, 10);
	eviction_resize(&e, &thing[0].entry, 90);
	CU_ASSERT_EQUAL(used(), 100);
	eviction_resize(&e, &thing[0].entry, -40);
	CU_ASSERT_EQUAL(used(), 60);
	x = eviction_victim(&e, 10);
	CU_ASSERT_PTR_EQUAL(x, &thing[0].entry);
	eviction_remove(&e, x);
	CU_ASSERT_EQUAL(used(), 0);
	CU_ASSERT(!eviction_has(x));
	end();
}

/* What moves while a walk is under way is not left out. */
static void
test_walk(void)
{
	static bool seen[N];
	struct eviction_entry *x;
	unsigned n = 0;

	CU_ASSERT_EQUAL_FATAL(begin(), 0);
	memset(seen, 0, sizeof seen);
	for (unsigned i = 0; i < 900; i++)
		ask(i, 1);
	for (unsigned i = 0; i < 900; i++)
		thing[i].hits += 3;
	eviction_walk_begin(&e);
	for (unsigned i = 0; (x = eviction_walk_next(&e)) != NULL; i++) {
		seen[(struct thing *)(void *)x - thing] = true;
		/* moves others on, and takes one out */
		if (i % 10 == 0 && i < 3000) {
			x = eviction_victim(&e, LIMIT);
			if (i % 100 == 0)
				eviction_remove(&e, x);
		}
	}
	for (unsigned i = 0; i < 900; i++)
		n += !seen[i] && eviction_has(&thing[i].entry);
	CU_ASSERT_EQUAL(n, 0);
	end();
}

void
suite_eviction(void)
{
	CU_pSuite s = CU_add_suite("eviction", NULL, NULL);

	CU_add_test(s, "a scan leaves what is popular", test_scan);
	CU_add_test(s, "what comes back soon stays", test_ghost);
	CU_add_test(s, "large ones need more hits", test_size);
	CU_add_test(s, "sizes that change", test_resize);
	CU_add_test(s, "a walk finds all", test_walk);
}
