/*
 * mgr.c - the manager process: its start, its loop, its end.
 *
 *   parse -> daemon -> folder, sockets -> VCL -> -I -> worker -> loop -> end
 *
 * Whatever is wrong before the worker serves is told on the stderr that
 * copald was started with, and is its exit code.
 */
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "command.h"
#include "compile.h"
#include "jail.h"
#include "listener.h"
#include "metrics.h"
#include "mgr.h"
#include "oneshot.h"
#include "options.h"
#include "params.h"
#include "session.h"
#include "spec.h"
#include "state.h"
#include "vclfile.h"
#include "vclload.h"
#include "vclprog.h"
#include "workdir.h"

#ifndef COPAL_SYSCONF_DIR
#define COPAL_SYSCONF_DIR "/etc/copal"
#endif
#ifndef COPAL_DATA_DIR
#define COPAL_DATA_DIR "/usr/share/copal"
#endif

enum {
	EXIT_CONFIG = 2, /* a flag, a file, an address, the VCL, a store */
	EXIT_START = 1,  /* the worker died when it started */
	METRICS_AGAIN_S = 1,
};

static bool to_stderr = true;
static int ready_fd = -1; /* where the starter of the daemon waits */
static int signal_fd = -1;
static struct watch signal_watch;
static struct watch *watches[WATCH_MAX];
static unsigned watch_n;
static bool stopping;
static int exit_code;

static struct worker_config config;
static struct listener listeners[LISTEN_MAX];
static int metrics_fd = -1;
static pid_t metrics_pid;
static nsec_t metrics_at = NSEC_NEVER;

/* -------------------------------------------------------------- messages */

void
mgr_say(int priority, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	syslog(priority, "%s", line);
	if (to_stderr)
		fprintf(stderr, "copald: %s\n", line);
}

void
mgr_say_lines(int priority, const char *prefix, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "\n");

		if (len > 0)
			mgr_say(priority, "%s%.*s", prefix, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void
mgr_die(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fflush(stdout);
	mgr_say(LOG_ERR, "%s", line);
	exit(EXIT_CONFIG);
}

const char *
mgr_vcl_path(void)
{
	return params->vcl_path[0] != '\0' ? params->vcl_path :
	    COPAL_SYSCONF_DIR ":" COPAL_DATA_DIR "/vcl";
}

const char *
mgr_vmod_path(void)
{
	return params->vmod_path[0] != '\0' ? params->vmod_path
					    : COPAL_VMOD_DIR;
}

/* ------------------------------------------------------------------ loop */

bool
mgr_watch(struct watch *w)
{
	for (unsigned i = 0; i < watch_n; i++) {
		if (watches[i] == NULL) {
			watches[i] = w;
			return true;
		}
	}
	if (watch_n == WATCH_MAX)
		return false;
	watches[watch_n++] = w;
	return true;
}

void
mgr_unwatch(struct watch *w)
{
	for (unsigned i = 0; i < watch_n; i++) {
		if (watches[i] == w)
			watches[i] = NULL;
	}
}

void
mgr_stop(int code)
{
	stopping = true;
	exit_code = code;
}

bool
mgr_is_interrupted(void)
{
	sigset_t set;

	return sigpending(&set) == 0 &&
	    (sigismember(&set, SIGTERM) || sigismember(&set, SIGINT));
}

void
mgr_leave(void)
{
	sigset_t none;

	for (unsigned i = 0; i < watch_n; i++) {
		/* the console's are not ours to close */
		if (watches[i] != NULL && watches[i]->fd > 2)
			close(watches[i]->fd);
	}
	watch_n = 0;
	if (ready_fd >= 0)
		close(ready_fd);
	if (metrics_fd >= 0)
		close(metrics_fd);
	/* a child of a child comes here again */
	ready_fd = metrics_fd = -1;
	state_leave();
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void start_metrics(void);

static void
reap_metrics(void)
{
	int status;

	if (metrics_pid == 0 ||
	    waitpid(metrics_pid, &status, WNOHANG) != metrics_pid)
		return;
	metrics_pid = 0;
	mgr_say(LOG_ERR, "The process for --metrics has died");
	metrics_at = clock_mono() + NSEC_S(METRICS_AGAIN_S);
}

static void
on_signal(struct watch *w, short revents)
{
	struct signalfd_siginfo si;

	(void)revents;
	while (read(w->fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		mgr_say(LOG_INFO, "Got signal %u from pid %u: stopping",
		    si.ssi_signo, si.ssi_pid);
		mgr_stop(0);
	}
	child_reap();
	reap_metrics();
}

static nsec_t
sooner(nsec_t a, nsec_t b)
{
	return a < b ? a : b;
}

static nsec_t
tick(void)
{
	nsec_t now = clock_mono(), next;

	if (now >= metrics_at)
		start_metrics();
	next = sooner(child_tick(now), session_tick(now));
	return sooner(sooner(next, vclprog_tick(now)), metrics_at);
}

static void
turn(void)
{
	struct pollfd pfd[WATCH_MAX];
	struct watch *who[WATCH_MAX];
	nsec_t left = tick();
	unsigned n = 0;

	if (left != NSEC_NEVER) {
		left -= clock_mono();
		left = left <= 0 ? 0 : left / 1000000 + 1;
	}
	for (unsigned i = 0; i < watch_n; i++) {
		if (watches[i] == NULL)
			continue;
		who[n] = watches[i];
		pfd[n++] = (struct pollfd){
		    .fd = watches[i]->paused ? -1 : watches[i]->fd,
		    .events = watches[i]->events};
	}
	if (poll(pfd, n, left == NSEC_NEVER || left > 3600000 ? 3600000 :
	    (int)left) <= 0)
		return;
	for (unsigned i = 0; i < n && !stopping; i++) {
		bool there = false;

		if (pfd[i].revents == 0)
			continue;
		/* an earlier one of this turn may have ended it */
		for (unsigned j = 0; j < watch_n; j++)
			there = there || (watches[j] == who[i] &&
			    who[i]->fd == pfd[i].fd);
		if (there)
			who[i]->fn(who[i], pfd[i].revents);
	}
}

/* ---------------------------------------------------------------- start */

/*
 * Goes to the background: the starter waits until mgr_is_ready, and exits as
 * we do if we exit before.
 */
static void
become_daemon(void)
{
	int fds[2], status, null;
	char byte;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		mgr_die("pipe: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		mgr_die("fork: %s", strerror(errno));
	if (pid > 0) {
		close(fds[1]);
		if (read(fds[0], &byte, 1) == 1)
			_exit(0);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_START);
	}
	close(fds[0]);
	ready_fd = fds[1];
	setsid();
	null = open("/dev/null", O_RDONLY);
	if (null >= 0 && null != 0) {
		dup2(null, 0);
		close(null);
	}
}

/* The worker serves: lets the starter go. */
static void
is_ready(void)
{
	int null;

	if (ready_fd < 0)
		return;
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, 1);
		dup2(null, 2);
		if (null > 2)
			close(null);
	}
	to_stderr = false;
	if (write(ready_fd, "", 1) < 0)
		mgr_say(LOG_WARNING, "The starter is gone");
	close(ready_fd);
	ready_fd = -1;
}

static void
take_signals(void)
{
	sigset_t set;

	/* a terminal that closes is no reason to stop */
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signal_fd < 0)
		mgr_die("signalfd: %s", strerror(errno));
	signal_watch = (struct watch){signal_fd, POLLIN, on_signal, false};
	mgr_watch(&signal_watch);
}

static void
start_metrics(void)
{
	metrics_at = NSEC_NEVER;
	fflush(NULL);
	metrics_pid = fork();
	if (metrics_pid == 0) {
		int fd = metrics_fd;

		metrics_fd = -1; /* mgr_leave would close it */
		mgr_leave();
		signal(SIGPIPE, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		if (!jail_enter())
			_exit(1);
		_exit(metrics_main(fd, config.workdir));
	}
	if (metrics_pid < 0) {
		metrics_pid = 0;
		mgr_say(LOG_ERR, "fork: %s", strerror(errno));
		metrics_at = clock_mono() + NSEC_S(METRICS_AGAIN_S);
	}
}

static void
listen_metrics(const char *arg)
{
	char err[LISTENER_ERR_MAX];
	struct addr at[8];
	int n = addr_parse(arg, NULL, true, at, 8, err, sizeof(err));

	if (n < 1)
		mgr_die("--metrics %s", err);
	metrics_fd = sock_listen(&at[0], false, 64, err, sizeof(err));
	if (metrics_fd < 0)
		mgr_die("--metrics %s", err);
	metrics_at = 0;
}

static void
open_sockets(const struct options *o)
{
	static const char *const all[] = {":80"};
	const char *const *arg = o->listen_n > 0 ? o->listen : all;
	unsigned n = o->listen_n > 0 ? o->listen_n : 1;
	unsigned cores = config.cores;
	char err[SESSION_ERR_MAX];

	for (unsigned i = 0; i < n; i++) {
		if (!listener_add(&config, arg[i], cores, err))
			mgr_die("%s", err);
	}
	if (!session_listen_unix(err))
		mgr_die("%s: %s", config.workdir, err);
	for (unsigned i = 0; i < o->cli_n; i++) {
		if (!session_listen(o->cli[i], err))
			mgr_die("-T %s", err);
	}
	for (unsigned i = 0; i < o->master_n; i++) {
		if (!session_call(o->master[i], err))
			mgr_die("-M %s", err);
	}
	if (o->metrics != NULL)
		listen_metrics(o->metrics);
}

static void
take_secret(const struct options *o)
{
	static char own[COMPILE_PATH_MAX];
	char err[STATE_ERR_MAX];

	if (o->no_secret)
		return;
	if (o->secret != NULL) {
		if (access(o->secret, R_OK) < 0)
			mgr_die("-S %s: %s", o->secret, strerror(errno));
		session_init(o->secret);
		return;
	}
	snprintf(own, sizeof(own), "%s/_.secret", config.workdir);
	if (!state_make_secret(own, err))
		mgr_die("%s", err);
	session_init(own);
}

static void
take_identity(const struct options *o)
{
	if (o->identity != NULL)
		snprintf(config.identity, sizeof(config.identity), "%s",
		    o->identity);
	else if (gethostname(config.identity,
	    sizeof(config.identity) - 1) < 0)
		strcpy(config.identity, "localhost");
}

/* The program of -f or -b: "boot". */
static void
load_vcl(const struct options *o)
{
	char err[SPEC_ERR_MAX], *text = NULL;
	struct cli_answer a;

	if (o->vcl_file == NULL && o->backend == NULL)
		return;
	if (o->backend != NULL) {
		text = spec_backend_vcl(o->backend, err);
		if (text == NULL)
			mgr_die("%s", err);
	}
	cli_answer_init(&a);
	vclload_now("boot", o->vcl_file, str_from_z(text), NULL, &a);
	if (a.status == CLI_OK)
		vclprog_use("boot", &a);
	if (a.status != CLI_OK) {
		fprintf(stderr, "%s", a.p ? a.p : "");
		syslog(LOG_ERR, "%s", a.p ? a.p : "");
		state_close();
		exit(EXIT_CONFIG);
	}
	/* warnings of the compiler */
	if (a.p != NULL && strcmp(a.p, "VCL compiled.\n"))
		fprintf(stderr, "%s", a.p);
	cli_answer_free(&a);
	free(text);
}

static void
run_init_file(const struct options *o)
{
	struct cli_answer a;

	if (o->init_file == NULL)
		return;
	cli_answer_init(&a);
	if (!command_file(o->init_file, &a)) {
		mgr_say_lines(LOG_ERR, "-I ", a.p);
		state_close();
		exit(EXIT_CONFIG);
	}
	cli_answer_free(&a);
}

static void
start_worker(void)
{
	struct cli_answer a;

	cli_answer_init(&a);
	if (child_pid() == 0 && !child_start(&a)) {
		/* the heading and the first reason make one line */
		char *nl = a.p != NULL ? strchr(a.p, '\n') : NULL;

		if (nl != NULL && nl[1] != '\0')
			*nl = ' ';
		mgr_say_lines(LOG_ERR, "", a.p);
		listener_remove(&config);
		state_close();
		/* in good order, and told why: a store that can't be used */
		exit(child_panic() == NULL ? EXIT_CONFIG : EXIT_START);
	}
	cli_answer_free(&a);
}

static int
try_workdir(void *priv)
{
	(void)priv;
	return access(config.workdir, X_OK) == 0 ? 0 : errno;
}

/* Folders above the state folder may keep the worker's user out. */
static void
check_reach(void)
{
	const struct oneshot job = {
	    .name = "check", .fn = try_workdir, .seconds = 10};
	struct cli_answer a;

	cli_answer_init(&a);
	if (!oneshot_run(&job, &a))
		mgr_die("%s cannot be reached by the worker, which does not "
		    "run as root: see -j", config.workdir);
	cli_answer_free(&a);
}

static void
set_up(const struct options *o)
{
	char err[STATE_ERR_MAX];

	take_signals();
	if (!jail_init(o->jail, err))
		mgr_die("%s", err);
	if (!state_open(config.workdir, err))
		mgr_die("%s", err);
	check_reach();
	take_secret(o);
	if (!spec_stores(o->store_n, o->store, config.workdir, &config, err))
		mgr_die("%s", err);
	config.listener = listeners;
	child_init(&config);
	command_init(&config);
	vclfile_init(o->vcl_file);
	open_sockets(o);
	load_vcl(o);
	run_init_file(o);
	if (o->pid_file != NULL && !state_write_pid(o->pid_file, err))
		mgr_die("-P %s", err);
}

static void
finish(const struct options *o)
{
	struct cli_answer a;

	cli_answer_init(&a);
	vclload_cancel();
	(void)child_stop(&a);
	cli_answer_free(&a);
	if (metrics_pid > 0) {
		kill(metrics_pid, SIGTERM);
		waitpid(metrics_pid, NULL, 0);
	}
	listener_remove(&config);
	if (o->pid_file != NULL)
		unlink(o->pid_file);
	state_close();
}

int
mgr_main(const struct options *o)
{
	if (workdir_path(o->workdir, config.workdir,
	    sizeof(config.workdir)) < 0)
		mgr_die("-n %s: %s", o->workdir, strerror(errno));
	/* it becomes a word of a command for the shell (cc_command) */
	if (strchr(config.workdir, '\'') != NULL)
		mgr_die("-n %s: quotes are not allowed", o->workdir);
	openlog("copald", LOG_PID, LOG_DAEMON);
	take_identity(o);
	if (!o->foreground && !o->debug)
		become_daemon();
	config.cores = child_cores();
	set_up(o);
	if (o->debug)
		session_console();
	else if (vclprog_has_active())
		start_worker();
	else
		mgr_say(LOG_INFO, "No VCL: the worker waits for \"start\"");
	is_ready();
	while (!stopping)
		turn();
	finish(o);
	return exit_code;
}
