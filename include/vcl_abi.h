/*
 * vcl_abi.h - between a compiled VCL program and the worker that runs it.
 *
 * The compiler emits C that includes nothing but this text (it is embedded
 * in copald, so that a host needs no headers), and the worker resolves the
 * vrt_* functions.  A program exports one symbol: vcl_program.
 *
 * Strings are slices (pointer, length); p == NULL is an unset header.  What a
 * vrt_* function gives lives as long as the transaction (its workspace) or
 * the program.  A call that fails (workspace full, bad argument) records it
 * in the transaction and returns a harmless value: the sub's result then is
 * VCL_RET_FAIL, whatever it returned.
 *
 * DURATION, TIME (since 1970) and REAL are doubles, in seconds.
 */
#ifndef COPAL_VCL_ABI_H
#define COPAL_VCL_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VCL_ABI_VERSION 3

/* few programs use all of what is inline here */
#define VCL_INLINE static inline __attribute__((unused))

#ifndef COPAL_STR_H
struct str {
	const char *p;
	size_t len;
};
#endif
#define VCL_S(literal) ((struct str){"" literal, sizeof(literal) - 1})

struct addr;      /* IP */
struct backend;   /* BACKEND */
struct vcl_acl;   /* ACL */
struct vcl_regex; /* REGEX */
struct vcl_stevedore; /* STEVEDORE */
struct program_label; /* the VCL that return (vcl(label)) goes to */
struct vcl_ctx;   /* the transaction; a program sees its head only */

/* What struct vcl_ctx begins with, so that a program sees it with a load. */
struct vcl_ctx_head {
	/* something failed, or vrt_call() ended the sub: it returns FAIL */
	bool failed;
	const char *where; /* "file:line" of the call under way, or NULL */
};

/*
 * What a module keeps: for one place that calls it (PRIV_CALL) or for one
 * program (PRIV_VCL).  Zeroed at first; shared by all cores.  The worker
 * calls free(p) when it unloads the program.
 */
struct vmod_priv {
	void *p;
	size_t len;
	void (*free)(void *);
};

/*
 * What a module can be told of a program that imports it: at first LOAD, at
 * last DISCARD; between them WARM before it runs requests, COLD after.
 */
enum vmod_event {
	VMOD_EVENT_LOAD,
	VMOD_EVENT_WARM,
	VMOD_EVENT_COLD,
	VMOD_EVENT_DISCARD,
};

/*
 * priv is the program's.  Not 0, or vrt_failf(): LOAD and WARM are refused
 * with that message; the others can't be.
 */
typedef int vmod_event_fn(struct vcl_ctx *, struct vmod_priv *,
    enum vmod_event);

struct vcl_blob { /* BLOB */
	const void *p;
	size_t len;
};

/* What a sub returned.  Order and names: tbl/vcl_verdicts.h. */
enum vcl_ret {
	VCL_RET_NONE = 0, /* fell off its end: the next sub of that name */
	VCL_RET_ABANDON,
	VCL_RET_BERESP,
	VCL_RET_DELIVER,
	VCL_RET_ERROR,
	VCL_RET_FAIL,
	VCL_RET_FETCH,
	VCL_RET_HASH,
	VCL_RET_LOOKUP,
	VCL_RET_MERGE,
	VCL_RET_MISS,
	VCL_RET_OBJ_STALE,
	VCL_RET_OK,
	VCL_RET_PASS,
	VCL_RET_PIPE,
	VCL_RET_PURGE,
	VCL_RET_RESTART,
	VCL_RET_RETRY,
	VCL_RET_SYNTH,
	VCL_RET_VCL,
};

/* Built-in subs.  Order and names: tbl/vcl_subs.h. */
enum vcl_sub_id {
	VCL_SUB_RECV,
	VCL_SUB_PIPE,
	VCL_SUB_PASS,
	VCL_SUB_HASH,
	VCL_SUB_PURGE,
	VCL_SUB_MISS,
	VCL_SUB_HIT,
	VCL_SUB_DELIVER,
	VCL_SUB_SYNTH,
	VCL_SUB_BACKEND_FETCH,
	VCL_SUB_BACKEND_RESPONSE,
	VCL_SUB_BACKEND_REFRESH,
	VCL_SUB_BACKEND_ERROR,
	VCL_SUB_INIT,
	VCL_SUB_FINI,
	VCL_SUB_MAX
};

typedef enum vcl_ret vcl_sub_fn(struct vcl_ctx *);

/* Which head a header access means. */
enum vcl_http {
	VCL_HTTP_REQ,
	VCL_HTTP_REQ_TOP,
	VCL_HTTP_BEREQ,
	VCL_HTTP_BERESP,
	VCL_HTTP_OBJ,
	VCL_HTTP_RESP,
	VCL_HTTP_OBJ_STALE,
	VCL_HTTP_REQ0,
};

/* A header's name; id is filled in by the worker when it loads the program. */
struct vcl_header {
	struct str name;
	unsigned id;
};

/* HEADER: a header of a head, as an argument of a function. */
struct vcl_header_ref {
	enum vcl_http http;
	const struct vcl_header *header;
};

/* An address in the program's text; a name is resolved when it is loaded. */
struct vcl_ip_def {
	const char *text;
	const char *where;           /* "file:line" */
	const struct addr **instance; /* filled in */
};

/* A regular expression; the worker compiles it when it loads the program. */
struct vcl_regex_def {
	struct str pattern;
	const char *where;           /* "file:line" */
	struct vcl_regex **compiled; /* filled in */
};

struct vcl_backend_def {
	const char *name;
	struct str host, port, path; /* path: unix socket; p NULL if absent */
	struct str host_header;
	struct backend **via;        /* instance to go through, or NULL */
	struct str authority;        /* for via; p NULL: host_header or host */
	double connect_timeout, first_byte_timeout, between_bytes_timeout;
	                             /* < 0: the parameter */
	double wait_timeout;         /* < 0: the parameter */
	int wait_limit;              /* < 0: the parameter */
	double idle_timeout;         /* < 0: the parameter */
	int max_idle;                /* < 0: the parameter */
	unsigned max_connections;    /* 0: no limit */
	unsigned proxy_header;       /* 0, 1, 2 */
	bool none;                   /* backend x none; */
	const struct vcl_probe_def *probe;
	struct vcl_blob preamble; /* sent on new connections; p may be NULL */
	struct backend **instance;   /* filled in */
};

struct vcl_probe_def {
	const char *name;            /* NULL: inline */
	struct str url, request;     /* request: whole head if given */
	double timeout, interval;    /* < 0: default */
	int expected_response;       /* -1: default */
	int window, threshold, initial; /* -1: default */
	bool expect_close;
};

struct vcl_acl_entry {
	struct str host;             /* an address or a name to resolve */
	int mask;                    /* -1: none given */
	bool negated;
	bool optional;               /* in parentheses: need not resolve */
};

#define VCL_ACL_LOG          1u  /* +log */
#define VCL_ACL_FOLD         2u  /* +fold */
#define VCL_ACL_NOT_PEDANTIC 4u  /* -pedantic: host bits may be set */

struct vcl_acl_def {
	const char *name;
	const struct vcl_acl_entry *entry;
	unsigned entry_n;
	unsigned flags;              /* VCL_ACL_* */
	struct vcl_acl **instance;   /* filled in */
};

/* A label that return (vcl(name)) names. */
struct vcl_label_def {
	const char *name;
	const struct program_label **instance; /* filled in */
};

struct vcl_source {
	const char *path;            /* as found, "<builtin>", "<inline>" */
	struct str text;
};

/* A module in a file of its own (vmod.h); lib/module.h opens it. */
struct vcl_import {
	const char *name, *path;
	uint64_t sum;                /* module_sum() of its description */
	const char *const *function; /* those that the program calls */
	unsigned function_n;
	/* takes their addresses, in that order */
	void (*connect)(void (*const *)(void));
	void **handle;               /* filled in */
};

/* A module that is told of what happens to the program. */
struct vcl_listener {
	const char *module;
	vmod_event_fn **function;
	struct vmod_priv *priv;
};

struct vcl_program_info {
	unsigned abi;                /* VCL_ABI_VERSION */
	unsigned syntax;             /* 40 or 41 */
	vcl_sub_fn *sub[VCL_SUB_MAX]; /* never NULL: builtin.vcl is appended */
	const struct vcl_backend_def *backend;
	unsigned backend_n;
	struct backend **default_backend; /* instance of it; NULL if none */
	const struct vcl_probe_def *const *probe; /* the named ones */
	unsigned probe_n;
	const struct vcl_acl_def *acl;
	unsigned acl_n;
	const struct vcl_regex_def *regex;
	unsigned regex_n;
	const struct vcl_ip_def *ip;
	unsigned ip_n;
	struct vcl_header *const *header; /* every header constant */
	unsigned header_n;
	const struct vcl_source *source;
	unsigned source_n;
	const char *const *vmod;     /* names of imported modules */
	unsigned vmod_n;
	const struct vcl_import *import; /* those in files of their own */
	unsigned import_n;
	const struct vcl_listener *listener;
	unsigned listener_n;
	const struct vcl_label_def *label;
	unsigned label_n;
	struct vmod_priv *const *priv; /* to be freed with the program */
	unsigned priv_n;
	/* after vcl_fini: frees the module objects; NULL if there are none */
	void (*fini_objects)(void);
};

/* The one symbol that a program exports. */
extern const struct vcl_program_info vcl_program;

/* --- flow ---------------------------------------------------------------- */

/* return (synth(status, reason)), return (error(...)): record the arguments */
void vrt_set_synth(struct vcl_ctx *, int64_t status, struct str reason);
void vrt_set_pass_ttl(struct vcl_ctx *, double ttl); /* return (pass(10s)) */
/* return (vcl(x)) */
void vrt_set_vcl(struct vcl_ctx *, const struct program_label *);
/* return (fail("...")), and run-time errors; where: "file:line" or NULL */
void vrt_fail(struct vcl_ctx *, struct str why);

/* After a statement that may fail: true, the sub must return FAIL. */
VCL_INLINE bool
vrt_failed(const struct vcl_ctx *ctx)
{
	return __builtin_expect(
	    ((const struct vcl_ctx_head *)(const void *)ctx)->failed, 0);
}

/* Where we are, for messages; set before calls of modules. */
VCL_INLINE void
vrt_at(struct vcl_ctx *ctx, const char *where)
{
	((struct vcl_ctx_head *)(void *)ctx)->where = where;
}

/* --- strings ------------------------------------------------------------- */

/*
 * What is unset (p NULL) equals nothing, not even itself or "", and is neither
 * before nor at anything: vrt_str_cmp() is 1 then.  As in Varnish.
 * Inline, since b is mostly a constant.
 */
VCL_INLINE bool
vrt_str_eq(struct str a, struct str b)
{
	return a.p && b.p && a.len == b.len &&
	    !__builtin_memcmp(a.p, b.p, b.len);
}

struct str vrt_concat(struct vcl_ctx *, unsigned n, const struct str *);
int vrt_str_cmp(struct str a, struct str b);
bool vrt_regex_match(struct vcl_ctx *, struct str subject,
    const struct vcl_regex *);
struct str vrt_regsub(struct vcl_ctx *, bool all, struct str subject,
    const struct vcl_regex *, struct str substitution);
/* the bytes of a BLOB that becomes a body */
VCL_INLINE struct str
vrt_blob_bytes(struct vcl_blob b)
{
	return (struct str){(const char *)b.p, b.len};
}

VCL_INLINE struct str
vrt_regsub_first(struct vcl_ctx *ctx, struct str s, const struct vcl_regex *re,
    struct str substitution)
{
	return vrt_regsub(ctx, false, s, re, substitution);
}

VCL_INLINE struct str
vrt_regsub_all(struct vcl_ctx *ctx, struct str s, const struct vcl_regex *re,
    struct str substitution)
{
	return vrt_regsub(ctx, true, s, re, substitution);
}

/* a regex that is not a constant: compiled when it runs */
bool vrt_regex_match_dynamic(struct vcl_ctx *, struct str subject,
    struct str pattern);
struct str vrt_string_lower(struct vcl_ctx *, struct str); /* ASCII */
struct str vrt_string_upper(struct vcl_ctx *, struct str);

struct str vrt_int_string(struct vcl_ctx *, int64_t);
struct str vrt_real_string(struct vcl_ctx *, double);
struct str vrt_bytes_string(struct vcl_ctx *, int64_t);
struct str vrt_duration_string(struct vcl_ctx *, double);
struct str vrt_time_string(struct vcl_ctx *, double); /* IMF-fixdate */
struct str vrt_bool_string(bool);
struct str vrt_ip_string(struct vcl_ctx *, const struct addr *);
struct str vrt_backend_string(const struct backend *);
bool vrt_backend_is_some(const struct backend *); /* and not 'none' */
struct str vrt_stevedore_string(const struct vcl_stevedore *);
struct str vrt_acl_string(const struct vcl_acl *);
struct str vrt_probe_string(const struct vcl_probe_def *);
struct str vrt_blob_string(struct vcl_ctx *, struct vcl_blob); /* :base64: */

/* --- numbers: no overflow and no zero divisor stops the worker ----------- */

VCL_INLINE int64_t
vrt_int_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

VCL_INLINE int64_t
vrt_int_sub(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

VCL_INLINE int64_t
vrt_int_mul(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a * (uint64_t)b);
}

VCL_INLINE int64_t
vrt_int_div(struct vcl_ctx *ctx, int64_t a, int64_t b)
{
	if (b == 0)
		vrt_fail(ctx, VCL_S("division by zero"));
	return b == 0 ? 0 : b == -1 ? vrt_int_sub(0, a) : a / b;
}

VCL_INLINE int64_t
vrt_int_mod(struct vcl_ctx *ctx, int64_t a, int64_t b)
{
	if (b == 0)
		vrt_fail(ctx, VCL_S("division by zero"));
	return b == 0 || b == -1 ? 0 : a % b;
}

VCL_INLINE double
vrt_real_div(struct vcl_ctx *ctx, double a, double b)
{
	if (b == 0)
		vrt_fail(ctx, VCL_S("division by zero"));
	return b == 0 ? 0 : a / b;
}

/* BYTES of what was multiplied or divided; fails if it has no such value */
VCL_INLINE int64_t
vrt_real_bytes(struct vcl_ctx *ctx, double d)
{
	if (d > -9.2e18 && d < 9.2e18)
		return (int64_t)d;
	vrt_fail(ctx, VCL_S("a size is out of range"));
	return 0;
}

/* --- addresses ----------------------------------------------------------- */

bool vrt_acl_match(struct vcl_ctx *, const struct vcl_acl *,
    const struct addr *);
bool vrt_ip_eq(const struct addr *, const struct addr *);
/* a string constant where an IP is wanted: parsed once, when it loads */

/* --- heads --------------------------------------------------------------- */

struct str vrt_hdr_get(struct vcl_ctx *, enum vcl_http,
    const struct vcl_header *);
struct str vrt_header_string(struct vcl_ctx *, const struct vcl_header_ref *);
void vrt_hdr_set(struct vcl_ctx *, enum vcl_http, const struct vcl_header *,
    struct str value);
void vrt_hdr_unset(struct vcl_ctx *, enum vcl_http,
    const struct vcl_header *);

/* X-Varnish, or else X-Copal; and both of them away */
struct str vrt_ids_get(struct vcl_ctx *, enum vcl_http,
    const struct vcl_header *);
void vrt_ids_unset(struct vcl_ctx *, enum vcl_http,
    const struct vcl_header *);

/* --- actions ------------------------------------------------------------- */

void vrt_hash_data(struct vcl_ctx *, struct str);
void vrt_synthetic(struct vcl_ctx *, struct str); /* appends to the body */
struct str vrt_ban(struct vcl_ctx *, struct str expression); /* "" or why not */
void vrt_rollback(struct vcl_ctx *, enum vcl_http);
bool vrt_backend_healthy(struct vcl_ctx *, const struct backend *);
/* x.resolve(): what a director picks now; a backend itself */
struct backend *vrt_backend_resolve(struct vcl_ctx *, struct backend *);

/* storage.<name>; NULL, and a failure, if there is no such store */
const struct vcl_stevedore *vrt_stevedore(struct vcl_ctx *, struct str name);
int64_t vrt_stevedore_free_space(struct vcl_ctx *,
    const struct vcl_stevedore *);
int64_t vrt_stevedore_used_space(struct vcl_ctx *,
    const struct vcl_stevedore *);
bool vrt_stevedore_happy(struct vcl_ctx *, const struct vcl_stevedore *);

/*
 * What is kept under an address for this task (a request or a fetch), or for
 * its top; zeroed at first.  id: of a module, or of an object of one, whose
 * data are then apart from its fellows'.  NULL: no room, recorded as a
 * failure.
 */
struct vmod_priv *vrt_priv_task(struct vcl_ctx *, const void *id);
struct vmod_priv *vrt_priv_top(struct vcl_ctx *, const void *id);
/* A method is called, but vcl_init did not come to its object's 'new'. */
void vrt_no_object(struct vcl_ctx *, const char *name);

/*
 * --- variables: tbl/vcl_vars.h ---------------------------------------
 *
 * For each: its getter vrt_r_<name>, setter vrt_w_<name> and, where it can
 * be unset, vrt_u_<name>; dots become underscores.  A BODY's setter is
 * (ctx, bool append, VCL_STRING).  storage.<name>.* and *.http.* are not
 * variables but calls with an argument.
 */
typedef struct str VCL_STRING;
typedef bool VCL_BOOL;
typedef int64_t VCL_INT;
typedef double VCL_REAL;
typedef int64_t VCL_BYTES;
typedef double VCL_DURATION;
typedef double VCL_TIME;
typedef const struct addr *VCL_IP;
typedef struct backend *VCL_BACKEND;
typedef const struct vcl_acl *VCL_ACL;
typedef const struct vcl_probe_def *VCL_PROBE;
typedef const struct vcl_regex *VCL_REGEX;
typedef const struct vcl_stevedore *VCL_STEVEDORE;
typedef struct vcl_blob VCL_BLOB;
typedef const struct vcl_header_ref *VCL_HEADER;
typedef enum vcl_http VCL_HTTP;
typedef vcl_sub_fn *VCL_SUB;
typedef const char *VCL_ENUM;
typedef void VCL_VOID;

/*
 * The compiler appends the prototypes of what the program uses: of variables
 * (from tbl/vcl_vars.h) and of module functions (from their descriptions).
 */

#endif
