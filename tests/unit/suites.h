/*
 * The suites of the unit test program: SUITE(noun) for suite_<noun>() in
 * test_<noun>.c.
 */
SUITE(counters)
SUITE(shmlog)
