/*
 * The suites of the unit test program: SUITE(noun) for suite_<noun>() in
 * test_<noun>.c.
 */
SUITE(acl)
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
SUITE(metrics)
SUITE(pool)
SUITE(program)
SUITE(qsbr)
SUITE(regex)
SUITE(shmlog)
SUITE(sock)
SUITE(std)
SUITE(str)
