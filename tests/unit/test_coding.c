/*
 * test_coding.c - what Accept-Encoding asks for, and types that pack well.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "coding.h"

enum {
	ID = 1 << CODING_IDENTITY,
	ZSTD = 1 << CODING_ZSTD,
	BR = 1 << CODING_BR,
	GZIP = 1 << CODING_GZIP,
};

static unsigned
best_of(const char *first, const char *second)
{
	struct field f[2] = {{.name = "Accept-Encoding", .name_len = 15,
	    .id = FIELD_ACCEPT_ENCODING}};
	struct http h = {.field = f, .field_cap = 2};
	struct accepted a;

	f[1] = f[0];
	if (first != NULL) {
		f[0].value = first;
		f[0].value_len = (uint32_t)strlen(first);
		h.field_n = 1;
	}
	if (second != NULL) {
		f[1].value = second;
		f[1].value_len = (uint32_t)strlen(second);
		h.field_n = 2;
	}
	accept_codings(&a, &h);
	return accepted_best(&a);
}

static void
test_accept(void)
{
	static const struct {
		const char *value;
		unsigned best;
	} v[] = {
		{NULL, ID},
		{"", ID},
		{"identity", ID},
		{"deflate", ID},
		{"gzip", GZIP},
		{"x-gzip", GZIP},
		{"GZIP", GZIP},
		{"gzip, deflate, br, zstd", GZIP | BR | ZSTD},
		{"gzip, deflate, br", GZIP | BR},
		{"gzip;q=0.5, br;q=0.9", BR},
		{"gzip; q=1.0 , br ; q=0.999", GZIP},
		{"gzip;q=0.001, br;q=0", GZIP},
		{"gzip;Q=0", ID},
		{"gzip;q=0.000", ID},
		/* a coding is better than none of the same weight */
		{"gzip, identity", GZIP},
		{"gzip;q=0.5, identity;q=0.5", GZIP},
		{"gzip;q=0.5, identity;q=0.8", ID},
		{"identity;q=0, gzip;q=0.1", GZIP},
		{"identity;q=0", 0},
		{"*;q=0", 0},
		{"*", ZSTD | BR | GZIP},
		{"*;q=0.1", ZSTD | BR | GZIP},
		/* what is named is known to be there */
		{"gzip, *", GZIP},
		{"gzip;q=0, *", ZSTD | BR},
		{"gzip;q=0.2, *;q=0.3", ZSTD | BR},
		{"br;q=0.5, *;q=0", BR},
		/* what is no weight is none */
		{"gzip;q=x", GZIP},
		{"gzip;q=", GZIP},
		{"gzip;q=2", GZIP},
		{"gzip;level=9;q=0", ID},
		{";;, ,q=1", ID},
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		CU_ASSERT_EQUAL(best_of(v[i].value, NULL), v[i].best);
		if (best_of(v[i].value, NULL) != v[i].best)
			printf("%s: %x\n", v[i].value,
			    best_of(v[i].value, NULL));
	}
	CU_ASSERT_EQUAL(best_of("gzip;q=0.3", "br"), BR);
}

static void
test_accepts(void)
{
	static const struct {
		const char *value;
		bool gzip;
	} v[] = {
	    {"gzip", true},
	    {"GZIP", true},
	    {"x-gzip", true},
	    {"br, gzip;q=0.5", true},
	    {"gzip ; q=0.001", true},
	    {"gzip;q=0", false},
	    {"gzip; Q=0.000, *", false},
	    {"*", true},
	    {"*;q=0", false},
	    {"br, *;q=0.1", true},
	    {"gzipped", false},
	    {"", false},
	    {";q=1, ,", false},
	    {"gzip;q=0.5, identity", false},
	    {"gzip, identity", true},
	    {"*, identity", true},
	    {"gzip;q=0.5, identity;q=0.4", true},
	    {"gzip;q=0.5, *", false},
	};
	struct field field = {.name = "Accept-Encoding", .name_len = 15,
	    .id = FIELD_ACCEPT_ENCODING};
	struct http h = {.field = &field, .field_n = 1, .field_cap = 1};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		field.value = v[i].value;
		field.value_len = strlen(v[i].value);
		if (accepts_coding(&h, CODING_GZIP) != v[i].gzip) {
			fprintf(stderr, "%s\n", v[i].value);
			CU_FAIL("Accept-Encoding");
		}
	}
	h.field_n = 0;
	CU_ASSERT(!accepts_coding(&h, CODING_GZIP));
}

static void
test_types(void)
{
	CU_ASSERT(content_type_packs(STR("text/html")));
	CU_ASSERT(content_type_packs(STR("Text/HTML; charset=utf-8")));
	CU_ASSERT(content_type_packs(STR("application/json ; x=y")));
	CU_ASSERT(content_type_packs(STR("application/ld+json")));
	CU_ASSERT(content_type_packs(STR("image/svg+xml")));
	CU_ASSERT(content_type_packs(STR("font/ttf")));
	CU_ASSERT(!content_type_packs(STR_NULL));
	CU_ASSERT(!content_type_packs(STR("")));
	CU_ASSERT(!content_type_packs(STR("+xml")));
	CU_ASSERT(!content_type_packs(STR("text/event-stream")));
	CU_ASSERT(!content_type_packs(STR("image/jpeg")));
	CU_ASSERT(!content_type_packs(STR("font/woff2")));
	CU_ASSERT(!content_type_packs(STR("application/zip")));
}

void
suite_coding(void)
{
	CU_pSuite s = CU_add_suite("coding", NULL, NULL);

	CU_add_test(s, "Accept-Encoding", test_accept);
	CU_add_test(s, "accepted at all", test_accepts);
	CU_add_test(s, "types that pack", test_types);
}
