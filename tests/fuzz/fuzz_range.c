/*
 * fuzz_range.c - ranges and lists of entity tags.  The first byte chooses the
 * size of the representation; the rest is the value.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_semantics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = {0, 1, 2, 1000, INT64_MAX, UINT64_MAX};
	uint64_t first = UINT64_MAX, last = 0, of;
	struct str value, etag = STR("\"a\"");

	if (size == 0)
		return 0;
	of = sizes[data[0] % (sizeof(sizes) / sizeof(*sizes))];
	value = str_of((const char *)data + 1, size - 1);
	switch (range_parse(value, of, &first, &last)) {
	case RANGE_ONE:
		if (first > last || last >= of)
			abort();
		break;
	case RANGE_NONE:
	case RANGE_MANY:
	case RANGE_UNSATISFIABLE:
		if (first != UINT64_MAX || last != 0)
			abort();
		break;
	}
	/* What matches strongly matches weakly too. */
	if (etag_list_has(value, etag, false) &&
	    !etag_list_has(value, etag, true))
		abort();
	(void)etag_list_has(etag, value, true);
	return 0;
}
