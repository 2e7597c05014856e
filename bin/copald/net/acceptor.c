/*
 * acceptor.c - accepts connections of one core.
 *
 * With TCP each core has a socket of its own (SO_REUSEPORT), so no two cores
 * are woken for one connection; a unix socket is shared by all, with
 * EPOLLEXCLUSIVE.
 */
#include <errno.h>
#include <stdlib.h>

#include "acceptor.h"
#include "conn.h"
#include "core.h"
#include "counters.h"
#include "params.h"
#include "worker.h"

struct acceptor {
	struct source src;
	struct core *core;
	const struct listener *listener;
	struct timer pause;
};

/*
 * Accepted in one event: enough to empty a burst, few enough that requests
 * of open connections do not wait long for their turn.
 */
enum { ACCEPT_BATCH = 32 };

static void acceptor_event(struct source *);

static void
acceptor_resume(struct timer *t)
{
	struct acceptor *a =
	    (struct acceptor *)((char *)t - offsetof(struct acceptor, pause));

	if (loop_watch(a->core->loop, &a->src, true) == 0)
		acceptor_event(&a->src);
	else
		timer_set(a->core->loop, t,
		    loop_now(a->core->loop) + NSEC_MS(100));
}

/* Out of descriptors or memory: the event would come again at once. */
static void
acceptor_pause(struct acceptor *a)
{
	COUNT_INC(sess_fail);
	loop_unwatch(a->core->loop, &a->src);
	timer_set(a->core->loop, &a->pause,
	    loop_now(a->core->loop) + NSEC_MS(100));
}

static void
acceptor_event(struct source *s)
{
	struct acceptor *a = (struct acceptor *)s;

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct addr peer;
		int fd = sock_accept(s->fd, &peer);

		if (fd >= 0) {
			conn_open(a->core, a->listener, fd, &peer);
			continue;
		}
		switch (errno) {
		case EAGAIN:
			return;
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			acceptor_pause(a);
			return;
		default: /* the peer's fault: the next */
			COUNT_INC(sess_fail);
		}
	}
}

void
acceptors_open(struct core *c, const struct listener *l, unsigned n)
{
	c->acceptor = calloc(n, sizeof *c->acceptor);
	if (c->acceptor == NULL)
		return;
	c->acceptor_n = n;
	for (unsigned i = 0; i < n; i++) {
		struct acceptor *a = &c->acceptor[i];

		a->core = c;
		a->listener = &l[i];
		a->src.fd = l[i].fd[c->index % l[i].fd_n];
		a->src.on_event = acceptor_event;
		a->pause.fn = acceptor_resume;
		if (loop_watch(c->loop, &a->src, true) != 0)
			acceptor_pause(a);
	}
}

void
acceptors_close(struct core *c)
{
	for (unsigned i = 0; i < c->acceptor_n; i++) {
		timer_cancel(c->loop, &c->acceptor[i].pause);
		loop_unwatch(c->loop, &c->acceptor[i].src);
	}
	free(c->acceptor);
	c->acceptor = NULL;
	c->acceptor_n = 0;
}
