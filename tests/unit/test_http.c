/*
 * test_http.c - the array of fields, names, values, and writing a head.
 */
#include <CUnit/CUnit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "http_scan.h"

enum { ROOM = 4096, CAP = 6 };

static _Alignas(16) char memory[ROOM];
static struct arena arena;
static struct http h;

static const struct field_name x_name = {{"X-Some", 6}, FIELD_OTHER};
static const struct field_name y_name = {{"Y", 1}, FIELD_OTHER};

static int
setup(void)
{
	arena_init(&arena, memory, sizeof(memory));
	return 0;
}

static int
teardown(void)
{
	arena_reset(&arena);
	return 0;
}

static void
begin(void)
{
	arena_reset(&arena);
	CU_ASSERT(http_init(&h, &arena, CAP));
}

static bool
is(struct str s, const char *text)
{
	return s.p && str_eq(s, str_from_z(text));
}

/* The fields as one text: "Name: value|Name: value" */
static const char *
all(void)
{
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < h.field_n; i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%.*s: %.*s",
		    i ? "|" : "", (int)h.field[i].name_len, h.field[i].name,
		    (int)h.field[i].value_len, h.field[i].value);
	return text;
}

static void
test_known_names(void)
{
	static const char *const other[] = {"", "X", "Hos", "Hostt", "H",
	    "Hose", "Accept-Encodinh", "Content-Typ\xe5", "\x14\x45",
	    "Content\x0dType", "Content Type", "Content_Type",
	    "HTTP\x12-Settings", "Aga", "T\x05",
	    "Proxy-Authentication-Info-And-More", "@ost"};
	char upper[64], lower[64];

	for (unsigned id = 1; id < FIELD_MAX; id++) {
		struct str name = field_name_of(id);

		CU_ASSERT_EQUAL(field_id(name), id);
		for (size_t i = 0; i < name.len; i++) {
			char c = name.p[i];

			upper[i] = c >= 'a' && c <= 'z' ? c - 32 : c;
			lower[i] = c >= 'A' && c <= 'Z' ? c + 32 : c;
		}
		CU_ASSERT_EQUAL(field_id(str_of(upper, name.len)), id);
		CU_ASSERT_EQUAL(field_id(str_of(lower, name.len)), id);
		CU_ASSERT_EQUAL(field_id(str_of(lower, name.len - 1)),
		    FIELD_OTHER);
		/* any one bit changed, except the one of case */
		for (size_t i = 0; i < name.len * 8; i++) {
			bool letter = (name.p[i / 8] | 0x20) >= 'a' &&
			    (name.p[i / 8] | 0x20) <= 'z';

			if (letter && i % 8 == 5)
				continue;
			lower[i / 8] ^= 1 << i % 8;
			CU_ASSERT_EQUAL(field_id(str_of(lower, name.len)),
			    FIELD_OTHER);
			lower[i / 8] ^= 1 << i % 8;
		}
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		CU_ASSERT_EQUAL(field_id(str_from_z(other[i])), FIELD_OTHER);
	CU_ASSERT_EQUAL(field_id(STR_NULL), FIELD_OTHER);
	CU_ASSERT_PTR_NULL(field_name_of(FIELD_OTHER).p);
	CU_ASSERT_PTR_NULL(field_name_of(FIELD_MAX).p);
}

static void
test_set(void)
{
	begin();
	CU_ASSERT_PTR_NULL(http_get(&h, FIELD_HOST).p);
	CU_ASSERT(http_add_known(&h, FIELD_VARY, STR("a")));
	CU_ASSERT(http_add(&h, &x_name, STR("1")));
	CU_ASSERT(http_add_known(&h, FIELD_VARY, STR("b")));
	CU_ASSERT(http_add(&h, &y_name, STR("")));
	CU_ASSERT(http_add(&h, &x_name, STR("2")));
	CU_ASSERT_STRING_EQUAL(all(),
	    "Vary: a|X-Some: 1|Vary: b|Y: |X-Some: 2");
	CU_ASSERT(is(http_get(&h, FIELD_VARY), "a"));
	CU_ASSERT(is(http_get_name(&h, &y_name), ""));
	CU_ASSERT(is(http_get_name(&h,
			 &(struct field_name){STR("x-sOME"), FIELD_OTHER}),
	    "1"));
	CU_ASSERT_EQUAL(http_find(&h, &x_name, 0), 1);
	CU_ASSERT_EQUAL(http_find(&h, &x_name, 2), 4);
	CU_ASSERT_EQUAL(http_find(&h, &x_name, 5), -1);
	CU_ASSERT_EQUAL(http_count(&h, FIELD_VARY), 2);
	CU_ASSERT_EQUAL(http_count(&h, FIELD_HOST), 0);

	CU_ASSERT(http_set(&h, &x_name, STR("3")));
	CU_ASSERT_STRING_EQUAL(all(), "Vary: a|X-Some: 3|Vary: b|Y: ");
	CU_ASSERT(http_set_known(&h, FIELD_VARY, STR("c")));
	CU_ASSERT_STRING_EQUAL(all(), "Vary: c|X-Some: 3|Y: ");
	CU_ASSERT(http_set_known(&h, FIELD_AGE, STR("0")));
	CU_ASSERT_STRING_EQUAL(all(), "Vary: c|X-Some: 3|Y: |Age: 0");
	CU_ASSERT_EQUAL(http_unset(&h, FIELD_HOST), 0);
	CU_ASSERT_EQUAL(http_unset(&h, FIELD_VARY), 1);
	CU_ASSERT_EQUAL(http_unset_name(&h, &y_name), 1);
	CU_ASSERT_STRING_EQUAL(all(), "X-Some: 3|Age: 0");
	http_add(&h, &x_name, STR("4"));
	CU_ASSERT_EQUAL(http_unset_name(&h, &x_name), 2);
	CU_ASSERT_STRING_EQUAL(all(), "Age: 0");
	http_remove_at(&h, 0);
	CU_ASSERT_STRING_EQUAL(all(), "");
	CU_ASSERT_FALSE(h.overflow);
}

static void
test_overflow(void)
{
	struct str huge = str_of("x", (size_t)UINT32_MAX + 1);
	struct http copy;

	begin();
	for (int i = 0; i < CAP; i++)
		CU_ASSERT(http_add(&h, &x_name, STR("1")));
	CU_ASSERT_FALSE(h.overflow);
	/* a copy has its own array, and says so if it is too short */
	CU_ASSERT(http_init(&copy, &arena, CAP));
	http_copy(&copy, &h);
	CU_ASSERT_EQUAL(copy.field_n, CAP);
	CU_ASSERT_FALSE(copy.overflow);
	CU_ASSERT_PTR_NOT_EQUAL(copy.field, h.field);
	CU_ASSERT(http_init(&copy, &arena, CAP - 1));
	http_copy(&copy, &h);
	CU_ASSERT_EQUAL(copy.field_n, CAP - 1);
	CU_ASSERT(copy.overflow);

	CU_ASSERT_FALSE(http_add(&h, &y_name, STR("1")));
	CU_ASSERT(h.overflow);
	http_unset_name(&h, &x_name);
	CU_ASSERT(h.overflow);

	begin();
	CU_ASSERT_FALSE(http_add(&h, &x_name, huge));
	CU_ASSERT(h.overflow);
	begin();
	CU_ASSERT_FALSE(http_add(&h,
	    &(struct field_name){{"x", UINT16_MAX + 1}, FIELD_OTHER},
	    STR("1")));
	begin();
	http_add(&h, &x_name, STR("1"));
	CU_ASSERT_FALSE(http_set(&h, &x_name, huge));
	CU_ASSERT(h.overflow);
	CU_ASSERT_EQUAL(h.field_n, 0);
	arena_reset(&arena);
	CU_ASSERT_FALSE(http_init(&h, &arena, 1000));
	CU_ASSERT_FALSE(http_add(&h, &x_name, STR("1")));
	http_copy(&h, &copy);
	CU_ASSERT_EQUAL(h.field_n, 0);
}

static void
test_list(void)
{
	begin();
	CU_ASSERT_PTR_NULL(http_get_list(&h, FIELD_VARY, &arena).p);
	http_add_known(&h, FIELD_VARY, STR("a, b"));
	CU_ASSERT_PTR_EQUAL(http_get_list(&h, FIELD_VARY, &arena).p,
	    h.field[0].value);
	http_add(&h, &x_name, STR("1"));
	http_add_known(&h, FIELD_VARY, STR(""));
	http_add_known(&h, FIELD_VARY, STR("c"));
	CU_ASSERT(is(http_get_list(&h, FIELD_VARY, &arena), "a, b, , c"));
	while (arena_room(&arena) >= 64)
		if (!arena_bytes(&arena, 56))
			break;
	while (arena_bytes(&arena, 1))
		continue;
	CU_ASSERT_PTR_NULL(http_get_list(&h, FIELD_VARY, &arena).p);
	CU_ASSERT(arena_overflowed(&arena));
}

static bool
hop(const char *name, const char *connection)
{
	struct field f = {.name = name, .name_len = strlen(name)};

	f.id = field_id(str_from_z(name));
	return http_is_hop_by_hop(&f, str_from_z(connection));
}

static void
test_hop_by_hop(void)
{
	static const char *const always[] = {"Connection", "keep-alive",
	    "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "UPGRADE",
	    "HTTP2-Settings"};
	static const char *const never[] = {"Host", "Content-Length",
	    "Cache-Control", "X-Forwarded-For", "Authorization", "Cookie",
	    "Content-Type", "Range", "Vary"};

	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		CU_ASSERT(hop(always[i], NULL));
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		CU_ASSERT_FALSE(hop(never[i], never[i]));
	CU_ASSERT_FALSE(hop("X-Mine", NULL));
	CU_ASSERT_FALSE(hop("X-Mine", "close, X-Mine-Too"));
	CU_ASSERT(hop("X-Mine", "close, x-mine"));
	CU_ASSERT(hop("Proxy-Authorization", "proxy-authorization"));
	CU_ASSERT_FALSE(hop("Proxy-Authorization", "close"));
}

static void
test_syntax(void)
{
	CU_ASSERT(http_is_token(STR("abc-DEF_09!#$%&'*+.^`|~and-longer")));
	CU_ASSERT_FALSE(http_is_token(STR("")));
	CU_ASSERT_FALSE(http_is_token(STR_NULL));
	CU_ASSERT(http_is_value(STR("")));
	CU_ASSERT(http_is_value(STR_NULL));
	CU_ASSERT(http_is_value(STR("a b\tc \x80\xff and a longer one")));
	CU_ASSERT_FALSE(http_is_value(STR(" a")));
	CU_ASSERT_FALSE(http_is_value(STR("a\t")));
	CU_ASSERT_FALSE(http_is_value(STR("a\r\nB: c")));
	/* each byte at each place of the scans, against the definition */
	for (int c = 0; c < 256; c++) {
		bool token = c && strchr("!#$%&'*+-.^_`|~0123456789"
					 "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ", c);
		bool value = c == '\t' || (c >= ' ' && c != 0x7f);
		bool target = c > ' ' && c != 0x7f && c != '#';

		for (size_t at = 0; at < 40; at++) {
			char *s = malloc(40), *end = s + 40;

			memset(s, 'a', 40);
			s[at] = c;
			CU_ASSERT_EQUAL(http_is_token(str_of(s, 40)), token);
			CU_ASSERT_PTR_EQUAL(http_scan_token(s, end),
			    token ? end : s + at);
			CU_ASSERT_PTR_EQUAL(http_scan_value(s, end),
			    value ? end : s + at);
			CU_ASSERT_PTR_EQUAL(http_scan_target(s, end),
			    target ? end : s + at);
			free(s);
		}
	}
}

static void
test_write(void)
{
	static const char request[] =
	    "GET /x HTTP/1.1\r\nHost: a\r\nX-Some: \r\n\r\n";
	char text[256];

	begin();
	h.method = STR("GET");
	h.target = STR("/x");
	http_add_known(&h, FIELD_HOST, STR("a"));
	http_add(&h, &x_name, STR(""));
	CU_ASSERT_EQUAL(http_request_size(&h), strlen(request));
	CU_ASSERT_PTR_EQUAL(http_write_request(&h, text),
	    text + strlen(request));
	CU_ASSERT_EQUAL(memcmp(text, request, strlen(request)), 0);
	h.version = 10;
	http_write_request(&h, text);
	CU_ASSERT_EQUAL(memcmp(text, "GET /x HTTP/1.0\r\n", 17), 0);

	h.status = 404;
	h.reason = STR("Gone fishing");
	h.field_n = 1;
	CU_ASSERT_EQUAL(http_response_size(&h), 38);
	CU_ASSERT_PTR_EQUAL(http_write_response(&h, text), text + 38);
	CU_ASSERT_EQUAL(memcmp(text,
			    "HTTP/1.1 404 Gone fishing\r\nHost: a\r\n\r\n", 38),
	    0);
	h.field_n = 0;
	h.reason = STR("");
	CU_ASSERT_PTR_EQUAL(http_write_response(&h, text), text + 17);
	CU_ASSERT_EQUAL(memcmp(text, "HTTP/1.1 404 \r\n\r\n", 17), 0);
	h.reason = STR_NULL;
	h.status = 2503;
	CU_ASSERT_PTR_EQUAL(http_write_response(&h, text),
	    text + http_response_size(&h));
	CU_ASSERT_EQUAL(memcmp(text, "HTTP/1.1 503 Unknown", 20), 0);
	h.status = 404;
	http_write_response(&h, text);
	CU_ASSERT_EQUAL(memcmp(text, "HTTP/1.1 404 Not Found\r\n", 24), 0);
	CU_ASSERT_STRING_EQUAL(http_reason(200), "OK");
	CU_ASSERT_STRING_EQUAL(http_reason(299), "Unknown HTTP Status");
	CU_ASSERT_STRING_EQUAL(http_reason(0), "Unknown HTTP Status");
}

void
suite_http(void)
{
	CU_pSuite s = CU_add_suite("http", setup, teardown);

	CU_add_test(s, "known names", test_known_names);
	CU_add_test(s, "set, add, unset", test_set);
	CU_add_test(s, "overflow", test_overflow);
	CU_add_test(s, "list", test_list);
	CU_add_test(s, "hop by hop", test_hop_by_hop);
	CU_add_test(s, "syntax", test_syntax);
	CU_add_test(s, "write", test_write);
}
