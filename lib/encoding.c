/*
 * encoding.c - bytes as text and back.
 */
#include "encoding.h"

struct alphabet {
	char digit62, digit63;
	char pad; /* NUL: none */
};

static const struct alphabet alphabets[ENCODING_N] = {
	[ENCODING_BASE64] = {'+', '/', '='},
	[ENCODING_BASE64URL] = {'-', '_', '='},
	[ENCODING_BASE64URLNOPAD] = {'-', '_', '\0'},
	[ENCODING_BASE64CF] = {'-', '~', '_'},
};

static char
base64_digit(const struct alphabet *a, unsigned v)
{
	if (v < 26)
		return (char)('A' + v);
	if (v < 52)
		return (char)('a' + v - 26);
	if (v < 62)
		return (char)('0' + v - 52);
	return v == 62 ? a->digit62 : a->digit63;
}

static int
base64_value(const struct alphabet *a, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == a->digit62 ? 62 : c == a->digit63 ? 63 : -1;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986 2.3 */
static bool
is_unreserved(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

/* ---- writing ---- */

size_t
encoding_text_max(enum encoding e, size_t len)
{
	switch (e) {
	case ENCODING_IDENTITY:
		return len;
	case ENCODING_HEX:
		return 2 * len;
	case ENCODING_URL:
		return 3 * len;
	case ENCODING_BASE64:
	case ENCODING_BASE64URL:
	case ENCODING_BASE64URLNOPAD:
	case ENCODING_BASE64CF:
		break;
	}
	return (len + 2) / 3 * 4;
}

static size_t
write_base64(const struct alphabet *a, const uint8_t *b, size_t len, char *out)
{
	char *p = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)b[i] << 16 |
		    (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
		    (left > 2 ? b[i + 2] : 0);

		*p++ = base64_digit(a, v >> 18);
		*p++ = base64_digit(a, v >> 12 & 63);
		if (left > 1)
			*p++ = base64_digit(a, v >> 6 & 63);
		else if (a->pad != '\0')
			*p++ = a->pad;
		if (left > 2)
			*p++ = base64_digit(a, v & 63);
		else if (a->pad != '\0')
			*p++ = a->pad;
	}
	return (size_t)(p - out);
}

static size_t
write_hex(const char digit[16], const uint8_t *b, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digit[b[i] >> 4];
		out[2 * i + 1] = digit[b[i] & 15];
	}
	return 2 * len;
}

static size_t
write_url(const char digit[16], const uint8_t *b, size_t len, char *out)
{
	char *p = out;

	for (size_t i = 0; i < len; i++) {
		if (is_unreserved(b[i])) {
			*p++ = (char)b[i];
			continue;
		}
		*p++ = '%';
		*p++ = digit[b[i] >> 4];
		*p++ = digit[b[i] & 15];
	}
	return (size_t)(p - out);
}

size_t
encoding_write(enum encoding e, bool upper, const void *bytes, size_t len,
    char *out)
{
	const char *digit = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	switch (e) {
	case ENCODING_IDENTITY:
		if (len != 0)
			memcpy(out, bytes, len);
		return len;
	case ENCODING_HEX:
		return write_hex(digit, bytes, len, out);
	case ENCODING_URL:
		return write_url(digit, bytes, len, out);
	case ENCODING_BASE64:
	case ENCODING_BASE64URL:
	case ENCODING_BASE64URLNOPAD:
	case ENCODING_BASE64CF:
		break;
	}
	return write_base64(&alphabets[e], bytes, len, out);
}

/* ---- reading ---- */

size_t
encoding_bytes_max(enum encoding e, size_t len)
{
	switch (e) {
	case ENCODING_IDENTITY:
	case ENCODING_URL:
		return len;
	case ENCODING_HEX:
		return len / 2 + len % 2;
	case ENCODING_BASE64:
	case ENCODING_BASE64URL:
	case ENCODING_BASE64URLNOPAD:
	case ENCODING_BASE64CF:
		break;
	}
	return len / 4 * 3 + 3;
}

static bool
read_base64(const struct alphabet *a, struct str text, uint8_t *out,
    size_t *len)
{
	uint8_t *p = out;
	uint32_t bits = 0;
	unsigned n = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		int v = base64_value(a, text.p[i]);

		if (v < 0)
			break;
		bits = bits << 6 | (uint32_t)v;
		if (++n < 4)
			continue;
		*p++ = (uint8_t)(bits >> 16);
		*p++ = (uint8_t)(bits >> 8);
		*p++ = (uint8_t)bits;
		n = 0;
	}
	/* six bits are no byte; padding fills the last group or is absent */
	if (n == 1)
		return false;
	if (i < text.len) {
		if (a->pad == '\0' || n == 0 || text.len - i != 4 - n)
			return false;
		for (; i < text.len; i++)
			if (text.p[i] != a->pad)
				return false;
	}
	if (n == 2) {
		*p++ = (uint8_t)(bits >> 4);
	} else if (n == 3) {
		*p++ = (uint8_t)(bits >> 10);
		*p++ = (uint8_t)(bits >> 2);
	}
	*len = (size_t)(p - out);
	return true;
}

static bool
read_hex(struct str text, uint8_t *out, size_t *len)
{
	size_t odd = text.len % 2;

	*len = text.len / 2 + odd;
	for (size_t i = 0; i < text.len; i++) {
		int v = hex_value(text.p[i]);

		if (v < 0)
			return false;
		if (i == 0 || (i + odd) % 2 == 0)
			out[(i + odd) / 2] = 0;
		out[(i + odd) / 2] =
		    (uint8_t)(out[(i + odd) / 2] << 4 | (unsigned)v);
	}
	return true;
}

static bool
read_url(struct str text, uint8_t *out, size_t *len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.p[i] != '%') {
			*p++ = (uint8_t)text.p[i];
			continue;
		}
		if (text.len - i < 3)
			return false;
		high = hex_value(text.p[++i]);
		low = hex_value(text.p[++i]);
		if (high < 0 || low < 0)
			return false;
		*p++ = (uint8_t)(high << 4 | low);
	}
	*len = (size_t)(p - out);
	return true;
}

bool
encoding_read(enum encoding e, struct str text, void *out, size_t *len)
{
	switch (e) {
	case ENCODING_IDENTITY:
		if (text.len != 0)
			memcpy(out, text.p, text.len);
		*len = text.len;
		return true;
	case ENCODING_HEX:
		return read_hex(text, out, len);
	case ENCODING_URL:
		return read_url(text, out, len);
	case ENCODING_BASE64:
	case ENCODING_BASE64URL:
	case ENCODING_BASE64URLNOPAD:
	case ENCODING_BASE64CF:
		break;
	}
	return read_base64(&alphabets[e], text, out, len);
}
