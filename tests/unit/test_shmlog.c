/*
 * test_shmlog.c - the log's rings: what is written is what is read.
 */
#include <CUnit/CUnit.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shmlog.h"
#include "shmlog_read.h"
#include "shmlog_ring.h"

static char dir[64];

static int
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/copal-test-log-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
teardown(void)
{
	char path[128];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s/log/ring.%d", dir, i);
		(void)unlink(path);
	}
	snprintf(path, sizeof path, "%s/log", dir);
	(void)rmdir(path);
	return rmdir(dir);
}

/* A fresh ring 0 and a reader of it. */
static struct log_ring *
fresh(struct log_reader **reader)
{
	struct log_ring *ring;
	char path[128], err[256];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s/log/ring.%d", dir, i);
		(void)unlink(path);
	}
	ring = log_ring_create(dir, 0, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
	*reader = log_reader_open(dir, LOG_FROM_OLDEST, err, sizeof err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(*reader);
	return ring;
}

static bool
next_is(struct str *records, enum log_tag tag, const char *text)
{
	char scratch[LOG_TEXT_MAX];
	struct log_record r;
	struct str s;

	if (!log_record_next(records, &r))
		return false;
	s = log_record_text(&r, scratch);
	if (r.tag == tag && str_eq(s, str_from_z(text)))
		return true;
	printf("\n  %s '%.*s', expected %s '%s'\n", log_tag_name[r.tag],
	    STR_ARG(s), log_tag_name[tag], text);
	return false;
}

static void
test_transaction(void)
{
	static const struct log_ttl ttl = {120, 10, 0, 1000, 3, 1000, 0, 120,
	    true};
	struct log_reader *reader;
	struct log_ring *ring = fresh(&reader);
	struct log_batch b;
	struct log_txn t;
	char buf[4096];
	struct str r;

	CU_ASSERT_FALSE(log_reader_next(reader, &b));
	log_txn_begin(&t, ring, LOG_KIND_REQUEST, 7, 3, buf, sizeof buf);
	log_timestamp(&t, "Start", 1000.5, 1000.25, 1000);
	log_req_start(&t, STR("192.0.2.1"), 40123, STR("a0"));
	log_put(&t, LOG_REQ_METHOD, STR("GET"));
	log_put(&t, LOG_REQ_URL, STR_NULL);
	log_put2(&t, LOG_REQ_HEADER, STR("Host"), STR(": "), STR("a.example"));
	log_hit(&t, 5, 118.5, 10, 0, 1.5);
	log_hit_for(&t, LOG_HITPASS, 6, 2.25);
	log_ttl(&t, "RFC", &ttl);
	log_status(&t, LOG_RESP_STATUS, 200);
	log_acct(&t, LOG_REQ_ACCT, 100, 1, 200, 3000000000);
	log_pipe_acct(&t, 1, 2, 3, 4);
	log_link(&t, LOG_KIND_FETCH, 8, LOG_REASON_BGFETCH);
	log_sess_close(&t, "REM_CLOSE", 0.25);
	log_printf(&t, LOG_ERROR, "%s %d", "oops", 5);
	log_put_mixed(&t, LOG_STORAGE, &(double){1.5}, 1, STR("ram"));
	CU_ASSERT_FALSE(log_reader_next(reader, &b));
	log_txn_end(&t);

	CU_ASSERT_TRUE_FATAL(log_reader_next(reader, &b));
	CU_ASSERT_EQUAL(b.id, 7);
	CU_ASSERT_EQUAL(b.parent, 3);
	CU_ASSERT_EQUAL(b.kind, LOG_KIND_REQUEST);
	CU_ASSERT_EQUAL(b.reason, LOG_REASON_RXREQ);
	CU_ASSERT_TRUE(b.first && b.last);
	r = b.records;
	CU_ASSERT_TRUE(next_is(&r, LOG_TIMESTAMP,
	    "Start: 1000.500000 0.250000 0.500000"));
	CU_ASSERT_TRUE(next_is(&r, LOG_REQ_START, "192.0.2.1 40123 a0"));
	CU_ASSERT_TRUE(next_is(&r, LOG_REQ_METHOD, "GET"));
	CU_ASSERT_TRUE(next_is(&r, LOG_REQ_URL, ""));
	CU_ASSERT_TRUE(next_is(&r, LOG_REQ_HEADER, "Host: a.example"));
	CU_ASSERT_TRUE(next_is(&r, LOG_HIT,
	    "5 118.500000 10.000000 0.000000 1.500000"));
	CU_ASSERT_TRUE(next_is(&r, LOG_HITPASS, "6 2.250000"));
	CU_ASSERT_TRUE(next_is(&r, LOG_TTL,
	    "RFC 120 10 0 1000 3 1000 0 120 cacheable"));
	CU_ASSERT_TRUE(next_is(&r, LOG_RESP_STATUS, "200"));
	CU_ASSERT_TRUE(next_is(&r, LOG_REQ_ACCT,
	    "100 1 101 200 3000000000 3000000200"));
	CU_ASSERT_TRUE(next_is(&r, LOG_PIPE_ACCT, "1 2 3 4"));
	CU_ASSERT_TRUE(next_is(&r, LOG_LINK, "bereq 8 bgfetch"));
	CU_ASSERT_TRUE(next_is(&r, LOG_SESS_CLOSE, "REM_CLOSE 0.250"));
	CU_ASSERT_TRUE(next_is(&r, LOG_ERROR, "oops 5"));
	CU_ASSERT_TRUE(next_is(&r, LOG_STORAGE, "ram 1.500000"));
	CU_ASSERT_FALSE(log_record_next(&r, &(struct log_record){0}));
	CU_ASSERT_FALSE(log_reader_next(reader, &b));

	log_raw(ring, LOG_CLI, "Rd %s", "ping");
	CU_ASSERT_TRUE_FATAL(log_reader_next(reader, &b));
	CU_ASSERT_EQUAL(b.kind, LOG_KIND_RAW);
	r = b.records;
	CU_ASSERT_TRUE(next_is(&r, LOG_CLI, "Rd ping"));
	log_reader_close(&reader);
	log_ring_close(&ring);
	CU_ASSERT_PTR_NULL(ring);
}

/* A buffer that is too small gives several batches, in order, none lost. */
static void
test_parts(void)
{
	static char large[70000];
	struct log_reader *reader;
	struct log_ring *ring = fresh(&reader);
	char buf[256], text[32];
	struct log_record rec;
	struct log_batch b;
	struct log_txn t;
	unsigned parts = 0, n = 0;
	struct str r;

	memset(large, 'x', sizeof large);
	log_txn_begin(&t, ring, LOG_KIND_FETCH, 9, 0, buf, sizeof buf);
	for (int i = 0; i < 100; i++)
		log_printf(&t, LOG_NOTICE, "record %d", i);
	log_put(&t, LOG_ERROR, str_of(large, sizeof large));
	log_put2(&t, LOG_REQ_HEADER, str_of(large, 40000), STR(": "),
	    str_of(large, 40000));
	log_txn_end(&t);
	while (log_reader_next(reader, &b)) {
		CU_ASSERT_EQUAL(b.id, 9);
		CU_ASSERT_EQUAL(b.first, parts == 0);
		parts++;
		for (r = b.records; n < 100 && r.len != 0; n++) {
			snprintf(text, sizeof text, "record %u", n);
			if (!next_is(&r, LOG_NOTICE, text))
				break;
		}
		if (b.last)
			break;
		while (n == 100 && log_record_next(&r, &rec))
			CU_ASSERT_EQUAL(rec.text.len, LOG_VALUE_MAX);
	}
	CU_ASSERT_TRUE(b.last);
	CU_ASSERT_EQUAL(n, 100);
	CU_ASSERT_TRUE(parts > 5);
	CU_ASSERT_EQUAL(log_reader_lost(reader), 0);

	/* Without a ring all of it is nothing. */
	log_txn_begin(&t, NULL, LOG_KIND_FETCH, 9, 0, buf, sizeof buf);
	log_put(&t, LOG_ERROR, str_of(large, sizeof large));
	for (int i = 0; i < 100; i++)
		log_printf(&t, LOG_NOTICE, "record %d", i);
	log_txn_end(&t);
	log_raw(NULL, LOG_CLI, "x");
	log_reader_close(&reader);
	log_ring_close(&ring);
}

/* A reader that is overrun says how much it lost and goes on in the middle. */
static void
test_overrun(void)
{
	struct log_reader *reader;
	struct log_ring *ring = fresh(&reader);
	uint64_t lost, n = 0, last = 0, bytes = 0;
	struct log_batch b;
	struct log_txn t;
	char buf[1024];

	for (int i = 1; i <= 10000; i++) {
		log_txn_begin(&t, ring, LOG_KIND_REQUEST, i, 0, buf,
		    sizeof buf);
		log_printf(&t, LOG_NOTICE, "%*d", i % 300, i);
		log_txn_end(&t);
	}
	while (log_reader_next(reader, &b)) {
		if (n != 0)
			CU_ASSERT_EQUAL(b.id, last + 1);
		last = b.id;
		n++;
		bytes += sizeof(struct ring_batch) + b.records.len;
	}
	lost = log_reader_lost(reader);
	CU_ASSERT_EQUAL(last, 10000);
	CU_ASSERT_TRUE(n > 500 && n < 3000);
	CU_ASSERT_TRUE(lost > 1000000);
	CU_ASSERT_TRUE(bytes >= RING_SIZE_MIN / 2);
	CU_ASSERT_EQUAL(log_reader_lost(reader), 0);
	log_reader_close(&reader);
	log_ring_close(&ring);
}

static bool stop_writing;

static void *
write_much(void *arg)
{
	struct log_txn t;
	char buf[2048];

	for (uint64_t i = 1; !__atomic_load_n(&stop_writing, __ATOMIC_RELAXED);
	     i++) {
		log_txn_begin(&t, arg, LOG_KIND_REQUEST, i, i * 3, buf,
		    sizeof buf);
		for (unsigned k = 0; k <= i % 20; k++)
			log_printf(&t, LOG_NOTICE, "%llu %u",
			    (unsigned long long)i, k);
		log_txn_end(&t);
	}
	return NULL;
}

/*
 * A writer at full speed over a small ring.  What the reader is given must
 * be whole, whatever it loses.
 */
static void
test_race(void)
{
	struct log_reader *reader;
	struct log_ring *ring = fresh(&reader);
	struct log_batch b;
	pthread_t thread;
	uint64_t last = 0;
	unsigned bad = 0;

	stop_writing = false;
	pthread_create(&thread, NULL, write_much, ring);
	for (unsigned n = 0; n < 20000;) {
		struct log_record r;
		unsigned long long id;
		unsigned k, count = 0;
		char text[64];

		if (!log_reader_next(reader, &b))
			continue;
		n++;
		bad += b.id <= last || b.parent != b.id * 3;
		last = b.id;
		while (log_record_next(&b.records, &r)) {
			snprintf(text, sizeof text, "%.*s", STR_ARG(r.text));
			bad += sscanf(text, "%llu %u", &id, &k) != 2 ||
			    id != b.id || k != count++;
		}
		bad += count != b.id % 20 + 1;
	}
	__atomic_store_n(&stop_writing, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(bad, 0);
	log_reader_close(&reader);
	log_ring_close(&ring);
}

static void
put_one(struct log_ring *ring, uint64_t id)
{
	struct log_txn t;
	char buf[256];

	log_txn_begin(&t, ring, LOG_KIND_REQUEST, id, 0, buf, sizeof buf);
	log_put(&t, LOG_REQ_METHOD, STR("GET"));
	log_txn_end(&t);
}

/* A ring outlives its writer, even one that died in the middle. */
static void
test_takeover(void)
{
	struct log_reader *reader;
	struct log_ring *ring = fresh(&reader);
	struct ring_header *h;
	struct log_batch b;
	char path[128];
	int fd;

	put_one(ring, 1);
	log_ring_close(&ring);
	snprintf(path, sizeof path, "%s/log/ring.0", dir);
	fd = open(path, O_RDWR);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	h = mmap(NULL, RING_HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CU_ASSERT_TRUE_FATAL(h != MAP_FAILED);
	close(fd);
	h->reserved += 4096;
	munmap(h, RING_HEADER);

	ring = log_ring_create(dir, 0, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
	put_one(ring, 2);
	CU_ASSERT_TRUE(log_reader_next(reader, &b) && b.id == 1);
	CU_ASSERT_TRUE(log_reader_next(reader, &b) && b.id == 2);
	CU_ASSERT_FALSE(log_reader_next(reader, &b));

	/* Another size: another file; what is left in the old comes first. */
	put_one(ring, 3);
	log_ring_close(&ring);
	ring = log_ring_create(dir, 0, 4 * RING_SIZE_MIN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
	put_one(ring, 4);
	log_reader_rescan(reader);
	CU_ASSERT_TRUE(log_reader_next(reader, &b) && b.id != 0);
	CU_ASSERT_TRUE(log_reader_next(reader, &b) && b.id != 0);
	CU_ASSERT_FALSE(log_reader_next(reader, &b));
	log_reader_rescan(reader);
	put_one(ring, 5);
	CU_ASSERT_TRUE(log_reader_next(reader, &b) && b.id == 5);
	CU_ASSERT_FALSE(log_reader_next(reader, &b));
	log_reader_close(&reader);

	/* From now on; and another ring that comes up later. */
	char err[256];
	reader = log_reader_open(dir, LOG_FROM_NOW, err, sizeof err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
	CU_ASSERT_FALSE(log_reader_next(reader, &b));
	struct log_ring *other = log_ring_create(dir, 1, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	put_one(other, 6);
	log_reader_rescan(reader);
	CU_ASSERT_TRUE(log_reader_next(reader, &b) && b.id == 6);
	log_ring_close(&other);
	log_ring_close(&ring);
	log_reader_close(&reader);
}

static void
test_refusals(void)
{
	static _Alignas(8) uint8_t junk[RING_HEADER + RING_SIZE_MIN];
	struct log_reader *reader;
	struct log_view v;
	char err[256];

	CU_ASSERT_FALSE(log_view_init(&v, junk, sizeof junk, LOG_FROM_NOW));
	CU_ASSERT_FALSE(log_view_init(&v, junk, 10, LOG_FROM_NOW));
	reader = log_reader_open("/nonexistent", LOG_FROM_NOW, err, sizeof err);
	CU_ASSERT_PTR_NULL(reader);
	CU_ASSERT_STRING_EQUAL(err, "Cannot open the log in /nonexistent/log: "
				    "No such file or directory");
	CU_ASSERT_PTR_NULL(log_ring_create("/nonexistent", 0, 1));
}

void suite_shmlog(void);

void
suite_shmlog(void)
{
	CU_pSuite s = CU_add_suite("shmlog", setup, teardown);

	CU_add_test(s, "transaction", test_transaction);
	CU_add_test(s, "parts", test_parts);
	CU_add_test(s, "overrun", test_overrun);
	CU_add_test(s, "race", test_race);
	CU_add_test(s, "takeover", test_takeover);
	CU_add_test(s, "refusals", test_refusals);
}
