/*
 * segment.c - segment files: made, filled, read, given up.  See segment.h
 * for their form.
 */
#include "segment.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#include "fault.h"

enum {
	EXTENT_MAGIC = 0x54584543, /* "CEXT" */
	NAME_LEN = 16,
	/* How much is written before the kernel is asked to start on it. */
	WRITEBACK_STEP = 4 << 20,
	VERIFY_STEP = 128 << 10,
};

struct extent_header {
	uint32_t magic, gen, put_id, len;
};

_Static_assert(sizeof(struct extent_header) == SEGMENT_HEADER_LEN,
    "as segment.h draws it");

static void
file_name(char name[NAME_LEN], uint32_t no)
{
	snprintf(name, NAME_LEN, "%04u", no);
}

static void
held_unref(struct segment_held *h)
{
	if (atomic_fetch_sub(&h->refs, 1) == 1)
		free(h);
}

static struct segment *
segment_new(struct segments *t, uint32_t no, uint32_t gen, uint64_t size,
    uint64_t used)
{
	struct segment *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	atomic_init(&s->refs, 1);
	atomic_init(&s->fd, -1);
	s->held = t->held;
	atomic_fetch_add(&s->held->refs, 1);
	s->no = no;
	s->gen = gen;
	s->size = size;
	s->used = used;
	s->synced_to = used;
	return s;
}

int
segments_open(struct segments *t, int dirfd, const char *name,
    uint64_t held_max)
{
	*t = (struct segments){.dirfd = -1, .next_gen = 1};
	if (mkdirat(dirfd, name, 0700) != 0 && errno != EEXIST)
		return -1;
	t->dirfd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dirfd < 0)
		return -1;
	t->tab = calloc(SEGMENT_NO_MAX + 1, sizeof *t->tab);
	t->held = calloc(1, sizeof *t->held);
	if (t->tab == NULL || t->held == NULL) {
		free(t->tab);
		free(t->held);
		t->tab = NULL;
		close(t->dirfd);
		return -1;
	}
	atomic_init(&t->held->refs, 1);
	t->held->max = held_max;
	pthread_mutex_init(&t->mtx, NULL);
	return 0;
}

void
segments_close(struct segments *t)
{
	if (t->tab == NULL)
		return;
	for (uint32_t no = 0; no <= t->top; no++)
		segment_unref(&t->tab[no]);
	free(t->tab);
	t->tab = NULL;
	held_unref(t->held);
	close(t->dirfd);
	pthread_mutex_destroy(&t->mtx);
}

static void
table_set(struct segments *t, uint32_t no, struct segment *s)
{
	pthread_mutex_lock(&t->mtx);
	t->tab[no] = s;
	if (s != NULL && no > t->top)
		t->top = no;
	pthread_mutex_unlock(&t->mtx);
}

int
segments_adopt(
    struct segments *t, uint32_t no, uint32_t gen, uint64_t size, uint64_t used)
{
	struct segment *s;

	if (no == 0 || no > SEGMENT_NO_MAX || t->tab[no] != NULL ||
	    gen == UINT32_MAX || size > UINT32_MAX || used > size ||
	    used % SEGMENT_ALIGN != 0)
		return EINVAL;
	s = segment_new(t, no, gen, size, used);
	if (s == NULL)
		return ENOMEM;
	table_set(t, no, s);
	t->bytes += size;
	if (gen >= t->next_gen)
		t->next_gen = gen + 1;
	return 0;
}

void
segments_sweep(struct segments *t)
{
	int fd = openat(t->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		char *end;
		unsigned long no = strtoul(e->d_name, &end, 10);

		/* What is not named as ours is not ours to remove. */
		if (end == e->d_name || *end != '\0' || no > SEGMENT_NO_MAX)
			continue;
		if (t->tab[no] == NULL)
			unlinkat(t->dirfd, e->d_name, 0);
	}
	closedir(d);
}

static int
preallocate(int fd, uint64_t size)
{
	int error = fault(FAULT_SEGMENT_CREATE);

	if (error != 0)
		return error;
	do {
		error = fallocate(fd, 0, 0, (off_t)size) == 0 ? 0 : errno;
	} while (error == EINTR);
	/*
	 * Not every file system can.  A sparse file is as right, but a full
	 * disk then shows at write instead of here.
	 */
	if (error == EOPNOTSUPP || error == ENOSYS)
		error = ftruncate(fd, (off_t)size) == 0 ? 0 : errno;
	return error;
}

struct segment *
segments_create(struct segments *t, uint64_t size)
{
	char name[NAME_LEN];
	struct segment *s;
	uint32_t no = 1;
	int fd, error;

	while (no <= SEGMENT_NO_MAX && t->tab[no] != NULL)
		no++;
	if (no > SEGMENT_NO_MAX) {
		errno = ENOSPC;
		return NULL;
	}
	file_name(name, no);
	/* One that was left behind by a crash belongs to nobody. */
	unlinkat(t->dirfd, name, 0);
	fd =
	    openat(t->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	error = preallocate(fd, size);
	s = error == 0 ? segment_new(t, no, t->next_gen, size, 0) : NULL;
	if (s == NULL) {
		close(fd);
		unlinkat(t->dirfd, name, 0);
		errno = error != 0 ? error : ENOMEM;
		return NULL;
	}
	atomic_store(&s->fd, fd);
	s->dirty = true; /* its size is metadata that needs the sync too */
	t->next_gen++;
	t->bytes += size;
	t->dir_dirty = true;
	table_set(t, no, s);
	return s;
}

void
segments_retire(struct segments *t, struct segment *s)
{
	char name[NAME_LEN];

	assert(t->tab[s->no] == s);
	/* Until the last who reads it has let go */
	atomic_fetch_add(&t->held->bytes, s->size);
	atomic_store(&s->dead, true);
	table_set(t, s->no, NULL);
	file_name(name, s->no);
	unlinkat(t->dirfd, name, 0);
	t->bytes -= s->size;
	segment_unref(&s);
}

struct segment *
segments_oldest(struct segments *t, const struct segment *except1,
    const struct segment *except2)
{
	struct segment *oldest = NULL;

	for (uint32_t no = 1; no <= t->top; no++) {
		struct segment *s = t->tab[no];

		if (s == NULL || s == except1 || s == except2)
			continue;
		if (oldest == NULL || s->gen < oldest->gen)
			oldest = s;
	}
	return oldest;
}

static bool
open_file(struct segments *t, struct segment *s)
{
	char name[NAME_LEN];
	int none = -1, fd;

	if (atomic_load(&s->fd) >= 0)
		return true;
	errno = fault(FAULT_SEGMENT_OPEN);
	if (errno != 0)
		return false;
	file_name(name, s->no);
	fd = openat(t->dirfd, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (!atomic_compare_exchange_strong(&s->fd, &none, fd))
		close(fd);
	return true;
}

struct segment *
segments_get(struct segments *t, uint32_t no, uint32_t gen)
{
	struct segment *s = NULL;

	errno = ENOENT;
	if (no > SEGMENT_NO_MAX)
		return NULL;
	pthread_mutex_lock(&t->mtx);
	/* Under the lock, so that the name is still this generation's. */
	if (t->tab[no] != NULL && t->tab[no]->gen == gen &&
	    open_file(t, t->tab[no]))
		s = segment_ref(t->tab[no]);
	pthread_mutex_unlock(&t->mtx);
	return s;
}

bool
segment_has_room(const struct segment *s, uint32_t len)
{
	return s->used + segment_space(len) <= s->size;
}

/* All of it, or an errno */
static int
write_all(int fd, struct iovec *iov, int n, off_t at)
{
	while (n > 0) {
		ssize_t r = pwritev(fd, iov, n, at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? errno : EIO;
		at += r;
		while (n > 0 && (size_t)r >= iov->iov_len) {
			r -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + r;
			iov->iov_len -= (size_t)r;
		}
	}
	return 0;
}

int
segment_append(struct segment *s, uint32_t put_id, const void *data,
    uint32_t len, uint64_t *offset)
{
	struct extent_header h = {EXTENT_MAGIC, s->gen, put_id, len};
	struct iovec iov[2] = {
	    {&h, sizeof h},
	    {(void *)data, len},
	};
	int error = fault(FAULT_SEGMENT_WRITE);

	assert(segment_has_room(s, len));
	assert(atomic_load(&s->fd) >= 0);
	if (error == 0)
		error = write_all(s->fd, iov, 2, (off_t)s->used);
	if (error != 0)
		return error;
	*offset = s->used + SEGMENT_HEADER_LEN;
	s->used += segment_space(len);
	s->dirty = true;
	s->touched = true;
	if (s->used - s->synced_to >= WRITEBACK_STEP) {
		/* Starts it now, so that the sync finds little left to do. */
		sync_file_range(s->fd, (off_t)s->synced_to,
		    (off_t)(s->used - s->synced_to), SYNC_FILE_RANGE_WRITE);
		s->synced_to = s->used;
	}
	return 0;
}

int
segment_sync(struct segment *s)
{
	int error = fault(FAULT_SEGMENT_SYNC);

	if (error == 0 && fdatasync(s->fd) != 0)
		error = errno;
	if (error != 0)
		return error;
	s->dirty = false;
	s->synced_to = s->used;
	return 0;
}

int
segment_fd(const struct segment *s)
{
	return atomic_load(&((struct segment *)s)->fd);
}

struct segment *
segment_ref(struct segment *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void
segment_unref(struct segment **sp)
{
	struct segment *s = *sp;

	*sp = NULL;
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (atomic_load(&s->dead))
		atomic_fetch_sub(&s->held->bytes, s->size);
	held_unref(s->held);
	free(s);
}

bool
segment_is_dead(const struct segment *s)
{
	return atomic_load(&((struct segment *)s)->dead);
}

bool
segment_is_overdue(const struct segment *s)
{
	return segment_is_dead(s) &&
	       atomic_load(&s->held->bytes) > s->held->max;
}

static bool
read_all(int fd, void *buf, size_t len, uint64_t at)
{
	if (fault(FAULT_SEGMENT_READ) != 0)
		return false;
	while (len > 0) {
		ssize_t r = pread(fd, buf, len, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		buf = (char *)buf + r;
		len -= (size_t)r;
		at += (uint64_t)r;
	}
	return true;
}

int
extent_read(struct store *st, const struct extent *e, void *buf)
{
	(void)st;
	if (!read_all(segment_fd(e->segment), buf, e->len, e->offset))
		return -1;
	return XXH3_64bits(buf, e->len) == e->sum ? 0 : -1;
}

int
extent_verify(struct store *st, const struct extent *e)
{
	int fd = segment_fd(e->segment), rc = STORE_NO_MEMORY;
	XXH3_state_t *x = XXH3_createState();
	char *buf = malloc(VERIFY_STEP);
	uint32_t done = 0;

	(void)st;
	if (x == NULL || buf == NULL)
		goto out;
	(void)posix_fadvise(fd, (off_t)e->offset, e->len, POSIX_FADV_WILLNEED);
	rc = -1;
	XXH3_64bits_reset(x);
	while (done < e->len) {
		uint32_t n = e->len - done;

		if (n > VERIFY_STEP)
			n = VERIFY_STEP;
		if (!read_all(fd, buf, n, e->offset + done))
			goto out;
		XXH3_64bits_update(x, buf, n);
		done += n;
	}
	if (XXH3_64bits_digest(x) == e->sum)
		rc = 0;
out:
	free(buf);
	XXH3_freeState(x);
	return rc;
}
