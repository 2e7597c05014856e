/*
 * codec.h - gzip (RFC 1952), Brotli (RFC 7932) and Zstandard (RFC 8878) as
 * streams: bytes in, bytes out, in pieces of any size.
 *
 * A codec is one thread's.  Its memory is bounded, whatever its input says:
 *
 *	          decoder             encoder
 *	gzip      48 KiB              270 KiB
 *	br        window of 16 MiB    some MiB: CODEC_WINDOW, more if size is
 *	zstd      window of 8 MiB     the same
 *
 * These windows are the largest that a content coding may have (RFC 7932 9.1,
 * RFC 9659); what wants a larger one is bad.
 */
#ifndef COPAL_CODEC_H
#define COPAL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum codec_kind {
	CODEC_GZIP,
	CODEC_GUNZIP,
	CODEC_BR,
	CODEC_UNBR,
	CODEC_ZSTD,
	CODEC_UNZSTD,
};

enum {
	/* What an encoder that does not know the size looks back, as a power
	 * of two: of 1 MiB most of the gain is in the first quarter. */
	CODEC_WINDOW = 18,
};

enum codec_result {
	CODEC_OK,   /* all of the input is taken, or the output is full */
	CODEC_END,  /* what was to come out has come out */
	CODEC_BAD,  /* the input is not of that coding, damaged, or cut */
	CODEC_BOMB, /* the output is more than max_ratio times the input */
	CODEC_NO_MEMORY,
};

struct codec_limits {
	int level;          /* encoder: gzip 0-9, br 0-11, zstd 1-19 */
	int memory;         /* encoder, gzip: 1-9 */
	/* decoder, beyond the first MiB: output a byte of input; 0: any */
	unsigned max_ratio;
	uint64_t size;      /* encoder: of all the input; 0: not known */
};

struct codec; /* opaque */

/* NULL: no memory */
struct codec *codec_new(enum codec_kind, const struct codec_limits *);
void codec_free(struct codec **);

/*
 * Goes on: takes from *in and writes to *out, and moves both.  last: there
 * is no more input; then call again, with room, until it is not CODEC_OK.
 * Several gzip members (RFC 1952 2.2) or zstd frames (RFC 8878 3) in a row
 * are one stream; zeroes behind the last member are padding.
 */
enum codec_result codec_run(struct codec *, const char **in, size_t *in_len,
    char **out, size_t *out_len, bool last);

#endif
