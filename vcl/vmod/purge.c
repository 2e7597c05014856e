/*
 * purge.c - module purge: purges from vcl_hit and vcl_miss.
 */
#include "counters.h"
#include "invalidate.h"
#include "request.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

static VCL_INT
purge(struct vcl_ctx *ctx, const struct inval_limits *soft)
{
	char err[BAN_ERR_LEN];
	struct search_family family;
	struct purged done;

	if (vrt_is_dry(ctx))
		return 0;
	COUNT_INC(s_purge);
	search_family_of(&ctx->req->search, &family);
	if (invalidate_url(ctx->req->key.hash, &family, soft, &done, err) != 0)
		vrt_failf(ctx, "Purge could not be stored: %s", err);
	else
		inval_audit(ctx->log, soft != NULL ? "softpurge" : "purge",
		    ctx->req->http.target, &done);
	return done.objects;
}

VCL_INT
vmod_purge_hard(struct vcl_ctx *ctx)
{
	return purge(ctx, NULL);
}

VCL_INT
vmod_purge_soft(struct vcl_ctx *ctx, VCL_DURATION ttl, VCL_DURATION grace,
    VCL_DURATION keep)
{
	struct inval_limits limits = {ttl, grace, keep};

	return purge(ctx, ttl == 0 && grace == 0 && keep == 0 ? NULL
							      : &limits);
}
