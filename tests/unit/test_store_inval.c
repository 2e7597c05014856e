/*
 * test_store_inval.c - what the store invalidates: purges, hard and soft, and
 * the log of bans.
 */
#include <CUnit/CUnit.h>

#include <stdio.h>
#include <string.h>

#include "store_rig.h"

static struct rig rig;

static void
test_purge_of_queued(void)
{
	struct item it = {.no = 9, .body_len = 100};
	struct item after = {.no = 9, .body_len = 100, .version = 2};

	rig_begin(&rig);
	CU_ASSERT_TRUE(item_put_async(&rig, &it));
	CU_ASSERT_PTR_NULL(rig_purge(&rig, 4, 9));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_TRUE(item_put_async(&rig, &after));
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &after), 1);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), -1); /* it is the other one */
	CU_ASSERT_EQUAL(item_get(&rig, &after), 1);
	rig_fini(&rig);
}

struct times {
	double ttl, grace, keep;
};

/* Any variant is right; notes its times. */
static bool
note_times(void *priv, const struct store_meta *m)
{
	*(struct times *)priv = (struct times){m->ttl, m->grace, m->keep};
	return true;
}

static struct times
times_of(unsigned no)
{
	struct times t = {-1, -1, -1};
	struct store_object *o = NULL;
	uint8_t hash[STORE_HASH_LEN];

	item_hash(no, hash);
	if (store_lookup(rig.st, hash, note_times, &t, &o) == 1)
		store_object_free(&o);
	return t;
}

static void
test_soft_purge(void)
{
	struct item it = {.no = 9, .body_len = 100};
	struct item big = {.no = 9, .body_len = 100000, .vary = "x"};
	struct times before, t;
	unsigned n;

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	/* this one is still queued */
	CU_ASSERT_TRUE(item_put_async(&rig, &big));
	before = times_of(9);
	CU_ASSERT_PTR_NULL(rig_soft_purge(
	    &rig, 4, 9, 1e10, (struct inval_limits){0, -1, -1}, &n));
	CU_ASSERT_EQUAL(n, 2);
	t = times_of(9);
	/* longer than it was: it stays as it was */
	CU_ASSERT_EQUAL(t.ttl, before.ttl);
	CU_ASSERT_PTR_NULL(rig_soft_purge(&rig, 5, 9, -1e6,
	    (struct inval_limits){0, before.grace / 2, 0}, &n));
	CU_ASSERT_EQUAL(n, 2);
	rig_reopen(&rig);
	t = times_of(9);
	CU_ASSERT(t.ttl < before.ttl);
	CU_ASSERT_EQUAL(t.grace, before.grace / 2);
	CU_ASSERT_EQUAL(t.keep, 0);
	CU_ASSERT_PTR_NULL(rig_soft_purge(
	    &rig, 6, 10, 1e6, (struct inval_limits){0, -1, -1}, &n));
	CU_ASSERT_EQUAL(n, 0);
	rig_fini(&rig);
}

struct log {
	unsigned n;
	uint64_t seq[8];
	char text[8][9000];
	size_t len[8];
};

static void
log_one(void *priv, const struct inval *i)
{
	struct log *l = priv;

	if (l->n < 8) {
		l->seq[l->n] = i->seq;
		l->len[l->n] = i->text.len;
		memcpy(l->text[l->n], i->text.p, i->text.len);
		CU_ASSERT_EQUAL(i->at, 1.5);
	}
	l->n++;
}

static void
test_bans(void)
{
	static char longban[8500];
	static struct log l;
	struct item it = {.no = 1, .body_len = 10, .inval_seq = 12};

	rig_begin(&rig);
	memset(longban, 'b', sizeof longban);
	CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), UINT64_MAX);
	CU_ASSERT_PTR_NULL(rig_ban(&rig, 10, STR("req.url ~ /a")));
	CU_ASSERT_PTR_NULL(rig_ban(&rig, 11, str_of(longban, sizeof longban)));
	CU_ASSERT_PTR_NULL(rig_ban(&rig, 300, STR("")));
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), 12);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), 12);
	l.n = 0;
	CU_ASSERT_EQUAL(store_inval_each(rig.st, log_one, &l), 0);
	CU_ASSERT_EQUAL_FATAL(l.n, 3);
	CU_ASSERT_TRUE(l.seq[0] == 10 && l.seq[1] == 11 && l.seq[2] == 300);
	CU_ASSERT_TRUE(
	    l.len[0] == 12 && !memcmp(l.text[0], "req.url ~ /a", 12));
	CU_ASSERT_TRUE(l.len[1] == sizeof longban &&
		       !memcmp(l.text[1], longban, sizeof longban));
	CU_ASSERT_EQUAL(l.len[2], 0);
	store_inval_trim(rig.st, 12);
	store_sync(rig.st);
	l.n = 0;
	CU_ASSERT_EQUAL(store_inval_each(rig.st, log_one, &l), 0);
	CU_ASSERT_EQUAL_FATAL(l.n, 1);
	CU_ASSERT_EQUAL(l.seq[0], 300);
	/* a purge is done with: they don't pile up */
	for (unsigned i = 1; i <= 100; i++)
		CU_ASSERT_PTR_NULL(rig_purge(&rig, 300 + i, 2));
	l.n = 0;
	CU_ASSERT_EQUAL(store_inval_each(rig.st, log_one, &l), 0);
	CU_ASSERT_EQUAL_FATAL(l.n, 2);
	CU_ASSERT_EQUAL(l.seq[1], 400);
	rig_fini(&rig);
}

static void
test_oldest_inval(void)
{
	rig_begin(&rig);
	for (unsigned i = 0; i < 40; i++) {
		struct item it = {
		    .no = i, .body_len = 10, .inval_seq = 100 + i};

		CU_ASSERT_TRUE(item_put_async(&rig, &it));
		/* At once, not only when it is on disk */
		CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), 100);
	}
	store_sync(rig.st);
	for (unsigned i = 0; i < 39; i++) {
		CU_ASSERT_PTR_NULL(rig_purge(&rig, 1000 + i, i));
		CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), 101 + i);
	}
	CU_ASSERT_PTR_NULL(rig_purge(&rig, 2000, 39));
	CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), UINT64_MAX);
	rig_fini(&rig);
}

void
suite_store_inval(void)
{
	CU_pSuite s = CU_add_suite("store_inval", NULL, NULL);

	CU_add_test(s, "a purge finds what is queued", test_purge_of_queued);
	CU_add_test(s, "a soft purge takes off times", test_soft_purge);
	CU_add_test(s, "the log of bans", test_bans);
	CU_add_test(s, "oldest inval_seq", test_oldest_inval);
}
