/*
 * panic.c - the last words of a worker that dies: see panic.h.
 *
 * The order in the handler is by how likely a step is to fail in a damaged
 * process: what is at hand first, the names of functions last.  An alarm ends
 * the process if a step never returns.
 */
#include <sys/mman.h>
#include <sys/prctl.h>

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#include "panic.h"
#include "worker.h"

enum {
	/* backtrace() and the unwinder need about 10 KiB */
	STACK_SIZE = 64 << 10,
	FRAMES_MAX = 40,
	HANDLER_SECONDS = 5,
};

#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

static struct panic_area *panic_area;
static void (*panic_describe)(char *, size_t);
static size_t panic_len;
static atomic_flag panicking = ATOMIC_FLAG_INIT;

/* Appends to the report, which stays NUL-terminated. */
__attribute__((format(printf, 1, 2))) static void
say(const char *fmt, ...)
{
	size_t room = sizeof(panic_area->text) - panic_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(panic_area->text + panic_len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		panic_len += (size_t)n < room ? (size_t)n : room - 1;
}

static void
say_backtrace(void)
{
	void *frame[FRAMES_MAX];
	int n = backtrace(frame, FRAMES_MAX);

	say("Backtrace:\n");
	for (int i = 0; i < n; i++) {
		Dl_info info;
		char *at = frame[i];

		if (!dladdr(at, &info) || info.dli_fname == NULL)
			say("  %p\n", (void *)at);
		else if (info.dli_sname == NULL)
			say("  %p: %s(+0x%tx)\n", (void *)at, info.dli_fname,
			    at - (char *)info.dli_fbase);
		else
			say("  %p: %s(%s+0x%tx)\n", (void *)at, info.dli_fname,
			    info.dli_sname, at - (char *)info.dli_saddr);
	}
}

static void
on_signal(int sig, siginfo_t *si, void *context)
{
	struct timespec mono, real;
	char thread[17] = "";
	bool mine = !atomic_flag_test_and_set(&panicking);

	(void)context;
	if (!mine) {
		/* another thread is at it, and will end us all */
		sleep(HANDLER_SECONDS + 1);
		_exit(2);
	}
	signal(SIGALRM, SIG_DFL);
	alarm(HANDLER_SECONDS);

	say("Signal %d (%s)", sig, strsignal(sig));
	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE)
		say(" at address %p, code %d", si->si_addr, si->si_code);
	else if (si->si_code == SI_USER)
		say(" sent by pid %d", (int)si->si_pid);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	prctl(PR_GET_NAME, thread);
	say("\nversion = copal-%s\nnow = %lld.%06ld (mono), %lld.%06ld (real)\n"
	    "pid = %d\nthread = %s\n",
	    PACKAGE_VERSION, (long long)mono.tv_sec, mono.tv_nsec / 1000,
	    (long long)real.tv_sec, real.tv_nsec / 1000, (int)getpid(), thread);
	if (panic_describe != NULL &&
	    panic_len + 1 < sizeof(panic_area->text)) {
		size_t room = sizeof(panic_area->text) - panic_len;

		panic_describe(panic_area->text + panic_len, room);
		panic_len += strnlen(panic_area->text + panic_len, room - 1);
	}
	say_backtrace();

	/* returning would run the instruction again; an abort was asked for */
	signal(sig, SIG_DFL);
	alarm(0);
	raise(sig);
}

void
panic_thread(void)
{
	stack_t ss = {.ss_size = STACK_SIZE};

	ss.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* without it, only the overflow of a stack goes unreported */
	if (ss.ss_sp != MAP_FAILED)
		sigaltstack(&ss, NULL);
}

void
panic_install(struct panic_area *area)
{
	static const int fatal[] = {
	    SIGABRT, SIGQUIT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	struct sigaction sa = {0};
	void *frame[2];

	memset(area, 0, sizeof(*area));
	panic_area = area;
	panic_len = 0;
	/* its first call loads libgcc, which a handler must not */
	(void)backtrace(frame, 2);
	panic_thread();
	sa.sa_sigaction = on_signal;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigemptyset(&sa.sa_mask);
	for (unsigned i = 0; i < (WITH_ASAN ? 2 : 6); i++)
		sigaction(fatal[i], &sa, NULL);
}

void
panic_set_describe(void (*describe)(char *buf, size_t len))
{
	panic_describe = describe;
}

/*
 * assert() of the whole program calls this one instead of the C library's,
 * which would tell only stderr.
 */
void
__assert_fail(
    const char *expr, const char *file, unsigned line, const char *func)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (panic_area != NULL && !atomic_flag_test_and_set(&said))
		say("Assert error in %s(), %s line %u:\n"
		    "  Condition(%s) not true.\n",
		    func, file, line, expr);
	fprintf(stderr, "copald: assert error in %s(), %s line %u: %s\n", func,
	    file, line, expr);
	abort();
}
