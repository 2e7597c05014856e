/*
 * vmod_desc.h - what a module's description says: its functions, objects.
 *
 * vmod_read.c reads the format, which copalvmod(1) describes; vmod_file.c
 * finds modules, ours and those in files; vmod_desc.c knows what they are
 * in C.
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
	unsigned allowed;       /* mask of enum vcl_sub_id */
	struct str restriction; /* as it is written; p NULL if it has none */
	struct str doc;         /* prose; lines that begin at once are not */
	bool used;              /* emit a prototype */
	bool inlined;           /* the ABI has its prototype */
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
	struct str text;    /* all of the description */
	struct str summary; /* one line; p NULL if it has none */
	struct str doc;
	const char *path;    /* of its file; NULL: it is part of copald */
	const char *event;   /* the function's C name; NULL: none */
	unsigned function_n; /* in C: how many of them the program uses */
	struct vcc_function *function;
	struct vcc_object *object;
	bool priv_vcl; /* one struct vmod_priv for the program */
	unsigned priv_number;
	struct vcc_module *next;
};

/*
 * The module that "import name from path" means; path: p NULL if there is
 * none.  NULL after an error was reported.
 */
struct vcc_module *vcc_module_import(
    struct vcc *, struct str name, struct str path, struct vcc_span at);
/*
 * A description's text, which has to stay; path: what messages call it.  NULL
 * after errors were reported.
 */
struct vcc_module *vcc_module_read(
    struct vcc *, const char *path, struct str text);
/* The names of copald's own modules: NULL at the end. */
const char *vcc_module_name(unsigned i);
/* "STRING regsub(STRING str, ...)"; for VCL's own functions */
struct vcc_function *vcc_function_from_text(struct vcc *, const char *text);

struct vcc_function *vcc_function_find(
    struct vcc_function *first, struct str name);
struct vcc_object *vcc_object_find(const struct vcc_module *, struct str name);
/* "TYPE name(TYPE a, [TYPE b], TYPE c=1)", for messages and manuals */
const char *vcc_function_text(struct vcc *, const struct vcc_function *);

/* --- in C ---------------------------------------------------------------- */

/* Its prototype, with ";\n"; pointer: of a pointer to it, "(*name)". */
void vcc_function_prototype(
    struct vcc_buf *, const struct vcc_function *, bool pointer);
/* And those of an object: its struct, __init and __fini. */
void vcc_object_prototypes(
    struct vcc_buf *, const struct vcc_object *, bool pointers);
/*
 * Calls fn with the C name of each function of a module: of all, or of those
 * that the program uses.
 */
void vcc_module_each(struct vcc *, const struct vcc_module *, bool all,
    void (*fn)(void *arg, const char *c_name), void *arg);

#endif
