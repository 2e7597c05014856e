/*
 * compile.c - a VCL program, from its text to an object that loads: see
 * compile.h.
 */
#include <sys/stat.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compile.h"
#include "jail.h"
#include "mgr.h"
#include "oneshot.h"
#include "params.h"
#include "state.h"
#include "vcl_abi.h"
#include "vcl_compile.h"

enum {
	VCL_MAX = 16 << 20, /* bytes of a VCL file */
	VCC_SECONDS = 30,
	CC_SECONDS = 120, /* a slow machine and a long program */
	LOAD_SECONDS = 20,
};
#define CHILD_MEMORY ((size_t)4 << 30)

struct job {
	const char *path;
	struct str text;
	const char *dir;
	const char *command;
};

/* Reads fd whole; NULL with errno. */
static char *
read_all(int fd, size_t *len)
{
	size_t cap = 64 << 10;
	char *buf = malloc(cap), *p;
	ssize_t n;

	*len = 0;
	while (buf != NULL && (n = read(fd, buf + *len, cap - *len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto bad;
		*len += (size_t)n;
		if (*len < cap)
			continue;
		if (cap >= VCL_MAX) {
			errno = EFBIG;
			goto bad;
		}
		cap *= 2;
		p = realloc(buf, cap);
		if (p == NULL)
			goto bad;
		buf = p;
	}
	return buf;
bad:
	free(buf);
	return NULL;
}

/*
 * Opens the VCL file; a name without a leading slash is looked for in
 * vcl_path.  found: the name it was opened by.  -1 with errno.
 */
static int
open_vcl(const char *path, char found[COMPILE_PATH_MAX])
{
	const char *dir = mgr_vcl_path(), *end;
	int fd, n;

	if (path[0] == '/') {
		snprintf(found, COMPILE_PATH_MAX, "%s", path);
		return open(path, O_RDONLY | O_CLOEXEC);
	}
	errno = ENOENT;
	for (; *dir != '\0'; dir = *end ? end + 1 : end) {
		end = strchrnul(dir, ':');
		n = snprintf(found, COMPILE_PATH_MAX, "%.*s/%s",
		    (int)(end - dir), dir, path);
		if (n >= COMPILE_PATH_MAX)
			continue;
		fd = open(found, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			return fd;
	}
	return -1;
}

/*
 * Compiles the job's VCL: the C goes to c, diagnostics to diag.  The exit
 * code.
 */
static int
vcc(const struct job *job, FILE *c, FILE *diag)
{
	struct vcl_compile_options options = {
	    .vcl_path = mgr_vcl_path(),
	    .vmod_path = params->vmod_path,
	    .warnings_are_errors = params->vcl_strict,
	};
	struct vcl_compile_result result = {0};
	char found[COMPILE_PATH_MAX] = "<inline>";
	struct str text = job->text;
	char *buf = NULL;
	struct stat st;
	int fd, rc = 2;

	if (job->path != NULL) {
		fd = open_vcl(job->path, found);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
			errno = EISDIR;
		else if (fd >= 0)
			buf = read_all(fd, &text.len);
		text.p = buf;
		if (buf == NULL) {
			fprintf(diag, "Cannot read file '%s' (%s)\n", job->path,
			    strerror(errno));
			return 2;
		}
		close(fd);
	}
	if (vcl_compile(found, text, &options, &result) == 0 &&
	    result.c != NULL) {
		rc = 0;
		if (fputs(result.c, c) == EOF || fflush(c) == EOF) {
			fprintf(diag, "Cannot write C: %s\n", strerror(errno));
			rc = 2;
		}
	}
	if (result.diagnostics != NULL)
		fputs(result.diagnostics, diag);
	vcl_compile_result_free(&result);
	free(buf);
	return rc;
}

static int
child_vcc(void *priv)
{
	struct job *job = priv;
	char path[COMPILE_PATH_MAX + 16];
	FILE *c;
	int rc;

	snprintf(path, sizeof(path), "%s/vcl.c", job->dir);
	c = fopen(path, "we");
	if (c == NULL) {
		printf("%s: %s\n", path, strerror(errno));
		return 2;
	}
	rc = vcc(job, c, stdout);
	if (fclose(c) != 0 && rc == 0) {
		printf("%s: %s\n", path, strerror(errno));
		rc = 2;
	}
	return rc;
}

static int
child_cc(void *priv)
{
	struct job *job = priv;

	execl("/bin/sh", "sh", "-c", job->command, (char *)NULL);
	printf("/bin/sh: %s\n", strerror(errno));
	return 127;
}

/* The sources in the form of vcl.show -v. */
static bool
write_sources(const char *dir, const struct vcl_program_info *p)
{
	char path[COMPILE_PATH_MAX + 16];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/source", dir);
	f = fopen(path, "we");
	if (f == NULL)
		return false;
	for (unsigned i = 0; i < p->source_n; i++) {
		const struct vcl_source *s = &p->source[i];

		fprintf(f, "// VCL.SHOW %u %zu %s\n", i, s->text.len, s->path);
		fwrite(s->text.p, 1, s->text.len, f);
		fputc('\n', f);
	}
	ok = !ferror(f);
	return fclose(f) == 0 && ok;
}

static int
child_load(void *priv)
{
	struct job *job = priv;
	const struct vcl_program_info *p;
	char path[COMPILE_PATH_MAX + 16];
	void *so;

	snprintf(path, sizeof(path), "%s/vcl.so", job->dir);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (so == NULL) {
		printf("%s\n", dlerror());
		return 1;
	}
	p = dlsym(so, "vcl_program");
	if (p == NULL) {
		printf("%s\n", dlerror());
		return 1;
	}
	if (p->abi != VCL_ABI_VERSION) {
		printf("It has ABI %u; this copald has %d\n", p->abi,
		    VCL_ABI_VERSION);
		return 1;
	}
	for (int i = 0; i < VCL_SUB_MAX; i++) {
		if (p->sub[i] == NULL) {
			printf("Its sub number %d is missing\n", i);
			return 1;
		}
	}
	if (!write_sources(job->dir, p)) {
		printf("%s/source: %s\n", job->dir, strerror(errno));
		return 1;
	}
	return 0;
}

/* cc_command with %s, %o, %n and %% replaced; NULL: no memory. */
static char *
cc_command(const char *dir)
{
	struct cli_answer out;
	const char *p;

	cli_answer_init(&out);
	for (p = params->cc_command; *p != '\0'; p++) {
		if (*p != '%' || p[1] == '\0') {
			cli_out_str(&out, str_of(p, 1));
			continue;
		}
		switch (*++p) {
		case 's':
			cli_out(&out, "'%s/vcl.c'", dir);
			break;
		case 'o':
			cli_out(&out, "'%s/vcl.so'", dir);
			break;
		case 'n':
			cli_out(&out, "'%.*s'",
			    (int)(strstr(dir, "/vcl/") - dir), dir);
			break;
		case '%':
			cli_out_str(&out, STR("%"));
			break;
		default:
			cli_out_str(&out, str_of(p - 1, 2));
			break;
		}
	}
	if (out.status != CLI_OK) {
		cli_answer_free(&out);
		return NULL;
	}
	return out.p;
}

static bool
run_steps(struct job *job, struct cli_answer *out)
{
	struct oneshot vcc_step = {
	    "VCC-compiler", child_vcc, job, VCC_SECONDS, CHILD_MEMORY};
	struct oneshot cc_step = {
	    "C-compiler", child_cc, job, CC_SECONDS, CHILD_MEMORY};
	struct oneshot load_step = {
	    "trial load", child_load, job, LOAD_SECONDS, 0};
	char *command;
	bool ok;

	if (!oneshot_run(&vcc_step, out))
		return false;
	job->command = command = cc_command(job->dir);
	ok = command != NULL && oneshot_run(&cc_step, out) &&
	     oneshot_run(&load_step, out);
	free(command);
	return ok;
}

bool
compile_vcl(const char *name, const char *path, struct str text,
    char dir[COMPILE_PATH_MAX], struct cli_answer *out)
{
	static unsigned number;
	struct job job = {.path = path, .text = text, .dir = dir};
	char cwd[COMPILE_PATH_MAX / 2];
	int n;

	if (getcwd(cwd, sizeof(cwd)) == NULL) {
		cli_out(out, "The state folder: %s\n", strerror(errno));
		return false;
	}
	n = snprintf(
	    dir, COMPILE_PATH_MAX, "%s/vcl/%s.%u", cwd, name, ++number);
	if (n < 0 || n >= COMPILE_PATH_MAX) {
		cli_out(out, "The name is too long\n");
		return false;
	}
	if (jail_make_dir(dir, 0755) < 0) {
		cli_out(out, "%s: %s\n", dir, strerror(errno));
		return false;
	}
	if (!run_steps(&job, out)) {
		cli_out(out, "VCL compilation failed\n");
		state_remove_dir(dir);
		return false;
	}
	return true;
}

int
compile_print(const char *path, struct str text)
{
	struct job job = {.path = path, .text = text};
	int rc = vcc(&job, stdout, stderr);

	if (rc != 0)
		fprintf(stderr, "VCL compilation failed\n");
	return rc;
}
