/*
 * http_conditions.c - ranges and entity tags of a request (RFC 9110 13, 14).
 *
 * A Range that can't be read is ignored and the whole representation sent, as
 * RFC 9110 14.2 wants; an entity tag that is not quoted, as some origins send
 * them, equals itself only.
 */
#include "http_scan.h"
#include "http_semantics.h"

/* Takes digits off *s; too many for 64 bits are UINT64_MAX. false: none */
static bool
take_number(struct str *s, uint64_t *n)
{
	size_t i;

	*n = 0;
	for (i = 0; i < s->len && http_char_is(s->p[i], HTTP_CHAR_DIGIT); i++) {
		if (__builtin_mul_overflow(*n, 10, n) ||
		    __builtin_add_overflow(*n, s->p[i] - '0', n))
			*n = UINT64_MAX;
	}
	s->p += i;
	s->len -= i;
	return i > 0;
}

static bool
take_dash(struct str *s)
{
	if (s->len == 0 || *s->p != '-')
		return false;
	s->p++;
	s->len--;
	return true;
}

enum spec {
	SPEC_BAD,
	SPEC_OK,
	SPEC_UNSATISFIABLE,
	SPEC_WHOLE, /* the end of an empty representation is all of it */
};

/* "first-", "first-last", "-suffix" */
static enum spec
parse_spec(struct str s, uint64_t size, uint64_t *first, uint64_t *last)
{
	uint64_t from, to = UINT64_MAX;

	if (take_dash(&s)) {
		if (!take_number(&s, &to) || s.len > 0)
			return SPEC_BAD;
		if (to == 0)
			return SPEC_UNSATISFIABLE;
		if (size == 0)
			return SPEC_WHOLE;
		*first = to < size ? size - to : 0;
		*last = size - 1;
		return SPEC_OK;
	}
	if (!take_number(&s, &from) || !take_dash(&s))
		return SPEC_BAD;
	if (s.len > 0 && (!take_number(&s, &to) || s.len > 0 || to < from))
		return SPEC_BAD;
	if (from >= size)
		return SPEC_UNSATISFIABLE;
	*first = from;
	*last = to < size ? to : size - 1;
	return SPEC_OK;
}

enum range_result
range_parse(struct str value, uint64_t size, uint64_t *first, uint64_t *last)
{
	unsigned n = 0, satisfiable = 0;
	bool whole = false;
	uint64_t from = 0, to = 0;
	struct str item;

	if (!str_casestarts(value, STR("bytes=")))
		return RANGE_NONE;
	value = str_of(value.p + 6, value.len - 6);
	if (value.len > 0 && http_is_space(*value.p))
		return RANGE_NONE;
	while (str_next_item(&value, &item)) {
		n++;
		switch (parse_spec(item, size, &from, &to)) {
		case SPEC_BAD:
			return RANGE_NONE;
		case SPEC_OK:
			satisfiable++;
			break;
		case SPEC_UNSATISFIABLE:
			break;
		case SPEC_WHOLE:
			whole = true;
			break;
		}
	}
	if (n == 0 || whole)
		return RANGE_NONE;
	if (satisfiable == 0)
		return RANGE_UNSATISFIABLE;
	if (n > 1)
		return RANGE_MANY;
	*first = from;
	*last = to;
	return RANGE_ONE;
}

/* Drops W/; was it there? */
static bool
take_weakness(struct str *etag)
{
	if (!str_starts(*etag, STR("W/")))
		return false;
	etag->p += 2;
	etag->len -= 2;
	return true;
}

/*
 * Takes one entity tag off the list.  Not str_next_item(): in an entity tag a
 * backslash is an ordinary byte (RFC 9110 8.8.3), and so is a comma.
 */
static bool
next_etag(struct str *list, struct str *etag)
{
	const char *p = list->p, *end = p + list->len, *begin, *close;

	while (p < end && (http_is_space(*p) || *p == ','))
		p++;
	if (p == end)
		return false;
	begin = p;
	if (end - p > 2 && p[0] == 'W' && p[1] == '/' && p[2] == '"')
		p += 2;
	if (*p == '"') {
		close = memchr(p + 1, '"', end - p - 1);
		p = close ? close + 1 : end;
	}
	/* to the comma, whatever stands there: "a"b is not "a" */
	while (p < end && *p != ',')
		p++;
	*etag = str_trim(str_of(begin, p - begin));
	*list = str_of(p, end - p);
	return true;
}

bool
etag_list_has(struct str list, struct str etag, bool weak)
{
	struct str item;

	if (!list.p)
		return false;
	if (str_eq(str_trim(list), STR("*")))
		return true;
	if (!etag.p || etag.len == 0)
		return false;
	if (take_weakness(&etag) && !weak)
		return false;
	while (next_etag(&list, &item)) {
		if (take_weakness(&item) && !weak)
			continue;
		if (str_eq(item, etag))
			return true;
	}
	return false;
}
