/*
 * test_store_space.c - what goes when a store is full, and what stays.
 */
#include <CUnit/CUnit.h>

#include <stdlib.h>
#include <string.h>

#include "store_rig.h"

static struct rig rig;

/*
 * What a series of mixed sizes has: numbers of its own, one of four items up
 * to largest, the others small.
 */
struct series {
	unsigned no, seed;
	size_t largest;
};

static struct item
series_item(const struct series *s, unsigned i)
{
	uint32_t x = (s->seed + i) * 2654435761u;

	x ^= x >> 15;
	return (struct item){
	    .no = s->no + i,
	    .body_len = 1 + x % (i % 4 == 0 ? s->largest : 3000),
	};
}

/* Puts times the store's size; returns how many items there were. */
static unsigned
overfill(const struct series *s, unsigned times)
{
	uint64_t bytes = 0;
	unsigned n = 0;

	while (bytes < times * rig.cfg.size) {
		struct item it = series_item(s, n++);

		while (!item_put_async(&rig, &it))
			store_sync(rig.st);
		bytes += it.body_len + 500;
		if (n % 500 == 0)
			CU_ASSERT_TRUE(rig_disk_bytes(&rig) <= rig.cfg.size);
	}
	store_sync(rig.st);
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) <= rig.cfg.size);
	return n;
}

/* The last 2 % are all there, the first are not, and none is wrong. */
static void
check_overfilled(const struct series *s, unsigned n)
{
	unsigned found = 0, newest = 0, wrong = 0;

	for (unsigned i = 0; i < n; i++) {
		struct item it = series_item(s, i);
		int rc = item_get(&rig, &it);

		wrong += rc == -1;
		found += rc == 1;
		if (i + n / 50 >= n)
			newest += rc == 1;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(newest, n / 50);
	CU_ASSERT_TRUE(found < n);
	CU_ASSERT_TRUE(found <= rig_stats(&rig).objects);
}

static void
evict(size_t largest, unsigned times)
{
	struct series one = {1000000, 1, largest}, two = {2000000, 2, largest};
	unsigned n;

	rig_begin(&rig);
	n = overfill(&one, times);
	CU_ASSERT_TRUE(rig.gone_n > 0);
	CU_ASSERT_TRUE(rig_stats(&rig).evicted > 0);
	check_overfilled(&one, n);
	rig_reopen(&rig);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rig.st);
	check_overfilled(&one, n);
	n = overfill(&two, 2);
	check_overfilled(&two, n);
	rig_fini(&rig);
}

static void
test_eviction_of_inline(void)
{
	evict(1000, 2);
}

static void
test_eviction_of_mixed(void)
{
	evict(100000, 4);
}

static void
test_eviction_of_large(void)
{
	evict(2000000, 4);
}

static void
test_held_segment(void)
{
	struct item it = {.no = 1, .body_len = 500000};
	struct series other = {1000000, 1, 100000};
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	char *buf = malloc(STORE_PIECE_MAX), *want = item_body(&it);

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	item_hash(it.no, hash);
	CU_ASSERT_EQUAL_FATAL(store_lookup(rig.st, hash, NULL, NULL, &o), 1);
	CU_ASSERT_FALSE(segment_is_dead(o->extent[0].segment));
	overfill(&other, 2);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_TRUE(segment_is_dead(o->extent[0].segment));
	/* Its file is gone; who holds it reads on. */
	CU_ASSERT_EQUAL(extent_read(rig.st, &o->extent[0], buf), 0);
	CU_ASSERT_EQUAL(memcmp(buf, want, o->extent[0].len), 0);
	CU_ASSERT_TRUE(rig_stats(&rig).held_bytes > 0);
	CU_ASSERT_FALSE(segment_is_overdue(o->extent[0].segment));
	store_object_free(&o);
	CU_ASSERT_EQUAL(rig_stats(&rig).held_bytes, 0);
	free(buf);
	free(want);
	rig_fini(&rig);
}

static void
test_resize(void)
{
	struct series s = {1000000, 3, 100000};
	unsigned n;

	rig_init(&rig);
	rig.cfg.size = 96 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	overfill(&s, 2);
	store_close(&rig.st);
	rig.cfg.size = 48 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	store_sync(rig.st); /* it has shrunk before */
	s.no = 2000000;
	overfill(&s, 2);
	store_close(&rig.st);
	rig.cfg.size = 96 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	s.no = 3000000;
	n = overfill(&s, 2);
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) > 60 << 20);
	check_overfilled(&s, n);
	rig_fini(&rig);
}

static void
begin_with_segments(unsigned size)
{
	rig_init(&rig);
	rig.cfg.segment_size = size;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
}

/* Readers that let go of nothing: told to, when it is too much */
static void
test_held_too_much(void)
{
	enum { HELD = 12 };
	struct series other = {1000000, 1, 100000};
	struct store_object *o[HELD];
	uint8_t hash[STORE_HASH_LEN];

	begin_with_segments(2 << 20);
	for (unsigned i = 0; i < HELD; i++) {
		struct item it = {.no = i, .body_len = 1 << 20};

		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		item_hash(it.no, hash);
		CU_ASSERT_EQUAL_FATAL(
		    store_lookup(rig.st, hash, NULL, NULL, &o[i]), 1);
	}
	overfill(&other, 2);
	CU_ASSERT_TRUE(rig_stats(&rig).held_bytes > RIG_SIZE / 4);
	CU_ASSERT_TRUE(segment_is_overdue(o[0]->extent[0].segment));
	/* What they hold is not there for others. */
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) <= RIG_SIZE - RIG_SIZE / 4);
	for (unsigned i = 0; i < HELD; i++)
		store_object_free(&o[i]);
	CU_ASSERT_EQUAL(rig_stats(&rig).held_bytes, 0);
	other.no = 2000000;
	overfill(&other, 2);
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) > RIG_SIZE - RIG_SIZE / 4);
	rig_fini(&rig);
}

/* What is asked for again and again stays, and what is not goes. */
static void
second_chance(unsigned segment_size)
{
	struct item kept = {.no = 1, .body_len = 200000, .ttl = 1e10};
	struct item left = {.no = 2, .body_len = 200000, .ttl = 1e10};
	struct store_stats s;
	unsigned lost = 0;

	begin_with_segments(segment_size);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &kept), 0);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &left), 0);
	for (unsigned no = 10; no < 310; no++) {
		struct item more = {.no = no, .body_len = 500000, .ttl = 1e10};

		item_put(&rig, &more);
		lost += item_get(&rig, &kept) != 1;
	}
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(item_get(&rig, &left), 0);
	store_stats(rig.st, &s);
	CU_ASSERT_TRUE(s.rescued > 1 && s.rescued < 100);
	CU_ASSERT_TRUE(s.evicted > 100);
	/* The copy is what it was, also for the next process. */
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &kept), 1);
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) <= RIG_SIZE);
	rig_fini(&rig);
}

static void
test_second_chance(void)
{
	second_chance(2 << 20);
}

/* None is in reserve then. */
static void
test_second_chance_few(void)
{
	second_chance(5 << 20);
}

static void
test_second_chance_inline(void)
{
	struct item kept = {.no = 1, .body_len = 700, .ttl = 1e10};
	struct item left = {.no = 2, .body_len = 700, .ttl = 1e10};
	unsigned lost = 0, n = 0;
	struct store_stats s;

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &kept), 0);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &left), 0);
	do {
		for (unsigned i = 0; i < 1000; i++) {
			struct item more = {
			    .no = 10 + n++, .body_len = 900, .ttl = 1e10};

			item_put_async(&rig, &more);
		}
		store_sync(rig.st);
		lost += item_get(&rig, &kept) != 1;
		s = rig_stats(&rig);
	} while (n < 60000);
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(item_get(&rig, &left), 0);
	CU_ASSERT_TRUE(s.rescued > 1 && s.rescued < 100);
	CU_ASSERT_TRUE(s.evicted > 20000);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &kept), 1);
	/* All are popular: most go all the same. */
	for (unsigned i = 0; i < 30000; i++) {
		struct item more = {
		    .no = 200000 + i, .body_len = 900, .ttl = 1e10};

		item_put_async(&rig, &more);
		if (i % 500 < 499)
			continue;
		store_sync(rig.st);
		for (unsigned k = i - 499; k <= i; k++) {
			more.no = 200000 + k;
			CU_ASSERT_EQUAL(item_get(&rig, &more), 1);
		}
	}
	s = rig_stats(&rig);
	CU_ASSERT_TRUE(s.rescued > 100);
	CU_ASSERT_TRUE(s.evicted > 2 * s.rescued);
	CU_ASSERT_EQUAL(s.corrupt, 0);
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) <= RIG_SIZE);
	rig_fini(&rig);
}

/* If all are popular, most go all the same. */
static void
test_second_chance_for_all(void)
{
	struct store_stats s;

	begin_with_segments(2 << 20);
	for (unsigned no = 0; no < 300; no++) {
		struct item it = {.no = no, .body_len = 500000, .ttl = 1e10};

		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	}
	store_stats(rig.st, &s);
	CU_ASSERT_TRUE(s.rescued > 10);
	CU_ASSERT_TRUE(s.evicted > 150);
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) <= RIG_SIZE);
	rig_fini(&rig);
}

void
suite_store_space(void)
{
	CU_pSuite s = CU_add_suite("store_space", NULL, NULL);

	CU_add_test(s, "eviction of small objects", test_eviction_of_inline);
	CU_add_test(s, "eviction of mixed objects", test_eviction_of_mixed);
	CU_add_test(s, "eviction of large objects", test_eviction_of_large);
	CU_add_test(s, "a held segment lives on", test_held_segment);
	CU_add_test(s, "smaller and larger", test_resize);
	CU_add_test(s, "held too much", test_held_too_much);
	CU_add_test(s, "a second chance", test_second_chance);
	CU_add_test(s, "one with few segments", test_second_chance_few);
	CU_add_test(s, "one in the catalogue", test_second_chance_inline);
	CU_add_test(s, "a second chance for all", test_second_chance_for_all);
}
