/*
 * fiber_asm.c - changing stacks in a few instructions: x86-64 and aarch64.
 *
 * A switch stores where it stands (pc, sp, fp) in one fiber_ctx and jumps to
 * another.  It is inline assembler that declares every other register as
 * overwritten: the compiler saves what the calling convention says a function
 * must save, in the frame it has anyway, and nothing is pushed behind its
 * back.  That has two uses.  The call stack is described right at every
 * instruction: before and after the switch by what the compiler says of the
 * function, in between by the directives below.  And start and return are a
 * call and a return at the same depth for the processor, whose prediction of
 * return addresses stays right (measured: 11 ns for a start and a return,
 * against 38 with a switch that ends in ret).
 *
 * The floating-point control words are not part of the switch: no code of
 * ours changes them.
 */
#include "fiber_impl.h"

#ifdef FIBERS_ASM

#include "fiber_san.h"

/* the compiler has opened a .cfi_startproc that we may talk in */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define CFI(text) text "\n\t"
#else
#define CFI(text)
#endif

#if defined(__x86_64__)

/*
 * From the loading of %rbp to the jump, a debugger or profiler sees a frame
 * that was called from where `to` (%rsi) stands: CFA = to->sp, return address
 * at &to->pc, %rbp at &to->fp.  The int3 keeps the return address (label 1)
 * from being looked up, less one, in that stretch; it is never reached.
 */
#define SWITCH(from, to)                                                     \
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\t"                         \
			 "movq %%rax, 0(%0)\n\t"                             \
			 "movq %%rsp, 8(%0)\n\t"                             \
			 "movq %%rbp, 16(%0)\n\t"                            \
			 CFI(".cfi_remember_state")                          \
			 CFI(".cfi_escape 0x0f, 3, 0x74, 8, 0x06")           \
			 CFI(".cfi_escape 0x10, 16, 2, 0x74, 0")             \
			 CFI(".cfi_escape 0x10, 6, 2, 0x74, 16")             \
			 CFI(".cfi_same_value %%rbx")                        \
			 CFI(".cfi_same_value %%r12")                        \
			 CFI(".cfi_same_value %%r13")                        \
			 CFI(".cfi_same_value %%r14")                        \
			 CFI(".cfi_same_value %%r15")                        \
			 "movq 16(%1), %%rbp\n\t"                            \
			 "movq 8(%1), %%rsp\n\t"                             \
			 "jmp *0(%1)\n\t"                                    \
			 CFI(".cfi_restore_state")                           \
			 "int3\n"                                            \
			 "1:"                                                \
			 : "+D"(from), "+S"(to)                              \
			 :                                                   \
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10",    \
			   "r11", "r12", "r13", "r14", "r15", "xmm0",        \
			   "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",   \
			   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",         \
			   "xmm12", "xmm13", "xmm14", "xmm15", "memory",     \
			   "cc")

/*
 * Where a fresh stack begins: the outermost frame, which has no caller.  The
 * first switch to it has `to` in %rsi still.  Its first instruction is before
 * the label for the same reason as the int3 above.
 */
__asm__(".text\n"
	".type fiber_bottom, @function\n"
	"fiber_bottom:\n\t"
	".cfi_startproc\n\t"
	".cfi_undefined rip\n\t"
	"nop\n"
	".globl fiber_bottom_begin\n"
	".hidden fiber_bottom_begin\n"
	"fiber_bottom_begin:\n\t"
	"endbr64\n\t"
	"movq %rsi, %rdi\n\t"
	"call fiber_entry\n\t"
	"ud2\n\t"
	".cfi_endproc\n"
	".size fiber_bottom, . - fiber_bottom\n");

#elif defined(__aarch64__)

/* As above; %1 is x1.  `hint 36` is "bti j", a nop elsewhere. */
#define SWITCH(from, to)                                                     \
	__asm__ volatile("adr x2, 1f\n\t"                                    \
			 "mov x3, sp\n\t"                                    \
			 "stp x2, x3, [%0]\n\t"                              \
			 "str x29, [%0, 16]\n\t"                             \
			 CFI(".cfi_remember_state")                          \
			 CFI(".cfi_escape 0x0f, 3, 0x71, 8, 0x06")           \
			 CFI(".cfi_escape 0x10, 30, 2, 0x71, 0")             \
			 CFI(".cfi_escape 0x10, 29, 2, 0x71, 16")            \
			 "ldp x17, x3, [%1]\n\t"                             \
			 "ldr x29, [%1, 16]\n\t"                             \
			 "mov sp, x3\n\t"                                    \
			 "br x17\n\t"                                        \
			 CFI(".cfi_restore_state")                           \
			 "nop\n"                                             \
			 "1:\n\t"                                            \
			 "hint 36"                                           \
			 : "+r"(from), "+r"(to)                              \
			 :                                                   \
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9",   \
			   "x10", "x11", "x12", "x13", "x14", "x15",         \
			   "x16", "x17", "x18", "x19", "x20", "x21",         \
			   "x22", "x23", "x24", "x25", "x26", "x27",         \
			   "x28", "x30", "v0", "v1", "v2", "v3", "v4",       \
			   "v5", "v6", "v7", "v8", "v9", "v10", "v11",       \
			   "v12", "v13", "v14", "v15", "v16", "v17",         \
			   "v18", "v19", "v20", "v21", "v22", "v23",         \
			   "v24", "v25", "v26", "v27", "v28", "v29",         \
			   "v30", "v31", "memory", "cc")

/* As above; `hint 38` is "bti jc". */
__asm__(".text\n"
	".type fiber_bottom, %function\n"
	"fiber_bottom:\n\t"
	".cfi_startproc\n\t"
	".cfi_undefined x30\n\t"
	"nop\n"
	".globl fiber_bottom_begin\n"
	".hidden fiber_bottom_begin\n"
	"fiber_bottom_begin:\n\t"
	"hint 38\n\t"
	"mov x0, x1\n\t"
	"bl fiber_entry\n\t"
	"brk 1\n\t"
	".cfi_endproc\n"
	".size fiber_bottom, . - fiber_bottom\n");

#else
#error "no assembler for this processor: configure --with-fibers=ucontext"
#endif

_Static_assert(offsetof(struct fiber_ctx, pc) == 0, "used by SWITCH");
_Static_assert(offsetof(struct fiber_ctx, sp) == sizeof(void *),
    "used by SWITCH");
_Static_assert(offsetof(struct fiber_ctx, fp) == 2 * sizeof(void *),
    "used by SWITCH");
_Static_assert(offsetof(struct fiber, ctx) == 0, "used by fiber_entry");

static inline __attribute__((always_inline)) void
switch_stack(struct fiber_ctx *from, struct fiber_ctx *to)
{
#if defined(__aarch64__)
	register struct fiber_ctx *a __asm__("x0") = from;
	register struct fiber_ctx *b __asm__("x1") = to;
	SWITCH(a, b);
#else
	SWITCH(from, to);
#endif
}

void fiber_bottom_begin(void);
void fiber_entry(struct fiber_ctx *) __attribute__((visibility("hidden")));

/* Called by fiber_bottom; does not return. */
__attribute__((used)) FIBER_NO_SANITIZE void
fiber_entry(struct fiber_ctx *ctx)
{
	struct fiber *f = (struct fiber *)ctx;

	fiber_san_arrived(f);
	for (;;) {
		f->fn(f->arg);
		fiber_ended(f);
		fiber_san_leave_begin(f);
		switch_stack(&f->ctx, &f->back);
		fiber_san_arrived(f);
	}
}

static void
make_fresh(struct fiber *f)
{
	fiber_san_fresh(f);
	f->ctx.pc = (void *)(uintptr_t)fiber_bottom_begin;
	f->ctx.sp = f->stack.lo + f->stack.size; /* 16-byte aligned */
	f->ctx.fp = NULL;
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

__attribute__((noinline)) FIBER_NO_SANITIZE void
fiber_ctx_enter(struct fiber *f)
{
	fiber_san_enter_begin(f);
	switch_stack(&f->back, &f->ctx);
	fiber_san_enter_end(f);
}

__attribute__((noinline)) FIBER_NO_SANITIZE void
fiber_ctx_leave(struct fiber *f)
{
	fiber_san_leave_begin(f);
	switch_stack(&f->ctx, &f->back);
	fiber_san_arrived(f);
}

#endif
