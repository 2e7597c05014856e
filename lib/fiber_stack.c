/*
 * fiber_stack.c - stacks cut from slabs.
 *
 *	slab:  | guard | usable | guard | usable | ...	64 of them
 *
 * A slab is one mapping without reserved memory; a stack takes memory page by
 * page as it is touched.  No huge pages: one small frame would take 2 MiB.
 *
 * Guards: where the kernel has them (6.13), MADV_GUARD_INSTALL, which leaves
 * the slab one mapping.  Otherwise mprotect(), which splits it in two a
 * stack, so that vm.max_map_count (65530 by default) limits a process to some
 * 32,000 fibers; then fiber_start() fails.
 */
#include "fiber_impl.h"

#ifndef FIBERS_THREADS

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

#if !defined(HAVE_VALGRIND_H) && defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#define HAVE_VALGRIND_H 1
#endif
#endif
#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(lo, hi) 0
#define VALGRIND_STACK_DEREGISTER(id)   ((void)(id))
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
#if defined(FIBER_ASAN) || defined(FIBER_TSAN)
	USABLE = 512 * 1024, /* their frames are several times larger */
#else
	USABLE = 64 * 1024,
#endif
	/*
	 * Tops at the same offset in a page would fight for the same cache
	 * lines: they are spread over half a page.  The page comes on top of
	 * the usable part.
	 */
	COLORS = 16,
	COLOR = 128,
	SLAB_STACKS = 64,
};

struct fiber_slab {
	struct fiber_slab *next;
	char *mem;
	unsigned used;
	unsigned valgrind_id[SLAB_STACKS];
};

/* of the guard, and of the space for colors */
static size_t
page_size(void)
{
	static _Atomic size_t known;
	size_t n = known;

	if (n == 0)
		known = n = (size_t)sysconf(_SC_PAGESIZE);
	return n;
}

static size_t
stride(void)
{
	return USABLE + 2 * page_size();
}

static struct fiber_slab *
slab_new(void)
{
	struct fiber_slab *slab = calloc(1, sizeof *slab);
	size_t len = SLAB_STACKS * stride();

	if (slab == NULL)
		return NULL;
	slab->mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (slab->mem == MAP_FAILED) {
		free(slab);
		return NULL;
	}
	/* fails where the kernel has no huge pages: as well */
	(void)madvise(slab->mem, len, MADV_NOHUGEPAGE);
	return slab;
}

static int
guard(char *at)
{
	if (madvise(at, page_size(), MADV_GUARD_INSTALL) == 0)
		return 0;
	return mprotect(at, page_size(), PROT_NONE);
}

int
fiber_stack_new(struct fibers *fs, struct fiber_stack *st)
{
	struct fiber_slab *slab = fs->slabs;
	size_t page = page_size();
	char *at;

	if (slab == NULL || slab->used == SLAB_STACKS) {
		if ((slab = slab_new()) == NULL)
			return -1;
		slab->next = fs->slabs;
		fs->slabs = slab;
	}
	at = slab->mem + slab->used * stride();
	if (guard(at) != 0)
		return -1;
	st->lo = at + page;
	st->size = USABLE + page - slab->used % COLORS * COLOR;
	slab->valgrind_id[slab->used] =
	    VALGRIND_STACK_REGISTER(st->lo, st->lo + st->size);
#ifdef FIBER_ASAN
	/* what only a parked fiber's stack points to is not leaked */
	__lsan_register_root_region(st->lo, USABLE + page);
#endif
	slab->used++;
	return 0;
}

void
fiber_stack_trim(struct fiber_stack *st)
{
	madvise(st->lo, USABLE + page_size(), MADV_DONTNEED);
}

void
fiber_stack_free_all(struct fibers *fs)
{
	struct fiber_slab *slab;

	while ((slab = fs->slabs) != NULL) {
		fs->slabs = slab->next;
		for (unsigned i = 0; i < slab->used; i++) {
			VALGRIND_STACK_DEREGISTER(slab->valgrind_id[i]);
#ifdef FIBER_ASAN
			char *lo = slab->mem + i * stride() + page_size();
			size_t len = USABLE + page_size();
			__asan_unpoison_memory_region(lo, len);
			__lsan_unregister_root_region(lo, len);
#endif
		}
		munmap(slab->mem, SLAB_STACKS * stride());
		free(slab);
	}
}

#endif
