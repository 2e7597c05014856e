/*
 * fuzz_vary.c - Vary and No-Vary-Search: what variant a request makes, and
 * which requests match it.
 *
 * Input: lines of the response, an empty line, those of one request, an empty
 * line, those of another; without a colon they are left out.  The first byte
 * chooses parameters.  All of it is taken for a spec, too, and what follows
 * the first line for a target.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "params.h"
#include "search_variance.h"
#include "vary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEM = 262144, FIELDS = 16 };

static struct arena a;

static struct str
next_line(struct str *in)
{
	const char *end = memchr(in->p, '\n', in->len);
	struct str line = str_of(in->p, end != NULL ?
	    (size_t)(end - in->p) : in->len);

	*in = str_of(in->p + line.len + (end != NULL),
	    in->len - line.len - (end != NULL));
	return line;
}

static void
take_head(struct http *h, struct str *in)
{
	struct str line;

	if (!http_init(h, &a, FIELDS))
		abort();
	while (in->len > 0 && (line = next_line(in)).len > 0) {
		const char *colon = memchr(line.p, ':', line.len);
		struct str name, value;
		struct field_name n;

		if (colon == NULL || colon == line.p)
			continue;
		name = str_of(line.p, (size_t)(colon - line.p));
		value = str_trim(str_of(colon + 1,
		    line.len - name.len - 1));
		n = (struct field_name){name, field_id(name)};
		if (http_is_token(name))
			(void)http_add(h, &n, value);
	}
}

static void
check_vary(const struct http *resp, const struct http *x, const struct http *y)
{
	struct str of_x, of_y;
	enum vary_result rx = vary_make(resp, x, &a, &of_x);
	enum vary_result ry = vary_make(resp, y, &a, &of_y);

	if (rx == VARY_NONE && ry != VARY_NONE)
		abort();
	if (rx != VARY_SPEC)
		return;
	if (!vary_matches(of_x, x))
		abort();
	/* who matches makes the same variant, and the other way round */
	if (vary_matches(of_x, y) !=
	    (ry == VARY_SPEC && str_eq(of_x, of_y)))
		abort();
	/* one that was cut matches, or not */
	for (size_t n = 0; n < of_x.len; n += 1 + n / 4)
		(void)vary_matches(str_of(of_x.p, n), y);
}

static void
check_search(const struct http *resp, struct str target)
{
	static char buf[SEARCH_RULE_MAX];
	struct str rule = str_of(buf, search_rule(resp, buf)), once, twice;

	if (rule.len == 0 || target.len > 8192)
		return;
	once = search_apply(rule, target, &a);
	if (once.p == NULL)
		return;
	/* in the form that it has, it is the same */
	twice = search_apply(rule, once, &a);
	if (twice.p != NULL && !str_eq(once, twice))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *mem;
	struct str in = str_of((const char *)data + 1, size - 1);
	struct http resp, x, y;

	if (size == 0)
		return 0;
	if (mem == NULL) {
		mem = aligned_alloc(16, MEM);
		if (mem == NULL || params_init() != 0)
			abort();
	}
	params->vary_unordered = data[0] & 1;
	params->http_gzip_support = data[0] & 2;
	arena_init(&a, mem, MEM);
	take_head(&resp, &in);
	check_search(&resp, in);
	take_head(&x, &in);
	take_head(&y, &in);
	check_vary(&resp, &x, &y);
	(void)vary_matches(str_of((const char *)data, size), &x);
	arena_reset(&a);
	return 0;
}
