/*
 * fuzz_vcl_strings.c - what compiled VCL does with strings: values are joined,
 * compared, matched, sorted as queries and put into heads, in a workspace of
 * any size.
 *
 * Input: a byte for the size of the workspace, then three parts separated by
 * newlines.  Nothing is invented, what does not fit is a recorded failure, and
 * the order of strings is one.
 */
#include <stdint.h>
#include <stdlib.h>

#include "params.h"
#include "vrt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARTS = 3, FIELDS = 8, MEM_MAX = 16384 };

static struct str
next_part(struct str *rest)
{
	const char *nl =
	    rest->len != 0 ? memchr(rest->p, '\n', rest->len) : NULL;
	size_t len = nl != NULL ? (size_t)(nl - rest->p) : rest->len;
	struct str part = str_of(rest->p, len);

	if (nl != NULL)
		len++;
	rest->p += len;
	rest->len -= len;
	return part;
}

static void
want(bool is_so)
{
	if (!is_so)
		abort();
}

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

static void
compare(const struct str *part)
{
	for (int i = 0; i < PARTS; i++) {
		for (int j = 0; j < PARTS; j++) {
			int c = vrt_str_cmp(part[i], part[j]);

			/* unset: it is nowhere */
			if (part[i].p == NULL || part[j].p == NULL) {
				want(c == 1);
				continue;
			}
			want(sign(c) == -sign(vrt_str_cmp(part[j], part[i])));
			want(vrt_str_eq(part[i], part[j]) == (c == 0));
		}
	}
}

static void
join(struct vcl_ctx *ctx, const struct str *part)
{
	struct str s = vrt_concat(ctx, PARTS, part);
	size_t at = 0;

	if (vrt_failed(ctx))
		return;
	for (int i = 0; i < PARTS; i++) {
		want(str_eq(str_of(s.p + at, part[i].len), part[i]));
		at += part[i].len;
	}
	want(s.len == at);
}

static void
put_into_head(struct vcl_ctx *ctx, const struct str *part)
{
	struct vcl_header header = {STR("X-Fuzz"), 0};
	struct str got;

	vrt_hdr_set(ctx, VCL_HTTP_REQ, &header, part[0]);
	got = vrt_hdr_get(ctx, VCL_HTTP_REQ, &header);
	/* an end of line in a value would be another field */
	want(got.p == NULL || memchr(got.p, '\n', got.len) == NULL);
	if (!vrt_failed(ctx))
		want(got.len <= part[0].len);
	vrt_hdr_unset(ctx, VCL_HTTP_REQ, &header);
	want(vrt_hdr_get(ctx, VCL_HTTP_REQ, &header).p == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) char mem[MEM_MAX], heads[4096];
	struct vcl_ctx ctx = {0};
	struct arena ws, fields;
	struct http http = {0};
	struct str part[PARTS], rest;

	if (size < 1)
		return 0;
	if (params == NULL && params_init() != 0)
		abort();
	params->pcre2_match_limit = 1000;
	rest = str_of((const char *)data + 1, size - 1);
	for (int i = 0; i < PARTS - 1; i++)
		part[i] = next_part(&rest);
	part[PARTS - 1] = rest;
	arena_init(&ws, mem, (size_t)data[0] * (MEM_MAX / 256));
	arena_init(&fields, heads, sizeof(heads));
	want(http_init(&http, &fields, FIELDS));
	ctx.ws = &ws;
	ctx.http[VCL_HTTP_REQ] = &http;
	compare(part);
	join(&ctx, part);
	put_into_head(&ctx, part);
	(void)vrt_regex_match_dynamic(&ctx, part[0], part[1]);
	arena_reset(&ws);
	arena_reset(&fields);
	return 0;
}
