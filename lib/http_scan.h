/*
 * http_scan.h - classes of bytes in HTTP's syntax, and fast scans for them.
 *
 * For the codecs in lib/ only.  With SSE2 (every x86-64) a scan looks at 16
 * bytes at a time, elsewhere at 8 in a plain word; the last bytes of the
 * input are looked at one by one, so that nothing beyond it is ever read.
 */
#ifndef COPAL_HTTP_SCAN_H
#define COPAL_HTTP_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	HTTP_CHAR_TOKEN = 0x01,  /* tchar, RFC 9110 5.6.2 */
	HTTP_CHAR_VALUE = 0x02,  /* HTAB, SP, VCHAR, obs-text, RFC 9110 5.5 */
	HTTP_CHAR_TARGET = 0x04, /* visible or obs-text, and not '#' */
	HTTP_CHAR_HOST = 0x08,   /* unreserved, sub-delims, RFC 3986 3.2.2 */
	HTTP_CHAR_DIGIT = 0x10,
	HTTP_CHAR_HEX = 0x20,
};

extern const uint8_t http_char[256];

static inline bool
http_char_is(char c, unsigned class)
{
	return (http_char[(uint8_t)c] & class) != 0;
}

/* The value of a hexadecimal digit; c is of HTTP_CHAR_HEX. */
static inline unsigned
http_hex(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static inline bool
http_is_space(char c)
{
	return c == ' ' || c == '\t';
}

#ifdef __SSE2__

/* Which bytes of x are <= limit, as unsigned? */
static inline __m128i
http_at_most(__m128i x, char limit)
{
	return _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(limit)), x);
}

static inline __m128i
http_equal(__m128i x, char c)
{
	return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

#else

/*
 * Has one of the eight bytes of w, as unsigned, less than low (at most 0x80),
 * or does one equal c (at most 0x7f)?  Exact: no carry crosses a byte.
 */
static inline bool
http_word_has(uint64_t w, uint64_t low, uint64_t c)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;
	uint64_t less, equal;

	less = ~(((w & ~tops) + ones * (0x80 - low)) | w);
	w ^= ones * c;
	equal = ~(((w & ~tops) + ~tops) | w);
	return ((less | equal) & tops) != 0;
}

static inline uint64_t
http_word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

#endif

/* The first byte at p..end that no field value may have; end if none. */
static inline const char *
http_scan_value(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i bad = _mm_or_si128(
		    _mm_andnot_si128(http_equal(x, '\t'),
			http_at_most(x, 0x1f)),
		    http_equal(x, 0x7f));
		int mask = _mm_movemask_epi8(bad);

		if (mask)
			return p + __builtin_ctz(mask);
	}
#else
	for (; end - p >= 8; p += 8) {
		if (!http_word_has(http_word(p), 0x20, 0x7f))
			continue;
		for (int i = 0; i < 8; i++)
			if (!http_char_is(p[i], HTTP_CHAR_VALUE))
				return p + i;
	}
#endif
	while (p < end && http_char_is(*p, HTTP_CHAR_VALUE))
		p++;
	return p;
}

/* The first byte at p..end that no request target may have; end if none. */
static inline const char *
http_scan_target(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i bad = _mm_or_si128(http_at_most(x, 0x20),
		    _mm_or_si128(http_equal(x, 0x7f), http_equal(x, '#')));
		int mask = _mm_movemask_epi8(bad);

		if (mask)
			return p + __builtin_ctz(mask);
	}
#else
	for (; end - p >= 8; p += 8) {
		uint64_t w = http_word(p);

		if (http_word_has(w, 0x21, 0x7f) || http_word_has(w, 0, '#'))
			break;
	}
#endif
	while (p < end && http_char_is(*p, HTTP_CHAR_TARGET))
		p++;
	return p;
}

/*
 * The first byte at p..end that no token may have; end if none.  Letters,
 * digits and '-' are what real names are made of; another tchar costs a step
 * through the table.
 */
static inline const char *
http_scan_token(const char *p, const char *end)
{
#ifdef __SSE2__
	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i letter = _mm_sub_epi8(
		    _mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
		__m128i digit = _mm_sub_epi8(x, _mm_set1_epi8('0'));
		__m128i good = _mm_or_si128(http_at_most(letter, 25),
		    _mm_or_si128(http_at_most(digit, 9), http_equal(x, '-')));
		unsigned mask = ~_mm_movemask_epi8(good) & 0xffff;

		if (!mask) {
			p += 16;
			continue;
		}
		p += __builtin_ctz(mask);
		if (!http_char_is(*p, HTTP_CHAR_TOKEN))
			return p;
		p++;
	}
#endif
	while (p < end && http_char_is(*p, HTTP_CHAR_TOKEN))
		p++;
	return p;
}

#endif
