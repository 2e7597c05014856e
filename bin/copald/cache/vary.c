/*
 * vary.c - Vary: the spec of a variant and its test.
 *
 * Values are compared after joining a field's lines with ", " and trimming
 * (RFC 9111 4.1); case is kept, because only the field's definition could
 * say that it does not matter.
 */
#include <string.h>

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

/*
 * The value of all lines of a field, joined into buf if there are several.
 * VARY_ABSENT if there is none; a value too long to join never matches.
 */
static int
field_value(const struct http *h, const struct field_name *name, char *buf,
    struct str *out)
{
	int i = http_find(h, name, 0);
	size_t used = 0;

	if (i < 0)
		return VARY_ABSENT;
	*out = str_trim(str_of(h->field[i].value, h->field[i].value_len));
	if (http_find(h, name, (unsigned)i + 1) < 0)
		return 0;
	for (; i >= 0; i = http_find(h, name, (unsigned)i + 1)) {
		struct str v = str_trim(
		    str_of(h->field[i].value, h->field[i].value_len));

		if (used + v.len + 2 > VARY_JOINED_MAX)
			return 1;
		if (used > 0) {
			memcpy(buf + used, ", ", 2);
			used += 2;
		}
		memcpy(buf + used, v.p, v.len);
		used += v.len;
	}
	*out = str_of(buf, used);
	return 0;
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
vary_matches(struct str spec, const struct http *request)
{
	const char *p = spec.p, *end = p + spec.len;
	char joined[VARY_JOINED_MAX];

	while (p < end) {
		struct field_name name;
		struct str value;
		uint16_t name_len;
		uint32_t value_len;
		int got;

		if (end - p < 2)
			return false;
		memcpy(&name_len, p, 2);
		p += 2;
		if ((size_t)(end - p) < (size_t)name_len + 4)
			return false;
		name.name = str_of(p, name_len);
		name.id = field_id(name.name);
		p += name_len;
		memcpy(&value_len, p, 4);
		p += 4;
		got = field_value(request, &name, joined, &value);
		if (value_len == UINT32_MAX) {
			if (got != VARY_ABSENT)
				return false;
			continue;
		}
		if ((size_t)(end - p) < value_len || got != 0 ||
		    !str_eq(value, str_of(p, value_len)))
			return false;
		p += value_len;
	}
	return true;
}
