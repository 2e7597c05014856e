/*
 * vcl_compile.h - VCL text in, C text out.
 *
 * A pure function but for reading the files that VCL includes: no sockets, no
 * dlopen, no globals.  Run it in a child with limits: it may take memory and
 * time in proportion to its input.
 */
#ifndef COPAL_VCL_COMPILE_H
#define COPAL_VCL_COMPILE_H

#include <stdbool.h>

#include "str.h"

struct vcl_compile_options {
	const char
	    *vcl_path; /* folders, colon-separated, for include; may be "" */
	const char *vmod_path;
	bool warnings_are_errors;
	bool unused_is_error;  /* a backend, acl, probe or sub */
	bool no_files;         /* include is an error */
	bool no_paths;         /* include "a/b" and import from are errors */
	unsigned max_includes; /* 0: 1000 */
	/* Opens an included file; -1 with errno.  NULL: open() does. */
	int (*open_file)(const char *path);
	/* name number i of those that vcl(label) may name, NULL behind the
	 * last; label itself NULL: any name will do */
	const char *(*label)(unsigned i);
};

struct vcl_compile_result {
	char *c; /* malloc'ed, NUL-terminated; NULL on an error */
	/* malloc'ed; "" if there are none: warnings too; NULL: no memory */
	char *diagnostics;
	unsigned error_n, warning_n;
};

/*
 * name: how messages call it: a path (relative includes start from its
 * folder) or "<inline>".  builtin.vcl is appended.  0, or -1 on errors in the
 * VCL.
 */
int vcl_compile(const char *name, struct str text,
    const struct vcl_compile_options *, struct vcl_compile_result *);
void vcl_compile_result_free(struct vcl_compile_result *);

extern const char builtin_vcl_text[]; /* vcl/builtin.vcl */
extern const char vcl_abi_text[];     /* include/vcl_abi.h */

#endif
