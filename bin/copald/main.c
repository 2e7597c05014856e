/*
 * main.c - copald: the command line, then the manager.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgr/compile.h"
#include "mgr/mgr.h"
#include "mgr/options.h"
#include "mgr/spec.h"
#include "params.h"

/* -C */
static int
print_c(const struct options *o)
{
	char err[SPEC_ERR_MAX], *text;
	int rc;

	if (o->backend == NULL)
		return compile_print(o->vcl_file, STR_NULL);
	text = spec_backend_vcl(o->backend, err);
	if (text == NULL)
		mgr_die("%s", err);
	rc = compile_print(NULL, str_from_z(text));
	free(text);
	return rc;
}

int
main(int argc, char **argv)
{
	static struct options o; /* its strings are used to the end */

	if (params_init() < 0)
		mgr_die("parameters: %s", strerror(errno));
	options_parse(argc, argv, &o);
	return o.compile_only ? print_c(&o) : mgr_main(&o);
}
