/*
 * test_addr_set.c - which address is tried first; and answers of DNS that name
 * the servers of a service.
 */
#include <CUnit/CUnit.h>

#include <stdlib.h>
#include <string.h>

#include "addr_set.h"
#include "retry_budget.h"
#include "srv_answer.h"

/* 127.0.0.1 and on, all of one priority and the same share */
static struct addr_set *
make(unsigned n)
{
	struct addr_set *s = addr_set_new(n);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	for (unsigned i = 0; i < n; i++) {
		s->at[i].addr.len = sizeof s->at[i].addr.in4;
		s->at[i].addr.in4.sin_family = AF_INET;
		s->at[i].addr.in4.sin_port = htons(80);
		s->at[i].addr.in4.sin_addr.s_addr = htonl(0x7f000001 + i);
		s->at[i].share = 1;
	}
	return s;
}

static bool
is_order(const struct addr_set *s, uint64_t turn, nsec_t now, const char *want)
{
	unsigned char order[ADDR_SET_MAX];
	char got[ADDR_SET_MAX + 1] = "";

	addr_set_order(s, turn, now, order);
	for (unsigned i = 0; i < s->n; i++)
		got[i] = (char)('0' + order[i]);
	return !strcmp(got, want);
}

static void
test_turns(void)
{
	struct addr_set *s = make(3);

	CU_ASSERT(is_order(s, 0, 1, "012"));
	CU_ASSERT(is_order(s, 1, 1, "120"));
	CU_ASSERT(is_order(s, 2, 1, "201"));
	CU_ASSERT(is_order(s, 3, 1, "012"));
	addr_set_unref(&s);
	CU_ASSERT_PTR_NULL(s);
	s = make(0);
	CU_ASSERT(is_order(s, 7, 1, ""));
	addr_set_unref(&s);
	/* no more than can be tried */
	s = addr_set_new(ADDR_SET_MAX + 5);
	CU_ASSERT_EQUAL(s->n, ADDR_SET_MAX);
	addr_set_unref(&s);
}

/* Those that failed are last, of whatever priority, and for a while only. */
static void
test_failures(void)
{
	struct addr_set *s = make(3), *t = make(2);

	s->at[2].priority = 1;
	s->at[0].failed_at = NSEC_S(100);
	CU_ASSERT(is_order(s, 0, NSEC_S(101), "120"));
	CU_ASSERT(is_order(s, 1, NSEC_S(101), "120"));
	CU_ASSERT(is_order(s, 0, NSEC_S(111), "012"));
	/* it is known of the address, not of the set */
	addr_set_inherit(t, s);
	CU_ASSERT(is_order(t, 0, NSEC_S(101), "10"));
	addr_set_unref(&s);
	addr_set_unref(&t);
}

static void
test_priorities(void)
{
	struct addr_set *s = make(4);

	s->at[0].priority = 20;
	s->at[1].priority = 10;
	s->at[2].priority = 20;
	s->at[3].priority = 10;
	CU_ASSERT(is_order(s, 0, 1, "1302"));
	CU_ASSERT(is_order(s, 1, 1, "3120"));
	addr_set_unref(&s);
}

static void
test_shares(void)
{
	struct addr_set *s = make(3);
	unsigned first[3] = {0}, second[3] = {0};

	s->at[0].share = 6;
	s->at[1].share = 3;
	for (unsigned turn = 0; turn < 10000; turn++) {
		unsigned char order[ADDR_SET_MAX];

		addr_set_order(s, turn, 1, order);
		first[order[0]]++;
		second[order[1]]++;
		CU_ASSERT_EQUAL(order[0] + order[1] + order[2], 3);
	}
	CU_ASSERT(first[0] > 5700 && first[0] < 6300);
	CU_ASSERT(first[1] > 2800 && first[1] < 3200);
	CU_ASSERT(first[2] > 850 && first[2] < 1150);
	/* 6/10 * 1/4 + 3/10 * 1/7 */
	CU_ASSERT(second[2] > 1700 && second[2] < 2150);
	/* nothing at all to go by */
	s->at[0].share = s->at[1].share = 0;
	s->at[2].share = 1;
	CU_ASSERT(is_order(s, 5, 1, "201") || is_order(s, 5, 1, "210"));
	addr_set_unref(&s);
}

static void
test_sets_compared(void)
{
	struct addr_set *s = make(3), *t = make(3), *less = make(2);
	struct addr_entry e = t->at[0];

	t->at[0] = t->at[2];
	t->at[2] = e;
	CU_ASSERT(addr_set_eq(s, t));
	CU_ASSERT(!addr_set_eq(s, less));
	CU_ASSERT(addr_set_has(s, &s->at[2].addr));
	CU_ASSERT(!addr_set_has(less, &s->at[2].addr));
	t->at[1].priority = 1;
	CU_ASSERT(!addr_set_eq(s, t));
	addr_set_unref(&s);
	addr_set_unref(&t);
	addr_set_unref(&less);
}

/* --- names that are none ------------------------------------------------- */

static void
test_literals(void)
{
	struct addr a[4];
	char host[ADDR_NAME_MAX], err[200];
	unsigned port = 0;

#define PARSE(text) addr_parse_literal(text, "80", a, 4, host, &port, err, \
	    sizeof err)
	CU_ASSERT_EQUAL(PARSE("127.0.0.1:8080"), 1);
	CU_ASSERT_EQUAL(addr_port(&a[0]), 8080);
	CU_ASSERT_EQUAL(PARSE("[::1]"), 1);
	CU_ASSERT_EQUAL(addr_port(&a[0]), 80);
	CU_ASSERT_EQUAL(PARSE("127.0.0.1 8080"), 1);
	CU_ASSERT_EQUAL(addr_port(&a[0]), 8080);
	CU_ASSERT_EQUAL(PARSE("::1 8080"), 1);
	CU_ASSERT_EQUAL(addr_port(&a[0]), 8080);
	CU_ASSERT_EQUAL(PARSE("[::1] 8080"), 1);
	CU_ASSERT_EQUAL(addr_port(&a[0]), 8080);
	CU_ASSERT_EQUAL(PARSE("127.0.0.1 "), -1);
	CU_ASSERT_EQUAL(PARSE("/run/x.sock"), 1);
	CU_ASSERT_EQUAL(PARSE("example.com:http"), 0);
	CU_ASSERT_STRING_EQUAL(host, "example.com");
	CU_ASSERT_EQUAL(port, 80);
	CU_ASSERT_EQUAL(PARSE("_http._tcp.example.com"), 0);
	CU_ASSERT_STRING_EQUAL(host, "_http._tcp.example.com");
	CU_ASSERT_EQUAL(PARSE("example.com:99999"), -1);
	CU_ASSERT_EQUAL(PARSE("example.com:no-such-port"), -1);
	CU_ASSERT_EQUAL(PARSE("a\"b"), -1);
	CU_ASSERT_EQUAL(PARSE("a b"), -1);
#undef PARSE
}

/* --- SRV ----------------------------------------------------------------- */

#define BEGIN "\x12\x34\x81\x80\0\1"
#define QUESTION "\5_http\4_tcp\1x\0\0\41\0\1"
#define POINTER "\xc0\x0c"

static bool
read_answer(const char *p, size_t len, struct srv_answer *a)
{
	/* of its own length, for sanitizers */
	unsigned char *copy = malloc(len);
	bool ok;

	memcpy(copy, p, len);
	ok = srv_answer_read(copy, len, a);
	free(copy);
	return ok;
}

static const char two[] = BEGIN "\0\2\0\0\0\0" QUESTION
    POINTER "\0\41\0\1\0\0\0\x3c\0\xb" "\0\1\0\2\0\x50" "\1a\1b\0"
    POINTER "\0\41\0\1\0\0\0\x1e\0\x9" "\0\2\0\0\x1f\x90" "\1c\0";

static void
test_srv(void)
{
	struct srv_answer a;

	CU_ASSERT_FATAL(read_answer(two, sizeof two - 1, &a));
	CU_ASSERT_EQUAL(a.n, 2);
	CU_ASSERT_EQUAL(a.ttl, 30);
	CU_ASSERT_EQUAL(a.srv[0].priority, 1);
	CU_ASSERT_EQUAL(a.srv[0].weight, 2);
	CU_ASSERT_EQUAL(a.srv[0].port, 80);
	CU_ASSERT_STRING_EQUAL(a.srv[0].host, "a.b");
	CU_ASSERT_EQUAL(a.srv[1].port, 8080);
	CU_ASSERT_STRING_EQUAL(a.srv[1].host, "c");
	/* cut short anywhere, it is none */
	for (size_t i = 0; i < sizeof two - 1; i++)
		CU_ASSERT_FALSE(read_answer(two, i, &a));
}

static void
test_srv_none(void)
{
	static const char none[] = BEGIN "\0\1\0\0\0\0" QUESTION
	    POINTER "\0\41\0\1\0\0\0\x3c\0\7" "\0\0\0\0\0\0" "\0";
	static const char loop[] = BEGIN "\0\1\0\0\0\0" QUESTION
	    "\xc0\x1f\0\41\0\1\0\0\0\x3c\0\7" "\0\0\0\0\0\0" "\0";
	static const char other[] = BEGIN "\0\1\0\0\0\0" QUESTION
	    POINTER "\0\1\0\1\0\0\0\x3c\0\4" "\x7f\0\0\1";
	struct srv_answer a;

	CU_ASSERT(read_answer(none, sizeof none - 1, &a));
	CU_ASSERT(a.has_none && a.n == 0);
	CU_ASSERT_FALSE(read_answer(loop, sizeof loop - 1, &a));
	CU_ASSERT_FALSE(read_answer(other, sizeof other - 1, &a));
}

/* --- retries ------------------------------------------------------------- */

/* That many of 1000 may be sent again. */
static unsigned
spend(struct retry_budget *b, unsigned percent, unsigned free_n, nsec_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++)
		n += retry_budget_spend(b, percent, free_n, now);
	return n;
}

static void
test_retry_budget(void)
{
	struct retry_budget b = {0};
	unsigned n = 0;

	/* little traffic: so many in ten seconds */
	CU_ASSERT_EQUAL(spend(&b, 10, 3, NSEC_S(100)), 3);
	CU_ASSERT_EQUAL(spend(&b, 10, 3, NSEC_S(109)), 0);
	CU_ASSERT_EQUAL(spend(&b, 10, 3, NSEC_S(110)), 3);
	CU_ASSERT_EQUAL(spend(&b, 10, 0, NSEC_S(200)), 0);
	/* each request fails: a tenth is sent again */
	for (unsigned i = 0; i < 5000; i++) {
		retry_budget_earn(&b, 10);
		n += retry_budget_spend(&b, 10, 0, NSEC_S(200));
	}
	CU_ASSERT_EQUAL(n, 500);
	/* what is saved is bounded */
	for (unsigned i = 0; i < 100000; i++)
		retry_budget_earn(&b, 10);
	CU_ASSERT_EQUAL(spend(&b, 10, 0, NSEC_S(200)), 100);
	CU_ASSERT_EQUAL(spend(&b, 100, 0, NSEC_S(200)), 1000);
}

static void
test_networks(void)
{
	struct addr_set *s = make(9), *net = make(1);

	CU_ASSERT(addr_in_net(&s->at[8].addr, &net->at[0].addr, 0));
	CU_ASSERT(addr_in_net(&s->at[8].addr, &net->at[0].addr, 28));
	CU_ASSERT_FALSE(addr_in_net(&s->at[8].addr, &net->at[0].addr, 29));
	CU_ASSERT(addr_in_net(&s->at[6].addr, &net->at[0].addr, 29));
	CU_ASSERT_FALSE(addr_in_net(&s->at[1].addr, &net->at[0].addr, 32));
	CU_ASSERT(addr_in_net(&s->at[0].addr, &net->at[0].addr, 32));
	s->at[0].addr.sa.sa_family = AF_INET6;
	CU_ASSERT_FALSE(addr_in_net(&s->at[0].addr, &net->at[0].addr, 0));
	addr_set_unref(&s);
	addr_set_unref(&net);
}

void
suite_addr_set(void)
{
	CU_pSuite s = CU_add_suite("addr_set", NULL, NULL);

	CU_add_test(s, "addresses take turns", test_turns);
	CU_add_test(s, "those that failed are last", test_failures);
	CU_add_test(s, "priorities", test_priorities);
	CU_add_test(s, "shares", test_shares);
	CU_add_test(s, "sets compared", test_sets_compared);
	CU_add_test(s, "literal addresses and names", test_literals);
	CU_add_test(s, "retry budget", test_retry_budget);
	CU_add_test(s, "networks", test_networks);
	CU_add_test(s, "SRV records", test_srv);
	CU_add_test(s, "no SRV records", test_srv_none);
}
