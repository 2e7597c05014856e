/*
 * The suites of the unit test program: SUITE(noun) for suite_<noun>() in
 * test_<noun>.c.
 */
SUITE(counters)
SUITE(http)
SUITE(http1)
SUITE(http1_chunked)
SUITE(http_date)
SUITE(http_semantics)
SUITE(shmlog)
