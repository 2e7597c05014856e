/*
 * querysort.c - the parameters of a URL's query, in order.
 *
 * The order is Varnish's, for that is what the origin and the key of the
 * cache see: bytes are compared as signed ones, parameters as far as the
 * shorter of them goes, and those that are equal so far stay as they came.
 * "a", "ab" and "aa" have no one order then, so how they are merged matters.
 */
#include "vrt.h"

static int
param_cmp(struct str a, struct str b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++)
		if (a.p[i] != b.p[i])
			return (signed char)a.p[i] - (signed char)b.p[i];
	return 0;
}

static void
merge_sort(struct str *list, struct str *tmp, unsigned n)
{
	unsigned half = n / 2, a = 0, b = half, i;

	if (n < 2)
		return;
	merge_sort(list, tmp, half);
	merge_sort(list + half, tmp, n - half);
	for (i = 0; a < half && b < n; i++)
		tmp[i] = list[param_cmp(list[a], list[b]) <= 0 ? a++ : b++];
	memcpy(tmp + i, list + a, (half - a) * sizeof *list);
	memcpy(list, tmp, b * sizeof *list);
}

/* Takes the next one off *query, with any number of '&'; false: no more. */
static bool
next_param(struct str *query, struct str *param)
{
	const char *end, *amp;

	if (query->p == NULL)
		return false;
	end = query->p + query->len;
	*param = *query;
	amp = memchr(query->p, '&', query->len);
	*query = STR_NULL;
	if (amp == NULL)
		return true;
	param->len = (size_t)(amp - param->p);
	while (amp < end && *amp == '&')
		amp++;
	*query = str_of(amp, (size_t)(end - amp));
	return true;
}

struct str
querysort(struct arena *a, struct str url)
{
	const char *mark = url.len != 0 ? memchr(url.p, '?', url.len) : NULL;
	struct str query, rest, param, *list;
	arena_mark before;
	unsigned n = 0;
	char *to, *p, *first;

	if (mark == NULL ||
	    memchr(mark, '&', url.p + url.len - mark) == NULL)
		return url;
	query = str_of(mark + 1, url.p + url.len - (mark + 1));
	p = to = arena_bytes(a, url.len);
	before = arena_snapshot(a);
	for (rest = query; next_param(&rest, &param);)
		n++;
	list = arena_alloc(a, 2 * n * sizeof *list);
	if (p == NULL || list == NULL)
		return STR_NULL;
	n = 0;
	for (rest = query; next_param(&rest, &param);)
		list[n++] = param;
	merge_sort(list, list + n, n);
	memcpy(p, url.p, mark + 1 - url.p);
	first = p += mark + 1 - url.p;
	for (unsigned i = 0; i < n; i++) {
		if (list[i].len == 0)
			continue;
		if (p != first)
			*p++ = '&';
		memcpy(p, list[i].p, list[i].len);
		p += list[i].len;
	}
	arena_rollback(a, before);
	return str_of(to, p - to);
}
