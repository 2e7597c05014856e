/*
 * test_proxy_read.c - PROXY headers as they are received.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct proxy_header h;
static size_t used;
static const char *why;

static enum proxy_result
parse(struct str s)
{
	return proxy_header_read(s, 1024, &h, &used, &why);
}

static bool
addr_is(const struct addr *a, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	addr_text(a, buf);
	return !strcmp(buf, text);
}

/* Each beginning of it needs more; what is behind it is left alone. */
static bool
reads_whole(struct str s)
{
	static char copy[512]; /* h.tlv points into it */

	for (size_t i = 0; i < s.len; i++)
		if (parse(str_of(s.p, i)) != PROXY_MORE)
			return false;
	memcpy(copy, s.p, s.len);
	memcpy(copy + s.len, "GET /", 5);
	return parse(str_of(copy, s.len + 5)) == PROXY_OK && used == s.len;
}

static void
test_v1(void)
{
	CU_ASSERT(reads_whole(
	    STR("PROXY TCP4 192.0.2.1 198.51.100.9 1111 80\r\n")));
	CU_ASSERT(h.known && h.version == 1 && h.tlv.len == 0);
	CU_ASSERT(addr_is(&h.src, "192.0.2.1:1111"));
	CU_ASSERT(addr_is(&h.dst, "198.51.100.9:80"));
	CU_ASSERT(reads_whole(STR("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n")));
	CU_ASSERT(addr_is(&h.src, "[2001:db8::1]:65535"));
	CU_ASSERT(addr_is(&h.dst, "[::1]:0"));
	CU_ASSERT(reads_whole(STR("PROXY UNKNOWN\r\n")));
	CU_ASSERT(!h.known);
	CU_ASSERT(reads_whole(STR("PROXY UNKNOWN ffff::1 x 1 2\r\n")));
	CU_ASSERT(!h.known);
}

static void
test_v1_bad(void)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\n",
		"PROXYTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 000002\r\n",
		"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
		"PROXY TCP4 ::1 ::2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 \r\n",
		"PROXY \r\n",
	};
	char longest[200];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CU_ASSERT_EQUAL(parse(str_from_z(bad[i])), PROXY_BAD);
		CU_ASSERT(why[0] != '\0');
	}
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "PROXY UNKNOWN ", 14);
	CU_ASSERT_EQUAL(parse(str_of(longest, 106)), PROXY_MORE);
	CU_ASSERT_EQUAL(parse(str_of(longest, 107)), PROXY_BAD);
}

static void
test_v2(void)
{
	struct str value;

	CU_ASSERT(reads_whole(STR(SIGNATURE "\x21\x11\0\x0c"
	    "\xc0\0\x02\x01\xc6\x33\x64\x09\x04\x57\0\x50")));
	CU_ASSERT(h.known && h.version == 2 && h.tlv.len == 0);
	CU_ASSERT(addr_is(&h.src, "192.0.2.1:1111"));
	CU_ASSERT(addr_is(&h.dst, "198.51.100.9:80"));
	CU_ASSERT(reads_whole(STR(SIGNATURE "\x21\x21\0\x24"
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x04\x57\0\x50")));
	CU_ASSERT(addr_is(&h.src, "[2001:db8::1]:1111"));
	CU_ASSERT(addr_is(&h.dst, "[::1]:80"));
	/* TLVs: ALPN, an unknown one, and an empty authority */
	CU_ASSERT(reads_whole(STR(SIGNATURE "\x21\x11\0\x19"
	    "\xc0\0\x02\x01\xc6\x33\x64\x09\x04\x57\0\x50"
	    "\x01\0\x02h2" "\xee\0\x02xy" "\x02\0\0")));
	CU_ASSERT(proxy_tlv_find(h.tlv, PROXY_TLV_ALPN, &value));
	CU_ASSERT(str_eq(value, STR("h2")));
	CU_ASSERT(proxy_tlv_find(h.tlv, PROXY_TLV_AUTHORITY, &value));
	CU_ASSERT_EQUAL(value.len, 0);
	CU_ASSERT(!proxy_tlv_find(h.tlv, PROXY_TLV_SSL, &value));
	/* nobody's: LOCAL, UNSPEC, UDP, a family that is not known */
	CU_ASSERT(reads_whole(STR(SIGNATURE "\x20\0\0\0")));
	CU_ASSERT(!h.known);
	CU_ASSERT(reads_whole(STR(SIGNATURE "\x20\x11\0\x02xx")));
	CU_ASSERT(!h.known && h.tlv.len == 0);
	CU_ASSERT(reads_whole(STR(SIGNATURE "\x21\0\0\x05\x02\0\x02xy")));
	CU_ASSERT(!h.known && h.tlv.len == 5);
	CU_ASSERT(reads_whole(STR(SIGNATURE "\x21\x12\0\x0c"
	    "\xc0\0\x02\x01\xc6\x33\x64\x09\x04\x57\0\x50")));
	CU_ASSERT(!h.known);
	CU_ASSERT(reads_whole(STR(SIGNATURE "\x21\x41\0\x02xx")));
	CU_ASSERT(!h.known && h.tlv.len == 0);
}

static void
test_v2_bad(void)
{
	/* version, command, length against addresses, TLVs */
	CU_ASSERT_EQUAL(parse(STR(SIGNATURE "\x11\x11\0\0")), PROXY_BAD);
	CU_ASSERT_EQUAL(parse(STR(SIGNATURE "\x22\x11\0\0")), PROXY_BAD);
	CU_ASSERT_EQUAL(parse(STR(SIGNATURE "\x21\x11\0\x0b"
	    "\xc0\0\x02\x01\xc6\x33\x64\x09\x04\x57\0")), PROXY_BAD);
	CU_ASSERT_EQUAL(parse(STR(SIGNATURE "\x21\0\0\x02\x01\0")), PROXY_BAD);
	CU_ASSERT_EQUAL(parse(STR(SIGNATURE "\x21\0\0\x04\x01\0\x02h")),
	    PROXY_BAD);
	CU_ASSERT_EQUAL(parse(STR(SIGNATURE "\x21\0\xff\xff")), PROXY_BAD);
	CU_ASSERT_EQUAL(parse(STR("\r\n\r\nGET")), PROXY_BAD);
}

static void
test_written_is_read(void)
{
	unsigned char out[PROXY_HEADER_MAX];
	struct addr src, dst;
	struct str value;
	char err[100];
	size_t n;

	CU_ASSERT_EQUAL_FATAL(addr_parse("[2001:db8::7]:77", NULL, false, &src,
	    1, err, sizeof err), 1);
	CU_ASSERT_EQUAL_FATAL(addr_parse("[2001:db8::8]:88", NULL, false, &dst,
	    1, err, sizeof err), 1);
	for (unsigned version = 1; version <= 2; version++) {
		n = proxy_header_write(out, version, &src, &dst,
		    STR("example.org"));
		CU_ASSERT_EQUAL(parse(str_of((char *)out, n)), PROXY_OK);
		CU_ASSERT(used == n && h.version == version && h.known);
		CU_ASSERT(addr_eq(&h.src, &src) && addr_eq(&h.dst, &dst));
	}
	CU_ASSERT(proxy_tlv_find(h.tlv, PROXY_TLV_AUTHORITY, &value));
	CU_ASSERT(str_eq(value, STR("example.org")));
}

#define WITH_CHECKSUM(crc) SIGNATURE "\x21\x11\0\x1c" \
	"\xc0\0\2\1\xc6\x33\x64\x09" "\4\x57\0\x50" \
	"\2\0\1" "a" "\3\0\4" crc "\1\0\2h2"

static void
test_v2_checksum(void)
{
	struct str value;

	CU_ASSERT(reads_whole(STR(WITH_CHECKSUM("\x7f\x81\x2e\xdc"))));
	CU_ASSERT(h.known && addr_is(&h.src, "192.0.2.1:1111"));
	CU_ASSERT(proxy_tlv_find(h.tlv, PROXY_TLV_ALPN, &value));
	CU_ASSERT_EQUAL(parse(STR(WITH_CHECKSUM("\0\0\0\0"))), PROXY_BAD);
	CU_ASSERT_STRING_EQUAL(why, "its checksum is wrong");
	/* of another length it is none */
	CU_ASSERT_EQUAL(parse(STR(SIGNATURE "\x21\0\0\x5" "\3\0\2ab")),
	    PROXY_BAD);
}

void
suite_proxy_read(void)
{
	CU_pSuite s = CU_add_suite("proxy_read", NULL, NULL);

	CU_add_test(s, "version 1", test_v1);
	CU_add_test(s, "what is no version 1", test_v1_bad);
	CU_add_test(s, "version 2", test_v2);
	CU_add_test(s, "what is no version 2", test_v2_bad);
	CU_add_test(s, "a checksum", test_v2_checksum);
	CU_add_test(s, "what is sent is understood", test_written_is_read);
}
