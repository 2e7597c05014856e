/*
 * uring.h - reads of files that may not be in memory, by io_uring.
 *
 * One a loop.  A read is always done by the kernel's own threads, so that
 * submitting it holds up nobody; any number of slow ones wait side by side.
 * Where liburing was not there to build with, or the kernel or its
 * administrator does not have it, uring_new gives NULL, and the blocking pool
 * serves.
 */
#ifndef COPAL_URING_H
#define COPAL_URING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"

struct uring;

/*
 * entries: reads under way, at most.  NULL: there is none to be had, errno says
 * why: ENOSYS, or EPERM of a sandbox (seccomp, kernel.io_uring_disabled).
 */
struct uring *uring_new(struct loop *, unsigned entries);
/* After loop_free. */
void uring_free(struct uring **);
/*
 * As pread, parking the calling fiber (not cancellable: the kernel writes to
 * buf).  < 0: -errno; -EAGAIN: too many are under way.
 */
ssize_t uring_read(struct uring *, int fd, void *buf, size_t len,
    uint64_t at) WAITS;

#endif
