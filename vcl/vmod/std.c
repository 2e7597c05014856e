/*
 * std.c - module std: strings, log, and control of the transaction.
 *
 * Conversions are in std_convert.c, addresses in std_ip.c, files in
 * std_file.c.
 */
#include <fnmatch.h>
#include <math.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "clock.h"
#include "fetch.h"
#include "program.h"
#include "req_body.h"
#include "request.h"
#include "stream.h"
#include "vmod.h"
#include "vrt_head.h"
#include "vcl/vmod_functions.h"

/* ---- numbers ---- */

/* xorshift64*: good enough to spread load, not for secrets. */
static __thread uint64_t random_state;

VCL_REAL
vmod_std_random(struct vcl_ctx *ctx, VCL_REAL lo, VCL_REAL hi)
{
	uint64_t x = random_state;

	(void)ctx;
	if (x == 0 && getrandom(&x, sizeof x, GRND_NONBLOCK) != sizeof x)
		x = (uint64_t)clock_mono();
	x |= x == 0;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random_state = x;
	return lo + (hi - lo) *
	    ((double)(x * UINT64_C(2685821657736338717) >> 11) * 0x1p-53);
}

VCL_REAL
vmod_std_round(struct vcl_ctx *ctx, VCL_REAL r)
{
	(void)ctx;
	return round(r);
}

/* ---- strings ---- */

VCL_VOID
vmod_std_collect(struct vcl_ctx *ctx, VCL_HEADER ref, VCL_STRING sep)
{
	struct field_name name = {ref->header->name, ref->header->id};
	const struct http *h = ctx->http[ref->http];
	struct vcl_buf all = {0};

	if (ref->http == VCL_HTTP_OBJ || ref->http == VCL_HTTP_OBJ_STALE ||
	    ref->http == VCL_HTTP_REQ_TOP || ref->http == VCL_HTTP_REQ0) {
		vcl_fail(ctx, "std.collect(): a stored head can't be changed");
		return;
	}
	if (h == NULL)
		return;
	if (sep.len == 0)
		sep = STR(", ");
	int i = http_find(h, &name, 0), first = i;
	if (i < 0 || http_find(h, &name, i + 1) < 0)
		return;
	for (; i >= 0; i = http_find(h, &name, i + 1)) {
		const struct field *f = &h->field[i];

		if (i != first &&
		    !vcl_buf_append(ctx, &all, sep, "std.collect"))
			return;
		if (!vcl_buf_append(ctx, &all,
		    str_of(f->value, f->value_len), "std.collect"))
			return;
	}
	vcl_head_set(ctx, ref->http, &name, str_of(all.p, all.len));
}

VCL_STRING
vmod_std_querysort(struct vcl_ctx *ctx, VCL_STRING url)
{
	struct str s = querysort(ctx->ws, url);

	if (s.p == NULL && url.p != NULL) {
		vcl_fail_space(ctx, "std.querysort");
		return url;
	}
	return s;
}

VCL_STRING
vmod_std_toupper(struct vcl_ctx *ctx, VCL_STRING s)
{
	return s.p != NULL ? vrt_string_upper(ctx, s) : STR("");
}

VCL_STRING
vmod_std_tolower(struct vcl_ctx *ctx, VCL_STRING s)
{
	return s.p != NULL ? vrt_string_lower(ctx, s) : STR("");
}

VCL_STRING
vmod_std_strstr(struct vcl_ctx *ctx, VCL_STRING s1, VCL_STRING s2)
{
	const char *at;

	(void)ctx;
	if (s1.p == NULL || s2.p == NULL)
		return STR_NULL;
	at = memmem(s1.p, s1.len, s2.p, s2.len);
	return at != NULL ? str_of(at, s1.p + s1.len - at) : STR_NULL;
}

/* fnmatch() calls itself for each '*', on a fiber's small stack. */
enum { FNMATCH_STARS = 32, FNMATCH_LEN = 1024 };

static bool
pattern_is_modest(struct str s)
{
	unsigned stars = 0;

	for (size_t i = 0; i < s.len; i++)
		stars += s.p[i] == '*';
	return stars <= FNMATCH_STARS && s.len <= FNMATCH_LEN;
}

VCL_BOOL
vmod_std_fnmatch(struct vcl_ctx *ctx, VCL_STRING pattern, VCL_STRING subject,
    VCL_BOOL pathname, VCL_BOOL noescape, VCL_BOOL period)
{
	const char *p, *s;

	if (pattern.p == NULL || subject.p == NULL) {
		vcl_fail(ctx, "std.fnmatch(): %s is unset",
		    pattern.p == NULL ? "pattern" : "subject");
		return false;
	}
	if (!pattern_is_modest(pattern)) {
		vcl_fail(ctx, "std.fnmatch(): a pattern has at most %d '*' "
		    "and %d bytes", FNMATCH_STARS, FNMATCH_LEN);
		return false;
	}
	p = vrt_copy(ctx, pattern).p;
	s = vrt_copy(ctx, subject).p;
	if (p == NULL || s == NULL)
		return false;
	return fnmatch(p, s, (pathname ? FNM_PATHNAME : 0) |
	    (noescape ? FNM_NOESCAPE : 0) | (period ? FNM_PERIOD : 0)) == 0;
}

VCL_STRING
vmod_std_strftime(struct vcl_ctx *ctx, VCL_TIME at, VCL_STRING format)
{
	const char *f = vrt_copy(ctx, format).p;
	char text[512];
	struct tm tm;
	time_t t;
	size_t n;

	if (f == NULL || !(at > -1e11 && at < 1e12))
		return STR("");
	t = (time_t)floor(at);
	if (gmtime_r(&t, &tm) == NULL)
		return STR("");
	n = strftime(text, sizeof text, f, &tm);
	return n != 0 ? vcl_keep(ctx, str_of(text, n), "std.strftime")
		      : STR("");
}

/* ---- log ---- */

VCL_VOID
vmod_std_log(struct vcl_ctx *ctx, VCL_STRING s)
{
	if (ctx->log != NULL)
		log_put(ctx->log, LOG_VCL_LOG, s.p != NULL ? s : STR(""));
}

VCL_VOID
vmod_std_timestamp(struct vcl_ctx *ctx, VCL_STRING label)
{
	const char *event = vrt_copy(ctx, label).p;
	double now = clock_wall();

	if (event == NULL || ctx->log == NULL)
		return;
	if (ctx->req != NULL) {
		log_timestamp(ctx->log, event, now, ctx->req->t_start,
		    ctx->req->t_last);
		ctx->req->t_last = now;
	} else if (ctx->fetch != NULL) {
		log_timestamp(ctx->log, event, now, ctx->fetch->t_start,
		    ctx->fetch->t_last);
		ctx->fetch->t_last = now;
	}
}

/* ---- control and information ---- */

VCL_BOOL
vmod_std_healthy(struct vcl_ctx *ctx, VCL_BACKEND b)
{
	return vrt_backend_healthy(ctx, b);
}

VCL_BOOL
vmod_std_syntax(struct vcl_ctx *ctx, VCL_REAL version)
{
	return program_info_of(ctx->program)->syntax >=
	    (unsigned)lround(fmin(fmax(version, 0), 1000) * 10);
}

VCL_STRING
vmod_std_getenv(struct vcl_ctx *ctx, VCL_STRING name)
{
	const char *n = vrt_copy(ctx, name).p, *v;

	v = n != NULL && *n != '\0' ? getenv(n) : NULL;
	return v != NULL ? str_from_z(v) : STR_NULL;
}

VCL_BOOL
vmod_std_cache_req_body(struct vcl_ctx *ctx, VCL_BYTES size)
{
	if (ctx->req == NULL || ctx->sub != VCL_SUB_RECV) {
		vcl_fail(ctx, "std.cache_req_body() is for vcl_recv");
		return false;
	}
	return req_body_keep(ctx, size);
}

/* It always is: "100 Continue" is sent when somebody begins to read. */
VCL_VOID
vmod_std_late_100_continue(struct vcl_ctx *ctx, VCL_BOOL late)
{
	(void)ctx;
	(void)late;
}

VCL_VOID
vmod_std_set_ip_tos(struct vcl_ctx *ctx, VCL_INT tos)
{
	if (tos < 0 || tos > 255) {
		vcl_fail(ctx, "std.set_ip_tos(): %lld is not one byte",
		    (long long)tos);
		return;
	}
	ctx->ip_tos = (int)tos;
}

VCL_VOID
vmod_std_rollback(struct vcl_ctx *ctx, VCL_HTTP which)
{
	vrt_rollback(ctx, which);
}

VCL_BOOL
vmod_std_ban(struct vcl_ctx *ctx, VCL_STRING expression)
{
	ctx->ban_error = vrt_ban(ctx, expression);
	return ctx->ban_error.len == 0;
}

VCL_STRING
vmod_std_ban_error(struct vcl_ctx *ctx)
{
	return ctx->ban_error.p != NULL ? ctx->ban_error : STR("");
}

VCL_TIME
vmod_std_now(struct vcl_ctx *ctx)
{
	(void)ctx;
	return clock_wall();
}

VCL_DURATION
vmod_std_timed_call(struct vcl_ctx *ctx, VCL_SUB sub)
{
	nsec_t from = clock_mono();

	vrt_call(ctx, sub);
	return (double)(clock_mono() - from) / 1e9;
}
