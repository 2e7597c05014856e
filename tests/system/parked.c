/*
 * parked.c - a process with fibers in every state, for test_gdb.py.
 *
 * Stops nowhere by itself: gdb breaks in stop_here(), which a running fiber
 * calls that another one has started.
 */
#include <stdio.h>

#include "fiber.h"
#include "loop.h"

/* not optimized away, and told apart from its caller by gdb */
#ifdef __clang__
#define KEPT __attribute__((noinline))
#else
#define KEPT __attribute__((noinline, noclone))
#endif

static volatile int kept;

KEPT static void
stop_here(void)
{
	kept++;
}

KEPT static void
wait_in(int depth)
{
	if (depth == 0)
		(void)fiber_park("a test", NSEC_NEVER);
	else
		wait_in(depth - 1);
	kept++;
}

static void
sleeper(void *arg)
{
	wait_in(*(int *)arg);
	kept++;
}

static void
runner(void *arg)
{
	(void)arg;
	stop_here();
	kept++;
}

static void
starter(void *arg)
{
	if (fiber_start(runner, arg, "runner") != 0)
		perror("fiber_start");
	kept++;
}

static void
yielder(void *arg)
{
	(void)arg;
	fiber_yield();
	kept++;
}

int
main(void)
{
	struct loop *l = loop_new();
	int depth = 2;

	if (l == NULL) {
		perror("loop_new");
		return 1;
	}
	loop_enter(l);
	if (fiber_start(sleeper, &depth, "sleeper") != 0 ||
	    fiber_start(yielder, NULL, "yielder") != 0 ||
	    fiber_start(starter, NULL, "starter") != 0)
		perror("fiber_start");
	loop_free(&l);
	return 0;
}
