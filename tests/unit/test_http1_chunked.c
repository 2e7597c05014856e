/*
 * test_http1_chunked.c - the chunked coding, decoded in pieces of all sizes.
 */
#include <CUnit/CUnit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1.h"

static char body[65536];
static size_t body_len, consumed;

/* Decodes the text in pieces of step bytes, each in memory of its own. */
static enum h1_chunk_result
decode(const char *text, size_t len, size_t step)
{
	enum h1_chunk_result r = H1_CHUNK_MORE;
	struct h1_chunked c = {0};
	struct str data;

	body_len = consumed = 0;
	for (size_t at = 0; at < len && r == H1_CHUNK_MORE; at += step) {
		size_t n = len - at < step ? len - at : step, i = 0, used;
		char *piece = malloc(n);

		memcpy(piece, text + at, n);
		do {
			r = h1_chunked_next(&c, piece + i, n - i, &used, &data);
			memcpy(body + body_len, data.p, data.len);
			body_len += data.len;
			i += used;
			consumed += used;
		} while (r == H1_CHUNK_DATA);
		if (r == H1_CHUNK_MORE)
			CU_ASSERT_EQUAL(i, n);
		free(piece);
	}
	return r;
}

static void
check(enum h1_chunk_result wanted, const char *text, size_t len,
    const char *wanted_body, size_t wanted_used)
{
	for (size_t step = 1; step <= len; step++) {
		enum h1_chunk_result r = decode(text, len, step);

		if (r != wanted) {
			fprintf(stderr, "step %zu: %d, wanted %d: %s\n", step,
			    r, wanted, text);
			CU_FAIL("result");
		}
		if (wanted != H1_CHUNK_END)
			continue;
		CU_ASSERT_EQUAL(body_len, strlen(wanted_body));
		CU_ASSERT_EQUAL(memcmp(body, wanted_body, body_len), 0);
		CU_ASSERT_EQUAL(consumed, wanted_used);
	}
}

static void
test_good(void)
{
	static const struct {
		const char *text, *body;
	} v[] = {
	    {"0\r\n\r\n", ""},
	    {"000\r\n\r\n", ""},
	    {"0000000000000000\r\n\r\n", ""},
	    {"5\r\nhello\r\n0\r\n\r\n", "hello"},
	    {"5\r\nhello\r\n1\r\n \r\n00005\r\nworld\r\n0\r\n\r\n",
		"hello world"},
	    {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
	    {"a\r\n01\r\n45\r\n89\r\n0\r\n\r\n", "01\r\n45\r\n89"},
	    {"1;a\r\nx\r\n0;a=b\r\n\r\n", "x"},
	    {"1;a;b=c;d=\"e;\\\"\r \"\r\nx\r\n0\r\n\r\n", NULL},
	    {"1;a;b=c;d=\"e;\\\",\t \"\r\nx\r\n0\r\n\r\n", "x"},
	    {"1;a=\"\";b\r\nx\r\n0\r\n\r\n", "x"},
	    {"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x"},
	    {"0\r\nA: \x80 \t:\r\n\r\n", ""},
	};
	char more[256];

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		if (!v[i].body) {
			check(H1_CHUNK_BAD, v[i].text, strlen(v[i].text), "",
			    0);
			continue;
		}
		check(H1_CHUNK_END, v[i].text, strlen(v[i].text), v[i].body,
		    strlen(v[i].text));
		/* what follows is left alone */
		snprintf(more, sizeof(more), "%sGET / HTTP", v[i].text);
		check(H1_CHUNK_END, more, strlen(more), v[i].body,
		    strlen(v[i].text));
		/* what is cut short never ends */
		for (size_t n = 1; n < strlen(v[i].text); n++)
			CU_ASSERT_EQUAL(decode(v[i].text, n, n),
			    H1_CHUNK_MORE);
	}
}

static void
test_bad(void)
{
	static const char *const v[] = {
	    "\r\n",
	    "\r\n5\r\nhello\r\n",
	    "\n",
	    " 5\r\nhello\r\n",
	    "5 \r\nhello\r\n",
	    "5\t\r\nhello\r\n",
	    "5 ;a\r\nhello\r\n",
	    "5; a\r\nhello\r\n",
	    "5;a \r\nhello\r\n",
	    "5;a =b\r\nhello\r\n",
	    "5;a= b\r\nhello\r\n",
	    "5\nhello\r\n",
	    "5\rhello\r\n",
	    "5\r\nhello\n0\r\n\r\n",
	    "5\r\nhello\r0\r\n\r\n",
	    "5\r\nhelloX\r\n",
	    "5\r\nhello0\r\n\r\n",
	    "4\r\nhello\r\n",
	    "-5\r\nhello\r\n",
	    "+5\r\nhello\r\n",
	    "0x5\r\nhello\r\n",
	    "5h\r\nhello\r\n",
	    "g\r\n",
	    ";a\r\n",
	    "5,\r\n",
	    "5;\r\n",
	    "5;;a\r\n",
	    "5;a=\r\n",
	    "5;=b\r\n",
	    "5;a=b=c\r\n",
	    "5;a=\"b\"c\r\n",
	    "5;a=\"b\r\nhello\r\n",
	    "5;a=\"\\\r\nhello\r\n",
	    "5;a=\"b\nc\"\r\nhello\r\n",
	    "5;a\nhello\r\n",
	    "5;a\r\r\nhello\r\n",
	    "5;a\x01\r\n",
	    "5;a\x80\r\n",
	    "8000000000000000\r\n",
	    "ffffffffffffffff\r\n",
	    "10000000000000000\r\n",
	    "00000000000000005\r\nhello\r\n",
	    "0\r\n\n",
	    "0\r\n\rX",
	    "0\n\r\n",
	    "0\r\n A: b\r\n\r\n",
	    "0\r\nA: b\r\n c\r\n\r\n",
	    "0\r\nA : b\r\n\r\n",
	    "0\r\nA\r\n\r\n",
	    "0\r\n: b\r\n\r\n",
	    "0\r\nA: b\n\r\n",
	    "0\r\nA: b\rc\r\n\r\n",
	    "0\r\nA: \x01\r\n\r\n",
	    "0\r\nA: \x7f\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		check(H1_CHUNK_BAD, v[i], strlen(v[i]), "", 0);
	check(H1_CHUNK_BAD, "\0" "5\r\nhello\r\n", 11, "", 0);
	check(H1_CHUNK_BAD, "5\0\r\nhello\r\n", 11, "", 0);
}

static void
test_limits(void)
{
	static char text[20000];
	struct h1_chunked c = {0};
	struct str data;
	size_t n, used;

	memset(text, 'x', sizeof(text));
	memcpy(text, "0;", 2);
	memcpy(text + H1_CHUNK_LINE_MAX, "\r\n\r\n", 4);
	n = H1_CHUNK_LINE_MAX + 4;
	CU_ASSERT_EQUAL(decode(text, n, n), H1_CHUNK_END);
	CU_ASSERT_EQUAL(decode(text, n, 7), H1_CHUNK_END);
	memcpy(text + H1_CHUNK_LINE_MAX, "x\r\n\r\n", 5);
	CU_ASSERT_EQUAL(decode(text, n + 1, n + 1), H1_CHUNK_BAD);
	CU_ASSERT_EQUAL(decode(text, n + 1, 7), H1_CHUNK_BAD);

	/* The limit is of each line, not of all lines together. */
	for (n = 0; n + 1000 < sizeof(text); n += 1000) {
		memset(text + n, 'x', 1000);
		memcpy(text + n, "1;", 2);
		memcpy(text + n + 1000 - 5, "\r\nx\r\n", 5);
	}
	CU_ASSERT_EQUAL(decode(text, n, 4000), H1_CHUNK_MORE);
	CU_ASSERT_EQUAL(body_len, n / 1000);

	memset(text, 'x', sizeof(text));
	memcpy(text, "0\r\nA:", 5);
	memcpy(text + 3 + H1_TRAILER_MAX - 4, "\r\n\r\n", 4);
	n = 3 + H1_TRAILER_MAX;
	CU_ASSERT_EQUAL(decode(text, n, n), H1_CHUNK_END);
	memcpy(text + 3 + H1_TRAILER_MAX - 4, "x\r\n\r\n", 5);
	CU_ASSERT_EQUAL(decode(text, n + 1, n + 1), H1_CHUNK_BAD);
	CU_ASSERT_EQUAL(decode(text, n + 1, 7), H1_CHUNK_BAD);

	CU_ASSERT_EQUAL(
	    h1_chunked_next(&c, "7fffffffffffffff\r\nabc", 21, &used, &data),
	    H1_CHUNK_DATA);
	CU_ASSERT_EQUAL(used, 21);
	CU_ASSERT(str_eq(data, STR("abc")));
	CU_ASSERT_EQUAL(c.left, (uint64_t)INT64_MAX - 3);
}

static void
test_begin(void)
{
	static const struct {
		uint64_t len;
		const char *text;
	} v[] = {
	    {0, "0\r\n"},
	    {1, "1\r\n"},
	    {15, "f\r\n"},
	    {16, "10\r\n"},
	    {0xabcdef, "abcdef\r\n"},
	    {INT64_MAX, "7fffffffffffffff\r\n"},
	    {UINT64_MAX, "ffffffffffffffff\r\n"},
	};
	char to[H1_CHUNK_HEAD_MAX];

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		unsigned n = h1_chunk_begin(to, v[i].len);

		CU_ASSERT(str_eq(str_of(to, n), str_from_z(v[i].text)));
	}
	CU_ASSERT_EQUAL(decode(H1_CHUNK_LAST, 5, 5), H1_CHUNK_END);
}

void
suite_http1_chunked(void)
{
	CU_pSuite s = CU_add_suite("http1_chunked", NULL, NULL);

	CU_add_test(s, "good", test_good);
	CU_add_test(s, "bad", test_bad);
	CU_add_test(s, "limits", test_limits);
	CU_add_test(s, "begin", test_begin);
}
