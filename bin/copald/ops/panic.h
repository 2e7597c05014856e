/*
 * panic.h - the last words of a worker that dies.
 *
 * A handler of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT and SIGQUIT (with which
 * the manager ends a worker that does not answer) writes a report into memory
 * that it shares with the manager, then lets the signal kill the process.
 * assert() leaves its text there as well.  The manager shows the report as
 * panic.show.
 *
 * In a build with AddressSanitizer only SIGABRT and SIGQUIT are caught: the
 * sanitizer's own report on the others is better.
 */
#ifndef COPAL_PANIC_H
#define COPAL_PANIC_H

#include <stddef.h>

struct panic_area;

/*
 * For the calling process, once, on its first thread.  area must stay; it is
 * emptied.
 */
void panic_install(struct panic_area *area);

/*
 * Gives the calling thread a stack of its own for the handler, so that the
 * overflow of a stack can be reported too.  panic_install does it for its
 * thread.  Lives until the thread ends.
 */
void panic_thread(void);

/*
 * describe(buf, len) is called in the handler to say what the thread was
 * doing (fiber, request): a NUL-terminated text of whole lines.  It may not
 * allocate or lock, and must expect any state.
 */
void panic_set_describe(void (*describe)(char *buf, size_t len));

#endif
