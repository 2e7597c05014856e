/*
 * test_modules.c - the modules in vcl/vmod at their edges: unset and empty
 * strings, numbers that do not fit, a workspace that is full.  What they are
 * for is in tests/scenario/vmod_*.vtc.
 */
#include <CUnit/CUnit.h>

#include "shell_pattern.h"
#include "vcl_rig.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

static struct vcl_rig r;

static int
begin(void)
{
	vcl_rig_begin(&r, 1 << 20);
	return 0;
}

static int
end(void)
{
	vcl_rig_end(&r);
	return 0;
}

/* ---- accept ---- */

static void
test_accept_limit(void)
{
	struct vmod_accept_rule *rule = NULL;
	char text[20];

	vmod_accept_rule__init(&r.ctx, &rule, "rule", STR_NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "v%d", i);
		vmod_accept_rule_add(&r.ctx, rule, str_from_z(text));
	}
	vmod_accept_rule_add(&r.ctx, rule, STR("V7"));
	CU_ASSERT(!vcl_rig_failed(&r));
	vmod_accept_rule_add(&r.ctx, rule, STR("one more"));
	CU_ASSERT(vcl_rig_failed(&r));
	SAME(vmod_accept_rule_filter(&r.ctx, rule, STR("one more, V999")),
	    "v999");
	SAME(vmod_accept_rule_filter(&r.ctx, rule, STR_NULL), "");
	vmod_accept_rule__fini(&rule);
}

/* ---- cookie ---- */

static struct vmod_priv *
cookies(struct vcl_ctx *ctx)
{
	return vrt_priv_task(ctx, "cookie");
}

/* More than the table had room for, in order, all found. */
static void
test_cookie_many(void)
{
	char name[20];
	struct str all;

	vmod_cookie_clean(&r.ctx, cookies(&r.ctx));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "c%d", i);
		vmod_cookie_set(&r.ctx, cookies(&r.ctx), str_from_z(name),
		    str_from_z(name + 1));
	}
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "c%d", i);
		CU_ASSERT(str_eq(vmod_cookie_get(&r.ctx, cookies(&r.ctx),
		    str_from_z(name)), str_from_z(name + 1)));
		if (i % 50 != 0)
			vmod_cookie_delete(&r.ctx, cookies(&r.ctx),
			    str_from_z(name));
	}
	all = vmod_cookie_get_string(&r.ctx, cookies(&r.ctx));
	SAME(all, "c0=0; c50=50; c100=100; c150=150");
	CU_ASSERT(!vcl_rig_failed(&r));
}

static void
test_cookie_no_room(void)
{
	static char header[6000];
	struct vcl_rig t;
	size_t len = 0;

	for (int i = 0; i < 500; i++)
		len += (size_t)snprintf(header + len, sizeof header - len,
		    "c%d=%d; ", i, i);
	for (size_t size = 3000; size < 20000; size += 997) {
		vcl_rig_begin(&t, size);
		vmod_cookie_parse(&t.ctx, cookies(&t.ctx),
		    str_of(header, len));
		CU_ASSERT(t.ctx.failed);
		t.ctx.failed = false;
		vmod_cookie_get_string(&t.ctx, cookies(&t.ctx));
		vcl_rig_end(&t);
	}
	/* there is not even room to keep what belongs to the task */
	vmod_cookie_set(&r.ctx, NULL, STR("a"), STR("b"));
	vmod_cookie_parse(&r.ctx, NULL, STR("a=b"));
	SAME(vmod_cookie_get_string(&r.ctx, NULL), "");
	CU_ASSERT(!vmod_cookie_isset(&r.ctx, NULL, STR("a")));
	CU_ASSERT(!vcl_rig_failed(&r));
}

/* ---- header ---- */

/* A name and a value out of one string do not become a line of it. */
static void
test_header_slices(void)
{
	static const char line[] = "X-Slice: value";
	struct vcl_header_ref *to = (struct vcl_header_ref *)(uintptr_t)
	    vmod_header_dyn(&r.ctx, VCL_HTTP_RESP, str_of(line, 7));
	struct http *h = &r.req.resp;
	const struct field *f;

	CU_ASSERT_PTR_NOT_NULL_FATAL(to);
	vmod_header_append(&r.ctx, to, str_of(line + 9, 5));
	f = &h->field[h->field_n - 1];
	CU_ASSERT_PTR_NOT_EQUAL(f->value, f->name + f->name_len + 2);
	SAME(str_of(f->value, f->value_len), "value");
	CU_ASSERT(!vcl_rig_failed(&r));
}

static void
test_header_full(void)
{
	struct vcl_header x = vcl_rig_header("X-Many");
	struct vcl_header_ref many = {VCL_HTTP_RESP, &x};
	struct vcl_header_ref obj = {VCL_HTTP_OBJ, &x};
	struct vcl_regex *re = vrt_regex_new(STR("X-(M)any: 1"), NULL, 0);
	struct vcl_rig t;
	unsigned i;

	vcl_rig_begin(&t, 8192);
	for (i = 0; !t.ctx.failed && i < 100; i++)
		vmod_header_append(&t.ctx, &many, STR("1"));
	CU_ASSERT(t.ctx.failed);
	CU_ASSERT_EQUAL(t.req.resp.field_n, t.req.resp.field_cap);
	t.ctx.failed = false;
	/* in place: there need not be room for one more */
	vmod_header_regsub(&t.ctx, VCL_HTTP_RESP, re, STR("\\1: 2"), false);
	CU_ASSERT(!t.ctx.failed);
	CU_ASSERT_EQUAL(t.req.resp.field_n, t.req.resp.field_cap);
	for (i = 0; i < t.req.resp.field_n; i++)
		SAME(vrt_field_name(&t.ctx, VCL_HTTP_RESP, i), "M");
	vmod_header_append(&t.ctx, &obj, STR("1"));
	CU_ASSERT(t.ctx.failed);
	vcl_rig_end(&t);
	vrt_regex_free(&re);
}

/* ---- var ---- */

static void
test_var_global_limits(void)
{
	static char big[70000];
	char key[20];

	memset(big, 'a', sizeof big);
	vmod_var_global_set(&r.ctx, STR("k"), str_of(big, 1 << 16));
	CU_ASSERT(vcl_rig_failed(&r));
	vmod_var_global_set(&r.ctx, str_of(big, sizeof big), STR_NULL);
	CU_ASSERT(vcl_rig_failed(&r));
	vmod_var_global_set(&r.ctx, STR(""), STR(""));
	CU_ASSERT_PTR_NOT_NULL(vmod_var_global_get(&r.ctx, STR("")).p);
	vmod_var_global_set(&r.ctx, STR(""), STR_NULL);
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof key, "k%d", i);
		vmod_var_global_set(&r.ctx, str_from_z(key), STR("v"));
	}
	CU_ASSERT(!vcl_rig_failed(&r));
	vmod_var_global_set(&r.ctx, STR("one more"), STR("v"));
	CU_ASSERT(vcl_rig_failed(&r));
	CU_ASSERT_PTR_NULL(vmod_var_global_get(&r.ctx, STR("one more")).p);
	vmod_var_global_set(&r.ctx, STR("k7"), STR("new"));
	SAME(vmod_var_global_get(&r.ctx, STR("k7")), "new");
	vmod_var_global_set(&r.ctx, STR("k7"), STR_NULL);
	vmod_var_global_set(&r.ctx, STR("one more"), STR("v"));
	SAME(vmod_var_global_get(&r.ctx, STR("one more")), "v");
	CU_ASSERT(!vcl_rig_failed(&r));
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof key, "k%d", i);
		vmod_var_global_set(&r.ctx, str_from_z(key), STR_NULL);
	}
	vmod_var_global_set(&r.ctx, STR("one more"), STR_NULL);
}

static void
test_var_no_room(void)
{
	char key[20];
	struct vcl_rig t;

	vcl_rig_begin(&t, 3000);
	for (int i = 0; !t.ctx.failed && i < 1000; i++) {
		snprintf(key, sizeof key, "k%d", i);
		vmod_var_set_ip(&t.ctx, vrt_priv_task(&t.ctx, "var"),
		    str_from_z(key), &t.peer);
	}
	CU_ASSERT(t.ctx.failed);
	SAME(vrt_ip_string(&r.ctx, vmod_var_get_ip(&t.ctx,
	    vrt_priv_task(&t.ctx, "var"), STR("k0"))), "192.0.2.1");
	vmod_var_set_int(&t.ctx, NULL, STR("a"), 1);
	CU_ASSERT_EQUAL(vmod_var_get_int(&t.ctx, NULL, STR("a")), 0);
	vmod_var_clear(&t.ctx, NULL);
	vcl_rig_end(&t);
}

/* ---- querystring ---- */

static void
test_glob(void)
{
	static const struct {
		const char *pattern, *s;
		bool match;
	} t[] = {
		{"", "", true}, {"", "a", false}, {"*", "", true},
		{"**", "ab", true}, {"?", "", false}, {"a*", "a", true},
		{"a*c", "abcbc", true}, {"a*c", "abcb", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false},
		{"[abc]", "b", true}, {"[!abc]", "b", false},
		{"[^abc]", "d", true}, {"[a-c]x", "bx", true},
		{"[]x]", "]", true}, {"[]x]", "x", true},
		{"[[:digit:]]*", "1a", true}, {"[[:digit:]]*", "a1", false},
		{"[[:digit:]]]", "1]", true}, {"[a", "[a", true},
		{"[a", "a", false}, {"[\\]]", "]", true}, {"x[", "x[", true},
		{"\\*", "*", true}, {"\\*", "x", false}, {"a\\", "a\\", false},
		{"*.x", ".x", true}, {"*", "a/b", true}, {"[/]", "/", true},
		{"[[=a=]b]", "a", true}, {"[[.-.]b]", "-", true},
	};
	static char as[100000];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		if (shell_pattern_match(str_from_z(t[i].pattern),
		    str_from_z(t[i].s)) != t[i].match) {
			CU_FAIL("glob");
			fprintf(stderr, "%s: %s\n", t[i].pattern, t[i].s);
		}
	/* fnmatch(3) would not come back */
	memset(as, 'a', sizeof as);
	CU_ASSERT(!shell_pattern_match(STR("*a*a*a*a*a*a*a*a*a*a*a*a*b"),
	    str_of(as, sizeof as)));
	/* a set too large is none */
	as[0] = '[';
	CU_ASSERT(!shell_pattern_match(str_of(as, 1000), STR("a")));
}

static void
test_querystring_no_room(void)
{
	static const struct str url = STR("/?d=4&c=3&b=2&a=1&&e=5");
	struct vcl_rig t;
	bool was_failed = false, was_done = false;
	struct str s;
	size_t left;
	void *rest;

	for (size_t room = 1; room < 100; room++) {
		vcl_rig_begin(&t, 4096);
		left = arena_room(&t.ws);
		rest = vrt_alloc(&t.ctx, left - room);
		CU_ASSERT_PTR_NOT_NULL(rest);
		s = vmod_querystring_sort(&t.ctx, true, url, false);
		if (t.ctx.failed) {
			was_failed = true;
			CU_ASSERT(!was_done);
			CU_ASSERT_PTR_NULL(s.p);
		} else {
			was_done = true;
			SAME(s, "/?a=1&b=2&c=3&d=4&e=5");
		}
		vcl_rig_end(&t);
	}
	CU_ASSERT(was_failed && was_done);
}

void
suite_modules(void)
{
	CU_pSuite s = CU_add_suite("modules", begin, end);

	CU_add_test(s, "accept: limit", test_accept_limit);
	CU_add_test(s, "cookie: many", test_cookie_many);
	CU_add_test(s, "cookie: no room", test_cookie_no_room);
	CU_add_test(s, "querystring: glob", test_glob);
	CU_add_test(s, "querystring: no room", test_querystring_no_room);
	CU_add_test(s, "header: slices", test_header_slices);
	CU_add_test(s, "header: full", test_header_full);
	CU_add_test(s, "var: limits of global ones", test_var_global_limits);
	CU_add_test(s, "var: no room", test_var_no_room);
}
