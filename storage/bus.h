/*
 * bus.h - a page of a mapped file that can't be had.
 *
 * Who reads a map learns of a bad disk, or of a file that was cut short, by
 * SIGBUS, which ends the process.  What runs below bus_guarded ends alone:
 * it is left where it was, as by longjmp, so it must hold no lock, and what
 * it allocated is lost.
 */
#ifndef COPAL_STORAGE_BUS_H
#define COPAL_STORAGE_BUS_H

#include <stdbool.h>

/*
 * Takes SIGBUS for the process; a signal that no guarded code caused goes to
 * the handler that was there before.
 */
void bus_init(void);
/* fn(arg).  false: it met a page that can't be had. */
bool bus_guarded(void (*fn)(void *), void *arg);

#endif
