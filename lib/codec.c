/*
 * codec.c - gzip by zlib, Brotli and Zstandard by their libraries.
 */
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "codec.h"

enum {
	/* Until here no ratio is suspicious: little work, little memory. */
	BOMB_FREE = 1 << 20,
	/* 15 bits of window; 16 more say gzip, not zlib. */
	GZIP_WINDOW = 15 + 16,
	/* RFC 9659: what a decoder must have, and an encoder may ask for */
	ZSTD_WINDOW_MAX = 23,
};

struct codec {
	enum codec_kind kind;
	union {
		z_stream z;
		BrotliEncoderState *br;
		BrotliDecoderState *unbr;
		ZSTD_CCtx *zstd;
		ZSTD_DCtx *unzstd;
	};
	uint64_t in, out;      /* of all members */
	unsigned max_ratio;
	bool member_ended;     /* decoder: the last byte was a member's last */
	bool ended;
};

/* The smallest window that has all of it, as a power of two */
static int
window_of(uint64_t size, int least, int most)
{
	int bits = least;

	if (size == 0)
		return CODEC_WINDOW;
	while (bits < most && UINT64_C(1) << bits < size)
		bits++;
	return bits;
}

static bool
br_begin(struct codec *c, const struct codec_limits *l)
{
	int window = window_of(l->size, BROTLI_MIN_WINDOW_BITS,
	    BROTLI_DEFAULT_WINDOW);

	c->br = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	if (c->br == NULL)
		return false;
	BrotliEncoderSetParameter(c->br, BROTLI_PARAM_QUALITY,
	    (uint32_t)l->level);
	BrotliEncoderSetParameter(c->br, BROTLI_PARAM_LGWIN,
	    (uint32_t)window);
	BrotliEncoderSetParameter(c->br, BROTLI_PARAM_MODE,
	    BROTLI_MODE_TEXT);
	BrotliEncoderSetParameter(c->br, BROTLI_PARAM_SIZE_HINT,
	    l->size < UINT32_MAX ? (uint32_t)l->size : 0);
	return true;
}

static bool
zstd_begin(struct codec *c, const struct codec_limits *l)
{
	c->zstd = ZSTD_createCCtx();
	if (c->zstd == NULL)
		return false;
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, l->level);
	/* with the size it finds a window of its own */
	if (l->size > 0)
		ZSTD_CCtx_setPledgedSrcSize(c->zstd, l->size);
	if (l->size == 0 || l->size > UINT64_C(1) << ZSTD_WINDOW_MAX)
		ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_windowLog,
		    l->size == 0 ? CODEC_WINDOW : ZSTD_WINDOW_MAX);
	return true;
}

static bool
begin(struct codec *c, const struct codec_limits *l)
{
	switch (c->kind) {
	case CODEC_GZIP:
		return deflateInit2(&c->z, l->level, Z_DEFLATED, GZIP_WINDOW,
		    l->memory, Z_DEFAULT_STRATEGY) == Z_OK;
	case CODEC_GUNZIP:
		return inflateInit2(&c->z, GZIP_WINDOW) == Z_OK;
	case CODEC_BR:
		return br_begin(c, l);
	case CODEC_UNBR: /* windows of more than 16 MiB are off by default */
		c->unbr = BrotliDecoderCreateInstance(NULL, NULL, NULL);
		return c->unbr != NULL;
	case CODEC_ZSTD:
		return zstd_begin(c, l);
	case CODEC_UNZSTD:
		c->unzstd = ZSTD_createDCtx();
		if (c->unzstd != NULL)
			ZSTD_DCtx_setParameter(c->unzstd, ZSTD_d_windowLogMax,
			    ZSTD_WINDOW_MAX);
		return c->unzstd != NULL;
	}
	return false;
}

struct codec *
codec_new(enum codec_kind kind, const struct codec_limits *limits)
{
	struct codec *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->kind = kind;
	c->max_ratio = limits->max_ratio;
	if (!begin(c, limits)) {
		free(c);
		return NULL;
	}
	return c;
}

void
codec_free(struct codec **pp)
{
	struct codec *c = *pp;

	*pp = NULL;
	if (c == NULL)
		return;
	switch (c->kind) {
	case CODEC_GZIP:
		deflateEnd(&c->z);
		break;
	case CODEC_GUNZIP:
		inflateEnd(&c->z);
		break;
	case CODEC_BR:
		BrotliEncoderDestroyInstance(c->br);
		break;
	case CODEC_UNBR:
		BrotliDecoderDestroyInstance(c->unbr);
		break;
	case CODEC_ZSTD:
		ZSTD_freeCCtx(c->zstd);
		break;
	case CODEC_UNZSTD:
		ZSTD_freeDCtx(c->unzstd);
		break;
	}
	free(c);
}

/* What one call of a library is given, and what it has left of that. */
struct io {
	const char **in;
	size_t *in_len;
	char **out;
	size_t *out_len;
	bool last;
};

static void
moved(struct codec *c, const struct io *io, size_t in_n, size_t out_n)
{
	*io->in += in_n;
	*io->in_len -= in_n;
	*io->out += out_n;
	*io->out_len -= out_n;
	c->in += in_n;
	c->out += out_n;
}

static bool
is_bomb(const struct codec *c)
{
	return c->max_ratio > 0 && c->out > BOMB_FREE &&
	    c->out / c->max_ratio > c->in;
}

/* A decoder has taken all there is, and is not at an end. */
static enum codec_result
decoder_wants_more(const struct codec *c, const struct io *io)
{
	if (!io->last)
		return CODEC_OK;
	/* a body of nothing says nothing wrong */
	return c->in == 0 ? CODEC_END : CODEC_BAD;
}

/* --- gzip ---------------------------------------------------------------- */

/* zlib counts in unsigned int. */
static unsigned
part(size_t n)
{
	return n > UINT_MAX ? UINT_MAX : (unsigned)n;
}

/* One call of zlib. */
static int
zlib_step(struct codec *c, const struct io *io)
{
	unsigned in_n = part(*io->in_len), out_n = part(*io->out_len);
	int r;

	c->z.next_in = (Bytef *)*io->in;
	c->z.avail_in = in_n;
	c->z.next_out = (Bytef *)*io->out;
	c->z.avail_out = out_n;
	r = c->kind == CODEC_GZIP ? deflate(&c->z,
	    io->last && in_n == *io->in_len ? Z_FINISH : Z_NO_FLUSH) :
	    inflate(&c->z, Z_NO_FLUSH);
	moved(c, io, in_n - c->z.avail_in, out_n - c->z.avail_out);
	return r;
}

static enum codec_result
gzip(struct codec *c, const struct io *io)
{
	while (*io->out_len > 0 && (*io->in_len > 0 || io->last))
		if (zlib_step(c, io) == Z_STREAM_END)
			return CODEC_END;
	return CODEC_OK;
}

/* Between members: another one begins, or padding, or the end. */
static enum codec_result
next_member(struct codec *c, const struct io *io)
{
	while (*io->in_len > 0 && **io->in == '\0') {
		++*io->in;
		--*io->in_len;
		c->ended = true; /* nothing but padding may follow */
	}
	if (*io->in_len == 0)
		return io->last ? CODEC_END : CODEC_OK;
	if (c->ended || inflateReset(&c->z) != Z_OK)
		return CODEC_BAD;
	c->member_ended = false;
	return CODEC_OK;
}

static enum codec_result
gunzip(struct codec *c, const struct io *io)
{
	for (;;) {
		int r;

		if (c->member_ended) {
			enum codec_result e = next_member(c, io);

			if (e != CODEC_OK || *io->in_len == 0)
				return e;
		}
		if (*io->out_len == 0)
			return CODEC_OK;
		r = zlib_step(c, io);
		if (r == Z_STREAM_END) {
			c->member_ended = true;
			continue;
		}
		if (r == Z_MEM_ERROR)
			return CODEC_NO_MEMORY;
		if (r != Z_OK && r != Z_BUF_ERROR)
			return CODEC_BAD;
		if (is_bomb(c))
			return CODEC_BOMB;
		if (*io->in_len == 0 && *io->out_len > 0)
			return decoder_wants_more(c, io);
	}
}

/* --- br ------------------------------------------------------------------ */

static enum codec_result
br(struct codec *c, const struct io *io)
{
	while (*io->out_len > 0 && (*io->in_len > 0 || io->last)) {
		size_t in_n = *io->in_len, out_n = *io->out_len;
		const uint8_t *in = (const uint8_t *)*io->in;
		uint8_t *out = (uint8_t *)*io->out;

		if (!BrotliEncoderCompressStream(c->br, io->last ?
		    BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS,
		    &in_n, &in, &out_n, &out, NULL))
			return CODEC_NO_MEMORY;
		moved(c, io, *io->in_len - in_n, *io->out_len - out_n);
		if (BrotliEncoderIsFinished(c->br))
			return CODEC_END;
	}
	return CODEC_OK;
}

static enum codec_result
unbr_failed(const struct codec *c)
{
	int e = (int)BrotliDecoderGetErrorCode(c->unbr);

	/* those of memory are a range of their own */
	return e <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
	    e >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES ?
	    CODEC_NO_MEMORY : CODEC_BAD;
}

static enum codec_result
unbr(struct codec *c, const struct io *io)
{
	for (;;) {
		size_t in_n = *io->in_len, out_n = *io->out_len;
		const uint8_t *in = (const uint8_t *)*io->in;
		uint8_t *out = (uint8_t *)*io->out;
		BrotliDecoderResult r;

		if (c->ended) { /* nothing may follow */
			if (in_n > 0)
				return CODEC_BAD;
			return io->last ? CODEC_END : CODEC_OK;
		}
		if (out_n == 0)
			return CODEC_OK;
		r = BrotliDecoderDecompressStream(c->unbr, &in_n, &in, &out_n,
		    &out, NULL);
		moved(c, io, *io->in_len - in_n, *io->out_len - out_n);
		if (is_bomb(c))
			return CODEC_BOMB;
		switch (r) {
		case BROTLI_DECODER_RESULT_ERROR:
			return unbr_failed(c);
		case BROTLI_DECODER_RESULT_SUCCESS:
			c->ended = true;
			break;
		case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
			return decoder_wants_more(c, io);
		case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
			break;
		}
	}
}

/* --- zstd ---------------------------------------------------------------- */

static enum codec_result
zstd_failed(size_t r)
{
	return ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation ?
	    CODEC_NO_MEMORY : CODEC_BAD;
}

static enum codec_result
zstd(struct codec *c, const struct io *io)
{
	while (*io->out_len > 0 && (*io->in_len > 0 || io->last)) {
		ZSTD_inBuffer in = {*io->in, *io->in_len, 0};
		ZSTD_outBuffer out = {*io->out, *io->out_len, 0};
		size_t r = ZSTD_compressStream2(c->zstd, &out, &in,
		    io->last ? ZSTD_e_end : ZSTD_e_continue);

		if (ZSTD_isError(r))
			return zstd_failed(r);
		moved(c, io, in.pos, out.pos);
		if (io->last && r == 0)
			return CODEC_END;
	}
	return CODEC_OK;
}

static enum codec_result
unzstd(struct codec *c, const struct io *io)
{
	for (;;) {
		ZSTD_inBuffer in = {*io->in, *io->in_len, 0};
		ZSTD_outBuffer out = {*io->out, *io->out_len, 0};
		size_t r;

		/* A whole frame in one piece would go another way through
		 * the library, which takes less of what is damaged: so the
		 * first byte of each by itself. */
		if ((c->in == 0 || c->member_ended) && in.size > 1)
			in.size = 1;
		/* between frames: another one begins, or the end */
		if (c->member_ended && in.size == 0)
			return io->last ? CODEC_END : CODEC_OK;
		if (out.size == 0)
			return CODEC_OK;
		r = ZSTD_decompressStream(c->unzstd, &out, &in);
		if (ZSTD_isError(r))
			return zstd_failed(r);
		moved(c, io, in.pos, out.pos);
		if (is_bomb(c))
			return CODEC_BOMB;
		c->member_ended = r == 0;
		if (r != 0 && *io->in_len == 0 && *io->out_len > 0)
			return decoder_wants_more(c, io);
	}
}

enum codec_result
codec_run(struct codec *c, const char **in, size_t *in_len, char **out,
    size_t *out_len, bool last)
{
	const struct io io = {in, in_len, out, out_len, last};

	switch (c->kind) {
	case CODEC_GZIP:
		return gzip(c, &io);
	case CODEC_GUNZIP:
		return gunzip(c, &io);
	case CODEC_BR:
		return br(c, &io);
	case CODEC_UNBR:
		return unbr(c, &io);
	case CODEC_ZSTD:
		return zstd(c, &io);
	case CODEC_UNZSTD:
		return unzstd(c, &io);
	}
	return CODEC_BAD;
}
