/*
 * compiler.h - one compilation: what its stages share.
 *
 *   source -> lexer -> parser -> symbols, subs -> check -> calls -> emit
 *
 * A stage reports errors and goes on as well as it can; the next one runs
 * only if there were none.
 */
#ifndef COPAL_VCC_COMPILER_H
#define COPAL_VCC_COMPILER_H

#include "diagnostics.h"
#include "mem.h"
#include "module.h"
#include "symbols.h"
#include "vcl_abi.h"
#include "vcl_compile.h"
#include "vmod_desc.h"

enum {
	/* braces and parentheses: bounds our stack, and suits the C compiler */
	VCC_BLOCK_DEPTH_MAX = 100,
	VCC_EXPR_DEPTH_MAX = 40,
	/* of sums and products in one expression, which nest in C */
	VCC_ARITHMETIC_MAX = 60,
	/* operands side by side: what the C compiler needs grows faster */
	VCC_OPERANDS_MAX = 10000,
	/* of subs: each has a frame on the fiber's stack */
	VCC_CALL_DEPTH_MAX = 32,
};

struct vcc_regex {
	struct str pattern;
	struct vcc_span at;
};

struct vcc_ip {
	struct str text;
	struct vcc_span at;
};

struct vcc {
	struct vcc_mem mem;
	const struct vcl_compile_options *options;

	struct vcc_source **source;
	unsigned source_n;
	size_t source_total; /* bytes */

	struct vcc_buf messages;
	unsigned error_n, warning_n;
	bool stop;       /* too many errors: the lexer sees the end */
	bool incomplete; /* what errors hide may define names */
	bool quiet;      /* the last message was left out: so are its notes */

	struct vcc_symbols symbols; /* all but these two: */
	struct vcc_symbols subs_by_name;
	struct vcc_symbols probes_by_name;
	unsigned syntax; /* of the program */

	struct vcc_sub *sub, **sub_end;
	unsigned sub_n;
	struct vcc_sub *builtin[VCL_SUB_MAX];
	struct vcc_record *backend, **backend_end;
	unsigned backend_n;
	struct vcc_record *probe, **probe_end; /* named and inline */
	unsigned probe_n;
	struct vcc_acl *acl, **acl_end;
	unsigned acl_n;
	struct vcc_module *module;
	struct vcc_function *function; /* VCL's own */
	struct vcc_function *method[TYPE_MAX];
	struct vcc_symbol *default_backend;

	/* constants of the program, found by the check */
	struct vcc_regex *regex;
	unsigned regex_n;
	struct vcc_symbols regexes;
	struct vcc_ip *ip;
	unsigned ip_n;
	struct vcc_symbols ips;
	struct str *header;
	unsigned header_n;
	struct vcc_symbols headers; /* by name in lower case */
	struct str *label; /* of vcl(label) */
	unsigned label_n;
	unsigned object_n;
	unsigned priv_n;
	unsigned import_n, listener_n; /* modules in files; with an event */
	unsigned char
	    *var_used; /* by number in tbl/vcl_vars.h: 1 r, 2 w, 4 u */
};

enum { VAR_READ = 1, VAR_WRITE = 2, VAR_UNSET = 4 };

/* tbl/vcl_vars.h */
extern const struct vcc_var vcc_vars[];
extern const unsigned vcc_var_n;

/* parser.c: the program of a source, and of what it includes */
void vcc_parse(struct vcc *, struct vcc_source *);
/* declare.c: backend, probe and acl; called at their names */
struct vcc_parser;
void vcc_parse_backend(struct vcc_parser *);
void vcc_parse_probe(struct vcc_parser *);
void vcc_parse_acl(struct vcc_parser *);
/* check.c: names, types and access, in all subs */
void vcc_check(struct vcc *);
/* expr.c: gives e a meaning and the type want; NULL after an error */
struct vcc_expr *vcc_check_expr(
    struct vcc *, struct vcc_sub *, struct vcc_expr *, enum vcc_type want);
/* The same, of what is set or unset: VAR_WRITE or VAR_UNSET. */
struct vcc_expr *vcc_check_target(
    struct vcc *, struct vcc_sub *, struct vcc_expr *, unsigned access);
/* l op r, of checked operands; NULL after an error */
struct vcc_expr *vcc_arithmetic_expr(
    struct vcc *, unsigned op, struct vcc_expr *l, struct vcc_expr *r);
struct vcc_expr *vcc_concat_expr(
    struct vcc *, struct vcc_expr *l, struct vcc_expr *r);
/* call.c: a call of a function, of a method or (init) of an object's type */
struct vcc_expr *vcc_check_call(
    struct vcc *, struct vcc_sub *, struct vcc_expr *);
struct vcc_expr *vcc_check_method(
    struct vcc *, struct vcc_sub *, struct vcc_expr *);
struct vcc_expr *vcc_check_new(
    struct vcc *, struct vcc_sub *, struct vcc_expr *);
/* name.c: what a name stands for; access: VAR_READ... */
struct vcc_expr *vcc_check_name(struct vcc *, struct vcc_sub *,
    struct vcc_expr *, enum vcc_type want, unsigned access);
/* regex.c: its number; UINT_MAX after an error */
unsigned vcc_regex_number(struct vcc *, const struct vcc_expr *);
/* calls.c: who calls whom; uses where they are not allowed */
void vcc_check_calls(struct vcc *);
/* lint.c, lint_regex.c: warnings about what was surely not meant */
void vcc_lint(struct vcc *);
void vcc_lint_regexes(struct vcc *);
/* emit.c: the C text, malloc'ed; NULL if there is no memory */
char *vcc_emit(struct vcc *);
/* A use of something that only allowed subs may do. */
struct vcc_use *vcc_use(struct vcc *, struct vcc_sub *, struct vcc_span,
    unsigned allowed, const char *what);
/* That sub is run by this one. */
void vcc_edge(
    struct vcc *, struct vcc_sub *from, struct vcc_sub *to, struct vcc_span at);

#endif
