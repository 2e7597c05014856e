/*
 * test_http_date.c - dates: three forms read, one written.
 */
#include <CUnit/CUnit.h>

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "http_date.h"

/* 2024-01-01 */
static const double now = 1704067200;

static void
test_parse(void)
{
	static const struct {
		const char *text;
		double t;
	} v[] = {
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
	    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
	    {"Sun Nov  6 08:49:37 1994", 784111777},
	    {"Sun Nov 06 08:49:37 1994", 784111777},
	    {"Wed Nov 16 08:49:37 1994", 784975777},
	    /* the wrong day of the week */
	    {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777},
	    {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
	    {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
	    {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800},
	    {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
	    {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
	    {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
	    {"Mon, 01 Jan 0001 00:00:00 GMT", -62135596800},
	    {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
	    /* two digits: at most 50 years ahead */
	    {"Monday, 01-Jan-24 00:00:00 GMT", 1704067200},
	    {"Monday, 01-Jan-74 00:00:00 GMT", 3281990400},
	    {"Monday, 01-Jan-75 00:00:00 GMT", 157766400},
	    {"Monday, 01-Jan-99 00:00:00 GMT", 915148800},
	    {"Monday, 01-Jan-00 00:00:00 GMT", 946684800},
	    {"", 0},
	    {"0", 0},
	    {"-1", 0},
	    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	    {"784111777", 0},
	    {"Sun, 06 Nov 1994 08:49:37", 0},
	    {"Sun, 06 Nov 1994 08:49:37 UTC", 0},
	    {"Sun, 06 Nov 1994 08:49:37 gmt", 0},
	    {"Sun, 06 Nov 1994 08:49:37 +0000", 0},
	    {"Sun, 06 Nov 1994 08:49:37 GMT ", 0},
	    {" Sun, 06 Nov 1994 08:49:37 GMT", 0},
	    {"Sun,06 Nov 1994 08:49:37 GMT", 0},
	    {"Sun, 6 Nov 1994 08:49:37 GMT", 0},
	    {"Sun,  6 Nov 1994 08:49:37 GMT", 0},
	    {"sun, 06 Nov 1994 08:49:37 GMT", 0},
	    {"Sun, 06 nov 1994 08:49:37 GMT", 0},
	    {"Xxx, 06 Nov 1994 08:49:37 GMT", 0},
	    {"Sun, 06 Xxx 1994 08:49:37 GMT", 0},
	    {"Sun, 06 Nov 94 08:49:37 GMT", 0},
	    {"Sun, 06-Nov-1994 08:49:37 GMT", 0},
	    {"Sunday, 06 Nov 1994 08:49:37 GMT", 0},
	    {"Sunday, 06-Nov-1994 08:49:37 GMT", 0},
	    {"Sun, 06 Nov 1994 8:49:37 GMT", 0},
	    {"Sun, 06 Nov 1994 08:49 GMT", 0},
	    {"Sun, 06 Nov 1994 24:00:00 GMT", 0},
	    {"Sun, 06 Nov 1994 08:60:37 GMT", 0},
	    {"Sun, 06 Nov 1994 08:49:61 GMT", 0},
	    {"Sun, 00 Nov 1994 08:49:37 GMT", 0},
	    {"Sun, 31 Nov 1994 08:49:37 GMT", 0},
	    {"Wed, 29 Feb 2023 00:00:00 GMT", 0},
	    {"Mon, 29 Feb 1900 00:00:00 GMT", 0},
	    {"Sat, 01 Jan 0000 00:00:00 GMT", 0},
	    {"Sun Nov 6 08:49:37 1994", 0},
	    {"Sun Nov  6 08:49:37 94", 0},
	    {"Sun Nov  6 08:49:37 1994 GMT", 0},
	    {"Sun Nov 006 08:49:37 1994", 0},
	    {"Sun, 06 Nov +994 08:49:37 GMT", 0},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		double t = http_date_parse(str_from_z(v[i].text), now);

		if (t != v[i].t) {
			fprintf(stderr, "%s: %.0f\n", v[i].text, t);
			CU_FAIL("date");
		}
	}
	CU_ASSERT_EQUAL(http_date_parse(STR_NULL, now), 0);
	/* one NUL or letter too many, or cut short */
	CU_ASSERT_EQUAL(http_date_parse(
			    str_of("Sun, 06 Nov 1994 08:49:37 GMT", 30), now),
	    0);
	for (size_t n = 0; n < 29; n++)
		CU_ASSERT_EQUAL(
		    http_date_parse(
			str_of("Sun, 06 Nov 1994 08:49:37 GMT", n), now),
		    0);
	/* no sensible now */
	CU_ASSERT_NOT_EQUAL(
	    http_date_parse(STR("Monday, 01-Jan-24 00:00:00 GMT"), NAN), 0);
}

static void
test_format(void)
{
	char out[HTTP_DATE_LEN + 1];

	http_date_format(784111777.9, out);
	CU_ASSERT_STRING_EQUAL(out, "Sun, 06 Nov 1994 08:49:37 GMT");
	http_date_format(0, out);
	CU_ASSERT_STRING_EQUAL(out, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date_format(-0.5, out);
	CU_ASSERT_STRING_EQUAL(out, "Wed, 31 Dec 1969 23:59:59 GMT");
	http_date_format(1e300, out);
	CU_ASSERT_STRING_EQUAL(out, "Fri, 31 Dec 9999 23:59:59 GMT");
	http_date_format(-INFINITY, out);
	CU_ASSERT_STRING_EQUAL(out, "Mon, 01 Jan 0001 00:00:00 GMT");
	http_date_format(NAN, out);
	CU_ASSERT_STRING_EQUAL(out, "Thu, 01 Jan 1970 00:00:00 GMT");
}

/* As gmtime() and strftime() have it, and back again, through 4000 years */
static void
test_round_trip(void)
{
	char out[HTTP_DATE_LEN + 1], wanted[64];

	for (time_t t = -62135596800; t < 64000000000; t += 86400 * 13 + 4711) {
		struct tm tm;

		gmtime_r(&t, &tm);
		snprintf(wanted, sizeof(wanted),
		    "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		    &"SunMonTueWedThuFriSat"[3 * tm.tm_wday], tm.tm_mday,
		    &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * tm.tm_mon],
		    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		http_date_format(t, out);
		if (strcmp(out, wanted) ||
		    http_date_parse(str_from_z(out), now) != t) {
			fprintf(stderr, "%s, wanted %s\n", out, wanted);
			CU_FAIL("round trip");
			return;
		}
	}
}

void
suite_http_date(void)
{
	CU_pSuite s = CU_add_suite("http_date", NULL, NULL);

	CU_add_test(s, "parse", test_parse);
	CU_add_test(s, "format", test_format);
	CU_add_test(s, "round trip", test_round_trip);
}
