/*
 * uring.c - see uring.h.
 */
#include "config.h"

#include "uring.h"

#include <errno.h>

#ifdef HAVE_LIBURING

#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fiber_impl.h"

struct uring {
	struct io_uring ring;
	struct loop *loop;
	struct source src; /* an eventfd: something is done */
	unsigned entries, pending;
};

struct op { /* on the stack of who waits */
	struct fiber *fiber;
	int result;
	bool done;
};

/* The kernel took nothing: its memory is short for the moment. */
enum { SUBMIT_RETRY_MS = 1 };

static void
on_done(struct source *s)
{
	struct uring *u = CONTAINER_OF(s, struct uring, src);
	struct io_uring_cqe *cqe;
	eventfd_t n;

	(void)eventfd_read(s->fd, &n);
	s->ready = 0;
	while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		struct op *op = io_uring_cqe_get_data(cqe);

		op->result = cqe->res;
		op->done = true;
		io_uring_cqe_seen(&u->ring, cqe);
		u->pending--;
		fiber_wake(op->fiber);
	}
}

struct uring *
uring_new(struct loop *loop, unsigned entries)
{
	struct uring *u = calloc(1, sizeof *u);
	int e;

	if (u == NULL)
		return NULL;
	u->loop = loop;
	u->entries = entries;
	u->src.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	u->src.on_event = on_done;
	e = u->src.fd < 0 ? errno :
	    -io_uring_queue_init(entries, &u->ring, 0);
	if (e != 0)
		goto fail;
	e = -io_uring_register_eventfd(&u->ring, u->src.fd);
	if (e == 0 && loop_watch(loop, &u->src, false) == 0)
		return u;
	e = e != 0 ? e : errno;
	io_uring_queue_exit(&u->ring);
fail:
	if (u->src.fd >= 0)
		close(u->src.fd);
	free(u);
	errno = e;
	return NULL;
}

void
uring_free(struct uring **pp)
{
	struct uring *u = *pp;

	*pp = NULL;
	if (u == NULL)
		return;
	io_uring_queue_exit(&u->ring);
	close(u->src.fd);
	free(u);
}

ssize_t
uring_read(struct uring *u, int fd, void *buf, size_t len, uint64_t at)
{
	struct op op = {.fiber = fiber_self()};
	struct io_uring_sqe *sqe = u->pending < u->entries ?
	    io_uring_get_sqe(&u->ring) : NULL;

	if (sqe == NULL)
		return -EAGAIN;
	io_uring_prep_read(sqe, fd, buf, (unsigned)len, at);
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	io_uring_sqe_set_data(sqe, &op);
	u->pending++;
	/* Another fiber's call may have taken it along meanwhile. */
	while (io_uring_submit(&u->ring) < 0 && !op.done)
		(void)fiber_park("io_uring to take a read",
		    loop_now(u->loop) + NSEC_MS(SUBMIT_RETRY_MS));
	while (!op.done)
		fiber_park_uncancelable("cold read");
	return op.result;
}

#else

struct uring *
uring_new(struct loop *loop, unsigned entries)
{
	(void)loop;
	(void)entries;
	errno = ENOSYS;
	return NULL;
}

void
uring_free(struct uring **pp)
{
	*pp = NULL;
}

ssize_t
uring_read(struct uring *u, int fd, void *buf, size_t len, uint64_t at)
{
	(void)u;
	(void)fd;
	(void)buf;
	(void)len;
	(void)at;
	return -ENOSYS;
}

#endif
