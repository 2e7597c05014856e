/*
 * test_search_variance.c - No-Vary-Search: what is a rule, and which queries
 * are the same under it.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "search_variance.h"

void suite_search_variance(void);

enum { MEM = 65536 };

static struct arena a;
static char *mem;

static int
begin(void)
{
	mem = aligned_alloc(16, MEM);
	if (mem == NULL)
		return 1;
	arena_init(&a, mem, MEM);
	return 0;
}

static int
end(void)
{
	arena_reset(&a);
	free(mem);
	return 0;
}

static struct str
rule_of(const char *field)
{
	static char buf[SEARCH_RULE_MAX];
	struct http h;

	arena_reset(&a);
	CU_ASSERT_FATAL(http_init(&h, &a, 4));
	CU_ASSERT_FATAL(http_add_known(&h, FIELD_NO_VARY_SEARCH,
	    str_from_z(field)));
	return str_of(buf, search_rule(&h, buf));
}

static bool
same(const char *field, const char *x, const char *y)
{
	struct str rule = rule_of(field);
	struct str p, q;

	CU_ASSERT_FATAL(rule.len > 0);
	p = search_apply(rule, str_from_z(x), &a);
	q = search_apply(rule, str_from_z(y), &a);
	CU_ASSERT_FATAL(p.p != NULL && q.p != NULL);
	return str_eq(p, q);
}

static void
test_no_rule(void)
{
	static const char *const none[] = {"", "unknown-key",
	    "key-order=\"x\"", "params=\"x\"", "params=(x)",
	    "params=(\"a\"), except=(\"x\")", "params=(), except=()",
	    "params=?0, except=(\"x\")", "params, except=(x)",
	    "params, except=\"x\"", "params, except=?1", "except=(\"x\")",
	    "except=()", "params=?0", "params=()", "key-order=?0",
	    "params=(\"a\"", "params;;", "KEY-ORDER"};

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		CU_ASSERT_EQUAL(rule_of(none[i]).len, 0);
}

static void
test_params(void)
{
	CU_ASSERT(same("params=(\"a\")", "/p?a=1&b=2", "/p?b=2"));
	CU_ASSERT(same("params=(\"a\")", "/p?a=1", "/p"));
	CU_ASSERT(same("params=(\"a\")", "/p?", "/p"));
	CU_ASSERT(!same("params=(\"a\")", "/p?b=1", "/p?b=2"));
	CU_ASSERT(!same("params=(\"a\")", "/p?b=1&c=1", "/p?c=1&b=1"));
	CU_ASSERT(!same("params=(\"a\")", "/p?aa=1", "/p"));
	CU_ASSERT(same("params=(\"%61+b\")", "/p?a%20b=1", "/p?a+b=2"));
	CU_ASSERT(same("params, except=(\"x\")", "/p?a=1&x=1&b", "/p?x=1&c"));
	CU_ASSERT(!same("params, except=(\"x\")", "/p?a=1&x=1", "/p?x=2"));
	CU_ASSERT(same("params", "/p?a=1&x=1", "/p"));
	CU_ASSERT(!same("params", "/p?a=1", "/q?a=1"));
	/* the last one of a key counts, others are ignored */
	CU_ASSERT(same("params=(\"b\"), future=1, params=(\"a\")", "/p?a=1",
	    "/p?a=2"));
}

static void
test_key_order(void)
{
	CU_ASSERT(same("key-order", "/p?a=1&b=2", "/p?b=2&a=1"));
	CU_ASSERT(!same("key-order", "/p?a=1&a=2", "/p?a=2&a=1"));
	CU_ASSERT(same("key-order", "/p?a=1&b=3&a=2", "/p?b=3&a=1&a=2"));
	CU_ASSERT(same("key-order", "/p?a=%78&&&", "/p?%61=x"));
	CU_ASSERT(same("key-order", "/p?a", "/p?a="));
	CU_ASSERT(!same("key-order", "/p?a=1%26b=2", "/p?a=1&b=2"));
	CU_ASSERT(!same("key-order", "/p?a=%2", "/p?a=%02"));
}

/* Rules that say the same are the same. */
static void
test_rule(void)
{
	char first[SEARCH_RULE_MAX];
	struct str r = rule_of("params=(\"b\" \"a\" \"a\"), key-order"), s;
	size_t len = r.len;

	for (size_t i = 0; i < len; i++)
		first[i] = r.p[i];
	s = rule_of("key-order=?1, params=(\"a\" \"b\")");
	CU_ASSERT(str_eq(str_of(first, len), s));
	s = rule_of("key-order=?1, params, except=(\"a\" \"b\")");
	CU_ASSERT(!str_eq(str_of(first, len), s));
}

static void
test_limits(void)
{
	char target[1024] = "/p?";
	struct str rule = rule_of("key-order");
	size_t n = 3;

	for (unsigned i = 0; i < 300; i++) {
		target[n++] = 'a';
		target[n++] = '&';
	}
	CU_ASSERT_PTR_NULL(search_apply(rule, str_of(target, n), &a).p);
	arena_reset(&a);
	arena_init(&a, mem, 64);
	CU_ASSERT_PTR_NULL(search_apply(rule, str_of(target, 400), &a).p);
}

void
suite_search_variance(void)
{
	CU_pSuite s = CU_add_suite("search_variance", begin, end);

	CU_add_test(s, "no rule", test_no_rule);
	CU_add_test(s, "params", test_params);
	CU_add_test(s, "key-order", test_key_order);
	CU_add_test(s, "rule", test_rule);
	CU_add_test(s, "limits", test_limits);
}
