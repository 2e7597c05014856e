/*
 * fiber_threads.c - a thread a fiber: for gdb, valgrind and sanitizers, which
 * then need to know nothing of fibers.
 *
 * Of a loop's threads exactly one runs at a time: it has the baton.  Each
 * fiber's `turn` says on which side of the enter the baton is.  With it go the
 * values of the shared thread-local variables (FIBER_SHARE_THREAD_LOCAL), by
 * way of the fiber's `shared`, under its lock.
 */
#include <assert.h>
#include <string.h>

#include "fiber_impl.h"

#ifdef FIBERS_THREADS

/*
 * Room for the thread's own data and for a sanitizer's larger frames, beside
 * the 64 KiB that a fiber may count on.
 */
enum { THREAD_STACK = 512 * 1024 };

static void
values_save(struct fiber *f)
{
	for (unsigned i = 0; i < fiber_shared_n; i++)
		memcpy(f->shared[i], fiber_shared[i].address(),
		    fiber_shared[i].size);
}

static void
values_load(struct fiber *f)
{
	for (unsigned i = 0; i < fiber_shared_n; i++)
		memcpy(fiber_shared[i].address(), f->shared[i],
		    fiber_shared[i].size);
}

/* Gives the baton to the side `to`, and waits until it is back. */
static void
pass_baton(struct fiber *f, int to)
{
	pthread_mutex_lock(&f->lock);
	values_save(f);
	f->turn = to;
	pthread_cond_broadcast(&f->turned);
	while ((int)f->turn == to)
		pthread_cond_wait(&f->turned, &f->lock);
	if (f->turn != TURN_EXIT)
		values_load(f);
	pthread_mutex_unlock(&f->lock);
}

static void *
fiber_thread(void *arg)
{
	struct fiber *f = arg;

	pthread_mutex_lock(&f->lock);
	while (f->turn == TURN_ENTERER)
		pthread_cond_wait(&f->turned, &f->lock);
	values_load(f);
	pthread_mutex_unlock(&f->lock);
	/* an exit comes only while the thread waits, here or in pass_baton */
	while (f->turn != TURN_EXIT) {
		f->fn(f->arg);
		fiber_ended(f);
		pass_baton(f, TURN_ENTERER);
	}
	return NULL;
}

int
fiber_ctx_new(struct fiber *f)
{
	pthread_attr_t attr;
	int err;

	if (pthread_attr_init(&attr) != 0)
		return -1;
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->turned, NULL);
	f->turn = TURN_ENTERER;
	err = pthread_create(&f->thread, &attr, fiber_thread, f);
	pthread_attr_destroy(&attr);
	if (err == 0)
		return 0;
	pthread_cond_destroy(&f->turned);
	pthread_mutex_destroy(&f->lock);
	return -1;
}

void
fiber_ctx_free(struct fiber *f)
{
	pthread_mutex_lock(&f->lock);
	values_save(f);
	f->turn = TURN_EXIT;
	pthread_cond_broadcast(&f->turned);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	pthread_cond_destroy(&f->turned);
	pthread_mutex_destroy(&f->lock);
}

/* The thread library keeps the memory of a thread's stack. */
void
fiber_ctx_trim(struct fiber *f)
{
	(void)f;
}

void
fiber_ctx_enter(struct fiber *f)
{
	assert(f->turn == TURN_ENTERER);
	pass_baton(f, TURN_FIBER);
}

void
fiber_ctx_leave(struct fiber *f)
{
	assert(f->turn == TURN_FIBER);
	pass_baton(f, TURN_ENTERER);
}

#endif
