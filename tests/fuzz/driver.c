/*
 * driver.c - runs a fuzz target over files, for builds without libFuzzer.
 *
 *      fuzz_NOUN [-option...] FILE|FOLDER...
 *
 * Options are for libFuzzer and are ignored, so both are called alike.  An
 * input is given to the target whole, then cut at each of its first bytes:
 * what a peer sends may end anywhere.  It is copied to memory of just its
 * size, so that a sanitizer or valgrind sees the first byte read too far.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	INPUT_MAX = 16 << 20,
	CUTS_MAX = 512, /* keeps a corpus file to some milliseconds */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned input_n;

static void
run_cut(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	if (exact == NULL)
		abort();
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static bool
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	size_t size;
	bool ok;

	if (f == NULL || data == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		free(data);
		if (f)
			fclose(f);
		return false;
	}
	size = fread(data, 1, INPUT_MAX, f);
	ok = ferror(f) == 0;
	fclose(f);
	run_cut(data, size);
	for (size_t cut = 0; cut < size && cut < CUTS_MAX; cut++)
		run_cut(data, cut);
	free(data);
	input_n++;
	return ok;
}

static bool
run_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char file[4096];
	bool ok = true;

	if (d == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		ok = run_file(file) && ok;
	}
	closedir(d);
	return ok;
}

int
main(int argc, char **argv)
{
	struct stat st;
	bool ok = true;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			ok = run_folder(argv[i]) && ok;
		else
			ok = run_file(argv[i]) && ok;
	}
	if (input_n == 0) {
		fprintf(stderr, "%s: no input\n", argv[0]);
		return 1;
	}
	return ok ? 0 : 1;
}
