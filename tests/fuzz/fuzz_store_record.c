/*
 * fuzz_store_record.c - the decoder of catalogue records: arbitrary bytes,
 * as they are and with checksums made right, so that the checks behind them
 * are reached too.  What decodes must encode to the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(const uint8_t *p, size_t len)
{
	struct record r;
	size_t whole;
	uint8_t *again;
	unsigned sum = 0;

	(void)record_peek(p, len, 1, &r, &whole);
	if (!record_decode(p, len, 1, &r))
		return;
	for (size_t i = 0; i < r.meta.key.len; i++)
		sum += (unsigned char)r.meta.key.p[i];
	for (size_t i = 0; i < r.inline_body.len; i++)
		sum += (unsigned char)r.inline_body.p[i];
	for (uint32_t i = 0; i < r.extent_n; i++)
		sum += record_extent_at(&r, i).len;
	if (record_size(&r) != len)
		abort();
	again = malloc(len + sum % 2);
	if (again == NULL)
		return;
	record_encode(&r, 1, again);
	if (!record_decode(again, len, 1, &r))
		abort();
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p = malloc(size + 1);

	if (p == NULL)
		return 0;
	look(data, size);
	memcpy(p, data, size);
	/* The length too: few guesses would have it right. */
	if (size >= RECORD_FIXED_LEN) {
		uint32_t len = (uint32_t)size;

		memcpy(p + 4, &len, sizeof len);
	}
	record_seal(p, size, 1);
	look(p, size);
	free(p);
	return 0;
}
