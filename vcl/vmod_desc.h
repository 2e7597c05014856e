/*
 * vmod_desc.h - what a module's description says: its functions, objects.
 *
 * The format is described in vmod/std.vmod.
 */
#ifndef COPAL_VCC_VMOD_DESC_H
#define COPAL_VCC_VMOD_DESC_H

#include "ast.h"
#include "mem.h"

enum vcc_priv {
	PRIV_NONE,
	PRIV_CALL,
	PRIV_VCL,
	PRIV_TASK,
	PRIV_TOP,
};

struct vcc_arg {
	enum vcc_type type;
	struct str name;        /* p NULL if it has none */
	enum vcc_priv priv;     /* then the rest means nothing */
	bool optional;          /* [TYPE name] */
	struct vcc_expr *value; /* default; NULL if it has none */
	struct str *word;       /* TYPE_ENUM */
	unsigned word_n;
};

struct vcc_function {
	struct str name;
	struct vcc_module *module; /* NULL: VCL's own */
	struct vcc_object *object; /* a method's */
	const char *c_name;
	enum vcc_type type;
	struct vcc_arg *arg;
	unsigned arg_n;
	unsigned allowed; /* mask of enum vcl_sub_id */
	bool used;        /* emit a prototype */
	bool inlined;     /* the ABI has its prototype */
	struct vcc_function *next;
};

struct vcc_object {
	struct str name;
	struct vcc_module *module;
	struct vcc_function *init;
	struct vcc_function *method;
	bool used;
	struct vcc_object *next;
};

struct vcc_module {
	struct str name;
	struct vcc_function *function;
	struct vcc_object *object;
	bool priv_vcl; /* one struct vmod_priv for the program */
	unsigned priv_number;
	struct vcc_module *next;
};

/* NULL if there is no such module. */
struct vcc_module *vcc_module_load(struct vcc *, struct str name);
/* The names of all modules: NULL at the end. */
const char *vcc_module_name(unsigned i);
/* "STRING regsub(STRING str, ...)"; for VCL's own functions */
struct vcc_function *vcc_function_from_text(struct vcc *, const char *text);

struct vcc_function *vcc_function_find(
    struct vcc_function *first, struct str name);
struct vcc_object *vcc_object_find(const struct vcc_module *, struct str name);
/* "TYPE name(TYPE a, [TYPE b])" for messages */
const char *vcc_function_text(struct vcc *, const struct vcc_function *);
/* Its C prototype, with ";\n". */
void vcc_function_prototype(struct vcc_buf *, const struct vcc_function *);
/* And those of an object: its struct, __init and __fini. */
void vcc_object_prototypes(struct vcc_buf *, const struct vcc_object *);

#endif
