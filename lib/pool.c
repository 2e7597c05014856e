/*
 * pool.c - a few threads for what blocks.
 *
 * A job lives on the stack of the fiber that called.  It is queued under the
 * pool's lock, run by a thread, and posted back to the fiber's loop; from that
 * post on the thread no longer touches it.  The queue needs no bound of its
 * own: there is at most one job a fiber.  A job that nobody waits for is its
 * own memory, and who posts it bounds them.
 */
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fiber_impl.h"
#include "signals.h"

struct job {
	struct job *next;
	void (*fn)(void *);
	void *arg;
	struct loop *loop;   /* NULL: nobody waits */
	struct fiber *fiber;
	struct mail mail;
	bool done; /* on the loop's thread only */
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t queued;
	struct job *head, **tail;
	bool closing;
	unsigned threads_n;
	char name[16]; /* the kernel's limit for a thread's name */
	pthread_t threads[];
};

static void
job_done(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, mail);

	j->done = true;
	fiber_wake(j->fiber);
}

static void *
pool_thread(void *arg)
{
	struct pool *p = arg;
	struct job *j;

	pthread_setname_np(pthread_self(), p->name);
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while ((j = p->head) == NULL && !p->closing)
			pthread_cond_wait(&p->queued, &p->lock);
		if (j == NULL)
			break;
		if ((p->head = j->next) == NULL)
			p->tail = &p->head;
		pthread_mutex_unlock(&p->lock);
		j->fn(j->arg);
		if (j->loop != NULL)
			loop_post(j->loop, &j->mail);
		else
			free(j);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *
pool_new(unsigned threads, const char *name)
{
	struct pool *p = calloc(1, sizeof *p + threads * sizeof p->threads[0]);
	sigset_t before;
	int err = 0;

	if (p == NULL)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->queued, NULL);
	p->tail = &p->head;
	strncpy(p->name, name, sizeof p->name - 1);
	/* signals are for the threads that expect them */
	signals_block(&before);
	while (p->threads_n < threads && err == 0) {
		err = pthread_create(&p->threads[p->threads_n], NULL,
		    pool_thread, p);
		if (err == 0)
			p->threads_n++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0) {
		pool_free(&p);
		errno = err;
	}
	return p;
}

void
pool_free(struct pool **pp)
{
	struct pool *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->queued);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads_n; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->queued);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void
queue(struct pool *p, struct job *j)
{
	pthread_mutex_lock(&p->lock);
	assert(!p->closing);
	*p->tail = j;
	p->tail = &j->next;
	pthread_cond_signal(&p->queued);
	pthread_mutex_unlock(&p->lock);
}

bool
pool_post(struct pool *p, void (*fn)(void *), void *arg)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return false;
	j->fn = fn;
	j->arg = arg;
	queue(p, j);
	return true;
}

void
pool_call(struct pool *p, void (*fn)(void *), void *arg, const char *what)
{
	struct job j = {
		.fn = fn,
		.arg = arg,
		.loop = loop_self(),
		.fiber = fiber_self(),
		.mail.fn = job_done,
	};

	if (j.fiber == NULL) {
		fn(arg);
		return;
	}
	queue(p, &j);
	while (!j.done)
		fiber_park_uncancelable(what);
}
