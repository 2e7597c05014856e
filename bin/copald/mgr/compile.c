/*
 * compile.c - a VCL program, from its text to an object that loads: see
 * compile.h.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "built.h"
#include "compile.h"
#include "jail.h"
#include "mgr.h"
#include "module.h"
#include "oneshot.h"
#include "params.h"
#include "state.h"
#include "vcl_abi.h"
#include "vcl_compile.h"
#include "vclfile.h"
#include "vclprog.h"

enum {
	VCL_MAX = 16 << 20, /* bytes of a VCL file */
	VCC_SECONDS = 10,   /* it does megabytes in one */
	CC_SECONDS = 60,    /* a slow machine and a long program */
	LOAD_SECONDS = 20,
	/* how often a wait looks for a signal to the manager */
	LOOK_MS = 200,
	SAID_MAX = 1 << 20, /* more than all the steps' messages */
};
/* of what a file of VCL_MAX bytes takes; of what C_MAX bytes take */
#define VCC_MEMORY ((size_t)3 << 30)
#define CC_MEMORY  ((size_t)2 << 30)
/*
 * Bytes of C.  A thousand lines of VCL make some 300 KB, and the C compiler
 * needs a second for each megabyte or two.
 */
#define C_MAX ((size_t)16 << 20)

struct job {
	const char *path;
	struct str text;
	const char *dir;
	const char *command;
	int ask_fd; /* in the VCL compiler's child: see vclfile.h */
};

/* for vcl_compile(), which opens files by name alone */
static int ask_fd = -1;

static int
open_file(const char *path)
{
	return vclfile_open(path, ask_fd);
}

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
		return open_file(path);
	}
	errno = ENOENT;
	for (; *dir != '\0'; dir = *end ? end + 1 : end) {
		end = strchrnul(dir, ':');
		n = snprintf(found, COMPILE_PATH_MAX, "%.*s/%s",
		    (int)(end - dir), dir, path);
		if (n >= COMPILE_PATH_MAX)
			continue;
		fd = open_file(found);
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
	    .vmod_path = mgr_vmod_path(),
	    .warnings_are_errors = params->vcl_strict,
	    .unused_is_error = params->vcc_err_unref,
	    .no_paths = !params->vcc_unsafe_path,
	    .open_file = open_file,
	    .label = job->dir != NULL ? vclprog_label_name : NULL,
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
		else if (fd >= 0 && !S_ISREG(st.st_mode))
			errno = EINVAL; /* it could keep us waiting */
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
		size_t len = strlen(result.c);

		rc = 0;
		if (len > C_MAX) {
			fprintf(diag,
			    "The program is too large: it is %zu KB of C, "
			    "and %zu KB are allowed\n",
			    len >> 10, C_MAX >> 10);
			rc = 2;
		} else if (fputs(result.c, c) == EOF || fflush(c) == EOF) {
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

	ask_fd = job->ask_fd;
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

typedef void write_fn(FILE *, const struct vcl_program_info *);

static bool
write_file(const char *dir, const char *name, write_fn *fn,
    const struct vcl_program_info *p)
{
	char path[COMPILE_PATH_MAX + 16];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (f == NULL)
		return false;
	fn(f, p);
	ok = !ferror(f);
	return fclose(f) == 0 && ok;
}

/* In the form of vcl.show -v. */
static void
put_sources(FILE *f, const struct vcl_program_info *p)
{
	for (unsigned i = 0; i < p->source_n; i++) {
		const struct vcl_source *s = &p->source[i];

		fprintf(f, "// VCL.SHOW %u %zu %s\n", i, s->text.len, s->path);
		fwrite(s->text.p, 1, s->text.len, f);
		fputc('\n', f);
	}
}

/* What it may go to, a line each. */
static void
put_labels(FILE *f, const struct vcl_program_info *p)
{
	for (unsigned i = 0; i < p->label_n; i++)
		fprintf(f, "%s\n", p->label[i].name);
}

static int
child_load(void *priv)
{
	struct job *job = priv;
	const struct vcl_program_info *p;
	char path[COMPILE_PATH_MAX + 16], why[MODULE_ERR_MAX];
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
	if (!module_keep(p, job->dir, "vmod", why) ||
	    !module_open(p, job->dir, why)) {
		printf("%s\n", why);
		return 1;
	}
	if (!write_file(job->dir, "source", put_sources, p) ||
	    !write_file(job->dir, "labels", put_labels, p)) {
		printf("%s: %s\n", job->dir, strerror(errno));
		return 1;
	}
	return 0;
}

/* cc_command as it is when nobody has changed it */
static const char *
cc_default(void)
{
	return param_find("cc_command")->def_string;
}

/* Appends text with %s and the like replaced, as in varnishd(1). */
static void
expand(struct cli_answer *out, const char *text, const char *dir)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '%' || p[1] == '\0') {
			cli_out_str(out, str_of(p, 1));
			continue;
		}
		switch (*++p) {
		case 's':
			cli_out(out, "'%s/vcl.c'", dir);
			break;
		case 'o':
			cli_out(out, "'%s/vcl.so'", dir);
			break;
		case 'w':
			cli_out_str(out, str_from_z(params->cc_warnings));
			break;
		case 'd':
			cli_out_str(out, str_from_z(cc_default()));
			break;
		case 'D':
			/* it has no %D: this ends */
			expand(out, cc_default(), dir);
			break;
		case 'n':
			cli_out(out, "'%.*s'",
			    (int)(strstr(dir, "/vcl/") - dir), dir);
			break;
		case '%':
			cli_out_str(out, STR("%"));
			break;
		default:
			cli_out_str(out, str_of(p - 1, 2));
			break;
		}
	}
}

/* The command for the shell; NULL: no memory. */
static char *
cc_command(const char *dir)
{
	struct cli_answer out;

	cli_answer_init(&out);
	expand(&out, params->cc_command, dir);
	if (out.status != CLI_OK) {
		cli_answer_free(&out);
		return NULL;
	}
	return out.p;
}

static bool
run_steps(struct job *job, struct cli_answer *out)
{
	struct oneshot vcc_step = {.name = "VCC-compiler",
	    .fn = child_vcc,
	    .priv = job,
	    .seconds = VCC_SECONDS,
	    .memory = VCC_MEMORY};
	struct oneshot cc_step = {.name = "C-compiler",
	    .fn = child_cc,
	    .priv = job,
	    .seconds = CC_SECONDS,
	    .memory = CC_MEMORY};
	struct oneshot load_step = {.name = "trial load",
	    .fn = child_load,
	    .priv = job,
	    .seconds = LOAD_SECONDS};
	bool has_name, ok;
	char *command, name[BUILT_NAME_MAX];
	size_t said;

	job->ask_fd = -1;
	if (jail_is_active()) {
		vcc_step.ask_fd = &job->ask_fd;
		vcc_step.serve = vclfile_serve;
	}
	if (!oneshot_run(&vcc_step, out))
		return false;
	said = out->len;
	has_name = built_name(job->dir, name);
	if (has_name && built_take(name, job->dir)) {
		if (oneshot_run(&load_step, out))
			return true;
		/* It was damaged, perhaps: what it said is of no use. */
		built_forget(name, job->dir);
		out->len = said;
		if (out->p != NULL)
			out->p[said] = '\0';
	}
	job->command = command = cc_command(job->dir);
	ok = command != NULL && oneshot_run(&cc_step, out);
	/* Warnings are to be seen the next time, too. */
	has_name = has_name && out->len == said;
	ok = ok && oneshot_run(&load_step, out);
	if (ok && has_name)
		built_keep(name, job->dir);
	free(command);
	return ok;
}

/*
 * The deputy: sees to the steps while the manager goes on, and writes what
 * they said to fd.
 */
__attribute__((noreturn)) static void
be_deputy(struct job *job, int fd)
{
	struct cli_answer out;
	sigset_t set;
	bool ok;

	mgr_leave();
	/* a wait of oneshot.c looks for these, and ends what it waits for */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!jail_deputy())
		_exit(1);
	cli_answer_init(&out);
	ok = run_steps(job, &out);
	for (size_t at = 0; at < out.len;) {
		ssize_t n = write(fd, out.p + at, out.len - at);

		if (n < 0 && errno != EINTR)
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	_exit(ok ? 0 : 1);
}

/* Its output has ended: so has it, or is about to. */
static bool
finish(struct compile *c)
{
	int status = 0;

	mgr_unwatch(&c->watch);
	close(c->watch.fd);
	c->watch.fd = -1;
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFSIGNALED(status))
		cli_out(&c->said, "The compiler's process got signal %d\n",
		    WTERMSIG(status));
	cli_out(&c->said, "VCL compilation failed\n");
	state_remove_dir(c->dir);
	return false;
}

/* false: that was all */
static bool
take_said(struct compile *c)
{
	char buf[16 << 10];
	ssize_t n = read(c->watch.fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n > 0 && c->said.len < SAID_MAX)
		cli_out_str(&c->said, str_of(buf, (size_t)n));
	return n > 0;
}

static void
on_said(struct watch *w, short revents)
{
	struct compile *c = (struct compile *)w;

	(void)revents;
	if (!take_said(c))
		c->done(c, finish(c));
}

bool
compile_begin(
    struct compile *c, const char *name, const char *path, struct str text)
{
	static unsigned number;
	struct job job = {.path = path, .text = text, .dir = c->dir};
	char cwd[COMPILE_PATH_MAX / 2];
	int n, fds[2];

	cli_answer_init(&c->said);
	if (getcwd(cwd, sizeof(cwd)) == NULL) {
		cli_out(&c->said, "The state folder: %s\n", strerror(errno));
		return false;
	}
	n = snprintf(
	    c->dir, COMPILE_PATH_MAX, "%s/vcl/%s.%u", cwd, name, ++number);
	if (n < 0 || n >= COMPILE_PATH_MAX) {
		cli_out(&c->said, "The name is too long\n");
		return false;
	}
	if (jail_make_dir(c->dir, 0755) < 0) {
		cli_out(&c->said, "%s: %s\n", c->dir, strerror(errno));
		return false;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		goto bad;
	c->watch = (struct watch){fds[0], POLLIN, on_said, false};
	if (!mgr_watch(&c->watch)) {
		errno = EMFILE;
		goto bad_pipe;
	}
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0)
		be_deputy(&job, fds[1]);
	if (c->pid < 0) {
		mgr_unwatch(&c->watch);
		goto bad_pipe;
	}
	close(fds[1]);
	return true;
bad_pipe:
	close(fds[0]);
	close(fds[1]);
bad:
	c->pid = 0;
	cli_out(&c->said, "Cannot compile: %s\n", strerror(errno));
	state_remove_dir(c->dir);
	return false;
}

bool
compile_wait(struct compile *c)
{
	struct pollfd pfd = {.fd = c->watch.fd, .events = POLLIN};

	do {
		if (mgr_is_interrupted())
			kill(c->pid, SIGTERM);
	} while (poll(&pfd, 1, LOOK_MS) <= 0 || take_said(c));
	return finish(c);
}

void
compile_cancel(struct compile *c)
{
	kill(c->pid, SIGTERM);
	while (take_said(c))
		;
	if (finish(c))
		state_remove_dir(c->dir);
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
