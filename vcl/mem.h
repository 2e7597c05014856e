/*
 * mem.h - the compiler's memory: grows as needed, dies all at once.
 *
 * No function here returns NULL: when there is no memory, or the limit is
 * reached, control goes back to vcl_compile(), which says so.
 */
#ifndef COPAL_VCC_MEM_H
#define COPAL_VCC_MEM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "str.h"

struct vcc_mem_chunk;

struct vcc_mem {
	struct vcc_mem_chunk *chunks;
	size_t total; /* bytes taken from malloc */
	size_t limit;
	jmp_buf full; /* where to go when there is no more */
};

/* zeroed, aligned for anything */
void *vcc_alloc(struct vcc_mem *, size_t n);
/* a copy, followed by a NUL */
struct str vcc_copy(struct vcc_mem *, struct str);
char *vcc_printf(struct vcc_mem *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void vcc_mem_free(struct vcc_mem *);

/*
 * For arrays that grow: room for one more element of size bytes in p, which
 * has n; returns p or where it moved to.  The room is zeroed.
 */
void *vcc_grow(struct vcc_mem *, void *p, unsigned n, size_t size);

/* Text that grows; zero all but mem to begin. */
struct vcc_buf {
	struct vcc_mem *mem;
	char *p; /* NUL-terminated, NULL while it is empty */
	size_t len, cap;
};

void vcc_put(struct vcc_buf *, const char *bytes, size_t n);
void vcc_puts(struct vcc_buf *, const char *z);
void vcc_putf(struct vcc_buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void vcc_vputf(struct vcc_buf *, const char *fmt, va_list)
    __attribute__((nonnull(2), format(printf, 2, 0)));

#endif
