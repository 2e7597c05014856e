/*
 * loop.c - one event loop a core.
 *
 * A turn makes one epoll_wait and reads the clock once.  Asleep means: in an
 * epoll_wait that may block; only then does mail need the eventfd, and the
 * one who finds `asleep` set clears it, so that many senders write it once.
 * The eventfd is edge-triggered and is never read: each write is an edge.
 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fiber_impl.h"
#include "qsbr.h"
#include "timer_heap.h"

enum {
	/*
	 * Events taken at once.  More would save system calls, but lets the
	 * last ones wait for all the others.
	 */
	BATCH = 128,
};
/* While others may hold up what we retired, look again after this. */
#define QSBR_RETRY NSEC_MS(5)

struct loop {
	struct fibers fibers; /* first: see loop_self() */
	int epoll_fd;
	int event_fd;
	struct timer_heap timers;
	bool wall_known; /* in this turn */
	double wall;
	void (*turn_hook)(void *);
	void *turn_arg;
	/* the batch being handled: [batch_at, batch_n) is still to do */
	struct epoll_event batch[BATCH];
	int batch_at, batch_n;
	struct loop *next; /* in all_loops */
	/* what other threads write, on a cache line of its own */
	_Alignas(64) _Atomic(struct mail *) mail; /* newest first */
	atomic_bool asleep;
	atomic_bool stop;
	/*
	 * Threads inside loop_post() and loop_stop(): the loop may handle the
	 * mail, end and be freed before they have looked at `asleep`.
	 */
	atomic_uint visitors;
};

/* All there are, for copal-gdb.py. */
static pthread_mutex_t loops_lock = PTHREAD_MUTEX_INITIALIZER;
static struct loop *all_loops;

struct loop *
loop_new(void)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	struct loop *l = aligned_alloc(64, sizeof *l);
	int err;

	if (l == NULL)
		return NULL;
	*l = (struct loop){.epoll_fd = -1, .event_fd = -1};
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->epoll_fd < 0 || l->event_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->event_fd, &ev) != 0) {
		err = errno;
		if (l->epoll_fd >= 0)
			close(l->epoll_fd);
		if (l->event_fd >= 0)
			close(l->event_fd);
		free(l);
		errno = err;
		return NULL;
	}
	fibers_init(&l->fibers, l);
	l->fibers.now = clock_mono();
	pthread_mutex_lock(&loops_lock);
	l->next = all_loops;
	all_loops = l;
	pthread_mutex_unlock(&loops_lock);
	return l;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp, *before = loop_self();
	struct loop **at;

	if (l == NULL)
		return;
	loop_enter(l);
	fibers_cancel(&l->fibers);
	/* they may still know the loop by *lp */
	while (l->fibers.live_n > 0)
		loop_turn(l, NSEC_NEVER);
	*lp = NULL;
	while (atomic_load(&l->visitors) > 0)
		sched_yield();
	loop_enter(before == l ? NULL : before);
	pthread_mutex_lock(&loops_lock);
	for (at = &all_loops; *at != l; at = &(*at)->next)
		;
	*at = l->next;
	pthread_mutex_unlock(&loops_lock);
	fibers_fini(&l->fibers);
	timer_heap_free(&l->timers);
	close(l->epoll_fd);
	close(l->event_fd);
	free(l);
}

/* The loop's first member is its fibers. */
_Static_assert(offsetof(struct loop, fibers) == 0, "used by loop_self");

struct loop *
loop_self(void)
{
	return (struct loop *)fibers_mine;
}

void
loop_enter(struct loop *l)
{
	fibers_mine = l != NULL ? &l->fibers : NULL;
}

nsec_t
loop_now(const struct loop *l)
{
	return l->fibers.now;
}

double
loop_wall(const struct loop *l)
{
	struct loop *w = (struct loop *)(uintptr_t)l; /* a cache */

	if (!w->wall_known) {
		w->wall = clock_wall();
		w->wall_known = true;
	}
	return w->wall;
}

int
loop_watch(struct loop *l, struct source *s, bool exclusive)
{
	struct epoll_event ev = {
		.events = exclusive ? (uint32_t)(EPOLLIN | EPOLLEXCLUSIVE)
				    : EPOLLIN | EPOLLOUT | EPOLLRDHUP |
			(uint32_t)EPOLLET,
		.data.ptr = s,
	};

	s->pending = false;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev);
}

void
loop_unwatch(struct loop *l, struct source *s)
{
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	if (!s->pending)
		return;
	for (int i = l->batch_at; i < l->batch_n; i++)
		if (l->batch[i].data.ptr == s)
			l->batch[i].data.ptr = NULL;
	s->pending = false;
}

enum fiber_wake
source_wait(struct source *s, uint8_t want, const char *what, nsec_t deadline)
{
	struct fiber *before = s->waiter;
	enum fiber_wake how = FIBER_WOKEN;

	s->waiter = fiber_self();
	while (!source_can(s, want) && how == FIBER_WOKEN)
		how = fiber_park(what, deadline);
	s->waiter = before;
	return source_can(s, want) && how == FIBER_TIMEOUT ? FIBER_WOKEN : how;
}

void
timer_set(struct loop *l, struct timer *t, nsec_t at)
{
	timer_heap_set(&l->timers, t, at);
}

void
timer_cancel(struct loop *l, struct timer *t)
{
	timer_heap_remove(&l->timers, t);
}

static void
ring_bell(struct loop *l)
{
	uint64_t one = 1;

	/* the counter can't overflow in any life-time, nor this fail */
	while (write(l->event_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void
loop_post(struct loop *l, struct mail *m)
{
	struct mail *newest;

	atomic_fetch_add(&l->visitors, 1);
	newest = atomic_load(&l->mail);
	do
		m->next = newest;
	while (!atomic_compare_exchange_weak(&l->mail, &newest, m));
	/* m may be gone from here on */
	if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false))
		ring_bell(l);
	atomic_fetch_sub(&l->visitors, 1);
}

void
loop_stop(struct loop *l)
{
	atomic_fetch_add(&l->visitors, 1);
	atomic_store(&l->stop, true);
	ring_bell(l);
	atomic_fetch_sub(&l->visitors, 1);
}

void
loop_set_turn_hook(struct loop *l, void (*fn)(void *), void *arg)
{
	l->turn_hook = fn;
	l->turn_arg = arg;
}

static uint8_t
readiness(uint32_t events)
{
	uint8_t ready = 0;

	if (events & EPOLLIN)
		ready |= SOURCE_READ;
	if (events & EPOLLOUT)
		ready |= SOURCE_WRITE;
	if (events & EPOLLRDHUP)
		ready |= SOURCE_READ | SOURCE_HUP;
	if (events & (EPOLLHUP | EPOLLERR))
		ready |= SOURCE_READ | SOURCE_WRITE | SOURCE_HUP;
	return ready;
}

static void
run_events(struct loop *l, int n)
{
	/* also brings the sources' cache lines in, several at a time */
	for (int i = 0; i < n; i++) {
		struct source *s = l->batch[i].data.ptr;
		if (s != NULL)
			s->pending = true;
	}
	l->batch_n = n;
	for (l->batch_at = 0; l->batch_at < n;) {
		struct epoll_event *ev = &l->batch[l->batch_at++];
		struct source *s = ev->data.ptr;

		if (s == NULL) /* the bell, or unwatched meanwhile */
			continue;
		s->pending = false;
		s->ready |= readiness(ev->events);
		if (s->waiter != NULL)
			fiber_wake(s->waiter);
		if (s->on_event != NULL)
			s->on_event(s); /* s may be gone */
	}
	l->batch_n = 0;
}

static void
run_mail(struct loop *l)
{
	struct mail *m, *next, *oldest = NULL;

	if (atomic_load_explicit(&l->mail, memory_order_relaxed) == NULL)
		return;
	for (m = atomic_exchange(&l->mail, NULL); m != NULL; m = next) {
		next = m->next;
		m->next = oldest;
		oldest = m;
	}
	for (m = oldest; m != NULL; m = next) {
		next = m->next;
		m->fn(m);
	}
}

static void
run_timers(struct loop *l)
{
	/* one that sets itself again for now waits for the next turn */
	uint32_t budget = l->timers.n;

	while (budget-- > 0 && timer_heap_next(&l->timers) <= l->fibers.now) {
		struct timer *t = l->timers.slot[0].timer;
		timer_heap_remove(&l->timers, t);
		t->fn(t);
	}
}

/* Milliseconds for epoll_wait, rounded up; 0: there is work, -1: for ever. */
static int
sleep_ms(struct loop *l, nsec_t deadline)
{
	nsec_t at = timer_heap_next(&l->timers), ms;

	if (fibers_are_ready(&l->fibers) || atomic_load(&l->stop) ||
	    atomic_load(&l->mail) != NULL)
		return 0;
	if (deadline < at)
		at = deadline;
	if (qsbr_pending() && l->fibers.now + QSBR_RETRY < at)
		at = l->fibers.now + QSBR_RETRY;
	if (at == NSEC_NEVER)
		return -1;
	/*
	 * now is as old as the turn: the sleep may be longer than need be by
	 * the work of one turn, and a second clock reading costs more.
	 */
	ms = at <= l->fibers.now ? 0 : (at - l->fibers.now + 999999) / 1000000;
	return ms < 60000 ? (int)ms : 60000;
}

static int
wait_for_events(struct loop *l, nsec_t deadline)
{
	int ms = sleep_ms(l, deadline), n;

	if (ms == 0)
		return epoll_wait(l->epoll_fd, l->batch, BATCH, 0);
	/* mail that comes after the second look finds `asleep` set */
	atomic_store(&l->asleep, true);
	if (atomic_load(&l->mail) != NULL)
		ms = 0;
	qsbr_offline();
	n = epoll_wait(l->epoll_fd, l->batch, BATCH, ms);
	qsbr_online();
	atomic_store_explicit(&l->asleep, false, memory_order_relaxed);
	return n;
}

static void
turn(struct loop *l, nsec_t deadline)
{
	int n = wait_for_events(l, deadline);

	l->fibers.now = clock_mono();
	l->wall_known = false;
	assert(n >= 0 || errno == EINTR);
	run_events(l, n);
	run_mail(l);
	run_timers(l);
	fibers_run(&l->fibers);
	if (l->turn_hook != NULL)
		l->turn_hook(l->turn_arg);
	qsbr_quiescent();
}

void
loop_turn(struct loop *l, nsec_t deadline)
{
	struct loop *before = loop_self();

	loop_enter(l);
	/* who calls from outside may come from a long pause */
	l->fibers.now = clock_mono();
	turn(l, deadline);
	loop_enter(before);
}

void
loop_run(struct loop *l)
{
	struct loop *before = loop_self();

	loop_enter(l);
	l->fibers.now = clock_mono();
	l->wall_known = false;
	if (l->turn_hook != NULL)
		l->turn_hook(l->turn_arg);
	while (!atomic_load_explicit(&l->stop, memory_order_acquire))
		turn(l, NSEC_NEVER);
	atomic_store(&l->stop, false);
	loop_enter(before);
}
