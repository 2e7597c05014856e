/*
 * test_std.c - module std, and strings and heads as VCL uses them.
 */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "vcl_rig.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

static struct vcl_rig r;

static int
begin(void)
{
	vcl_rig_begin(&r, 65536);
	return 0;
}

static int
end(void)
{
	vcl_rig_end(&r);
	return 0;
}

static double
duration(const char *s, double fallback)
{
	return vmod_std_duration(&r.ctx, true, str_from_z(s), true, fallback,
	    false, 0, false, 0);
}

static int64_t
bytes(const char *s, int64_t fallback)
{
	return vmod_std_bytes(&r.ctx, true, str_from_z(s), true, fallback,
	    false, 0, false, 0);
}

static int64_t
integer(const char *s, int64_t fallback)
{
	return vmod_std_integer(&r.ctx, true, str_from_z(s), true, fallback,
	    false, 0, false, 0, false, 0, false, 0, false, 0);
}

static double
real(const char *s, double fallback)
{
	return vmod_std_real(&r.ctx, true, str_from_z(s), true, fallback,
	    false, 0, false, 0, false, 0, false, 0, false, 0);
}

static double
instant(const char *s, double fallback)
{
	return vmod_std_time(&r.ctx, true, str_from_z(s), true, fallback,
	    false, 0, false, 0);
}

static void
test_duration(void)
{
	CU_ASSERT_EQUAL(duration("10s", -1), 10);
	CU_ASSERT_EQUAL(duration(" 1.5 m ", -1), 90);
	CU_ASSERT_EQUAL(duration("250ms", -1), 0.25);
	CU_ASSERT_EQUAL(duration("2h", -1), 7200);
	CU_ASSERT_EQUAL(duration("1d", -1), 86400);
	CU_ASSERT_EQUAL(duration("1w", -1), 604800);
	CU_ASSERT_EQUAL(duration("1y", -1), 31536000);
	CU_ASSERT_EQUAL(duration("-3s", 7), -3);
	CU_ASSERT_EQUAL(duration("10", 7), 7);
	CU_ASSERT_EQUAL(duration("10x", 7), 7);
	CU_ASSERT_EQUAL(duration("s", 7), 7);
	CU_ASSERT_EQUAL(duration("", 7), 7);
	CU_ASSERT_EQUAL(duration(NULL, 7), 7);
	CU_ASSERT_EQUAL(duration("infs", 7), 7);
	CU_ASSERT_EQUAL(duration("0x10s", 7), 7);
	CU_ASSERT(!vcl_rig_failed(&r));
	/* no fallback */
	CU_ASSERT_EQUAL(vmod_std_duration(&r.ctx, true, STR("x"), false, 0,
	    false, 0, false, 0), 0);
	CU_ASSERT(vcl_rig_failed(&r));
	/* no source, two sources */
	vmod_std_duration(&r.ctx, false, STR_NULL, true, 1, false, 0, false,
	    0);
	CU_ASSERT(vcl_rig_failed(&r));
	vmod_std_duration(&r.ctx, false, STR_NULL, false, 1, true, 2, true,
	    3);
	CU_ASSERT(vcl_rig_failed(&r));
	CU_ASSERT_EQUAL(vmod_std_duration(&r.ctx, false, STR_NULL, false, 1,
	    true, 1.5, false, 0), 1.5);
	CU_ASSERT_EQUAL(vmod_std_duration(&r.ctx, false, STR_NULL, false, 1,
	    false, 0, true, 10), 10);
	CU_ASSERT(!vcl_rig_failed(&r));
}

static void
test_numbers(void)
{
	CU_ASSERT_EQUAL(bytes("10", -1), 10);
	CU_ASSERT_EQUAL(bytes("1.5K", -1), 1536);
	CU_ASSERT_EQUAL(bytes("2 mb", -1), 2 << 20);
	CU_ASSERT_EQUAL(bytes("1P", -1), INT64_C(1) << 50);
	CU_ASSERT_EQUAL(bytes("10B", -1), 10);
	CU_ASSERT_EQUAL(bytes("10bb", 7), 7);
	CU_ASSERT_EQUAL(bytes("-1", 7), 7);
	CU_ASSERT_EQUAL(bytes("99999999P", 7), 7);
	CU_ASSERT_EQUAL(bytes("1e3", 7), 7);
	CU_ASSERT_EQUAL(bytes("1.0", 7), 1);
	CU_ASSERT_EQUAL(bytes("1.", 7), 7);
	CU_ASSERT_EQUAL(bytes(".5k", 7), 7);
	CU_ASSERT_EQUAL(bytes("1.0001k", 7), 7);
	CU_ASSERT_EQUAL(bytes("1 .5k", 7), 1536);
	CU_ASSERT_EQUAL(bytes("1.5b", 7), 7);
	CU_ASSERT_EQUAL(bytes("7p", 7), INT64_C(7) << 50);
	CU_ASSERT_EQUAL(bytes("8p", 7), 7);
	CU_ASSERT_EQUAL(bytes("1234567890123456", 7), 7);
	CU_ASSERT_EQUAL(vmod_std_bytes(&r.ctx, false, STR_NULL, true, 7, true,
	    10.9, false, 0), 10);
	CU_ASSERT_EQUAL(vmod_std_bytes(&r.ctx, false, STR_NULL, true, 7,
	    false, 0, true, -5), 7);

	CU_ASSERT_EQUAL(integer("42", 0), 42);
	CU_ASSERT_EQUAL(integer(" -42 ", 0), -42);
	CU_ASSERT_EQUAL(integer("1.5", 7), 7);
	CU_ASSERT_EQUAL(integer("4x", 7), 7);
	CU_ASSERT_EQUAL(integer("1.0009", 7), 1);
	CU_ASSERT_EQUAL(integer("0.0001", 7), 0);
	CU_ASSERT_EQUAL(integer("1.", 7), 1);
	CU_ASSERT_EQUAL(integer("- 1", 7), 7);
	CU_ASSERT_EQUAL(integer("999999999999999", 7), 999999999999999);
	CU_ASSERT_EQUAL(integer("1000000000000.0", 7), 7);
	CU_ASSERT_EQUAL(integer("", 7), 7);
	CU_ASSERT_EQUAL(integer("99999999999999999999", 7), 7);
	CU_ASSERT_EQUAL(vmod_std_integer(&r.ctx, false, STR_NULL, false, 0,
	    true, true, false, 0, false, 0, false, 0, false, 0), 1);
	CU_ASSERT_EQUAL(vmod_std_integer(&r.ctx, false, STR_NULL, false, 0,
	    false, false, false, 0, false, 0, true, -1.9, false, 0), -1);
	CU_ASSERT_EQUAL(vmod_std_integer(&r.ctx, false, STR_NULL, true, 7,
	    false, false, false, 0, false, 0, true, 1e300, false, 0), 7);

	CU_ASSERT_EQUAL(real("1.25", 0), 1.25);
	CU_ASSERT_EQUAL(real("-.5", 0), -.5);
	CU_ASSERT_EQUAL(real("nan", 7), 7);
	CU_ASSERT_EQUAL(real("1.2349", 7), 1.234);
	CU_ASSERT_EQUAL(real("1000000000000", 7), 7);
	CU_ASSERT_EQUAL(real("- .5", 7), 7);
	CU_ASSERT_EQUAL(real("1.2.3", 7), 7);
	CU_ASSERT(!vcl_rig_failed(&r));
	CU_ASSERT_EQUAL(vmod_std_round(&r.ctx, -2.5), -3);
	CU_ASSERT_EQUAL(vmod_std_real2integer(&r.ctx, 2.5, 0), 3);
	for (int i = 0; i < 100; i++) {
		double d = vmod_std_random(&r.ctx, 5, 6);

		CU_ASSERT(d >= 5 && d < 6);
	}
}

static void
test_time(void)
{
	CU_ASSERT_EQUAL(instant("Sun, 06 Nov 1994 08:49:37 GMT", 0),
	    784111777);
	CU_ASSERT_EQUAL(instant("Sunday, 06-Nov-94 08:49:37 GMT", 0),
	    784111777);
	CU_ASSERT_EQUAL(instant("Sun Nov  6 08:49:37 1994", 0), 784111777);
	CU_ASSERT_EQUAL(instant("1994-11-06T08:49:37", 0), 784111777);
	CU_ASSERT_EQUAL(instant("784111777.00", 0), 784111777);
	CU_ASSERT_EQUAL(instant("1994-02-30T00:00:00", 7), 7);
	CU_ASSERT_EQUAL(instant("1994-13-01T00:00:00", 7), 7);
	CU_ASSERT_EQUAL(instant("yesterday", 7), 7);
	CU_ASSERT_EQUAL(instant("-1", 7), 7);
	CU_ASSERT_EQUAL(instant("0", 7), 7);
	CU_ASSERT_EQUAL(instant("1970-01-01T00:00:00", 7), 7);
	CU_ASSERT_EQUAL(instant("0.5", 7), 0.5);
	CU_ASSERT_EQUAL(vmod_std_time(&r.ctx, false, STR_NULL, true, 7, true,
	    -1, false, 0), -1);
	CU_ASSERT_EQUAL(vmod_std_time(&r.ctx, false, STR_NULL, true, 7, true,
	    NAN, false, 0), 7);
	CU_ASSERT(!vcl_rig_failed(&r));
	SAME(vrt_time_string(&r.ctx, 784111777),
	    "Sun, 06 Nov 1994 08:49:37 GMT");
	SAME(vmod_std_strftime(&r.ctx, 784111777, STR("%Y%m%dT%H%M%SZ")),
	    "19941106T084937Z");
	SAME(vmod_std_strftime(&r.ctx, 1e300, STR("%Y")), "");
	SAME(vmod_std_strftime(&r.ctx, 0, STR("")), "");
}

static void
test_strings(void)
{
	struct str two[] = {STR("a"), STR_NULL, STR("b")};
	struct str one[] = {STR_NULL, STR("x"), STR("")};
	struct str s;

	SAME(vrt_concat(&r.ctx, 3, two), "ab");
	s = vrt_concat(&r.ctx, 3, one);
	CU_ASSERT_PTR_EQUAL(s.p, one[1].p); /* not copied */
	s = vrt_concat(&r.ctx, 1, &two[1]);
	CU_ASSERT_PTR_NULL(s.p);
	s = vrt_concat(&r.ctx, 2, (struct str[]){STR_NULL, STR_NULL});
	CU_ASSERT(s.p != NULL && s.len == 0);
	SAME(vmod_std_toupper(&r.ctx, STR("aZ\xe4-1")), "AZ\xe4-1");
	SAME(vmod_std_tolower(&r.ctx, STR("aZ@[")), "az@[");
	SAME(vmod_std_strstr(&r.ctx, STR("abcd"), STR("bc")), "bcd");
	CU_ASSERT_PTR_NULL(vmod_std_strstr(&r.ctx, STR("a"), STR("b")).p);
	CU_ASSERT_PTR_NULL(vmod_std_strstr(&r.ctx, STR("a"), STR_NULL).p);
	SAME(vrt_int_string(&r.ctx, INT64_MIN), "-9223372036854775808");
	SAME(vrt_int_string(&r.ctx, 0), "0");
	SAME(vrt_duration_string(&r.ctx, 1.5), "1.500");
	SAME(vrt_real_string(&r.ctx, -0.0005), "-0.001");
	CU_ASSERT(vrt_real_string(&r.ctx, 1e308).len > 300);
	SAME(vrt_bool_string(true), "true");
	SAME(vrt_ip_string(&r.ctx, &r.peer), "192.0.2.1");
	SAME(vrt_blob_string(&r.ctx, (struct vcl_blob){"abcd", 4}),
	    ":YWJjZA==:");
	SAME(vrt_blob_string(&r.ctx, (struct vcl_blob){"abc", 3}), ":YWJj:");
	SAME(vrt_blob_string(&r.ctx, (struct vcl_blob){NULL, 0}), "::");
	CU_ASSERT(!vrt_str_eq(STR_NULL, STR("")));
	CU_ASSERT(!vrt_str_eq(STR_NULL, STR_NULL));
	CU_ASSERT(vrt_str_eq(STR(""), STR("")));
	CU_ASSERT(vrt_str_cmp(STR_NULL, STR("a")) > 0);
	CU_ASSERT(vrt_str_cmp(STR("a"), STR_NULL) > 0);
	CU_ASSERT(vrt_str_cmp(STR(""), STR("a")) < 0);
	CU_ASSERT(!vcl_rig_failed(&r));
	CU_ASSERT(vmod_std_fnmatch(&r.ctx, STR("/foo/*"), STR("/foo/bar"),
	    true, false, false));
	CU_ASSERT(!vmod_std_fnmatch(&r.ctx, STR("/foo/*"), STR("/foo/bar/x"),
	    true, false, false));
	CU_ASSERT(vmod_std_fnmatch(&r.ctx, STR("/foo/*"), STR("/foo/bar/x"),
	    false, false, false));
	CU_ASSERT(!vcl_rig_failed(&r));
	vmod_std_fnmatch(&r.ctx, STR("x"), STR_NULL, true, false, false);
	CU_ASSERT(vcl_rig_failed(&r));
	vmod_std_fnmatch(&r.ctx, STR("****************************************"
	    "*"), STR("x"), true, false, false);
	CU_ASSERT(vcl_rig_failed(&r));
}

static void
test_querysort(void)
{
	static const struct {
		const char *url, *sorted;
	} t[] = {
		{"/", "/"},
		{"/?b&a", "/?a&b"},
		{"/?b=2&a=1&b=1", "/?a=1&b=1&b=2"},
		{"/?&&b&&a&", "/?a&b"},
		{"/?a&", "/?a"},
		{"/?a", "/?a"},
		{"/?", "/?"},
		{"/?&", "/?"},
		{"/?b?&a?", "/?a?&b?"},
		{"/&?b&a", "/&?a&b"},
		/* equal as far as the shorter goes: as they came */
		{"/?aa&a&aaa", "/?aa&a&aaa"},
		{"/?a=&a", "/?a=&a"},
		{"/?a=2&a=10&a=1", "/?a=10&a=1&a=2"},
		{"/?ab&a&aa&b", "/?aa&ab&a&b"},
		{"/?z&b&a&ab&aa", "/?a&aa&ab&b&z"},
		{"/?a&z&\xe9", "/?\xe9&a&z"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct str s = vmod_std_querysort(&r.ctx,
		    str_from_z(t[i].url));

		if (!str_eq(s, str_from_z(t[i].sorted))) {
			CU_FAIL("querysort");
			fprintf(stderr, "%s: %.*s\n", t[i].url, STR_ARG(s));
		}
	}
	CU_ASSERT_PTR_NULL(vmod_std_querysort(&r.ctx, STR_NULL).p);
	CU_ASSERT(!vcl_rig_failed(&r));
}

static bool
ip_is(const char *s, const char *port, const char *host, unsigned number)
{
	VCL_IP ip = vmod_std_ip(&r.ctx, str_from_z(s), true, NULL, false,
	    port != NULL, str_from_z(port));
	char text[ADDR_HOST_MAX];

	if (ip == NULL)
		return host == NULL;
	addr_host(ip, text);
	return host != NULL && !strcmp(text, host) &&
	    vmod_std_port(&r.ctx, ip) == number;
}

static void
test_ip(void)
{
	CU_ASSERT(ip_is("192.0.2.9", NULL, "192.0.2.9", 80));
	CU_ASSERT(ip_is("192.0.2.9:81", NULL, "192.0.2.9", 81));
	CU_ASSERT(ip_is("192.0.2.9 81", "82", "192.0.2.9", 81));
	CU_ASSERT(ip_is(" 192.0.2.9 ", "82", "192.0.2.9", 82));
	CU_ASSERT(ip_is("::1", NULL, "::1", 80));
	CU_ASSERT(ip_is("[::1]", NULL, "::1", 80));
	CU_ASSERT(ip_is("[::1]:443", NULL, "::1", 443));
	CU_ASSERT(ip_is("[::1] 443", NULL, "::1", 443));
	CU_ASSERT(ip_is("[::1", NULL, NULL, 0));
	CU_ASSERT(ip_is("[::1]x", NULL, NULL, 0));
	CU_ASSERT(ip_is("localhost", NULL, NULL, 0));
	CU_ASSERT(ip_is("", NULL, NULL, 0));
	CU_ASSERT(ip_is(NULL, NULL, NULL, 0));
	CU_ASSERT(!vcl_rig_failed(&r));
	CU_ASSERT_PTR_NULL(vmod_std_ip(&r.ctx, STR("x y z"), false, NULL,
	    false, false, STR_NULL));
	CU_ASSERT(vcl_rig_failed(&r));
	CU_ASSERT_PTR_NOT_NULL(vmod_std_ip(&r.ctx, STR("localhost:http"),
	    false, NULL, true, false, STR_NULL));
	CU_ASSERT(vrt_ip_eq(&r.peer, vmod_std_ip(&r.ctx, STR("192.0.2.1:9"),
	    false, NULL, false, false, STR_NULL)));
}

static void
test_heads(void)
{
	struct vcl_header host = vcl_rig_header("Host");
	struct vcl_header x = vcl_rig_header("X-Test");
	struct vcl_header_ref x_ref = {VCL_HTTP_REQ, &x};
	struct field_name name = {STR("x-test"), FIELD_OTHER};
	char volatile_bytes[] = "from elsewhere";
	struct http *h = &r.req.http;

	CU_ASSERT_PTR_NULL(vrt_hdr_get(&r.ctx, VCL_HTTP_REQ, &host).p);
	vrt_hdr_set(&r.ctx, VCL_HTTP_REQ, &host, STR(" example.org "));
	SAME(vrt_hdr_get(&r.ctx, VCL_HTTP_REQ, &host), "example.org");
	/* of an unset one: empty, and there */
	vrt_hdr_set(&r.ctx, VCL_HTTP_REQ, &host, STR_NULL);
	CU_ASSERT_PTR_NOT_NULL(vrt_hdr_get(&r.ctx, VCL_HTTP_REQ, &host).p);
	vrt_hdr_unset(&r.ctx, VCL_HTTP_REQ, &host);
	CU_ASSERT_PTR_NULL(vrt_hdr_get(&r.ctx, VCL_HTTP_REQ, &host).p);
	/* bytes of others are copied */
	vrt_hdr_set(&r.ctx, VCL_HTTP_REQ, &x, str_from_z(volatile_bytes));
	memset(volatile_bytes, '!', sizeof volatile_bytes - 1);
	SAME(vrt_hdr_get(&r.ctx, VCL_HTTP_REQ, &x), "from elsewhere");
	CU_ASSERT(!vcl_rig_failed(&r));
	/* nothing that could end a line */
	vrt_hdr_set(&r.ctx, VCL_HTTP_REQ, &x, STR("a\r\nb: c"));
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_w_req_url(&r.ctx, STR("/a b"));
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_w_req_url(&r.ctx, STR(""));
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_w_req_method(&r.ctx, STR("GET /"));
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_w_resp_reason(&r.ctx, STR("a\nb"));
	CU_ASSERT(vcl_rig_failed(&r));
	SAME(vrt_r_req_url(&r.ctx), "/path");
	vrt_w_req_url(&r.ctx, STR("/new"));
	SAME(vrt_r_req_url(&r.ctx), "/new");
	CU_ASSERT(!vcl_rig_failed(&r));

	vrt_hdr_set(&r.ctx, VCL_HTTP_REQ, &x, STR("1"));
	CU_ASSERT(http_add(h, &name, STR("2")));
	CU_ASSERT(http_add(h, &name, STR("3")));
	vmod_std_collect(&r.ctx, &x_ref, STR(", "));
	SAME(vrt_hdr_get(&r.ctx, VCL_HTTP_REQ, &x), "1, 2, 3");
	CU_ASSERT_EQUAL(h->field_n, 1);
	x_ref.http = VCL_HTTP_OBJ;
	CU_ASSERT(!vcl_rig_failed(&r));
	vmod_std_collect(&r.ctx, &x_ref, STR(", "));
	CU_ASSERT(vcl_rig_failed(&r));

	vrt_w_resp_status(&r.ctx, 404);
	CU_ASSERT_EQUAL(vrt_r_resp_status(&r.ctx), 404);
	SAME(vrt_r_resp_reason(&r.ctx), "Not Found");
	vrt_w_resp_status(&r.ctx, 12404);
	CU_ASSERT_EQUAL(vrt_r_resp_status(&r.ctx), 12404);
	CU_ASSERT(!vcl_rig_failed(&r));
	vrt_w_resp_status(&r.ctx, 99);
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_w_resp_status(&r.ctx, 70404);
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_w_resp_status(&r.ctx, -1);
	CU_ASSERT(vcl_rig_failed(&r));

	vrt_rollback(&r.ctx, VCL_HTTP_REQ); /* there is no original */
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_rollback(&r.ctx, VCL_HTTP_RESP);
	CU_ASSERT(vcl_rig_failed(&r));
}

static void
test_rollback(void)
{
	struct vcl_header x = vcl_rig_header("X-Roll");
	struct http original;

	CU_ASSERT(http_init(&original, &r.ws, 16));
	http_copy(&original, &r.req.http);
	r.ctx.original_req = &original;
	vrt_w_req_url(&r.ctx, STR("/elsewhere"));
	vrt_hdr_set(&r.ctx, VCL_HTTP_REQ, &x, STR("1"));
	vmod_std_rollback(&r.ctx, VCL_HTTP_REQ);
	CU_ASSERT(str_eq(vrt_r_req_url(&r.ctx), original.target));
	CU_ASSERT_PTR_NULL(vrt_hdr_get(&r.ctx, VCL_HTTP_REQ, &x).p);
	CU_ASSERT(!vcl_rig_failed(&r));
	r.ctx.original_req = NULL;
}

static void
test_key(void)
{
	struct vcl_buf a, b;

	r.ctx.key = (struct vcl_buf){0};
	vrt_hash_data(&r.ctx, STR("ab"));
	vrt_hash_data(&r.ctx, STR("c"));
	a = r.ctx.key;
	r.ctx.key = (struct vcl_buf){0};
	vrt_hash_data(&r.ctx, STR("a"));
	vrt_hash_data(&r.ctx, STR("bc"));
	b = r.ctx.key;
	CU_ASSERT(!str_eq(str_of(a.p, a.len), str_of(b.p, b.len)));
	for (int i = 0; i < 100; i++)
		vrt_hash_data(&r.ctx, STR("0123456789"));
	CU_ASSERT_EQUAL(r.ctx.key.len, b.len + 1100);
	CU_ASSERT(!memcmp(r.ctx.key.p, b.p, b.len));

	r.ctx.body = (struct vcl_buf){0};
	vrt_synthetic(&r.ctx, STR("a"));
	vrt_w_resp_body(&r.ctx, true, STR("b"));
	CU_ASSERT(str_eq(str_of(r.ctx.body.p, r.ctx.body.len), STR("ab")));
	vrt_w_resp_body(&r.ctx, false, STR("c"));
	CU_ASSERT(str_eq(str_of(r.ctx.body.p, r.ctx.body.len), STR("c")));
	CU_ASSERT(!vcl_rig_failed(&r));
	vrt_set_synth(&r.ctx, 700, STR("a\nb"));
	CU_ASSERT(vcl_rig_failed(&r));
	vrt_set_synth(&r.ctx, 12700, STR("why"));
	CU_ASSERT_EQUAL(r.ctx.synth_status, 12700);
	SAME(r.ctx.synth_reason, "why");
	CU_ASSERT(!vcl_rig_failed(&r));
}

static void
test_files(void)
{
	char path[] = "/tmp/copal-std-XXXXXX";
	int fd = mkstemp(path);
	struct vmod_priv priv = {0};
	struct vcl_blob blob;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, "text\n\0more", 10), 10);
	SAME(vmod_std_fileread(&r.ctx, &priv, str_from_z(path)), "text\n");
	/* read once, and kept */
	CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
	SAME(vmod_std_fileread(&r.ctx, &priv, str_from_z(path)), "text\n");
	blob = vmod_std_blobread(&r.ctx, &priv, str_from_z(path));
	CU_ASSERT_EQUAL(blob.len, 10);
	CU_ASSERT(vmod_std_file_exists(&r.ctx, str_from_z(path)));
	CU_ASSERT(!vmod_std_file_exists(&r.ctx, STR("/no/such/file")));
	CU_ASSERT(!vmod_std_file_exists(&r.ctx, STR_NULL));
	CU_ASSERT_PTR_NULL(vmod_std_fileread(&r.ctx, &priv,
	    STR("/no/such/file")).p);
	CU_ASSERT_PTR_NULL(vmod_std_fileread(&r.ctx, &priv, STR("/tmp")).p);
	CU_ASSERT_PTR_NULL(vmod_std_fileread(&r.ctx, &priv, STR_NULL).p);
	CU_ASSERT(!vcl_rig_failed(&r));
	CU_ASSERT_PTR_NOT_NULL_FATAL(priv.free);
	priv.free(priv.p);
	close(fd);
	unlink(path);
	setenv("COPAL_TEST_STD", "x", 1);
	SAME(vmod_std_getenv(&r.ctx, STR("COPAL_TEST_STD")), "x");
	SAME(vmod_std_getenv(&r.ctx, STR("COPAL_TEST_NONE")), "");
}

/* A workspace that is full is a failure, and nothing worse. */
static void
test_no_room(void)
{
	struct vcl_header x = vcl_rig_header("X-Test");
	char big[4000];
	struct str s = {big, sizeof big};
	struct vcl_rig t;

	memset(big, 'a', sizeof big);
	vcl_rig_begin(&t, 3000);
	vrt_hdr_set(&t.ctx, VCL_HTTP_REQ, &x, s);
	CU_ASSERT(t.ctx.failed);
	CU_ASSERT_PTR_NULL(vrt_hdr_get(&t.ctx, VCL_HTTP_REQ, &x).p);
	t.ctx.failed = false;
	vrt_concat(&t.ctx, 2, (struct str[]){s, s});
	CU_ASSERT(t.ctx.failed);
	t.ctx.failed = false;
	vrt_hash_data(&t.ctx, s);
	CU_ASSERT(t.ctx.failed);
	t.ctx.failed = false;
	vmod_std_toupper(&t.ctx, s);
	CU_ASSERT(t.ctx.failed);
	vcl_rig_end(&t);
}

void
suite_std(void)
{
	CU_pSuite s = CU_add_suite("std", begin, end);

	CU_add_test(s, "duration", test_duration);
	CU_add_test(s, "numbers", test_numbers);
	CU_add_test(s, "time", test_time);
	CU_add_test(s, "strings", test_strings);
	CU_add_test(s, "querysort", test_querysort);
	CU_add_test(s, "ip", test_ip);
	CU_add_test(s, "heads", test_heads);
	CU_add_test(s, "rollback", test_rollback);
	CU_add_test(s, "key and body", test_key);
	CU_add_test(s, "files", test_files);
	CU_add_test(s, "no room", test_no_room);
}
