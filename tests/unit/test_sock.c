/*
 * test_sock.c - addresses, and sockets that meet.
 */
#include <CUnit/CUnit.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sock.h"

void suite_sock(void);

/* What text parses to, as text; or what is wrong. */
static const char *
parsed(const char *text, const char *port, bool listening)
{
	static char out[512];
	struct addr a[8];
	char err[256];
	int n = addr_parse(text, port, listening, a, 8, err, sizeof err);

	if (n < 0)
		snprintf(out, sizeof out, "%s", err);
	else
		addr_text(&a[0], out);
	return out;
}

#define PARSES(text, port, listening, to) \
	CU_ASSERT_STRING_EQUAL(parsed(text, port, listening), to)
#define FAILS(text, port, listening, why) \
	CU_ASSERT_PTR_NOT_NULL(strstr(parsed(text, port, listening), why))

static void
test_parse(void)
{
	PARSES("127.0.0.1:80", NULL, false, "127.0.0.1:80");
	PARSES("127.0.0.1", "8080", false, "127.0.0.1:8080");
	PARSES("[::1]:443", NULL, false, "[::1]:443");
	PARSES("[::1]", "80", false, "[::1]:80");
	PARSES("::1", "80", false, "[::1]:80");
	PARSES("127.0.0.1:http", NULL, false, "127.0.0.1:80");
	PARSES("0.0.0.0:0", NULL, true, "0.0.0.0:0");
	PARSES(":8080", NULL, true, "0.0.0.0:8080");
	PARSES("8080", NULL, true, "0.0.0.0:8080");
	PARSES("/run/x.sock", NULL, true, "/run/x.sock");
	PARSES("unix:/run/x.sock", NULL, false, "/run/x.sock");
	PARSES("@x", NULL, true, "@x");
	PARSES("unix:@x", NULL, false, "@x");
	PARSES("localhost:1", NULL, false, parsed("localhost", "1", false));
}

static void
test_parse_errors(void)
{
	char longer[400];

	FAILS("", "80", true, "no address given");
	FAILS("127.0.0.1", NULL, false, "no port given");
	FAILS("127.0.0.1:", "80", false, "no port given");
	FAILS("127.0.0.1:65536", NULL, false, "65535 at most");
	FAILS("127.0.0.1:99999999999999999999", NULL, false, "65535");
	FAILS("127.0.0.1:0", NULL, false, "must not be 0");
	FAILS("80", "80", false, "a port, but no host");
	FAILS("[::1", "80", false, "\"]\" is missing");
	FAILS("[]:80", "80", false, "between the brackets");
	FAILS("[::1]80", "80", false, "must follow");
	FAILS("unix:relative", NULL, true, "must begin with");
	FAILS("@", NULL, true, "no name behind");
	FAILS("127.0.0.1:no-such-service", NULL, false, "127.0.0.1:no-such");
	FAILS("1:2:3", "80", false, "1:2:3");
	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	FAILS(longer, "80", false, "too long");
	longer[0] = '/';
	FAILS(longer, "80", false, "107 bytes at most");
	longer[0] = ':';
	FAILS(longer, "80", false, "too long");
}

static void
test_check(void)
{
	static const char *const good[] = {"a", "a.example:http", "::1",
	    "[::1]", "[fe80::1%lo]:80", "127.1", "10.0.0.1:1", "a_b",
	    "1.2.3.4 8080", "[::1] 8080", "/a", "@a", "1.example", "a.",
	    "[a]", "[a]:80", "[10.0.0.1]"},
	    *const bad[] = {"", ":80", "a..b", ".a", "10.0.0.256", "1.2.3.4.5",
	    "::1:::2", "[a..b]", "[10.0.0.256]", "[::g]", "a b c",
	    "http://a/", "a/b",
	    "a:80/", "a:0", "@"};
	char err[300], text[300];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CU_ASSERT(addr_check(good[i], "80", err, sizeof err));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err[0] = '\0';
		CU_ASSERT(!addr_check(bad[i], "80", err, sizeof err));
		CU_ASSERT(err[0] != '\0');
	}
	CU_ASSERT(addr_join(STR("::1"), STR("81"), text, sizeof text));
	CU_ASSERT_STRING_EQUAL(text, "[::1]:81");
	CU_ASSERT(addr_join(STR("[::1]"), STR("81"), text, sizeof text));
	CU_ASSERT_STRING_EQUAL(text, "[::1]:81");
	CU_ASSERT(addr_join(STR("a"), STR("81"), text, sizeof text));
	CU_ASSERT_STRING_EQUAL(text, "a:81");
	CU_ASSERT(!addr_join(STR("a:1"), STR("81"), text, sizeof text));
	CU_ASSERT(!addr_join(STR("[::1]:1"), STR("81"), text, sizeof text));
	CU_ASSERT(!addr_join(STR("::1 1"), STR("81"), text, sizeof text));
	CU_ASSERT_STRING_EQUAL(text, "::1 1");
}

static void
test_text(void)
{
	struct addr a = {.len = sizeof(sa_family_t),
		.un.sun_family = AF_UNIX}, none = {0}, b;
	char out[ADDR_TEXT_MAX], err[256];

	addr_host(&a, out);
	CU_ASSERT_STRING_EQUAL(out, "0.0.0.0"); /* an unnamed peer */
	CU_ASSERT_EQUAL(addr_port(&a), 0);
	addr_text(&none, out);
	CU_ASSERT_STRING_EQUAL(out, "0.0.0.0:0");
	CU_ASSERT(addr_eq(&none, &none));
	CU_ASSERT(!addr_eq(&none, &a));
	addr_parse("[2001:db8::1]:443", NULL, false, &a, 1, err, sizeof err);
	addr_host(&a, out);
	CU_ASSERT_STRING_EQUAL(out, "2001:db8::1");
	CU_ASSERT_EQUAL(addr_port(&a), 443);
	b = a;
	CU_ASSERT(addr_eq(&a, &b));
	b.in6.sin6_port = 1;
	CU_ASSERT(!addr_eq(&a, &b));
	addr_parse("/a", NULL, false, &a, 1, err, sizeof err);
	addr_parse("unix:/a", NULL, false, &b, 1, err, sizeof err);
	CU_ASSERT(addr_eq(&a, &b));
	addr_parse("/b", NULL, false, &b, 1, err, sizeof err);
	CU_ASSERT(!addr_eq(&a, &b));
	addr_parse("@a", NULL, false, &a, 1, err, sizeof err);
	addr_parse("@ab", NULL, false, &b, 1, err, sizeof err);
	CU_ASSERT(addr_is_abstract(&a) && !addr_eq(&a, &b));
}

static void
wait_fd(int fd, short what)
{
	struct pollfd p = {.fd = fd, .events = what};

	CU_ASSERT_EQUAL(poll(&p, 1, 10000), 1);
}

/* A byte from a client to what listens on text. */
static void
meet(const char *text)
{
	struct addr a, local, peer;
	char err[256], c = 0;
	int l, out, in;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, NULL, true, &a, 1, err,
	    sizeof err), 1);
	l = sock_listen(&a, false, 8, err, sizeof err);
	CU_ASSERT_FATAL(l >= 0);
	CU_ASSERT_EQUAL(sock_local(l, &local), 0);
	CU_ASSERT_EQUAL(sock_accept(l, NULL), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	out = sock_connect_start(&local);
	CU_ASSERT_FATAL(out >= 0);
	wait_fd(out, POLLOUT);
	CU_ASSERT_EQUAL(sock_connect_result(out), 0);
	wait_fd(l, POLLIN);
	in = sock_accept(l, &peer);
	CU_ASSERT_FATAL(in >= 0);
	CU_ASSERT(fcntl(in, F_GETFL) & O_NONBLOCK);
	CU_ASSERT(fcntl(in, F_GETFD) & FD_CLOEXEC);
	CU_ASSERT_EQUAL(sock_local(out, &a), 0);
	if (a.sa.sa_family != AF_UNIX)
		CU_ASSERT(addr_eq(&a, &peer));
	CU_ASSERT_EQUAL(write(out, "x", 1), 1);
	wait_fd(in, POLLIN);
	CU_ASSERT_EQUAL(read(in, &c, 1), 1);
	CU_ASSERT_EQUAL(c, 'x');
	close(in);
	close(out);
	/* the same address again, while somebody listens: an error */
	CU_ASSERT_EQUAL(sock_listen(&local, false, 8, err, sizeof err), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "Address already in use"));
	close(l);
	if (local.sa.sa_family == AF_UNIX)
		return;
	/* nobody any more */
	out = sock_connect_start(&local);
	if (out >= 0) {
		wait_fd(out, POLLOUT);
		CU_ASSERT_EQUAL(sock_connect_result(out), ECONNREFUSED);
		close(out);
	}
}

static void
test_tcp(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};

	meet("127.0.0.1:0");
	/* a machine without IPv6 has nothing to test */
	if (fd >= 0 && bind(fd, (struct sockaddr *)&v6, sizeof v6) == 0)
		meet("[::1]:0");
	if (fd >= 0)
		close(fd);
}

static void
test_reuseport(void)
{
	struct addr a;
	char err[256];
	int one, two;

	addr_parse("127.0.0.1:0", NULL, true, &a, 1, err, sizeof err);
	one = sock_listen(&a, true, 8, err, sizeof err);
	CU_ASSERT_FATAL(one >= 0);
	sock_local(one, &a);
	two = sock_listen(&a, true, 8, err, sizeof err);
	CU_ASSERT(two >= 0);
	close(one);
	close(two);
	/* not an address of this machine (RFC 5737) */
	addr_parse("192.0.2.1:80", NULL, true, &a, 1, err, sizeof err);
	CU_ASSERT_EQUAL(sock_listen(&a, false, 8, err, sizeof err), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "192.0.2.1:80: cannot bind"));
}

static void
test_unix(void)
{
	char dir[] = "/tmp/copal-test-sock-XXXXXX", path[64], err[256];
	struct addr a;
	int fd;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	meet(path);
	meet(path); /* replaces what the first one left */
	CU_ASSERT_EQUAL(unlink(path), 0);
	/* a file that is no socket stays */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CU_ASSERT(fd >= 0);
	close(fd);
	addr_parse(path, NULL, true, &a, 1, err, sizeof err);
	CU_ASSERT_EQUAL(sock_listen(&a, false, 8, err, sizeof err), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "File exists"));
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL(sock_connect_start(&a), -1);
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

void
suite_sock(void)
{
	CU_pSuite s = CU_add_suite("sock", NULL, NULL);

	CU_add_test(s, "parse", test_parse);
	CU_add_test(s, "parse errors", test_parse_errors);
	CU_add_test(s, "check", test_check);
	CU_add_test(s, "text", test_text);
	CU_add_test(s, "tcp", test_tcp);
	CU_add_test(s, "reuseport", test_reuseport);
	CU_add_test(s, "unix", test_unix);
}
