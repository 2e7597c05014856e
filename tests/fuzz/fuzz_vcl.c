/*
 * fuzz_vcl.c - any text through the VCL compiler, without its files.
 */
#include <stdlib.h>

#include "vcl_compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vcl_compile_options options = {.no_files = true};
	struct vcl_compile_result r;
	int rc = vcl_compile(
	    "<fuzz>", str_of((const char *)data, size), &options, &r);

	/* an answer is C, or an error that says why not */
	if ((rc == 0) != (r.c != NULL) || (rc != 0 && r.error_n == 0) ||
	    r.diagnostics == NULL || (rc != 0 && *r.diagnostics == '\0'))
		abort();
	vcl_compile_result_free(&r);
	return 0;
}
