/*
 * fuzz_regsub.c - regsuball() with any pattern, subject and substitution: three
 * parts separated by newlines.  It ends, within its memory.
 */
#include <stdint.h>
#include <stdlib.h>

#include "params.h"
#include "regsub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
next_part(struct str *rest)
{
	const char *nl = rest->len != 0 ? memchr(rest->p, '\n', rest->len)
					: NULL;
	size_t len = nl != NULL ? (size_t)(nl - rest->p) : rest->len;
	struct str part = str_of(rest->p, len);

	if (nl != NULL)
		len++;
	rest->p += len;
	rest->len -= len;
	return part;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) char mem[8192];
	struct str rest = str_of((const char *)data, size);
	struct str pattern = next_part(&rest), sub = next_part(&rest), out;
	struct vcl_regex *re;
	struct arena a;
	char err[200];
	int error;

	if (params == NULL) {
		if (params_init() != 0)
			abort();
		params->pcre2_match_limit = 1000;
	}
	re = regex_new(pattern, err, sizeof err);
	if (re == NULL)
		return 0;
	for (int all = 0; all < 2; all++) {
		arena_init(&a, mem, sizeof mem);
		switch (regsub(&a, all != 0, rest, re, sub, &out, &error)) {
		case REGSUB_OK:
			if (out.len > sizeof mem && out.p != rest.p)
				abort();
			break;
		case REGSUB_NO_ROOM:
			if (!arena_overflowed(&a))
				abort();
			break;
		case REGSUB_FAILED:
			regex_error_text(error, err, sizeof err);
			break;
		}
		arena_reset(&a);
	}
	regex_free(&re);
	return 0;
}
