/*
 * inval_log.c - the queue of invalidations, and their group commit.
 *
 *      call, call, call --> queue --all--> begin each --> stores --> end each
 *                             ^                             |
 *                             '---- come while that waits --'
 */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>

#include "ban.h"
#include "core.h"
#include "counters.h"
#include "inval_log.h"
#include "stevedore.h"

static _Atomic uint64_t position;
static uint64_t last_seq; /* of any entry; lock held */
/* Serialises writers: positions reach the stores in their order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t purge_gate = PTHREAD_RWLOCK_INITIALIZER;
/* One thread: while it waits for the disk the next group gathers. */
static struct pool *pool;

static struct {
	pthread_mutex_t lock;
	struct inval_call *head, **tail;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .tail = &queue.head};

/* Posted for each store that is done with an entry; log locked */
static sem_t stored;

int
inval_log_start(uint64_t at)
{
	position = last_seq = at;
	sem_init(&stored, 0, 0);
	pool = pool_new(1, "invalidate");
	return pool != NULL ? 0 : -1;
}

void
inval_log_stop(void)
{
	pool_free(&pool);
}

void
inval_log_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
inval_log_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

uint64_t
inval_log_position(void)
{
	return atomic_load_explicit(&position, memory_order_acquire);
}

void
inval_log_publish(uint64_t seq)
{
	atomic_store_explicit(&position, seq, memory_order_release);
}

void
inval_gate_close(void)
{
	pthread_rwlock_wrlock(&purge_gate);
}

void
inval_gate_open(void)
{
	pthread_rwlock_unlock(&purge_gate);
}

void
purge_gate_enter(void)
{
	pthread_rwlock_rdlock(&purge_gate);
}

void
purge_gate_leave(void)
{
	pthread_rwlock_unlock(&purge_gate);
}

static void
on_stored(void *priv, const char *error, unsigned objects)
{
	struct inval_call *c = priv;

	c->objects += objects;
	if (error != NULL && !atomic_exchange(&c->failed, true))
		snprintf(c->err, BAN_ERR_LEN,
		    "The log could not be written: %s", error);
	sem_post(&stored);
}

/* Hands the entry to every store; to how many */
static unsigned
hand_over(struct inval_call *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < stevedore_count(); i++) {
		struct stevedore *stv = stevedore_at(i);

		if (stv->store == NULL)
			continue;
		store_inval_append(stv->store, &c->entry, on_stored, c);
		n++;
	}
	return n;
}

static unsigned
call_begin(struct inval_call *c)
{
	unsigned n = 0;

	c->entry.at = clock_wall();
	c->entry.seq = (uint64_t)(c->entry.at * 1e6);
	if (c->entry.seq <= last_seq)
		c->entry.seq = last_seq + 1;
	last_seq = c->entry.seq;
	if (c->in_gate)
		inval_gate_close();
	c->result = c->begin != NULL ? c->begin(c) : 0;
	if (c->result == 0)
		n = hand_over(c);
	if (c->in_gate)
		inval_gate_open();
	return n;
}

/* Lock held.  A call is its caller's again as soon as it is done. */
static void
write_group(struct inval_call *group)
{
	struct inval_call *c, *next;
	unsigned n = 0;

	for (c = group; c != NULL; c = c->next)
		n += call_begin(c);
	while (n > 0)
		if (sem_wait(&stored) == 0 || errno != EINTR)
			n--;
	for (c = group; c != NULL; c = next) {
		next = c->next;
		if (c->failed)
			c->result = -1;
		if (c->end != NULL)
			c->end(c);
		c->done = true;
	}
	COUNT_INC(inval_groups);
}

/* Writes what is queued, the call among it, unless it was written by now. */
static void
drain(void *arg)
{
	struct inval_call *c = arg, *group;

	pthread_mutex_lock(&lock);
	if (!c->done) {
		pthread_mutex_lock(&queue.lock);
		group = queue.head;
		queue.head = NULL;
		queue.tail = &queue.head;
		pthread_mutex_unlock(&queue.lock);
		write_group(group);
	}
	pthread_mutex_unlock(&lock);
}

int
inval_log_write(struct inval_call *c)
{
	c->next = NULL;
	pthread_mutex_lock(&queue.lock);
	*queue.tail = c;
	queue.tail = &c->next;
	pthread_mutex_unlock(&queue.lock);
	/* each queued job finds its call done, but the first of a group */
	pool_call(pool, drain, c, "invalidation to be on disk");
	return c->result;
}

int
inval_log_write_locked(struct inval_call *c)
{
	unsigned n = call_begin(c);

	while (n > 0)
		if (sem_wait(&stored) == 0 || errno != EINTR)
			n--;
	if (c->failed)
		c->result = -1;
	return c->result;
}

static const char *cli_who;

void
inval_audit_who(const char *who)
{
	cli_who = who;
}

void
inval_audit(struct log_txn *log, const char *what, struct str of,
    const struct purged *p)
{
	if (log != NULL)
		log_printf(log, LOG_AUDIT, "%s %llu %u %.*s", what,
		    (unsigned long long)p->seq, p->objects, STR_ARG(of));
	else
		log_raw(core_count() > 0 ? core_at(0)->ring : NULL, LOG_AUDIT,
		    "cli:%s %s %llu %u %.*s", cli_who != NULL ? cli_who : "",
		    what, (unsigned long long)p->seq, p->objects,
		    STR_ARG(of));
}
