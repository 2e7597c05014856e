/*
 * mem.c - the compiler's memory: chunks that are freed together.
 */
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	CHUNK_MIN = 64 * 1024,
	ALIGN = 16,
};

struct vcc_mem_chunk {
	struct vcc_mem_chunk *next;
	size_t used, size;
	_Alignas(ALIGN) char data[];
};

static struct vcc_mem_chunk *
chunk_new(struct vcc_mem *m, size_t n)
{
	size_t size = n > CHUNK_MIN ? n : CHUNK_MIN;
	struct vcc_mem_chunk *chunk;

	if (size > m->limit - m->total)
		longjmp(m->full, 1);
	chunk = calloc(1, sizeof(*chunk) + size);
	if (chunk == NULL)
		longjmp(m->full, 1);
	m->total += size;
	chunk->size = size;
	chunk->next = m->chunks;
	m->chunks = chunk;
	return chunk;
}

void *
vcc_alloc(struct vcc_mem *m, size_t n)
{
	struct vcc_mem_chunk *chunk = m->chunks;
	char *p;

	if (n > m->limit)
		longjmp(m->full, 1);
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (chunk == NULL || n > chunk->size - chunk->used)
		chunk = chunk_new(m, n);
	p = chunk->data + chunk->used;
	chunk->used += n;
	return p;
}

struct str
vcc_copy(struct vcc_mem *m, struct str s)
{
	char *p = vcc_alloc(m, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return str_of(p, s.len);
}

char *
vcc_printf(struct vcc_mem *m, const char *fmt, ...)
{
	struct vcc_buf b = {.mem = m};
	va_list ap;

	va_start(ap, fmt);
	vcc_vputf(&b, fmt, ap);
	va_end(ap);
	return b.p ? b.p : vcc_alloc(m, 1);
}

void
vcc_mem_free(struct vcc_mem *m)
{
	struct vcc_mem_chunk *next;

	for (struct vcc_mem_chunk *c = m->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	m->chunks = NULL;
}

void *
vcc_grow(struct vcc_mem *m, void *p, unsigned n, size_t size)
{
	void *bigger;

	/* full when n is 0, 4, 8, 16, 32 ... */
	if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
		return p;
	bigger = vcc_alloc(m, (n ? 2 * (size_t)n : 4) * size);
	if (n > 0)
		memcpy(bigger, p, n * size);
	return bigger;
}

static void
buf_room(struct vcc_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (b->p && n < b->cap - b->len)
		return;
	if (n > b->mem->limit)
		longjmp(b->mem->full, 1);
	while (cap - b->len <= n)
		cap *= 2;
	p = vcc_alloc(b->mem, cap);
	if (b->len > 0)
		memcpy(p, b->p, b->len);
	b->p = p;
	b->cap = cap;
}

void
vcc_put(struct vcc_buf *b, const char *bytes, size_t n)
{
	buf_room(b, n);
	if (n > 0)
		memcpy(b->p + b->len, bytes, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void
vcc_puts(struct vcc_buf *b, const char *z)
{
	vcc_put(b, z, strlen(z));
}

void
vcc_vputf(struct vcc_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		buf_room(b, (size_t)n);
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void
vcc_putf(struct vcc_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcc_vputf(b, fmt, ap);
	va_end(ap);
}
