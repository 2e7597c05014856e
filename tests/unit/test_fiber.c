/*
 * test_fiber.c - fibers: starting, parking, waking, cancelling, stacks.
 *
 * Knows nothing of the backend; make check runs it over all three.
 */
#include <CUnit/CUnit.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber_impl.h"
#include "loop.h"

void suite_fiber(void);

/* What happened, a letter each. */
static char trace[64];
static struct loop *loop;
static char letter_a[] = "a", letter_b[] = "b", letter_s[] = "s";

static void
mark(char c)
{
	size_t n = strlen(trace);

	if (n + 1 < sizeof trace) {
		trace[n] = c;
		trace[n + 1] = '\0';
	}
}

static void
begin(void)
{
	trace[0] = '\0';
	loop = loop_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	loop_enter(loop);
}

static void
end(void)
{
	loop_free(&loop);
	CU_ASSERT_PTR_NULL(loop);
	CU_ASSERT_PTR_NULL(loop_self());
}

/* Turns until no fiber is left. */
static void
run_all(void)
{
	while (fiber_count() > 0)
		loop_turn(loop, NSEC_NEVER);
}

static void
just_mark(void *arg)
{
	mark(*(char *)arg);
}

static void
test_start(void)
{
	begin();
	CU_ASSERT_PTR_NULL(fiber_self());
	CU_ASSERT_EQUAL(fiber_start(just_mark, letter_a, "a"), 0);
	mark('-');
	CU_ASSERT_EQUAL(fiber_start(just_mark, letter_b, "b"), 0);
	CU_ASSERT_STRING_EQUAL(trace, "a-b");
	CU_ASSERT_EQUAL(fiber_count(), 0);
	end();
}

static void
park_once(void *arg)
{
	*(struct fiber **)arg = fiber_self();
	mark('p');
	CU_ASSERT_EQUAL(fiber_park("test", NSEC_NEVER), FIBER_WOKEN);
	mark('w');
}

static void
start_nested(void *arg)
{
	struct fiber *me = fiber_self();

	mark('(');
	CU_ASSERT_EQUAL(fiber_start(park_once, arg, "inner"), 0);
	CU_ASSERT_PTR_EQUAL(fiber_self(), me);
	mark(')');
	fiber_park("the end", NSEC_NEVER);
	mark('e');
}

static void
test_nested(void)
{
	struct fiber *inner = NULL;

	begin();
	fiber_start(start_nested, &inner, "outer");
	CU_ASSERT_STRING_EQUAL(trace, "(p)");
	CU_ASSERT_EQUAL(fiber_count(), 2);
	CU_ASSERT_PTR_NULL(fiber_self());
	fiber_wake(inner);
	CU_ASSERT_STRING_EQUAL(trace, "(p)"); /* not before the loop's turn */
	loop_turn(loop, NSEC_NEVER);
	CU_ASSERT_STRING_EQUAL(trace, "(p)w");
	CU_ASSERT_EQUAL(fiber_count(), 1);
	end(); /* cancels the outer one */
	CU_ASSERT_STRING_EQUAL(trace, "(p)we");
}

static void
wake_self_first(void *arg)
{
	(void)arg;
	fiber_wake(fiber_self());
	fiber_wake(fiber_self()); /* two are as good as one */
	CU_ASSERT_EQUAL(fiber_park("x", NSEC_NEVER), FIBER_WOKEN);
	CU_ASSERT_EQUAL(fiber_park("x", loop_now(loop) + 1), FIBER_TIMEOUT);
	mark('d');
}

static void
test_early_wake(void)
{
	begin();
	fiber_start(wake_self_first, NULL, "x");
	run_all();
	CU_ASSERT_STRING_EQUAL(trace, "d");
	end();
}

static void
wait_times(void *arg)
{
	nsec_t from = loop_now(loop);

	*(struct fiber **)arg = fiber_self();
	CU_ASSERT_EQUAL(fiber_park("past", from), FIBER_TIMEOUT);
	CU_ASSERT_EQUAL(fiber_park("short", from + NSEC_MS(3)),
	    FIBER_TIMEOUT);
	CU_ASSERT(loop_now(loop) >= from + NSEC_MS(3));
	/* woken early: its timer stays set and must not end the next park */
	mark('1');
	CU_ASSERT_EQUAL(fiber_park("woken", loop_now(loop) + NSEC_MS(2)),
	    FIBER_WOKEN);
	from = loop_now(loop);
	mark('2');
	CU_ASSERT_EQUAL(fiber_park("longer", from + NSEC_MS(6)),
	    FIBER_TIMEOUT);
	CU_ASSERT(loop_now(loop) >= from + NSEC_MS(6));
	from = loop_now(loop);
	mark('3');
	/* a far timer is set; a nearer one must move it */
	CU_ASSERT_EQUAL(fiber_park("far", from + NSEC_S(100)), FIBER_WOKEN);
	CU_ASSERT_EQUAL(fiber_park("near", from + NSEC_MS(2)), FIBER_TIMEOUT);
	CU_ASSERT(loop_now(loop) < from + NSEC_S(50));
	mark('4');
}

static void
test_timeout(void)
{
	struct fiber *f = NULL;

	begin();
	fiber_start(wait_times, &f, "x");
	while (strcmp(trace, "1") != 0)
		loop_turn(loop, NSEC_NEVER);
	fiber_wake(f);
	while (strcmp(trace, "123") != 0)
		loop_turn(loop, NSEC_NEVER);
	fiber_wake(f);
	run_all();
	CU_ASSERT_STRING_EQUAL(trace, "1234");
	end();
}

static void
yield_thrice(void *arg)
{
	for (int i = 0; i < 3; i++) {
		mark(*(char *)arg);
		fiber_yield();
	}
}

static void
yield_woken(void *arg)
{
	(void)arg;
	fiber_start(yield_thrice, letter_a, "a");
	fiber_wake(fiber_self());
	fiber_yield();
	/* the wake is kept for the park */
	CU_ASSERT_EQUAL(fiber_park("x", NSEC_NEVER), FIBER_WOKEN);
	mark('k');
}

static void
test_yield(void)
{
	begin();
	fiber_start(yield_thrice, letter_a, "a");
	fiber_start(yield_thrice, letter_b, "b");
	CU_ASSERT_STRING_EQUAL(trace, "ab");
	loop_turn(loop, NSEC_NEVER);
	CU_ASSERT_STRING_EQUAL(trace, "abab");
	run_all();
	CU_ASSERT_STRING_EQUAL(trace, "ababab");
	trace[0] = '\0';
	fiber_start(yield_woken, NULL, "w");
	run_all();
	CU_ASSERT_PTR_NOT_NULL(strchr(trace, 'k'));
	end();
}

static void
test_limit(void)
{
	struct fiber *f[3] = {NULL};

	begin();
	fiber_set_limit(2);
	CU_ASSERT_EQUAL(fiber_start(park_once, &f[0], "1"), 0);
	CU_ASSERT_EQUAL(fiber_start(park_once, &f[1], "2"), 0);
	CU_ASSERT_EQUAL(fiber_start(park_once, &f[2], "3"), -1);
	CU_ASSERT_PTR_NULL(f[2]);
	fiber_wake(f[0]);
	loop_turn(loop, NSEC_NEVER);
	CU_ASSERT_EQUAL(fiber_start(park_once, &f[2], "3"), 0);
	fiber_wake(f[1]);
	fiber_wake(f[2]);
	run_all();
	/* late wakes of fibers that have returned */
	fiber_wake(f[0]);
	fiber_wake(f[2]);
	loop_turn(loop, 0);
	end();
}

static void
until_canceled(void *arg)
{
	nsec_t deadline = *(nsec_t *)arg;
	int n = 0;

	while (fiber_park("a cancel", deadline) != FIBER_CANCELED)
		;
	while (fiber_park("again", NSEC_NEVER) == FIBER_CANCELED && n < 5)
		n++;
	fiber_yield(); /* is no park: still gives way */
	fiber_start(just_mark, letter_s, "started late");
	mark('c');
}

static void
test_cancel(void)
{
	nsec_t never = NSEC_NEVER, far;

	begin();
	far = loop_now(loop) + NSEC_S(1000);
	fiber_start(until_canceled, &never, "1");
	fiber_start(until_canceled, &far, "2");
	fiber_start(until_canceled, &never, "3");
	loop_turn(loop, 0);
	end();
	CU_ASSERT_STRING_EQUAL(trace, "scscsc");
	loop_free(&loop); /* NULL: nothing */
}

struct pinger {
	struct fiber *fiber;
	atomic_int pings;
	int seen;
};

enum { PINGS = 2000 };

static void
count_pings(void *arg)
{
	struct pinger *p = arg;

	p->fiber = fiber_self();
	while (p->seen < PINGS) {
		fiber_park("a ping", NSEC_NEVER);
		p->seen = atomic_load(&p->pings);
	}
}

static void *
send_pings(void *arg)
{
	struct pinger *p = arg;

	for (int i = 0; i < PINGS / 2; i++) {
		atomic_fetch_add(&p->pings, 1);
		fiber_wake(p->fiber);
	}
	return NULL;
}

static void
test_threads(void)
{
	struct pinger p = {0};
	pthread_t t[2];

	begin();
	fiber_start(count_pings, &p, "pings");
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, send_pings, &p);
	run_all();
	CU_ASSERT_EQUAL(p.seen, PINGS);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	loop_turn(loop, 0); /* late wakes */
	end();
}

__attribute__((noinline)) static unsigned
recurse(unsigned depth)
{
	volatile char frame[1000];
	unsigned sum = depth;

	memset((char *)frame, (int)depth, sizeof frame);
	if (depth > 0)
		sum += recurse(depth - 1);
	return sum + (unsigned char)frame[depth % sizeof frame];
}

static void
go_deep(void *arg)
{
	/* 58 frames of 1 KiB and a bit, of 64 KiB */
	*(unsigned *)arg = recurse(56);
}

static void
go_too_deep(void *arg)
{
	*(unsigned *)arg = recurse(2000000);
}

static void
test_depth(void)
{
	unsigned here = recurse(56), there = 0;

	begin();
	for (int i = 0; i < 20; i++) {
		fiber_start(go_deep, &there, "deep");
		CU_ASSERT_EQUAL(here, there);
	}
	end();
}

/* The exit status of a child that runs fn on a fiber of its own loop. */
static int
child_status(fiber_fn *fn)
{
	struct rlimit no_core = {0, 0};
	static unsigned result;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(0);
		setrlimit(RLIMIT_CORE, &no_core);
		loop = loop_new();
		loop_enter(loop);
		fiber_start(fn, &result, "child");
		loop_free(&loop);
		_exit(0);
	}
	CU_ASSERT_FATAL(pid > 0);
	while (waitpid(pid, &status, 0) < 0)
		;
	return status;
}

static void
test_guard(void)
{
	int status = child_status(go_too_deep);

	/* a sanitizer says what it was, and exits */
	CU_ASSERT((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
	    (WIFEXITED(status) && WEXITSTATUS(status) != 0));
}

static void
park_with_lock(void *arg)
{
	(void)arg;
	fiber_no_wait_begin();
	fiber_no_wait_begin();
	fiber_no_wait_end();
	fiber_park("never", NSEC_NEVER);
}

static void
park_after_lock(void *arg)
{
	(void)arg;
	fiber_no_wait_begin();
	fiber_no_wait_end();
	fiber_park("for good", NSEC_NEVER);
}

static void
test_no_wait(void)
{
	int status = child_status(park_with_lock);

#ifndef NDEBUG
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#endif
	status = child_status(park_after_lock);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Registers, stacks and lists under random starts, parks, wakes, yields. */
enum { CROWD = 200, STEPS = 40 };

static struct fiber *crowd[CROWD];
static unsigned crowd_n;
static uint64_t crowd_sum;

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void
wander(void *arg)
{
	uint64_t seed = (uintptr_t)arg, a = seed, b = ~seed, c = seed * 3;
	uint64_t d = seed + 5, e = seed ^ 77;
	double x = (double)seed;
	char text[64];
	unsigned at = crowd_n++;

	crowd[at] = fiber_self();
	snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
	for (int i = 0; i < STEPS; i++) {
		uint64_t r = next_random(&seed);
		a += i, b -= i, c ^= i, d += 2, e += 3;
		x += 1.5;
		if (crowd[r % CROWD] != NULL)
			fiber_wake(crowd[r % CROWD]);
		if (r % 3 == 0)
			fiber_yield();
		else
			fiber_park("whatever",
			    loop_now(loop) + (nsec_t)(r % 1000000));
		if (r % 7 == 0 && crowd_n < CROWD)
			fiber_start(wander, (void *)(uintptr_t)(r + 1), "w");
	}
	seed = (uintptr_t)arg;
	CU_ASSERT_EQUAL(a, seed + STEPS * (STEPS - 1) / 2);
	CU_ASSERT_EQUAL(b, ~seed - STEPS * (STEPS - 1) / 2);
	CU_ASSERT_EQUAL(d, seed + 5 + 2 * STEPS);
	CU_ASSERT_EQUAL(e, (seed ^ 77) + 3 * STEPS);
	CU_ASSERT(x == (double)seed + 1.5 * STEPS);
	CU_ASSERT_EQUAL(strtoull(text, NULL, 10), seed);
	crowd_sum += c;
	crowd[at] = NULL;
}

static void
test_crowd(void)
{
	begin();
	memset(crowd, 0, sizeof crowd);
	crowd_n = 0;
	for (uintptr_t i = 1; i < 100; i++)
		fiber_start(wander, (void *)(i * 12345), "wanderer");
	run_all();
	CU_ASSERT(crowd_n >= 99);
	end();
}

static void
touch_and_park(void *arg)
{
	volatile char deep[30000];

	memset((char *)deep, 'x', sizeof deep);
	*(struct fiber **)arg = fiber_self();
	fiber_park("test", NSEC_NEVER);
	CU_ASSERT_EQUAL(deep[29999], 'x');
}

static void
test_trim(void)
{
	struct fiber *f[CROWD] = {NULL};
	struct fibers *fs;

	begin();
	fs = fibers_mine;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < CROWD; i++)
			fiber_start(touch_and_park, &f[i], "touch");
		CU_ASSERT_EQUAL(fiber_count(), CROWD);
		for (int i = 0; i < CROWD; i++)
			fiber_wake(f[i]);
		run_all();
		CU_ASSERT_EQUAL(fs->pooled_n, CROWD);
		/* a second has passed, as far as the timer can tell */
		CU_ASSERT(fs->trim.heap_at != 0);
		fs->pooled_min = fs->pooled_n;
		while (fs->trim.heap_at != 0) {
			timer_set(loop, &fs->trim, loop_now(loop));
			loop_turn(loop, 0);
		}
		CU_ASSERT(fs->pooled_n < 64);
	}
	end();
}

static __thread int shared_value;
FIBER_SHARE_THREAD_LOCAL(shared_value);

static void
change_shared(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(shared_value, 1);
	shared_value = 2;
	fiber_yield();
	CU_ASSERT_EQUAL(shared_value, 3);
	CU_ASSERT_PTR_EQUAL(loop_self(), loop);
	shared_value = 4;
}

static void
test_thread_locals(void)
{
	begin();
	shared_value = 1;
	fiber_start(change_shared, NULL, "x");
	CU_ASSERT_EQUAL(shared_value, 2);
	shared_value = 3;
	run_all();
	CU_ASSERT_EQUAL(shared_value, 4);
	end();
}

void
suite_fiber(void)
{
	CU_pSuite s = CU_add_suite("fiber", NULL, NULL);

	CU_add_test(s, "start", test_start);
	CU_add_test(s, "nested start", test_nested);
	CU_add_test(s, "wake before park", test_early_wake);
	CU_add_test(s, "timeout", test_timeout);
	CU_add_test(s, "yield", test_yield);
	CU_add_test(s, "limit", test_limit);
	CU_add_test(s, "cancel", test_cancel);
	CU_add_test(s, "wakes from threads", test_threads);
	CU_add_test(s, "depth of the stack", test_depth);
	CU_add_test(s, "guard page", test_guard);
	CU_add_test(s, "no wait here", test_no_wait);
	CU_add_test(s, "crowd", test_crowd);
	CU_add_test(s, "trim", test_trim);
	CU_add_test(s, "thread-local variables", test_thread_locals);
}
