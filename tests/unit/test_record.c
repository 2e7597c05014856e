/*
 * test_record.c - objects to catalogue records and back.
 */
#include <CUnit/CUnit.h>

#include <stdlib.h>
#include <string.h>

#include "record.h"

static struct record
sample(uint8_t extent[2 * RECORD_EXTENT_LEN])
{
	struct record_extent a = {1, 2, 528, 1000, 42};
	struct record_extent b = {2, 3, 16, 24, 43};
	struct record r = {
	    .meta =
		{
		    .hash = "0123456789abcde",
		    .key = STR("example.com/"),
		    .vary = STR_NULL,
		    .head = STR(""),
		    .t_origin = 1.5,
		    .ttl = 2,
		    .grace = 3,
		    .keep = 4,
		    .last_modified = 5,
		    .inval_seq = 6,
		    .body_len = 1024,
		    .flags = 7,
		    .status = 404,
		},
	    .vhash = 8,
	    .extent_n = 2,
	    .extent = extent,
	};

	record_extent_put(extent, &a);
	record_extent_put(extent + RECORD_EXTENT_LEN, &b);
	return r;
}

static void
test_round_trip(void)
{
	uint8_t extent[2 * RECORD_EXTENT_LEN], buf[512];
	struct record r = sample(extent), q;
	size_t len = record_size(&r), whole;

	CU_ASSERT_TRUE_FATAL(len > 0 && len <= sizeof buf);
	record_encode(&r, 99, buf);
	CU_ASSERT_TRUE_FATAL(record_decode(buf, len, 99, &q));
	CU_ASSERT_TRUE(str_eq(q.meta.key, r.meta.key));
	CU_ASSERT_PTR_NULL(q.meta.vary.p);
	CU_ASSERT_TRUE(q.meta.head.p != NULL && q.meta.head.len == 0);
	CU_ASSERT_PTR_NULL(q.inline_body.p);
	CU_ASSERT_EQUAL(q.meta.t_origin, 1.5);
	CU_ASSERT_EQUAL(q.meta.last_modified, 5);
	CU_ASSERT_EQUAL(q.meta.status, 404);
	CU_ASSERT_EQUAL(q.vhash, 8);
	CU_ASSERT_EQUAL_FATAL(q.extent_n, 2);
	CU_ASSERT_EQUAL(record_extent_at(&q, 1).segno, 2);
	CU_ASSERT_EQUAL(record_extent_at(&q, 1).sum, 43);
	CU_ASSERT_TRUE(record_peek(buf, RECORD_FIXED_LEN, 99, &q, &whole));
	CU_ASSERT_EQUAL(whole, len);
	/* Under another seq it is another object's. */
	CU_ASSERT_FALSE(record_decode(buf, len, 98, &q));
}

/* A packed body's length is not that of what is there. */
static void
test_packed(void)
{
	uint8_t extent[2 * RECORD_EXTENT_LEN], buf[512];
	struct record r = sample(extent), q;

	r.packed = true;
	r.dict = 3;
	r.extent_n = 1;
	r.meta.body_len = 70000;
	record_encode(&r, 99, buf);
	CU_ASSERT_TRUE_FATAL(record_decode(buf, record_size(&r), 99, &q));
	CU_ASSERT_TRUE(q.packed);
	CU_ASSERT_EQUAL(q.dict, 3);
	CU_ASSERT_EQUAL(q.meta.body_len, 70000);
	/* more than one piece, or longer than that, is not unpacked */
	r.extent_n = 2;
	record_encode(&r, 99, buf);
	CU_ASSERT_FALSE(record_decode(buf, record_size(&r), 99, &q));
	r.extent_n = 1;
	r.meta.body_len = STORE_PIECE_MAX + 1;
	record_encode(&r, 99, buf);
	CU_ASSERT_FALSE(record_decode(buf, record_size(&r), 99, &q));
	r.meta.body_len = 0;
	record_encode(&r, 99, buf);
	CU_ASSERT_FALSE(record_decode(buf, record_size(&r), 99, &q));
	r.meta.body_len = 2000;
	r.extent_n = 0;
	r.inline_body = STR("some bytes");
	record_encode(&r, 99, buf);
	CU_ASSERT_TRUE_FATAL(record_decode(buf, record_size(&r), 99, &q));
	CU_ASSERT_TRUE(q.packed);
	CU_ASSERT_TRUE(str_eq(q.inline_body, r.inline_body));
	r.packed = false;
	record_encode(&r, 99, buf);
	CU_ASSERT_FALSE(record_decode(buf, record_size(&r), 99, &q));
}

static void
test_every_bit(void)
{
	uint8_t extent[2 * RECORD_EXTENT_LEN], buf[512];
	struct record r = sample(extent), q;
	size_t len = record_size(&r);
	unsigned missed = 0;

	record_encode(&r, 99, buf);
	for (size_t i = 0; i < len * 8; i++) {
		buf[i / 8] ^= 1 << i % 8;
		missed += record_decode(buf, len, 99, &q);
		buf[i / 8] ^= 1 << i % 8;
	}
	for (size_t i = 0; i < len; i++)
		missed += record_decode(buf, i, 99, &q);
	CU_ASSERT_EQUAL(missed, 0);
}

static void
test_too_long(void)
{
	uint8_t extent[2 * RECORD_EXTENT_LEN];
	struct record r = sample(extent);

	r.meta.key.len = RECORD_STRING_MAX + 1;
	CU_ASSERT_EQUAL(record_size(&r), 0);
	r = sample(extent);
	r.extent_n = RECORD_EXTENT_MAX + 1;
	CU_ASSERT_EQUAL(record_size(&r), 0);
}

void
suite_record(void)
{
	CU_pSuite s = CU_add_suite("record", NULL, NULL);

	CU_add_test(s, "encode and decode", test_round_trip);
	CU_add_test(s, "packed", test_packed);
	CU_add_test(s, "every flipped bit is seen", test_every_bit);
	CU_add_test(s, "what is too long", test_too_long);
}
