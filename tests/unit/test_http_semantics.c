/*
 * test_http_semantics.c - Cache-Control, freshness, entity tags.
 */
#include <CUnit/CUnit.h>

#include <stdio.h>
#include <string.h>

#include "http_date.h"
#include "http_semantics.h"

enum { FIELDS = 8 };

static struct field fields[FIELDS];
static struct http h;

/* Fields as "Name: value\nName: value" */
static void
load(unsigned status, const char *text)
{
	memset(&h, 0, sizeof(h));
	h.field = fields;
	h.field_cap = FIELDS;
	h.status = status;
	while (*text) {
		const char *colon = strchr(text, ':');
		size_t len = strcspn(colon + 2, "\n");
		struct field_name name = {str_of(text, colon - text), 0};

		name.id = field_id(name.name);
		http_add(&h, &name, str_of(colon + 2, len));
		text = colon + 2 + len;
		text += *text == '\n';
	}
}

static struct cache_control
control(const char *value)
{
	struct cache_control cc;
	char text[512];

	snprintf(text, sizeof(text), "Cache-Control: %s", value);
	load(200, text);
	cache_control_parse(&cc, &h);
	return cc;
}

static void
test_ages(void)
{
	static const struct {
		const char *value;
		int64_t max_age;
	} v[] = {
	    {"", -1},
	    {"public", -1},
	    {"max-age=60", 60},
	    {"MAX-AGE=60", 60},
	    {"max-age=\"60\"", 60},
	    {"a, max-age=60 , b", 60},
	    {",,max-age=60,", 60},
	    {"max-age=0", 0},
	    {"max-age=060", 60},
	    {"max-age=2147483647", INT64_C(2147483647)},
	    {"max-age=2147483648", CACHE_CONTROL_AGE_MAX},
	    {"max-age=99999999999999999999999", CACHE_CONTROL_AGE_MAX},
	    {"max-age", 0},
	    {"max-age=", 0},
	    {"max-age=x", 0},
	    {"max-age=-1", 0},
	    {"max-age=+1", 0},
	    {"max-age=6.5", 0},
	    {"max-age=60s", 0},
	    {"max-age=6 0", 0},
	    {"max-age=\"", 0},
	    {"max-age=\"\"", 0},
	    {"max-age=\"60", 0},
	    {"max-age='60'", 0},
	    {"max-age =60", 0},
	    {"max-age= 60", 0},
	    {"max-age=60, max-age=30", 30},
	    {"max-age=30, max-age=60", 30},
	    {"max-age=30, max-age=x", 0},
	    {"xmax-age=60", -1},
	    {"max-agex=60", -1},
	    {"x=\"max-age=60\"", -1},
	    {"x=\"a, max-age=60\"", -1},
	    {"x=\"a\\\", max-age=60\"", -1},
	    {"x=\"a\", max-age=60", 60},
	    {"x=\"a, max-age=60", -1},
	};
	struct cache_control cc;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		cc = control(v[i].value);
		if (cc.max_age != v[i].max_age) {
			fprintf(stderr, "%s: %lld\n", v[i].value,
			    (long long)cc.max_age);
			CU_FAIL("max-age");
		}
		CU_ASSERT_EQUAL(cc.s_maxage, -1);
	}
	cc = control("s-maxage=1, stale-while-revalidate=2, stale-if-error=3, "
		     "min-fresh=4, max-stale=5");
	CU_ASSERT_EQUAL(cc.max_age, -1);
	CU_ASSERT_EQUAL(cc.s_maxage, 1);
	CU_ASSERT_EQUAL(cc.stale_while_revalidate, 2);
	CU_ASSERT_EQUAL(cc.stale_if_error, 3);
	CU_ASSERT_EQUAL(cc.min_fresh, 4);
	CU_ASSERT_EQUAL(cc.max_stale, 5);
	cc = control("max-stale, min-fresh=1, min-fresh=9, min-fresh=3");
	CU_ASSERT_EQUAL(cc.max_stale, INT64_MAX);
	CU_ASSERT_EQUAL(cc.min_fresh, 9);
	cc = control("max-stale=x, stale-while-revalidate");
	CU_ASSERT_EQUAL(cc.max_stale, 0);
	CU_ASSERT_EQUAL(cc.stale_while_revalidate, 0);
}

static void
test_flags(void)
{
	struct cache_control cc = control(
	    "No-Store, public, must-revalidate, proxy-revalidate, "
	    "no-transform, only-if-cached, immutable, must-understand");

	CU_ASSERT(cc.no_store && cc.public_ && cc.must_revalidate);
	CU_ASSERT(cc.proxy_revalidate && cc.no_transform);
	CU_ASSERT(cc.only_if_cached && cc.immutable && cc.must_understand);
	CU_ASSERT(!cc.no_cache && !cc.private_);
	cc = control("no-storex, x-public");
	CU_ASSERT(!cc.no_store && !cc.public_);
	cc = control("no-store=1");
	CU_ASSERT(cc.no_store);

	cc = control("no-cache, private");
	CU_ASSERT(cc.no_cache && !cc.no_cache_fields);
	CU_ASSERT(cc.private_ && !cc.private_fields);
	cc = control("no-cache=\"a, no-store\", private=x");
	CU_ASSERT(cc.no_cache && cc.no_cache_fields);
	CU_ASSERT(cc.private_ && cc.private_fields && !cc.no_store);
	cc = control("no-cache=\"a\", no-cache, private, private=\"b\"");
	CU_ASSERT(cc.no_cache && !cc.no_cache_fields);
	CU_ASSERT(cc.private_ && !cc.private_fields);
	cc = control("no-cache=");
	CU_ASSERT(cc.no_cache && !cc.no_cache_fields);

	load(200, "Cache-Control: max-age=5\nX: y\nCache-Control: no-store");
	cache_control_parse(&cc, &h);
	CU_ASSERT_EQUAL(cc.max_age, 5);
	CU_ASSERT(cc.no_store);
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT"

static void
test_freshness(void)
{
	/* at DATE */
	static const double now = 784111777;
	static const struct {
		unsigned status;
		const char *text;
		double later; /* now is so much after DATE */
		double age, ttl, grace;
		bool cacheable, explicit_;
	} v[] = {
	    {200, "", 0, 0, 120, -1, true, false},
	    {200, DATE, 0, 0, 120, -1, true, false},
	    {200, DATE, 7, 7, 120, -1, true, false},
	    {200, DATE, -7, 0, 120, -1, true, false},
	    {200, "Date: x", 7, 0, 120, -1, true, false},
	    {200, "Age: 9", 0, 9, 120, -1, true, false},
	    {200, DATE "\nAge: 9", 7, 9, 120, -1, true, false},
	    {200, DATE "\nAge: 5", 7, 7, 120, -1, true, false},
	    {200, "Age: 5, 9", 0, 5, 120, -1, true, false},
	    {200, "Age: -5", 0, 0, 0, -1, true, false},
	    {200, "Age: x", 0, 0, 0, -1, true, false},
	    {200, "Age:  ", 0, 0, 0, -1, true, false},
	    {200, "Age: 5.0", 0, 0, 0, -1, true, false},
	    {200, "Age: 5;a=b", 0, 0, 0, -1, true, false},
	    {200, "Age: \"5\"", 0, 0, 0, -1, true, false},
	    {200, "Age: 5\nAge: 5", 0, 0, 0, -1, true, false},
	    {200, DATE "\nAge: x", 7, 7, 0, -1, true, false},
	    {200, "Age: 99999999999", 0, 2147483648., 120, -1, true, false},
	    {200, "Cache-Control: max-age=60", 0, 0, 60, -1, true, true},
	    {200, "Cache-Control: max-age=x", 0, 0, 0, -1, true, true},
	    {200, "Cache-Control: max-age=60, s-maxage=5", 0, 0, 5, 0, true,
		true},
	    {200, "Cache-Control: s-maxage=0, max-age=60", 0, 0, 0, 0, true,
		true},
	    {200, DATE "\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", 0, 0, 60,
		-1, true, true},
	    {200, DATE "\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", 7, 7, 60,
		-1, true, true},
	    {200, "Expires: Sun, 06 Nov 1994 08:50:37 GMT", 20, 0, 40, -1,
		true, true},
	    {200, DATE "\nExpires: Sun, 06 Nov 1994 08:49:00 GMT", 0, 0, 0,
		-1, true, true},
	    {200, DATE "\nExpires: 0", 0, 0, 0, -1, true, true},
	    {200, "Expires: -1", 0, 0, 0, -1, true, true},
	    {200, "Expires: Sun, 06 Nov 1994 08:50:37 GMT\nExpires: 0", 0, 0,
		0, -1, true, true},
	    {200, "Expires: 0\nCache-Control: max-age=60", 0, 0, 60, -1, true,
		true},
	    {200, "Cache-Control: max-age=1, stale-while-revalidate=30", 0, 0,
		1, 30, true, true},
	    {200, "Cache-Control: stale-while-revalidate=30, must-revalidate",
		0, 0, 120, 0, true, false},
	    {200, "Cache-Control: proxy-revalidate", 0, 0, 120, 0, true,
		false},
	    {203, "", 0, 0, 120, -1, true, false},
	    {204, "", 0, 0, 120, -1, true, false},
	    {300, "", 0, 0, 120, -1, true, false},
	    {301, "", 0, 0, 120, -1, true, false},
	    {304, "", 0, 0, 120, -1, true, false},
	    {404, "", 0, 0, 120, -1, true, false},
	    {410, "", 0, 0, 120, -1, true, false},
	    {414, "", 0, 0, 120, -1, true, false},
	    {308, "", 0, 0, 120, -1, true, false},
	    {405, "", 0, 0, 120, -1, true, false},
	    {501, "", 0, 0, 120, -1, true, false},
	    {200, DATE "\nLast-Modified: Sun, 06 Nov 1994 08:47:57 GMT", 0, 0,
		10, -1, true, false},
	    {404, DATE "\nLast-Modified: Sun, 06 Nov 1994 08:47:57 GMT", 7, 7,
		10, -1, true, false},
	    {200, DATE "\nLast-Modified: Wed, 06 Nov 1985 08:47:57 GMT", 0, 0,
		86400, -1, true, false},
	    {200, DATE "\nLast-Modified: Sun, 06 Nov 1994 09:49:37 GMT", 0, 0,
		120, -1, true, false},
	    {200, DATE "\nLast-Modified: x", 0, 0, 120, -1, true, false},
	    {302, DATE "\nLast-Modified: Wed, 06 Nov 1985 08:47:57 GMT", 0, 0,
		0, -1, false, false},
	    {302, "", 0, 0, 0, -1, false, false},
	    {307, "Age: 3", 0, 3, 0, -1, false, false},
	    {302, "Cache-Control: max-age=5", 0, 0, 5, -1, true, true},
	    {500, "", 0, 0, 0, -1, false, false},
	    {503, "Expires: Sun, 06 Nov 1994 08:50:37 GMT", 0, 0, 60, -1,
		true, true},
	    {206, "", 0, 0, 0, -1, false, false},
	    {103, "Cache-Control: max-age=5", 0, 0, 5, -1, false, true},
	};
	struct freshness f;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		load(v[i].status, v[i].text);
		freshness_of(&f, &h, now + v[i].later,
		    &(struct freshness_rules){.default_ttl = 120});
		if (f.age == v[i].age && f.ttl == v[i].ttl &&
		    f.grace == v[i].grace && f.cacheable == v[i].cacheable &&
		    f.explicit_ == v[i].explicit_)
			continue;
		fprintf(stderr, "%u %s: age %g ttl %g grace %g %d %d\n",
		    v[i].status, v[i].text, f.age, f.ttl, f.grace, f.cacheable,
		    f.explicit_);
		CU_FAIL("freshness");
	}
}

static void
test_etags(void)
{
	static const struct {
		const char *list, *etag;
		bool weak, strong;
	} v[] = {
	    {"\"a\"", "\"a\"", true, true},
	    {"W/\"a\"", "\"a\"", true, false},
	    {"\"a\"", "W/\"a\"", true, false},
	    {"W/\"a\"", "W/\"a\"", true, false},
	    {"\"b\", \"a\"", "\"a\"", true, true},
	    {"\"b\",W/\"a\",\"a\"", "\"a\"", true, true},
	    {" , \"a\" ,", "\"a\"", true, true},
	    {"\"x,\"a\"", "\"a\"", false, false},
	    {"\"a,b\"", "\"a,b\"", true, true},
	    {"\"a\\\", \"b\"", "\"b\"", true, true},
	    {"\"a\"", "\"A\"", false, false},
	    {"\"ab\"", "\"a\"", false, false},
	    {"\"a\"b", "\"a\"", false, false},
	    {"\"a", "\"a\"", false, false},
	    {"a", "\"a\"", false, false},
	    {"a, b", "b", true, true},
	    {"w/\"a\"", "\"a\"", false, false},
	    {"*", "\"a\"", true, true},
	    {" * ", "\"a\"", true, true},
	    {"\"b\", *", "\"a\"", false, false},
	    {"*", NULL, true, true},
	    {"\"a\"", NULL, false, false},
	    {"\"\"", "\"\"", true, true},
	    {"", "\"a\"", false, false},
	    {"", "", false, false},
	    {",", "", false, false},
	    {"W/", "\"a\"", false, false},
	    {"W", "W", true, true},
	    {NULL, "\"a\"", false, false},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct str list = str_from_z(v[i].list);
		struct str etag = str_from_z(v[i].etag);

		if (etag_list_has(list, etag, true) != v[i].weak ||
		    etag_list_has(list, etag, false) != v[i].strong) {
			fprintf(stderr, "%s in %s\n", v[i].etag, v[i].list);
			CU_FAIL("etag");
		}
	}
}

void
suite_http_semantics(void)
{
	CU_pSuite s = CU_add_suite("http_semantics", NULL, NULL);

	CU_add_test(s, "ages", test_ages);
	CU_add_test(s, "flags", test_flags);
	CU_add_test(s, "freshness", test_freshness);
	CU_add_test(s, "etags", test_etags);
}
