/*
 * querysort.c - the parameters of a URL's query, in order.
 */
#include <stdlib.h>

#include "vrt.h"

static int
param_cmp(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Takes the next one up to '&' off *query; false at the end. */
static bool
next_param(struct str *query, struct str *param)
{
	while (query->len != 0) {
		const char *amp = memchr(query->p, '&', query->len);
		size_t len = amp != NULL ? (size_t)(amp - query->p)
					 : query->len;

		*param = str_of(query->p, len);
		if (amp != NULL)
			len++;
		query->p += len;
		query->len -= len;
		if (param->len != 0)
			return true;
	}
	return false;
}

struct str
querysort(struct arena *a, struct str url)
{
	const char *mark = url.len != 0 ? memchr(url.p, '?', url.len) : NULL;
	struct str query, rest, param, *list;
	arena_mark before;
	unsigned n = 0;
	char *to, *p;

	if (mark == NULL ||
	    memchr(mark, '&', url.p + url.len - mark) == NULL)
		return url;
	query = str_of(mark + 1, url.p + url.len - (mark + 1));
	p = to = arena_bytes(a, url.len);
	before = arena_snapshot(a);
	for (rest = query; next_param(&rest, &param);)
		n++;
	list = arena_alloc(a, (n + 1) * sizeof *list);
	if (p == NULL || list == NULL)
		return STR_NULL;
	n = 0;
	for (rest = query; next_param(&rest, &param);)
		list[n++] = param;
	if (n > 1)
		qsort(list, n, sizeof *list, param_cmp);
	memcpy(p, url.p, mark + 1 - url.p);
	p += mark + 1 - url.p;
	for (unsigned i = 0; i < n; i++) {
		if (i != 0)
			*p++ = '&';
		memcpy(p, list[i].p, list[i].len);
		p += list[i].len;
	}
	arena_rollback(a, before);
	return str_of(to, p - to);
}
