/*
 * parse_bench.c - what parsing and writing a head costs, in ns.
 *
 *      parse_bench [rounds]
 *
 * Of each measurement the best of nine is printed, which is the one that the
 * machine disturbed least.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http1.h"
#include "http_date.h"
#include "http_semantics.h"

static const char browser[] =
    "GET /assets/css/site-7f3a2b.css?v=20240117 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n"
    "Accept: text/css,*/*;q=0.1\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: no-cors\r\n"
    "Referer: https://www.example.com/articles/2024/01/something.html\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "\r\n";
static const char small[] = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
static const char response[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Server: Apache/2.4.57 (Debian)\r\n"
    "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\r\n"
    "ETag: \"2aa6-5f3b7c9d1e2c0\"\r\n"
    "Accept-Ranges: bytes\r\n"
    "Content-Length: 10918\r\n"
    "Cache-Control: max-age=3600, public, stale-while-revalidate=60\r\n"
    "Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\n"
    "Vary: Accept-Encoding\r\n"
    "Content-Type: text/css; charset=utf-8\r\n"
    "\r\n";

enum { FIELDS = 64, TRIES = 9 };

static struct field fields[FIELDS];
static struct http h = {.field = fields, .field_cap = FIELDS};
static struct h1_framing framing;
static char buffer[4096];
static size_t length, sink;

static void
load(const char *text)
{
	length = strlen(text);
	memcpy(buffer, text, length);
}

static bool
parse_once(size_t len, struct h1_scan *scan)
{
	static const struct h1_limits limits = {.head = 32768, .line = 8192};
	const char *why;
	size_t head_len;

	return h1_parse_request(&h, &framing, buffer, len, scan, &limits,
		   &head_len, &why) == H1_OK;
}

static void
run_request(void)
{
	struct h1_scan scan = {0};

	sink += parse_once(length, &scan);
}

static void
run_two_pieces(void)
{
	struct h1_scan scan = {0};

	sink += parse_once(length - 100, &scan);
	sink += parse_once(length, &scan);
}

static void
run_response(void)
{
	static const struct h1_limits limits = {.head = 32768, .line = 8192};
	struct h1_scan scan = {0};
	const char *why;
	size_t head_len;

	sink += h1_parse_response(&h, &framing, false, buffer, length, &scan,
	    &limits, &head_len, &why);
}

static void
run_write(void)
{
	char to[4096];

	sink += http_write_response(&h, to) - to;
	__asm__ volatile("" : : "r"(to) : "memory");
}

static void
run_freshness(void)
{
	struct freshness f;

	freshness_of(&f, &h, 784111777,
	    &(struct freshness_rules){.default_ttl = 120});
	sink += f.ttl;
}

static void
run_date_parse(void)
{
	sink += http_date_parse(STR("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
}

static void
run_date_format(void)
{
	char out[HTTP_DATE_LEN + 1];

	http_date_format(784111777 + (sink & 1023), out);
	sink += out[5];
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void
measure(const char *what, void (*run)(void), unsigned rounds)
{
	double best = 1e18;

	for (int try = 0; try < TRIES; try++) {
		double begin = now_ns();

		for (unsigned i = 0; i < rounds; i++)
			run();
		begin = (now_ns() - begin) / rounds;
		if (begin < best)
			best = begin;
	}
	printf("%-40s %8.1f ns\n", what, best);
}

int
main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;

	load(small);
	measure("request, 1 field", run_request, rounds);
	load(browser);
	measure("request of a browser, 10 fields", run_request, rounds);
	measure("the same in two pieces", run_two_pieces, rounds);
	load(response);
	measure("response, 10 fields", run_response, rounds);
	measure("its freshness", run_freshness, rounds);
	measure("writing it", run_write, rounds);
	measure("http_date_parse", run_date_parse, rounds);
	measure("http_date_format", run_date_format, rounds);
	return sink == 0;
}
