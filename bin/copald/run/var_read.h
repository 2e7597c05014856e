/*
 * var_read.h - a variable that VCL reads, and that is one expression of ctx.
 *
 * VAR_READ(TYPE, c_name, expression): TYPE and c_name as in tbl/vcl_vars.h.
 */
#ifndef VAR_READ_H
#define VAR_READ_H

#define VAR_READ(type, c_name, expression)                                    \
	VCL_##type vrt_r_##c_name(struct vcl_ctx *ctx)                        \
	{                                                                     \
		return expression;                                            \
	}

#endif
