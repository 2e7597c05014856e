/*
 * test_body.c - bodies: growing, read, shared, and read through a window.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "object.h"

void suite_body(void);

enum { BIG = 3000000, WINDOW = 100000 };

/* The byte at an offset: any mix-up is seen. */
static char
byte_at(uint64_t at)
{
	return (char)(at * 2654435761u >> 13);
}

/* Appends n bytes as they would come from a socket. */
static void
append(struct body *b, size_t n)
{
	while (n > 0) {
		uint64_t at = b->len;
		size_t room;
		char *p = body_room(b, 0, &room);

		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		if (room > 4321)
			room = 4321;
		if (room > n)
			room = n;
		for (size_t i = 0; i < room; i++)
			p[i] = byte_at(at + i);
		body_grow(b, room);
		n -= room;
	}
}

/* Reads to the end; how many bytes, or UINT64_MAX if it failed */
static uint64_t
read_all(struct body *b, uint64_t at, struct body_reader *r)
{
	for (;;) {
		struct body_view v;
		size_t wrong = 0;

		switch (body_get(b, NULL, at, false, NSEC_NEVER, &v)) {
		case BODY_GET_OK:
			break;
		case BODY_GET_END:
			return at;
		case BODY_GET_FAILED:
		case BODY_GET_TIMEOUT:
			return UINT64_MAX;
		}
		for (size_t i = 0; i < v.len; i++)
			wrong += v.p[i] != byte_at(at + i);
		CU_ASSERT_EQUAL(wrong, 0);
		at += v.len;
		body_view_release(&v);
		if (r != NULL) {
			body_reader_at(b, r, at);
			fiber_yield();
		}
	}
}

static void
test_flat(void)
{
	struct body b, shared;
	uint64_t held;

	body_init(&b);
	append(&b, 1000);
	held = b.memory;
	CU_ASSERT_PTR_NULL(b.flat);
	/* what was too much is given back */
	CU_ASSERT_EQUAL(body_finish(&b), held - 1000);
	CU_ASSERT_EQUAL(b.memory, 1000);
	CU_ASSERT_PTR_NOT_NULL(b.flat);
	CU_ASSERT_EQUAL(read_all(&b, 0, NULL), 1000);
	CU_ASSERT_EQUAL(read_all(&b, 999, NULL), 1000);
	CU_ASSERT_EQUAL(read_all(&b, 1000, NULL), 1000);
	body_init(&shared);
	CU_ASSERT_EQUAL(body_share(&shared, &b), 0);
	body_destroy(&b);
	CU_ASSERT_EQUAL(read_all(&shared, 0, NULL), 1000);
	body_destroy(&shared);
}

static void
test_pieces(void)
{
	struct body b, shared;

	body_init(&b);
	append(&b, BIG);
	body_init(&shared);
	CU_ASSERT_EQUAL(body_share(&shared, &b), -1); /* it grows */
	body_finish(&b);
	CU_ASSERT(b.piece_n > 1);
	CU_ASSERT_PTR_NULL(b.flat);
	CU_ASSERT_EQUAL(b.memory, BIG);
	for (uint64_t at = 0; at <= BIG; at += 65521)
		CU_ASSERT_EQUAL(read_all(&b, at, NULL), BIG);
	CU_ASSERT_EQUAL(body_share(&shared, &b), 0);
	body_destroy(&b);
	CU_ASSERT_EQUAL(read_all(&shared, 0, NULL), BIG);
	body_destroy(&shared);
}

static void
test_empty(void)
{
	struct body b;
	size_t room;

	body_init(&b);
	CU_ASSERT_PTR_NOT_NULL(body_room(&b, 0, &room)); /* nothing came */
	body_finish(&b);
	CU_ASSERT_EQUAL(b.piece_n, 0);
	CU_ASSERT_EQUAL(b.memory, 0);
	CU_ASSERT_EQUAL(read_all(&b, 0, NULL), 0);
	body_destroy(&b);
	body_init(&b);
	CU_ASSERT_EQUAL(body_set(&b, "", 0), 0);
	CU_ASSERT_EQUAL(read_all(&b, 0, NULL), 0);
	body_destroy(&b);
}

/* --- one that fills and some that read, on fibers ------------------------ */

static struct loop *l;
static struct body shared_body;
static struct job {
	struct body_reader reader;
	uint64_t from, got;
	bool leaves; /* after its first bytes */
} jobs[3];
static enum fiber_wake window_said;

static void
reader_fiber(void *arg)
{
	struct job *j = arg;
	struct body_view v;

	if (j->from > 0)
		body_reader_at(&shared_body, &j->reader, j->from);
	if (j->leaves) {
		CU_ASSERT_EQUAL(
		    body_get(&shared_body, NULL, 0, false, NSEC_NEVER, &v),
		    BODY_GET_OK);
		body_view_release(&v);
	} else {
		j->got = read_all(&shared_body, j->from, &j->reader);
	}
	body_reader_end(&shared_body, &j->reader);
}

static void
filler_fiber(void *arg)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < BIG / 10000; i++) {
		append(&shared_body, 10000);
		if (shared_body.memory > most)
			most = shared_body.memory;
		window_said =
		    body_wait_window(&shared_body, WINDOW, NSEC_NEVER);
		if (window_said != FIBER_WOKEN) {
			body_fail(&shared_body);
			return;
		}
	}
	/* a window, and the pieces at its two ends */
	CU_ASSERT(!shared_body.windowed || most < WINDOW + 3 * 262144);
	if (arg == NULL)
		body_finish(&shared_body);
	else
		body_fail(&shared_body);
}

static void
run(unsigned readers, bool windowed, void *fails)
{
	l = loop_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	loop_enter(l);
	body_init(&shared_body);
	shared_body.windowed = windowed;
	for (unsigned i = 0; i < readers; i++) {
		body_reader_begin(&shared_body, &jobs[i].reader);
		fiber_start(reader_fiber, &jobs[i], "reader");
	}
	fiber_start(filler_fiber, fails, "filler");
	for (unsigned i = 0; i < 100000 && fiber_count() > 0; i++)
		loop_turn(l, NSEC_NEVER);
	CU_ASSERT_EQUAL(fiber_count(), 0);
	CU_ASSERT_PTR_NULL(shared_body.readers);
	CU_ASSERT_PTR_NULL(shared_body.waiters);
	body_destroy(&shared_body);
	loop_free(&l);
}

static void
test_followers(void)
{
	memset(jobs, 0, sizeof jobs);
	run(3, false, NULL);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(jobs[i].got, BIG);
	run(2, false, &jobs);
	CU_ASSERT_EQUAL(jobs[0].got, UINT64_MAX);
}

static void
test_window(void)
{
	memset(jobs, 0, sizeof jobs);
	jobs[1].leaves = true;
	run(3, true, NULL);
	CU_ASSERT_EQUAL(window_said, FIBER_WOKEN);
	CU_ASSERT_EQUAL(jobs[0].got, BIG);
	CU_ASSERT_EQUAL(jobs[2].got, BIG);
}

/* The last reader leaves: nobody wants it any more. */
static void
test_window_deserted(void)
{
	memset(jobs, 0, sizeof jobs);
	jobs[0].leaves = true;
	run(1, true, NULL);
	CU_ASSERT_EQUAL(window_said, FIBER_CANCELED);
}

/* A reader that begins beyond what the window would hold. */
static void
test_window_range(void)
{
	memset(jobs, 0, sizeof jobs);
	jobs[0].from = BIG - 10;
	run(1, true, NULL);
	CU_ASSERT_EQUAL(window_said, FIBER_WOKEN);
	CU_ASSERT_EQUAL(jobs[0].got, BIG);
}

/* What was read is forgotten, the pieces' own bytes too. */
static void
test_regression_endless(void)
{
	struct body_reader r, late;
	struct body_view v;
	struct body b;
	size_t room;

	body_init(&b);
	body_set_windowed(&b);
	body_reader_begin(&b, &r);
	for (unsigned i = 0; i < 5000; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(body_room(&b, 0, &room));
		body_grow(&b, room);
		CU_ASSERT_EQUAL(body_pieces(&b), i + 1);
		/* by up to a megabyte behind */
		if (i % 4 == 0)
			body_reader_at(&b, &r, b.len);
	}
	CU_ASSERT(b.piece_cap <= 16);
	CU_ASSERT(b.memory <= 8 * 262144);
	/* what is stored late belongs to one that is gone */
	CU_ASSERT_EQUAL(body_piece_stored(&b, 1, &(struct extent){0}), 0);
	CU_ASSERT_PTR_NULL(body_piece_buf(&b, 1, &(uint32_t){0}));
	body_reader_begin(&b, &late);
	CU_ASSERT_EQUAL(body_get(&b, NULL, 0, false, NSEC_NEVER, &v),
	    BODY_GET_FAILED);
	body_reader_end(&b, &late);
	CU_ASSERT_EQUAL(body_get(&b, NULL, r.at - 1, false, NSEC_NEVER, &v),
	    BODY_GET_OK);
	CU_ASSERT(v.len > 0);
	body_view_release(&v);
	body_reader_end(&b, &r);
	body_destroy(&b);
}

void
suite_body(void)
{
	CU_pSuite s = CU_add_suite("body", NULL, NULL);

	CU_add_test(s, "flat", test_flat);
	CU_add_test(s, "pieces", test_pieces);
	CU_add_test(s, "empty", test_empty);
	CU_add_test(s, "followers", test_followers);
	CU_add_test(s, "window", test_window);
	CU_add_test(s, "window_deserted", test_window_deserted);
	CU_add_test(s, "window_range", test_window_range);
	CU_add_test(s, "regression: an endless pass", test_regression_endless);
}
