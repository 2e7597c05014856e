/*
 * header.c - module header: all headers of one name.
 */
#include <string.h>

#include "http.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum { LINE_ON_STACK = 1024 }; /* longer ones go to the workspace */

VCL_VOID
vmod_header_append(struct vcl_ctx *ctx, VCL_HEADER to, VCL_STRING value)
{
	if (to != NULL)
		vrt_field_add(ctx, to->http, to->header->name,
		    value.p != NULL ? value : STR(""));
}

VCL_VOID
vmod_header_copy(struct vcl_ctx *ctx, VCL_HEADER from, VCL_HEADER to)
{
	int last, i;

	if (from == NULL || to == NULL)
		return;
	/* not those that are added here, should both be the same */
	last = (int)vrt_field_n(ctx, from->http);
	for (i = vrt_field_find(ctx, from->http, from->header->name, 0);
	    i >= 0 && i < last && !vrt_failed(ctx);
	    i = vrt_field_find(ctx, from->http, from->header->name,
	    (unsigned)i + 1))
		vrt_field_add(ctx, to->http, to->header->name,
		    vrt_field_value(ctx, from->http, (unsigned)i));
}

/* The place of the first one at or after i that matches; -1. */
static int
find_match(struct vcl_ctx *ctx, VCL_HEADER header, VCL_REGEX re, unsigned from)
{
	int i = vrt_field_find(ctx, header->http, header->header->name, from);

	while (i >= 0) {
		struct str value = vrt_field_value(ctx, header->http,
		    (unsigned)i);

		if (value.len != 0 && vrt_regex_match(ctx, value, re))
			return i;
		i = vrt_field_find(ctx, header->http, header->header->name,
		    (unsigned)i + 1);
	}
	return -1;
}

VCL_STRING
vmod_header_get(struct vcl_ctx *ctx, VCL_HEADER header, VCL_REGEX re)
{
	int i = header != NULL ? find_match(ctx, header, re, 0) : -1;

	return i >= 0 ? vrt_field_value(ctx, header->http, (unsigned)i)
		      : STR_NULL;
}

VCL_VOID
vmod_header_remove(struct vcl_ctx *ctx, VCL_HEADER header, VCL_REGEX re)
{
	int i = header != NULL ? find_match(ctx, header, re, 0) : -1;

	while (i >= 0 && !vrt_failed(ctx)) {
		vrt_field_remove(ctx, header->http, (unsigned)i);
		i = vrt_failed(ctx) ? -1
		    : find_match(ctx, header, re, (unsigned)i);
	}
}

/* Field i as it is written; in b if it is short.  p == NULL: no room. */
static struct str
line_of(struct vcl_ctx *ctx, VCL_HTTP http, unsigned i, char b[LINE_ON_STACK])
{
	struct str name = vrt_field_name(ctx, http, i);
	struct str value = vrt_field_value(ctx, http, i);
	size_t len = name.len + 2 + value.len;
	char *to = len <= LINE_ON_STACK ? b : vrt_alloc(ctx, len);

	if (to == NULL)
		return STR_NULL;
	memcpy(to, name.p, name.len);
	memcpy(to + name.len, ": ", 2);
	if (value.len != 0)
		memcpy(to + name.len + 2, value.p, value.len);
	return str_of(to, len);
}

static void
regsub_line(struct vcl_ctx *ctx, VCL_HTTP http, unsigned i, VCL_REGEX re,
    VCL_STRING sub, bool all)
{
	char b[LINE_ON_STACK];
	struct str old = line_of(ctx, http, i, b), new;
	const char *colon;

	if (old.p == NULL)
		return;
	new = vrt_regsub(ctx, all, old, re, sub);
	if (vrt_failed(ctx) || str_eq(new, old))
		return;
	if (new.len == 0) {
		vrt_field_remove(ctx, http, i);
		return;
	}
	colon = memchr(new.p, ':', new.len);
	if (colon == NULL) {
		vrt_failf(ctx, "header.regsub(): \"%.*s\" would become "
		    "\"%.*s\", which is no header", STR_ARG(old),
		    STR_ARG(new));
		return;
	}
	vrt_field_replace(ctx, http, i,
	    str_of(new.p, (size_t)(colon - new.p)),
	    str_of(colon + 1, (size_t)(new.p + new.len - colon - 1)));
}

VCL_VOID
vmod_header_regsub(struct vcl_ctx *ctx, VCL_HTTP http, VCL_REGEX re,
    VCL_STRING sub, VCL_BOOL all)
{
	/* from the last on: those that go move only what was looked at */
	for (unsigned i = vrt_field_n(ctx, http); i-- > 0 && !vrt_failed(ctx);)
		regsub_line(ctx, http, i, re, sub, all);
}

VCL_HEADER
vmod_header_dyn(struct vcl_ctx *ctx, VCL_HTTP http, VCL_STRING name)
{
	struct {
		struct vcl_header_ref ref;
		struct vcl_header header;
	} *made = vrt_alloc(ctx, sizeof *made);

	name = vrt_keep(ctx, name);
	if (made == NULL || name.p == NULL)
		return NULL;
	made->header = (struct vcl_header){name, field_id(name)};
	made->ref = (struct vcl_header_ref){http, &made->header};
	return &made->ref;
}
