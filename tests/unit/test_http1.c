/*
 * test_http1.c - heads of requests and responses, whole and in pieces.
 *
 * Every table entry is parsed in one piece, byte by byte, and cut at each
 * place, always from a buffer that ends exactly where the bytes do, so that a
 * sanitizer sees a read beyond them.
 */
#include <CUnit/CUnit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1.h"

enum { FIELDS = 8 };

static const struct h1_limits limits = {.head = 4096, .line = 1024};
static struct field fields[FIELDS];
static struct h1_framing framing;
static struct http h;
static size_t head_len;
static const char *why;

/* The bytes that h points into */
static char *bytes;

static void
release(void)
{
	free(bytes);
	bytes = NULL;
}

/* Copies len bytes of text to a buffer of their own, and parses them. */
static enum h1_result
parse_bytes(bool request, bool head, const char *text, size_t len,
    struct h1_scan *scan, const struct h1_limits *l)
{
	release();
	bytes = malloc(len ? len : 1);
	memcpy(bytes, text, len);
	memset(&h, 0, sizeof(h));
	memset(fields, 0xa5, sizeof(fields));
	h.field = fields;
	h.field_cap = FIELDS;
	why = NULL;
	if (request)
		return h1_parse_request(&h, &framing, bytes, len, scan, l,
		    &head_len, &why);
	return h1_parse_response(&h, &framing, head, bytes, len, scan, l,
	    &head_len, &why);
}

/*
 * Parses the text in the pieces that end at cut and at its end; step != 0:
 * and at every step-th byte.
 */
static enum h1_result
parse_pieces(bool request, const char *text, size_t len, size_t cut,
    size_t step)
{
	enum h1_result r = H1_MORE;
	struct h1_scan scan = {0};

	for (size_t n = step ? step : cut; r == H1_MORE; n += step) {
		if (n > len || (!step && n != cut))
			n = len;
		r = parse_bytes(request, false, text, n, &scan, &limits);
		if (n == len)
			break;
		if (!step)
			n = len;
	}
	return r;
}

static enum h1_result
parse(bool request, const char *text, size_t len)
{
	struct h1_scan scan = {0};
	enum h1_result r, again;

	for (size_t cut = 0; cut <= len; cut++) {
		again = parse_pieces(request, text, len, cut, 0);
		scan = (struct h1_scan){0};
		r = parse_bytes(request, false, text, len, &scan, &limits);
		if (again != r) {
			fprintf(stderr, "cut %zu: %d, whole: %d: %s\n", cut,
			    again, r, text);
			CU_FAIL("pieces differ");
			return again;
		}
	}
	again = parse_pieces(request, text, len, 0, 1);
	if (again != r) {
		fprintf(stderr, "by bytes %d, whole %d: %s\n", again, r, text);
		CU_FAIL("bytes differ");
	}
	scan = (struct h1_scan){0};
	r = parse_bytes(request, false, text, len, &scan, &limits);
	if ((r != H1_OK && r != H1_MORE) != (why != NULL))
		CU_FAIL("why");
	return r;
}

struct vector {
	enum h1_result result;
	const char *text;
	size_t len; /* if the text has NULs */
};

static void
check(bool request, const struct vector *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = v[i].len ? v[i].len : strlen(v[i].text);
		enum h1_result r = parse(request, v[i].text, len);

		if (r == v[i].result)
			continue;
		fprintf(stderr, "result %d (%s), wanted %d: %s\n", r,
		    why ? why : "", v[i].result, v[i].text);
		CU_FAIL("result");
	}
	release();
}

#define CHECK(request, vectors)                                              \
	check(request, vectors, sizeof(vectors) / sizeof(*(vectors)))
#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" H
#define OK200 "HTTP/1.1 200 OK\r\n"

static void
test_start_line(void)
{
	static const struct vector v[] = {
	    {H1_OK, GET "\r\n", 0},
	    {H1_OK, "GET / HTTP/1.0\r\n\r\n", 0},
	    {H1_OK, "GET / HTTP/1.9\r\n" H "\r\n", 0},
	    {H1_OK, "\r\n" GET "\r\n", 0},
	    {H1_OK, "\r\n\r\n" GET "\r\n", 0},
	    {H1_OK, "M-x!#$%&'*+.^_`|~9 / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_OK, "GET /\x80\xff?<>\"{}|\\^` HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "\r\n\r\n\r\n" GET "\r\n", 0},
	    {H1_BAD, "\n" GET "\r\n", 0},
	    {H1_BAD, "\r" GET "\r\n", 0},
	    {H1_BAD, " GET / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "\tGET / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET  / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET /  HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1 \r\n" H "\r\n", 0},
	    {H1_BAD, "GET\t/ HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET /\tHTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET /a b HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET /a\tb HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET /a\x7f HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET /a\x01 HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET /a\0 HTTP/1.1\r\n" H "\r\n\r\n", 30},
	    {H1_BAD, "GET /a#b HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "G(T / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "G\x80T / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET: / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, " / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET  HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET\r\n" H "\r\n", 0},
	    {H1_BAD, "GET \r\n" H "\r\n", 0},
	    {H1_BAD, "GET /\r\n", 0},
	    {H1_BAD, "GET /\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / \r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.10\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/01.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1,1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / http/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/x.1\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / ICY/1.1.\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\r" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\r\r\n" H "\r\n", 0},
	    {H1_VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
	    {H1_VERSION, "GET / HTTP/3.0\r\n" H "\r\n", 0},
	    {H1_VERSION, "GET / HTTP/0.9\r\n" H "\r\n", 0},
	    {H1_MORE, "", 0},
	    {H1_MORE, "\r\n", 0},
	    {H1_MORE, "\r", 0},
	    {H1_MORE, "GET / HTT", 0},
	    {H1_MORE, "GET / HTTP/1.1\r", 0},
	    {H1_MORE, GET, 0},
	    {H1_MORE, GET "\r", 0},
	    {H1_BAD, "\x16\x03\x01\x02\x00\x01\x00", 7},
	};

	CHECK(true, v);
}

static void
test_fields(void)
{
	static const struct vector v[] = {
	    {H1_OK, GET "A:b\r\n\r\n", 0},
	    {H1_OK, GET "A: \t b c \t\r\n\r\n", 0},
	    {H1_OK, GET "A:\r\n\r\n", 0},
	    {H1_OK, GET "A:   \r\n\r\n", 0},
	    {H1_OK, GET "A: b\tc\x80\xff:;\"\r\n\r\n", 0},
	    {H1_OK, GET "X_y.z!#$%&'*+-^`|~: 1\r\n\r\n", 0},
	    {H1_BAD, GET "A : b\r\n\r\n", 0},
	    {H1_BAD, GET "A\t: b\r\n\r\n", 0},
	    {H1_BAD, GET " A: b\r\n\r\n", 0},
	    {H1_BAD, GET "\tA: b\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\r\n c\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\r\n\tc\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\r\n \r\n\r\n", 0},
	    {H1_BAD, GET ": b\r\n\r\n", 0},
	    {H1_BAD, GET ":\r\n\r\n", 0},
	    {H1_BAD, GET "A\r\n\r\n", 0},
	    {H1_BAD, GET "A b: c\r\n\r\n", 0},
	    {H1_BAD, GET "A(: c\r\n\r\n", 0},
	    {H1_BAD, GET "A\x80: c\r\n\r\n", 0},
	    {H1_BAD, GET "\xef\xbb\xbf" "A: c\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\nC: d\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\n\r\n", 0},
	    {H1_BAD, GET "A: b\rC: d\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\r\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\r\n\n", 0},
	    {H1_BAD, GET "A: b\r\n\r\r\n", 0},
	    {H1_BAD, GET "A: b\x01\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\x0b\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\x0c\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\x1f\r\n\r\n", 0},
	    {H1_BAD, GET "A: b\x7f\r\n\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", 33},
	    {H1_BAD, "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 0},
	    {H1_OK, GET "1: 1\r\n2: 2\r\n3: 3\r\n4: 4\r\n5: 5\r\n6: 6\r\n"
			"7: 7\r\n\r\n", 0},
	    {H1_TOO_LONG, GET "1: 1\r\n2: 2\r\n3: 3\r\n4: 4\r\n5: 5\r\n"
			      "6: 6\r\n7: 7\r\n8: 8\r\n\r\n", 0},
	};

	CHECK(true, v);
}

static void
test_targets(void)
{
#define LINE(target) "GET " target " HTTP/1.1\r\n" H "\r\n"
	static const struct vector v[] = {
	    {H1_OK, LINE("//x/y"), 0},
	    {H1_OK, LINE("/?a=/../%00"), 0},
	    {H1_OK, LINE("http://b"), 0},
	    {H1_OK, LINE("HTTPS://b:443/x"), 0},
	    {H1_OK, LINE("http://b:/x"), 0},
	    {H1_OK, LINE("http://[::1]:80/x"), 0},
	    {H1_OK, LINE("http://b?q"), 0},
	    {H1_BAD, LINE("http://"), 0},
	    {H1_BAD, LINE("http:///x"), 0},
	    {H1_BAD, LINE("http://:80/x"), 0},
	    {H1_BAD, LINE("http://?x"), 0},
	    {H1_BAD, LINE("http://u@b/x"), 0},
	    {H1_BAD, LINE("http://u:p@b/x"), 0},
	    {H1_BAD, LINE("http://b:x/"), 0},
	    {H1_BAD, LINE("http://b:65536/"), 0},
	    {H1_BAD, LINE("http://b\\c/"), 0},
	    {H1_BAD, LINE("http://[::1/"), 0},
	    {H1_BAD, LINE("http:/b/"), 0},
	    {H1_BAD, LINE("http:b"), 0},
	    {H1_BAD, LINE("ftp://b/"), 0},
	    {H1_BAD, LINE("ws://b/"), 0},
	    {H1_BAD, LINE("x"), 0},
	    {H1_BAD, LINE("?x"), 0},
	    {H1_BAD, LINE("*"), 0},
	    {H1_BAD, LINE("*/"), 0},
	    {H1_BAD, LINE("b:80"), 0},
	    {H1_OK, "OPTIONS * HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "options * HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_OK, "CONNECT b:443 HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_OK, "CONNECT [::1]:443 HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "CONNECT b HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "CONNECT b: HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "CONNECT :443 HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "CONNECT / HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "CONNECT * HTTP/1.1\r\n" H "\r\n", 0},
	    {H1_BAD, "CONNECT http://b/ HTTP/1.1\r\n" H "\r\n", 0},
	};

	CHECK(true, v);
}

static void
test_host(void)
{
#define HOST(value) "GET / HTTP/1.1\r\nHost:" value "\r\n\r\n"
	static const struct vector v[] = {
	    {H1_OK, HOST("a.example"), 0},
	    {H1_OK, HOST(" a.example:8080 "), 0},
	    {H1_OK, HOST(""), 0},
	    {H1_OK, HOST(" 127.0.0.1:65535"), 0},
	    {H1_OK, HOST(" [2001:db8::1]:80"), 0},
	    {H1_OK, HOST(" [::ffff:1.2.3.4]"), 0},
	    {H1_OK, HOST(" a_b-c~%41!$&'()*+,;="), 0},
	    {H1_OK, "GET / HTTP/1.0\r\n\r\n", 0},
	    {H1_OK, "GET / HTTP/1.0\r\n" H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\r\n\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.2\r\n\r\n", 0},
	    {H1_BAD, "GET http://a/ HTTP/1.1\r\n\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\r\n" H H "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\r\n" H "hOST:\r\n\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.0\r\n" H H "\r\n", 0},
	    {H1_BAD, "GET http://a/ HTTP/1.1\r\n" H H "\r\n", 0},
	    {H1_BAD, "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", 0},
	    {H1_BAD, HOST(" a b"), 0},
	    {H1_BAD, HOST(" a, b"), 0},
	    {H1_BAD, HOST(" a/b"), 0},
	    {H1_BAD, HOST(" u@b"), 0},
	    {H1_BAD, HOST(" a#b"), 0},
	    {H1_BAD, HOST(" a?b"), 0},
	    {H1_BAD, HOST(" http://a"), 0},
	    {H1_BAD, HOST(" a:"  "80a"), 0},
	    {H1_BAD, HOST(" a:-1"), 0},
	    {H1_BAD, HOST(" a:65536"), 0},
	    {H1_BAD, HOST(" a:80:80"), 0},
	    {H1_BAD, HOST(" :80"), 0},
	    {H1_BAD, HOST(" :"), 0},
	    {H1_BAD, HOST(" %4"), 0},
	    {H1_BAD, HOST(" %zz"), 0},
	    {H1_BAD, HOST(" [::1"), 0},
	    {H1_BAD, HOST(" [::1]x"), 0},
	    {H1_BAD, HOST(" [::g]"), 0},
	    {H1_BAD, HOST(" [::1%25eth0]"), 0},
	    {H1_BAD, HOST(" []"), 0},
	    {H1_BAD, HOST(" [1.2.3.4]"), 0},
	    {H1_BAD, HOST(" ::1"), 0},
	    {H1_BAD, HOST(" a\xc3\xa4"), 0},
	    {H1_BAD, HOST(" \"a\""), 0},
	    {H1_BAD, HOST(" a<"), 0},
	    {H1_BAD, HOST(" a\\b"), 0},
	};

	CHECK(true, v);
}

/* Requests that two servers could cut differently */
static void
test_smuggling(void)
{
#define POST "POST / HTTP/1.1\r\n" H
#define CL "Content-Length: 5\r\n"
#define TE "Transfer-Encoding: chunked\r\n"
	static const struct vector v[] = {
	    {H1_OK, POST CL "\r\n", 0},
	    {H1_OK, POST TE "\r\n", 0},
	    {H1_OK, POST "Content-Length: 0\r\n\r\n", 0},
	    {H1_OK, POST "Content-Length: 007\r\n\r\n", 0},
	    {H1_OK, POST "content-length:9223372036854775807\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 9223372036854775808\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 18446744073709551621\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 99999999999999999999\r\n\r\n", 0},
	    {H1_BAD, POST CL CL "\r\n", 0},
	    {H1_BAD, POST CL "Content-Length: 6\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 5, 5\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 5,\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length:\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: +5\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: -5\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 0x5\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 5 5\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 5;\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: \"5\"\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 5.0\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: 5e1\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length: \xd9\xa5\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length : 5\r\n\r\n", 0},
	    {H1_BAD, POST "Content-Length\t: 5\r\n\r\n", 0},
	    {H1_BAD, POST CL TE "\r\n", 0},
	    {H1_BAD, POST TE CL "\r\n", 0},
	    {H1_BAD, POST TE "Content-Length: x\r\n\r\n", 0},
	    {H1_BAD, POST TE TE "\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chunked, identity\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: identity\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: gzip\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding:\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: ,chunked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chunked,\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: xchunked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chunkedx\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chunked chunked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: chun\x0bked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding : chunked\r\n\r\n", 0},
	    {H1_BAD, POST "Transfer-Encoding: gzip\r\n" TE "A: b\n\r\n", 0},
	    {H1_BAD, POST TE "Transfer-Encoding: x\r\n\r\n", 0},
	    {H1_BAD, POST TE "Transfer-Encoding:\r\n\r\n", 0},
	    {H1_CODING, POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 0},
	    {H1_CODING, POST "Transfer-Encoding: x\r\n" TE "\r\n", 0},
	    {H1_OK, POST "tRANSFER-eNCODING:\tCHUNKED \r\n\r\n", 0},
	    {H1_OK, POST "Transfer_Encoding: chunked\r\n" CL "\r\n", 0},
	    {H1_BAD, "POST / HTTP/1.0\r\n" TE "\r\n", 0},
	    {H1_BAD, "POST / HTTP/1.0\r\n" TE CL "\r\n", 0},
	    {H1_BAD, "GET / HTTP/1.1\r\n" H "X: a\r\nX\r\n" TE "\r\n", 0},
	};

	CHECK(true, v);
}

static void
test_framing(void)
{
	static const struct {
		const char *text;
		enum h1_body body;
		unsigned length;
		bool keep, expect, upgrade;
	} v[] = {
	    {GET "\r\n", H1_NONE, 0, true, false, false},
	    {POST CL "\r\n", H1_LENGTH, 5, true, false, false},
	    {POST TE "\r\n", H1_CHUNKED, 0, true, false, false},
	    {GET "Connection: close\r\n\r\n", H1_NONE, 0, 0, 0, 0},
	    {GET "Connection: a, CLOSE ,b\r\n\r\n", H1_NONE, 0, 0, 0, 0},
	    {GET "Connection: keep-alive\r\nConnection: close\r\n\r\n", 0, 0,
		0, 0, 0},
	    {GET "Connection: closed\r\n\r\n", H1_NONE, 0, 1, 0, 0},
	    {"GET / HTTP/1.0\r\n\r\n", H1_NONE, 0, 0, 0, 0},
	    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, 0, 1, 0,
		0},
	    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", 0, 0,
		0, 0, 0},
	    {POST CL "Expect: 100-Continue\r\n\r\n", H1_LENGTH, 5, 1, 1, 0},
	    {POST CL "Expect: x\r\n\r\n", H1_LENGTH, 5, 1, 0, 0},
	    {"POST / HTTP/1.0\r\n" CL "Expect: 100-continue\r\n\r\n",
		H1_LENGTH, 5, 0, 0, 0},
	    {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 0, 0, 1,
		0, 1},
	    {GET "Upgrade: websocket\r\n\r\n", 0, 0, 1, 0, 0},
	    {GET "Connection: upgrade\r\n\r\n", 0, 0, 1, 0, 0},
	    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 0,
		0, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		CU_ASSERT_EQUAL(parse(true, v[i].text, strlen(v[i].text)),
		    H1_OK);
		CU_ASSERT_EQUAL(framing.body, v[i].body);
		CU_ASSERT_EQUAL(framing.length, v[i].length);
		CU_ASSERT_EQUAL(framing.keep_alive, v[i].keep);
		CU_ASSERT_EQUAL(framing.expect_continue, v[i].expect);
		CU_ASSERT_EQUAL(framing.upgrade, v[i].upgrade);
	}
	release();
}

static bool
is(struct str s, const char *text)
{
	return str_eq(s, str_from_z(text));
}

static bool
field_is(unsigned i, const char *name, const char *value)
{
	return i < h.field_n &&
	    is(str_of(fields[i].name, fields[i].name_len), name) &&
	    is(str_of(fields[i].value, fields[i].value_len), value);
}

static void
test_contents(void)
{
	static const char text[] =
	    "\r\nGET /index.html?a=b HTTP/1.1\r\n"
	    "hOsT:\twww.example.com:81 \t\r\nX-Other-Name-That-Is-Long:a b\r\n"
	    "Accept:\r\nCookie: k=v; \xff\r\n\r\n";
	static const char more[] = "GET /next";
	char both[sizeof(text) + sizeof(more)];

	snprintf(both, sizeof(both), "%s%s", text, more);
	CU_ASSERT_EQUAL(parse(true, both, strlen(both)), H1_OK);
	CU_ASSERT_EQUAL(head_len, strlen(text));
	CU_ASSERT(is(h.method, "GET"));
	CU_ASSERT(is(h.target, "/index.html?a=b"));
	CU_ASSERT_EQUAL(h.version, 11);
	CU_ASSERT_EQUAL(h.status, 0);
	CU_ASSERT_EQUAL(h.field_n, 4);
	CU_ASSERT(field_is(0, "hOsT", "www.example.com:81"));
	CU_ASSERT_EQUAL(fields[0].id, FIELD_HOST);
	CU_ASSERT(field_is(1, "X-Other-Name-That-Is-Long", "a b"));
	CU_ASSERT_EQUAL(fields[1].id, FIELD_OTHER);
	CU_ASSERT(field_is(2, "Accept", ""));
	CU_ASSERT_EQUAL(fields[2].id, FIELD_ACCEPT);
	CU_ASSERT(field_is(3, "Cookie", "k=v; \xff"));
	CU_ASSERT_EQUAL(fields[3].id, FIELD_COOKIE);
	release();
}

static void
test_absolute(void)
{
	static const struct {
		const char *line, *target, *host;
	} v[] = {
	    {"GET http://b.example", "/", "b.example"},
	    {"GET http://b.example/", "/", "b.example"},
	    {"GET HtTp://b.example:8080/x?y", "/x?y", "b.example:8080"},
	    {"GET http://b.example?y", "/?y", "b.example"},
	    {"GET https://[::1]:1?y", "/?y", "[::1]:1"},
	    {"GET http://b.example/?http://c", "/?http://c", "b.example"},
	    {"OPTIONS http://b.example", "*", "b.example"},
	    {"options http://b.example", "/", "b.example"},
	    {"OPTIONS http://b.example/", "/", "b.example"},
	    {"CONNECT b.example:443", "b.example:443", "a"},
	};
	char text[256];

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		snprintf(text, sizeof(text),
		    "%s HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n", v[i].line);
		CU_ASSERT_EQUAL(parse(true, text, strlen(text)), H1_OK);
		CU_ASSERT(is(h.target, v[i].target));
		CU_ASSERT_EQUAL(h.field_n, 2);
		CU_ASSERT(field_is(1, "Host", v[i].host));
	}
	CU_ASSERT_EQUAL(parse(true, "GET http://b/ HTTP/1.0\r\n\r\n", 26),
	    H1_OK);
	CU_ASSERT(field_is(0, "Host", "b"));
	release();
}

/* a head of target_len + 25 bytes */
static size_t
make_head(char *to, size_t target_len)
{
	size_t n = sprintf(to, "GET /");

	memset(to + n, 'x', target_len - 1);
	n += target_len - 1;
	return n + sprintf(to + n, " HTTP/1.1\r\n" H "\r\n");
}

static void
test_limits(void)
{
	static char text[8192];
	struct h1_limits l = {.head = 100, .line = 1000};
	struct h1_scan scan = {0};
	size_t len = make_head(text, 74);

	CU_ASSERT_EQUAL(len, 100);
	CU_ASSERT_EQUAL(parse_bytes(true, 0, text, len, &scan, &l), H1_OK);
	l.head = 99;
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0, text, len, &scan, &l),
	    H1_TOO_LONG);
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0, text, 98, &scan, &l), H1_MORE);
	CU_ASSERT_EQUAL(parse_bytes(true, 0, text, 99, &scan, &l),
	    H1_TOO_LONG);
	l.head = 40;
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0, text, len, &scan, &l),
	    H1_TARGET_TOO_LONG);
	/* the request line is as long as the head lets it, fields are not */
	l = (struct h1_limits){.head = 1000, .line = 7};
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0, text, len, &scan, &l), H1_OK);
	l.line--;
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0, text, len, &scan, &l),
	    H1_TOO_LONG);
	l.head = 3;
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0, "METHOD / ", 9, &scan, &l),
	    H1_TOO_LONG);
	l.head = 1000;
	l.line = 14;
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0,
			    "GET / HTTP/1.1\r\nHost: 012345678", 31, &scan,
			    &l),
	    H1_TOO_LONG);
	/* Names of more than 64 KiB do not fit a struct field. */
	l = (struct h1_limits){.head = 200000, .line = 200000};
	char *big = malloc(100000);
	memset(big, 'n', 100000);
	memcpy(big, "GET / HTTP/1.1\r\n", 16);
	memcpy(big + 99990, ": 1\r\n\r\n", 7);
	scan = (struct h1_scan){0};
	CU_ASSERT_EQUAL(parse_bytes(true, 0, big, 99997, &scan, &l),
	    H1_TOO_LONG);
	free(big);
	/* without room for any field */
	CU_ASSERT_EQUAL(h1_status(H1_BAD), 400);
	CU_ASSERT_EQUAL(h1_status(H1_TOO_LONG), 431);
	CU_ASSERT_EQUAL(h1_status(H1_TARGET_TOO_LONG), 414);
	CU_ASSERT_EQUAL(h1_status(H1_VERSION), 505);
	CU_ASSERT_EQUAL(h1_status(H1_CODING), 501);
	release();
}

/* A control character at each place of a long head is found, at once. */
static void
test_every_place(void)
{
	static const char good[] =
	    "GET /a/rather/long/target/of/a/request?with=query HTTP/1.1\r\n"
	    "Host: www.example.com\r\nUser-Agent: something/1.0 (and more)\r\n"
	    "A-Name-Of-More-Than-Sixteen-Bytes: and its value\r\n\r\n";
	char text[sizeof(good)];
	size_t len = sizeof(good) - 1;

	for (size_t i = 0; i < len; i++) {
		struct h1_scan scan = {0};

		memcpy(text, good, sizeof(text));
		text[i] = 0x01;
		CU_ASSERT_EQUAL(
		    parse_bytes(true, false, text, len, &scan, &limits),
		    H1_BAD);
		scan = (struct h1_scan){0};
		/* a CR at the end may still get its LF */
		if (i == 0 || good[i - 1] != '\r')
			CU_ASSERT_EQUAL(parse_bytes(true, false, text, i + 1,
					    &scan, &limits),
			    H1_BAD);
		memcpy(text, good, sizeof(text));
		text[i] = '\0';
		scan = (struct h1_scan){0};
		CU_ASSERT_EQUAL(
		    parse_bytes(true, false, text, len, &scan, &limits),
		    H1_BAD);
	}
	release();
}

static void
test_status_line(void)
{
	static const struct vector v[] = {
	    {H1_OK, OK200 "\r\n", 0},
	    {H1_OK, "HTTP/1.1 200 \r\n\r\n", 0},
	    {H1_OK, "HTTP/1.1 200\r\n\r\n", 0},
	    {H1_OK, "HTTP/1.0 599 a\tb \xff\r\n\r\n", 0},
	    {H1_OK, "HTTP/1.1 100 Continue\r\n\r\n", 0},
	    {H1_BAD, "\r\n" OK200 "\r\n", 0},
	    {H1_BAD, "HTTP/1.1 099 x\r\n\r\n", 0},
	    {H1_OK, "HTTP/1.1 600 x\r\n\r\n", 0},
	    {H1_OK, "HTTP/1.1 999 x\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1 20 x\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1 2000 x\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1 200x\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1 +20 x\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1  200 x\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1\t200 x\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1 200\tx\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1\r\n\r\n", 0},
	    {H1_BAD, "HTTP 200 OK\r\n\r\n", 0},
	    {H1_BAD, "ICY 200 OK\r\n\r\n", 0},
	    {H1_BAD, "<html>hello</html>\r\n", 0},
	    {H1_BAD, "HTTP/1.1 200 O\x01K\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.1 200 OK\n\n", 0},
	    {H1_VERSION, "HTTP/2.0 200 OK\r\n\r\n", 0},
	    {H1_BAD, OK200 "A: b\r\n c\r\n\r\n", 0},
	    {H1_BAD, OK200 "A : b\r\n\r\n", 0},
	    {H1_BAD, OK200 "A: b\x7f\r\n\r\n", 0},
	    {H1_BAD, OK200 CL CL "\r\n", 0},
	    {H1_BAD, OK200 "Content-Length: 5, 5\r\n\r\n", 0},
	    {H1_BAD, OK200 "Content-Length: \r\n\r\n", 0},
	    {H1_BAD, OK200 CL TE "\r\n", 0},
	    {H1_BAD, OK200 "Transfer-Encoding: gzip\r\n\r\n", 0},
	    {H1_BAD, OK200 "Transfer-Encoding: gzip, chunked\r\n\r\n", 0},
	    {H1_BAD, OK200 "Transfer-Encoding: chunked, gzip\r\n\r\n", 0},
	    {H1_BAD, "HTTP/1.0 200 OK\r\n" TE "\r\n", 0},
	    {H1_MORE, "HTTP/1.1 200 OK\r\n", 0},
	};

	CHECK(false, v);
}

static void
test_response_framing(void)
{
	static const struct {
		const char *text;
		bool head;
		enum h1_body body;
		unsigned length;
		bool keep;
	} v[] = {
	    {OK200 CL "\r\n", false, H1_LENGTH, 5, true},
	    {OK200 TE "\r\n", false, H1_CHUNKED, 0, true},
	    {OK200 "\r\n", false, H1_UNTIL_CLOSE, 0, false},
	    {OK200 "Connection: keep-alive\r\n\r\n", false, H1_UNTIL_CLOSE, 0,
		false},
	    {OK200 CL "Connection: close\r\n\r\n", false, H1_LENGTH, 5, false},
	    {"HTTP/1.0 200 OK\r\n" CL "\r\n", false, H1_LENGTH, 5, false},
	    {"HTTP/1.0 200 OK\r\n" CL "Connection: keep-alive\r\n\r\n", false,
		H1_LENGTH, 5, true},
	    {OK200 CL "\r\n", true, H1_NONE, 0, true},
	    {OK200 TE "\r\n", true, H1_NONE, 0, true},
	    {OK200 "\r\n", true, H1_NONE, 0, true},
	    {"HTTP/1.1 304 x\r\n" CL "\r\n", false, H1_NONE, 0, true},
	    {"HTTP/1.1 304 x\r\n\r\n", false, H1_NONE, 0, true},
	    {"HTTP/1.1 204 x\r\n\r\n", false, H1_NONE, 0, true},
	    {"HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", false, H1_NONE, 0,
		true},
	    {"HTTP/1.1 204 x\r\n" CL "\r\n", false, H1_NONE, 0, false},
	    {"HTTP/1.1 204 x\r\n" TE "\r\n", false, H1_NONE, 0, false},
	    {"HTTP/1.1 100 x\r\n\r\n", false, H1_NONE, 0, true},
	    {"HTTP/1.1 103 x\r\nLink: x\r\n\r\n", false, H1_NONE, 0, true},
	    {"HTTP/1.1 205 x\r\n\r\n", false, H1_UNTIL_CLOSE, 0, false},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct h1_scan scan = {0};

		CU_ASSERT_EQUAL(parse_bytes(false, v[i].head, v[i].text,
				    strlen(v[i].text), &scan, &limits),
		    H1_OK);
		CU_ASSERT_EQUAL(framing.body, v[i].body);
		CU_ASSERT_EQUAL(framing.length, v[i].length);
		CU_ASSERT_EQUAL(framing.keep_alive, v[i].keep);
		CU_ASSERT_EQUAL(head_len, strlen(v[i].text));
	}
	parse(false, "HTTP/1.1 404 Not Here\r\nA: b\r\n\r\n", 31);
	CU_ASSERT_EQUAL(h.status, 404);
	CU_ASSERT(is(h.reason, "Not Here"));
	CU_ASSERT(field_is(0, "A", "b"));
	parse(false, "HTTP/1.0 200\r\n\r\n", 16);
	CU_ASSERT_PTR_NOT_NULL(h.reason.p);
	CU_ASSERT_EQUAL(h.reason.len, 0);
	CU_ASSERT_EQUAL(h.version, 10);
	release();
}

void
suite_http1(void)
{
	CU_pSuite s = CU_add_suite("http1", NULL, NULL);

	CU_add_test(s, "start line", test_start_line);
	CU_add_test(s, "fields", test_fields);
	CU_add_test(s, "targets", test_targets);
	CU_add_test(s, "host", test_host);
	CU_add_test(s, "smuggling", test_smuggling);
	CU_add_test(s, "framing", test_framing);
	CU_add_test(s, "contents", test_contents);
	CU_add_test(s, "absolute form", test_absolute);
	CU_add_test(s, "limits", test_limits);
	CU_add_test(s, "every place", test_every_place);
	CU_add_test(s, "status line", test_status_line);
	CU_add_test(s, "response framing", test_response_framing);
}
