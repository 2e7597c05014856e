/*
 * compile.h - a VCL program, from its text to an object that loads.
 *
 *      <name>.vcl or inline text
 *          |  child 1: vcl_compile()
 *      vcl/<name>.<n>/vcl.c
 *          |  child 2: cc_command
 *      vcl/<name>.<n>/vcl.so
 *          |  child 3: loads it, looks at its ABI
 *      vcl/<name>.<n>/source         what vcl.show -v prints
 */
#ifndef COPAL_COMPILE_H
#define COPAL_COMPILE_H

#include "cli.h"

enum { COMPILE_PATH_MAX = 600 };

/*
 * path: the VCL file, absolute or to be looked for in vcl_path; NULL: text
 * is the program.  dir is filled with the absolute name of the folder.
 * Diagnostics, warnings too, are appended to out.  false: there is
 * no folder.
 */
bool compile_vcl(const char *name, const char *path, struct str text,
    char dir[COMPILE_PATH_MAX], struct cli_answer *out);

/* -C: prints C to stdout, diagnostics to stderr; the exit code. */
int compile_print(const char *path, struct str text);

#endif
