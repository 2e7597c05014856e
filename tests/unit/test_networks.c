/*
 * Lists of networks (lib/networks.c).
 */
#include <CUnit/CUnit.h>
#include <string.h>

#include "networks.h"

static char err[200];

static bool
has(const char *list, const char *address)
{
	struct networks set;
	struct addr a;

	if (!networks_parse(&set, list, err, sizeof err)) {
		CU_FAIL("no list");
		return false;
	}
	if (addr_parse(address, "80", false, &a, 1, err, sizeof err) != 1) {
		CU_FAIL("no address");
		return false;
	}
	return networks_have(&set, &a);
}

static void
test_networks_have(void)
{
	static const char list[] =
	    "10.0.0.0/8, 192.0.2.7,2001:db8::/33  ::1 198.51.100.128/25";

	CU_ASSERT(has(list, "10.255.3.4"));
	CU_ASSERT(!has(list, "11.0.0.0"));
	CU_ASSERT(has(list, "192.0.2.7"));
	CU_ASSERT(!has(list, "192.0.2.6"));
	CU_ASSERT(has(list, "198.51.100.200"));
	CU_ASSERT(!has(list, "198.51.100.127"));
	CU_ASSERT(has(list, "[2001:db8:7fff::1]"));
	CU_ASSERT(!has(list, "[2001:db8:8000::1]"));
	CU_ASSERT(has(list, "[::1]"));
	CU_ASSERT(!has(list, "[::2]"));
	CU_ASSERT(!has(list, "/tmp/sock"));
	/* an IPv4 client of an IPv6 socket */
	CU_ASSERT(has(list, "[::ffff:10.1.1.1]"));
	CU_ASSERT(!has("::/1", "[8000::]"));
	CU_ASSERT(has("0.0.0.0/0", "1.2.3.4"));
	CU_ASSERT(!has("0.0.0.0/0", "[::1]"));
}

static void
test_networks_words(void)
{
	CU_ASSERT(!has("", "1.2.3.4"));
	CU_ASSERT(!has(" , ", "1.2.3.4"));
	CU_ASSERT(has("*", "1.2.3.4"));
	CU_ASSERT(has("*", "/tmp/sock"));
	CU_ASSERT(has("unix", "/tmp/sock"));
	CU_ASSERT(!has("unix", "1.2.3.4"));
}

static void
test_networks_bad(void)
{
	static const char *const bad[] = {"example.com", "1.2.3", "1.2.3.4/33",
	    "::/129", "1.2.3.4/", "1.2.3.4/x", "/8", "[::1]", "**", "1.2.3.4;",
	    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/128"};
	char many[NETWORKS_MAX * 10 + 20] = "";
	struct networks set;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CU_ASSERT(!networks_parse(&set, bad[i], err, sizeof err));
		CU_ASSERT(err[0] != '\0');
	}
	for (unsigned i = 0; i < NETWORKS_MAX; i++)
		strcat(many, "1.2.3.4 ");
	CU_ASSERT(networks_parse(&set, many, err, sizeof err));
	strcat(many, "1.2.3.4 ");
	CU_ASSERT(!networks_parse(&set, many, err, sizeof err));
}

void
suite_networks(void)
{
	CU_pSuite s = CU_add_suite("networks", NULL, NULL);

	CU_add_test(s, "who is in a list", test_networks_have);
	CU_add_test(s, "words", test_networks_words);
	CU_add_test(s, "what is no list", test_networks_bad);
}
