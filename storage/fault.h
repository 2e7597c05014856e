/*
 * fault.h - lets a test make a disk operation fail.
 *
 * Each operation that may fail for the disk's sake asks first; the hook
 * returns 0 or the errno to fail with.  NULL, as ever but in a test: no cost
 * but a load.
 */
#ifndef COPAL_STORAGE_FAULT_H
#define COPAL_STORAGE_FAULT_H

#include <stddef.h>

enum fault_op {
	FAULT_SEGMENT_CREATE,
	FAULT_SEGMENT_OPEN,
	FAULT_SEGMENT_READ,
	FAULT_SEGMENT_WRITE,
	FAULT_SEGMENT_SYNC,
	FAULT_CATALOGUE_READ,
	FAULT_CATALOGUE_BEGIN,
	FAULT_CATALOGUE_COMMIT,
};

extern int (*volatile fault_hook)(enum fault_op);
/* After a disk error, until the next try, in ms: shorter in a test */
extern volatile int fault_retry_ms;

static inline int
fault(enum fault_op op)
{
	int (*hook)(enum fault_op) = fault_hook;

	return hook != NULL ? hook(op) : 0;
}

#endif
