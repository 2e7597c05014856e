/*
 * fiber_san.h - tells sanitizers and valgrind of a change of stacks.
 *
 * For the backends that change stacks themselves (asm, ucontext).  All of it
 * is empty in a plain build.  A fiber's side and its enterer's side call them
 * in pairs around the switch:
 *
 *	enterer: enter_begin, switch, enter_end
 *	fiber:   [first run: arrived,] leave_begin, switch, arrived
 */
#ifndef COPAL_FIBER_SAN_H
#define COPAL_FIBER_SAN_H

#include "fiber_impl.h"

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(FIBER_ASAN) || defined(FIBER_TSAN)
#define FIBER_NO_SANITIZE                                    \
	__attribute__((no_sanitize("address"), no_sanitize("thread")))
#else
#define FIBER_NO_SANITIZE
#endif

#define FIBER_SAN static inline __attribute__((always_inline)) void

FIBER_SAN
fiber_san_enter_begin(struct fiber *f)
{
	(void)f;
#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(&f->back_fake, f->stack.lo,
	    f->stack.size);
#endif
#ifdef FIBER_TSAN
	f->tsan_back = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(f->tsan, 0);
#endif
}

FIBER_SAN
fiber_san_enter_end(struct fiber *f)
{
	(void)f;
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(f->back_fake, NULL, NULL);
#endif
}

FIBER_SAN
fiber_san_leave_begin(struct fiber *f)
{
	(void)f;
#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(&f->fake, f->back_lo, f->back_size);
#endif
#ifdef FIBER_TSAN
	__tsan_switch_to_fiber(f->tsan_back, 0);
#endif
}

FIBER_SAN
fiber_san_arrived(struct fiber *f)
{
	(void)f;
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(f->fake, &f->back_lo, &f->back_size);
#endif
}

/* The stack starts afresh: nothing of what ran on it is still there. */
FIBER_SAN
fiber_san_fresh(struct fiber *f)
{
	(void)f;
#ifdef FIBER_ASAN
	__asan_unpoison_memory_region(f->stack.lo, f->stack.size);
	f->fake = NULL;
#endif
#ifdef FIBER_TSAN
	if (f->tsan != NULL)
		__tsan_destroy_fiber(f->tsan);
	f->tsan = __tsan_create_fiber(0);
#endif
}

#endif
