/*
 * encoding.h - bytes as text and back: base64 in its alphabets (RFC 4648),
 * hex, percent-encoding (RFC 3986 2.1).
 */
#ifndef COPAL_ENCODING_H
#define COPAL_ENCODING_H

#include "str.h"

enum encoding {
	ENCODING_IDENTITY,       /* the bytes themselves */
	ENCODING_BASE64,
	ENCODING_BASE64URL,      /* '-' and '_' for '+' and '/' */
	ENCODING_BASE64URLNOPAD, /* the same without padding */
	ENCODING_BASE64CF,       /* '-' and '~'; padded with '_' */
	ENCODING_HEX,
	ENCODING_URL,            /* all but unreserved characters as %xx */
};
enum { ENCODING_N = ENCODING_URL + 1 };

/* The longest text that len bytes become. */
size_t encoding_text_max(enum encoding, size_t len);
/*
 * Writes the text of len bytes to out, which has encoding_text_max() of room;
 * no NUL behind it.  upper: hex digits in upper case.  The text's length.
 */
size_t encoding_write(enum encoding, bool upper, const void *bytes, size_t len,
    char *out);

/* The most bytes that a text of len may stand for. */
size_t encoding_bytes_max(enum encoding, size_t len);
/*
 * Writes what text stands for to out, which has encoding_bytes_max() of room,
 * and how much that is to *len.  false: it is not of that encoding.  Hex
 * digits may be of either case; an odd number of them begins with half a
 * byte.  Padding may be left out.
 */
bool encoding_read(enum encoding, struct str text, void *out, size_t *len);

#endif
