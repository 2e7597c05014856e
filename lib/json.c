/*
 * json.c - text as a JSON string.
 */
#include <stdio.h>

#include "json.h"

static const char *
short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

struct str
json_next(struct str *s, char buf[JSON_CHAR_MAX + 1])
{
	unsigned char c = (unsigned char)*s->p;
	size_t n = str_utf8_len(*s);
	struct str out = str_of(s->p, n != 0 ? n : 1);
	const char *escape = short_escape(c);

	s->p += out.len;
	s->len -= out.len;
	if (escape != NULL)
		return str_from_z(escape);
	if (n != 0 && c >= 0x20 && c != 0x7f)
		return out;
	return str_of(buf, (size_t)snprintf(buf, JSON_CHAR_MAX + 1,
	    "\\u%04x", c));
}
