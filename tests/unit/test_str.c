/*
 * test_str.c - slices: comparing, trimming, lists, numbers.
 */
#include <CUnit/CUnit.h>

#include "str.h"

void suite_str(void);

static void
test_compare(void)
{
	CU_ASSERT(str_eq(STR("a"), STR("a")));
	CU_ASSERT(!str_eq(STR("a"), STR("A")));
	CU_ASSERT(str_eq(STR_NULL, STR("")));
	CU_ASSERT(str_caseeq(STR("Content-TYPE"), STR("content-type")));
	CU_ASSERT(!str_caseeq(STR("a"), STR("ab")));
	/* letters only: '@' and '`', '[' and '{' are 32 apart as well */
	CU_ASSERT(!str_caseeq(STR("@["), STR("`{")));
	CU_ASSERT(!str_caseeq(STR("\xc4"), STR("\xe4")));
	CU_ASSERT(str_caseeq(STR_NULL, STR_NULL));
	CU_ASSERT(str_cmp(STR("a"), STR("b")) < 0);
	CU_ASSERT(str_cmp(STR("ab"), STR("a")) > 0);
	CU_ASSERT(str_cmp(STR_NULL, STR("")) == 0);
	CU_ASSERT(str_cmp(STR("\xff"), STR("a")) > 0);
	CU_ASSERT(str_casecmp(STR("ABC"), STR("abd")) < 0);
	CU_ASSERT(str_casecmp(STR("abc"), STR("ABC")) == 0);
	CU_ASSERT(str_casecmp(STR("abc"), STR("AB")) > 0);
	CU_ASSERT(str_casecmp(STR("\xff"), STR("a")) > 0);
}

static void
test_starts(void)
{
	CU_ASSERT(str_starts(STR("abc"), STR("ab")));
	CU_ASSERT(str_starts(STR("abc"), STR("")));
	CU_ASSERT(str_starts(STR_NULL, STR_NULL));
	CU_ASSERT(!str_starts(STR("ab"), STR("abc")));
	CU_ASSERT(!str_starts(STR("AB"), STR("a")));
	CU_ASSERT(str_casestarts(STR("W/\"x"), STR("w/")));
	CU_ASSERT(!str_casestarts(STR("W"), STR("w/")));
}

static void
test_trim(void)
{
	CU_ASSERT(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
	CU_ASSERT(str_trim(STR(" \t ")).len == 0);
	CU_ASSERT(str_eq(str_trim(STR("\na")), STR("\na")));
	CU_ASSERT_PTR_NULL(str_trim(STR_NULL).p);
}

static void
check_list(struct str list, const char *const *items)
{
	struct str item;

	for (; *items != NULL; items++) {
		CU_ASSERT_FATAL(str_next_item(&list, &item));
		CU_ASSERT(str_eq(item, str_from_z(*items)));
	}
	CU_ASSERT(!str_next_item(&list, &item));
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EMPTY ((const char *const[]){NULL})

static void
test_list(void)
{
	check_list(STR("a, b ,c"), LIST("a", "b", "c"));
	check_list(STR(" ,, a,,\t, b,"), LIST("a", "b"));
	check_list(STR(""), EMPTY);
	check_list(STR_NULL, EMPTY);
	check_list(STR(" , "), EMPTY);
	check_list(STR("x=\"a,b\", c"), LIST("x=\"a,b\"", "c"));
	check_list(STR("x=\"a\\\",b\", c"), LIST("x=\"a\\\",b\"", "c"));
	check_list(STR("\"never closed, c"), LIST("\"never closed, c"));
	check_list(STR("\"\\"), LIST("\"\\"));
	check_list(STR("a\\,b"), LIST("a\\", "b"));
	CU_ASSERT(str_list_has(STR("gzip, Chunked"), STR("chunked")));
	CU_ASSERT(!str_list_has(STR("gzip, chunked;q"), STR("chunked")));
	CU_ASSERT(!str_list_has(STR_NULL, STR("x")));
}

static void
test_u64(void)
{
	uint64_t n = 7;

	CU_ASSERT(!str_to_u64(STR(""), &n));
	CU_ASSERT(!str_to_u64(STR_NULL, &n));
	CU_ASSERT(!str_to_u64(STR("+1"), &n));
	CU_ASSERT(!str_to_u64(STR("-1"), &n));
	CU_ASSERT(!str_to_u64(STR(" 1"), &n));
	CU_ASSERT(!str_to_u64(STR("1a"), &n));
	CU_ASSERT(!str_to_u64(STR("18446744073709551616"), &n));
	CU_ASSERT(!str_to_u64(STR("99999999999999999999999"), &n));
	CU_ASSERT_EQUAL(n, 7); /* untouched by what failed */
	CU_ASSERT(str_to_u64(STR("18446744073709551615"), &n));
	CU_ASSERT_EQUAL(n, UINT64_MAX);
	CU_ASSERT(str_to_u64(STR("000"), &n));
	CU_ASSERT_EQUAL(n, 0);
}

void
suite_str(void)
{
	CU_pSuite s = CU_add_suite("str", NULL, NULL);

	CU_add_test(s, "compare", test_compare);
	CU_add_test(s, "starts", test_starts);
	CU_add_test(s, "trim", test_trim);
	CU_add_test(s, "list", test_list);
	CU_add_test(s, "u64", test_u64);
}
