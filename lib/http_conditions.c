/*
 * http_conditions.c - entity tags of a request (RFC 9110 13).
 *
 * An entity tag that is not quoted, as some origins send them, equals itself
 * only.
 */
#include "http_date.h"
#include "http_scan.h"
#include "http_semantics.h"

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

bool
http_last_modified_is_strong(const struct http *h, double now)
{
	double date = http_date_parse(http_get(h, FIELD_DATE), now);
	double at = http_date_parse(http_get(h, FIELD_LAST_MODIFIED), now);

	return at > 0 && date >= at + 1;
}
