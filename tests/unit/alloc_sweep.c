/*
 * alloc_sweep.c - the store when memory is not to be had: the n-th
 * allocation of a run fails, and some behind it, for one n after the other.
 *
 * A run opens a store that is full, puts, finds, packs, purges, bans,
 * refreshes, checks and closes.  Whatever fails in it: it ends; what is found
 * is right; what was said to be purged is not found, what was said to be
 * stored is, and no store is set aside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc_fault.h"
#include "fault.h"
#include "store_rig.h"

enum {
	OLD = 26, /* there before, of OLD_LEN; the newer half stays */
	OLD_LEN = 1 << 20,
	SMALL = 100, /* SMALL_N of them, in the record */
	SMALL_N = 20,
	LARGE = 200, /* LARGE_N, some of more than a segment */
	LARGE_N = 10,
	TEXT = 300,
	TEXT_N = 4,
	TEXT_LEN = 2000,
	PURGED = SMALL + 3,
	SECONDS_MAX = 120,
};

static struct rig rig;
static unsigned wrong;
static int64_t at; /* the n of now */

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(
	    stderr, "alloc_sweep: allocation %lld: %s\n", (long long)at, what);
	wrong++;
}

static struct item
old_item(unsigned i)
{
	return (struct item){.no = i, .body_len = OLD_LEN, .ttl = 1e10};
}

static struct item
small_item(unsigned i)
{
	return (struct item){.no = SMALL + i,
	    .body_len = 100 + i * 40,
	    .head_len = i % 5 == 0 ? 9000 : 0,
	    .ttl = 1e10};
}

static struct item
large_item(unsigned i)
{
	return (struct item){.no = LARGE + i,
	    .body_len = i % 4 == 3 ? 3 << 20 : 50000 + i,
	    .ttl = 1e10};
}

static char text[TEXT_LEN + 100];

static void
make_text(unsigned i)
{
	unsigned len = 0, x = i;

	while (len < TEXT_LEN) {
		x = x * 1664525 + 1013904223;
		len += (unsigned)sprintf(text + len,
		    "<li><a href=\"/item/%u\">An item</a></li>", x >> 20);
	}
}

static void
put_text(unsigned i)
{
	struct store_put *put = store_put_begin(rig.st, TEXT_LEN);
	struct store_meta m = {.key = STR("/text"),
	    .head = STR("head"),
	    .t_origin = 1e9,
	    .ttl = 1e10,
	    .status = 200};

	if (put == NULL)
		return;
	make_text(i);
	item_hash(TEXT + i, m.hash);
	if (!store_put_text(&put, &m, text, TEXT_LEN, NULL, NULL))
		store_put_abort(&put);
	store_sync(rig.st); /* text is not ours any more before */
}

/* 1: right; 0: not there; -1: wrong, or no memory */
static int
get_text(unsigned i)
{
	static char buf[TEXT_LEN];
	struct store_object *o;
	uint8_t hash[STORE_HASH_LEN];
	int found;

	item_hash(TEXT + i, hash);
	found = store_lookup(rig.st, hash, NULL, NULL, &o);
	if (found != 1)
		return found;
	make_text(i);
	if (o->meta.body_len != TEXT_LEN)
		found = -1;
	else if (o->packed)
		found = store_unpack(rig.st, o, buf, NULL) == 0 ? 1 : -1;
	else if (o->inline_body.p != NULL)
		memcpy(buf, o->inline_body.p, o->inline_body.len);
	else
		found = extent_read(rig.st, &o->extent[0], buf) == 0 ? 1 : -1;
	if (found == 1 && memcmp(buf, text, TEXT_LEN) != 0)
		found = -1;
	store_object_free(&o);
	return found;
}

static void
refresh(uint64_t seq, unsigned i)
{
	struct item it = small_item(i);
	struct store_meta m = {.t_origin = 1e9 + it.no,
	    .ttl = 1e10,
	    .status = 200,
	    .head = STR("v0 hhhhhhhhhhhhh")};

	store_refresh(rig.st, seq, &m);
}

static void
verify(void)
{
	struct store_verify v;

	if (!store_verify_start(rig.st))
		return;
	do {
		usleep(200);
		store_verify_status(rig.st, &v);
	} while (v.state == VERIFY_RUNS);
	check(v.bad == 0, "what is right was found to be bad");
}

static void
walk(void)
{
	struct store_object *o;
	uint64_t seq = 0;

	while (store_next(rig.st, &seq, &o) == 1)
		store_object_free(&o);
}

struct outcome {
	uint64_t small[SMALL_N], large[LARGE_N];
	bool purged;
};

/* Where memory may be short; an open that fails says so. */
static bool
use(struct outcome *x)
{
	if (!rig_open(&rig)) {
		check(strstr(rig.err, "emory") != NULL, rig.err);
		return false;
	}
	for (unsigned i = 0; i < SMALL_N; i++) {
		struct item it = small_item(i);

		x->small[i] = item_put(&rig, &it);
	}
	for (unsigned i = 0; i < LARGE_N; i++) {
		struct item it = large_item(i), old = old_item(OLD - 1 - i);

		x->large[i] = item_put(&rig, &it);
		(void)item_get(&rig, &old); /* for its second chance */
		(void)item_get(&rig, &it);
	}
	for (unsigned i = 0; i < TEXT_N; i++) {
		put_text(i);
		(void)get_text(i);
	}
	if (x->small[5] != 0)
		refresh(x->small[5], 5);
	x->purged = rig_purge(&rig, 1, PURGED) == NULL;
	(void)rig_ban(&rig, 2, STR("req.url ~ /x"));
	verify();
	walk();
	store_close(&rig.st);
	return true;
}

static void
look(const struct outcome *x)
{
	for (unsigned i = 0; i < OLD; i++) {
		struct item it = old_item(i);

		check(item_get(&rig, &it) >= 0, "an old body is wrong");
	}
	for (unsigned i = 0; i < SMALL_N; i++) {
		struct item it = small_item(i);
		int got;

		/* it was refreshed, perhaps, to another head */
		if (i == 5)
			continue;
		got = item_get(&rig, &it);
		check(got >= 0, "a small body is wrong");
		if (it.no == PURGED)
			check(!x->purged || got == 0, "a purge is undone");
		else
			check(x->small[i] == 0 || got == 1,
			    "a small object is lost");
	}
	for (unsigned i = 0; i < LARGE_N; i++) {
		struct item it = large_item(i);
		int got = item_get(&rig, &it);

		check(got >= 0, "a large body is wrong");
		check(x->large[i] == 0 || got == 1, "a large object is lost");
	}
	for (unsigned i = 0; i < TEXT_N; i++)
		check(get_text(i) >= 0, "text is wrong");
}

static void
begin(void)
{
	rig_init(&rig);
	rig.cfg.segment_size = 2 << 20;
	check(rig_open(&rig), rig.err);
	for (unsigned i = 0; i < OLD; i++) {
		struct item it = old_item(i);

		item_put(&rig, &it);
	}
	store_close(&rig.st);
}

/* false: the run was over before its n-th allocation */
static bool
run(int64_t n, int64_t burst)
{
	struct outcome x = {.purged = false};
	bool failed;

	at = n;
	begin();
	alarm(SECONDS_MAX);
	alloc_fault->failed = 0;
	alloc_fault->burst = burst;
	alloc_fault->left = n;
	alloc_fault->pid = getpid();
	(void)use(&x);
	alloc_fault->pid = 0;
	failed = alloc_fault->failed > 0;
	check(rig_set_aside_n(&rig) == 0, "the store was set aside");
	if (rig_open(&rig)) {
		struct item again = {.no = 900, .body_len = 5000};

		look(&x);
		check(
		    item_put(&rig, &again) != 0 && item_get(&rig, &again) == 1,
		    "it does not work again");
		check(rig_stats(&rig).corrupt == 0, "something is corrupt");
	} else {
		check(false, rig.err);
	}
	rig_fini(&rig);
	return failed;
}

int
main(void)
{
	/* early ones are of the open, and each matters */
	int64_t step = getenv("COPAL_EACH_FAULT") != NULL ? 1 : 37, n;
	unsigned runs = 0;

	fault_retry_ms = 1;
	for (n = 1; run(n, 1); n += n < 60 ? 2 : step)
		runs++;
	for (n = 1; run(n, 25); n += step * 5)
		runs++;
	printf("allocations: %u of %u runs right, of %lld allocations\n",
	    runs - (wrong < runs ? wrong : runs), runs, (long long)n);
	return wrong > 0 || runs < 20;
}
