/*
 * vrt.h - what compiled VCL calls, by name: variables and module std.
 *
 * The prototypes of variables come from tbl/vcl_vars.h, those of module std
 * repeat vcl/vmod/std.vmod.  Functions of vcl_abi.h are declared there.
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

/* What blocks (reading a file, a host name) is done on the pool. */
VCL_REAL vmod_std_random(struct vcl_ctx *, VCL_REAL lo, VCL_REAL hi);
VCL_REAL vmod_std_round(struct vcl_ctx *, VCL_REAL);
VCL_VOID vmod_std_collect(struct vcl_ctx *, VCL_HEADER, VCL_STRING sep);
VCL_STRING vmod_std_querysort(struct vcl_ctx *, VCL_STRING url);
VCL_STRING vmod_std_toupper(struct vcl_ctx *, VCL_STRING);
VCL_STRING vmod_std_tolower(struct vcl_ctx *, VCL_STRING);
VCL_STRING vmod_std_strstr(struct vcl_ctx *, VCL_STRING s1, VCL_STRING s2);
VCL_BOOL vmod_std_fnmatch(struct vcl_ctx *, VCL_STRING pattern,
    VCL_STRING subject, VCL_BOOL pathname, VCL_BOOL noescape, VCL_BOOL period);
VCL_STRING vmod_std_fileread(struct vcl_ctx *, struct vmod_priv *,
    VCL_STRING path) WAITS;
VCL_BLOB vmod_std_blobread(struct vcl_ctx *, struct vmod_priv *,
    VCL_STRING path) WAITS;
VCL_BOOL vmod_std_file_exists(struct vcl_ctx *, VCL_STRING path);
VCL_BOOL vmod_std_healthy(struct vcl_ctx *, VCL_BACKEND);
VCL_INT vmod_std_port(struct vcl_ctx *, VCL_IP);
VCL_DURATION vmod_std_duration(struct vcl_ctx *, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_DURATION fallback, bool has_real, VCL_REAL real,
    bool has_integer, VCL_INT integer);
VCL_BYTES vmod_std_bytes(struct vcl_ctx *, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_BYTES fallback, bool has_real, VCL_REAL real,
    bool has_integer, VCL_INT integer);
VCL_INT vmod_std_integer(struct vcl_ctx *, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_INT fallback, bool has_bool, VCL_BOOL b,
    bool has_bytes, VCL_BYTES bytes, bool has_duration, VCL_DURATION duration,
    bool has_real, VCL_REAL real, bool has_time, VCL_TIME time);
VCL_IP vmod_std_ip(struct vcl_ctx *, VCL_STRING s, bool has_fallback,
    VCL_IP fallback, VCL_BOOL resolve, bool has_p, VCL_STRING p) WAITS;
VCL_REAL vmod_std_real(struct vcl_ctx *, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_REAL fallback, bool has_integer, VCL_INT integer,
    bool has_bool, VCL_BOOL b, bool has_bytes, VCL_BYTES bytes,
    bool has_duration, VCL_DURATION duration, bool has_time, VCL_TIME time);
VCL_TIME vmod_std_time(struct vcl_ctx *, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_TIME fallback, bool has_real, VCL_REAL real,
    bool has_integer, VCL_INT integer);
VCL_STRING vmod_std_strftime(struct vcl_ctx *, VCL_TIME, VCL_STRING format);
VCL_VOID vmod_std_log(struct vcl_ctx *, VCL_STRING);
VCL_VOID vmod_std_syslog(struct vcl_ctx *, VCL_INT priority, VCL_STRING);
VCL_VOID vmod_std_timestamp(struct vcl_ctx *, VCL_STRING);
VCL_BOOL vmod_std_syntax(struct vcl_ctx *, VCL_REAL version);
VCL_STRING vmod_std_getenv(struct vcl_ctx *, VCL_STRING name);
VCL_BOOL vmod_std_cache_req_body(struct vcl_ctx *, VCL_BYTES size) WAITS;
VCL_VOID vmod_std_late_100_continue(struct vcl_ctx *, VCL_BOOL late);
VCL_VOID vmod_std_set_ip_tos(struct vcl_ctx *, VCL_INT tos);
VCL_VOID vmod_std_rollback(struct vcl_ctx *, VCL_HTTP);
VCL_BOOL vmod_std_ban(struct vcl_ctx *, VCL_STRING expression) WAITS;
VCL_STRING vmod_std_ban_error(struct vcl_ctx *);
VCL_TIME vmod_std_now(struct vcl_ctx *);
VCL_DURATION vmod_std_timed_call(struct vcl_ctx *, VCL_SUB) WAITS;
VCL_INT vmod_std_real2integer(struct vcl_ctx *, VCL_REAL, VCL_INT fallback);
VCL_TIME vmod_std_real2time(struct vcl_ctx *, VCL_REAL, VCL_TIME fallback);
VCL_INT vmod_std_time2integer(struct vcl_ctx *, VCL_TIME, VCL_INT fallback);
VCL_REAL vmod_std_time2real(struct vcl_ctx *, VCL_TIME, VCL_REAL fallback);

/*
 * The query's parameters in order, empty ones left out; url itself if they
 * are.  p == NULL: no room.
 */
struct str querysort(struct arena *, struct str url);

#endif
