/*
 * symbols.h - names and what they stand for.
 */
#ifndef COPAL_VCC_SYMBOLS_H
#define COPAL_VCC_SYMBOLS_H

#include "ast.h"
#include "diagnostics.h"

/* A variable of tbl/vcl_vars.h. */
struct vcc_var {
	const char *c_name, *name;
	enum vcc_type type;
	unsigned read, write, unset; /* masks */
};

/* A head of tbl/vcl_heads.h. */
struct vcc_head {
	const char *c_name, *name;
	unsigned use, read, write, unset;
};

/* in the masks beside the bits of enum vcl_sub_id */
#define VS_ONLY40 (1u << 30)
#define VS_ONLY41 (1u << 31)
#define VS_SUBS   (VS_ONLY40 - 1)

enum vcc_symbol_kind {
	SYMBOL_BACKEND,  /* record */
	SYMBOL_PROBE,    /* record */
	SYMBOL_ACL,      /* acl */
	SYMBOL_SUB,      /* sub */
	SYMBOL_MODULE,   /* module */
	SYMBOL_OBJECT,   /* object, number */
	SYMBOL_VAR,      /* var */
	SYMBOL_FUNCTION, /* function */
};

struct vcc_symbol {
	enum vcc_symbol_kind kind;
	struct str name;
	struct vcc_span at; /* source NULL: it is VCL's own */
	bool used;
	bool certain; /* SYMBOL_OBJECT: each vcl_init that succeeds makes it */
	unsigned number;
	struct vcc_record *record;
	struct vcc_acl *acl;
	struct vcc_sub *sub;
	struct vcc_module *module;
	struct vcc_object *object;
	const struct vcc_var *var;
	struct vcc_function *function;
	unsigned hash;
	struct vcc_symbol *next; /* in order of appearance */
};

struct vcc_symbols {
	bool is_text; /* of constants: case makes a difference, not for names */
	struct vcc_symbol **slot; /* open addressing */
	unsigned slot_n, n;
	struct vcc_symbol *first, **end;
};

/* VCL's variables and functions. */
void vcc_symbols_init(struct vcc *);
/*
 * Subs and probes have names of their own: a backend may have the same one,
 * and "default" often is the name of both.
 */
struct vcc_symbol *vcc_find(struct vcc *, struct str name);
struct vcc_symbol *vcc_find_sub(struct vcc *, struct str name);
struct vcc_symbol *vcc_find_probe(struct vcc *, struct str name);
/* NULL after an error was reported: the name is taken, or reserved. */
struct vcc_symbol *vcc_define(
    struct vcc *, enum vcc_symbol_kind, struct str name, struct vcc_span at);
/*
 * The number of a constant: that of an equal one that was met before, else
 * n, and *is_new.
 */
unsigned vcc_intern(struct vcc *, struct vcc_symbols *, struct str key,
    unsigned n, bool *is_new);
/* "a backend" */
const char *vcc_symbol_kind_name(enum vcc_symbol_kind);
/* Has it the value of a type (BACKEND...)? Not: TYPE_MAX. */
enum vcc_type vcc_symbol_type(const struct vcc_symbol *);

/* Tries the names of one kind. */
void vcc_nearest_symbol(
    struct vcc *, struct vcc_nearest *, enum vcc_symbol_kind);

const struct vcc_head *vcc_head(unsigned http); /* enum vcl_http */
int vcc_find_head(struct str name);             /* -1 */
unsigned vcc_head_n(void);
const char *vcc_sub_name(unsigned id);     /* enum vcl_sub_id */
int vcc_find_builtin_sub(struct str name); /* -1 */
/* "client" and the like: a mask; 0 if it is no such word */
unsigned vcc_side_mask(struct str);
/* "vcl_hit, vcl_deliver" */
const char *vcc_mask_text(struct vcc *, unsigned mask);

/* enum vcl_ret of a word; 0 */
int vcc_find_verdict(struct str word);
const char *vcc_verdict_word(int verdict);
const char *vcc_verdict_id(int verdict);
/* Where it may be returned: mask of enum vcl_sub_id. */
unsigned vcc_verdict_subs(int verdict);
/* What it takes in parentheses. */
enum vcc_verdict_args {
	NO_ARGS,
	OPTIONAL_STRING,
	OPTIONAL_DURATION,
	OPTIONAL_STATUS_REASON,
	STATUS_REASON,
	LABEL,
};
enum vcc_verdict_args vcc_verdict_args(int verdict);

#endif
