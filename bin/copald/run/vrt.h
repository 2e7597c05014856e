/*
 * vrt.h - what compiled VCL calls, by name: variables.
 *
 * Their prototypes come from tbl/vcl_vars.h.  Functions of vcl_abi.h are
 * declared there, those of modules in vcl/vmod_functions.h.
 */
#ifndef COPAL_VRT_H
#define COPAL_VRT_H

#include "ctx.h"
#include "fiber.h"

struct addr;

/* Setters: by type, since a BODY's differs. */
#define VRT_W(type, c) void vrt_w_##c(struct vcl_ctx *, VCL_##type)
#define VRT_W_BODY(c) void vrt_w_##c(struct vcl_ctx *, bool, VCL_STRING)
#define VRT_VAR(type, c)                                                      \
	VCL_##type vrt_r_##c(struct vcl_ctx *);                               \
	VRT_W(type, c);                                                       \
	void vrt_u_##c(struct vcl_ctx *);
#define VRT_VAR_STRING(c) VRT_VAR(STRING, c)
#define VRT_VAR_IP(c) VRT_VAR(IP, c)
#define VRT_VAR_BOOL(c) VRT_VAR(BOOL, c)
#define VRT_VAR_INT(c) VRT_VAR(INT, c)
#define VRT_VAR_BYTES(c) VRT_VAR(BYTES, c)
#define VRT_VAR_DURATION(c) VRT_VAR(DURATION, c)
#define VRT_VAR_TIME(c) VRT_VAR(TIME, c)
#define VRT_VAR_BACKEND(c) VRT_VAR(BACKEND, c)
#define VRT_VAR_STEVEDORE(c) VRT_VAR(STEVEDORE, c)
#define VRT_VAR_BLOB(c) VRT_VAR(BLOB, c)
#define VRT_VAR_BODY(c)                                                       \
	VRT_W_BODY(c);                                                        \
	void vrt_u_##c(struct vcl_ctx *);
/* more than there is: the masks can't be looked at here */
#define VCL_VAR(c, name, type, r, w, u, doc) VRT_VAR_##type(c)
#include "tbl/vcl_vars.h"
#undef VCL_VAR

/*
 * The query's parameters in order, empty ones left out; url itself if they
 * are.  p == NULL: no room.
 */
struct str querysort(struct arena *, struct str url);

#endif
