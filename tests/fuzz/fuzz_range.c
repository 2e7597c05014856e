/*
 * fuzz_range.c - Range, Content-Range and lists of entity tags.  The first byte
 * chooses the size of the representation; the rest is the value.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "byte_range.h"
#include "http_semantics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = {0, 1, 2, 1000, INT64_MAX, UINT64_MAX};
	struct str value, etag = STR("\"a\"");
	struct byte_range set[8], r;
	uint64_t of;
	unsigned n;

	if (size == 0)
		return 0;
	of = sizes[data[0] % (sizeof(sizes) / sizeof(*sizes))];
	value = str_of((const char *)data + 1, size - 1);
	switch (range_parse(value, of, set, 8, &n)) {
	case RANGE_SOME:
		if (n == 0 || n > 8)
			abort();
		for (unsigned i = 0; i < n; i++) {
			if (set[i].first > set[i].last || set[i].last >= of)
				abort();
			for (unsigned k = 0; k < i; k++)
				if (set[k].first <= set[i].last &&
				    set[i].first <= set[k].last)
					abort();
		}
		break;
	case RANGE_NONE:
	case RANGE_UNSATISFIABLE:
		if (n != 0)
			abort();
		break;
	}
	if (range_begin(value, &r) && r.first > r.last)
		abort();
	if (content_range_parse(value, &r, &of) &&
	    (r.first > r.last || r.last >= of))
		abort();
	/* What matches strongly matches weakly too. */
	if (etag_list_has(value, etag, false) &&
	    !etag_list_has(value, etag, true))
		abort();
	(void)etag_list_has(etag, value, true);
	return 0;
}
