/*
 * test_acl.c - access control lists.
 */
#include <CUnit/CUnit.h>

#include "acl.h"
#include "vcl_rig.h"

#define HOST(literal) {"" literal, sizeof(literal) - 1}
#define N(a) (sizeof(a) / sizeof *(a))

static struct addr
ip(const char *text)
{
	struct addr a = {0};
	char err[200];

	if (addr_parse(text, "80", false, &a, 1, err, sizeof err) != 1)
		CU_FAIL("address");
	return a;
}

static struct vcl_acl *
make(const struct vcl_acl_entry *e, unsigned n, unsigned flags, char err[200])
{
	struct vcl_acl_def def = {.name = "x", .entry = e, .entry_n = n,
	    .flags = flags};

	err[0] = '\0';
	return acl_new(&def, err, 200);
}

static bool
has(const struct vcl_acl *acl, const char *text)
{
	struct addr a = ip(text);
	const char *entry;

	return acl_has(acl, &a, &entry);
}

static void
test_networks(void)
{
	static const struct vcl_acl_entry e[] = {
		{HOST("10.0.0.0"), 8, false, false},
		{HOST("10.1.0.0"), 16, true, false},
		{HOST("10.1.2.3"), -1, false, false},
		{HOST("192.168.1.128"), 25, false, false},
		{HOST("2001:db8::"), 32, false, false},
		{HOST("2001:db8:0:8000::"), 49, true, false},
		{HOST("::1"), -1, false, false},
	};
	char err[200];
	struct vcl_acl *acl = make(e, N(e), 0, err);
	struct addr unix_peer = {.len = sizeof(sa_family_t),
	    .un = {.sun_family = AF_UNIX}};
	const char *entry;

	CU_ASSERT_PTR_NOT_NULL_FATAL(acl);
	CU_ASSERT(has(acl, "10.0.0.0"));
	CU_ASSERT(has(acl, "10.255.255.255"));
	CU_ASSERT(!has(acl, "11.0.0.0"));
	CU_ASSERT(!has(acl, "9.255.255.255"));
	/* the longer prefix decides */
	CU_ASSERT(!has(acl, "10.1.2.2"));
	CU_ASSERT(has(acl, "10.1.2.3"));
	CU_ASSERT(!has(acl, "192.168.1.127"));
	CU_ASSERT(has(acl, "192.168.1.128"));
	CU_ASSERT(has(acl, "[2001:db8:ffff::1]"));
	CU_ASSERT(!has(acl, "[2001:db8:0:8001::1]"));
	CU_ASSERT(!has(acl, "[2001:db9::1]"));
	CU_ASSERT(has(acl, "[::1]"));
	CU_ASSERT(!has(acl, "[::2]"));
	/* an IPv6 address with the same leading bytes is another one */
	CU_ASSERT(!has(acl, "[a00::]"));
	CU_ASSERT(!acl_has(acl, &unix_peer, &entry));
	CU_ASSERT_PTR_NULL(entry);
	acl_free(&acl);
}

static void
test_all(void)
{
	static const struct vcl_acl_entry e[] = {
		{HOST("0.0.0.0"), 0, false, false},
	};
	static const struct vcl_acl_entry none[] = {
		{HOST("no-such-name.invalid"), -1, false, true},
	};
	char err[200];
	struct vcl_acl *acl = make(e, N(e), VCL_ACL_LOG, err);

	CU_ASSERT_PTR_NOT_NULL_FATAL(acl);
	CU_ASSERT(has(acl, "255.255.255.255"));
	CU_ASSERT(!has(acl, "[::1]"));
	CU_ASSERT(acl_logs(acl));
	CU_ASSERT_STRING_EQUAL(acl_name(acl), "x");
	acl_free(&acl);
	/* an optional name that does not resolve: an empty list */
	acl = make(none, N(none), 0, err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(acl);
	CU_ASSERT(!has(acl, "127.0.0.1"));
	acl_free(&acl);
	acl = make(NULL, 0, 0, err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(acl);
	CU_ASSERT(!has(acl, "127.0.0.1"));
	acl_free(&acl);
}

static void
test_bad(void)
{
	static const struct vcl_acl_entry e[] = {
		{HOST("no-such-name.invalid"), -1, false, false},
		{HOST("10.0.0.0"), 33, false, false},
		{HOST("10.0.0.1"), 8, false, false},
		{HOST("::"), 129, false, false},
		{HOST(""), -1, false, false},
	};
	static const char *const why[] = {"does not resolve", "too long",
	    "beyond the mask", "too long", "does not resolve"};
	static const struct vcl_acl_entry both[] = {
		{HOST("10.0.0.0"), 8, false, false},
		{HOST("10.0.0.0"), 8, true, false},
	};
	char err[200];
	struct vcl_acl *acl;

	for (size_t i = 0; i < N(e); i++) {
		acl = make(&e[i], 1, 0, err);
		CU_ASSERT_PTR_NULL(acl);
		if (strstr(err, why[i]) == NULL) {
			CU_FAIL("message");
			fprintf(stderr, "%s\n", err);
		}
		acl_free(&acl);
	}
	acl = make(&e[2], 1, VCL_ACL_NOT_PEDANTIC, err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(acl);
	CU_ASSERT(has(acl, "10.9.9.9"));
	acl_free(&acl);
	CU_ASSERT_PTR_NULL(make(both, 2, 0, err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "contradict"));
}

/* Against a search one by one. */
static void
test_many(void)
{
	enum { MANY = 3000 };
	static struct vcl_acl_entry e[MANY];
	static char text[MANY][20];
	char err[200];
	struct vcl_acl *acl;
	unsigned seed = 1, wrong = 0;

	for (unsigned i = 0; i < MANY; i++) {
		/* distinct: the second and third byte count */
		snprintf(text[i], sizeof text[i], "10.%u.%u.0", i / 250,
		    i % 250);
		e[i] = (struct vcl_acl_entry){{text[i], strlen(text[i])},
		    i % 3 == 0 ? 24 : 25, i % 7 == 0, false};
	}
	acl = make(e, MANY, 0, err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(acl);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned b, c, d, at;
		struct addr a = {.len = sizeof a.in4};
		const char *entry;
		bool in;

		seed = seed * 1103515245 + 12345;
		b = seed >> 16 & 15;
		c = seed >> 8 & 255;
		d = seed >> 20 & 255;
		a.in4.sin_family = AF_INET;
		a.in4.sin_addr.s_addr = htonl(10u << 24 | b << 16 | c << 8 |
		    d);
		at = b * 250 + c;
		in = c < 250 && at < MANY && (at % 3 == 0 || d < 128) &&
		    at % 7 != 0;
		wrong += acl_has(acl, &a, &entry) != in;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	acl_free(&acl);
}

static void
test_names(void)
{
	static const struct vcl_acl_entry e[] = {
		{HOST("localhost"), -1, false, false},
	};
	char err[200];
	struct vcl_acl *acl = make(e, N(e), 0, err);
	struct vcl_rig r;
	struct addr a = ip("127.0.0.1");

	CU_ASSERT_PTR_NOT_NULL_FATAL(acl);
	vcl_rig_begin(&r, 4096);
	CU_ASSERT(vrt_acl_match(&r.ctx, acl, &a));
	CU_ASSERT(!r.ctx.failed);
	CU_ASSERT(!vrt_acl_match(&r.ctx, acl, NULL));
	CU_ASSERT(r.ctx.failed);
	vcl_rig_end(&r);
	acl_free(&acl);
}

void
suite_acl(void)
{
	CU_pSuite s = CU_add_suite("acl", NULL, NULL);

	CU_add_test(s, "networks", test_networks);
	CU_add_test(s, "everything and nothing", test_all);
	CU_add_test(s, "bad", test_bad);
	CU_add_test(s, "many", test_many);
	CU_add_test(s, "names", test_names);
}
