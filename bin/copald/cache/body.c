/*
 * body.c - growing bodies and their readers.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "body.h"
#include "cold.h"
#include "core.h"
#include "memory.h"
#include "stevedore.h"

enum {
	/*
	 * First piece of a body of unknown length: what the store wants at
	 * least for all but the last.  Pages that are not written cost
	 * nothing, and the piece is cut to size at the end.
	 */
	PIECE_FIRST = 65536,
	PIECE_NEXT = 262144,
	/* Wasted bytes that are worth a copy when a body is complete. */
	PIECE_WASTE = 512,
};

struct buf *
buf_new(uint32_t cap)
{
	struct buf *b = malloc(sizeof *b + cap);

	if (b != NULL) {
		b->ref = 1;
		b->cap = cap;
		memory_charge((int64_t)(sizeof *b + cap));
	}
	return b;
}

struct buf *
buf_ref(struct buf *b)
{
	atomic_fetch_add_explicit(&b->ref, 1, memory_order_relaxed);
	return b;
}

void
buf_unref(struct buf **pp)
{
	struct buf *b = *pp;

	*pp = NULL;
	if (b == NULL || atomic_fetch_sub_explicit(&b->ref, 1,
	    memory_order_acq_rel) != 1)
		return;
	memory_charge(-(int64_t)(sizeof *b + b->cap));
	free(b);
}

void
body_init(struct body *b)
{
	memset(b, 0, sizeof *b);
	pthread_mutex_init(&b->lock, NULL);
	b->expected = -1;
	b->flat_max = UINT64_MAX;
}

void
body_destroy(struct body *b)
{
	for (uint32_t i = 0; i < b->piece_n; i++) {
		buf_unref(&b->piece[i].buf);
		if (b->piece[i].extent.segment != NULL)
			segment_unref(&b->piece[i].extent.segment);
	}
	free(b->piece);
	pthread_mutex_destroy(&b->lock);
}

/* lock held: everybody looks again */
static void
body_wake(struct body *b)
{
	struct body_waiter *w, *next;

	/* a waiter's memory is its stack: not to be touched once it is woken */
	for (w = b->waiters; w != NULL; w = next) {
		struct fiber *f = w->fiber;

		next = w->next;
		w->fiber = NULL;
		fiber_wake(f);
	}
	b->waiters = NULL;
}

/* lock held on entry and return; parks in between */
static enum fiber_wake
body_park(struct body *b, const char *what, nsec_t deadline)
{
	struct body_waiter w = {fiber_self(), b->waiters}, **pp;
	enum fiber_wake r;

	b->waiters = &w;
	pthread_mutex_unlock(&b->lock);
	r = fiber_park(what, deadline);
	pthread_mutex_lock(&b->lock);
	/* still in the list after a timeout or a spurious wake */
	for (pp = &b->waiters; *pp != NULL; pp = &(*pp)->next)
		if (*pp == &w) {
			*pp = w.next;
			break;
		}
	return r;
}

/* lock held: a pass that never ends takes no more and more room */
static void
pieces_go(struct body *b)
{
	for (uint32_t i = 0; i < b->forgotten; i++)
		if (b->piece[i].extent.segment != NULL)
			segment_unref(&b->piece[i].extent.segment);
	b->piece_n -= b->forgotten;
	memmove(b->piece, b->piece + b->forgotten,
	    b->piece_n * sizeof *b->piece);
	b->gone += b->forgotten;
	b->forgotten = 0;
}

/* lock held; NULL: no memory */
static struct piece *
piece_add(struct body *b)
{
	struct piece *p;

	if (b->piece_n == b->piece_cap && b->forgotten > b->piece_cap / 2)
		pieces_go(b);
	if (b->piece_n == b->piece_cap) {
		uint32_t cap = b->piece_cap == 0 ? 1 : b->piece_cap * 2;

		p = realloc(b->piece, cap * sizeof *p);
		if (p == NULL)
			return NULL;
		b->piece = p;
		b->piece_cap = cap;
	}
	p = &b->piece[b->piece_n++];
	memset(p, 0, sizeof *p);
	return p;
}

uint32_t
body_pieces(const struct body *b)
{
	return b->gone + b->piece_n;
}

char *
body_room(struct body *b, uint64_t want, size_t *room)
{
	struct piece *p = b->piece_n > 0 ? &b->piece[b->piece_n - 1] : NULL;
	uint64_t cap;
	struct buf *buf;

	if (p != NULL && p->buf != NULL && p->len < p->buf->cap) {
		*room = p->buf->cap - p->len;
		return p->buf->data + p->len;
	}
	if (want == 0)
		want = b->piece_n == 0 ? PIECE_FIRST : PIECE_NEXT;
	cap = want < STORE_PIECE_MAX ? want : STORE_PIECE_MAX;
	buf = buf_new((uint32_t)cap);
	if (buf == NULL)
		return NULL;
	pthread_mutex_lock(&b->lock);
	p = piece_add(b);
	if (p != NULL) {
		p->at = b->len;
		p->buf = buf;
		b->memory += cap;
	}
	pthread_mutex_unlock(&b->lock);
	if (p == NULL) {
		buf_unref(&buf);
		return NULL;
	}
	*room = cap;
	return buf->data;
}

void
body_grow(struct body *b, size_t n)
{
	pthread_mutex_lock(&b->lock);
	b->piece[b->piece_n - 1].len += (uint32_t)n;
	atomic_store_explicit(&b->len, b->len + n, memory_order_release);
	body_wake(b);
	pthread_mutex_unlock(&b->lock);
}

/* lock held: gives back what the last piece was too large for */
static uint64_t
body_trim(struct body *b)
{
	struct piece *p;
	struct buf *small;
	uint64_t waste;

	if (b->piece_n == 0)
		return 0;
	p = &b->piece[b->piece_n - 1];
	if (p->buf == NULL)
		return 0;
	if (p->len == 0) { /* made for bytes that did not come */
		waste = p->buf->cap;
		buf_unref(&p->buf);
		b->piece_n--;
		b->memory -= waste;
		return waste;
	}
	waste = p->buf->cap - p->len;
	small = waste < PIECE_WASTE ? NULL : buf_new(p->len);
	if (small == NULL)
		return 0;
	memcpy(small->data, p->buf->data, p->len);
	b->memory -= waste;
	buf_unref(&p->buf);
	p->buf = small;
	return waste;
}

uint64_t
body_finish(struct body *b)
{
	uint64_t freed = 0;

	pthread_mutex_lock(&b->lock);
	if (!b->windowed) {
		freed = body_trim(b);
		if (b->piece_n == 1 && b->piece[0].buf != NULL &&
		    b->len <= b->flat_max)
			atomic_store(&b->flat, b->piece[0].buf);
	}
	atomic_store_explicit(&b->state, BODY_COMPLETE, memory_order_release);
	body_wake(b);
	pthread_mutex_unlock(&b->lock);
	return freed;
}

void
body_fail(struct body *b)
{
	pthread_mutex_lock(&b->lock);
	atomic_store_explicit(&b->state, BODY_FAILED, memory_order_release);
	body_wake(b);
	pthread_mutex_unlock(&b->lock);
}

/* lock held; there is a reader */
static uint64_t
read_by_all(const struct body *b)
{
	uint64_t least = UINT64_MAX;

	for (const struct body_reader *r = b->readers; r != NULL; r = r->next)
		if (r->at < least)
			least = r->at;
	return least;
}

/* lock held: pieces that are full and read; the last is being filled */
static void
forget_read(struct body *b)
{
	uint64_t upto = read_by_all(b);

	for (uint32_t i = b->forgotten; i + 1 < b->piece_n; i++) {
		struct piece *p = &b->piece[i];

		if (p->at + p->len > upto)
			break;
		if (p->buf != NULL)
			b->memory -= p->buf->cap;
		p->dropped = true;
		buf_unref(&p->buf);
		b->forgotten = i + 1;
	}
}

enum fiber_wake
body_wait_window(struct body *b, uint64_t window, nsec_t deadline)
{
	enum fiber_wake r = FIBER_WOKEN;

	pthread_mutex_lock(&b->lock);
	while (r == FIBER_WOKEN && b->windowed) {
		if (b->readers == NULL) {
			r = FIBER_CANCELED;
			break;
		}
		/* a reader of a range may be ahead */
		forget_read(b);
		if (b->len <= read_by_all(b) + window)
			break;
		r = body_park(b, "client to read on", deadline);
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}

struct buf *
body_piece_buf(struct body *b, uint32_t i, uint32_t *len)
{
	struct buf *buf = NULL;

	pthread_mutex_lock(&b->lock);
	if (i >= b->gone && i < body_pieces(b) &&
	    b->piece[i - b->gone].buf != NULL) {
		buf = buf_ref(b->piece[i - b->gone].buf);
		*len = b->piece[i - b->gone].len;
	}
	pthread_mutex_unlock(&b->lock);
	return buf;
}

uint64_t
body_piece_stored(struct body *b, uint32_t i, const struct extent *e)
{
	struct piece *p;
	uint64_t freed = 0;

	pthread_mutex_lock(&b->lock);
	if (i < b->gone) { /* it became a pass meanwhile */
		pthread_mutex_unlock(&b->lock);
		return 0;
	}
	p = &b->piece[i - b->gone];
	/* a body that was shared is in memory, and read from there */
	if (p->extent.segment != NULL)
		segment_unref(&p->extent.segment);
	p->extent = *e;
	segment_ref(e->segment);
	p->resident = true;
	p->resident_at = clock_mono();
	if (b->flat == NULL && p->buf != NULL) {
		freed = p->buf->cap;
		b->memory -= freed;
		buf_unref(&p->buf);
	}
	pthread_mutex_unlock(&b->lock);
	return freed;
}

int
body_set(struct body *b, const void *bytes, size_t len)
{
	size_t room;
	char *p;

	while (len > 0) {
		p = body_room(b, len, &room);
		if (p == NULL)
			return -1;
		if (room > len)
			room = len;
		memcpy(p, bytes, room);
		body_grow(b, room);
		bytes = (const char *)bytes + room;
		len -= room;
	}
	body_finish(b);
	return 0;
}

int
body_set_buf(struct body *b, struct buf *buf)
{
	struct piece *p = piece_add(b);

	if (p == NULL) {
		buf_unref(&buf);
		return -1;
	}
	p->len = buf->cap;
	p->buf = buf;
	b->len = b->memory = buf->cap;
	body_finish(b);
	return 0;
}

/* lock held: all pieces copied; NULL: no memory, or one is not there */
static struct buf *
join(struct body *b)
{
	struct buf *whole = buf_new((uint32_t)b->len);

	for (uint32_t i = 0; whole != NULL && i < b->piece_n; i++) {
		if (b->piece[i].buf == NULL)
			buf_unref(&whole);
		else
			memcpy(whole->data + b->piece[i].at,
			    b->piece[i].buf->data, b->piece[i].len);
	}
	return whole;
}

struct buf *
body_flatten(struct body *b, int64_t *more)
{
	struct buf *whole = NULL;

	*more = 0;
	pthread_mutex_lock(&b->lock);
	if (b->piece_n == 1)
		whole = b->piece[0].buf;
	else if (b->piece_n > 1 && (whole = join(b)) != NULL) {
		/* who reads has a reference to what he reads */
		*more = (int64_t)whole->cap - (int64_t)b->memory;
		for (uint32_t i = 0; i < b->piece_n; i++)
			buf_unref(&b->piece[i].buf);
		b->piece_n = 1;
		b->piece[0].buf = whole;
		b->piece[0].len = whole->cap;
		b->memory = whole->cap;
	}
	if (whole != NULL) {
		b->flat_max = UINT64_MAX;
		atomic_store(&b->flat, whole);
	}
	pthread_mutex_unlock(&b->lock);
	return whole;
}

int
body_set_extents(struct body *b, const struct extent *e, unsigned n)
{
	b->piece = calloc(n > 0 ? n : 1, sizeof *b->piece);
	if (b->piece == NULL)
		return -1;
	b->piece_cap = b->piece_n = n;
	for (unsigned i = 0; i < n; i++) {
		b->piece[i].at = e[i].body_at;
		b->piece[i].len = e[i].len;
		b->piece[i].extent = e[i];
		b->len += e[i].len;
	}
	body_finish(b);
	return 0;
}

void
body_first_is_right(struct body *b, struct buf *buf)
{
	pthread_mutex_lock(&b->lock);
	b->piece[0].resident = true;
	b->piece[0].resident_at = clock_mono();
	b->piece[0].buf = buf;
	if (buf != NULL) {
		b->memory += buf->cap;
		atomic_store(&b->flat, buf);
	}
	pthread_mutex_unlock(&b->lock);
}

int
body_share(struct body *to, struct body *from)
{
	int r = 0;

	pthread_mutex_lock(&from->lock);
	if (from->state != BODY_COMPLETE || from->windowed) {
		r = -1;
		goto out;
	}
	to->flat_max = from->flat_max;
	for (uint32_t i = 0; i < from->piece_n; i++) {
		struct piece *p = piece_add(to);

		if (p == NULL) {
			r = -1;
			goto out;
		}
		*p = from->piece[i];
		if (p->buf != NULL) {
			buf_ref(p->buf);
			to->memory += p->buf->cap;
		}
		if (p->extent.segment != NULL)
			segment_ref(p->extent.segment);
	}
	to->len = from->len;
out:
	pthread_mutex_unlock(&from->lock);
	if (r == 0)
		body_finish(to);
	return r;
}

void
body_set_windowed(struct body *b)
{
	pthread_mutex_lock(&b->lock);
	b->windowed = true;
	pthread_mutex_unlock(&b->lock);
}

void
body_reader_begin(struct body *b, struct body_reader *r)
{
	pthread_mutex_lock(&b->lock);
	r->at = 0;
	r->next = b->readers;
	b->readers = r;
	pthread_mutex_unlock(&b->lock);
}

void
body_reader_end(struct body *b, struct body_reader *r)
{
	struct body_reader **pp;

	pthread_mutex_lock(&b->lock);
	for (pp = &b->readers; *pp != NULL; pp = &(*pp)->next)
		if (*pp == r) {
			*pp = r->next;
			break;
		}
	if (b->windowed)
		body_wake(b);
	pthread_mutex_unlock(&b->lock);
}

void
body_reader_at(struct body *b, struct body_reader *r, uint64_t at)
{
	pthread_mutex_lock(&b->lock);
	r->at = at;
	if (b->windowed) {
		forget_read(b);
		body_wake(b);
	}
	pthread_mutex_unlock(&b->lock);
}

/* lock held; the piece that has byte at, which there is */
static struct piece *
piece_at(struct body *b, uint64_t at)
{
	uint32_t lo = 0, hi = b->piece_n;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (b->piece[mid].at <= at)
			lo = mid;
		else
			hi = mid;
	}
	return &b->piece[lo];
}

/*
 * A page that is not in memory would stop this core: ask, without waiting,
 * for the first and the last byte, and at most once a second.
 */
static bool
extent_is_resident(const struct extent *e)
{
	char byte;
	struct iovec v = {&byte, 1};
	int fd = segment_fd(e->segment);

	return preadv2(fd, &v, 1, (off_t)e->offset, RWF_NOWAIT) == 1 &&
	    preadv2(fd, &v, 1, (off_t)(e->offset + e->len - 1),
	    RWF_NOWAIT) == 1;
}

/*
 * lock held on entry and return, when the piece is the i-th (body_pieces) but
 * may lie elsewhere; *is_bad: what is on disk is wrong
 */
static enum body_get
piece_load(struct body *b, struct stevedore *stv, uint32_t i, bool in_memory,
    uint64_t *loaded, bool *is_bad)
{
	struct piece *p = &b->piece[i - b->gone];
	struct extent e = p->extent;
	nsec_t now = loop_now(core_self()->loop);
	bool small = b->piece_n == 1 && e.len <= b->flat_max;
	struct buf *buf = NULL;
	int r;

	if (p->resident && !in_memory && !small &&
	    (now - p->resident_at < NSEC_S(1) || extent_is_resident(&e))) {
		p->resident_at = now;
		return BODY_GET_OK;
	}
	segment_ref(e.segment);
	if (in_memory || small) {
		buf = buf_new(e.len);
		if (buf == NULL) {
			segment_unref(&e.segment);
			return BODY_GET_FAILED;
		}
	}
	pthread_mutex_unlock(&b->lock);
	r = cold_read(stv->store, &e, buf != NULL ? buf->data : NULL);
	segment_unref(&e.segment);
	pthread_mutex_lock(&b->lock);
	if (r != 0 || i < b->gone) {
		*is_bad = r != 0 && r != STORE_NO_MEMORY;
		buf_unref(&buf);
		return BODY_GET_FAILED;
	}
	p = &b->piece[i - b->gone];
	p->resident = true;
	p->resident_at = now;
	if (buf != NULL && p->buf == NULL) {
		p->buf = buf;
		b->memory += buf->cap;
		*loaded = buf->cap;
		if (small)
			atomic_store(&b->flat, buf);
	} else {
		buf_unref(&buf);
	}
	return BODY_GET_OK;
}

enum body_get
body_get(struct body *b, struct stevedore *stv, uint64_t at, bool in_memory,
    nsec_t deadline, struct body_view *v)
{
	struct buf *flat =
	    atomic_load_explicit(&b->flat, memory_order_acquire);
	enum body_get r = BODY_GET_OK;
	bool is_bad = false;
	uint64_t loaded = 0;
	struct object *o;
	struct piece *p;

	memset(v, 0, sizeof *v);
	v->fd = -1;
	if (flat != NULL) { /* never taken away while the object lives */
		if (at >= b->len)
			return BODY_GET_END;
		v->p = flat->data + at;
		v->len = b->len - at;
		return BODY_GET_OK;
	}
	r = body_wait(b, at, deadline);
	if (r != BODY_GET_OK)
		return r;
	pthread_mutex_lock(&b->lock);
	p = piece_at(b, at);
	if (p->dropped || at < p->at)
		r = BODY_GET_FAILED;
	else if (p->extent.segment != NULL && p->buf == NULL &&
	    segment_is_overdue(p->extent.segment)) {
		r = BODY_GET_FAILED;
		is_bad = true; /* nobody should find it any more */
	} else if (p->buf == NULL) {
		uint32_t i = b->gone + (uint32_t)(p - b->piece);

		r = piece_load(b, stv, i, in_memory, &loaded, &is_bad);
		if (r == BODY_GET_OK)
			p = &b->piece[i - b->gone];
	}
	if (r == BODY_GET_OK) {
		v->len = p->len - (at - p->at);
		if (p->buf != NULL) {
			v->buf = buf_ref(p->buf);
			v->p = p->buf->data + (at - p->at);
		} else {
			v->fd = segment_fd(p->extent.segment);
			v->offset = p->extent.offset + (at - p->at);
		}
	}
	pthread_mutex_unlock(&b->lock);
	/* every body is an object's */
	o = (struct object *)((char *)b - offsetof(struct object, body));
	if (loaded > 0)
		stevedore_charge(stv, o, (int64_t)loaded);
	if (is_bad) /* the next client gets it from the origin */
		stevedore_drop(stv, o);
	return r;
}

bool
body_is_overdue(struct body *b)
{
	bool overdue = false;

	pthread_mutex_lock(&b->lock);
	for (uint32_t i = 0; i < b->piece_n; i++)
		if (b->piece[i].extent.segment != NULL) {
			overdue = segment_is_overdue(
			    b->piece[i].extent.segment);
			break;
		}
	pthread_mutex_unlock(&b->lock);
	return overdue;
}

void
body_ahead(struct body *b, uint64_t from, uint64_t len)
{
	nsec_t now = loop_now(core_self()->loop);

	if (len == 0 || from >= b->len)
		return;
	pthread_mutex_lock(&b->lock);
	for (struct piece *p = piece_at(b, from);
	    p < b->piece + b->piece_n && p->at < from + len; p++) {
		uint64_t want = from + len - p->at;

		/* asked for, or known to be there, a moment ago */
		if (p->buf != NULL || p->extent.segment == NULL ||
		    now - p->resident_at < NSEC_S(1) ||
		    (p->ahead_at != 0 && now - p->ahead_at < NSEC_S(1)))
			continue;
		p->ahead_at = now;
		cold_ahead(&p->extent,
		    want < p->len ? (uint32_t)want : p->len);
	}
	pthread_mutex_unlock(&b->lock);
}

void
body_view_release(struct body_view *v)
{
	buf_unref(&v->buf);
}

enum body_get
body_wait(struct body *b, uint64_t at, nsec_t deadline)
{
	enum body_get r = BODY_GET_OK;

	if (atomic_load_explicit(&b->len, memory_order_acquire) > at)
		return BODY_GET_OK;
	pthread_mutex_lock(&b->lock);
	while (b->len <= at) {
		if (b->state != BODY_GROWING) {
			r = b->state == BODY_COMPLETE ? BODY_GET_END :
			    BODY_GET_FAILED;
			break;
		}
		switch (body_park(b, "body to grow", deadline)) {
		case FIBER_WOKEN:
			continue;
		case FIBER_TIMEOUT:
			r = BODY_GET_TIMEOUT;
			break;
		case FIBER_CANCELED:
			r = BODY_GET_FAILED;
			break;
		}
		break;
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}
