/*
 * shell_pattern.c - shell patterns.
 *
 * When a byte does not match, the last '*' takes one byte more; those before
 * it need not be tried again, since what they were followed by was found at
 * its first place.  Sets in brackets are fnmatch(3)'s.
 */
#include <fnmatch.h>

#include "shell_pattern.h"

enum { SET_MAX = 256 }; /* bytes of a set in brackets */

/* "[:alpha:]", "[=a=]", "[.a.]" within a set: its length, 0 if it is none. */
static size_t
class_len(struct str p)
{
	size_t i = 2;

	if (p.len < 4 || memchr(":.=", p.p[1], 3) == NULL)
		return 0;
	if (p.p[1] == ':')
		while (i < p.len && p.p[i] >= 'a' && p.p[i] <= 'z')
			i++;
	else
		i = 3;
	return i + 1 < p.len && p.p[i] == p.p[1] && p.p[i + 1] == ']' ? i + 2
								      : 0;
}

/* The length of "[...]" that p begins with; 0: it is not one, but a '['. */
static size_t
set_len(struct str p)
{
	size_t i = 1, len;

	if (i < p.len && (p.p[i] == '!' || p.p[i] == '^'))
		i++;
	if (i < p.len && p.p[i] == ']')
		i++;
	for (; i < p.len && i < SET_MAX; i++) {
		if (p.p[i] == ']')
			return i + 1;
		if (p.p[i] == '\\') {
			i++;
		} else if (p.p[i] == '[') {
			len = class_len(str_of(p.p + i, p.len - i));
			i += len != 0 ? len - 1 : 0;
		}
	}
	return 0;
}

static bool
set_has(const char *set, size_t len, char c)
{
	char pattern[SET_MAX + 1], s[2] = {c, '\0'};

	memcpy(pattern, set, len);
	pattern[len] = '\0';
	return fnmatch(pattern, s, 0) == 0;
}

/* Matches c with what p begins with, no '*': how much of p, 0 for no match. */
static size_t
match_byte(struct str p, char c)
{
	size_t len;

	switch (p.p[0]) {
	case '?':
		return 1;
	case '\\':
		if (p.len > 1)
			return p.p[1] == c ? 2 : 0;
		return 0; /* of nothing: fnmatch(3) finds no match either */
	case '[':
		len = set_len(p);
		if (len != 0)
			return set_has(p.p, len, c) ? len : 0;
		return c == '[';
	default:
		return p.p[0] == c;
	}
}

bool
shell_pattern_match(struct str pattern, struct str s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, from = 0, len;

	while (i < s.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = ++p;
			from = i;
			continue;
		}
		len = p < pattern.len ? match_byte(str_of(pattern.p + p,
		    pattern.len - p), s.p[i]) : 0;
		if (len != 0) {
			p += len;
			i++;
		} else if (star != SIZE_MAX) {
			p = star;
			i = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}
