/*
 * cold.c - see cold.h.
 */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core.h"
#include "counters.h"
#include "pool.h"
#include "uring.h"

enum {
	/* What is only to be in the page cache is read in such steps. */
	STEP = 256 << 10,
	/* Advice under way, of all cores: more would queue behind the disk. */
	AHEAD_MAX = 64,
};

static _Atomic unsigned ahead_n;

/* Buffers of STEP bytes that are not in use: new ones cost a fault a page. */
enum { SPARES = 16 };
static char *_Atomic spare[SPARES];

static char *
step_buf(void)
{
	for (int i = 0; i < SPARES; i++) {
		char *p = atomic_load_explicit(&spare[i],
		    memory_order_relaxed);

		if (p != NULL && atomic_compare_exchange_strong(&spare[i], &p,
		    NULL))
			return p;
	}
	return malloc(STEP);
}

static void
step_buf_done(char *buf)
{
	for (int i = 0; i < SPARES && buf != NULL; i++) {
		char *none = NULL;

		if (atomic_compare_exchange_strong(&spare[i], &none, buf))
			return;
	}
	free(buf);
}

struct cold {
	struct store *store;
	const struct extent *extent;
	char *buf;
	int result;
};

static void
by_pool(void *arg)
{
	struct cold *c = arg;

	c->result = c->buf != NULL ?
	    extent_read(c->store, c->extent, c->buf) :
	    extent_verify(c->store, c->extent);
}

/* false: it could not be tried */
static bool
by_ring(struct uring *u, struct cold *c)
{
	const struct extent *e = c->extent;
	uint32_t done = 0, step = c->buf != NULL || e->len < STEP ? e->len :
	    STEP;
	XXH3_state_t *x = XXH3_createState();
	char *own = c->buf == NULL ? step_buf() : NULL;
	ssize_t n = 0;

	if (x == NULL || (c->buf == NULL && own == NULL)) {
		n = -EAGAIN;
		goto out;
	}
	XXH3_64bits_reset(x);
	while (done < e->len) {
		uint32_t want = e->len - done < step ? e->len - done : step;
		char *to = own != NULL ? own : c->buf + done;

		n = uring_read(u, segment_fd(e->segment), to, want,
		    e->offset + done);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		XXH3_64bits_update(x, to, (size_t)n);
		done += (uint32_t)n;
	}
	c->result = done == e->len && XXH3_64bits_digest(x) == e->sum ? 0 :
	    -1;
	COUNT_INC(uring_reads);
out:
	step_buf_done(own);
	XXH3_freeState(x);
	/* too many are under way, or the kernel does not do it after all */
	return n != -EAGAIN && n != -ENOSYS && n != -EINVAL &&
	    n != -EOPNOTSUPP && n != -ENOMEM;
}

int
cold_read(struct store *st, const struct extent *e, char *buf)
{
	struct core *core = core_self();
	struct cold c = {st, e, buf, -1};

	if (core == NULL) { /* a thread of the pool */
		by_pool(&c);
		return c.result;
	}
	/* What a test has done to the disk is done to the pool's reads. */
	if (core->uring == NULL || fiber_self() == NULL || store_has_fault() ||
	    !by_ring(core->uring, &c))
		pool_call(core->pool, by_pool, &c, "cold read");
	return c.result;
}

struct advice {
	struct segment *segment;
	uint64_t offset;
	uint32_t len;
};

static void
advise(void *arg)
{
	struct advice *a = arg;

	(void)posix_fadvise(segment_fd(a->segment), (off_t)a->offset, a->len,
	    POSIX_FADV_WILLNEED);
	segment_unref(&a->segment);
	free(a);
	atomic_fetch_sub(&ahead_n, 1);
}

void
cold_ahead(const struct extent *e, uint32_t len)
{
	struct advice *a;

	if (atomic_load(&ahead_n) >= AHEAD_MAX)
		return;
	a = malloc(sizeof *a);
	if (a == NULL)
		return;
	*a = (struct advice){segment_ref(e->segment), e->offset, len};
	atomic_fetch_add(&ahead_n, 1);
	if (pool_post(core_self()->pool, advise, a))
		return;
	atomic_fetch_sub(&ahead_n, 1);
	segment_unref(&a->segment);
	free(a);
}
