/*
 * fiber_ucontext.c - changing stacks with swapcontext(): for processors that
 * fiber_asm.c does not know.  Each switch costs a system call (the signal
 * mask).
 */
#include "fiber_impl.h"

#ifdef FIBERS_UCONTEXT

#include "fiber_san.h"

/* makecontext() passes ints only. */
FIBER_NO_SANITIZE static void
fiber_entry(unsigned high, unsigned low)
{
	struct fiber *f =
	    (struct fiber *)(uintptr_t)((uint64_t)high << 32 | low);

	fiber_san_arrived(f);
	for (;;) {
		f->fn(f->arg);
		fiber_ended(f);
		fiber_ctx_leave(f);
	}
}

static void
make_fresh(struct fiber *f)
{
	uint64_t at = (uintptr_t)f;

	fiber_san_fresh(f);
	getcontext(&f->ctx.uc);
	f->ctx.uc.uc_stack.ss_sp = f->stack.lo;
	f->ctx.uc.uc_stack.ss_size = f->stack.size;
	f->ctx.uc.uc_link = NULL;
	makecontext(&f->ctx.uc, (void (*)(void))fiber_entry, 2,
	    (unsigned)(at >> 32), (unsigned)at);
}

int
fiber_ctx_new(struct fiber *f)
{
	if (fiber_stack_new(f->fibers, &f->stack) != 0)
		return -1;
	make_fresh(f);
	return 0;
}

void
fiber_ctx_free(struct fiber *f)
{
#ifdef FIBER_TSAN
	__tsan_destroy_fiber(f->tsan);
#endif
	(void)f;
}

void
fiber_ctx_trim(struct fiber *f)
{
	fiber_stack_trim(&f->stack);
	make_fresh(f);
}

FIBER_NO_SANITIZE void
fiber_ctx_enter(struct fiber *f)
{
	fiber_san_enter_begin(f);
	swapcontext(&f->back.uc, &f->ctx.uc);
	fiber_san_enter_end(f);
}

FIBER_NO_SANITIZE void
fiber_ctx_leave(struct fiber *f)
{
	fiber_san_leave_begin(f);
	swapcontext(&f->ctx.uc, &f->back.uc);
	fiber_san_arrived(f);
}

#endif
