/*
 * fuzz_querystring.c - module querystring: a filter's criterion is the first
 * line of the input, the URL is the rest.  What a filter drops and what it
 * keeps are all parameters that there are; doing it again changes nothing.  A
 * pattern matches what fnmatch(3) matches.
 */
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>

#include "ctx.h"
#include "shell_pattern.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GLOB_LEN = 40 }; /* fnmatch(3) may take a time exponential in it */

static void
check_glob(struct str pattern, struct str subject)
{
	char p[GLOB_LEN + 1] = "", s[GLOB_LEN + 1] = "";
	unsigned stars = 0;

	if (pattern.len > GLOB_LEN || subject.len > GLOB_LEN)
		return;
	for (size_t i = 0; i < pattern.len; i++) {
		/* its own ideas of where a set ends that has such a thing */
		if (pattern.p[i] == '[' || pattern.p[i] == '\0' ||
		    (unsigned char)pattern.p[i] > 0x7e)
			return;
		stars += pattern.p[i] == '*';
		p[i] = pattern.p[i];
	}
	for (size_t i = 0; i < subject.len; i++) {
		if (subject.p[i] == '\0' || (unsigned char)subject.p[i] > 0x7e)
			return;
		s[i] = subject.p[i];
	}
	if (stars <= 4 &&
	    shell_pattern_match(pattern, subject) != !fnmatch(p, s, 0))
		abort();
}

static size_t
param_n(struct str url)
{
	const char *mark = url.len != 0 ? memchr(url.p, '?', url.len) : NULL;
	size_t n = mark != NULL;

	for (; mark != NULL && mark < url.p + url.len; mark++)
		n += *mark == '&';
	return n;
}

static void
check_filter(struct vcl_ctx *ctx, struct str text, struct str url, bool sort)
{
	struct vmod_querystring_filter *f = NULL;
	struct str drop, keep;

	vmod_querystring_filter__init(ctx, &f, "fuzz", sort, false,
	    sort ? "param" : "name");
	if (sort)
		vmod_querystring_filter_add_glob(ctx, f, text);
	else
		vmod_querystring_filter_add_string(ctx, f, text);
	drop = vmod_querystring_filter_apply(ctx, f, true, url, "drop");
	keep = vmod_querystring_filter_apply(ctx, f, true, url, "keep");
	if (param_n(drop) + param_n(keep) !=
	    param_n(vmod_querystring_clean(ctx, true, url)))
		abort();
	if (!str_eq(vmod_querystring_filter_apply(ctx, f, true, drop, "drop"),
	    drop))
		abort();
	if (vmod_querystring_filter_extract(ctx, f, true, drop, "keep").p)
		abort();
	vmod_querystring_filter__fini(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) char mem[1 << 18];
	struct str all = str_of((const char *)data, size), text, url, once;
	const char *nl = size != 0 ? memchr(all.p, '\n', size) : NULL;
	struct vcl_ctx ctx;
	struct arena ws;

	if (nl == NULL || size > 10000)
		return 0;
	text = str_of(all.p, (size_t)(nl - all.p));
	url = str_of(nl + 1, size - text.len - 1);
	check_glob(text, url);
	for (unsigned small = 0; small < 2; small++) {
		arena_init(&ws, mem, small ? 3 * size : sizeof mem);
		vcl_ctx_init(&ctx, &ws, NULL, NULL);
		once = vmod_querystring_sort(&ctx, true, url, size % 2);
		if (!ctx.failed && (once.len > url.len ||
		    !str_eq(vmod_querystring_sort(&ctx, true, once, size % 2),
		    once)) && !ctx.failed)
			abort();
		if (!small) {
			check_filter(&ctx, text, url, false);
			check_filter(&ctx, text, url, true);
			if (ctx.failed)
				abort();
		}
		vcl_ctx_end(&ctx);
		arena_reset(&ws);
	}
	return 0;
}
