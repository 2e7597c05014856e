/*
 * test_fpset.c - the fingerprints behind store_may_have.
 */
#include <CUnit/CUnit.h>

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

#include "fpset.h"

static void
hash_of(unsigned no, uint8_t hash[STORE_HASH_LEN])
{
	XXH128_hash_t h = XXH3_128bits(&no, sizeof no);

	memcpy(hash, &h, STORE_HASH_LEN);
}

static void
add(struct fpset *f, unsigned no)
{
	uint8_t h[STORE_HASH_LEN];

	hash_of(no, h);
	CU_ASSERT_TRUE(fpset_add(f, h));
}

static void
take(struct fpset *f, unsigned no)
{
	uint8_t h[STORE_HASH_LEN];

	hash_of(no, h);
	fpset_remove(f, h);
}

static bool
has(struct fpset *f, unsigned no)
{
	uint8_t h[STORE_HASH_LEN];

	hash_of(no, h);
	return fpset_may_have(f, h);
}

static void
test_maybe_until_complete(void)
{
	struct fpset f;

	CU_ASSERT_TRUE(fpset_init(&f, 1));
	CU_ASSERT_TRUE(has(&f, 1));
	add(&f, 2);
	fpset_set_complete(&f);
	CU_ASSERT_FALSE(has(&f, 1));
	CU_ASSERT_TRUE(has(&f, 2));
	/* Counted: twice in, once out is in. */
	add(&f, 2);
	take(&f, 2);
	CU_ASSERT_TRUE(has(&f, 2));
	take(&f, 2);
	CU_ASSERT_FALSE(has(&f, 2));
	take(&f, 2);
	CU_ASSERT_EQUAL(fpset_n(&f), 0);
	fpset_fini(&f);
}

/* As many as there were, but ever other ones, as a full store has it */
static void
test_churn(void)
{
	enum { LIVE = 50000 };
	unsigned wrong = 0, missing = 0;
	struct fpset f;

	CU_ASSERT_TRUE(fpset_init(&f, 2));
	fpset_set_complete(&f);
	for (unsigned i = 0; i < 10 * LIVE; i++) {
		add(&f, i);
		if (i >= LIVE)
			take(&f, i - LIVE);
	}
	CU_ASSERT_EQUAL(fpset_n(&f), LIVE);
	CU_ASSERT_TRUE(fpset_bytes(&f) <= 8 * LIVE);
	for (unsigned i = 0; i < LIVE; i++) {
		missing += !has(&f, 9 * LIVE + i);
		wrong += has(&f, i);
	}
	CU_ASSERT_EQUAL(missing, 0);
	CU_ASSERT_TRUE(wrong <= 10);
	for (unsigned i = 0; i < LIVE; i++)
		take(&f, 9 * LIVE + i);
	CU_ASSERT_EQUAL(fpset_n(&f), 0);
	fpset_fini(&f);
}

static struct fpset shared;
static atomic_bool running;

static void *
ask(void *arg)
{
	atomic_uint *missing = arg;

	while (atomic_load(&running))
		for (unsigned i = 0; i < 100; i++)
			if (!has(&shared, i))
				atomic_fetch_add(missing, 1);
	return NULL;
}

static void
test_readers(void)
{
	atomic_uint missing = 0;
	pthread_t t[3];

	CU_ASSERT_TRUE(fpset_init(&shared, 3));
	for (unsigned i = 0; i < 100; i++)
		add(&shared, i);
	fpset_set_complete(&shared);
	atomic_store(&running, true);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, ask, &missing);
	for (unsigned i = 100; i < 100000; i++) {
		add(&shared, i);
		if (i % 3 && i > 100)
			take(&shared, i - 1);
	}
	atomic_store(&running, false);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(missing, 0);
	fpset_fini(&shared);
}

void
suite_fpset(void)
{
	CU_pSuite s = CU_add_suite("fpset", NULL, NULL);

	CU_add_test(s, "yes until it is complete", test_maybe_until_complete);
	CU_add_test(s, "churn", test_churn);
	CU_add_test(s, "readers while it grows", test_readers);
}
