/*
 * shmlog.c - the writing side of the log: transactions and rings.
 *
 * Appending to a ring takes the ring's lock, which only log_raw() from
 * another thread ever contends for: some 10 ns for a whole transaction.  The
 * lock is the process' own, not in the file, so that a crash leaves
 * nothing locked.
 */
#include "shmlog.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shmlog_ring.h"

struct log_ring {
	atomic_flag lock;     /* held for a copy; see ring_lock */
	struct ring_header *head; /* the mapping */
	uint8_t *data;
	uint64_t size;
	uint64_t at;          /* position of the next batch */
	unsigned last_mark;
	unsigned mark_shift;  /* offset >> mark_shift: which mark */
};

/* Bytes that follow each other in the ring. */
struct piece {
	const void *p;
	size_t len;
};

static void
copy_in(struct log_ring *ring, uint64_t at, const void *p, size_t len)
{
	uint64_t off = at & (ring->size - 1);
	size_t first = ring->size - off;

	if (len <= first) {
		memcpy(ring->data + off, p, len);
		return;
	}
	memcpy(ring->data + off, p, first);
	memcpy(ring->data, (const char *)p + first, len - first);
}

static void
mark(struct log_ring *ring, uint64_t at)
{
	unsigned i = (at & (ring->size - 1)) >> ring->mark_shift;

	if (i == ring->last_mark)
		return;
	ring->last_mark = i;
	__atomic_store_n(&ring->head->mark[i], at, __ATOMIC_RELAXED);
}

/*
 * Next to always taken by the ring's own core only, so it must cost little
 * when it is free: half of what a mutex does.
 */
static void
ring_lock(struct log_ring *ring)
{
	while (atomic_flag_test_and_set_explicit(&ring->lock,
	    memory_order_acquire))
		sched_yield();
}

static void
ring_unlock(struct log_ring *ring)
{
	atomic_flag_clear_explicit(&ring->lock, memory_order_release);
}

/* Appends one batch; piece[0] begins with its struct ring_batch. */
static void
append(struct log_ring *ring, const struct piece *piece, unsigned n,
    uint32_t len)
{
	static const char zeros[8];
	uint64_t at, end, to;

	assert(len % 8 == 0);
	assert(len <= ring_batch_max(ring->size));
	ring_lock(ring);
	at = to = ring->at;
	end = at + len;
	__atomic_store_n(&ring->head->reserved, end, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (unsigned i = 0; i < n; i++) {
		copy_in(ring, to, piece[i].p, piece[i].len);
		to += piece[i].len;
	}
	copy_in(ring, to, zeros, end - to);
	mark(ring, at);
	__atomic_store_n(&ring->head->committed, end, __ATOMIC_RELEASE);
	ring->at = end;
	ring_unlock(ring);
}

static uint32_t
round_up_8(size_t n)
{
	return (uint32_t)((n + 7) & ~(size_t)7);
}

/* ---- transactions ---- */

void
log_txn_begin(struct log_txn *t, struct log_ring *ring, enum log_kind kind,
    uint64_t id, uint64_t parent, void *buf, uint32_t cap)
{
	assert(cap >= 256);
	*t = (struct log_txn){
	    .ring = ring,
	    .id = id,
	    .parent = parent,
	    .used = sizeof(struct ring_batch),
	    .cap = cap,
	    .kind = kind,
	    .buf = buf,
	};
	if (ring != NULL && cap > ring_batch_max(ring->size))
		t->cap = ring_batch_max(ring->size);
	switch (kind) {
	case LOG_KIND_REQUEST:
		t->reason = LOG_REASON_RXREQ;
		break;
	case LOG_KIND_FETCH:
		t->reason = LOG_REASON_FETCH;
		break;
	case LOG_KIND_SESSION:
		t->reason = LOG_REASON_HTTP1;
		break;
	case LOG_KIND_RAW:
		break;
	}
}

/* The header of the next batch of t, which will hold n bytes of records. */
static struct ring_batch
next_batch(struct log_txn *t, size_t n, uint8_t flags)
{
	struct ring_batch b = {
	    .len = round_up_8(sizeof b + n),
	    .kind = t->kind,
	    .flags = flags | (t->flushed ? 0 : RING_FIRST),
	    .reason = t->reason,
	    .magic = RING_BATCH_MAGIC,
	    .id = t->id,
	    .parent = t->parent,
	};

	t->flushed = 1;
	return b;
}

static void
flush(struct log_txn *t, uint8_t flags)
{
	struct ring_batch b;
	struct piece piece = {t->buf, t->used};

	if (t->ring != NULL) {
		b = next_batch(t, t->used - sizeof b, flags);
		memcpy(t->buf, &b, sizeof b);
		append(t->ring, &piece, 1, b.len);
	}
	t->used = sizeof b;
}

void
log_txn_flush(struct log_txn *t)
{
	if (t->used > sizeof(struct ring_batch))
		flush(t, 0);
}

void
log_txn_end(struct log_txn *t)
{
	flush(t, RING_LAST);
}

static void
put_record(char *to, enum log_tag tag, unsigned nums, size_t len)
{
	struct ring_record r = {tag, nums, len};

	memcpy(to, &r, sizeof r);
}

static bool
has_room(const struct log_txn *t, size_t len)
{
	return t->cap - t->used >= sizeof(struct ring_record) + len;
}

/* A record that is too large for the buffer even when that is empty. */
static void __attribute__((noinline))
put_large(struct log_txn *t, enum log_tag tag, unsigned nums,
    const struct piece *value, unsigned n, size_t len)
{
	struct ring_batch b;
	struct ring_record r = {tag, nums, len};
	struct piece piece[8] = {{&b, sizeof b}, {&r, sizeof r}};

	assert(n + 2 <= 8);
	if (t->ring == NULL)
		return;
	b = next_batch(t, sizeof r + len, 0);
	for (unsigned i = 0; i < n; i++)
		piece[i + 2] = value[i];
	append(t->ring, piece, n + 2, b.len);
}

/* A record of several pieces, the first with nums numbers. */
static void
put_pieces(struct log_txn *t, enum log_tag tag, unsigned nums,
    struct piece *value, unsigned n)
{
	size_t len = 0;
	char *to;

	for (unsigned i = 0; i < n; i++) {
		if (value[i].len > LOG_VALUE_MAX - len)
			value[i].len = LOG_VALUE_MAX - len;
		len += value[i].len;
	}
	if (!has_room(t, len)) {
		log_txn_flush(t);
		if (!has_room(t, len)) {
			put_large(t, tag, nums, value, n, len);
			return;
		}
	}
	to = t->buf + t->used;
	put_record(to, tag, nums, len);
	to += sizeof(struct ring_record);
	for (unsigned i = 0; i < n; i++) {
		if (value[i].len != 0)
			memcpy(to, value[i].p, value[i].len);
		to += value[i].len;
	}
	t->used = to - t->buf;
}

void
log_put(struct log_txn *t, enum log_tag tag, struct str value)
{
	if (value.len <= LOG_VALUE_MAX && has_room(t, value.len)) {
		char *to = t->buf + t->used;

		put_record(to, tag, 0, value.len);
		if (value.len != 0)
			memcpy(to + sizeof(struct ring_record), value.p,
			    value.len);
		t->used += sizeof(struct ring_record) + value.len;
		return;
	}
	put_pieces(t, tag, 0, &(struct piece){value.p, value.len}, 1);
}

void
log_put2(struct log_txn *t, enum log_tag tag, struct str a, struct str sep,
    struct str b)
{
	struct piece piece[] = {{a.p, a.len}, {sep.p, sep.len}, {b.p, b.len}};
	size_t len = a.len + sep.len + b.len;
	char *to = t->buf + t->used;

	/* what most records are: a field of a head */
	if (a.len == 0 || b.len == 0 || len > LOG_VALUE_MAX ||
	    !has_room(t, len)) {
		put_pieces(t, tag, 0, piece, 3);
		return;
	}
	put_record(to, tag, 0, len);
	to += sizeof(struct ring_record);
	memcpy(to, a.p, a.len);
	to += a.len;
	for (size_t i = 0; i < sep.len; i++)
		*to++ = sep.p[i];
	memcpy(to, b.p, b.len);
	t->used += sizeof(struct ring_record) + len;
}

void
log_printf(struct log_txn *t, enum log_tag tag, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof text)
		n = sizeof text - 1;
	log_put(t, tag, str_of(text, n));
}

void
log_put_mixed(struct log_txn *t, enum log_tag tag, const double *v, unsigned n,
    struct str text)
{
	struct piece piece[] = {{v, n * sizeof *v}, {text.p, text.len}};

	assert(n <= LOG_NUMS_MAX);
	put_pieces(t, tag, n, piece, 2);
}

void
log_put_nums(struct log_txn *t, enum log_tag tag, const double *v, unsigned n)
{
	log_put_mixed(t, tag, v, n, STR_NULL);
}

/* ---- tags with numbers ---- */

void
log_timestamp(struct log_txn *t, const char *event, double now, double start,
    double last)
{
	const double v[] = {now, start, last};

	log_put_mixed(t, LOG_TIMESTAMP, v, 3, str_from_z(event));
}

void
log_status(struct log_txn *t, enum log_tag tag, unsigned status)
{
	log_put_nums(t, tag, &(double){status}, 1);
}

void
log_acct(struct log_txn *t, enum log_tag tag, uint64_t req_head,
    uint64_t req_body, uint64_t resp_head, uint64_t resp_body)
{
	const double v[] = {req_head, req_body, req_head + req_body,
	    resp_head, resp_body, resp_head + resp_body};

	log_put_nums(t, tag, v, 6);
}

void
log_pipe_acct(struct log_txn *t, uint64_t client_req, uint64_t backend_req,
    uint64_t from_client, uint64_t to_client)
{
	const double v[] = {client_req, backend_req, from_client, to_client};

	log_put_nums(t, LOG_PIPE_ACCT, v, 4);
}

void
log_hit(struct log_txn *t, uint64_t id, double ttl, double grace, double keep,
    double age)
{
	const double v[] = {id, ttl, grace, keep, age};

	log_put_nums(t, LOG_HIT, v, 5);
}

void
log_hit_for(struct log_txn *t, enum log_tag tag, uint64_t id, double ttl)
{
	const double v[] = {id, ttl};

	log_put_nums(t, tag, v, 2);
}

void
log_ttl(struct log_txn *t, const char *source, const struct log_ttl *l)
{
	const double v[] = {l->ttl, l->grace, l->keep, l->reference, l->age,
	    l->date, l->expires, l->max_age, l->cacheable};

	log_put_mixed(t, LOG_TTL, v, 9, str_from_z(source));
}

void
log_link(struct log_txn *t, enum log_kind kind, uint64_t id,
    enum log_reason reason)
{
	const double v[] = {kind, id, reason};

	log_put_nums(t, LOG_LINK, v, 3);
}

void
log_req_start(struct log_txn *t, struct str host, unsigned port,
    struct str listener)
{
	char digits[16];
	char *p = digits + sizeof digits;
	struct piece piece[3];

	*--p = ' ';
	do {
		*--p = '0' + port % 10;
		port /= 10;
	} while (port != 0);
	*--p = ' ';
	piece[0] = (struct piece){host.p, host.len};
	piece[1] = (struct piece){p, digits + sizeof digits - p};
	piece[2] = (struct piece){listener.p, listener.len};
	put_pieces(t, LOG_REQ_START, 0, piece, 3);
}

void
log_sess_close(struct log_txn *t, const char *reason, double duration)
{
	log_put_mixed(t, LOG_SESS_CLOSE, &duration, 1, str_from_z(reason));
}

void
log_raw(struct log_ring *ring, enum log_tag tag, const char *fmt, ...)
{
	char text[2048];
	struct log_txn t;
	char buf[256];
	va_list ap;
	int n;

	if (ring == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof text)
		n = sizeof text - 1;
	struct ring_batch b;
	struct ring_record r = {tag, 0, n};
	struct piece piece[] = {{&b, sizeof b}, {&r, sizeof r}, {text, n}};

	log_txn_begin(&t, ring, LOG_KIND_RAW, 0, 0, buf, sizeof buf);
	b = next_batch(&t, sizeof r + n, RING_LAST);
	append(ring, piece, 3, b.len);
}

/* ---- the file ---- */

static uint64_t
ring_size(size_t wanted)
{
	uint64_t size = RING_SIZE_MIN;

	while (size < wanted && size < RING_SIZE_MAX)
		size *= 2;
	return size;
}

/* Can what is in the file go on to be used? */
static bool
is_ours(const struct ring_header *h, unsigned core, uint64_t size)
{
	return memcmp(h->magic, RING_MAGIC, sizeof h->magic) == 0 &&
	    h->version == RING_VERSION && h->core == core && h->size == size &&
	    h->committed % 8 == 0 && h->reserved % 8 == 0 &&
	    h->committed <= h->reserved &&
	    h->reserved - h->committed <= ring_batch_max(size);
}

static struct ring_header *
map_fd(int fd, uint64_t size)
{
	/* all of it now: a fault in its first round costs more than a hit */
	void *p = mmap(NULL, RING_HEADER + size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct ring_header *
map_existing(const char *path, unsigned core, uint64_t size)
{
	struct ring_header *h = NULL;
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == RING_HEADER + size)
		h = map_fd(fd, size);
	close(fd);
	if (h != NULL && !is_ours(h, core, size)) {
		munmap(h, RING_HEADER + size);
		h = NULL;
	}
	return h;
}

/* A new file under another name, then renamed: readers see all or nothing. */
static struct ring_header *
map_new(const char *path, unsigned core, uint64_t size)
{
	struct ring_header *h = NULL;
	char temp[RING_PATH_MAX + 8];
	int fd, e;

	snprintf(temp, sizeof temp, "%s.new", path);
	(void)unlink(temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return NULL;
	/* Allocated now: a full disk must not be a SIGBUS in the worker. */
	e = posix_fallocate(fd, 0, RING_HEADER + size);
	if (e == 0) {
		h = map_fd(fd, size);
		e = errno;
	}
	close(fd);
	if (h != NULL) {
		memcpy(h->magic, RING_MAGIC, sizeof h->magic);
		h->version = RING_VERSION;
		h->core = core;
		h->size = size;
		if (rename(temp, path) == 0)
			return h;
		e = errno;
		munmap(h, RING_HEADER + size);
	}
	(void)unlink(temp);
	errno = e;
	return NULL;
}

/* What a writer that crashed had reserved becomes padding. */
static void
repair(struct log_ring *ring)
{
	struct ring_header *h = ring->head;
	struct ring_batch pad = {
	    .len = h->reserved - h->committed,
	    .kind = RING_PAD,
	    .magic = RING_BATCH_MAGIC,
	};

	ring->at = h->reserved;
	if (pad.len == 0)
		return;
	copy_in(ring, h->committed, &pad, RING_PAD_HEADER);
	__atomic_store_n(&h->committed, h->reserved, __ATOMIC_RELEASE);
}

struct log_ring *
log_ring_create(const char *dir, unsigned core, size_t wanted)
{
	struct log_ring *ring;
	uint64_t size = ring_size(wanted);
	char path[RING_PATH_MAX];
	int n;

	n = snprintf(path, sizeof path, "%s/log", dir);
	if (n < 0 || (size_t)n + 24 >= sizeof path) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	if (mkdir(path, 0750) != 0 && errno != EEXIST)
		return NULL;
	snprintf(path + n, sizeof path - n, "/ring.%u", core);

	ring = calloc(1, sizeof *ring);
	if (ring == NULL)
		return NULL;
	ring->size = size;
	ring->head = map_existing(path, core, size);
	if (ring->head == NULL)
		ring->head = map_new(path, core, size);
	if (ring->head == NULL) {
		free(ring);
		return NULL;
	}
	ring->data = (uint8_t *)ring->head + RING_HEADER;
	ring->last_mark = RING_MARKS;
	ring->mark_shift = __builtin_ctzll(size / RING_MARKS);
	atomic_flag_clear(&ring->lock);
	repair(ring);
	return ring;
}

void
log_ring_close(struct log_ring **ringp)
{
	struct log_ring *ring = *ringp;

	if (ring == NULL)
		return;
	*ringp = NULL;
	munmap(ring->head, RING_HEADER + ring->size);
	free(ring);
}
