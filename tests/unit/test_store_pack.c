/*
 * test_store_pack.c - text in the store: packed, with dictionaries, and back.
 */
#include <CUnit/CUnit.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store_rig.h"

/* Text as of pages of one site */
static char *
text(unsigned no, uint32_t len)
{
	char *p = malloc(len + 200);
	uint32_t at, x = no;

	at = (uint32_t)sprintf(p, "<html><head><title>Page %u</title></head>",
	    no);
	while (at < len) {
		x = x * 1664525 + 1013904223;
		at += (uint32_t)sprintf(p + at,
		    "<li class=\"item\"><a href=\"/item/%u\">An item</a></li>",
		    x >> 20);
	}
	return p;
}

struct putting {
	sem_t sem;
	uint64_t seq;
};

static void
put_done(void *priv, uint64_t seq)
{
	struct putting *p = priv;

	p->seq = seq;
	sem_post(&p->sem);
}

static uint64_t
put_text(struct rig *r, unsigned no, const char *body, uint32_t len)
{
	struct store_put *put = store_put_begin(r->st, len);
	struct store_meta m = {.key = STR("/text"), .head = STR("head"),
	    .ttl = 100, .inval_seq = 7, .status = 200};
	struct putting p = {.seq = 0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(put);
	sem_init(&p.sem, 0, 0);
	item_hash(no, m.hash);
	CU_ASSERT_FATAL(store_put_text(&put, &m, body, len, put_done, &p));
	CU_ASSERT_PTR_NULL(put);
	store_sync(r->st);
	sem_wait(&p.sem);
	sem_destroy(&p.sem);
	return p.seq;
}

/* 1: every byte is right; *o: as it was found */
static int
get_text(struct rig *r, unsigned no, const char *body, uint32_t len,
    struct store_object *o)
{
	struct store_object *so;
	uint8_t hash[STORE_HASH_LEN];
	char *buf = malloc(len);
	int found;

	item_hash(no, hash);
	found = store_lookup(r->st, hash, NULL, NULL, &so);
	if (found == 1) {
		*o = *so;
		CU_ASSERT_EQUAL(so->meta.body_len, len);
		CU_ASSERT_EQUAL(so->meta.status, 200);
		if (so->packed)
			found =
			    store_unpack(r->st, so, buf, NULL) == 0 ? 1 : -1;
		else if (so->inline_body.p != NULL)
			memcpy(buf, so->inline_body.p, so->inline_body.len);
		else
			found = extent_read(r->st, &so->extent[0], buf) == 0 ?
			    1 : -1;
		if (found == 1 && memcmp(buf, body, len) != 0)
			found = -1;
		store_object_free(&so);
	}
	free(buf);
	return found;
}

static void
test_sizes(void)
{
	static const uint32_t len[] = {1, 511, 512, 1024, 1025, 4000, 16383,
	    16384, 100000, STORE_PIECE_MAX};
	enum { N = sizeof len / sizeof *len };
	struct store_stats st;
	struct store_object o;
	struct rig r;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_open(&r));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < N; i++) {
			char *body = text(i, len[i]);

			if (round == 0)
				CU_ASSERT_NOT_EQUAL(put_text(&r, i, body,
				    len[i]), 0);
			CU_ASSERT_EQUAL(get_text(&r, i, body, len[i], &o), 1);
			CU_ASSERT_EQUAL(o.packed, len[i] >= STORE_PACK_MIN);
			CU_ASSERT_EQUAL(o.dict, 0);
			free(body);
		}
		if (round == 0) {
			store_stats(r.st, &st);
			CU_ASSERT_EQUAL(st.packed, N - 2);
			CU_ASSERT(st.packed_out < st.packed_in / 2);
			rig_reopen(&r);
		}
	}
	rig_fini(&r);
}

/* Noise is kept as it is, however it is called. */
static void
test_noise(void)
{
	uint32_t x = 1, len = 5000;
	char *body = malloc(len);
	struct store_object o;
	struct rig r;

	for (uint32_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		body[i] = (char)(x >> 24);
	}
	rig_init(&r);
	CU_ASSERT_FATAL(rig_open(&r));
	CU_ASSERT_NOT_EQUAL(put_text(&r, 1, body, len), 0);
	CU_ASSERT_EQUAL(get_text(&r, 1, body, len, &o), 1);
	CU_ASSERT(!o.packed);
	free(body);
	rig_fini(&r);
}

static unsigned
dicts(struct rig *r)
{
	struct store_stats st;

	store_stats(r->st, &st);
	return st.dicts;
}

/* Enough small ones make a dictionary, which outlives the process. */
static void
test_dictionary(void)
{
	enum { ENOUGH = 512, LEN = 1500 };
	struct store_object o;
	struct rig r;
	char *body;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_open(&r));
	for (unsigned i = 0; i < ENOUGH; i++) {
		body = text(i, LEN);
		CU_ASSERT_NOT_EQUAL(put_text(&r, i, body, LEN), 0);
		free(body);
	}
	while (dicts(&r) == 0)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	body = text(1000, LEN);
	CU_ASSERT_NOT_EQUAL(put_text(&r, 1000, body, LEN), 0);
	CU_ASSERT_EQUAL(get_text(&r, 1000, body, LEN, &o), 1);
	CU_ASSERT_EQUAL(o.dict, 1);
	free(body);
	for (unsigned round = 0; round < 2; round++) {
		rig_reopen(&r);
		body = text(1000, LEN);
		CU_ASSERT_EQUAL(get_text(&r, 1000, body, LEN, &o), 1);
		CU_ASSERT_EQUAL(o.dict, 1);
		free(body);
		body = text(3, LEN);
		CU_ASSERT_EQUAL(get_text(&r, 3, body, LEN, &o), 1);
		CU_ASSERT_EQUAL(o.dict, 0);
		free(body);
		body = text(2000 + round, LEN);
		CU_ASSERT_NOT_EQUAL(put_text(&r, 2000 + round, body, LEN), 0);
		CU_ASSERT_EQUAL(get_text(&r, 2000 + round, body, LEN, &o), 1);
		CU_ASSERT_EQUAL(o.dict, 1);
		free(body);
	}
	rig_fini(&r);
}

void
suite_store_pack(void)
{
	CU_pSuite s = CU_add_suite("store_pack", NULL, NULL);

	CU_add_test(s, "text of all sizes", test_sizes);
	CU_add_test(s, "what does not pack", test_noise);
	CU_add_test(s, "dictionaries", test_dictionary);
}
