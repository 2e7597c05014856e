/*
 * vmod.h - what a module may use of the worker.
 *
 * A module is a description, whose format is in copalvmod(1), and C functions
 * of the prototypes that copalvmod makes of it.  They run on a core's fiber:
 * many at once, one a core, each with its own struct vcl_ctx.  What they keep
 * between calls is shared by all cores and protected by the module.
 *
 * A function that can't do its work calls vrt_failf() and returns any value
 * of its type; the transaction then ends with a 503 and a VCL_Error in the
 * log.  A full workspace does so by itself: what gives memory returns NULL
 * (or a string with p == NULL) and the function returns.
 *
 * Arguments live as long as the call: what is kept of them is copied.
 * Strings that a function gives back live in the workspace (vrt_alloc and its
 * kin), in the module's static data, or for as long as the program.
 */
#ifndef COPAL_VMOD_H
#define COPAL_VMOD_H

#include "vcl_abi.h"

/* --- which interface this is --------------------------------------------- */

/*
 * A module runs in a copald of the same major version and of the same or a
 * later minor one.  Additions make a new minor version, all other changes
 * to this file, to vmod_director.h, and to what vcl_abi.h says of types and
 * of functions that modules call, a new major one.  A patch release has
 * neither.
 */
#define VMOD_ABI_MAJOR 1
#define VMOD_ABI_MINOR 0

/*
 * What makes a shared object a module; "copalvmod --glue" writes it.  The
 * section has VMOD_MAGIC and the description, a NUL at its end: the compiler
 * reads them there and runs nothing of the module.
 */
#define VMOD_SECTION   "copal_vmod"
#define VMOD_SYMBOL    "copal_module" /* a struct vmod_module */
#define VMOD_WORD(n)   #n
#define VMOD_DIGITS(n) VMOD_WORD(n)
#define VMOD_MAGIC                                                            \
	"copal_vmod " VMOD_DIGITS(VMOD_ABI_MAJOR) "." VMOD_DIGITS(            \
	    VMOD_ABI_MINOR) "\n"

struct vmod_function {
	const char *name; /* its C name */
	void (*function)(void);
};

struct vmod_module {
	unsigned abi_major, abi_minor; /* first, in all versions */
	const char *description;
	const struct vmod_function *function;
	unsigned function_n;
};

/* --- memory of the task: gone with it ------------------------------------ */

/* n bytes, 8-byte aligned, not zeroed; NULL: full, recorded as a failure */
void *vrt_alloc(struct vcl_ctx *, size_t n);
/* A copy with a NUL behind it, of "" if s is unset; p == NULL: full. */
struct str vrt_copy(struct vcl_ctx *, struct str s);
/*
 * s itself if it lives as long as the task does, else a copy without a NUL;
 * "" of an unset one; p == NULL: full.
 */
struct str vrt_keep(struct vcl_ctx *, struct str s);
struct str vrt_printf(struct vcl_ctx *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * All that is left, *room bytes, for an output of unknown length; nothing
 * else may be taken until vrt_commit() says how much of it is kept (0: none,
 * and a failure is for the caller to record).  NULL: full.
 */
char *vrt_reserve(struct vcl_ctx *, size_t *room);
void vrt_commit(struct vcl_ctx *, size_t keep);

/* --- addresses ----------------------------------------------------------- */

struct sockaddr;
/* An IP's, *len bytes; AF_UNIX too */
const struct sockaddr *vrt_ip_sockaddr(VCL_IP, unsigned *len);
/* An IP of one, in the workspace; NULL: full, or len is too large: failed. */
VCL_IP vrt_ip_new(struct vcl_ctx *, const struct sockaddr *, unsigned len);

/* --- messages ------------------------------------------------------------ */

/* Records a failure: the task ends with 503; logged as VCL_Error. */
void vrt_failf(struct vcl_ctx *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A VCL_Log record; a VCL_Error record without a failure. */
void vrt_log(struct vcl_ctx *, struct str);
void vrt_log_error(struct vcl_ctx *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* --- where a call comes from --------------------------------------------- */

enum vcl_sub_id vrt_sub(const struct vcl_ctx *);
/* Of a request (true) or of a fetch; false too in vcl_init and vcl_fini. */
bool vrt_is_client(const struct vcl_ctx *);
bool vrt_is_backend(const struct vcl_ctx *);
/*
 * Is this a request that the administrator only wants to have explained?  What
 * lasts beyond it must not change then.
 */
bool vrt_is_dry(const struct vcl_ctx *);

/*
 * Runs a SUB.  false: it returned with a verdict, or failed; the function is
 * to return then, and the sub that called it ends with that verdict.
 */
bool vrt_call(struct vcl_ctx *, VCL_SUB);

/* --- heads: all fields, by their place ----------------------------------- */

/* Is there such a head here? */
bool vrt_has_head(const struct vcl_ctx *, enum vcl_http);
unsigned vrt_field_n(const struct vcl_ctx *, enum vcl_http);
/* i below vrt_field_n(); they live until the field is changed */
struct str vrt_field_name(const struct vcl_ctx *, enum vcl_http, unsigned i);
struct str vrt_field_value(const struct vcl_ctx *, enum vcl_http, unsigned i);
/* the next field of that name (case does not matter) at or after i; -1 */
int vrt_field_find(const struct vcl_ctx *, enum vcl_http, struct str name,
    unsigned i);
/*
 * Logged, checked as a "set" in VCL is; a head that can't be written (obj, or
 * none) is a failure.  add keeps those of the name that are there, set
 * replaces them; the value is copied if need be.
 */
void vrt_field_remove(struct vcl_ctx *, enum vcl_http, unsigned i);
void vrt_field_add(struct vcl_ctx *, enum vcl_http, struct str name,
    struct str value);
void vrt_field_set(struct vcl_ctx *, enum vcl_http, struct str name,
    struct str value);
/* field i becomes this one, at the same place */
void vrt_field_replace(struct vcl_ctx *, enum vcl_http, unsigned i,
    struct str name, struct str value);

/* --- regular expressions that are not constants of the program ----------- */

/* NULL with a message in err; the caller's, to vrt_regex_free(). */
struct vcl_regex *vrt_regex_new(struct str pattern, char *err, size_t err_len);
void vrt_regex_free(struct vcl_regex **);

#endif
