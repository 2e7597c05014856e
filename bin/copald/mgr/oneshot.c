/*
 * oneshot.c - a function in a child process with limits: see oneshot.h.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
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
	/* a linker has some files open at once, a bomb thousands */
	OPEN_MAX_FILES = 256,
	NICE = 5, /* traffic comes first */
	/* How often the wait looks for a signal to the manager. */
	LOOK_MS = 200,
};

/* Their shadow takes terabytes of addresses. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static void
limit(int what, rlim_t max)
{
	struct rlimit rl;

	if (getrlimit(what, &rl) == 0 && rl.rlim_cur > max) {
		rl.rlim_cur = max;
		setrlimit(what, &rl);
	}
}

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

/*
 * No sockets for it and what it runs; a kernel that has no filters does
 * without.  After jail_enter: that it sets no_new_privs is what allows this.
 */
static void
leave_network(void)
{
#ifdef NATIVE_ARCH
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		offsetof(struct seccomp_data, arch)),
	    /* another ABI has other numbers: refuse all of it */
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 0, 5),
	    BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 3, 0), /* x32 */
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 2, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
	};
	struct sock_fprog program = {
	    sizeof(filter) / sizeof(*filter), filter};

	(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#endif
}

/* The kernel's choice when memory is short. */
static void
be_first_to_go(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) < 0)
		errno = 0; /* then it is as likely as the others */
	close(fd);
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
	limit(RLIMIT_NOFILE, OPEN_MAX_FILES);
	be_first_to_go();
	(void)setpriority(PRIO_PROCESS, 0, NICE);
#ifndef SANITIZED
	if (job->memory > 0)
		limit(RLIMIT_AS, job->memory);
#endif
	if (!jail_enter()) {
		fprintf(stderr, "cannot give up rights: %s\n", strerror(errno));
		fflush(stderr);
		_exit(126);
	}
	leave_network();
	code = job->fn(job->priv);
	fflush(stdout);
	fflush(stderr);
	_exit(code);
}

/*
 * Reads until the end, the deadline or a signal to us, and serves what is
 * asked on ask; false: too late.
 */
static bool
collect(const struct oneshot *job, int fd, int ask, struct cli_answer *out,
    nsec_t deadline)
{
	char buf[4096];

	for (;;) {
		struct pollfd pfd[2] = {{.fd = fd, .events = POLLIN},
		    {.fd = ask, .events = POLLIN}};
		nsec_t left = deadline - clock_mono();
		ssize_t n;

		if (left <= 0 || mgr_is_interrupted())
			return false;
		if (left > NSEC_MS(LOOK_MS))
			left = NSEC_MS(LOOK_MS);
		if (poll(pfd, 2, (int)(left / 1000000) + 1) <= 0)
			continue;
		if (pfd[1].revents & POLLIN)
			job->serve(ask);
		else if (pfd[1].revents != 0)
			ask = -1; /* its end is closed: no more questions */
		if (pfd[0].revents == 0)
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

static void
close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool
oneshot_run(const struct oneshot *job, struct cli_answer *out)
{
	nsec_t deadline = clock_mono() + NSEC_S(job->seconds);
	struct cli_answer said;
	int fds[2], ask[2] = {-1, -1}, status;
	bool in_time;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		cli_out(out, "Cannot run %s: %s\n", job->name, strerror(errno));
		return false;
	}
	if (job->serve != NULL &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ask) < 0)
		ask[0] = ask[1] = -1; /* it has its own rights */
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		close_if_open(ask[0]);
		if (job->ask_fd != NULL)
			*job->ask_fd = ask[1];
		run_child(job, fds[1]);
	}
	close(fds[1]);
	close_if_open(ask[1]);
	if (pid < 0) {
		cli_out(out, "Cannot run %s: %s\n", job->name, strerror(errno));
		close(fds[0]);
		close_if_open(ask[0]);
		return false;
	}
	setpgid(pid, pid); /* whoever of us is first */
	cli_answer_init(&said);
	in_time = collect(job, fds[0], ask[0], &said, deadline);
	status = reap(pid, deadline, &in_time);
	close(fds[0]);
	close_if_open(ask[0]);
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
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		cli_out(out, "Running %s failed, it used %u seconds of CPU\n",
		    job->name, job->seconds);
	else if (WIFSIGNALED(status))
		cli_out(out, "Running %s failed, signal %d\n", job->name,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		cli_out(out, "Running %s failed, exited with %d\n", job->name,
		    WEXITSTATUS(status));
	return in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
