/*
 * fiber_bench.c - what fibers and the loop cost, in nanoseconds.
 *
 *	fiber_bench [rounds]
 *
 * start/return   a fiber that does not wait
 * park/wake      two fibers of one loop; a park, a wake and the turn's share
 * park/wake 30 s the same, with a deadline
 * yield          one fiber that gives way, with a turn of the loop each
 */
#include <stdio.h>
#include <stdlib.h>

#include "fiber.h"
#include "loop.h"

enum { SLEEPERS = 1000 };

static long rounds = 2000000;
static long done;
static struct fiber *sleepers[SLEEPERS];
static unsigned sleepers_n;
static bool finished;

static void
report(const char *what, nsec_t from, long n)
{
	printf("%-16s %8.1f ns\n", what,
	    (double)(clock_mono() - from) / (double)n);
}

static void
nothing(void *arg)
{
	(void)arg;
	done++;
}

static void
sleeper(void *arg)
{
	nsec_t for_ = *(nsec_t *)arg;
	nsec_t deadline = NSEC_NEVER;

	sleepers[sleepers_n++] = fiber_self();
	while (!finished) {
		if (for_ != NSEC_NEVER)
			deadline = loop_now(loop_self()) + for_;
		fiber_park("a wake", deadline);
		done++;
	}
}

static void
yielder(void *arg)
{
	(void)arg;
	while (!finished) {
		fiber_yield();
		done++;
	}
}

static void
start_and_return(void)
{
	nsec_t from = clock_mono();

	for (long i = 0; i < rounds; i++)
		if (fiber_start(nothing, NULL, "nothing") != 0)
			abort();
	report("start/return", from, rounds);
}

static void
finish(struct loop *l)
{
	finished = true;
	while (fiber_count() > 0) {
		for (unsigned i = 0; i < sleepers_n; i++)
			fiber_wake(sleepers[i]);
		loop_turn(l, 0);
	}
	finished = false;
	sleepers_n = 0;
}

static void
park_and_wake(struct loop *l, const char *what, nsec_t for_, unsigned n)
{
	nsec_t from;

	for (unsigned i = 0; i < n; i++)
		if (fiber_start(sleeper, &for_, "sleeper") != 0)
			abort();
	done = 0;
	from = clock_mono();
	while (done < rounds) {
		for (unsigned i = 0; i < n; i++)
			fiber_wake(sleepers[i]);
		loop_turn(l, 0);
	}
	report(what, from, done);
	finish(l);
}

static void
yields(struct loop *l)
{
	nsec_t from;

	if (fiber_start(yielder, NULL, "yielder") != 0)
		abort();
	done = 0;
	from = clock_mono();
	while (done < rounds / 10)
		loop_turn(l, 0);
	report("yield + turn", from, done);
	finish(l);
}

int
main(int argc, char **argv)
{
	struct loop *l = loop_new();

	if (l == NULL) {
		perror("loop_new");
		return 1;
	}
	if (argc > 1)
		rounds = atol(argv[1]);
	loop_enter(l);
	start_and_return();
	start_and_return();
	park_and_wake(l, "park/wake, 10", NSEC_NEVER, 10);
	park_and_wake(l, "park/wake, 1000", NSEC_NEVER, SLEEPERS);
	park_and_wake(l, "... 30 s, 1000", NSEC_S(30), SLEEPERS);
	yields(l);
	loop_free(&l);
	return 0;
}
