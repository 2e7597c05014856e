/*
 * test_ban_expr.c - expressions of bans: what is one, and what they match.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "ban_expr.h"
#include "params.h"

void suite_ban_expr(void);

static struct object *obj;
static struct request req;
static struct field field[4];

static int
begin(void)
{
	static struct field of[1];
	struct http h = {
	    .status = 404, .version = 11, .field = of, .field_cap = 1};

	if (params == NULL && params_init() != 0)
		return 1;
	http_add_known(&h, FIELD_SERVER, STR("nginx/1"));
	obj = object_new(&h, STR_NULL, STR_NULL);
	if (obj == NULL)
		return 1;
	obj->t_origin = 1000;
	obj->ttl = 60;
	obj->grace = 10;
	obj->keep = 5;
	req.ctx.now = 1020;
	req.http = (struct http){
	    .target = STR("/a b?c"), .field = field, .field_cap = 4};
	http_add_known(&req.http, FIELD_HOST, STR("example.org"));
	return 0;
}

static int
end(void)
{
	object_unref(&obj);
	return 0;
}

/* 1, 0: does it match; -1: it is no expression */
static int
ban(const char *text)
{
	char err[BAN_EXPR_ERR_LEN] = "", *copy = strdup(text);
	struct ban_expr *e;
	int r = -1;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	e = ban_expr_parse(str_from_z(copy), err);
	free(copy); /* it has its own */
	if (e == NULL) {
		CU_ASSERT(err[0] != '\0');
		return r;
	}
	CU_ASSERT(str_eq(ban_expr_text(e), str_from_z(text)));
	r = ban_expr_matches(e, obj, &req, 1020);
	ban_expr_free(&e);
	CU_ASSERT_PTR_NULL(e);
	return r;
}

static void
test_strings(void)
{
	CU_ASSERT_EQUAL(ban("req.url == \"/a b?c\""), 1);
	CU_ASSERT_EQUAL(ban("req.url != \"/a b?c\""), 0);
	CU_ASSERT_EQUAL(ban("req.url ~ ^/a"), 1);
	CU_ASSERT_EQUAL(ban("req.url ~ ^/A"), 0);
	CU_ASSERT_EQUAL(ban("req.url !~ (?i)^/A"), 0);
	CU_ASSERT_EQUAL(ban("  req.url\t~  .  "), 1);
	CU_ASSERT_EQUAL(ban("req.http.HOST == example.org"), 1);
	CU_ASSERT_EQUAL(ban("obj.http.server ~ nginx"), 1);
	CU_ASSERT_EQUAL(ban("req.url == \"a\\\"b\\\\c\""), 0);
}

static void
test_absent(void)
{
	CU_ASSERT_EQUAL(ban("obj.http.x-none == \"\""), 0);
	CU_ASSERT_EQUAL(ban("obj.http.x-none != \"\""), 1);
	CU_ASSERT_EQUAL(ban("obj.http.x-none != a"), 1);
	CU_ASSERT_EQUAL(ban("obj.http.x-none ~ ."), 0);
	CU_ASSERT_EQUAL(ban("obj.http.x-none !~ ."), 0);
	CU_ASSERT_EQUAL(ban("req.http.x-none ~ ^$"), 0);
}

static void
test_numbers(void)
{
	CU_ASSERT_EQUAL(ban("obj.status == 404"), 1);
	CU_ASSERT_EQUAL(ban("obj.status >= 500"), 0);
	CU_ASSERT_EQUAL(ban("obj.status ~ ^4"), 1);
	CU_ASSERT_EQUAL(ban("obj.status ~ ^(5|30)"), 0);
	CU_ASSERT_EQUAL(ban("obj.status !~ ^4..$"), 0);
	CU_ASSERT_EQUAL(ban("obj.status !~ 5"), 1);
	CU_ASSERT_EQUAL(ban("obj.age > 19s"), 1);
	CU_ASSERT_EQUAL(ban("obj.age > 20s"), 0);
	CU_ASSERT_EQUAL(ban("obj.age >= 0.3m"), 1);
	CU_ASSERT_EQUAL(ban("obj.ttl <= 40s"), 1);
	CU_ASSERT_EQUAL(ban("obj.ttl < 40s"), 0);
	CU_ASSERT_EQUAL(ban("obj.grace == 10s"), 1);
	CU_ASSERT_EQUAL(ban("obj.keep != 5000ms"), 0);
}

/* Whenever it is tested, it is about the object as it was then. */
static void
test_regression_moment_of_the_ban(void)
{
	char err[BAN_EXPR_ERR_LEN] = "";
	struct ban_expr *old = ban_expr_parse(STR("obj.age > 20s"), err);
	struct ban_expr *left = ban_expr_parse(STR("obj.ttl > 30s"), err);
	struct ban_expr *unused = ban_expr_parse(STR("obj.last_hit > 5s"), err);
	double now = req.ctx.now;

	CU_ASSERT_PTR_NOT_NULL_FATAL(old);
	CU_ASSERT_PTR_NOT_NULL_FATAL(left);
	CU_ASSERT_PTR_NOT_NULL_FATAL(unused);
	req.ctx.now = 5000;
	CU_ASSERT_FALSE(ban_expr_matches(old, obj, &req, 1020));
	CU_ASSERT_TRUE(ban_expr_matches(old, obj, &req, 1021));
	CU_ASSERT_TRUE(ban_expr_matches(left, obj, &req, 1020));
	CU_ASSERT_FALSE(ban_expr_matches(left, obj, &req, 1030));
	CU_ASSERT_FALSE(ban_expr_matches(unused, obj, &req, 1003));
	CU_ASSERT_TRUE(ban_expr_matches(unused, obj, &req, 1006));
	CU_ASSERT_EQUAL(ban_expr_verdict(old, obj, NULL, 1020), BAN_NO);
	CU_ASSERT_EQUAL(ban_expr_verdict(old, obj, NULL, 1021), BAN_YES);
	req.ctx.now = now;
	ban_expr_free(&old);
	ban_expr_free(&left);
	ban_expr_free(&unused);
}

static bool
equal(const char *a, const char *b)
{
	char err[BAN_EXPR_ERR_LEN] = "";
	struct ban_expr *x = ban_expr_parse(str_from_z(a), err);
	struct ban_expr *y = ban_expr_parse(str_from_z(b), err);
	bool r;

	CU_ASSERT_PTR_NOT_NULL_FATAL(x);
	CU_ASSERT_PTR_NOT_NULL_FATAL(y);
	r = ban_expr_equal(x, y);
	if (r)
		CU_ASSERT_EQUAL(ban_expr_hash(x), ban_expr_hash(y));
	ban_expr_free(&x);
	ban_expr_free(&y);
	return r;
}

static void
test_equal(void)
{
	CU_ASSERT_TRUE(equal("req.url == /a", "req.url  == \"/a\" "));
	CU_ASSERT_TRUE(equal("obj.http.ETag ~ x", "obj.http.etag ~ x"));
	CU_ASSERT_FALSE(equal("req.url == /a", "req.url == /A"));
	CU_ASSERT_FALSE(equal("req.url == /a", "req.url ~ /a"));
	CU_ASSERT_FALSE(equal("req.url ~ a", "req.http.a ~ a"));
	CU_ASSERT_FALSE(equal("req.http.a ~ a", "req.http.b ~ a"));
	CU_ASSERT_FALSE(equal("req.url ~ a", "req.url ~ a && req.url ~ a"));
}

static void
test_and(void)
{
	CU_ASSERT_EQUAL(ban("req.url ~ a && obj.status == 404"), 1);
	CU_ASSERT_EQUAL(ban("req.url ~ a && obj.status == 200"), 0);
	CU_ASSERT_EQUAL(ban("obj.age > 1s && req.url ~ . && obj.keep < 1h"), 1);
}

static void
test_wrong(void)
{
	static const char *const wrong[] = {
	    "",
	    " ",
	    "req.url",
	    "req.url ~",
	    "req.url ~ a &&",
	    "req.url ~ a b",
	    "req.url ~ a || req.url ~ b",
	    "req.url < a",
	    "req.foo == 1",
	    "req.http. ~ a",
	    "req.http.a:b ~ a",
	    "req.urls == a",
	    "obj.status ~ (",
	    "obj.age ~ 10s",
	    "obj.status == x",
	    "obj.status == 4x",
	    "obj.age > 10",
	    "obj.age > s",
	    "obj.age > nans",
	    "obj.ttl > 1e300s",
	    "req.url ~ (",
	    "req.url ~ \"a",
	    "req.url == \"a\\\"",
	    "req.url ~ a &&& b",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (ban(wrong[i]) != -1)
			CU_FAIL(wrong[i]);
}

/* Words of VCL are taken as they stand. */
static void
test_plain(void)
{
	static const struct {
		const char *plain, *expr;
	} t[] = {
		{"req.url == /a", "req.url == /a"},
		{" req.url\n\t&&  b ", "req.url && b"},
		{"req.url == \"", "req.url == \"\\\"\""},
		{"\" \" \"", "\"\\\"\" \"\\\"\" \"\\\"\""},
		{"obj.http.x == \"a b\"",
		    "obj.http.x == \"\\\"a\" \"b\\\"\""},
		{"req.url ~ \\.png", "req.url ~ \\.png"},
		{"req.url ~ \\.\"", "req.url ~ \"\\\\.\\\"\""},
		{" ", ""},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char *expr = ban_expr_of_plain(str_from_z(t[i].plain));

		CU_ASSERT_STRING_EQUAL(expr, t[i].expr);
		free(expr);
	}
	CU_ASSERT_EQUAL(ban("req.url != \"\\\"\""), 1);
	CU_ASSERT_EQUAL(ban("req.url ~ ^/a\n&&\robj.status == 404"), 1);
}

static void
test_limits(void)
{
	char err[BAN_EXPR_ERR_LEN] = "", *text = malloc(BAN_EXPR_MAX + 2);
	struct ban_expr *e;
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	/* many conditions */
	while (n + 20 < BAN_EXPR_MAX)
		n += (size_t)sprintf(text + n, "req.url ~ b && ");
	n += (size_t)sprintf(text + n, "req.url ~ b");
	e = ban_expr_parse(str_of(text, n), err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_TRUE(ban_expr_matches(e, obj, &req, 1020));
	ban_expr_free(&e);
	memset(text, 'a', BAN_EXPR_MAX + 1);
	CU_ASSERT_PTR_NULL(ban_expr_parse(str_of(text, BAN_EXPR_MAX + 1), err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "at most"));
	free(text);
}

/* A regex that gives up: nobody knows, so the object is invalid. */
static void
test_regex_gives_up(void)
{
	struct params before = *params;
	struct str url = req.http.target;

	req.http.target = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
	params->pcre2_match_limit = 10;
	CU_ASSERT_EQUAL(ban("req.url ~ ^(a+a+)+$"), 1);
	CU_ASSERT_EQUAL(ban("req.url !~ ^(a+a+)+$"), 1);
	*params = before;
	req.http.target = url;
}

void
suite_ban_expr(void)
{
	CU_pSuite s = CU_add_suite("ban_expr", begin, end);

	CU_add_test(s, "strings", test_strings);
	CU_add_test(s, "absent", test_absent);
	CU_add_test(s, "numbers", test_numbers);
	CU_add_test(s, "regression: about the moment of the ban",
	    test_regression_moment_of_the_ban);
	CU_add_test(s, "equal", test_equal);
	CU_add_test(s, "and", test_and);
	CU_add_test(s, "wrong", test_wrong);
	CU_add_test(s, "plain", test_plain);
	CU_add_test(s, "limits", test_limits);
	CU_add_test(s, "regex_gives_up", test_regex_gives_up);
}
