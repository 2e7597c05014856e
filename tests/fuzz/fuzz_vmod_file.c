/*
 * fuzz_vmod_file.c - any bytes as the file of a module.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vcl_compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/fuzz_vmod_XXXXXX";

static void
remove_file(void)
{
	unlink(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static const struct vcl_compile_options options;
	struct vcl_compile_result r;
	char vcl[200];

	if (fd < 0 && ((fd = mkstemp(path)) < 0 || atexit(remove_file) != 0))
		abort();
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(vcl, sizeof(vcl),
	    "vcl 4.1; import example from \"%s\"; backend b none;", path);
	vcl_compile("<fuzz>", str_from_z(vcl), &options, &r);
	if ((r.c == NULL) != (r.error_n > 0))
		abort();
	vcl_compile_result_free(&r);
	return 0;
}
