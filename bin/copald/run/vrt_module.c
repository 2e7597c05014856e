/*
 * vrt_module.c - what the worker gives to modules: include/vmod.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "http.h"
#include "regex.h"
#include "sock.h"
#include "vmod.h"
#include "vrt_head.h"

/* ---- memory ---- */

void *
vrt_alloc(struct vcl_ctx *ctx, size_t n)
{
	void *p = arena_alloc(ctx->ws, n);

	if (p == NULL)
		vcl_fail_space(ctx, "module");
	return p;
}

struct str
vrt_copy(struct vcl_ctx *ctx, struct str s)
{
	struct str copy = arena_strdup(ctx->ws, s.p != NULL ? s : STR(""));

	if (copy.p == NULL)
		vcl_fail_space(ctx, "string");
	return copy;
}

struct str
vrt_keep(struct vcl_ctx *ctx, struct str s)
{
	return vcl_keep(ctx, s, "module");
}

struct str
vrt_printf(struct vcl_ctx *ctx, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(ctx->ws, fmt, ap);
	va_end(ap);
	if (s.p == NULL)
		vcl_fail_space(ctx, "string");
	return s;
}

char *
vrt_reserve(struct vcl_ctx *ctx, size_t *room)
{
	char *p = arena_reserve(ctx->ws, room);

	if (p == NULL)
		vcl_fail_space(ctx, "module");
	return p;
}

void
vrt_commit(struct vcl_ctx *ctx, size_t keep)
{
	arena_commit(ctx->ws, keep);
}

/* ---- addresses ---- */

const struct sockaddr *
vrt_ip_sockaddr(VCL_IP ip, unsigned *len)
{
	*len = (unsigned)ip->len;
	return &ip->sa;
}

VCL_IP
vrt_ip_new(struct vcl_ctx *ctx, const struct sockaddr *sa, unsigned len)
{
	struct addr *ip;

	if (len > sizeof ip->ss) {
		vcl_fail(ctx, "An address of %u bytes", len);
		return NULL;
	}
	ip = arena_zalloc(ctx->ws, sizeof *ip);
	if (ip == NULL) {
		vcl_fail_space(ctx, "address");
		return NULL;
	}
	memcpy(&ip->ss, sa, len);
	ip->len = (socklen_t)len;
	return ip;
}

/* ---- messages ---- */

void
vrt_failf(struct vcl_ctx *ctx, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	vcl_fail(ctx, "%s", text);
}

void
vrt_log(struct vcl_ctx *ctx, struct str s)
{
	if (ctx->log != NULL)
		log_put(ctx->log, LOG_VCL_LOG, s);
}

void
vrt_log_error(struct vcl_ctx *ctx, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (ctx->log == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_put(ctx->log, LOG_VCL_ERROR, str_from_z(text));
}

/* ---- where a call comes from ---- */

enum vcl_sub_id
vrt_sub(const struct vcl_ctx *ctx)
{
	return (enum vcl_sub_id)ctx->sub;
}

bool
vrt_is_client(const struct vcl_ctx *ctx)
{
	return ctx->req != NULL && ctx->fetch == NULL;
}

bool
vrt_is_backend(const struct vcl_ctx *ctx)
{
	return ctx->fetch != NULL;
}

bool
vrt_is_dry(const struct vcl_ctx *ctx)
{
	return ctx->dry;
}

bool
vrt_call(struct vcl_ctx *ctx, VCL_SUB sub)
{
	enum vcl_ret ret;

	if (sub == NULL || ctx->failed)
		return !ctx->failed;
	ret = sub(ctx);
	if (ctx->failed || ret == VCL_RET_NONE)
		return !ctx->failed;
	/* all subs up to the built-in one return: program_call() has it */
	ctx->failed = true;
	ctx->ended = ret;
	return false;
}

/* ---- heads ---- */

bool
vrt_has_head(const struct vcl_ctx *ctx, enum vcl_http which)
{
	return ctx->http[which] != NULL;
}

unsigned
vrt_field_n(const struct vcl_ctx *ctx, enum vcl_http which)
{
	return ctx->http[which] != NULL ? ctx->http[which]->field_n : 0;
}

struct str
vrt_field_name(const struct vcl_ctx *ctx, enum vcl_http which, unsigned i)
{
	const struct field *f = &ctx->http[which]->field[i];

	return str_of(f->name, f->name_len);
}

struct str
vrt_field_value(const struct vcl_ctx *ctx, enum vcl_http which, unsigned i)
{
	const struct field *f = &ctx->http[which]->field[i];

	return str_of(f->value, f->value_len);
}

int
vrt_field_find(const struct vcl_ctx *ctx, enum vcl_http which, struct str name,
    unsigned i)
{
	struct field_name wanted = {name, field_id(name)};

	return ctx->http[which] != NULL
	    ? http_find(ctx->http[which], &wanted, i) : -1;
}

void
vrt_field_remove(struct vcl_ctx *ctx, enum vcl_http which, unsigned i)
{
	if (vcl_head_is_writable(ctx, which))
		vcl_head_remove_at(ctx, which, i);
}

/*
 * A name that comes from elsewhere than the program's text, in a place of its
 * own: it and a value may be slices of one string "name: value", and what
 * lies so is taken for a line of a head.
 */
static bool
make_name(struct vcl_ctx *ctx, enum vcl_http which, struct str name,
    struct field_name *out)
{
	if (!vcl_head_is_writable(ctx, which))
		return false;
	if (name.len > UINT16_MAX || !http_is_token(name)) {
		vcl_fail(ctx, "Bad name of a header");
		return false;
	}
	out->id = field_id(name);
	out->name = vrt_copy(ctx, name);
	return out->name.p != NULL;
}

void
vrt_field_add(struct vcl_ctx *ctx, enum vcl_http which, struct str name,
    struct str value)
{
	struct field_name field;

	if (make_name(ctx, which, name, &field))
		vcl_head_add(ctx, which, &field, value);
}

void
vrt_field_set(struct vcl_ctx *ctx, enum vcl_http which, struct str name,
    struct str value)
{
	struct field_name field;

	if (make_name(ctx, which, name, &field))
		vcl_head_set(ctx, which, &field, value);
}

void
vrt_field_replace(struct vcl_ctx *ctx, enum vcl_http which, unsigned i,
    struct str name, struct str value)
{
	struct field_name field;

	if (make_name(ctx, which, name, &field))
		vcl_head_replace_at(ctx, which, i, &field, value);
}

/* ---- regular expressions ---- */

struct vcl_regex *
vrt_regex_new(struct str pattern, char *err, size_t err_len)
{
	return regex_new(pattern, err, err_len);
}

void
vrt_regex_free(struct vcl_regex **re)
{
	regex_free(re);
}
