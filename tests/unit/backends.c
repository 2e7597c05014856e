/*
 * backends.c - the suites of what waits, for one fiber backend.
 *
 *      backends_ucontext, backends_threads
 *
 * The unit program runs them over the configured backend.  These programs
 * have the engine's sources compiled again, for the other ones.
 */
#include <CUnit/Basic.h>

void suite_fiber(void);
void suite_loop(void);
void suite_pool(void);
void suite_qsbr(void);

int
main(void)
{
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite_fiber();
	suite_loop();
	suite_pool();
	suite_qsbr();
	CU_run_all_tests(); /* quietly */
	failed = CU_get_number_of_tests_failed();
	CU_basic_show_failures(CU_get_failure_list());
	printf("%s: %u tests, %u failed\n", BACKEND,
	    CU_get_number_of_tests_run(), failed);
	if (CU_get_number_of_tests_run() == 0)
		failed++;
	CU_cleanup_registry();
	return failed != 0;
}
