/*
 * main.c - runs all unit test suites.
 *
 *      unit             all, quietly; failures and a summary are printed
 *      unit NOUN...     only these suites, with the name of each test
 *
 * Exits with 1 if a test failed or could not run.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#define SUITE(noun) void suite_##noun(void);
#include "suites.h"
#undef SUITE

static const struct {
	const char *noun;
	void (*add)(void);
} suites[] = {
#define SUITE(noun) { #noun, suite_##noun },
#include "suites.h"
#undef SUITE
	{ NULL, NULL }
};

/* false: there is no suite of that name */
static bool
add_suite(const char *noun)
{
	for (int i = 0; suites[i].noun; i++) {
		if (strcmp(suites[i].noun, noun) == 0) {
			suites[i].add();
			return true;
		}
	}
	fprintf(stderr, "unit: no suite \"%s\"\n", noun);
	return false;
}

static void
add_all(void)
{
	for (int i = 0; suites[i].noun; i++)
		suites[i].add();
}

int
main(int argc, char **argv)
{
	bool ok = true;

	if (CU_initialize_registry() != CUE_SUCCESS) {
		fprintf(stderr, "unit: %s\n", CU_get_error_msg());
		return 1;
	}
	for (int i = 1; i < argc; i++)
		ok = add_suite(argv[i]) && ok;
	if (argc == 1)
		add_all();
	if (CU_get_error() != CUE_SUCCESS) {
		fprintf(stderr, "unit: %s\n", CU_get_error_msg());
		ok = false;
	}
	CU_basic_set_mode(argc > 1 ? CU_BRM_VERBOSE : CU_BRM_NORMAL);
	CU_basic_run_tests();
	ok = ok && CU_get_number_of_tests_failed() == 0 &&
	    CU_get_number_of_suites_failed() == 0 &&
	    CU_get_number_of_tests_run() > 0;
	CU_cleanup_registry();
	return ok ? 0 : 1;
}
