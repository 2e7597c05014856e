/*
 * fuzz_encoding.c - what is read from a text fits, and what is written of it
 * is read back the same.  The first byte chooses the encoding.
 */
#include <stdint.h>
#include <stdlib.h>

#include "encoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum encoding e;
	struct str text;
	char *bytes, *again, *back;
	size_t len, again_len, back_len;

	if (size == 0 || size > 65536)
		return 0;
	e = (enum encoding)(data[0] % ENCODING_N);
	text = str_of((const char *)data + 1, size - 1);
	bytes = malloc(encoding_bytes_max(e, text.len) + 1);
	if (!encoding_read(e, text, bytes, &len)) {
		free(bytes);
		return 0;
	}
	if (len > encoding_bytes_max(e, text.len))
		abort();
	again = malloc(encoding_text_max(e, len) + 1);
	again_len = encoding_write(e, data[0] >= 128, bytes, len, again);
	if (again_len > encoding_text_max(e, len))
		abort();
	back = malloc(encoding_bytes_max(e, again_len) + 1);
	if (!encoding_read(e, str_of(again, again_len), back, &back_len) ||
	    !str_eq(str_of(back, back_len), str_of(bytes, len)))
		abort();
	free(back);
	free(again);
	free(bytes);
	return 0;
}
