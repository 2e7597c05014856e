/*
 * test_regex.c - regular expressions and regsub.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "params.h"
#include "regex.h"
#include "regsub.h"
#include "vcl_rig.h"

static struct vcl_regex *
compiled(const char *pattern)
{
	char err[200] = "";
	struct vcl_regex *re;

	if (params == NULL && params_init() != 0)
		abort();
	re = regex_new(str_from_z(pattern), err, sizeof err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(re);
	return re;
}

static void
test_match(void)
{
	struct vcl_regex *re = compiled("^/a(b)?(c+)");
	regex_groups g;
	int error;

	CU_ASSERT_EQUAL(regex_match(re, STR("/accd"), 0, false, g, &error), 1);
	CU_ASSERT_EQUAL(g[0], 0);
	CU_ASSERT_EQUAL(g[1], 4);
	CU_ASSERT_EQUAL(g[2], REGEX_UNSET);
	CU_ASSERT_EQUAL(g[4], 2);
	CU_ASSERT_EQUAL(g[5], 4);
	CU_ASSERT_EQUAL(g[6], REGEX_UNSET);
	CU_ASSERT_EQUAL(regex_match(re, STR("x/ac"), 0, false, g, &error), 0);
	CU_ASSERT_EQUAL(regex_match(re, STR_NULL, 0, false, NULL, &error), 0);
	CU_ASSERT(str_eq(regex_pattern(re), STR("^/a(b)?(c+)")));
	regex_free(&re);
	CU_ASSERT_PTR_NULL(re);

	/* more groups than are kept */
	re = compiled("(1)(2)(3)(4)(5)(6)(7)(8)(9)(a)(b)(c)");
	CU_ASSERT_EQUAL(regex_match(re, STR("x123456789abc"), 0, false, g,
	    &error), 1);
	CU_ASSERT_EQUAL(g[0], 1);
	CU_ASSERT_EQUAL(g[18], 9);
	CU_ASSERT_EQUAL(g[19], 10);
	regex_free(&re);

	/* a NUL is a byte like others */
	re = compiled("b$");
	CU_ASSERT_EQUAL(regex_match(re, STR("a\0b"), 0, false, NULL, &error),
	    1);
	regex_free(&re);
}

static void
test_bad(void)
{
	char err[200] = "";
	struct vcl_regex *re;
	char deep[200];

	CU_ASSERT_PTR_NULL(regex_new(STR("a(b"), err, sizeof err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "parenthesis"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "at offset 3"));
	/* nesting costs stack: little of it where that is small */
	memset(deep, '(', 90);
	memset(deep + 90, ')', 90);
	deep[180] = '\0';
	re = compiled(deep);
	regex_free(&re);
	CU_ASSERT_PTR_NULL(regex_new_once(str_from_z(deep), err,
	    sizeof err));
}

static void
test_limits(void)
{
	struct vcl_regex *re = compiled("^(a+)+$");
	uint32_t limit = params->pcre2_match_limit;
	char subject[64], text[100];
	int error = 0;

	memset(subject, 'a', sizeof subject);
	subject[sizeof subject - 1] = 'b';
	params->pcre2_match_limit = 1000;
	CU_ASSERT_EQUAL(regex_match(re, str_of(subject, sizeof subject), 0,
	    false, NULL, &error), -1);
	regex_error_text(error, text, sizeof text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "limit"));
	/* a parameter counts from the next match on */
	CU_ASSERT_EQUAL(regex_match(re, STR("aaa"), 0, false, NULL, &error),
	    1);
	params->pcre2_match_limit = limit;
	regex_free(&re);

	/* bytes that are not UTF-8 are an error where UTF-8 is wanted */
	re = compiled("(*UTF)^.$");
	CU_ASSERT_EQUAL(regex_match(re, STR("\xc3\xa4"), 0, false, NULL,
	    &error), 1);
	CU_ASSERT_EQUAL(regex_match(re, STR("\xc3("), 0, false, NULL, &error),
	    -1);
	regex_free(&re);
}

static void
test_regsub(void)
{
	static const struct {
		const char *subject, *pattern, *sub, *first, *all;
	} t[] = {
		{"banana", "a", "o", "bonana", "bonono"},
		{"banana", "x", "o", "banana", "banana"},
		{"/a/b?x=1", "\\?.*$", "", "/a/b", "/a/b"},
		{"foobar", "(o+)(b)", "<\\2\\1\\3>", "f<boo>ar", "f<boo>ar"},
		{"abc", "b", "[\\0\\&]", "a[b&]c", "a[b&]c"},
		{"abc", "b", "\\\\\\x\\", "a\\x\\c", "a\\x\\c"},
		{"abc", "", "-", "-abc", "-abc"},
		{"abc", "x*", "-", "-abc", "-abc"},
		{"aaa", "^a", "b", "baa", "baa"},
		{"a.b.c", "\\.", "", "ab.c", "abc"},
		{"", "^$", "x", "x", "x"},
		{"abab", "(?<=a)b", "X", "aXab", "aXaX"},
	};
	struct vcl_rig r;

	vcl_rig_begin(&r, 65536);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct vcl_regex *re = compiled(t[i].pattern);
		struct str a = vrt_regsub(&r.ctx, false,
		    str_from_z(t[i].subject), re, str_from_z(t[i].sub));
		struct str b = vrt_regsub(&r.ctx, true,
		    str_from_z(t[i].subject), re, str_from_z(t[i].sub));

		if (!str_eq(a, str_from_z(t[i].first)) ||
		    !str_eq(b, str_from_z(t[i].all))) {
			CU_FAIL("regsub");
			fprintf(stderr, "%s %s: %.*s, %.*s\n", t[i].subject,
			    t[i].pattern, STR_ARG(a), STR_ARG(b));
		}
		regex_free(&re);
	}
	CU_ASSERT(!r.ctx.failed);
	vcl_rig_end(&r);
}

static void
test_regsub_room(void)
{
	struct vcl_regex *re = compiled("a"), *compiled_b = compiled("b");
	char big[ARENA_LARGE];
	struct vcl_rig r;
	struct str s;

	vcl_rig_begin(&r, 2048);
	s = vrt_regsub(&r.ctx, true, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    re, STR("0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789"));
	CU_ASSERT(r.ctx.failed);
	CU_ASSERT_EQUAL(s.len, 0);
	vcl_rig_end(&r);

	/* with large pieces, what the block has no room for goes on there */
	vcl_rig_begin(&r, 2048);
	arena_allow_large(&r.ws, 8 * ARENA_LARGE, NULL);
	memset(big, 'a', sizeof big);
	s = vrt_regsub(&r.ctx, true, str_of(big, sizeof big), re, STR("bb"));
	CU_ASSERT(!r.ctx.failed);
	CU_ASSERT_EQUAL_FATAL(s.len, 2 * sizeof big);
	CU_ASSERT_EQUAL(strspn(s.p, "b"), 2 * sizeof big);
	vrt_regsub(&r.ctx, true, s, compiled_b, STR("01234567"));
	CU_ASSERT(r.ctx.failed);
	vcl_rig_end(&r);
	regex_free(&compiled_b);
	regex_free(&re);

	/* not a constant: compiled when it runs */
	vcl_rig_begin(&r, 2048);
	CU_ASSERT(vrt_regex_match_dynamic(&r.ctx, STR("abc"), STR("b.")));
	CU_ASSERT(!r.ctx.failed);
	CU_ASSERT(!vrt_regex_match_dynamic(&r.ctx, STR("abc"), STR("b(")));
	CU_ASSERT(r.ctx.failed);
	vcl_rig_end(&r);
}

void
suite_regex(void)
{
	CU_pSuite s = CU_add_suite("regex", NULL, NULL);

	CU_add_test(s, "match", test_match);
	CU_add_test(s, "bad", test_bad);
	CU_add_test(s, "limits", test_limits);
	CU_add_test(s, "regsub", test_regsub);
	CU_add_test(s, "regsub without room", test_regsub_room);
}
