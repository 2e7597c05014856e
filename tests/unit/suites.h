/*
 * The suites of the unit test program: SUITE(noun) for suite_<noun>() in
 * test_<noun>.c.
 */
SUITE(arena)
SUITE(counters)
SUITE(fiber)
SUITE(http)
SUITE(http1)
SUITE(http1_chunked)
SUITE(http_date)
SUITE(http_semantics)
SUITE(log_query)
SUITE(loop)
SUITE(pool)
SUITE(qsbr)
SUITE(shmlog)
SUITE(sock)
SUITE(str)
