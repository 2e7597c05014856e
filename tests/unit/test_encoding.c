/*
 * test_encoding.c - base64, hex and percent-encoding.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "encoding.h"

static char out[4096];
static size_t out_len;

static bool
writes(enum encoding e, bool upper, struct str bytes, const char *text)
{
	size_t n = encoding_write(e, upper, bytes.p, bytes.len, out);

	return n <= encoding_text_max(e, bytes.len) &&
	    str_eq(str_of(out, n), str_from_z(text));
}

static bool
reads(enum encoding e, const char *text, struct str bytes)
{
	struct str s = str_from_z(text);

	return encoding_read(e, s, out, &out_len) &&
	    out_len <= encoding_bytes_max(e, s.len) &&
	    str_eq(str_of(out, out_len), bytes);
}

static bool
refuses(enum encoding e, const char *text)
{
	return !encoding_read(e, str_from_z(text), out, &out_len);
}

/* RFC 4648 10 */
static void
test_base64_vectors(void)
{
	static const char *const text[] = {"", "Zg==", "Zm8=", "Zm9v",
	    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};

	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		struct str bytes = str_of("foobar", i);

		CU_ASSERT(writes(ENCODING_BASE64, false, bytes, text[i]));
		CU_ASSERT(reads(ENCODING_BASE64, text[i], bytes));
	}
}

static void
test_base64_alphabets(void)
{
	const struct str bytes = STR("\xfb\xef\xff\xff");

	CU_ASSERT(writes(ENCODING_BASE64, false, bytes, "++///w=="));
	CU_ASSERT(writes(ENCODING_BASE64URL, false, bytes, "--___w=="));
	CU_ASSERT(writes(ENCODING_BASE64URLNOPAD, false, bytes, "--___w"));
	CU_ASSERT(writes(ENCODING_BASE64CF, false, bytes, "--~~~w__"));
	CU_ASSERT(reads(ENCODING_BASE64, "++///w==", bytes));
	CU_ASSERT(reads(ENCODING_BASE64URL, "--___w==", bytes));
	CU_ASSERT(reads(ENCODING_BASE64URLNOPAD, "--___w", bytes));
	CU_ASSERT(reads(ENCODING_BASE64CF, "--~~~w__", bytes));
	CU_ASSERT(refuses(ENCODING_BASE64, "--__"));
	CU_ASSERT(refuses(ENCODING_BASE64URL, "++//"));
}

static void
test_base64_padding(void)
{
	CU_ASSERT(reads(ENCODING_BASE64, "Zm9vYg", STR("foob")));
	CU_ASSERT(refuses(ENCODING_BASE64, "Zm9vYg="));
	CU_ASSERT(refuses(ENCODING_BASE64, "Zm9v="));
	CU_ASSERT(refuses(ENCODING_BASE64, "===="));
	CU_ASSERT(refuses(ENCODING_BASE64, "Zm=v"));
	CU_ASSERT(refuses(ENCODING_BASE64, "Zg==Zg=="));
	CU_ASSERT(refuses(ENCODING_BASE64, "Z"));
	CU_ASSERT(refuses(ENCODING_BASE64, "Zm9v\n"));
	CU_ASSERT(refuses(ENCODING_BASE64URLNOPAD, "Zg=="));
}

static void
test_hex(void)
{
	CU_ASSERT(writes(ENCODING_HEX, false, STR("\x01\xaf"), "01af"));
	CU_ASSERT(writes(ENCODING_HEX, true, STR("\x01\xaf"), "01AF"));
	CU_ASSERT(reads(ENCODING_HEX, "01aFAf", STR("\x01\xaf\xaf")));
	CU_ASSERT(reads(ENCODING_HEX, "abc", STR("\x0a\xbc")));
	CU_ASSERT(reads(ENCODING_HEX, "f", STR("\x0f")));
	CU_ASSERT(reads(ENCODING_HEX, "", STR("")));
	CU_ASSERT(refuses(ENCODING_HEX, "0x12"));
	CU_ASSERT(refuses(ENCODING_HEX, "1g"));
}

static void
test_url(void)
{
	CU_ASSERT(writes(ENCODING_URL, false, STR("aZ09-._~ /+%\xff"),
	    "aZ09-._~%20%2f%2b%25%ff"));
	CU_ASSERT(writes(ENCODING_URL, true, STR("/\xff"), "%2F%FF"));
	CU_ASSERT(reads(ENCODING_URL, "a%41+%2f%2F", STR("aA+//")));
	CU_ASSERT(refuses(ENCODING_URL, "a%"));
	CU_ASSERT(refuses(ENCODING_URL, "a%2"));
	CU_ASSERT(refuses(ENCODING_URL, "%zz"));
}

static void
test_round_trip(void)
{
	char bytes[64];

	srandom(1);
	for (unsigned i = 0; i < 2000; i++) {
		size_t n = (size_t)random() % sizeof bytes, len;
		enum encoding e = (enum encoding)((unsigned)random() %
		    ENCODING_N);
		char back[sizeof bytes * 3];

		for (size_t j = 0; j < n; j++)
			bytes[j] = (char)random();
		len = encoding_write(e, i & 1, bytes, n, out);
		CU_ASSERT(encoding_read(e, str_of(out, len), back, &out_len));
		CU_ASSERT(str_eq(str_of(back, out_len), str_of(bytes, n)));
	}
}

void
suite_encoding(void)
{
	CU_pSuite s = CU_add_suite("encoding", NULL, NULL);

	CU_add_test(s, "RFC 4648's vectors", test_base64_vectors);
	CU_add_test(s, "the alphabets of base64", test_base64_alphabets);
	CU_add_test(s, "padding", test_base64_padding);
	CU_add_test(s, "hex", test_hex);
	CU_add_test(s, "percent-encoding", test_url);
	CU_add_test(s, "what was written is read back", test_round_trip);
}
