/*
 * fuzz_coding.c - Accept-Encoding in one line or two, cut at the first
 * newline, and the same bytes as a Content-Type.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	const char *end = size > 0 ? memchr(p, '\n', size) : NULL;
	size_t n = end != NULL ? (size_t)(end - p) : size;
	struct field f[2] = {{.name = "Accept-Encoding", .name_len = 15,
	    .id = FIELD_ACCEPT_ENCODING, .value = p,
	    .value_len = (uint32_t)n}};
	struct http h = {.field = f, .field_n = 1, .field_cap = 2};
	struct accepted a;
	unsigned best;

	if (size > 65536)
		return 0;
	if (end != NULL) {
		f[1] = f[0];
		f[1].value = end + 1;
		f[1].value_len = (uint32_t)(size - n - 1);
		h.field_n = 2;
	}
	accept_codings(&a, &h);
	best = accepted_best(&a);
	for (int c = 0; c < CODING_N; c++) {
		if (a.rank[c] > 2001)
			abort();
		/* the best ones are taken, and nothing is better */
		if (best & 1u << c && a.rank[c] == 0)
			abort();
		for (int d = 0; best & 1u << c && d < CODING_N; d++)
			if (a.rank[d] > a.rank[c])
				abort();
		if (accepts_coding(&h, (enum coding)c) != (a.rank[c] > 0 &&
		    a.rank[c] / 2 >= a.rank[CODING_IDENTITY] / 2))
			abort();
	}
	if ((best == 0) != (a.rank[0] + a.rank[1] + a.rank[2] + a.rank[3] == 0))
		abort();
	(void)content_type_packs(str_of(p, size));
	return 0;
}
