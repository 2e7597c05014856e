/*
 * fiber.c - the states of fibers: starting, parking, waking, pooling.
 *
 * What is here is the same for every backend.  See fiber_impl.h for the
 * picture.  All of a loop's fibers are touched by its own thread only, but for
 * wake_mail, by which other threads ask.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fiber_impl.h"

/* Stacks that stay warm however long nothing was started. */
enum { TRIM_KEEP = 32 };
/* Stacks that one trim gives back: each is a system call of about 1 us. */
enum { TRIM_BATCH = 64 };
#define TRIM_EVERY NSEC_S(1)
/*
 * How many times a turn may run fibers that were woken by fibers of the same
 * turn: saves an epoll_wait per hand-over, without starving the sockets.
 */
enum { READY_ROUNDS = 4 };

__thread struct fibers *fibers_mine;
__thread unsigned fiber_no_wait;

FIBER_SHARE_THREAD_LOCAL(fibers_mine);
FIBER_SHARE_THREAD_LOCAL(fiber_no_wait);

struct fiber_shared fiber_shared[FIBER_SHARED_MAX];
unsigned fiber_shared_n;

void
fiber_share_thread_local(void *(*address)(void), size_t size)
{
	assert(fiber_shared_n < FIBER_SHARED_MAX);
	assert(size <= FIBER_SHARED_SIZE);
	fiber_shared[fiber_shared_n++] = (struct fiber_shared){address, size};
}

static void
queue_init(struct fiber_queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static inline void
queue_add(struct fiber_queue *q, struct fiber *f)
{
	f->ready_next = NULL;
	*q->tail = f;
	q->tail = &f->ready_next;
}

/* All of q; q is empty then. */
static struct fiber *
queue_take(struct fiber_queue *q)
{
	struct fiber *head = q->head;

	queue_init(q);
	return head;
}

static void
make_ready(struct fiber *f, enum fiber_wake reason)
{
	f->state = FIBER_READY;
	f->reason = reason;
	f->deadline = NSEC_NEVER;
	queue_add(&f->fibers->ready, f);
}

static void
wake_here(struct fiber *f)
{
	switch (f->state) {
	case FIBER_PARKED:
		make_ready(f, FIBER_WOKEN);
		break;
	case FIBER_READY:
		if (f->reason == FIBER_TIMEOUT)
			f->reason = FIBER_WOKEN;
		break;
	case FIBER_RUNNING:
	case FIBER_YIELDED:
		f->wake_pending = true;
		break;
	case FIBER_POOLED:
		break;
	}
}

static void
wake_mailed(struct mail *m)
{
	struct fiber *f = CONTAINER_OF(m, struct fiber, wake_mail);

	/*
	 * Cleared before the wake: who finds it set has written its
	 * condition before the fiber looks again.
	 */
	atomic_exchange(&f->wake_mailed, false);
	wake_here(f);
}

void
fiber_wake(struct fiber *f)
{
	if (f->fibers == fibers_mine)
		wake_here(f);
	else if (!atomic_exchange(&f->wake_mailed, true))
		loop_post(f->fibers->loop, &f->wake_mail);
}

static void
timer_fired(struct timer *t)
{
	struct fiber *f = CONTAINER_OF(t, struct fiber, timer);
	struct loop *loop = f->fibers->loop;

	if (f->state != FIBER_PARKED || f->deadline == NSEC_NEVER)
		return;
	if (f->deadline <= f->fibers->now)
		make_ready(f, FIBER_TIMEOUT);
	else
		timer_set(loop, &f->timer, f->deadline);
}

/* A fiber that never ran, from the chunks; NULL: no memory. */
static struct fiber *
fiber_new(struct fibers *fs)
{
	struct fiber_chunk *c = fs->chunks;
	struct fiber *f;

	if (c == NULL || c->used == FIBER_CHUNK) {
		if ((c = calloc(1, sizeof *c)) == NULL)
			return NULL;
		c->next = fs->chunks;
		fs->chunks = c;
	}
	f = &c->f[c->used];
	f->fibers = fs;
	f->timer.fn = timer_fired;
	f->deadline = NSEC_NEVER;
	f->wake_mail.fn = wake_mailed;
	if (fiber_ctx_new(f) != 0) {
		memset(f, 0, sizeof *f);
		return NULL;
	}
	c->used++;
	ring_insert(&fs->cold, &f->ring);
	return f;
}

/* Takes a fiber from where its stack is warmest; NULL: no memory. */
static inline struct fiber *
fiber_take(struct fibers *fs)
{
	struct fiber *f;

	if (__builtin_expect(fs->pooled.next != &fs->pooled, 1)) {
		f = CONTAINER_OF(fs->pooled.next, struct fiber, ring);
		if (--fs->pooled_n < fs->pooled_min)
			fs->pooled_min = fs->pooled_n;
	} else if (fs->cold.next != &fs->cold) {
		f = CONTAINER_OF(fs->cold.next, struct fiber, ring);
	} else if ((f = fiber_new(fs)) == NULL) {
		return NULL;
	}
	ring_remove(&f->ring);
	return f;
}

int
fiber_start(fiber_fn *fn, void *arg, const char *name)
{
	struct fibers *fs = fibers_mine;
	struct fiber *f;

	assert(fs != NULL);
	if (fs->live_n >= fs->limit || (f = fiber_take(fs)) == NULL)
		return -1;
	ring_insert(&fs->live, &f->ring);
	fs->live_n++;
	f->fn = fn;
	f->arg = arg;
	f->name = name;
	f->wake_pending = false;
	f->state = FIBER_RUNNING;
	f->enterer = fs->current;
	fs->current = f;
	fiber_ctx_enter(f);
	return 0;
}

void
fiber_ended(struct fiber *f)
{
	struct fibers *fs = f->fibers;

	f->state = FIBER_POOLED;
	fs->current = f->enterer;
	fs->live_n--;
	ring_remove(&f->ring);
	ring_insert(&fs->pooled, &f->ring);
	if (++fs->pooled_n > TRIM_KEEP && fs->trim.heap_at == 0) {
		fs->pooled_min = fs->pooled_n;
		timer_set(fs->loop, &fs->trim, fs->now + TRIM_EVERY);
	}
}

/*
 * pooled_min stacks were in the pool all the time since the last look: those
 * at the end of the ring.
 */
static void
trim(struct timer *t)
{
	struct fibers *fs = CONTAINER_OF(t, struct fibers, trim);
	unsigned n = fs->pooled_min > TRIM_KEEP ? fs->pooled_min - TRIM_KEEP
						: 0;
	nsec_t next = TRIM_EVERY;

	if (n > TRIM_BATCH) {
		n = TRIM_BATCH;
		next = NSEC_MS(10); /* soon, but not in this turn */
	}
	for (; n > 0; n--) {
		struct ring *r = fs->pooled.prev;
		fiber_ctx_trim(CONTAINER_OF(r, struct fiber, ring));
		ring_remove(r);
		ring_insert(&fs->cold, r);
		fs->pooled_n--;
		fs->pooled_min--;
	}
	if (next == TRIM_EVERY)
		fs->pooled_min = fs->pooled_n;
	if (fs->pooled_n > TRIM_KEEP)
		timer_set(fs->loop, &fs->trim, fs->now + next);
}

struct fiber *
fiber_self(void)
{
	return fibers_mine != NULL ? fibers_mine->current : NULL;
}

static inline void
leave(struct fibers *fs, struct fiber *f, enum fiber_state state,
    const char *what)
{
	assert(fiber_no_wait == 0);
	f->state = state;
	f->what = what;
	f->since = fs->now;
	fs->current = f->enterer;
	fiber_ctx_leave(f);
}

static enum fiber_wake
park(const char *what, nsec_t deadline, bool cancelable)
{
	struct fibers *fs = fibers_mine;
	struct fiber *f = fs->current;

	assert(f != NULL);
	assert(fiber_no_wait == 0);
	if (fs->canceling && cancelable)
		return FIBER_CANCELED;
	if (f->wake_pending) {
		f->wake_pending = false;
		return FIBER_WOKEN;
	}
	if (deadline != NSEC_NEVER) {
		if (deadline <= fs->now)
			return FIBER_TIMEOUT;
		if (f->timer.heap_at == 0 || f->timer.at > deadline)
			timer_set(fs->loop, &f->timer, deadline);
	}
	f->deadline = deadline;
	f->cancelable = cancelable;
	leave(fs, f, FIBER_PARKED, what);
	return f->reason;
}

enum fiber_wake
fiber_park(const char *what, nsec_t deadline)
{
	return park(what, deadline, true);
}

void
fiber_park_uncancelable(const char *what)
{
	park(what, NSEC_NEVER, false);
}

void
fiber_yield(void)
{
	struct fibers *fs = fibers_mine;
	struct fiber *f = fs->current;

	assert(f != NULL);
	queue_add(&fs->yielded, f);
	leave(fs, f, FIBER_YIELDED, "its turn");
}

unsigned
fiber_count(void)
{
	return fibers_mine != NULL ? fibers_mine->live_n : 0;
}

void
fiber_set_limit(unsigned max)
{
	assert(fibers_mine != NULL);
	fibers_mine->limit = max;
}

void
fibers_init(struct fibers *fs, struct loop *loop)
{
	*fs = (struct fibers){.loop = loop, .limit = FIBER_LIMIT};
	fs->trim.fn = trim;
	ring_init(&fs->pooled);
	ring_init(&fs->cold);
	ring_init(&fs->live);
	queue_init(&fs->ready);
	queue_init(&fs->yielded);
}

static void
run_list(struct fibers *fs, struct fiber *f)
{
	struct fiber *next;

	for (; f != NULL; f = next) {
		next = f->ready_next;
#ifdef FIBERS_ASM
		if (next != NULL)
			__builtin_prefetch(next->ctx.sp);
#endif
		f->state = FIBER_RUNNING;
		f->enterer = NULL;
		fs->current = f;
		fiber_ctx_enter(f);
	}
}

void
fibers_run(struct fibers *fs)
{
	struct fiber *yielded = queue_take(&fs->yielded);

	for (int i = 0; i < READY_ROUNDS && fs->ready.head != NULL; i++)
		run_list(fs, queue_take(&fs->ready));
	run_list(fs, yielded);
}

void
fibers_cancel(struct fibers *fs)
{
	fs->canceling = true;
	for (struct ring *r = fs->live.next; r != &fs->live; r = r->next) {
		struct fiber *f = CONTAINER_OF(r, struct fiber, ring);
		if (f->state == FIBER_PARKED && f->cancelable)
			make_ready(f, FIBER_CANCELED);
		else if (f->state == FIBER_READY && f->cancelable)
			f->reason = FIBER_CANCELED;
	}
}

void
fibers_fini(struct fibers *fs)
{
	struct fiber_chunk *c;

	assert(fs->live_n == 0);
	timer_cancel(fs->loop, &fs->trim);
	while ((c = fs->chunks) != NULL) {
		fs->chunks = c->next;
		for (unsigned i = 0; i < c->used; i++) {
			timer_cancel(fs->loop, &c->f[i].timer);
			fiber_ctx_free(&c->f[i]);
		}
		free(c);
	}
#ifndef FIBERS_THREADS
	fiber_stack_free_all(fs);
#endif
}
