/*
 * byte_range.c - Range and Content-Range (RFC 9110 14).
 *
 * A Range that can't be read is ignored and the whole representation sent, as
 * RFC 9110 14.2 wants.
 */
#include "byte_range.h"
#include "http_scan.h"

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
take_char(struct str *s, char c)
{
	if (s->len == 0 || *s->p != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

/* A range-spec as it stands; a suffix has its length in last. */
struct spec {
	uint64_t first, last; /* last UINT64_MAX: open */
	bool is_suffix;
};

/* "first-", "first-last", "-suffix" */
static bool
parse_spec(struct str s, struct spec *x)
{
	*x = (struct spec){.last = UINT64_MAX};
	if (take_char(&s, '-')) {
		x->is_suffix = true;
		return take_number(&s, &x->last) && s.len == 0;
	}
	if (!take_number(&s, &x->first) || !take_char(&s, '-'))
		return false;
	return s.len == 0 || (take_number(&s, &x->last) && s.len == 0 &&
	    x->last >= x->first);
}

/* Of a representation that is not empty; false: not satisfiable */
static bool
spec_range(const struct spec *x, uint64_t size, struct byte_range *r)
{
	if (x->is_suffix) {
		r->first = x->last < size ? size - x->last : 0;
		r->last = size - 1;
		return x->last > 0;
	}
	r->first = x->first;
	r->last = x->last < size ? x->last : size - 1;
	return x->first < size;
}

static bool
touches(const struct byte_range *a, const struct byte_range *b, uint64_t near)
{
	const struct byte_range *low = a->first <= b->first ? a : b;
	const struct byte_range *high = low == a ? b : a;

	return high->first <= low->last ||
	    high->first - low->last - 1 <= near;
}

unsigned
range_add(struct byte_range *set, unsigned n, struct byte_range r,
    uint64_t near)
{
	unsigned to = n;

	for (unsigned i = 0; i < n;) {
		if (!touches(&set[i], &r, near)) {
			i++;
			continue;
		}
		if (set[i].first < r.first)
			r.first = set[i].first;
		if (set[i].last > r.last)
			r.last = set[i].last;
		if (i < to)
			to = i;
		/* what it was joined to may touch one before it now */
		for (unsigned k = i + 1; k < n; k++)
			set[k - 1] = set[k];
		n--;
		i = 0;
	}
	if (to > n)
		to = n;
	for (unsigned k = n; k > to; k--)
		set[k] = set[k - 1];
	set[to] = r;
	return n + 1;
}

/*
 * A part's delimiter and head: its own lines are about 80 bytes, Content-Type
 * comes on top.
 */
enum { PART_HEAD = 80 };

/* The list after the unit; false: not bytes */
static bool
take_unit(struct str *value)
{
	if (!str_casestarts(*value, STR("bytes=")))
		return false;
	*value = str_of(value->p + 6, value->len - 6);
	return value->len == 0 || !http_is_space(*value->p);
}

enum range_result
range_parse(struct str value, uint64_t size, struct byte_range *set,
    unsigned max, unsigned *n)
{
	unsigned specs = 0, have = 0;
	struct str item;

	*n = 0;
	if (!take_unit(&value))
		return RANGE_NONE;
	while (str_next_item(&value, &item)) {
		struct byte_range r;
		struct spec x;

		if (!parse_spec(item, &x) || ++specs > max)
			return RANGE_NONE;
		/* the end of an empty representation is all of it */
		if (size == 0 && x.is_suffix && x.last > 0)
			return RANGE_NONE;
		if (size > 0 && spec_range(&x, size, &r))
			have = range_add(set, have, r, PART_HEAD);
	}
	if (specs == 0)
		return RANGE_NONE;
	*n = have;
	return have > 0 ? RANGE_SOME : RANGE_UNSATISFIABLE;
}

bool
range_begin(struct str value, struct byte_range *r)
{
	struct str item;
	struct spec x;

	if (!take_unit(&value) || !str_next_item(&value, &item) ||
	    !parse_spec(item, &x) || x.is_suffix)
		return false;
	*r = (struct byte_range){x.first, x.last};
	return true;
}

bool
content_range_parse(struct str value, struct byte_range *r, uint64_t *size)
{
	value = str_trim(value);
	if (!str_casestarts(value, STR("bytes ")))
		return false;
	value = str_of(value.p + 6, value.len - 6);
	return take_number(&value, &r->first) && take_char(&value, '-') &&
	    take_number(&value, &r->last) && take_char(&value, '/') &&
	    take_number(&value, size) && value.len == 0 &&
	    r->first <= r->last && r->last < *size && *size <= INT64_MAX;
}
