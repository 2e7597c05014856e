/*
 * child.c - the worker process, as the manager sees it: see child.h.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "counters.h"
#include "jail.h"
#include "listener.h"
#include "mgr.h"
#include "panic.h"
#include "params.h"
#include "vclprog.h"

enum state { STOPPED, STARTING, RUNNING, STOPPING };

/* A worker that lived this long may be restarted at once. */
#define LIVED_LONG NSEC_S(10)
#define PAUSE_FIRST NSEC_MS(100)
#define PAUSE_MAX NSEC_S(10)
enum {
	/* for the report of a worker that gets SIGQUIT, before SIGKILL */
	QUIT_SECONDS = 5,
	/* beyond shutdown_timeout, for the store's last commit */
	STOP_SECONDS = 30,
	LINE_MAX_LEN = 1000,
};

static struct worker_config *config;
static enum state state;
static pid_t pid;
static int cli_fd = -1;
static struct watch cli_watch = {.fd = -1, .events = 0};
static struct watch said_watch = {.fd = -1, .events = POLLIN};
static char said[LINE_MAX_LEN];
static size_t said_len;
static bool has_run; /* since it was started */
static nsec_t started_at, ping_at;
static nsec_t restart_at = NSEC_NEVER; /* while STOPPED: when to try again */
static nsec_t pause_for;
static struct cli_answer panic; /* its text; empty: none */

void
child_init(struct worker_config *c)
{
	config = c;
	cli_answer_init(&panic);
	c->panic = mmap(NULL, sizeof(*c->panic), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->panic == MAP_FAILED)
		mgr_die("memory for panics: %s", strerror(errno));
}

bool
child_is_running(void)
{
	return state == RUNNING;
}

pid_t
child_pid(void)
{
	return pid;
}

const char *
child_state(void)
{
	switch (state) {
	case STOPPED:
		return restart_at != NSEC_NEVER ? "starting" : "stopped";
	case STARTING:
		return "starting";
	case RUNNING:
		return "running";
	case STOPPING:
		return "stopping";
	}
	return "unknown";
}

const char *
child_panic(void)
{
	return panic.len > 0 ? panic.p : NULL;
}

void
child_panic_clear(void)
{
	cli_answer_free(&panic);
}

/* ------------------------------------------------- what it says on stderr */

static void
say_line(void)
{
	said[said_len] = '\0';
	if (said_len > 0)
		mgr_say(LOG_INFO, "Worker (%d) said: %s", (int)pid, said);
	said_len = 0;
}

static void
read_said(void)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(said_watch.fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != '\n')
				said[said_len++] = buf[i];
			if (buf[i] == '\n' || said_len == sizeof(said) - 1)
				say_line();
		}
	}
	if (n == 0) {
		mgr_unwatch(&said_watch);
		close(said_watch.fd);
		said_watch.fd = -1;
		say_line();
	}
}

static void
on_said(struct watch *w, short revents)
{
	(void)w;
	(void)revents;
	read_said();
}

/* -------------------------------------------------------- its birth */

unsigned
child_cores(void)
{
	cpu_set_t set;

	if (params->workers > 0)
		return params->workers;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

static void
raise_limit(int what)
{
	struct rlimit rl;

	if (getrlimit(what, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(what, &rl);
	}
}

__attribute__((noreturn)) static void
become_worker(int cli, int out)
{
	int null = open("/dev/null", O_RDONLY);

	mgr_leave();
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0)
		_exit(126);
	close(null);
	close(out);
	setvbuf(stdout, NULL, _IOLBF, 0);
	raise_limit(RLIMIT_NOFILE);
	raise_limit(RLIMIT_CORE);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "copal-worker");
	if (!jail_enter()) {
		fprintf(stderr, "cannot give up rights: %s\n",
		    strerror(errno));
		_exit(126);
	}
	panic_install(config->panic);
	config->cli_fd = cli;
	worker_main(config);
}

/* All that a worker needs and is made anew when cores has changed. */
static bool
prepare(struct cli_answer *out)
{
	unsigned cores = child_cores();
	char err[LISTENER_ERR_MAX];

	for (unsigned i = 0; i < config->store_n; i++) {
		const struct store_spec *s = &config->store[i];

		if (s->kind != STORE_KIND_LMDB ||
		    jail_make_dir(s->dir, 0750) == 0)
			continue;
		cli_fail(out, CLI_CANT, "Store %s, %s: %s\n", s->name, s->dir,
		    strerror(errno));
		return false;
	}
	if (!listener_prepare(config, cores, err)) {
		cli_fail(out, CLI_CANT, "%s\n", err);
		return false;
	}
	if (config->counters == NULL || config->cores != cores) {
		config->counters = counters_create(config->workdir, cores + 1);
		if (config->counters == NULL) {
			cli_fail(out, CLI_CANT, "Counters: %s\n",
			    strerror(errno));
			return false;
		}
	}
	counters_clear(config->counters);
	config->cores = cores;
	/* files in log/ that another user's worker left */
	if (jail_make_dir("log", 0755) < 0) {
		cli_fail(out, CLI_CANT, "log: %s\n", strerror(errno));
		return false;
	}
	memset(config->panic, 0, sizeof(*config->panic));
	return true;
}

static void on_cli_end(struct watch *, short);

static bool
fork_worker(struct cli_answer *out)
{
	int cli[2], pipe_fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, cli) < 0) {
		cli_fail(out, CLI_CANT, "socketpair: %s\n", strerror(errno));
		return false;
	}
	if (pipe2(pipe_fd, O_CLOEXEC) < 0) {
		cli_fail(out, CLI_CANT, "pipe: %s\n", strerror(errno));
		close(cli[0]);
		close(cli[1]);
		return false;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(cli[0]);
		close(pipe_fd[0]);
		become_worker(cli[1], pipe_fd[1]);
	}
	close(cli[1]);
	close(pipe_fd[1]);
	if (pid < 0) {
		pid = 0;
		cli_fail(out, CLI_CANT, "fork: %s\n", strerror(errno));
		close(cli[0]);
		close(pipe_fd[0]);
		return false;
	}
	fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	cli_fd = cli[0];
	said_watch.fd = pipe_fd[0];
	said_watch.fn = on_said;
	mgr_watch(&said_watch);
	cli_watch.fd = cli_fd; /* no events: its end is always told */
	cli_watch.fn = on_cli_end;
	mgr_watch(&cli_watch);
	return true;
}

/* ---------------------------------------------------------- its end */

static void
let_go(void)
{
	if (said_watch.fd >= 0)
		read_said();
	if (said_watch.fd >= 0) {
		mgr_unwatch(&said_watch);
		close(said_watch.fd);
		said_watch.fd = -1;
		say_line();
	}
	mgr_unwatch(&cli_watch);
	close(cli_fd);
	cli_fd = cli_watch.fd = -1;
	pid = 0;
}

static void
keep_panic(int status)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[64];

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", &tm);
	cli_answer_free(&panic);
	cli_out(&panic, "Panic at: %s\n", date);
	if (WIFSIGNALED(status))
		cli_out(&panic, "Worker (%d) died of signal %d (%s)%s\n",
		    (int)pid, WTERMSIG(status), strsignal(WTERMSIG(status)),
		    WCOREDUMP(status) ? ", core dumped" : "");
	else
		cli_out(&panic, "Worker (%d) exited with %d\n", (int)pid,
		    WEXITSTATUS(status));
	/* the worker could write anything there */
	cli_out_str(&panic, str_of(config->panic->text,
	    strnlen(config->panic->text, sizeof(config->panic->text))));
	mgr_say_lines(LOG_ERR, "", panic.p);
}

/* It was reaped with status. */
static void
has_died(int status)
{
	enum state was = state;
	nsec_t now = clock_mono();

	if (was != STOPPING || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		keep_panic(status);
	else if (has_run)
		mgr_say(LOG_INFO, "Worker (%d) has stopped", (int)pid);
	let_go();
	state = STOPPED;
	if (was != RUNNING || !params->auto_restart)
		return;
	if (now - started_at >= LIVED_LONG)
		pause_for = 0;
	restart_at = now + pause_for;
	pause_for = pause_for == 0 ? PAUSE_FIRST : pause_for * 2;
	if (pause_for > PAUSE_MAX)
		pause_for = PAUSE_MAX;
}

static bool
reap_now(void)
{
	int status;

	if (pid == 0 || waitpid(pid, &status, WNOHANG) != pid)
		return false;
	has_died(status);
	return true;
}

void
child_reap(void)
{
	(void)reap_now();
}

/* Waits for its end; false: it lives on. */
static bool
await_end(nsec_t deadline)
{
	struct timespec pause = {.tv_nsec = 2000000};

	while (!reap_now()) {
		if (clock_mono() > deadline)
			return false;
		if (said_watch.fd >= 0)
			read_said();
		nanosleep(&pause, NULL);
	}
	return true;
}

/* Ends it in any case; SIGQUIT has it leave a report. */
static void
kill_worker(const char *why)
{
	mgr_say(LOG_ERR, "Worker (%d) %s: killed", (int)pid, why);
	kill(pid, SIGQUIT);
	if (await_end(clock_mono() + NSEC_S(QUIT_SECONDS)))
		return;
	kill(pid, SIGKILL);
	await_end(NSEC_NEVER);
}

static void
on_cli_end(struct watch *w, short revents)
{
	(void)w;
	(void)revents;
	/* it has closed its end; most often it is dead already */
	if (!await_end(clock_mono() + NSEC_S(QUIT_SECONDS)))
		kill_worker("has closed its command stream");
}

bool
child_crash(void)
{
	if (pid == 0)
		return false;
	kill(pid, SIGABRT);
	await_end(clock_mono() + NSEC_S(QUIT_SECONDS));
	return true;
}

/* ---------------------------------------------------------- commands */

/*
 * Waits until the worker begins to answer, and takes what it says on stderr,
 * without which it could block.
 */
static bool
await_answer(nsec_t deadline)
{
	for (;;) {
		struct pollfd pfd[2] = {
			{.fd = cli_fd, .events = POLLIN},
			{.fd = said_watch.fd, .events = POLLIN},
		};
		nsec_t left = deadline - clock_mono();

		if (left <= 0)
			return false;
		if (poll(pfd, 2, (int)(left / 1000000) + 1) <= 0)
			continue;
		if (pfd[1].revents != 0 && said_watch.fd >= 0)
			read_said();
		if (pfd[0].revents != 0)
			return true;
	}
}

static unsigned
ask(struct cli_answer *out, unsigned n, char *const *word, double timeout)
{
	char *line = cli_words_join(n, word);
	int ms = (int)(fmin(timeout, 1e6) * 1e3);
	struct cli_answer a;
	bool ok;

	cli_answer_init(&a);
	if (line == NULL) {
		cli_fail(out, CLI_CANT, "Out of memory\n");
		return out->status;
	}
	ok = cli_send(cli_fd, line, strlen(line), ms) == 0;
	free(line);
	errno = ETIMEDOUT;
	ok = ok && await_answer(clock_mono() + NSEC_S(timeout)) &&
	    cli_receive(cli_fd, &a, ms) == 0;
	if (ok) {
		out->status = a.status;
		cli_out_str(out, str_of(a.p, a.len));
	} else {
		cli_fail(out, CLI_COMMS, "The worker did not answer %s\n",
		    word[0]);
		/* dead, or as good as dead */
		if (errno == ETIMEDOUT ||
		    !await_end(clock_mono() + NSEC_S(QUIT_SECONDS)))
			kill_worker("does not answer");
	}
	cli_answer_free(&a);
	return out->status;
}

unsigned
child_ask(struct cli_answer *out, unsigned n, char *const *word)
{
	if (pid == 0 || state == STOPPING) {
		cli_fail(out, CLI_CANT, "Child not running\n");
		return out->status;
	}
	ping_at = clock_mono() + NSEC_S(params->ping_interval);
	return ask(out, n, word, params->cli_timeout);
}

unsigned
child_ask_words(struct cli_answer *out, ...)
{
	char *word[8];
	unsigned n = 0;
	va_list ap;

	va_start(ap, out);
	while (n < 8 && (word[n] = va_arg(ap, char *)) != NULL)
		n++;
	va_end(ap);
	return child_ask(out, n, word);
}

bool
child_start(struct cli_answer *out)
{
	struct cli_answer a;

	restart_at = NSEC_NEVER;
	if (!prepare(out) || !fork_worker(out))
		return false;
	state = STARTING;
	has_run = false;
	started_at = clock_mono();
	cli_answer_init(&a);
	if (vclprog_push(&a) && child_ask_words(&a, "start", NULL) == CLI_OK) {
		state = RUNNING;
		has_run = true;
		mgr_say(LOG_INFO, "Worker (%d) is running", (int)pid);
		cli_answer_free(&a);
		return true;
	}
	cli_fail(out, CLI_CANT, "The worker did not start:\n");
	cli_out_str(out, str_of(a.p, a.len));
	cli_answer_free(&a);
	if (pid != 0) {
		state = STOPPING;
		/* the end of its command stream tells it to stop */
		shutdown(cli_fd, SHUT_RDWR);
		if (!await_end(clock_mono() + NSEC_S(QUIT_SECONDS)))
			kill_worker("does not end");
	}
	return false;
}

bool
child_stop(struct cli_answer *out)
{
	double timeout = params->shutdown_timeout + STOP_SECONDS;

	if (pid == 0 && restart_at == NSEC_NEVER) {
		cli_fail(out, CLI_CANT, "Child in state %s", child_state());
		return false;
	}
	restart_at = NSEC_NEVER;
	pause_for = 0;
	if (pid == 0)
		return true;
	state = STOPPING;
	/* the answer may be lost in its exit: the exit is what counts */
	(void)cli_send(cli_fd, "stop\n", 5, 1000);
	if (!await_end(clock_mono() + NSEC_S(timeout)))
		kill_worker("does not stop");
	return true;
}

static void
try_again(void)
{
	struct cli_answer a;

	cli_answer_init(&a);
	if (!child_start(&a)) {
		mgr_say_lines(LOG_ERR, "", a.p);
		if (pause_for == 0)
			pause_for = PAUSE_FIRST;
		restart_at = clock_mono() + pause_for;
		pause_for = pause_for * 2 > PAUSE_MAX ? PAUSE_MAX :
		    pause_for * 2;
	}
	cli_answer_free(&a);
}

nsec_t
child_tick(nsec_t now)
{
	struct cli_answer a;

	if (state == STOPPED && now >= restart_at)
		try_again();
	if (state == RUNNING && params->ping_interval > 0 && now >= ping_at) {
		/* any answer is a sign of life */
		cli_answer_init(&a);
		(void)child_ask_words(&a, "ping", NULL);
		cli_answer_free(&a);
	}
	if (state == RUNNING && params->ping_interval > 0)
		return ping_at;
	return restart_at;
}
