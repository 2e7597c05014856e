/*
 * fuzz_proxy_header.c - whatever a connection begins with: what is read lies
 * in what was received, and more bytes behind a header change nothing.
 */
#include <stdint.h>
#include <stdlib.h>

#include "proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1);
	struct proxy_header h, again;
	size_t used, used_again;
	struct str value;
	const char *why;

	memcpy(bytes, data, size);
	switch (proxy_header_read(str_of(bytes, size), 1024, &h, &used,
	    &why)) {
	case PROXY_OK:
		if (used == 0 || used > size || used > 1024 ||
		    (h.tlv.len != 0 && (h.tlv.p < bytes ||
		    h.tlv.p + h.tlv.len != bytes + used)))
			abort();
		if (proxy_header_read(str_of(bytes, used), 1024, &again,
		    &used_again, &why) != PROXY_OK || used_again != used)
			abort();
		for (unsigned type = 0; type < 256; type++)
			if (proxy_tlv_find(h.tlv, type, &value) &&
			    (value.p < bytes ||
			    value.p + value.len > bytes + used))
				abort();
		break;
	case PROXY_MORE:
		if (size >= 1024)
			abort();
		break;
	case PROXY_BAD:
		if (why[0] == '\0')
			abort();
		break;
	}
	free(bytes);
	return 0;
}
