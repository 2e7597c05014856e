/*
 * bus.c - see bus.h.
 */
#include "bus.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static __thread sigjmp_buf *guard;
static struct sigaction before;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
on_bus(int sig, siginfo_t *si, void *context)
{
	/* Sent by somebody, it is not ours. */
	if (guard != NULL && si->si_code > 0)
		siglongjmp(*guard, 1);
	if ((before.sa_flags & SA_SIGINFO) != 0 &&
	    before.sa_sigaction != NULL) {
		before.sa_sigaction(sig, si, context);
		return;
	}
	/* The instruction runs again, and the default ends us. */
	sigaction(sig, &before, NULL);
	if (si->si_code <= 0)
		raise(sig);
}

static void
take_signal(void)
{
	/*
	 * NODEFER: the signal is not blocked while its handler runs, so that
	 * to leave it by a jump there is no mask to put back, and no guard
	 * costs a system call.
	 */
	struct sigaction sa = {
	    .sa_sigaction = on_bus,
	    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, &before);
}

void
bus_init(void)
{
	pthread_once(&once, take_signal);
}

bool
bus_guarded(void (*fn)(void *), void *arg)
{
	sigjmp_buf here, *volatile outer = guard;

	if (sigsetjmp(here, 0) != 0) {
		guard = outer;
		return false;
	}
	guard = &here;
	fn(arg);
	guard = outer;
	return true;
}
