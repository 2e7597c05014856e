/*
 * oneshot.c - a function in a child process with limits: see oneshot.h.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "jail.h"
#include "mgr.h"
#include "oneshot.h"

enum {
	/* More output than this is cut; the child can go on writing. */
	OUTPUT_MAX = 256 << 10,
	FILE_MAX = 256 << 20,
	/* How often the wait looks for a signal to the manager. */
	LOOK_MS = 200,
};

static void
limit(int what, rlim_t max)
{
	struct rlimit rl;

	if (getrlimit(what, &rl) == 0 && rl.rlim_cur > max) {
		rl.rlim_cur = max;
		setrlimit(what, &rl);
	}
}

__attribute__((noreturn)) static void
run_child(const struct oneshot *job, int out)
{
	int null = open("/dev/null", O_RDONLY), code;

	mgr_leave();
	setpgid(0, 0);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0)
		_exit(126);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, job->seconds);
	limit(RLIMIT_FSIZE, FILE_MAX);
/* their shadow takes terabytes */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	if (job->memory > 0)
		limit(RLIMIT_AS, job->memory);
#endif
	if (!jail_enter()) {
		fprintf(stderr, "cannot give up rights: %s\n", strerror(errno));
		fflush(stderr);
		_exit(126);
	}
	code = job->fn(job->priv);
	fflush(stdout);
	fflush(stderr);
	_exit(code);
}

/* Reads until the end, the deadline or a signal to us; false: too late. */
static bool
collect(int fd, struct cli_answer *out, nsec_t deadline)
{
	char buf[4096];

	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		nsec_t left = deadline - clock_mono();
		ssize_t n;

		if (left <= 0 || mgr_is_interrupted())
			return false;
		if (left > NSEC_MS(LOOK_MS))
			left = NSEC_MS(LOOK_MS);
		if (poll(&pfd, 1, (int)(left / 1000000) + 1) <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return true;
		if (n > 0 && out->len < OUTPUT_MAX)
			cli_out_str(out, str_of(buf, (size_t)n));
	}
}

/* waits for the process itself, which may close its output and go on */
static int
reap(pid_t pid, nsec_t deadline, bool *in_time)
{
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) != pid) {
		struct timespec ms = {.tv_nsec = 1000000};

		if (got < 0 && errno != EINTR)
			break;
		if (*in_time &&
		    (clock_mono() > deadline || mgr_is_interrupted()))
			*in_time = false;
		if (!*in_time)
			kill(-pid, SIGKILL);
		nanosleep(&ms, NULL);
	}
	/* what it may have started */
	kill(-pid, SIGKILL);
	return status;
}

bool
oneshot_run(const struct oneshot *job, struct cli_answer *out)
{
	nsec_t deadline = clock_mono() + NSEC_S(job->seconds);
	struct cli_answer said;
	int fds[2], status;
	bool in_time;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		cli_out(out, "Cannot run %s: %s\n", job->name, strerror(errno));
		return false;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		run_child(job, fds[1]);
	}
	close(fds[1]);
	if (pid < 0) {
		cli_out(out, "Cannot run %s: %s\n", job->name, strerror(errno));
		close(fds[0]);
		return false;
	}
	setpgid(pid, pid); /* whoever of us is first */
	cli_answer_init(&said);
	in_time = collect(fds[0], &said, deadline);
	status = reap(pid, deadline, &in_time);
	close(fds[0]);
	if (said.len > 0) {
		cli_out(out, "Message from %s:\n", job->name);
		cli_out_str(out, str_of(said.p, said.len));
		if (said.p[said.len - 1] != '\n')
			cli_out_str(out, STR("\n"));
	}
	cli_answer_free(&said);
	if (!in_time)
		cli_out(out, "Running %s failed, not done in %u seconds\n",
		    job->name, job->seconds);
	else if (WIFSIGNALED(status))
		cli_out(out, "Running %s failed, signal %d\n", job->name,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		cli_out(out, "Running %s failed, exited with %d\n", job->name,
		    WEXITSTATUS(status));
	return in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
