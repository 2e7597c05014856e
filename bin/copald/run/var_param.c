/*
 * var_param.c - param.*: parameters, as VCL reads them.
 */
#include "params.h"
#include "vrt.h"

#define PARAM(type, name)                                  \
	VCL_##type vrt_r_param_##name(struct vcl_ctx *ctx) \
	{                                                  \
		(void)ctx;                                 \
		return (VCL_##type)params->name;           \
	}
#define PARAM_DURATION(name, min, max, def, flags, doc)   PARAM(DURATION, name)
#define PARAM_BYTES(name, min, max, def, flags, doc)      PARAM(BYTES, name)
#define PARAM_UINT(name, min, max, def, unit, flags, doc) PARAM(INT, name)
#define PARAM_BOOL(name, def, flags, doc)                 PARAM(BOOL, name)
#define PARAM_STRING(name, def, flags, doc)
#include "tbl/params.h"
