/*
 * h2.c - module h2: HTTP/2 sessions, of which there are none.
 */
#include "vmod.h"
#include "vcl/vmod_functions.h"

VCL_BOOL
vmod_h2_is(struct vcl_ctx *ctx)
{
	(void)ctx;
	return false;
}

VCL_DURATION
vmod_h2_rapid_reset(struct vcl_ctx *ctx, bool has, VCL_DURATION threshold)
{
	(void)ctx;
	(void)has;
	(void)threshold;
	return -1;
}

VCL_INT
vmod_h2_rapid_reset_limit(struct vcl_ctx *ctx, bool has, VCL_INT number)
{
	(void)ctx;
	(void)has;
	(void)number;
	return -1;
}

VCL_DURATION
vmod_h2_rapid_reset_period(struct vcl_ctx *ctx, bool has,
    VCL_DURATION duration)
{
	(void)ctx;
	(void)has;
	(void)duration;
	return -1;
}

VCL_REAL
vmod_h2_rapid_reset_budget(struct vcl_ctx *ctx)
{
	(void)ctx;
	return -1;
}
