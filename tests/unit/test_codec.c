/*
 * test_codec.c - gzip, br and zstd in pieces of any size, and what is none.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

static const struct codec_limits limits = {5, 8, 250, 0};

static const struct coding {
	enum codec_kind pack, unpack;
} codings[] = {
	{CODEC_GZIP, CODEC_GUNZIP},
	{CODEC_BR, CODEC_UNBR},
	{CODEC_ZSTD, CODEC_UNZSTD},
};
enum { CODING_N = sizeof codings / sizeof *codings };

/* Runs all of in through a codec, in pieces; the length, or -1. */
static long
run(enum codec_kind kind, const char *in, size_t len, size_t piece, char *to,
    size_t cap, enum codec_result *r)
{
	struct codec *c = codec_new(kind, &limits);
	size_t left = cap;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	do {
		size_t n = len < piece ? len : piece, rest = n;
		bool last = n == len;

		do {
			size_t room = left < piece ? left : piece;
			size_t had = room;

			*r = codec_run(c, &in, &rest, &to, &room, last);
			left -= had - room;
		} while (*r == CODEC_OK && left > 0 && (rest > 0 || last));
		len -= n - rest;
	} while (*r == CODEC_OK && len > 0 && left > 0);
	codec_free(&c);
	CU_ASSERT_PTR_NULL(c);
	return *r == CODEC_END ? (long)(cap - left) : -1;
}

static char plain[100000], packed[120000], back[300000];

static void
fill(void)
{
	unsigned x = 1;

	for (size_t i = 0; i < sizeof plain; i++) {
		x = x * 1103515245 + 12345;
		plain[i] = "the quick brown fox "[x >> 16 & 15];
	}
}

static void
both_ways(const struct coding *x)
{
	static const size_t pieces[] = {1, 7, 4096, 1 << 20};
	enum codec_result r;
	long n, m;

	for (size_t i = 0; i < 4; i++) {
		n = run(x->pack, plain, sizeof plain, pieces[i], packed,
		    sizeof packed, &r);
		CU_ASSERT(n > 0 && n < (long)sizeof plain);
		for (size_t j = 0; j < 4; j++) {
			m = run(x->unpack, packed, (size_t)n, pieces[j],
			    back, sizeof back, &r);
			CU_ASSERT_EQUAL(m, sizeof plain);
			CU_ASSERT(!memcmp(back, plain, sizeof plain));
		}
	}
	n = run(x->pack, "", 0, 10, packed, sizeof packed, &r);
	CU_ASSERT(n > 0);
	CU_ASSERT_EQUAL(run(x->unpack, packed, (size_t)n, 10, back,
	    sizeof back, &r), 0);
	CU_ASSERT_EQUAL(run(x->unpack, "", 0, 10, back, sizeof back, &r),
	    0);
}

static void
test_both_ways(void)
{
	fill();
	for (int i = 0; i < CODING_N; i++)
		both_ways(&codings[i]);
}

/* An encoder that is told the size says it, or looks back as far. */
static void
test_size(void)
{
	struct codec_limits l = limits;

	fill();
	l.size = sizeof plain;
	for (int i = 0; i < CODING_N; i++) {
		struct codec *c = codec_new(codings[i].pack, &l);
		const char *in = plain;
		size_t in_len = sizeof plain, room = sizeof packed;
		char *out = packed;
		enum codec_result r;
		long m;

		CU_ASSERT_PTR_NOT_NULL_FATAL(c);
		CU_ASSERT_EQUAL(codec_run(c, &in, &in_len, &out, &room, true),
		    CODEC_END);
		codec_free(&c);
		m = run(codings[i].unpack, packed, (size_t)(out - packed),
		    4096, back, sizeof back, &r);
		CU_ASSERT_EQUAL(m, sizeof plain);
		CU_ASSERT(!memcmp(back, plain, sizeof plain));
	}
}

/* RFC 1952 2.2: members follow each other. */
static void
test_members(void)
{
	enum codec_result r;
	long n = run(CODEC_GZIP, "one ", 4, 10, packed, sizeof packed, &r);

	n += run(CODEC_GZIP, "two", 3, 10, packed + n, 1000, &r);
	CU_ASSERT_EQUAL(run(CODEC_GUNZIP, packed, (size_t)n, 3, back,
	    sizeof back, &r), 7);
	CU_ASSERT(!memcmp(back, "one two", 7));
	memset(packed + n, 0, 20);
	CU_ASSERT_EQUAL(run(CODEC_GUNZIP, packed, (size_t)n + 20, 9, back,
	    sizeof back, &r), 7);
	packed[n + 20] = 'x';
	CU_ASSERT_EQUAL(run(CODEC_GUNZIP, packed, (size_t)n + 21, 9, back,
	    sizeof back, &r), -1);
	CU_ASSERT_EQUAL(r, CODEC_BAD);
}

/* RFC 8878 3: frames follow each other; some are to be skipped. */
static void
test_frames(void)
{
	static const char skipped[] = "\x50\x2a\x4d\x18\3\0\0\0abc";
	enum codec_result r;
	long n = run(CODEC_ZSTD, "one ", 4, 10, packed, sizeof packed, &r);

	memcpy(packed + n, skipped, sizeof skipped - 1);
	n += (long)sizeof skipped - 1;
	n += run(CODEC_ZSTD, "two", 3, 10, packed + n, 1000, &r);
	CU_ASSERT_EQUAL(run(CODEC_UNZSTD, packed, (size_t)n, 3, back,
	    sizeof back, &r), 7);
	CU_ASSERT(!memcmp(back, "one two", 7));
	packed[n] = 'x';
	CU_ASSERT_EQUAL(run(CODEC_UNZSTD, packed, (size_t)n + 1, 9, back,
	    sizeof back, &r), -1);
	CU_ASSERT_EQUAL(r, CODEC_BAD);
}

static void
test_damage(void)
{
	enum codec_result r;
	long n;

	fill();
	for (int i = 0; i < CODING_N; i++) {
		n = run(codings[i].pack, plain, 3000, 3000, packed,
		    sizeof packed, &r);
		CU_ASSERT_FATAL(n > 20);
		/* cut anywhere but at nothing */
		for (long k = 1; k < n; k++)
			CU_ASSERT_EQUAL(run(codings[i].unpack, packed,
			    (size_t)k, 64, back, sizeof back, &r), -1);
		CU_ASSERT_EQUAL(run(codings[i].unpack, "no such", 7, 64,
		    back, sizeof back, &r), -1);
		CU_ASSERT_EQUAL(r, CODEC_BAD);
	}
	/* more behind its end */
	n = run(CODEC_BR, plain, 3000, 3000, packed, sizeof packed, &r);
	packed[n] = 'x';
	CU_ASSERT_EQUAL(run(CODEC_UNBR, packed, (size_t)n + 1, 64, back,
	    sizeof back, &r), -1);
	/* the sum at its end */
	n = run(CODEC_GZIP, plain, 3000, 3000, packed, sizeof packed, &r);
	packed[n - 5] ^= 1;
	CU_ASSERT_EQUAL(run(CODEC_GUNZIP, packed, (size_t)n, 64, back,
	    sizeof back, &r), -1);
	CU_ASSERT_EQUAL(r, CODEC_BAD);
}

/* A window that takes more memory than a content coding may want */
static void
test_window(void)
{
	/* of 128 MiB (RFC 8878 3.1.1.1.2), then an empty last block */
	static const char zstd[] = "\x28\xb5\x2f\xfd\x00\x88\x01\0\0";
	/* as a large window, which is no content coding */
	static const char br[] = "\x11\x1e\x03";
	enum codec_result r;

	CU_ASSERT_EQUAL(run(CODEC_UNZSTD, zstd, sizeof zstd - 1, 64, back,
	    sizeof back, &r), -1);
	CU_ASSERT_EQUAL(r, CODEC_BAD);
	CU_ASSERT_EQUAL(run(CODEC_UNBR, br, sizeof br - 1, 64, back,
	    sizeof back, &r), -1);
	CU_ASSERT_EQUAL(r, CODEC_BAD);
}

static void
test_bomb(void)
{
	enum codec_result r = CODEC_OK;
	const size_t len = 8 << 20;
	char *zeroes = calloc(1, len), *out = malloc(len);

	for (int i = 0; i < CODING_N; i++) {
		long n = run(codings[i].pack, zeroes, len, len, packed,
		    sizeof packed, &r);

		CU_ASSERT_FATAL(n > 0);
		CU_ASSERT_EQUAL(run(codings[i].unpack, packed, (size_t)n,
		    65536, out, len, &r), -1);
		CU_ASSERT_EQUAL(r, CODEC_BOMB);
		/* the first MiB is free */
		n = run(codings[i].pack, zeroes, 1 << 20, len, packed,
		    sizeof packed, &r);
		CU_ASSERT_EQUAL(run(codings[i].unpack, packed, (size_t)n,
		    65536, out, len, &r), 1 << 20);
	}
	free(zeroes);
	free(out);
}

void
suite_codec(void)
{
	CU_pSuite s = CU_add_suite("codec", NULL, NULL);

	CU_add_test(s, "there and back", test_both_ways);
	CU_add_test(s, "with the size known", test_size);
	CU_add_test(s, "several members", test_members);
	CU_add_test(s, "several frames", test_frames);
	CU_add_test(s, "what is damaged", test_damage);
	CU_add_test(s, "large windows", test_window);
	CU_add_test(s, "bombs", test_bomb);
}
