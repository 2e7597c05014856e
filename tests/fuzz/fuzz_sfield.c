/*
 * fuzz_sfield.c - structured fields: whatever is read lies within the input.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sfield.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str input;

static void
check(const struct sf_item *i)
{
	struct str rest = i->parameters, key;
	struct sf_item p;

	if (i->text.len > 0 && (i->text.p < input.p ||
	    i->text.p + i->text.len > input.p + input.len))
		abort();
	while (sf_next_parameter(&rest, &key, &p) == SF_MEMBER)
		if (key.len == 0)
			abort();
	/* what was read once can be read again */
	if (rest.len > 0)
		abort();
	if (i->type == SF_STRING) {
		char *buf = malloc(i->text.len + 1);

		if (buf != NULL && sf_string(i->text, buf) > i->text.len)
			abort();
		free(buf);
	}
	if (i->type == SF_INNER_LIST) {
		rest = i->text;
		while (sf_next_inner(&rest, &p) == SF_MEMBER)
			check(&p);
		if (rest.len > 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest, key;
	struct sf_item i;

	input = rest = str_of((const char *)data, size);
	while (sf_next_member(&rest, &key, &i) == SF_MEMBER)
		check(&i);
	rest = input;
	while (sf_next_in_list(&rest, &i) == SF_MEMBER)
		check(&i);
	if (sf_item(input, &i))
		check(&i);
	return 0;
}
