/*
 * signals.h - which signals a thread takes.
 */
#ifndef COPAL_SIGNALS_H
#define COPAL_SIGNALS_H

#include <signal.h>

/*
 * For threads to be made: those from outside go to others.  What a thread
 * brings about itself stays, as blocked it would end the process without a
 * word.
 */
static inline void
signals_block(sigset_t *before)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGABRT);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &set, before);
}

#endif
