/*
 * qsbr.c - freeing what other threads may still be reading.
 *
 * One epoch, which only grows, and for each thread the epoch that it saw when
 * it was last quiescent (0: offline).  A thread's retired items wait in
 * batches:
 *
 *	retire -> fresh --+- quiescent: epoch + 1 is its target -> waiting
 *	                  |
 *	waiting: every thread offline or at the target or past it -> fn
 *
 * Who has seen an epoch has seen what was unlinked before it, so a thread
 * at the target can't hold the batch's items.  Two batches are enough: while
 * one waits, the next gathers.
 */
#include "qsbr.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "fiber.h"

struct batch {
	struct qsbr_item *head, **tail;
};

struct slot {
	_Alignas(64) _Atomic uint64_t seen; /* 0: offline or free */
	bool taken;                         /* under lock */
	/* the thread's own */
	struct batch fresh;
	struct batch waiting;
	uint64_t target; /* of waiting */
};

static struct slot slots[QSBR_THREADS];

/* Read by every thread every turn, written only when something is retired. */
static struct {
	_Alignas(64) _Atomic uint64_t epoch;
	_Atomic unsigned slots_n; /* slots ever taken */
	atomic_bool has_orphans;
} shared = {.epoch = 1};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned threads_n;      /* under lock */
static struct qsbr_item *orphans; /* under lock: of nobody's thread */

static __thread struct slot *mine;
FIBER_SHARE_THREAD_LOCAL(mine);

static void
batch_init(struct batch *b)
{
	b->head = NULL;
	b->tail = &b->head;
}

static void
batch_append(struct batch *b, struct qsbr_item *list)
{
	if (list == NULL)
		return;
	*b->tail = list;
	while (list->next != NULL)
		list = list->next;
	b->tail = &list->next;
}

static void
run_all(struct qsbr_item *i)
{
	struct qsbr_item *next;

	for (; i != NULL; i = next) {
		next = i->next;
		i->fn(i);
	}
}

/*
 * Between "I am online" and the first read of a shared pointer, and between
 * the new epoch and the look at who is online: each must be seen by the other
 * side before going on.  ThreadSanitizer knows no fences; its processors
 * need none beside the atomics that are there.
 */
static inline void
full_barrier(void)
{
#if !defined(__SANITIZE_THREAD__)
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

int
qsbr_register(void)
{
	int err = -1;

	assert(mine == NULL);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < QSBR_THREADS && err != 0; i++) {
		if (slots[i].taken)
			continue;
		mine = &slots[i];
		mine->taken = true;
		batch_init(&mine->fresh);
		batch_init(&mine->waiting);
		threads_n++;
		if (i >= shared.slots_n)
			shared.slots_n = i + 1;
		err = 0;
	}
	pthread_mutex_unlock(&lock);
	if (err == 0)
		qsbr_online();
	return err;
}

static void
orphans_add(struct qsbr_item *list)
{
	while (list != NULL) {
		struct qsbr_item *i = list;
		list = i->next;
		i->next = orphans;
		orphans = i;
	}
	shared.has_orphans = orphans != NULL;
}

static struct qsbr_item *
orphans_take(void)
{
	struct qsbr_item *list = orphans;

	orphans = NULL;
	shared.has_orphans = false;
	return list;
}

void
qsbr_unregister(void)
{
	struct qsbr_item *run = NULL;
	struct slot *s = mine;

	assert(s != NULL);
	qsbr_offline();
	mine = NULL;
	pthread_mutex_lock(&lock);
	orphans_add(s->waiting.head);
	orphans_add(s->fresh.head);
	s->taken = false;
	if (--threads_n == 0)
		run = orphans_take();
	pthread_mutex_unlock(&lock);
	run_all(run);
}

bool
qsbr_is_registered(void)
{
	return mine != NULL;
}

static bool
all_have_seen(uint64_t epoch)
{
	unsigned n = atomic_load(&shared.slots_n);

	for (unsigned i = 0; i < n; i++) {
		uint64_t seen = atomic_load(&slots[i].seen);
		if (seen != 0 && seen < epoch)
			return false;
	}
	return true;
}

static void
reclaim(struct slot *s)
{
	struct qsbr_item *run;

	if (s->waiting.head != NULL && all_have_seen(s->target)) {
		run = s->waiting.head;
		batch_init(&s->waiting);
		run_all(run);
	}
	if (s->waiting.head == NULL && s->fresh.head != NULL) {
		s->waiting.head = s->fresh.head;
		s->waiting.tail = s->fresh.tail;
		batch_init(&s->fresh);
		s->target = atomic_fetch_add(&shared.epoch, 1) + 1;
		full_barrier();
		atomic_store(&s->seen, s->target);
	}
}

static void
adopt_orphans(struct slot *s)
{
	struct qsbr_item *list;

	pthread_mutex_lock(&lock);
	list = orphans_take();
	pthread_mutex_unlock(&lock);
	batch_append(&s->fresh, list);
}

void
qsbr_quiescent(void)
{
	struct slot *s = mine;

	if (s == NULL)
		return;
	atomic_store_explicit(&s->seen,
	    atomic_load_explicit(&shared.epoch, memory_order_acquire),
	    memory_order_release);
	if (atomic_load_explicit(&shared.has_orphans, memory_order_relaxed))
		adopt_orphans(s);
	if (s->fresh.head != NULL || s->waiting.head != NULL)
		reclaim(s);
}

void
qsbr_offline(void)
{
	if (mine != NULL)
		atomic_store_explicit(&mine->seen, 0, memory_order_release);
}

void
qsbr_online(void)
{
	if (mine == NULL)
		return;
	atomic_exchange(&mine->seen, atomic_load(&shared.epoch));
	full_barrier();
}

void
qsbr_retire(struct qsbr_item *item, void (*fn)(struct qsbr_item *))
{
	bool run = false;

	item->fn = fn;
	item->next = NULL;
	if (mine != NULL) {
		*mine->fresh.tail = item;
		mine->fresh.tail = &item->next;
		return;
	}
	pthread_mutex_lock(&lock);
	if (threads_n > 0)
		orphans_add(item);
	else
		run = true;
	pthread_mutex_unlock(&lock);
	if (run)
		fn(item);
}

bool
qsbr_pending(void)
{
	return mine != NULL &&
	    (mine->fresh.head != NULL || mine->waiting.head != NULL);
}
