/*
 * xkey.c - module xkey: purges by tag.
 */
#include "ban.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

static VCL_INT
purge(struct vcl_ctx *ctx, struct str keys, bool soft)
{
	char err[BAN_ERR_LEN] = "";
	struct purged done = {0};

	if (vrt_is_dry(ctx))
		return 0;
	if (tags_purge_list(keys, soft, &done, err) != 0)
		vrt_failf(ctx, "xkey.%s(): %s", soft ? "softpurge" : "purge",
		    err);
	else
		inval_audit(ctx->log, soft ? "softtags" : "tags", keys, &done);
	return done.objects;
}

VCL_INT
vmod_xkey_purge(struct vcl_ctx *ctx, VCL_STRING keys)
{
	return purge(ctx, keys, false);
}

VCL_INT
vmod_xkey_softpurge(struct vcl_ctx *ctx, VCL_STRING keys)
{
	return purge(ctx, keys, true);
}
