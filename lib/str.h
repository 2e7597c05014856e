/*
 * str.h - a slice of bytes: pointer and length, not NUL-terminated.
 *
 * p == NULL is "no string" (in VCL: an unset header), which differs from an
 * empty one.  A slice owns nothing; who made it says how long it lives.
 */
#ifndef COPAL_STR_H
#define COPAL_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef COPAL_VCL_ABI_H /* which has to stand alone, and has it too */
struct str {
	const char *p;
	size_t len;
};
#endif

#define STR(literal)    ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NULL        ((struct str){NULL, 0})
/* for printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s)      (int)(s).len, (s).p ? (s).p : ""

static inline struct str
str_of(const char *p, size_t len)
{
	return (struct str){p, len};
}

/* p may be NULL */
static inline struct str
str_from_z(const char *p)
{
	return (struct str){p, p ? strlen(p) : 0};
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.p, b.p, a.len));
}

/* ASCII case folding only, as HTTP's tokens want it (RFC 9110 5.1) */
bool str_caseeq(struct str a, struct str b);
int str_casecmp(struct str a, struct str b);
/* memcmp order, shorter first on a tie */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_casestarts(struct str s, struct str prefix);
/* without leading and trailing SP and HTAB */
struct str str_trim(struct str s);
/*
 * A copy of s at *mem, which has room for it and then is behind it; of none
 * (p NULL): none.
 */
struct str str_copy(char **mem, struct str s);
/*
 * Takes the next element of a comma-separated list (RFC 9110 5.6.1) off
 * *list into *item, trimmed, empty ones skipped, commas inside quoted
 * strings kept.  false at the end.
 */
bool str_next_item(struct str *list, struct str *item);
/* Is token in the comma-separated list, without regard to case? */
bool str_list_has(struct str list, struct str token);
/* Bytes of the UTF-8 character that s starts with (RFC 3629); 0: none. */
size_t str_utf8_len(struct str s);
/* Decimal digits only, whole slice; false on anything else or overflow. */
bool str_to_u64(struct str s, uint64_t *out);

#endif
