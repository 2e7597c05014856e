/*
 * http1_chunked.c - the chunked transfer coding (RFC 9112 7.1).
 *
 *      SIZE --CR--> SIZE_LF --> DATA --> DATA_CR --> DATA_LF --> SIZE
 *       ;|             |0
 *      EXT...--CR-->   +--> LINE --CR--> END_LF --> END
 *                           |  ^
 *                          NAME : VALUE CR --> LINE_LF
 *
 * Body bytes pass through untouched.  Everything else is looked at byte by
 * byte, since it is a few bytes in each chunk.  The extensions follow the
 * grammar (7.1.1) without its optional white space, which only exists to be
 * refused by some and skipped by others:
 *      *( ";" token [ "=" ( token / quoted-string ) ] )
 */
#include "http1.h"
#include "http_scan.h"

enum state {
	SIZE = 0,       /* hexadecimal digits */
	EXT,            /* after ';': the name begins */
	EXT_NAME,
	EXT_EQUALS,     /* after '=': the value begins */
	EXT_TOKEN,
	EXT_QUOTED,
	EXT_ESCAPED,    /* after '\' in a quoted string */
	EXT_END,        /* after a quoted string */
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	LINE,           /* a trailer line begins, or the last CRLF */
	NAME,
	VALUE,
	LINE_LF,
	END_LF,
	END,
	BAD,
};

/* 2^63-1 has 16 of them; more are zeros that only disguise the size. */
enum { DIGITS_MAX = 16 };

static enum state
take_size(struct h1_chunked *c, char byte)
{
	if (http_char_is(byte, HTTP_CHAR_HEX)) {
		if (c->digits++ == DIGITS_MAX || c->left >> 59)
			return BAD;
		c->left = c->left << 4 | http_hex(byte);
		return SIZE;
	}
	if (c->digits == 0)
		return BAD;
	return byte == '\r' ? SIZE_LF : byte == ';' ? EXT : BAD;
}

/* After a whole extension */
static enum state
end_extension(char byte)
{
	return byte == '\r' ? SIZE_LF : byte == ';' ? EXT : BAD;
}

/* The next state after byte in the framing; never called for DATA. */
static enum state
step(struct h1_chunked *c, char byte)
{
	bool token = http_char_is(byte, HTTP_CHAR_TOKEN);

	switch ((enum state)c->state) {
	case SIZE:
		return take_size(c, byte);
	case EXT:
		return token ? EXT_NAME : BAD;
	case EXT_NAME:
		if (token)
			return EXT_NAME;
		return byte == '=' ? EXT_EQUALS : end_extension(byte);
	case EXT_EQUALS:
		return token ? EXT_TOKEN : byte == '"' ? EXT_QUOTED : BAD;
	case EXT_TOKEN:
		return token ? EXT_TOKEN : end_extension(byte);
	case EXT_QUOTED:
		if (!http_char_is(byte, HTTP_CHAR_VALUE))
			return BAD;
		return byte == '"' ? EXT_END
		    : byte == '\\' ? EXT_ESCAPED
				   : EXT_QUOTED;
	case EXT_ESCAPED:
		return http_char_is(byte, HTTP_CHAR_VALUE) ? EXT_QUOTED : BAD;
	case EXT_END:
		return end_extension(byte);
	case SIZE_LF:
		if (byte != '\n')
			return BAD;
		return c->left > 0 ? DATA : LINE;
	case DATA_CR:
		return byte == '\r' ? DATA_LF : BAD;
	case DATA_LF:
		c->digits = 0;
		c->line_len = 0;
		return byte == '\n' ? SIZE : BAD;
	case LINE:
		return byte == '\r' ? END_LF : token ? NAME : BAD;
	case NAME:
		return byte == ':' ? VALUE : token ? NAME : BAD;
	case VALUE:
		if (http_char_is(byte, HTTP_CHAR_VALUE))
			return VALUE;
		return byte == '\r' ? LINE_LF : BAD;
	case LINE_LF:
		return byte == '\n' ? LINE : BAD;
	case END_LF:
		return byte == '\n' ? END : BAD;
	case DATA:
	case END:
	case BAD:
		break;
	}
	return BAD;
}

/* Counts a byte that is not body: is it still within the limits? */
static bool
within_limits(struct h1_chunked *c, char byte)
{
	if (c->state <= SIZE_LF)
		return ++c->line_len <= H1_CHUNK_LINE_MAX + sizeof("\r\n") - 1;
	if (c->state >= LINE) {
		if (c->trailer_len < c->trailer_cap)
			c->trailer[c->trailer_len] = byte;
		return ++c->trailer_len <= H1_TRAILER_MAX;
	}
	return true;
}

enum h1_chunk_result
h1_chunked_next(struct h1_chunked *c, const char *in, size_t len,
    size_t *used, struct str *data)
{
	size_t i = 0;

	*data = str_of(in, 0);
	for (; i < len && c->state != DATA; i++) {
		if (c->state == END)
			break;
		c->state = within_limits(c, in[i]) ? step(c, in[i]) : BAD;
		if (c->state == BAD) {
			*used = i;
			return H1_CHUNK_BAD;
		}
	}
	*used = i;
	if (c->state == END)
		return H1_CHUNK_END;
	if (i == len)
		return H1_CHUNK_MORE;
	data->p = in + i;
	data->len = len - i < c->left ? len - i : c->left;
	c->left -= data->len;
	if (c->left == 0)
		c->state = DATA_CR;
	*used = i + data->len;
	return H1_CHUNK_DATA;
}

unsigned
h1_chunk_begin(char to[H1_CHUNK_HEAD_MAX], uint64_t len)
{
	unsigned digits = 1, n;

	while (digits < DIGITS_MAX && len >> (4 * digits))
		digits++;
	for (n = 0; n < digits; n++)
		to[n] = "0123456789abcdef"[len >> (4 * (digits - 1 - n)) & 15];
	to[n++] = '\r';
	to[n++] = '\n';
	return n;
}
