/*
 * test_qsbr.c - nothing is freed while a reader may hold it, and all is in
 * the end.
 */
#include <CUnit/CUnit.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "qsbr.h"

void suite_qsbr(void);

static atomic_int freed;

struct thing {
	struct qsbr_item item; /* first */
	int value;
};

static void
free_thing(struct qsbr_item *i)
{
	struct thing *t = (struct thing *)i;

	t->value = 0;
	free(t);
	freed++;
}

static struct thing *
thing_new(void)
{
	struct thing *t = malloc(sizeof *t);

	t->value = 42;
	return t;
}

static void
test_alone(void)
{
	freed = 0;
	/* nobody is registered: at once */
	qsbr_retire(&thing_new()->item, free_thing);
	CU_ASSERT_EQUAL(freed, 1);
	CU_ASSERT_EQUAL(qsbr_register(), 0);
	CU_ASSERT(qsbr_is_registered());
	qsbr_retire(&thing_new()->item, free_thing);
	CU_ASSERT_EQUAL(freed, 1);
	CU_ASSERT(qsbr_pending());
	qsbr_quiescent();
	qsbr_quiescent();
	CU_ASSERT_EQUAL(freed, 2);
	CU_ASSERT(!qsbr_pending());
	qsbr_retire(&thing_new()->item, free_thing);
	qsbr_unregister(); /* the last one takes it along */
	CU_ASSERT_EQUAL(freed, 3);
	CU_ASSERT(!qsbr_is_registered());
	CU_ASSERT(!qsbr_pending());
	qsbr_quiescent(); /* not registered: nothing */
}

/* A second thread that does one step each time it is told to. */
static sem_t go, gone;
static void (*step)(void);

static void *
steps(void *arg)
{
	(void)arg;
	for (;;) {
		while (sem_wait(&go) != 0)
			;
		if (step == NULL)
			return NULL;
		step();
		sem_post(&gone);
	}
}

static void
other_does(void (*fn)(void))
{
	step = fn;
	sem_post(&go);
	while (fn != NULL && sem_wait(&gone) != 0)
		;
}

static void
do_register(void)
{
	CU_ASSERT_EQUAL(qsbr_register(), 0);
}

static void
do_retire(void)
{
	qsbr_retire(&thing_new()->item, free_thing);
}

static void
quiescent_twice(void)
{
	qsbr_quiescent();
	qsbr_quiescent();
	qsbr_quiescent();
}

static void
test_two(void)
{
	pthread_t t;

	freed = 0;
	sem_init(&go, 0, 0);
	sem_init(&gone, 0, 0);
	pthread_create(&t, NULL, steps, NULL);
	qsbr_register();
	other_does(do_register);

	do_retire();
	quiescent_twice();
	CU_ASSERT_EQUAL(freed, 0); /* the other may still read */
	other_does(qsbr_quiescent);
	quiescent_twice();
	CU_ASSERT_EQUAL(freed, 1);

	other_does(qsbr_offline); /* a sleeper is not waited for */
	do_retire();
	quiescent_twice();
	CU_ASSERT_EQUAL(freed, 2);

	/* online again: waited for, but not for what is older */
	do_retire();
	qsbr_quiescent();
	other_does(qsbr_online);
	quiescent_twice();
	CU_ASSERT_EQUAL(freed, 3);
	do_retire();
	quiescent_twice();
	CU_ASSERT_EQUAL(freed, 3);

	/* what a thread leaves behind, the others free */
	other_does(do_retire);
	other_does(qsbr_unregister);
	CU_ASSERT_EQUAL(freed, 3);
	quiescent_twice();
	quiescent_twice();
	CU_ASSERT_EQUAL(freed, 5);

	/* retired by a thread that is not registered */
	other_does(do_retire);
	CU_ASSERT_EQUAL(freed, 5);
	quiescent_twice();
	CU_ASSERT_EQUAL(freed, 6);
	qsbr_unregister();
	other_does(NULL);
	pthread_join(t, NULL);
	sem_destroy(&go);
	sem_destroy(&gone);
}

/* Two readers and two writers of one pointer. */
enum { SWAPS = 3000 };

static _Atomic(struct thing *) current;
static atomic_int writers;
static atomic_int wrong;

static void *
reader(void *arg)
{
	unsigned n = 0;

	(void)arg;
	qsbr_register();
	while (writers > 0) {
		struct thing *t = atomic_load(&current);
		if (t->value != 42)
			wrong++;
		if (++n % 3 == 0)
			qsbr_quiescent();
		if (n % 100 == 0) {
			qsbr_offline();
			sched_yield();
			qsbr_online();
		}
	}
	qsbr_unregister();
	return NULL;
}

static void *
writer(void *arg)
{
	(void)arg;
	qsbr_register();
	for (int i = 0; i < SWAPS; i++) {
		struct thing *old = atomic_exchange(&current, thing_new());
		qsbr_retire(&old->item, free_thing);
		if (i % 4 == 0)
			qsbr_quiescent();
	}
	writers--;
	qsbr_unregister();
	return NULL;
}

static void
test_stress(void)
{
	pthread_t t[4];

	freed = 0;
	wrong = 0;
	writers = 2;
	current = thing_new();
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, i < 2 ? reader : writer, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(freed, 2 * SWAPS);
	free(current);
}

void
suite_qsbr(void)
{
	CU_pSuite s = CU_add_suite("qsbr", NULL, NULL);

	CU_add_test(s, "alone", test_alone);
	CU_add_test(s, "two threads", test_two);
	CU_add_test(s, "readers and writers", test_stress);
}
