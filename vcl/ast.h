/*
 * ast.h - a program as a tree: what the parser makes and the checker fills.
 *
 * The parser knows no types: it makes names, calls, sums.  The checker
 * replaces them by what they mean (a variable, a header, a concatenation),
 * each with its type, and adds the conversions.  All lives in struct vcc's
 * memory.
 */
#ifndef COPAL_VCC_AST_H
#define COPAL_VCC_AST_H

#include "lexer.h"
#include "types.h"

enum vcc_expr_kind {
	/* constants; REAL and DURATION in d, INT and BYTES in i */
	E_STRING,
	E_INT,
	E_REAL,
	E_DURATION,
	E_BYTES,
	E_BLOB,
	/* from the parser, and gone after the check */
	E_NAME, /* text, or head.http."text" if quoted */
	E_CALL, /* text(arg...) */
	E_SUM,  /* arg[0] op[1] arg[1] ...; op 0: side by side */
	E_PRODUCT,
	E_COMPARE, /* op: T_EQ ... '~', T_NOMATCH */
	/* from the parser, and kept */
	E_NEG,
	E_NOT,
	E_AND, /* any number of arg */
	E_OR,
	E_METHOD, /* arg[0].text(); then: function is method */
	/* from the checker */
	E_BOOL,   /* i */
	E_VAR,    /* var */
	E_HEADER, /* head, header: its value */
	E_HEADER_REF,
	E_HEAD,    /* head */
	E_SYMBOL,  /* symbol: a backend, an acl, a probe */
	E_SUB,     /* sub */
	E_STORAGE, /* storage.<text> */
	E_CONCAT,
	E_ARITHMETIC, /* op: + - * / % */
	E_FUNCTION,   /* function, arg as its description orders them; NULL:
			 absent */
	E_TO_STRING,
	E_TO_BOOL,
	E_TO_REAL,
	E_REGEX,          /* regex: number */
	E_IP,             /* a constant: number */
	E_ENUM,           /* text */
	E_STRING_COMPARE, /* op */
	E_NUMBER_COMPARE, /* op; also of pointers and BOOL */
	E_IP_COMPARE,
	E_REGEX_MATCH, /* op: '~' or T_NOMATCH */
	E_REGEX_MATCH_DYNAMIC,
	E_ACL_MATCH,
};

struct vcc_expr {
	enum vcc_expr_kind kind;
	enum vcc_type type; /* after the check */
	struct vcc_span at;
	bool may_fail; /* is vrt_failed() to be asked after it? */
	bool quoted;   /* E_NAME: .http."name" */
	unsigned op;
	unsigned number; /* of a constant in the program's tables */
	struct str text;
	int64_t i;
	double d;

	struct vcc_expr **arg;
	unsigned arg_n;
	unsigned char *arg_op; /* E_SUM, E_PRODUCT: before each arg */
	struct str *arg_name;  /* E_CALL: p NULL if it has none */

	unsigned head; /* enum vcl_http */
	const struct vcc_var *var;
	struct vcc_symbol *symbol;
	struct vcc_sub *sub;
	struct vcc_function *function;
	struct vcc_symbol *object; /* E_FUNCTION: whose method it is */
};

enum vcc_stmt_kind {
	S_SET,
	S_UNSET,
	S_CALL,
	S_RETURN,
	S_IF,
	S_DO, /* a function is called */
	S_NEW,
	S_BLOCK,
};

struct vcc_stmt;

/* One condition of an if, or (cond NULL) its else. */
struct vcc_arm {
	struct vcc_arm *next;
	struct vcc_expr *cond;
	struct vcc_stmt *body;
	struct vcc_span at;
};

struct vcc_stmt {
	enum vcc_stmt_kind kind;
	struct vcc_span at;
	struct vcc_stmt *next;

	struct vcc_expr *target; /* S_SET, S_UNSET */
	unsigned op;             /* S_SET: '=' or '+' for += and so on */
	struct vcc_expr *value;  /* S_SET, S_DO, S_NEW: the call */
	struct str name;         /* S_CALL, S_NEW */
	struct vcc_span name_at;
	struct vcc_sub *sub;       /* S_CALL, after the check */
	struct vcc_symbol *symbol; /* S_NEW */
	int verdict;               /* S_RETURN: enum vcl_ret; 0: bare */
	unsigned label;            /* S_RETURN: number, of vcl(label) */
	struct vcc_expr *arg[2];   /* of the verdict; NULL if absent */
	struct vcc_arm *arm;       /* S_IF */
	struct vcc_stmt *body;     /* S_BLOCK */
};

/* One "sub name { ... }"; several of one name are run one after the other. */
struct vcc_piece {
	struct vcc_piece *next;
	struct vcc_span at; /* of the name */
	struct vcc_stmt *body;
};

/* Something in a sub that only some built-in subs may do. */
struct vcc_use {
	struct vcc_use *next;
	struct vcc_span at;
	unsigned allowed; /* mask of enum vcl_sub_id */
	const char *what; /* "'req.url' can't be read" */
	bool harmless;    /* elsewhere it has no effect: a warning */
	unsigned older;   /* mask: where it is of older VCL, and works */
	const char *instead; /* why it should not be written there */
};

/* One sub calls another. */
struct vcc_edge {
	struct vcc_edge *next;
	struct vcc_sub *to;
	struct vcc_span at;
};

struct vcc_sub {
	struct str name;
	int id;          /* enum vcl_sub_id, -1 if it is not a built-in one */
	unsigned number; /* in order of appearance */
	struct vcc_piece *piece, **piece_end;
	struct vcc_use *use, **use_end;
	struct vcc_edge *edge, **edge_end;
	bool in_builtin; /* builtin.vcl has a piece of it */
	/* found by walking the calls */
	unsigned reached_from;  /* mask of enum vcl_sub_id */
	unsigned visit;         /* 0 not yet, 1 under way, 2 done */
	unsigned height;        /* calls below it, itself included */
	unsigned calls;         /* of subs in a run of it, itself included */
	struct vcc_sub *caller; /* one on the way from a built-in sub */
	struct vcc_sub *next;
};

enum { VCC_ATTRIBUTE_MAX = 32 };

/* backend and probe: attributes as C text, in the order of their tables. */
struct vcc_record {
	struct str name; /* p NULL: a probe inside a backend */
	struct vcc_span at;
	unsigned number;
	bool none;
	const char *value[VCC_ATTRIBUTE_MAX]; /* NULL: absent */
	struct vcc_span value_at[VCC_ATTRIBUTE_MAX];
	int64_t value_i[VCC_ATTRIBUTE_MAX]; /* of INT attributes */
	struct str text[VCC_ATTRIBUTE_MAX]; /* of strings, as written */
	/* backend: its probe by name, or its own */
	struct str probe_name;
	struct vcc_span probe_at;
	struct vcc_record *probe;
	struct vcc_record *next;
};

struct vcc_acl_entry {
	struct str host;
	int mask; /* -1: none */
	bool negated, optional;
	struct vcc_span at;
};

struct vcc_acl {
	struct str name;
	struct vcc_span at;
	unsigned number;
	unsigned flags; /* VCL_ACL_* */
	struct vcc_acl_entry *entry;
	unsigned entry_n;
	struct vcc_symbols *seen; /* networks: the first entry of each */
	struct vcc_acl *next;
};

#endif
