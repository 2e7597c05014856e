/*
 * fiber.h - straight-line code that waits: a stack that can be parked.
 *
 * A fiber belongs to the loop (thread) that started it and never migrates.
 * It runs until it parks or returns.  While it is parked its thread runs
 * other fibers and the loop.  Three backends with the same behaviour:
 * assembler (x86-64, aarch64), ucontext, and a thread a fiber with a baton
 * (FIBERS_THREADS), chosen at configure time by --with-fibers.
 *
 *   NEW --start--> RUNNING --park--> PARKED --wake--> READY --loop--> RUNNING
 *                     \--return--> pooled
 *
 * Wakes may be spurious: a caller of fiber_park() tests its condition in a
 * loop.  A wake that comes before the park is not lost: the park returns at
 * once.  A struct fiber is never freed while its loop lives, so a late wake
 * is harmless.
 *
 * Stacks are 64 KiB usable with a guard page below, cut from slabs that
 * belong to the loop, and reused last in, first out.  A stack that was not
 * used for a second gives its memory back.
 */
#ifndef COPAL_FIBER_H
#define COPAL_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"

/* Marks a function that can suspend the calling fiber. */
#define WAITS

struct fiber;
struct loop;

enum fiber_wake {
	FIBER_WOKEN,    /* somebody called fiber_wake(), or spurious */
	FIBER_TIMEOUT,  /* the deadline passed */
	FIBER_CANCELED, /* the loop is shutting down: unwind and return */
};

typedef void fiber_fn(void *arg);

/*
 * Starts fn(arg) on a new fiber of the calling thread's loop (loop_self())
 * and runs it at once, nested on the caller, until it first parks or
 * returns; then the caller goes on.  A fiber may start fibers.  name (static
 * string) is for gdb.
 * Returns 0, or -1 if there is no memory for a stack or the loop has its
 * limit of fibers (nothing was run).
 */
int fiber_start(fiber_fn *fn, void *arg, const char *name);

/* The running fiber, NULL on the loop's own stack. */
struct fiber *fiber_self(void);

/*
 * Suspends the running fiber until fiber_wake() or deadline (clock_mono();
 * NSEC_NEVER: none).  what (static string) says what it waits for, in gdb's
 * list.  Must not be called on the loop's stack.
 */
enum fiber_wake fiber_park(const char *what, nsec_t deadline) WAITS;

/* Makes f run again; from any thread, any number of times. */
void fiber_wake(struct fiber *f);

/* Lets other fibers and the loop have a turn. */
void fiber_yield(void) WAITS;

/* fibers of the calling thread's loop that have not returned */
unsigned fiber_count(void);

/*
 * The most fibers that the calling thread's loop may have at a time; beyond
 * it fiber_start() fails.  FIBER_LIMIT unless set.
 */
enum { FIBER_LIMIT = 30000 };
void fiber_set_limit(unsigned max);

/*
 * Marks code across which nothing may wait: a held lock, an open
 * transaction, a pointer under qsbr.h's protection.  Between begin and end
 * (they nest) fiber_park() and fiber_yield() fail an assert, also in a fiber
 * that is started there.
 */
extern __thread unsigned fiber_no_wait;

static inline void
fiber_no_wait_begin(void)
{
	fiber_no_wait++;
}

static inline void
fiber_no_wait_end(void)
{
	fiber_no_wait--;
}

/*
 * With FIBERS_THREADS a fiber runs on a thread of its own, which would see its
 * own copy of every thread-local variable.  A file that has one that belongs
 * to the loop (not to a call) says at file level, once,
 *
 *	FIBER_SHARE_THREAD_LOCAL(counters_mine);
 *
 * and its value then goes from thread to thread with the baton, both ways.
 * It runs before main() and costs nothing with the other backends.
 */
#define FIBER_SHARE_THREAD_LOCAL(var)                                        \
	static void *fiber_address_of_##var(void)                            \
	{                                                                    \
		return &var;                                                 \
	}                                                                    \
	__attribute__((constructor)) static void fiber_share_##var(void)     \
	{                                                                    \
		fiber_share_thread_local(fiber_address_of_##var, sizeof var); \
	}                                                                    \
	_Static_assert(1, "eats the semicolon")

/* address() gives the calling thread's copy; size is in bytes. */
void fiber_share_thread_local(void *(*address)(void), size_t size);

#endif
