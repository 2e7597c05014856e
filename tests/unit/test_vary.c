/*
 * test_vary.c - Vary: specs made of a response and a request, and matched.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "params.h"
#include "vary.h"

void suite_vary(void);

enum { MEM = 32768, FIELDS = 16 };

static struct arena a;
static struct http resp, req;
static char *mem;

static int
begin(void)
{
	mem = aligned_alloc(16, MEM);
	return mem == NULL || (params == NULL && params_init() != 0);
}

static int
end(void)
{
	arena_reset(&a);
	free(mem);
	return 0;
}

static void
clear(size_t size)
{
	if (a.base != NULL)
		arena_reset(&a);
	arena_init(&a, mem, size);
	CU_ASSERT_FATAL(http_init(&resp, &a, FIELDS));
	CU_ASSERT_FATAL(http_init(&req, &a, FIELDS));
}

static void
add(struct http *h, const char *name, const char *value)
{
	struct str s = str_from_z(name);
	struct field_name n = {s, field_id(s)};

	CU_ASSERT_FATAL(http_add(h, &n, str_from_z(value)));
}

static void
test_kinds(void)
{
	struct str spec;

	clear(MEM);
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_NONE);
	CU_ASSERT_PTR_NULL(spec.p);
	add(&resp, "Vary", "");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_NONE);
	clear(MEM);
	add(&resp, "Vary", "Accept, *");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_ALL);
	clear(MEM);
	add(&resp, "Vary", "no token");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_BAD);
	/* the arena can be used after each of them */
	CU_ASSERT_PTR_NOT_NULL(arena_alloc(&a, 8));
}

static void
test_match(void)
{
	struct str spec;

	clear(MEM);
	add(&resp, "Vary", "Accept-Language");
	add(&resp, "Vary", "X-Other, cookie");
	add(&req, "accept-language", "de");
	add(&req, "Cookie", "");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	CU_ASSERT_TRUE(vary_matches(spec, &req));
	add(&req, "X-Unrelated", "1");
	CU_ASSERT_TRUE(vary_matches(spec, &req));
	/* absent is not empty */
	http_unset(&req, FIELD_COOKIE);
	CU_ASSERT_FALSE(vary_matches(spec, &req));
	add(&req, "Cookie", "");
	CU_ASSERT_TRUE(vary_matches(spec, &req));
	add(&req, "X-OTHER", "");
	CU_ASSERT_FALSE(vary_matches(spec, &req));
	/* case of values counts */
	clear(MEM);
	add(&resp, "Vary", "X-Case");
	add(&req, "X-Case", "de");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	req.field[0].value = "DE";
	CU_ASSERT_FALSE(vary_matches(spec, &req));
	/* but not in these; nor do weights that say nothing, nor the order */
	clear(MEM);
	add(&resp, "Vary", "Accept-Language");
	add(&req, "Accept-Language", "de ; q=1.000,en;Q=0.50 ,  fr;q=0");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	req.field_n = 0;
	add(&req, "Accept-Language", "EN;q=0.5");
	add(&req, "Accept-Language", "fr;q=0.0, De");
	CU_ASSERT_TRUE(vary_matches(spec, &req));
	req.field_n = 0;
	add(&req, "Accept-Language", "EN;q=0.5, de;q=0.9, fr;q=0");
	CU_ASSERT_FALSE(vary_matches(spec, &req));
	/* a quoted string is left alone */
	clear(MEM);
	add(&resp, "Vary", "Accept");
	add(&req, "Accept", "a/b;x=\"Y, z\", c/d");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	req.field_n = 0;
	add(&req, "Accept", "a/b;x=\"y, z\", c/d");
	CU_ASSERT_FALSE(vary_matches(spec, &req));
}

static void
test_lines(void)
{
	struct str spec;

	clear(MEM);
	add(&resp, "Vary", "X-List");
	add(&req, "X-List", "a");
	add(&req, "X-List", "b");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	req.field_n = 0;
	add(&req, "X-List", "a, b");
	CU_ASSERT_TRUE(vary_matches(spec, &req));
	req.field_n = 0;
	add(&req, "X-List", "a,b");
	CU_ASSERT_TRUE(vary_matches(spec, &req));
	req.field_n = 0;
	add(&req, "X-List", "b,a");
	CU_ASSERT_FALSE(vary_matches(spec, &req));
	req.field_n = 0;
	add(&req, "X-List", "\"a, b\"");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	req.field_n = 0;
	add(&req, "X-List", "\"a,b\"");
	CU_ASSERT_FALSE(vary_matches(spec, &req));
}

static void
test_limits(void)
{
	static char big[9000];
	struct str spec;

	/* one line may be long, joined ones may not */
	memset(big, 'x', sizeof big - 1);
	clear(MEM);
	add(&resp, "Vary", "X-Big");
	add(&req, "X-Big", big);
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	CU_ASSERT_TRUE(vary_matches(spec, &req));
	add(&req, "X-Big", "y");
	CU_ASSERT_FALSE(vary_matches(spec, &req));
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_BAD);
	/* no room */
	clear(4096);
	add(&resp, "Vary", "X-Big");
	add(&req, "X-Big", big);
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_BAD);
}

/* What comes from a disk may be anything: no, and not a byte beyond. */
static void
test_malformed(void)
{
	struct str spec;
	char *copy;

	clear(MEM);
	add(&resp, "Vary", "A, B");
	add(&req, "A", "1");
	add(&req, "B", "22");
	CU_ASSERT_EQUAL(vary_make(&resp, &req, &a, &spec), VARY_SPEC);
	for (size_t n = 1; n < spec.len; n++) {
		copy = malloc(n);
		CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
		memcpy(copy, spec.p, n);
		/* the spec of A alone is a whole one */
		CU_ASSERT_EQUAL(
		    vary_matches(str_of(copy, n), &req), n == spec.len / 2);
		free(copy);
	}
	copy = malloc(6);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memset(copy, 0xff, 6);
	CU_ASSERT_FALSE(vary_matches(str_of(copy, 6), &req));
	free(copy);
}

void
suite_vary(void)
{
	CU_pSuite s = CU_add_suite("vary", begin, end);

	CU_add_test(s, "kinds", test_kinds);
	CU_add_test(s, "match", test_match);
	CU_add_test(s, "lines", test_lines);
	CU_add_test(s, "limits", test_limits);
	CU_add_test(s, "malformed", test_malformed);
}
