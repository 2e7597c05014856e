/*
 * fuzz_querysort.c - std.querysort(): nothing is invented, and nothing but
 * empty parameters lost, so that sorting it again takes nothing away.
 */
#include <stdint.h>
#include <stdlib.h>

#include "vrt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) char mem[1 << 20];
	struct str url = str_of((const char *)data, size), once, twice;
	struct arena a;

	if (size > 10000)
		return 0;
	arena_init(&a, mem, sizeof mem);
	once = querysort(&a, url);
	if (once.p == NULL && size != 0)
		abort();
	if (once.len > url.len)
		abort();
	twice = querysort(&a, once);
	if (once.len != twice.len)
		abort();
	arena_reset(&a);
	/* without room for all of it */
	arena_init(&a, mem, size + size / 2);
	once = querysort(&a, url);
	if (once.p == NULL && size != 0 && !arena_overflowed(&a))
		abort();
	arena_reset(&a);
	return 0;
}
