/*
 * vrt_string.c - strings of VCL: joining, comparing, and other types as text.
 *
 * A string lives in the transaction's workspace, or where it was found.
 */
#include <math.h>
#include <stdio.h>

#include "acl.h"
#include "backend.h"
#include "encoding.h"
#include "http_date.h"
#include "stevedore.h"
#include "vrt.h"

struct str
vrt_concat(struct vcl_ctx *ctx, unsigned n, const struct str *s)
{
	struct str one = STR("");
	size_t len = 0;
	char *to, *p;

	/* a part of what was meant could mean something else, to ban() say */
	if (ctx->failed)
		return STR("");
	if (n == 1)
		return s[0];
	for (unsigned i = 0; i < n; i++) {
		if (s[i].len == 0)
			continue;
		len += s[i].len;
		one = s[i];
	}
	if (one.len == len)
		return one;
	p = to = arena_bytes(ctx->ws, len);
	if (p == NULL) {
		vcl_fail_space(ctx, "string");
		return STR("");
	}
	for (unsigned i = 0; i < n; i++) {
		if (s[i].len == 0)
			continue;
		memcpy(p, s[i].p, s[i].len);
		p += s[i].len;
	}
	return str_of(to, len);
}

int
vrt_str_cmp(struct str a, struct str b)
{
	return a.p == NULL || b.p == NULL ? 1 : str_cmp(a, b);
}

static struct str
change_case(struct vcl_ctx *ctx, struct str s, char first, char last)
{
	char *p;

	if (s.len == 0)
		return s;
	p = arena_bytes(ctx->ws, s.len);
	if (p == NULL) {
		vcl_fail_space(ctx, "string");
		return STR("");
	}
	for (size_t i = 0; i < s.len; i++)
		p[i] = s.p[i] >= first && s.p[i] <= last ? s.p[i] ^ 0x20
							 : s.p[i];
	return str_of(p, s.len);
}

struct str
vrt_string_lower(struct vcl_ctx *ctx, struct str s)
{
	return change_case(ctx, s, 'A', 'Z');
}

struct str
vrt_string_upper(struct vcl_ctx *ctx, struct str s)
{
	return change_case(ctx, s, 'a', 'z');
}

/* ---- other types as text ---- */

static struct str
copy(struct vcl_ctx *ctx, const char *p, size_t len)
{
	struct str s = arena_strdup(ctx->ws, str_of(p, len));

	if (s.p == NULL) {
		vcl_fail_space(ctx, "string");
		return STR("");
	}
	return s;
}

struct str
vrt_int_string(struct vcl_ctx *ctx, int64_t i)
{
	char b[24], *p = b + sizeof b;
	uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;

	do
		*--p = (char)('0' + u % 10);
	while ((u /= 10) != 0);
	if (i < 0)
		*--p = '-';
	return copy(ctx, p, b + sizeof b - p);
}

struct str
vrt_bytes_string(struct vcl_ctx *ctx, int64_t i)
{
	return vrt_int_string(ctx, i);
}

/* DBL_MAX has 309 digits before the point. */
struct str
vrt_real_string(struct vcl_ctx *ctx, double d)
{
	char b[400];
	int n = snprintf(b, sizeof b, "%.3f", d);

	return copy(ctx, b, n);
}

struct str
vrt_duration_string(struct vcl_ctx *ctx, double d)
{
	/* "never", in the digits that Varnish has for it */
	return vrt_real_string(ctx, isinf(d) ? 999999999999.999 : d);
}

struct str
vrt_time_string(struct vcl_ctx *ctx, double t)
{
	char b[HTTP_DATE_LEN + 1];

	http_date_format(t, b);
	return copy(ctx, b, HTTP_DATE_LEN);
}

struct str
vrt_bool_string(bool b)
{
	return b ? STR("true") : STR("false");
}

struct str
vrt_ip_string(struct vcl_ctx *ctx, const struct addr *a)
{
	static const char mapped[] = "::ffff:"; /* an IPv4 address in IPv6 */
	char b[ADDR_HOST_MAX], *p = b;

	if (a == NULL)
		return STR_NULL;
	addr_host(a, b);
	if (strncmp(b, mapped, sizeof mapped - 1) == 0 &&
	    strchr(b, '.') != NULL)
		p += sizeof mapped - 1;
	return copy(ctx, p, strlen(p));
}

/* backend x none; is no backend: false, and no text, as in Varnish */
bool
vrt_backend_is_some(const struct backend *b)
{
	return b != NULL && !b->none;
}

struct str
vrt_backend_string(const struct backend *b)
{
	return str_from_z(vrt_backend_is_some(b) ? b->name : NULL);
}

struct str
vrt_stevedore_string(const struct vcl_stevedore *s)
{
	return str_from_z(s != NULL
	    ? ((const struct stevedore *)(const void *)s)->vcl_name : NULL);
}

struct str
vrt_acl_string(const struct vcl_acl *acl)
{
	return str_from_z(acl != NULL ? acl_name(acl) : NULL);
}

struct str
vrt_probe_string(const struct vcl_probe_def *probe)
{
	return str_from_z(probe != NULL ? probe->name : NULL);
}

struct str
vrt_blob_string(struct vcl_ctx *ctx, struct vcl_blob blob)
{
	char *to = arena_bytes(ctx->ws,
	    encoding_text_max(ENCODING_BASE64, blob.len) + 2);
	size_t len;

	if (to == NULL) {
		vcl_fail_space(ctx, "blob");
		return STR("");
	}
	to[0] = ':';
	len = encoding_write(ENCODING_BASE64, false, blob.p, blob.len, to + 1);
	to[len + 1] = ':';
	return str_of(to, len + 2);
}
