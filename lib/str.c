/*
 * str.c - comparing and taking apart slices of bytes.
 *
 * Case folding is ASCII's and nothing else: no locale, because header names
 * and tokens are octets (RFC 9110 5.1, 5.6.2).
 */
#include "str.h"

static inline unsigned char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32)
				    : (unsigned char)c;
}

bool
str_caseeq(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (a.p[i] != b.p[i] && fold(a.p[i]) != fold(b.p[i]))
			return false;
	return true;
}

int
str_casecmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < n; i++) {
		int d = fold(a.p[i]) - fold(b.p[i]);
		if (d != 0)
			return d;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (d != 0)
		return d;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_of(s.p, prefix.len), prefix);
}

bool
str_casestarts(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	    str_caseeq(str_of(s.p, prefix.len), prefix);
}

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str
str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct str
str_copy(char **mem, struct str s)
{
	struct str c = str_of(*mem, s.len);

	if (s.p == NULL)
		return STR_NULL;
	if (s.len > 0)
		memcpy(*mem, s.p, s.len);
	*mem += s.len;
	return c;
}

/*
 * The length of the element at the front of list.  A comma inside a quoted
 * string (RFC 9110 5.6.4) does not end it; a string that is never closed
 * runs to the end of the list.
 */
static size_t
item_len(struct str list)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < list.len; i++) {
		char c = list.p[i];
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted && i + 1 < list.len)
			i++;
		else if (c == ',' && !quoted)
			break;
	}
	return i;
}

bool
str_next_item(struct str *list, struct str *item)
{
	while (list->len > 0) {
		size_t n = item_len(*list);
		size_t skip = n < list->len ? n + 1 : n;

		*item = str_trim(str_of(list->p, n));
		list->p += skip;
		list->len -= skip;
		if (item->len > 0)
			return true;
	}
	return false;
}

bool
str_list_has(struct str list, struct str token)
{
	struct str item;

	while (str_next_item(&list, &item))
		if (str_caseeq(item, token))
			return true;
	return false;
}

bool
str_to_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned d = (unsigned char)s.p[i] - (unsigned)'0';
		if (d > 9 || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = v;
	return true;
}

size_t
str_utf8_len(struct str s)
{
	const unsigned char *u = (const unsigned char *)s.p;
	size_t n;

	if (s.len == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	n = u[0] >= 0xc2 && u[0] <= 0xdf   ? 2
	    : u[0] >= 0xe0 && u[0] <= 0xef ? 3
	    : u[0] >= 0xf0 && u[0] <= 0xf4 ? 4
					   : 0;
	if (n == 0 || s.len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}
