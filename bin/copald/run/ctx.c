/*
 * ctx.c - beginning and end of a transaction for VCL, its failures, and the
 * strings that it keeps.
 */
#include <assert.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctx.h"
#include "program_impl.h"
#include "req_body.h"
#include "request.h"

_Static_assert(offsetof(struct vcl_ctx, failed) ==
    offsetof(struct vcl_ctx_head, failed), "compiled programs look there");
_Static_assert(offsetof(struct vcl_ctx, where) ==
    offsetof(struct vcl_ctx_head, where), "compiled programs look there");

/* What one module keeps for one task; in the task's workspace. */
struct vcl_task_priv {
	struct vcl_task_priv *next;
	const void *id;
	struct vmod_priv priv;
};

void
vcl_ctx_init(struct vcl_ctx *ctx, struct arena *ws, struct log_txn *log,
    struct program *program)
{
	memset(ctx, 0, sizeof *ctx);
	ctx->ws = ws;
	ctx->log = log;
	ctx->program = program;
	ctx->pass_ttl = -1;
	ctx->connect_timeout = -1;
	ctx->transit_buffer = -1;
	ctx->ip_tos = -1;
	ctx->sess = (struct vcl_sess){-1, -1, -1, -1};
}

void
vcl_ctx_end(struct vcl_ctx *ctx)
{
	struct vcl_task_priv *p;

	while ((p = ctx->priv) != NULL) {
		ctx->priv = p->next;
		if (p->priv.free != NULL && p->priv.p != NULL)
			p->priv.free(p->priv.p);
	}
	req_body_free(&ctx->kept_body);
}

void
vcl_fail(struct vcl_ctx *ctx, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	/* what fails after it in one statement is its consequence */
	if (ctx->failed)
		return;
	ctx->failed = true;
	ctx->ended = VCL_RET_NONE;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (ctx->err != NULL && ctx->err[0] == '\0')
		snprintf(ctx->err, ctx->err_len, "%s%s%s",
		    ctx->where != NULL ? ctx->where : "",
		    ctx->where != NULL ? ": " : "", text);
	if (ctx->log == NULL)
		return;
	if (ctx->where != NULL)
		log_printf(ctx->log, LOG_VCL_ERROR, "%s (%s)", text,
		    ctx->where);
	else
		log_put(ctx->log, LOG_VCL_ERROR, str_from_z(text));
}

void
vcl_fail_space(struct vcl_ctx *ctx, const char *what)
{
	vcl_fail(ctx, "Workspace overflow (%s)", what);
}

struct str
vcl_keep(struct vcl_ctx *ctx, struct str s, const char *what)
{
	struct str copy;

	if (s.p == NULL || s.len == 0)
		return STR("");
	if (arena_holds(ctx->ws, s.p))
		return s;
	if (ctx->program != NULL && program_has_constant(ctx->program, s.p))
		return s;
	copy = arena_strdup(ctx->ws, s);
	if (copy.p == NULL)
		vcl_fail_space(ctx, what);
	return copy;
}

VCL_BLOB
vcl_key_hash(struct vcl_ctx *ctx, const struct key *k)
{
	uint8_t *hash = (uint8_t *)arena_bytes(ctx->ws, SHA256_DIGEST_LENGTH);

	if (hash == NULL) {
		vcl_fail_space(ctx, "the hash");
		return (VCL_BLOB){NULL, 0};
	}
	SHA256((const uint8_t *)(k->bytes.p != NULL ? k->bytes.p : ""),
	    k->bytes.len, hash);
	return (VCL_BLOB){hash, SHA256_DIGEST_LENGTH};
}

bool
vcl_buf_append(struct vcl_ctx *ctx, struct vcl_buf *b, struct str s,
    const char *what)
{
	if (s.len > b->cap - b->len) {
		size_t cap = b->cap < 128 ? 256 : 2 * b->cap;
		char *p;

		while (cap - b->len < s.len)
			cap *= 2;
		/* near the end of the workspace take what is needed only */
		if (!arena_fits(ctx->ws, cap))
			cap = b->len + s.len;
		p = arena_bytes(ctx->ws, cap);
		if (p == NULL) {
			vcl_fail_space(ctx, what);
			return false;
		}
		if (b->len != 0)
			memcpy(p, b->p, b->len);
		b->p = p;
		b->cap = cap;
	}
	if (s.len != 0)
		memcpy(b->p + b->len, s.p, s.len);
	b->len += s.len;
	return true;
}

static struct vmod_priv *
task_priv(struct vcl_ctx *ctx, const void *id)
{
	struct vcl_task_priv *p;

	for (p = ctx->priv; p != NULL; p = p->next)
		if (p->id == id)
			return &p->priv;
	p = arena_zalloc(ctx->ws, sizeof *p);
	if (p == NULL) {
		vcl_fail_space(ctx, "module");
		return NULL;
	}
	p->id = id;
	p->next = ctx->priv;
	ctx->priv = p;
	return &p->priv;
}

struct vmod_priv *
vrt_priv_task(struct vcl_ctx *ctx, const void *id)
{
	return task_priv(ctx, id);
}

/* Every request is its own top. */
struct vmod_priv *
vrt_priv_top(struct vcl_ctx *ctx, const void *id)
{
	return task_priv(ctx, id);
}

void
vrt_no_object(struct vcl_ctx *ctx, const char *name)
{
	vcl_fail(ctx, "%s: vcl_init has made no such object", name);
}
