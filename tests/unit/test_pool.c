/*
 * test_pool.c - blocking work on other threads.
 */
#include <CUnit/CUnit.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "loop.h"
#include "pool.h"

void suite_pool(void);

static struct pool *pool;
static pthread_barrier_t meeting;
static int ended;

/* Returns only when two jobs run at a time. */
static void
meet(void *arg)
{
	pthread_barrier_wait(&meeting);
	*(bool *)arg = true;
}

static void
call_meet(void *arg)
{
	bool done = false;

	(void)arg;
	pool_call(pool, meet, &done, "a meeting");
	CU_ASSERT(done);
	ended++;
}

static void
test_parallel(void)
{
	struct loop *l = loop_new();

	loop_enter(l);
	pthread_barrier_init(&meeting, NULL, 2);
	pool = pool_new(2, "a name that is too long");
	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	ended = 0;
	for (int i = 0; i < 40; i++)
		fiber_start(call_meet, NULL, "caller");
	CU_ASSERT_EQUAL(fiber_count(), 40);
	while (fiber_count() > 0)
		loop_turn(l, NSEC_NEVER);
	CU_ASSERT_EQUAL(ended, 40);
	pool_free(&pool);
	CU_ASSERT_PTR_NULL(pool);
	pthread_barrier_destroy(&meeting);
	loop_free(&l);
}

static sem_t may_end;

static void
wait_for_leave(void *arg)
{
	while (sem_wait(&may_end) != 0)
		;
	*(bool *)arg = true;
}

static void
call_leave(void *arg)
{
	bool done = false;

	pool_call(pool, wait_for_leave, &done, "leave");
	*(bool *)arg = done;
	CU_ASSERT_EQUAL(fiber_park("x", NSEC_NEVER), FIBER_CANCELED);
}

static void *
give_leave(void *arg)
{
	(void)arg;
	sem_post(&may_end);
	return NULL;
}

/* Freeing the loop waits for the job, whose memory is on the fiber's stack. */
static void
test_not_cancelable(void)
{
	struct loop *l = loop_new();
	bool done = false;
	pthread_t t;

	loop_enter(l);
	sem_init(&may_end, 0, 0);
	pool = pool_new(1, "test");
	fiber_start(call_leave, &done, "caller");
	loop_turn(l, 0);
	CU_ASSERT(!done);
	pthread_create(&t, NULL, give_leave, NULL);
	loop_free(&l);
	CU_ASSERT(done);
	pthread_join(t, NULL);
	pool_free(&pool);
	pool_free(&pool);
	sem_destroy(&may_end);
}

static void
note_thread(void *arg)
{
	*(pthread_t *)arg = pthread_self();
}

static void
test_no_fiber(void)
{
	struct loop *l = loop_new();
	pthread_t who;

	pool = pool_new(1, "test");
	pool_call(pool, note_thread, &who, "x");
	CU_ASSERT(pthread_equal(who, pthread_self()));
	loop_enter(l);
	pool_call(pool, note_thread, &who, "x");
	CU_ASSERT(pthread_equal(who, pthread_self()));
	pool_free(&pool);
	loop_free(&l);
}

void
suite_pool(void)
{
	CU_pSuite s = CU_add_suite("pool", NULL, NULL);

	CU_add_test(s, "parallel", test_parallel);
	CU_add_test(s, "not cancelable", test_not_cancelable);
	CU_add_test(s, "no fiber", test_no_fiber);
}
