/*
 * vary.c - Vary: the spec of a variant and its test.
 *
 * Values are compared after joining a field's lines and dropping white space
 * at commas (RFC 9111 4.1).  Case and order are kept, because only the field's
 * definition could say that they do not matter: that of Accept and its like
 * does.
 */
#include <string.h>
#include <xxhash.h>

#include "params.h"
#include "vary.h"

enum {
	VARY_ABSENT = -1,
	VARY_JOINED_MAX = 8192, /* longest value of several lines compared */
};

static void
put16(char **p, uint16_t v)
{
	memcpy(*p, &v, 2);
	*p += 2;
}

static void
put32(char **p, uint32_t v)
{
	memcpy(*p, &v, 4);
	*p += 4;
}

/* Where a value is put together; full: it is too long to be compared. */
struct canon {
	char *p;
	size_t len;
	bool full;
};

static void
canon_put(struct canon *c, const char *p, size_t len)
{
	if (c->len + len > VARY_JOINED_MAX) {
		c->full = true;
		return;
	}
	memcpy(c->p + c->len, p, len);
	c->len += len;
}

/* White space next to a comma says nothing (RFC 9111 4.1, RFC 9110 5.6.1). */
static void
put_list(struct canon *c, struct str v)
{
	bool quoted = false;

	for (size_t i = 0; i < v.len; i++) {
		size_t from = i;

		if (v.p[i] == '"')
			quoted = !quoted;
		if (quoted && v.p[i] == '\\' && i + 1 < v.len)
			i++;
		if (!quoted && v.p[i] == ',') {
			while (c->len > 0 && (c->p[c->len - 1] == ' ' ||
			    c->p[c->len - 1] == '\t'))
				c->len--;
			while (i + 1 < v.len &&
			    (v.p[i + 1] == ' ' || v.p[i + 1] == '\t'))
				i++;
			canon_put(c, ",", 1);
			continue;
		}
		canon_put(c, v.p + from, i + 1 - from);
	}
}

/* A weight without what says nothing: "1.000" is no weight, "0.50" is 0.5. */
static void
put_weight(struct canon *c, struct str w)
{
	if (memchr(w.p, '.', w.len) != NULL) {
		while (w.len > 0 && w.p[w.len - 1] == '0')
			w.len--;
		if (w.len > 0 && w.p[w.len - 1] == '.')
			w.len--;
	}
	if (str_eq(w, STR("1")))
		return;
	canon_put(c, ";q=", 3);
	canon_put(c, w.p, w.len);
}

/*
 * A member of Accept and its like: names of languages, codings and media
 * types have no case (RFC 9110 8.3.1, 8.4.1, 8.5.1).  One with a quoted
 * string in it is left as it is.
 */
static void
put_member(struct canon *c, struct str item)
{
	bool first = true;

	if (memchr(item.p, '"', item.len) != NULL) {
		canon_put(c, item.p, item.len);
		return;
	}
	while (item.len > 0) {
		const char *semi = memchr(item.p, ';', item.len);
		size_t n = semi != NULL ? (size_t)(semi - item.p) : item.len;
		struct str part = str_trim(str_of(item.p, n));
		size_t from = c->len;

		if (!first && str_casestarts(part, STR("q="))) {
			put_weight(c, str_of(part.p + 2, part.len - 2));
		} else {
			if (!first)
				canon_put(c, ";", 1);
			canon_put(c, part.p, part.len);
			for (size_t k = from; k < c->len; k++)
				if (c->p[k] >= 'A' && c->p[k] <= 'Z')
					c->p[k] = (char)(c->p[k] | 0x20);
		}
		first = false;
		n += semi != NULL;
		item = str_of(item.p + n, item.len - n);
	}
}

enum { MEMBERS_MAX = 64 }; /* browsers send a dozen; more stay in order */

/* Members of a list, in an order that is the same for the same members. */
static void
put_sorted(struct canon *c, struct str *member, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct str m = member[i];
		unsigned k = i;

		for (; k > 0 && str_cmp(member[k - 1], m) > 0; k--)
			member[k] = member[k - 1];
		member[k] = m;
	}
	for (unsigned i = 0; i < n; i++) {
		if (i > 0 && str_eq(member[i], member[i - 1]))
			continue;
		if (c->len > 0)
			canon_put(c, ",", 1);
		canon_put(c, member[i].p, member[i].len);
	}
}

/* Accept, Accept-Language, Accept-Encoding: what is offered, by weight. */
static void
put_offers(struct canon *c, const struct http *h, const struct field_name *name)
{
	char buf[VARY_JOINED_MAX];
	struct canon all = {.p = buf};
	struct str member[MEMBERS_MAX];
	unsigned n = 0;

	for (int i = http_find(h, name, 0); i >= 0;
	    i = http_find(h, name, (unsigned)i + 1)) {
		struct str list = str_of(h->field[i].value,
		    h->field[i].value_len), item;

		while (str_next_item(&list, &item)) {
			size_t from = all.len;

			put_member(&all, item);
			if (n == MEMBERS_MAX || all.full) {
				c->full = true;
				return;
			}
			member[n++] = str_of(buf + from, all.len - from);
		}
	}
	if (params->vary_unordered) {
		put_sorted(c, member, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			canon_put(c, ",", 1);
		canon_put(c, member[i].p, member[i].len);
	}
}

static bool
is_offer(enum field_id id)
{
	return id == FIELD_ACCEPT || id == FIELD_ACCEPT_LANGUAGE ||
	    id == FIELD_ACCEPT_ENCODING;
}

/*
 * The value of all lines of a field, in the form that is compared; in buf, if
 * it is not that of the one line.  VARY_ABSENT if there is none; 1: it is too
 * long and never matches.
 */
static int
field_value(const struct http *h, const struct field_name *name, char *buf,
    struct str *out)
{
	struct canon c = {.p = buf};
	int i = http_find(h, name, 0), next;

	if (i < 0)
		return VARY_ABSENT;
	*out = str_trim(str_of(h->field[i].value, h->field[i].value_len));
	if (is_offer(name->id)) {
		put_offers(&c, h, name);
		*out = str_of(buf, c.len);
		return c.full;
	}
	next = http_find(h, name, (unsigned)i + 1);
	if (next < 0 && memchr(out->p, ',', out->len) == NULL)
		return 0;
	for (; i >= 0; i = http_find(h, name, (unsigned)i + 1)) {
		if (c.len > 0)
			canon_put(&c, ",", 1);
		put_list(&c, str_trim(str_of(h->field[i].value,
		    h->field[i].value_len)));
	}
	*out = str_of(buf, c.len);
	return c.full;
}

enum vary_result
vary_make(const struct http *response, const struct http *request,
    struct arena *a, struct str *spec)
{
	char joined[VARY_JOINED_MAX], *start, *p;
	struct str list, item;
	size_t room;

	*spec = STR_NULL;
	if (http_get(response, FIELD_VARY).p == NULL)
		return VARY_NONE;
	list = http_get_list(response, FIELD_VARY, a);
	if (list.p == NULL)
		return VARY_BAD;
	start = p = arena_reserve(a, &room);
	if (start == NULL)
		return VARY_BAD;
	while (str_next_item(&list, &item)) {
		struct field_name name = {item, field_id(item)};
		struct str value;
		int got;

		if (str_eq(item, STR("*"))) {
			arena_commit(a, 0);
			return VARY_ALL;
		}
		if (name.id == FIELD_ACCEPT_ENCODING &&
		    params->http_gzip_support)
			continue;
		got = http_is_token(item) ?
		    field_value(request, &name, joined, &value) : 1;
		if (got == VARY_ABSENT)
			value = STR_NULL;
		if (got == 1 ||
		    (size_t)(p - start) + 6 + item.len + value.len > room) {
			arena_commit(a, 0);
			return VARY_BAD;
		}
		put16(&p, (uint16_t)item.len);
		memcpy(p, item.p, item.len);
		p += item.len;
		put32(&p, got == VARY_ABSENT ? UINT32_MAX :
		    (uint32_t)value.len);
		if (value.len > 0)
			memcpy(p, value.p, value.len);
		p += value.len;
	}
	arena_commit(a, (size_t)(p - start));
	*spec = str_of(start, (size_t)(p - start));
	return spec->len > 0 ? VARY_SPEC : VARY_NONE;
}

bool
vary_next(struct str *spec, struct str *name, struct str *value)
{
	const char *p = spec->p, *end = p + spec->len;
	uint16_t name_len;
	uint32_t value_len;

	if (spec->len < 2)
		return false;
	memcpy(&name_len, p, 2);
	p += 2;
	if ((size_t)(end - p) < (size_t)name_len + 4)
		return false;
	*name = str_of(p, name_len);
	p += name_len;
	memcpy(&value_len, p, 4);
	p += 4;
	*value = STR_NULL;
	if (value_len != UINT32_MAX) {
		if ((size_t)(end - p) < value_len)
			return false;
		*value = str_of(p, value_len);
		p += value_len;
	}
	*spec = str_of(p, (size_t)(end - p));
	return true;
}

bool
vary_matches(struct str spec, const struct http *request)
{
	char joined[VARY_JOINED_MAX];

	while (spec.len > 0) {
		struct field_name name;
		struct str wanted, value;
		int got;

		if (!vary_next(&spec, &name.name, &wanted))
			return false;
		name.id = field_id(name.name);
		got = field_value(request, &name, joined, &value);
		if (wanted.p == NULL ? got != VARY_ABSENT :
		    got != 0 || !str_eq(value, wanted))
			return false;
	}
	return true;
}

uint64_t
vary_hash(struct str spec, const struct http *request)
{
	char joined[VARY_JOINED_MAX];
	uint64_t hash = 1;

	if (spec.len == 0)
		return 0;
	while (spec.len > 0) {
		struct field_name name;
		struct str theirs, value = STR("");
		int got;

		if (!vary_next(&spec, &name.name, &theirs))
			return 0;
		name.id = field_id(name.name);
		got = field_value(request, &name, joined, &value);
		if (got == 1)
			return 0;
		hash = XXH3_64bits_withSeed(name.name.p, name.name.len,
		    hash + (got == VARY_ABSENT));
		if (got == 0)
			hash = XXH3_64bits_withSeed(value.p, value.len, hash);
	}
	return hash | 1;
}
