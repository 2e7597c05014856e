/*
 * test_byte_range.c - Range, Content-Range, and sets of ranges.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "byte_range.h"

void suite_byte_range(void);

static void
test_range(void)
{
	static const struct {
		const char *value;
		unsigned size;
		enum range_result result;
		unsigned first, last;
	} v[] = {
	    {"bytes=0-499", 1000, RANGE_SOME, 0, 499},
	    {"BYTES=500-999", 1000, RANGE_SOME, 500, 999},
	    {"bytes=500-", 1000, RANGE_SOME, 500, 999},
	    {"bytes=0-", 1000, RANGE_SOME, 0, 999},
	    {"bytes=-1", 1000, RANGE_SOME, 999, 999},
	    {"bytes=-1000", 1000, RANGE_SOME, 0, 999},
	    {"bytes=-2000", 1000, RANGE_SOME, 0, 999},
	    {"bytes=0-0", 1000, RANGE_SOME, 0, 0},
	    {"bytes=999-5000", 1000, RANGE_SOME, 999, 999},
	    {"bytes=1-99999999999999999999999", 1000, RANGE_SOME, 1, 999},
	    {"bytes=-99999999999999999999999", 1000, RANGE_SOME, 0, 999},
	    {"bytes=0-1,", 1000, RANGE_SOME, 0, 1},
	    {"bytes=,0-1", 1000, RANGE_SOME, 0, 1},
	    {"bytes=0-1 ", 1000, RANGE_SOME, 0, 1},
	    {"bytes=1000-", 1000, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=1000-2000", 1000, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=99999999999999999999-", 1000, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=-0", 1000, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=0-0", 0, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=-5", 0, RANGE_NONE, 0, 0},
	    {"bytes=-0", 0, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=2000-,5000-", 1000, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=0-1,x", 1000, RANGE_NONE, 0, 0},
	    {"bytes=2-1", 1000, RANGE_NONE, 0, 0},
	    {"bytes=0-1,2-1", 1000, RANGE_NONE, 0, 0},
	    {"bytes=2000-1000", 1000, RANGE_NONE, 0, 0},
	    {"bytes=", 1000, RANGE_NONE, 0, 0},
	    {"bytes=,", 1000, RANGE_NONE, 0, 0},
	    {"bytes=-", 1000, RANGE_NONE, 0, 0},
	    {"bytes=5", 1000, RANGE_NONE, 0, 0},
	    {"bytes=--5", 1000, RANGE_NONE, 0, 0},
	    {"bytes=0--5", 1000, RANGE_NONE, 0, 0},
	    {"bytes=0-5-", 1000, RANGE_NONE, 0, 0},
	    {"bytes=+0-5", 1000, RANGE_NONE, 0, 0},
	    {"bytes= 0-5", 1000, RANGE_NONE, 0, 0},
	    {"bytes =0-5", 1000, RANGE_NONE, 0, 0},
	    {"bytes=0 -5", 1000, RANGE_NONE, 0, 0},
	    {"bytes=0- 5", 1000, RANGE_NONE, 0, 0},
	    {"bytes=a-b", 1000, RANGE_NONE, 0, 0},
	    {"bytes=0x0-5", 1000, RANGE_NONE, 0, 0},
	    {"bytes 0-5", 1000, RANGE_NONE, 0, 0},
	    {"bytes", 1000, RANGE_NONE, 0, 0},
	    {"items=0-5", 1000, RANGE_NONE, 0, 0},
	    {"0-5", 1000, RANGE_NONE, 0, 0},
	    {"", 1000, RANGE_NONE, 0, 0},
	};
	struct byte_range set[8];
	unsigned n;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		enum range_result r = range_parse(str_from_z(v[i].value),
		    v[i].size, set, 8, &n);

		if (r != v[i].result) {
			fprintf(stderr, "%s: %d\n", v[i].value, r);
			CU_FAIL("range");
		} else if (r == RANGE_SOME) {
			CU_ASSERT_EQUAL(n, 1);
			CU_ASSERT_EQUAL(set[0].first, v[i].first);
			CU_ASSERT_EQUAL(set[0].last, v[i].last);
		}
	}
	CU_ASSERT_EQUAL(range_parse(STR_NULL, 5, set, 8, &n), RANGE_NONE);
	CU_ASSERT_EQUAL(range_parse(STR("bytes=18446744073709551614-"),
	    UINT64_MAX, set, 8, &n), RANGE_SOME);
	CU_ASSERT_EQUAL(set[0].first, UINT64_MAX - 1);
	CU_ASSERT_EQUAL(set[0].last, UINT64_MAX - 1);
}

/* "0-1,5-6" */
static const char *
text_of(const struct byte_range *set, unsigned n)
{
	static char text[400];
	size_t at = 0;

	text[0] = 0;
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof text - at,
		    "%s%llu-%llu", i > 0 ? "," : "",
		    (unsigned long long)set[i].first,
		    (unsigned long long)set[i].last);
	return text;
}

static void
test_several(void)
{
	static const struct {
		const char *value, *set;
	} v[] = {
	    {"bytes=0-9,500-509", "0-9,500-509"},
	    {"bytes=0-9 ,\t500-509", "0-9,500-509"},
	    {"bytes=500-509,0-9", "500-509,0-9"},
	    {"bytes=0-9,5000-", "0-9"},
	    {"bytes=0-9,-10", "0-9,990-999"},
	    {"bytes=5000-,6000-", ""},
	    /* overlapping, touching, and near */
	    {"bytes=0-9,5-20", "0-20"},
	    {"bytes=0-9,10-20", "0-20"},
	    {"bytes=0-9,90-99", "0-99"},
	    {"bytes=0-9,91-99", "0-9,91-99"},
	    {"bytes=10-20,0-9", "0-20"},
	    {"bytes=0-,0-,0-", "0-999"},
	    {"bytes=500-509,0-9,505-600", "500-600,0-9"},
	    /* one that joins two others */
	    {"bytes=0-9,800-809,200-209,0-210", "0-210,800-809"},
	    {"bytes=800-809,0-9,200-209,50-900", "0-900"},
	    {"bytes=900-909,0-9,200-209,700-709,5-300",
		"900-909,0-300,700-709"},
	    {"bytes=0-0,200-200,400-400,600-600,800-800,-1,1-1,0-0",
	    "0-1,200-200,400-400,600-600,800-800,999-999"},
	    /* too many */
	    {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", NULL},
	    {"bytes=0-1,x", NULL},
	};
	struct byte_range set[8];
	unsigned n;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		enum range_result r = range_parse(str_from_z(v[i].value),
		    1000, set, 8, &n);

		CU_ASSERT_EQUAL(r, v[i].set == NULL ? RANGE_NONE :
		    v[i].set[0] == 0 ? RANGE_UNSATISFIABLE : RANGE_SOME);
		if (r == RANGE_SOME && strcmp(text_of(set, n), v[i].set)) {
			fprintf(stderr, "%s: %s\n", v[i].value,
			    text_of(set, n));
			CU_FAIL("set");
		}
	}
}

static void
test_begin(void)
{
	struct byte_range r;

	CU_ASSERT(range_begin(STR("bytes=5-9"), &r));
	CU_ASSERT(r.first == 5 && r.last == 9);
	CU_ASSERT(range_begin(STR("bytes=5-, 7-8"), &r));
	CU_ASSERT(r.first == 5 && r.last == UINT64_MAX);
	CU_ASSERT(!range_begin(STR("bytes=-5"), &r));
	CU_ASSERT(!range_begin(STR("bytes="), &r));
	CU_ASSERT(!range_begin(STR("lines=1-2"), &r));
	CU_ASSERT(!range_begin(STR_NULL, &r));
}

static void
test_content_range(void)
{
	static const char *const bad[] = {"", "bytes", "bytes 0-9",
	    "bytes 0-9/", "bytes 0-9/*", "bytes */10", "bytes 9-0/10",
	    "bytes 0-10/10", "bytes 0-9/10x", "bytes  0-9/10", "bytes 0 -9/10",
	    "bytes=0-9/10", "items 0-9/10", "bytes -9/10", "bytes 0-/10",
	    "bytes 0-9/99999999999999999999", "bytes 0-9/-10"};
	struct byte_range r;
	uint64_t size;

	CU_ASSERT(content_range_parse(STR("bytes 0-9/10"), &r, &size));
	CU_ASSERT(r.first == 0 && r.last == 9 && size == 10);
	CU_ASSERT(content_range_parse(STR("Bytes 7-7/1000000000000"), &r,
	    &size));
	CU_ASSERT(r.first == 7 && r.last == 7 && size == 1000000000000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CU_ASSERT(!content_range_parse(str_from_z(bad[i]), &r, &size));
}

void
suite_byte_range(void)
{
	CU_pSuite s = CU_add_suite("byte_range", NULL, NULL);

	CU_add_test(s, "range", test_range);
	CU_add_test(s, "several", test_several);
	CU_add_test(s, "begin", test_begin);
	CU_add_test(s, "content_range", test_content_range);
}
