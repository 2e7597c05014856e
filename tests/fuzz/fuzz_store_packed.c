/*
 * fuzz_store_packed.c - a packed body as the disk may give it: a length that
 * a record says, and a frame.  It gives as many bytes, or is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store st;
	struct store_object o = {.packed = true};
	uint32_t len;
	char *out;
	int r;

	if (size < sizeof len)
		return 0;
	if (st.packer == NULL)
		st.packer = packer_new(&st);
	memcpy(&len, data, sizeof len);
	o.meta.body_len = len % STORE_PIECE_MAX + 1;
	o.inline_body = str_of((const char *)data + sizeof len,
	    size - sizeof len);
	/* no more than that, so that a sanitizer sees what is beyond */
	out = malloc(o.meta.body_len);
	if (out == NULL || st.packer == NULL) {
		free(out);
		return 0;
	}
	r = store_unpack(&st, &o, out, NULL);
	if (r != 0 && r != -1)
		abort();
	free(out);
	return 0;
}
