/*
 * core.c - the worker's threads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <unistd.h>

#include "acceptor.h"
#include "conn.h"
#include "core.h"
#include "counters.h"
#include "memory.h"
#include "params.h"
#include "qsbr.h"
#include "uring.h"
#include "worker.h"

__thread struct core *core_mine;
FIBER_SHARE_THREAD_LOCAL(core_mine);
FIBER_SHARE_THREAD_LOCAL(counters_mine);

/* Reads of one core under way, as many as a disk of today does at once */
enum { URING_ENTRIES = 128 };

static struct core *cores;
static unsigned core_n;
static struct counters_map *counters;
static void (*on_core_start)(struct core *), (*on_core_end)(struct core *);

/*
 * Transaction ids are handed out to cores in shares, so that a request does
 * not touch memory that all cores write.  The epoch makes cores give back
 * their share when an administrator sets the next id.
 */
static _Atomic uint64_t xid_next = 1;
static _Atomic unsigned xid_share = 32768;
static _Atomic unsigned xid_epoch;

uint64_t
core_xid(struct core *c)
{
	unsigned epoch =
	    atomic_load_explicit(&xid_epoch, memory_order_relaxed);

	if (c->xid_next == c->xid_end || c->xid_epoch != epoch) {
		unsigned share = atomic_load(&xid_share);

		c->xid_epoch = epoch;
		c->xid_next = atomic_fetch_add(&xid_next, share);
		c->xid_end = c->xid_next + share;
	}
	return c->xid_next++;
}

void
core_xid_set(uint64_t next, unsigned share)
{
	if (share > 0)
		atomic_store(&xid_share, share);
	atomic_store(&xid_next, next);
	atomic_fetch_add(&xid_epoch, 1);
}

uint64_t
core_xid_peek(void)
{
	return atomic_load(&xid_next);
}

unsigned
core_count(void)
{
	return core_n;
}

struct core *
core_at(unsigned i)
{
	return &cores[i];
}

/*
 * What a block counts for: the pages that a request or fetch mostly touches of
 * it, and of the stack of the fiber that works in it.
 */
static int64_t
block_cost(size_t size)
{
	return (int64_t)(size / 4) + 16384;
}

static void
block_free(void *block)
{
	char *mem = (char *)block - 64;

	memory_charge(-block_cost(*(size_t *)mem));
	free(mem);
}

void *
core_block_get(struct block_list *l, size_t size)
{
	void *b;

	if (l->size != size) { /* a parameter was changed */
		while ((b = l->first) != NULL) {
			l->first = *(void **)b;
			block_free(b);
		}
		l->n = 0;
		l->size = size;
	}
	b = l->first;
	if (b != NULL) {
		l->first = *(void **)b;
		l->n--;
		return b;
	}
	/* In front of the block: its size, to know it when it comes back. */
	if (!memory_has_room(MEMORY_REQUEST, (uint64_t)block_cost(size)))
		return NULL;
	b = aligned_alloc(64, ((size + 63) & ~(size_t)63) + 64);
	if (b == NULL)
		return NULL;
	*(size_t *)b = size;
	memory_charge(block_cost(size));
	return (char *)b + 64;
}

void
core_block_put(struct block_list *l, void *block)
{
	size_t size = *(size_t *)((char *)block - 64);
	/* near the limit what is kept would be missed; one is for the next */
	unsigned kept = memory_has_room(MEMORY_CACHE, 0) ? BLOCKS_KEPT : 1;

	if (size != l->size || l->n >= kept) {
		block_free(block);
		return;
	}
	*(void **)block = l->first;
	l->first = block;
	l->n++;
}

static void
blocks_free(struct block_list *l)
{
	void *b;

	while ((b = l->first) != NULL) {
		l->first = *(void **)b;
		block_free(b);
	}
	l->n = 0;
}

struct str
core_date(struct core *c)
{
	double now = (double)(int64_t)loop_wall(c->loop);

	if (now != c->date_at) {
		http_date_format(now, c->date);
		c->date_at = now;
	}
	return str_of(c->date, HTTP_DATE_LEN);
}

static void
start_uring(struct core *c)
{
	c->uring = uring_new(c->loop, URING_ENTRIES);
	if (c->uring == NULL && c->index == 0)
		fprintf(stderr, "copald: no io_uring (%s): threads read what "
		    "is not in memory\n", strerror(errno));
}

static void *
core_thread(void *arg)
{
	struct core *c = arg;
	char name[16];

	snprintf(name, sizeof name, "core-%u", c->index);
	pthread_setname_np(pthread_self(), name);
	core_mine = c;
	counters_bind(counters, c->index + 1);
	qsbr_register();
	loop_enter(c->loop);
	if (params->io_uring)
		start_uring(c);
	if (on_core_start != NULL)
		on_core_start(c);
	loop_run(c->loop);
	conns_close_all(c);
	if (on_core_end != NULL)
		on_core_end(c);
	loop_free(&c->loop);
	uring_free(&c->uring);
	blocks_free(&c->client_blocks);
	blocks_free(&c->backend_blocks);
	blocks_free(&c->include_blocks);
	qsbr_unregister();
	return NULL;
}

/* One core a CPU: they share nothing, so moving them only costs caches. */
static void
core_pin(struct core *c)
{
	cpu_set_t allowed, one;
	unsigned want, seen = 0;

	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		return;
	if ((unsigned)CPU_COUNT(&allowed) < core_n)
		return;
	want = c->index;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || seen++ != want)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(c->thread, sizeof one, &one);
		return;
	}
}

int
cores_start(unsigned n, const char *log_dir, struct counters_map *map,
    void (*serve)(struct stream *), void (*on_start)(struct core *),
    void (*on_end)(struct core *))
{
	/*
	 * Enough threads that a few slow reads do not hold up the others;
	 * they sleep unless something is cold.
	 */
	struct pool *pool = pool_new(16, "blocking");
	size_t ring_size = params->vsl_space / n;

	if (pool == NULL)
		return -1;
	cores = calloc(n, sizeof *cores);
	if (cores == NULL)
		return -1;
	core_n = n;
	counters = map;
	on_core_start = on_start;
	on_core_end = on_end;
	for (unsigned i = 0; i < n; i++) {
		struct core *c = &cores[i];

		c->index = i;
		c->serve = serve;
		c->pool = pool;
		c->loop = loop_new();
		c->ring = log_ring_create(log_dir, i, ring_size);
		if (c->loop == NULL || c->ring == NULL)
			return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		int e = pthread_create(&cores[i].thread, NULL, core_thread,
		    &cores[i]);

		if (e != 0) {
			errno = e;
			return -1;
		}
		if (n > 1)
			core_pin(&cores[i]);
	}
	return 0;
}

struct accept_mail {
	struct mail mail;
	const struct listener *listener;
	unsigned listener_n;
};

static void
core_accept(struct mail *m)
{
	struct accept_mail *a = (struct accept_mail *)m;

	acceptors_open(core_self(), a->listener, a->listener_n);
	free(a);
}

void
cores_accept(const struct listener *l, unsigned listener_n)
{
	for (unsigned i = 0; i < core_n; i++) {
		struct accept_mail *a = calloc(1, sizeof *a);

		if (a == NULL)
			continue;
		a->mail.fn = core_accept;
		a->listener = l;
		a->listener_n = listener_n;
		loop_post(cores[i].loop, &a->mail);
	}
}

struct drain_mail {
	struct mail mail;
	_Atomic unsigned *left;
};

static void
core_drain(struct mail *m)
{
	struct drain_mail *d = (struct drain_mail *)m;
	struct core *c = core_self();

	acceptors_close(c);
	atomic_store(&c->draining, true);
	conns_close_idle(c);
	atomic_fetch_sub(d->left, 1);
	free(d);
}

void
cores_stop(nsec_t wait)
{
	nsec_t deadline = clock_mono() + wait;
	_Atomic unsigned left = core_n;
	unsigned open;

	for (unsigned i = 0; i < core_n; i++) {
		struct drain_mail *d = calloc(1, sizeof *d);

		if (d == NULL) {
			atomic_fetch_sub(&left, 1);
			continue;
		}
		d->mail.fn = core_drain;
		d->left = &left;
		loop_post(cores[i].loop, &d->mail);
	}
	do {
		open = atomic_load(&left);
		for (unsigned i = 0; i < core_n; i++)
			open += __atomic_load_n(&cores[i].conn_n,
			    __ATOMIC_RELAXED);
		if (open > 0)
			usleep(2000);
	} while (open > 0 && clock_mono() < deadline);
	for (unsigned i = 0; i < core_n; i++)
		loop_stop(cores[i].loop);
	for (unsigned i = 0; i < core_n; i++)
		pthread_join(cores[i].thread, NULL);
	pool_free(&cores[0].pool);
	for (unsigned i = 0; i < core_n; i++)
		log_ring_close(&cores[i].ring);
}
