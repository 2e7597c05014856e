/*
 * json.c - module json: text for logs in JSON.
 */
#include <string.h>

#include "json.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

VCL_STRING
vmod_json_quote(struct vcl_ctx *ctx, VCL_STRING s)
{
	char buf[JSON_CHAR_MAX + 1];
	size_t room, n = 0;
	char *p;

	if (s.p == NULL)
		return VCL_S("null");
	p = vrt_reserve(ctx, &room);
	if (p == NULL)
		return VCL_S("null");
	if (room > 1)
		p[n++] = '"';
	while (s.len != 0) {
		struct str c = json_next(&s, buf);

		if (c.len + 2 > room - n)
			break;
		memcpy(p + n, c.p, c.len);
		n += c.len;
	}
	if (s.len != 0 || n + 1 > room) {
		vrt_commit(ctx, 0);
		vrt_failf(ctx, "json.quote(): the workspace is full");
		return VCL_S("null");
	}
	p[n++] = '"';
	vrt_commit(ctx, n);
	return str_of(p, n);
}
