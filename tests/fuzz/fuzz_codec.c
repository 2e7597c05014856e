/*
 * fuzz_codec.c - whatever is unpacked ends, within the ratio; the size of the
 * pieces changes nothing in it; and what is packed is unpacked the same.  The
 * first two bytes choose the sizes of pieces, the third the coding and how hard
 * it is packed: 0 and on gzip, 10 and on br, 20 and on zstd.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

enum {
	MAX_RATIO = 20,
	FREE = 1 << 20,        /* no ratio is held against it */
	CAP = 4 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char first[CAP], second[CAP], packed[1 << 18];

/* The length that came out until *r; it aborts if there is no end. */
static size_t
run(enum codec_kind kind, int level, const char *in, size_t len, size_t piece,
    char *to, size_t cap, enum codec_result *r)
{
	struct codec_limits limits = {level, 8, MAX_RATIO, 0};
	struct codec *c = codec_new(kind, &limits);
	char *at = to;
	size_t turns = 0;

	if (c == NULL)
		abort();
	do {
		size_t n = len < piece ? len : piece, rest = n, room, had;
		bool last = n == len;

		do {
			had = (size_t)(to + cap - at);
			had = room = had < piece ? had : piece;
			*r = codec_run(c, &in, &rest, &at, &room, last);
			/* each call takes or gives something, or it is over */
			if (*r == CODEC_OK && room == had && rest == n &&
			    ++turns > 16)
				abort();
		} while (*r == CODEC_OK && at < to + cap && (rest > 0 || last));
		len -= n - rest;
	} while (*r == CODEC_OK && len > 0 && at < to + cap);
	codec_free(&c);
	return (size_t)(at - to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum codec_kind packs[] = {CODEC_GZIP, CODEC_BR,
	    CODEC_ZSTD}, unpacks[] = {CODEC_GUNZIP, CODEC_UNBR, CODEC_UNZSTD};
	enum codec_kind pack, unpack;
	enum codec_result r, r2;
	const char *in = (const char *)data + 3;
	size_t n, n2, len;
	int level;

	if (size < 3 || size > 65536)
		return 0;
	pack = packs[data[2] / 10 % 3];
	unpack = unpacks[data[2] / 10 % 3];
	level = data[2] % 10;
	if (pack == CODEC_ZSTD && level == 0)
		level = 1;
	len = size - 3;
	n = run(unpack, 0, in, len, 1 + data[0], first, CAP, &r);
	n2 = run(unpack, 0, in, len, 4096, second, CAP, &r2);
	/* a piece more may have come out before the ratio was seen */
	if (n > FREE + 4096 && n > (len + 1) * MAX_RATIO + 4096)
		abort();
	if (r != CODEC_BOMB && r2 != CODEC_BOMB &&
	    (r != r2 || (r == CODEC_END && n != n2)))
		abort();
	if (memcmp(first, second, n < n2 ? n : n2) != 0)
		abort();

	n = run(pack, level, in, len, 1 + data[1], packed,
	    sizeof packed, &r);
	if (r != CODEC_END)
		abort();
	n2 = run(unpack, 0, packed, n, 1 + data[0], second, CAP, &r);
	if (r != CODEC_END || n2 != len || memcmp(second, in, len) != 0)
		abort();
	return 0;
}
