/*
 * fuzz_http_date.c - dates: what is read, written and read again stays.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[HTTP_DATE_LEN + 1];
	double t, now = 1704067200;

	t = http_date_parse(str_of((const char *)data, size), now);
	http_date_format(t, out);
	if (strlen(out) != HTTP_DATE_LEN)
		abort();
	/* A leap second at the end of 9999 has no date of its own. */
	if (t < 253402300800 && http_date_parse(str_from_z(out), now) != t)
		abort();
	/* any double can be written */
	if (size >= sizeof(t)) {
		memcpy(&t, data, sizeof(t));
		http_date_format(t, out);
		if (strlen(out) != HTTP_DATE_LEN)
			abort();
		(void)http_date_parse(str_of((const char *)data, size), t);
	}
	return 0;
}
