/*
 * test_index.c - keys in memory: claims, variants, purges, many threads.
 */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "stevedore.h"

void suite_index(void);

static struct stevedore stv;

static int
begin(void)
{
	if (params == NULL && params_init() != 0)
		return 1;
	if (!stevedore_init(&stv, "test", STORE_KIND_RAM, UINT64_MAX / 2))
		return 1;
	/* few buckets: chains have several keys */
	return index_init(1024);
}

static int
end(void)
{
	eviction_destroy(&stv.eviction);
	return 0;
}

static struct key
key_of(unsigned n, char text[16])
{
	struct key k;

	sprintf(text, "key %u", n);
	key_make(&k, str_from_z(text));
	return k;
}

static struct object *
make(const char *vary)
{
	struct http h = {.status = 200, .version = 11};
	struct object *o = object_new(&h, str_from_z(vary), STR_NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	o->stevedore = &stv;
	return o;
}

static unsigned
variants(const struct key *k)
{
	struct objhead *h = index_find(k);
	unsigned n = 0;

	for (struct object *o = h != NULL ? index_first(h) : NULL; o != NULL;
	     o = index_next(o))
		n++;
	return n;
}

static void
test_claim(void)
{
	char text[16];
	struct key k = key_of(1, text);
	struct claim *h, *other = NULL;

	CU_ASSERT_PTR_NULL(index_find(&k));
	CU_ASSERT_EQUAL(index_claim(&k, &h), CLAIM_GRANTED);
	CU_ASSERT_EQUAL(index_claim(&k, &other), CLAIM_BUSY);
	CU_ASSERT_PTR_NULL(other);
	CU_ASSERT_PTR_NULL(index_try_claim(h->head, 0));
	CU_ASSERT_PTR_NULL(index_try_claim(h->head, 5));
	CU_ASSERT_FALSE(index_has_waiters(h));
	index_release(&h);
	CU_ASSERT_PTR_NULL(h);
	/* nothing keeps the entry */
	CU_ASSERT_PTR_NULL(index_find(&k));
}

/* Where the variant is known each has a claim, but not beside a plain one. */
static void
test_claim_variants(void)
{
	char text[16];
	struct key k = key_of(9, text);
	struct claim *any = NULL, *a = NULL, *b = NULL, *c;

	k.variant = 7;
	CU_ASSERT_EQUAL(index_claim(&k, &a), CLAIM_GRANTED);
	CU_ASSERT_EQUAL(index_claim(&k, &any), CLAIM_BUSY);
	k.variant = 9;
	CU_ASSERT_EQUAL(index_claim(&k, &b), CLAIM_GRANTED);
	c = index_try_claim(a->head, 11);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_PTR_NULL(index_try_claim(a->head, 9));
	k.variant = 0;
	CU_ASSERT_EQUAL(index_claim(&k, &any), CLAIM_BUSY);
	/* in another order than they came */
	index_release(&b);
	index_release(&c);
	CU_ASSERT_EQUAL(index_claim(&k, &any), CLAIM_BUSY);
	index_release(&a);
	CU_ASSERT_EQUAL(index_claim(&k, &any), CLAIM_GRANTED);
	k.variant = 7;
	CU_ASSERT_EQUAL(index_claim(&k, &a), CLAIM_BUSY);
	index_release(&any);
	CU_ASSERT_PTR_NULL(index_find(&k));
}

static void
test_variants(void)
{
	char text[16];
	struct key k = key_of(2, text);
	struct object *a = make("a"), *b = make("b"), *a2 = make("a");
	struct claim *h;

	body_finish(&a->body);
	body_finish(&b->body);
	CU_ASSERT_EQUAL_FATAL(index_claim(&k, &h), CLAIM_GRANTED);
	index_insert(h, a);
	index_insert(h, b);
	CU_ASSERT_EQUAL(variants(&k), 2);
	CU_ASSERT_EQUAL(stv.objects, 2);
	/* as long as its body may fail, the one before it stays */
	index_insert(h, a2);
	CU_ASSERT_EQUAL(variants(&k), 3);
	CU_ASSERT_PTR_EQUAL(index_first(h->head), a2);
	body_finish(&a2->body);
	index_completed(a2);
	CU_ASSERT_EQUAL(variants(&k), 2);
	CU_ASSERT_TRUE(object_is(a, OBJ_DYING));
	CU_ASSERT_FALSE(object_is(a2, OBJ_DYING));
	index_release(&h);
	CU_ASSERT_FALSE(index_remove(a));
	CU_ASSERT_TRUE(index_remove(b));
	CU_ASSERT_FALSE(index_remove(b));
	CU_ASSERT_EQUAL(variants(&k), 1);
	CU_ASSERT_EQUAL(index_purge(k.hash), 1);
	CU_ASSERT_EQUAL(index_purge(k.hash), 0);
	CU_ASSERT_PTR_NULL(index_find(&k));
	CU_ASSERT_EQUAL(stv.objects, 0);
	CU_ASSERT_EQUAL(stv.used, 0);
	object_unref(&a);
	object_unref(&b);
	object_unref(&a2);
}

/* More than a purge takes in one go. */
static void
test_purge_many(void)
{
	char text[16], vary[16];
	struct key k = key_of(3, text);
	uint64_t max = params->max_variants;
	struct claim *h;

	params->max_variants = 200;
	CU_ASSERT_EQUAL_FATAL(index_claim(&k, &h), CLAIM_GRANTED);
	for (unsigned i = 0; i < 128; i++) {
		struct object *o;

		sprintf(vary, "%u", i);
		o = make(vary);
		index_insert(h, o);
		object_unref(&o);
	}
	CU_ASSERT_EQUAL(index_purge(k.hash), 128);
	index_release(&h);
	params->max_variants = max;
	CU_ASSERT_PTR_NULL(index_find(&k));
}

static void
test_purged_fetch(void)
{
	char text[16];
	struct key k = key_of(4, text);
	struct fetch *f = calloc(1, sizeof *f);
	struct object *o = make("");
	struct claim *h;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL_FATAL(index_claim(&k, &h), CLAIM_GRANTED);
	index_fetch_begins(h, f);
	CU_ASSERT_EQUAL(index_purge(k.hash), 0);
	CU_ASSERT_TRUE(f->purged);
	CU_ASSERT_FALSE(index_insert_fetched(h, f, o));
	CU_ASSERT_EQUAL(variants(&k), 0);
	index_release(&h);
	/* the entry stays for the fetch */
	CU_ASSERT_PTR_NOT_NULL(index_find(&k));
	index_fetch_ends(f);
	CU_ASSERT_PTR_NULL(index_find(&k));
	index_fetch_ends(f);
	object_unref(&o);
	free(f);
}

static void
test_gone(void)
{
	char text[16];
	struct key k = key_of(5, text);
	struct stevedore other = {.name = "other"};
	struct object *o = make("");

	o->store_seq = 7;
	CU_ASSERT_EQUAL(index_insert_key(&k, o), 0);
	index_gone(k.hash, &stv, 6);
	index_gone(k.hash, &other, 7);
	CU_ASSERT_EQUAL(variants(&k), 1);
	index_gone(k.hash, &stv, 7);
	CU_ASSERT_EQUAL(variants(&k), 0);
	object_unref(&o);
}

/* --- threads that fill and purge the same buckets ------------------------ */

enum { THREADS = 4, KEYS = 4096, ROUNDS = 20000 };

static void *
churn(void *arg)
{
	unsigned x = (unsigned)(uintptr_t)arg * 2654435761u + 1;

	qsbr_register();
	for (unsigned i = 0; i < ROUNDS; i++) {
		char text[16];
		struct claim *h;
		struct key k;

		x = x * 1664525 + 1013904223;
		k = key_of(100 + (x >> 8) % KEYS, text);
		if (x >> 30 == 0) {
			index_purge(k.hash);
		} else if (index_claim(&k, &h) == CLAIM_GRANTED) {
			struct object *o = make("");

			index_insert(h, o);
			object_unref(&o);
			index_release(&h);
		}
		if (i % 16 == 0)
			qsbr_quiescent();
	}
	qsbr_unregister();
	return NULL;
}

static void
test_threads(void)
{
	pthread_t t[THREADS];
	unsigned found = 0;

	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(
		    pthread_create(&t[i], NULL, churn, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < KEYS; i++) {
		char text[16];
		struct key k = key_of(100 + i, text);

		found += variants(&k) > 0;
	}
	/* every object that the stevedore has is found under its key */
	CU_ASSERT(found > 0);
	for (unsigned i = 0; i < KEYS; i++) {
		char text[16];
		struct key k = key_of(100 + i, text);

		index_purge(k.hash);
		CU_ASSERT_PTR_NULL(index_find(&k));
	}
	CU_ASSERT_EQUAL(stv.objects, 0);
	CU_ASSERT_EQUAL(stv.used, 0);
}

void
suite_index(void)
{
	CU_pSuite s = CU_add_suite("index", begin, end);

	CU_add_test(s, "claim", test_claim);
	CU_add_test(s, "claim of variants", test_claim_variants);
	CU_add_test(s, "variants", test_variants);
	CU_add_test(s, "purge_many", test_purge_many);
	CU_add_test(s, "purged_fetch", test_purged_fetch);
	CU_add_test(s, "gone", test_gone);
	CU_add_test(s, "threads", test_threads);
}
