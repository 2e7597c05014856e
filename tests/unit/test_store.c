/*
 * test_store.c - the store through store.h: objects in and out, replaced,
 * refreshed, purged, evicted; bans; reopening.
 */
#include <CUnit/CUnit.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_rig.h"

static struct rig rig;

static void
begin(void)
{
	rig_init(&rig);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
}

static void
end(void)
{
	rig_fini(&rig);
}

static struct store_stats
stats(void)
{
	struct store_stats s;

	store_stats(rig.st, &s);
	return s;
}

static const size_t sizes[] = {0, 1, 511, 1023, 1024, 1025, 65535, 65536,
    RIG_PIECE, RIG_PIECE + 1, 1 << 20, (5 << 20) + 7};

static void
test_round_trip(void)
{
	size_t n = sizeof sizes / sizeof sizes[0];

	begin();
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
	CU_ASSERT_EQUAL(stats().objects, n);
	end();
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
	end();
}

static void
test_long_strings(void)
{
	static const size_t len[] = {100, 3000, 3850, 3851, 4000, 8000, 65536};

	begin();
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
	end();
}

static void
test_variants(void)
{
	static const char *const vary[] = {NULL, "", "gzip", "br", "zstd"};
	struct item it = {.no = 5, .body_len = 300};

	begin();
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
	CU_ASSERT_EQUAL(stats().objects, 5);
	/* One purge for all of them */
	CU_ASSERT_PTR_NULL(rig_purge(&rig, 1, 5));
	for (unsigned i = 0; i < 5; i++) {
		it.vary = vary[i];
		CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	}
	CU_ASSERT_EQUAL(stats().objects, 0);
	end();
}

static void
test_many_variants(void)
{
	char vary[300][8];
	struct item it = {.no = 5, .body_len = 30};

	begin();
	for (unsigned i = 0; i < 300; i++) {
		snprintf(vary[i], sizeof vary[i], "ua%u", i);
		it.vary = vary[i];
		CU_ASSERT_TRUE(item_put_async(&rig, &it));
	}
	store_sync(rig.st);
	CU_ASSERT_EQUAL(stats().objects, 256);
	it.vary = vary[299];
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	it.vary = vary[0];
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(rig.gone_n, 44);
	end();
}

static void
test_replace(void)
{
	struct item old = {.no = 7, .body_len = 30000, .version = 1};
	struct item new = {.no = 7, .body_len = 200, .version = 2};

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &old), 0);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &new), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &new), 1);
	CU_ASSERT_EQUAL(stats().objects, 1);
	CU_ASSERT_EQUAL(rig.gone_n, 0);
	/* Twice within one batch */
	new.version = 3;
	CU_ASSERT_TRUE(item_put_async(&rig, &old));
	CU_ASSERT_TRUE(item_put_async(&rig, &new));
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &new), 1);
	CU_ASSERT_EQUAL(stats().objects, 1);
	end();
}

static void
test_purge_of_queued(void)
{
	struct item it = {.no = 9, .body_len = 100};
	struct item after = {.no = 9, .body_len = 100, .version = 2};

	begin();
	CU_ASSERT_TRUE(item_put_async(&rig, &it));
	CU_ASSERT_PTR_NULL(rig_purge(&rig, 4, 9));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_TRUE(item_put_async(&rig, &after));
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &after), 1);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), -1); /* it is the other one */
	CU_ASSERT_EQUAL(item_get(&rig, &after), 1);
	end();
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

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	/* this one is still queued */
	CU_ASSERT_TRUE(item_put_async(&rig, &big));
	before = times_of(9);
	CU_ASSERT_PTR_NULL(rig_soft_purge(&rig, 4, 9, 1e10,
	    (struct inval_limits){0, -1, -1}, &n));
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
	CU_ASSERT_PTR_NULL(rig_soft_purge(&rig, 6, 10, 1e6,
	    (struct inval_limits){0, -1, -1}, &n));
	CU_ASSERT_EQUAL(n, 0);
	end();
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

	begin();
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
	end();
}

static void
test_oldest_inval(void)
{
	begin();
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
	end();
}

static void
test_refresh(void)
{
	static const size_t body[] = {100, 400000};
	static const size_t head[] = {20, 3000, 50000, 30};

	begin();
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
	end();
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

	begin();
	seq = item_put(&rig, &it);
	store_refresh(rig.st, seq, &m);
	store_refresh(rig.st, seq + 100, &m); /* no such object */
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	item_hash(3, hash);
	CU_ASSERT_EQUAL_FATAL(
	    store_lookup(rig.st, hash, take_any, &ttl, &o), 1);
	CU_ASSERT_EQUAL(ttl, 99);
	CU_ASSERT_EQUAL(o->seq, seq);
	CU_ASSERT_EQUAL(o->meta.status, 304);
	store_object_free(&o);
	end();
}

static void
test_drop(void)
{
	struct item it = {.no = 3, .body_len = 100000};
	uint64_t seq;

	begin();
	seq = item_put(&rig, &it);
	store_drop(rig.st, seq);
	store_drop(rig.st, seq + 1);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(rig.gone_n, 1);
	CU_ASSERT_EQUAL(stats().corrupt, 1);
	end();
}

static void
test_abort(void)
{
	char *body = calloc(1, STORE_PIECE_MAX);
	struct store_put *put;

	begin();
	put = store_put_begin(rig.st, UINT64_MAX);
	CU_ASSERT_PTR_NOT_NULL_FATAL(put);
	store_put_abort(&put);
	CU_ASSERT_PTR_NULL(put);
	put = store_put_begin(rig.st, UINT64_MAX);
	CU_ASSERT_TRUE(store_put_piece(put, body, STORE_PIECE_MAX, NULL, NULL));
	store_put_abort(&put);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(stats().objects, 0);
	CU_ASSERT_EQUAL(stats().queue_bytes, 0);
	free(body);
	end();
}

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
	CU_ASSERT_TRUE(found <= stats().objects);
}

static void
evict(size_t largest, unsigned times)
{
	struct series one = {1000000, 1, largest}, two = {2000000, 2, largest};
	unsigned n;

	begin();
	n = overfill(&one, times);
	CU_ASSERT_TRUE(rig.gone_n > 0);
	CU_ASSERT_TRUE(stats().evicted > 0);
	check_overfilled(&one, n);
	rig_reopen(&rig);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rig.st);
	check_overfilled(&one, n);
	n = overfill(&two, 2);
	check_overfilled(&two, n);
	end();
}

static void
test_eviction_of_inline(void)
{
	evict(1000, 4);
}

static void
test_eviction_of_mixed(void)
{
	evict(100000, 10);
}

static void
test_eviction_of_large(void)
{
	evict(2000000, 5);
}

static void
test_held_segment(void)
{
	struct item it = {.no = 1, .body_len = 500000};
	struct series other = {1000000, 1, 100000};
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	char *buf = malloc(STORE_PIECE_MAX), *want = item_body(&it);

	begin();
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
	store_object_free(&o);
	free(buf);
	free(want);
	end();
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
	CU_ASSERT_TRUE(stats().queue_bytes <= 2 << 20);
	CU_ASSERT_EQUAL(stats().puts + refused, 50);
	end();
}

static void
test_filter_says_no(void)
{
	uint8_t hash[STORE_HASH_LEN];
	unsigned maybe = 0;

	begin();
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
	end();
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

	begin();
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
	CU_ASSERT_EQUAL(stats().corrupt, 0);
	end();
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
	end();
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
	end();
}

/* With few segments there is none in reserve, and no room for copies. */
static void
begin_small_segments(void)
{
	rig_init(&rig);
	rig.cfg.segment_size = 2 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
}

/* What is asked for again and again stays, and what is not goes. */
static void
test_second_chance(void)
{
	struct item kept = {.no = 1, .body_len = 200000, .ttl = 1e10};
	struct item left = {.no = 2, .body_len = 200000, .ttl = 1e10};
	struct store_stats s;
	unsigned lost = 0;

	begin_small_segments();
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
	end();
}

/* If all are popular, most go all the same. */
static void
test_second_chance_for_all(void)
{
	struct store_stats s;

	begin_small_segments();
	for (unsigned no = 0; no < 300; no++) {
		struct item it = {.no = no, .body_len = 500000, .ttl = 1e10};

		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	}
	store_stats(rig.st, &s);
	CU_ASSERT_TRUE(s.rescued > 10);
	CU_ASSERT_TRUE(s.evicted > 150);
	CU_ASSERT_TRUE(rig_disk_bytes(&rig) <= RIG_SIZE);
	end();
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
	CU_add_test(s, "a purge finds what is queued", test_purge_of_queued);
	CU_add_test(s, "a soft purge takes off times", test_soft_purge);
	CU_add_test(s, "the log of bans", test_bans);
	CU_add_test(s, "oldest inval_seq", test_oldest_inval);
	CU_add_test(s, "refresh", test_refresh);
	CU_add_test(s, "refresh keeps the body", test_refresh_keeps_body);
	CU_add_test(s, "drop", test_drop);
	CU_add_test(s, "abort", test_abort);
	CU_add_test(s, "eviction of small objects", test_eviction_of_inline);
	CU_add_test(s, "eviction of mixed objects", test_eviction_of_mixed);
	CU_add_test(s, "eviction of large objects", test_eviction_of_large);
	CU_add_test(s, "a held segment lives on", test_held_segment);
	CU_add_test(s, "a full queue refuses", test_full_queue);
	CU_add_test(s, "the filter", test_filter_says_no);
	CU_add_test(s, "readers during churn", test_readers_during_churn);
	CU_add_test(s, "what can't be opened", test_refusals);
	CU_add_test(s, "smaller and larger", test_resize);
	CU_add_test(s, "a second chance", test_second_chance);
	CU_add_test(s, "a second chance for all", test_second_chance_for_all);
}
