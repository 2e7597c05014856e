/*
 * fuzz_chunked.c - the chunked coding: the same result in pieces of any size,
 * and what was decoded, coded again, decodes to the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                      \
	do {                                                                 \
		if (!(condition))                                            \
			abort();                                             \
	} while (0)

struct decoded {
	char *body;
	size_t len, consumed;
	enum h1_chunk_result result;
};

/* What the decoder let by is well-formed. */
static void
check_trailers(const char *section, size_t len)
{
	char mem[4096];
	struct arena a;
	struct http h;

	arena_init(&a, mem, sizeof mem);
	MUST(http_init(&h, &a, 64));
	MUST(h1_parse_trailers(&h, section, len));
	for (unsigned i = 0; i < h.field_n; i++)
		MUST(http_is_token(str_of(h.field[i].name,
		    h.field[i].name_len)) && http_is_value(str_of(
		    h.field[i].value, h.field[i].value_len)));
	arena_reset(&a);
}

static void
decode(struct decoded *d, const char *in, size_t len, size_t step)
{
	char trailer[200];
	struct h1_chunked c = {.trailer = trailer,
	    .trailer_cap = sizeof trailer};
	struct str data;

	*d = (struct decoded){.body = malloc(len + 1), .result = H1_CHUNK_MORE};
	MUST(d->body);
	for (size_t at = 0; at < len && d->result == H1_CHUNK_MORE;
	     at += step) {
		size_t n = len - at < step ? len - at : step, i = 0, used;
		char *piece = malloc(n);

		MUST(piece);
		memcpy(piece, in + at, n);
		do {
			d->result = h1_chunked_next(&c, piece + i, n - i,
			    &used, &data);
			MUST(used <= n - i);
			MUST(data.len == 0 || (data.p >= piece + i &&
			    data.p + data.len == piece + i + used));
			MUST(data.len > 0 || d->result != H1_CHUNK_DATA);
			memcpy(d->body + d->len, data.p, data.len);
			d->len += data.len;
			i += used;
		} while (d->result == H1_CHUNK_DATA);
		MUST(i == n || d->result != H1_CHUNK_MORE);
		d->consumed += i;
		free(piece);
	}
	if (d->result == H1_CHUNK_END && c.trailer_len <= sizeof trailer)
		check_trailers(trailer, c.trailer_len);
}

/* In chunks of 1, 2, 3, ... bytes */
static char *
encode(const struct decoded *d, size_t *len)
{
	char *out = malloc(d->len * (H1_CHUNK_HEAD_MAX + 3) + 5), *to = out;

	MUST(out);
	for (size_t at = 0, n = 1; at < d->len; at += n, n++) {
		if (n > d->len - at)
			n = d->len - at;
		to += h1_chunk_begin(to, n);
		memcpy(to, d->body + at, n);
		memcpy(to + n, "\r\n", 2);
		to += n + 2;
	}
	memcpy(to, H1_CHUNK_LAST, 5);
	*len = to + 5 - out;
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = {1, 2, 7, 100};
	struct decoded whole, other;

	decode(&whole, (const char *)data, size, size ? size : 1);
	for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		decode(&other, (const char *)data, size, steps[i]);
		MUST(other.result == whole.result);
		MUST(other.len == whole.len);
		MUST(other.consumed == whole.consumed);
		MUST(!memcmp(other.body, whole.body, whole.len));
		free(other.body);
	}
	if (whole.result == H1_CHUNK_END) {
		size_t len;
		char *again = encode(&whole, &len);

		decode(&other, again, len, len);
		MUST(other.result == H1_CHUNK_END && other.consumed == len);
		MUST(other.len == whole.len);
		MUST(!memcmp(other.body, whole.body, whole.len));
		free(other.body);
		free(again);
	}
	free(whole.body);
	return 0;
}
