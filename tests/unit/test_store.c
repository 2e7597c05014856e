/*
 * test_store.c - the store through store.h: objects in and out, replaced,
 * refreshed; reopening.
 */
#include <CUnit/CUnit.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_rig.h"

static struct rig rig;

static const size_t sizes[] = {0, 1, 511, 1023, 1024, 1025, 65535, 65536,
    RIG_PIECE, RIG_PIECE + 1, 1 << 20, (5 << 20) + 7};

static void
test_round_trip(void)
{
	size_t n = sizeof sizes / sizeof sizes[0];

	rig_begin(&rig);
	for (unsigned i = 0; i < n; i++) {
		struct item it = {.no = i, .body_len = sizes[i]};

		CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	}
	rig_reopen(&rig);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rig.st);
	for (unsigned i = 0; i < n; i++) {
		struct item it = {.no = i, .body_len = sizes[i]};

		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	}
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, n);
	rig_fini(&rig);
}

static void
test_large_body(void)
{
	struct item it = {.no = 1, .body_len = 20 << 20};

	rig_init(&rig);
	rig.cfg.size = 128 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	/* More than such a store takes */
	CU_ASSERT_PTR_NULL(store_put_begin(rig.st, 100 << 20));
	rig_fini(&rig);
}

static void
test_long_strings(void)
{
	static const size_t len[] = {100, 3000, 3850, 3851, 4000, 8000, 65536};

	rig_begin(&rig);
	for (unsigned i = 0; i < sizeof len / sizeof len[0]; i++) {
		struct item it = {.no = i, .body_len = 700, .head_len = len[i]};
		struct item key = {.no = 100 + i,
		    .body_len = 5000,
		    .key_len = len[i],
		    .head_len = 65536};

		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &key), 0);
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
		CU_ASSERT_EQUAL(item_get(&rig, &key), 1);
	}
	/* From many chunks to one, and back to many */
	for (unsigned v = 2; v < 6; v++) {
		struct item it = {.no = 6,
		    .body_len = 700,
		    .version = v,
		    .head_len = v % 2 ? 50000 : 20};

		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	}
	rig_fini(&rig);
}

static void
test_variants(void)
{
	static const char *const vary[] = {NULL, "", "gzip", "br", "zstd"};
	struct item it = {.no = 5, .body_len = 300};

	rig_begin(&rig);
	for (unsigned i = 0; i < 5; i++) {
		it.vary = vary[i];
		it.version = i;
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	}
	for (unsigned i = 0; i < 5; i++) {
		it.vary = vary[i];
		it.version = i;
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	}
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 5);
	/* One purge for all of them */
	CU_ASSERT_PTR_NULL(rig_purge(&rig, 1, 5));
	for (unsigned i = 0; i < 5; i++) {
		it.vary = vary[i];
		CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	}
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 0);
	rig_fini(&rig);
}

static void
test_many_variants(void)
{
	char vary[300][8];
	struct item it = {.no = 5, .body_len = 30};

	rig_begin(&rig);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(vary[i], sizeof vary[i], "ua%u", i);
		it.vary = vary[i];
		CU_ASSERT_TRUE(item_put_async(&rig, &it));
	}
	store_sync(rig.st);
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 256);
	it.vary = vary[299];
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	it.vary = vary[0];
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(rig.gone_n, 44);
	rig_fini(&rig);
}

static void
test_replace(void)
{
	struct item old = {.no = 7, .body_len = 30000, .version = 1};
	struct item new = {.no = 7, .body_len = 200, .version = 2};

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &old), 0);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &new), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &new), 1);
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 1);
	CU_ASSERT_EQUAL(rig.gone_n, 0);
	/* Twice within one batch */
	new.version = 3;
	CU_ASSERT_TRUE(item_put_async(&rig, &old));
	CU_ASSERT_TRUE(item_put_async(&rig, &new));
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &new), 1);
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 1);
	rig_fini(&rig);
}

static void
test_refresh(void)
{
	static const size_t body[] = {100, 400000};
	static const size_t head[] = {20, 3000, 50000, 30};

	rig_begin(&rig);
	for (unsigned b = 0; b < 2; b++) {
		struct item it = {.no = b, .body_len = body[b], .inval_seq = 5};
		uint64_t seq = item_put(&rig, &it);

		CU_ASSERT_NOT_EQUAL_FATAL(seq, 0);
		for (unsigned h = 0; h < 4; h++) {
			struct store_meta m = {.ttl = 77,
			    .flags = h + 1,
			    .t_origin = 1e9 + b,
			    .inval_seq = 6 + h,
			    .status = 200};
			char *text = malloc(head[h]);

			memset(text, 'h', head[h]);
			text[snprintf(text, 16, "v%u", h + 1)] = ' ';
			m.head = str_of(text, head[h]);
			store_refresh(rig.st, seq, &m);
			store_sync(rig.st);
			free(text);
			it.head_len = head[h];
			it.version = h + 1;
			it.inval_seq = 6 + h;
			/* The body follows from the version it came with. */
			it.version = 0;
			CU_ASSERT_EQUAL(item_get(&rig, &it), -1);
			it.version = h + 1;
			CU_ASSERT_EQUAL(
			    store_oldest_inval_seq(rig.st), b == 0      ? 6 + h
							    : 6 + h < 9 ? 6 + h
									: 9);
		}
	}
	rig_fini(&rig);
}

static bool
take_any(void *priv, const struct store_meta *m)
{
	*(double *)priv = m->ttl;
	return true;
}

static void
test_refresh_keeps_body(void)
{
	struct item it = {.no = 3, .body_len = 100000};
	struct store_meta m = {.ttl = 99,
	    .flags = 0,
	    .t_origin = 1e9 + 3,
	    .head = STR("v0 hhhhhhhhhhhhh"),
	    .status = 304};
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	uint64_t seq;
	double ttl = 0;

	rig_begin(&rig);
	seq = item_put(&rig, &it);
	store_refresh(rig.st, seq, &m);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(rig.gone_n, 0);
	store_refresh(rig.st, seq + 100, &m); /* no such object: it is said */
	store_sync(rig.st);
	CU_ASSERT_EQUAL(rig.gone_n, 1);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	item_hash(3, hash);
	CU_ASSERT_EQUAL_FATAL(
	    store_lookup(rig.st, hash, take_any, &ttl, &o), 1);
	CU_ASSERT_EQUAL(ttl, 99);
	CU_ASSERT_EQUAL(o->seq, seq);
	CU_ASSERT_EQUAL(o->meta.status, 304);
	store_object_free(&o);
	rig_fini(&rig);
}

static void
test_drop(void)
{
	struct item it = {.no = 3, .body_len = 100000};
	uint64_t seq;

	rig_begin(&rig);
	seq = item_put(&rig, &it);
	store_drop(rig.st, seq);
	store_drop(rig.st, seq + 1);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(rig.gone_n, 1);
	CU_ASSERT_EQUAL(rig_stats(&rig).corrupt, 1);
	rig_fini(&rig);
}

static void
test_abort(void)
{
	char *body = calloc(1, STORE_PIECE_MAX);
	struct store_put *put;

	rig_begin(&rig);
	put = store_put_begin(rig.st, UINT64_MAX);
	CU_ASSERT_PTR_NOT_NULL_FATAL(put);
	store_put_abort(&put);
	CU_ASSERT_PTR_NULL(put);
	put = store_put_begin(rig.st, UINT64_MAX);
	CU_ASSERT_TRUE(store_put_piece(put, body, STORE_PIECE_MAX, NULL, NULL));
	store_put_abort(&put);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 0);
	CU_ASSERT_EQUAL(rig_stats(&rig).queue_bytes, 0);
	free(body);
	rig_fini(&rig);
}

static void
test_full_queue(void)
{
	struct item it = {.body_len = 1 << 20};
	unsigned refused = 0;

	rig_init(&rig);
	rig.cfg.queue_max = 2 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	for (it.no = 0; it.no < 50; it.no++)
		refused += !item_put_async(&rig, &it);
	store_sync(rig.st);
	CU_ASSERT_TRUE(rig_stats(&rig).queue_bytes <= 2 << 20);
	CU_ASSERT_EQUAL(rig_stats(&rig).puts + refused, 50);
	rig_fini(&rig);
}

static void
test_filter_says_no(void)
{
	uint8_t hash[STORE_HASH_LEN];
	unsigned maybe = 0;

	rig_begin(&rig);
	for (unsigned i = 0; i < 3000; i++) {
		struct item it = {.no = i, .body_len = 10};

		CU_ASSERT_TRUE(item_put_async(&rig, &it));
	}
	rig_reopen(&rig);
	store_sync(rig.st);
	/* The writer fills the filter when nothing else is to be done. */
	item_hash(999999, hash);
	for (int i = 0; i < 2000 && store_may_have(rig.st, hash); i++)
		store_sync(rig.st);
	for (unsigned i = 0; i < 3000; i++) {
		item_hash(i, hash);
		CU_ASSERT_TRUE(store_may_have(rig.st, hash));
		item_hash(i + 1000000, hash);
		maybe += store_may_have(rig.st, hash);
	}
	CU_ASSERT_TRUE(maybe <= 1);
	for (unsigned i = 0; i < 3000; i += 100) {
		CU_ASSERT_PTR_NULL(rig_purge(&rig, i + 1, i));
		item_hash(i, hash);
		maybe += store_may_have(rig.st, hash);
	}
	CU_ASSERT_TRUE(maybe <= 1);
	rig_fini(&rig);
}

static atomic_bool churning;

static void *
reader(void *arg)
{
	unsigned *n = arg, seed = *n;

	*n = 0;
	while (churning) {
		struct item it = {0};
		int rc;

		seed = seed * 1103515245 + 12345;
		it.no = (seed >> 8) % 2000;
		it.body_len = 1 + it.no * 37 % 60000;
		rc = item_get(&rig, &it);
		if (rc == -1)
			return arg;
		*n += rc == 1;
	}
	return NULL;
}

static void
test_readers_during_churn(void)
{
	pthread_t t[4];
	unsigned n[4] = {1, 2, 3, 4};
	void *bad;

	rig_begin(&rig);
	churning = true;
	rig.churning = true;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, reader, &n[i]);
	for (unsigned i = 0; i < 10000; i++) {
		struct item it = {.no = i % 2000};

		it.body_len = 1 + it.no * 37 % 60000;
		while (!item_put_async(&rig, &it))
			store_sync(rig.st);
	}
	churning = false;
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &bad);
		CU_ASSERT_PTR_NULL(bad);
		CU_ASSERT_TRUE(n[i] > 0);
	}
	CU_ASSERT_EQUAL(rig_stats(&rig).corrupt, 0);
	rig_fini(&rig);
}

static void
test_refusals(void)
{
	char err[STORE_ERR_LEN];

	rig_init(&rig);
	rig.cfg.size = 1 << 20;
	CU_ASSERT_FALSE(rig_open(&rig));
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.err, "32 MB"));
	rig.cfg.size = RIG_SIZE;
	rig.cfg.segment_size = 30 << 20;
	CU_ASSERT_FALSE(rig_open(&rig));
	rig.cfg.segment_size = 0;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_PTR_NULL(store_open(&rig.cfg, err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "in use"));
	store_close(&rig.st);
	rig.cfg.dir = "/proc/copal";
	CU_ASSERT_FALSE(rig_open(&rig));
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.err, "/proc/copal"));
	rig_fini(&rig);
}

void
suite_store(void)
{
	CU_pSuite s = CU_add_suite("store", NULL, NULL);

	CU_add_test(s, "bodies of all sizes come back", test_round_trip);
	CU_add_test(s, "a large body", test_large_body);
	CU_add_test(s, "long keys and heads", test_long_strings);
	CU_add_test(s, "variants", test_variants);
	CU_add_test(s, "variants are bounded", test_many_variants);
	CU_add_test(s, "replacement", test_replace);
	CU_add_test(s, "refresh", test_refresh);
	CU_add_test(s, "refresh keeps the body", test_refresh_keeps_body);
	CU_add_test(s, "drop", test_drop);
	CU_add_test(s, "abort", test_abort);
	CU_add_test(s, "a full queue refuses", test_full_queue);
	CU_add_test(s, "the filter", test_filter_says_no);
	CU_add_test(s, "readers during churn", test_readers_during_churn);
	CU_add_test(s, "what can't be opened", test_refusals);
}
