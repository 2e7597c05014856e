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
 *      vcl/<name>.<n>/labels         what it may go to
 *
 * They are children of a deputy of the manager, which does nothing else, so
 * that the manager's loop does not wait for them.  Each has limits
 * (oneshot.h); what is beyond one ends in a message.
 */
#ifndef COPAL_COMPILE_H
#define COPAL_COMPILE_H

#include <sys/types.h>

#include "cli.h"
#include "mgr.h"

enum { COMPILE_PATH_MAX = 600 };

struct compile {
	struct watch watch; /* first: found from it */
	pid_t pid;          /* of the deputy; 0: it has ended */
	char dir[COMPILE_PATH_MAX];
	struct cli_answer said; /* diagnostics, warnings too */
	/* called from the manager's loop; it may free the compile */
	void (*done)(struct compile *, bool ok);
};

/*
 * path: the VCL file, absolute or to be looked for in vcl_path; NULL: text
 * is the program.  name, path and text are used within this call alone.
 * true: done will be called; dir is the absolute name of the folder, which is
 * the caller's to remove if all went well, and gone else.  false: said has
 * the reason.
 */
bool compile_begin(
    struct compile *, const char *name, const char *path, struct str text);
/* Instead of done: waits for the end; did all go well? */
bool compile_wait(struct compile *);
/* Ends it; done is not called, nothing is left. */
void compile_cancel(struct compile *);

/* -C: prints C to stdout, diagnostics to stderr; the exit code. */
int compile_print(const char *path, struct str text);

#endif
