/*
 * loop.h - one event loop a core: epoll, timers, mail from other threads.
 *
 * A turn is: wait in epoll, take the time once (loop_now), run events, mail,
 * expired timers, ready fibers, then the turn hook.  Everything here but
 * loop_post() and fiber_wake() is for the loop's own thread.
 *
 * Sources are registered once, edge-triggered, for input and output: after
 * that no system call is needed to wait.  A source keeps the readiness that
 * it was told; who reads or writes until EAGAIN (or short) clears it.
 * SOURCE_HUP is never cleared: once the peer has closed, no further edge
 * comes, so a read that came up short says nothing (source_can knows this).
 */
#ifndef COPAL_LOOP_H
#define COPAL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "fiber.h"

struct loop;

enum {
	SOURCE_READ = 1,  /* readable, or end of stream, or error */
	SOURCE_WRITE = 2, /* writable, or error */
	SOURCE_HUP = 4,   /* the peer has closed its sending side, or error */
};

struct source {
	int fd;
	uint8_t ready; /* SOURCE_*, set by the loop, cleared by the user */
	/*
	 * Called on the loop's stack when something was added to ready.
	 * NULL: nothing but waking the waiter.  May free the source (after
	 * loop_unwatch).
	 */
	void (*on_event)(struct source *);
	struct fiber *waiter; /* woken on every event; see source_wait */
	bool pending; /* the loop's own: in the batch being handled */
};

/* Is an operation that needs one of want worth trying? */
static inline bool
source_can(const struct source *s, uint8_t want)
{
	uint8_t ready = s->ready;

	if (ready & SOURCE_HUP)
		ready |= SOURCE_READ;
	return (ready & want) != 0;
}

struct timer {
	nsec_t at;
	void (*fn)(struct timer *);
	uint32_t heap_at; /* position + 1; 0: not set */
};

struct mail {
	struct mail *next;
	void (*fn)(struct mail *);
};

struct loop *loop_new(void); /* NULL: errno */
/*
 * Cancels every fiber, waits until all have returned, frees.  On the thread
 * that ran the loop, outside of loop_run().  No other thread may begin to
 * wake, post or stop from here on.
 */
void loop_free(struct loop **);
/*
 * Runs on the calling thread until loop_stop(); at once back if that came
 * before.
 */
void loop_run(struct loop *);
void loop_stop(struct loop *); /* any thread */
/* One turn that waits at most until deadline; for tests. */
void loop_turn(struct loop *, nsec_t deadline);
/* The loop whose loop_run()/loop_turn() is below us on this thread. */
struct loop *loop_self(void);
/*
 * Makes loop_self() answer before loop_run(), to start the first fibers.
 * NULL leaves.
 */
void loop_enter(struct loop *);

/* The time of this turn. */
nsec_t loop_now(const struct loop *);
double loop_wall(const struct loop *);

/*
 * Registers s->fd (non-blocking) for EPOLLIN | EPOLLOUT | EPOLLRDHUP,
 * edge-triggered.  exclusive: EPOLLIN | EPOLLEXCLUSIVE level-triggered, for
 * listening sockets.  0 or -1 with errno.
 */
int loop_watch(struct loop *, struct source *s, bool exclusive);
/* Before close(fd).  No event for s is delivered after it. */
void loop_unwatch(struct loop *, struct source *s);
/*
 * Parks the running fiber until source_can(s, want).
 * FIBER_WOKEN, FIBER_TIMEOUT or FIBER_CANCELED.
 */
enum fiber_wake source_wait(struct source *s, uint8_t want, const char *what,
    nsec_t deadline) WAITS;

/*
 * (Re)arms; t must stay until it fired or was cancelled.  Fires once, in the
 * first turn whose loop_now() is not before at.
 */
void timer_set(struct loop *, struct timer *t, nsec_t at);
void timer_cancel(struct loop *, struct timer *t);

/* Has fn(m) run on the loop; from any thread; m is the caller's memory. */
void loop_post(struct loop *, struct mail *m);

/*
 * Called at the end of each turn, and once before the first: so always
 * before waiting.
 */
void loop_set_turn_hook(struct loop *, void (*fn)(void *), void *arg);

#endif
