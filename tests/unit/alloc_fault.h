/*
 * alloc_fault.h - a program linked with alloc_fault.c can be told that memory
 * is not to be had: at its n-th allocation from now, and some behind it.
 *
 * Those of the libraries that it uses count as well.  Not for a build with a
 * sanitizer, which has a malloc of its own.
 */
#ifndef COPAL_TEST_ALLOC_FAULT_H
#define COPAL_TEST_ALLOC_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

struct alloc_fault {
	/* Set last: allocations of this process fail.  0: nobody's do. */
	_Atomic int64_t pid;
	/* Until the first that fails; goes on to count behind it. */
	_Atomic int64_t left;
	_Atomic int64_t burst; /* how many fail */
	_Atomic int64_t failed;
};

/*
 * In memory that the processes forked from this one see too: the file that
 * $COPAL_ALLOC_FAULT names, or the program's own.
 */
extern struct alloc_fault *alloc_fault;

#endif
