/*
 * alloc_fault.c - see alloc_fault.h.  Takes malloc's place, and its fellows',
 * for the whole program; memory is the C library's.
 */
#include "alloc_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own names for what this file takes the place of */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static struct alloc_fault none;
struct alloc_fault *alloc_fault = &none;

__attribute__((constructor)) static void
map_file(void)
{
	const char *path = getenv("COPAL_ALLOC_FAULT");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof *alloc_fault, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (p != MAP_FAILED)
		alloc_fault = p;
	close(fd);
}

static bool
fails(void)
{
	struct alloc_fault *f = alloc_fault;
	int64_t left;

	if (f->pid == 0 || f->pid != getpid())
		return false;
	left = --f->left;
	if (left >= 0 || left < -f->burst)
		return false;
	f->failed++;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : __libc_memalign(align, n);
}

void *
memalign(size_t align, size_t n)
{
	return aligned_alloc(align, n);
}

int
posix_memalign(void **p, size_t align, size_t n)
{
	void *q = aligned_alloc(align, n);

	if (q == NULL)
		return ENOMEM;
	*p = q;
	return 0;
}
