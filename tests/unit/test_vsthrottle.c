/*
 * test_vsthrottle.c - the buckets of module vsthrottle are bounded, and many
 * threads may use them.
 */
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdio.h>

#include "vcl_rig.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

static struct vcl_rig r;

static int
begin(void)
{
	vcl_rig_begin(&r, 65536);
	return 0;
}

static int
end(void)
{
	vcl_rig_end(&r);
	return 0;
}

static bool
denied(unsigned i, double period)
{
	char key[32];
	int n = snprintf(key, sizeof key, "key %u", i);

	return vmod_vsthrottle_is_denied(&r.ctx, str_of(key, (size_t)n), 1,
	    period, 0);
}

static void
test_bounded(void)
{
	enum { MORE = 1300000 }; /* than there are buckets */

	for (unsigned i = 0; i < MORE; i++)
		if (denied(i, 1000000))
			CU_FAIL("a new key is denied");
	CU_ASSERT(denied(MORE - 1, 1000000));
	/* it was used longest ago */
	CU_ASSERT(!denied(0, 1000000));
	/* what is full again makes room */
	for (unsigned i = 0; i < 100000; i++)
		denied(i, 1e-9);
	CU_ASSERT_EQUAL(vmod_vsthrottle_remaining(&r.ctx, STR("key 1"), 1,
	    1e-9, 0), 1);
}

static void *
take(void *arg)
{
	struct vcl_ctx ctx = r.ctx;
	unsigned *got = arg;

	for (unsigned i = 0; i < 10000; i++)
		*got += !vmod_vsthrottle_is_denied(&ctx, STR("all"), 1000,
		    1e9, 0);
	return NULL;
}

static void
test_threads(void)
{
	unsigned got[4] = {0};
	pthread_t t[4];

	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, take,
		    &got[i]), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(got[0] + got[1] + got[2] + got[3], 1000);
}

static void
test_edges(void)
{
	CU_ASSERT(vmod_vsthrottle_is_denied(&r.ctx, STR_NULL, 1, 1, 0));
	CU_ASSERT(!vmod_vsthrottle_is_denied(&r.ctx, STR(""), 1, 1, 0));
	CU_ASSERT(vmod_vsthrottle_is_denied(&r.ctx, STR("x"), -1, 1, 0));
	CU_ASSERT(!r.ctx.failed);
	CU_ASSERT(vmod_vsthrottle_is_denied(&r.ctx, STR("x"), 1, -1, 0));
	CU_ASSERT(r.ctx.failed);
	r.ctx.failed = false;
	/* another limit, period or block is another bucket */
	CU_ASSERT(!vmod_vsthrottle_is_denied(&r.ctx, STR("y"), 1, 1e6, 0));
	CU_ASSERT(vmod_vsthrottle_is_denied(&r.ctx, STR("y"), 1, 1e6, 0));
	CU_ASSERT(!vmod_vsthrottle_is_denied(&r.ctx, STR("y"), 2, 1e6, 0));
	CU_ASSERT(!vmod_vsthrottle_is_denied(&r.ctx, STR("y"), 1, 2e6, 0));
	CU_ASSERT(!vmod_vsthrottle_is_denied(&r.ctx, STR("y"), 1, 1e6, 5));
}

void
suite_vsthrottle(void)
{
	CU_pSuite s = CU_add_suite("vsthrottle", begin, end);

	CU_add_test(s, "edges", test_edges);
	CU_add_test(s, "threads share a bucket", test_threads);
	CU_add_test(s, "more keys than buckets", test_bounded);
}
