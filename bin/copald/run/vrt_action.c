/*
 * vrt_action.c - what VCL does: verdicts' arguments, key, body, bans.
 */
#include <stdlib.h>

#include "ban.h"
#include "ban_expr.h"
#include "counters.h"
#include "core.h"
#include "stevedore.h"
#include "store.h"
#include "vrt.h"

/* ---- verdicts ---- */

void
vrt_set_synth(struct vcl_ctx *ctx, int64_t status, struct str reason)
{
	if (status < 0 || status > 65535 || status % 1000 < 100) {
		vcl_fail(ctx, "A status can't be %lld", (long long)status);
		return;
	}
	reason = str_trim(reason);
	if (!http_is_value(reason)) {
		vcl_fail(ctx, "Bad value of a reason phrase");
		return;
	}
	ctx->synth_status = (int)status;
	ctx->synth_reason = STR_NULL;
	if (reason.p != NULL) /* an empty one is meant */
		ctx->synth_reason = vcl_keep(ctx, reason, "reason");
}

void
vrt_set_pass_ttl(struct vcl_ctx *ctx, double ttl)
{
	ctx->pass_ttl = ttl > 0 ? ttl : 0;
}

void
vrt_set_vcl(struct vcl_ctx *ctx, const struct program_label *label)
{
	ctx->vcl_label = label;
}

void
vrt_fail(struct vcl_ctx *ctx, struct str why)
{
	vcl_fail(ctx, "%.*s", STR_ARG(why));
}

/* ---- what is added to ---- */

/*
 * Each part ends in a NUL, which no part contains: no two keys look alike.  One
 * that is unset is a NUL more, and so another one than "".
 */
void
vrt_hash_data(struct vcl_ctx *ctx, struct str s)
{
	const char *nul = s.len != 0 ? memchr(s.p, '\0', s.len) : NULL;
	size_t end = s.p == NULL ? 2 : 1;

	if (nul != NULL)
		s.len = nul - s.p;
	if (vcl_buf_append(ctx, &ctx->key, s, "hash_data") &&
	    vcl_buf_append(ctx, &ctx->key, str_of("\0", end), "hash_data") &&
	    ctx->log != NULL && s.p != NULL)
		log_put(ctx->log, LOG_HASH, s);
}

void
vrt_synthetic(struct vcl_ctx *ctx, struct str s)
{
	vcl_buf_append(ctx, &ctx->body, s, "synthetic");
}

struct str
vrt_ban(struct vcl_ctx *ctx, struct str expression)
{
	char err[BAN_ERR_LEN] = "", *text;
	uint64_t seq;
	int r = -1;

	if (ctx->dry)
		return STR("");
	text = ban_expr_of_plain(expression);
	if (text == NULL)
		strcpy(err, "No memory");
	else if (text[0] == '\0')
		strcpy(err, "No ban conditions found.");
	else /* in vcl_init on the CLI thread, else on a fiber */
		r = ban_add(str_from_z(text), &seq, err);
	if (r == 0)
		inval_audit(ctx->log, "ban", str_from_z(text),
		    &(struct purged){.seq = seq});
	free(text);
	if (r == 0)
		return STR("");
	if (ctx->log != NULL)
		log_printf(ctx->log, LOG_VCL_ERROR, "ban(): %s", err);
	return vcl_keep(ctx, str_from_z(err[0] != '\0' ? err : "failed"),
	    "ban");
}

/* ---- stores ---- */

const struct vcl_stevedore *
vrt_stevedore(struct vcl_ctx *ctx, struct str name)
{
	struct stevedore *s = stevedore_by_name(name);

	if (s == NULL)
		vcl_fail(ctx, "There is no storage.%.*s", STR_ARG(name));
	return (const struct vcl_stevedore *)(const void *)s;
}

static const struct stevedore *
stevedore_of(const struct vcl_stevedore *s)
{
	return (const struct stevedore *)(const void *)s;
}

/* used: of memory alone, else of the disk */
static bool
space_of(const struct vcl_stevedore *vs, uint64_t *used, uint64_t *size)
{
	const struct stevedore *s = stevedore_of(vs);
	struct store_stats stats;

	if (s == NULL)
		return false;
	if (s->store == NULL) {
		*size = s->limit;
		*used = atomic_load_explicit((_Atomic uint64_t *)&s->used,
		    memory_order_relaxed);
		return true;
	}
	store_stats(s->store, &stats);
	*size = stats.size;
	*used = stats.segment_bytes_used + stats.catalogue_bytes;
	return !stats.read_only;
}

int64_t
vrt_stevedore_free_space(struct vcl_ctx *ctx, const struct vcl_stevedore *s)
{
	uint64_t used = 0, size = 0;

	(void)ctx;
	space_of(s, &used, &size);
	return used < size ? (int64_t)(size - used) : 0;
}

int64_t
vrt_stevedore_used_space(struct vcl_ctx *ctx, const struct vcl_stevedore *s)
{
	uint64_t used = 0, size = 0;

	(void)ctx;
	space_of(s, &used, &size);
	return (int64_t)used;
}

bool
vrt_stevedore_happy(struct vcl_ctx *ctx, const struct vcl_stevedore *s)
{
	uint64_t used, size;

	(void)ctx;
	return space_of(s, &used, &size);
}
