/*
 * shmlog_read.c - readers of the log: one ring, and all of a directory.
 */
#include "shmlog_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shmlog_ring.h"

/* ---- one ring ---- */

static const struct ring_header *
header(const struct log_view *v)
{
	return (const struct ring_header *)v->base;
}

static uint64_t
committed(const struct log_view *v)
{
	return __atomic_load_n(&header(v)->committed, __ATOMIC_ACQUIRE);
}

/* Is what begins at position at still whole? */
static bool
is_there(const struct log_view *v, uint64_t at)
{
	uint64_t reserved;

	/* After the reads of the data that the caller did. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	reserved = __atomic_load_n(&header(v)->reserved, __ATOMIC_RELAXED);
	return at <= reserved && reserved - at <= v->size;
}

/* Of the marks that are still good at least margin bytes, the oldest. */
static uint64_t
oldest(const struct log_view *v, uint64_t end, uint64_t margin)
{
	uint64_t best = end;

	for (unsigned i = 0; i < RING_MARKS; i++) {
		uint64_t at = __atomic_load_n(&header(v)->mark[i],
		    __ATOMIC_RELAXED);

		if (at % 8 == 0 && at < best && end - at <= v->size - margin &&
		    (at != 0 || i == 0))
			best = at;
	}
	return best;
}

bool
log_view_init(struct log_view *v, const void *base, size_t len,
    enum log_from from)
{
	struct ring_header h;
	uint64_t end;

	memset(v, 0, sizeof *v);
	if (len < RING_HEADER + RING_SIZE_MIN)
		return false;
	memcpy(&h, base, sizeof h);
	if (memcmp(h.magic, RING_MAGIC, sizeof h.magic) != 0 ||
	    h.version != RING_VERSION || h.size < RING_SIZE_MIN ||
	    h.size > RING_SIZE_MAX || (h.size & (h.size - 1)) != 0 ||
	    h.size != len - RING_HEADER)
		return false;
	v->base = base;
	v->size = h.size;
	end = committed(v);
	v->at = from == LOG_FROM_NOW ? end : oldest(v, end, 0);
	return true;
}

void
log_view_free(struct log_view *v)
{
	free(v->copy);
	memset(v, 0, sizeof *v);
}

static void
copy_out(const struct log_view *v, uint64_t at, void *to, size_t len)
{
	const uint8_t *data = v->base + RING_HEADER;
	uint64_t off = at & (v->size - 1);
	size_t first = v->size - off;

	if (len <= first) {
		memcpy(to, data + off, len);
		return;
	}
	memcpy(to, data + off, first);
	memcpy((char *)to + first, data, len - first);
}

/*
 * We were overrun, or what is there makes no sense: on with the oldest that
 * the writer is not about to overwrite (a quarter of the ring is our lead).
 */
static void
skip_ahead(struct log_view *v, uint64_t end)
{
	uint64_t at = oldest(v, end, v->size / 4);

	if (at <= v->at)
		at = end;
	/* A position that went back is a ring begun anew: nothing to count. */
	if (at > v->at)
		v->lost += at - v->at;
	v->at = at;
}

static bool
make_room(struct log_view *v, size_t len)
{
	char *p;

	if (len <= v->copy_cap)
		return true;
	p = realloc(v->copy, len);
	if (p == NULL)
		return false;
	v->copy = p;
	v->copy_cap = len;
	return true;
}

static bool
is_kind(uint8_t kind)
{
	return kind == LOG_KIND_REQUEST || kind == LOG_KIND_FETCH ||
	    kind == LOG_KIND_SESSION || kind == LOG_KIND_RAW;
}

/* Copies the batch at v->at; false: it is not there or not a batch. */
static bool
copy_batch(struct log_view *v, uint64_t end, struct ring_batch *b)
{
	uint64_t there = end - v->at;

	if (there > v->size || there < RING_PAD_HEADER)
		return false;
	memset(b, 0, sizeof *b);
	copy_out(v, v->at, b, there < sizeof *b ? there : sizeof *b);
	if (!is_there(v, v->at))
		return false;
	if (b->magic != RING_BATCH_MAGIC || b->len % 8 != 0 ||
	    b->len < RING_PAD_HEADER || b->len > there ||
	    b->len > ring_batch_max(v->size))
		return false;
	if (b->kind == RING_PAD)
		return true;
	if (!is_kind(b->kind) || b->len < sizeof *b || !make_room(v, b->len))
		return false;
	copy_out(v, v->at, v->copy, b->len);
	return is_there(v, v->at);
}

bool
log_view_next(struct log_view *v, struct log_batch *out)
{
	/* Each turn ends, or takes us nearer to this end. */
	uint64_t end = committed(v);
	struct ring_batch b;

	while (v->at != end) {
		if (v->at > end || v->at % 8 != 0 || !copy_batch(v, end, &b)) {
			end = committed(v);
			skip_ahead(v, end);
			if (v->at == end)
				return false;
			if (copy_batch(v, end, &b) == false) {
				/* Overrun again, or damaged: to the newest. */
				v->lost += end - v->at;
				v->at = end;
				return false;
			}
		}
		v->at += b.len;
		if (b.kind == RING_PAD)
			continue;
		*out = (struct log_batch){
		    .id = b.id,
		    .parent = b.parent,
		    .kind = b.kind,
		    .reason = b.reason < LOG_REASON_MAX ? b.reason
							: LOG_REASON_NONE,
		    .first = b.flags & RING_FIRST,
		    .last = b.flags & RING_LAST,
		    .records = str_of(v->copy + sizeof b, b.len - sizeof b),
		};
		return true;
	}
	return false;
}

/* ---- all rings of a work directory ---- */

struct ring_file {
	unsigned core;
	dev_t dev;
	ino_t ino;
	bool gone; /* replaced or removed: close it when it is read up */
	void *map;
	size_t map_len;
	struct log_view view;
	struct ring_file *next;
};

struct log_reader {
	char dir[RING_PATH_MAX]; /* <workdir>/log */
	struct ring_file *rings;
	struct ring_file *turn;  /* whose turn it is; NULL: the first */
	uint64_t lost;           /* of rings that were closed */
	uint64_t reported;
};

static void
ring_path(const struct log_reader *r, unsigned core, char *out, size_t len)
{
	snprintf(out, len, "%s/ring.%u", r->dir, core);
}

static void
close_ring(struct log_reader *r, struct ring_file **at)
{
	struct ring_file *f = *at;

	*at = f->next;
	r->lost += f->view.lost;
	r->turn = NULL;
	munmap(f->map, f->map_len);
	log_view_free(&f->view);
	free(f);
}

/* Rings that are not of our format are passed over; 0, or -1 with errno. */
static int
open_ring(struct log_reader *r, unsigned core, enum log_from from)
{
	char path[RING_PATH_MAX + 32];
	struct ring_file *f;
	struct stat st;
	int fd, e;

	ring_path(r, core, path, sizeof path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	f = calloc(1, sizeof *f);
	if (f == NULL)
		goto fail;
	if (fstat(fd, &st) != 0)
		goto fail;
	if (!S_ISREG(st.st_mode) || st.st_size < RING_HEADER ||
	    st.st_size > RING_HEADER + (off_t)RING_SIZE_MAX) {
		errno = EPROTO;
		goto fail;
	}
	f->map_len = st.st_size;
	f->map = mmap(NULL, f->map_len, PROT_READ, MAP_SHARED, fd, 0);
	if (f->map == MAP_FAILED)
		goto fail;
	if (!log_view_init(&f->view, f->map, f->map_len, from)) {
		munmap(f->map, f->map_len);
		errno = EPROTO;
		goto fail;
	}
	close(fd);
	f->core = core;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->next = r->rings;
	r->rings = f;
	return 0;
fail:
	e = errno;
	close(fd);
	free(f);
	errno = e;
	return -1;
}

/* "ring.12": 12; -1: another name */
static int
core_of_name(const char *name)
{
	uint64_t core;

	if (strncmp(name, "ring.", 5) != 0 ||
	    !str_to_u64(str_from_z(name + 5), &core) || core >= RING_CORES_MAX)
		return -1;
	return (int)core;
}

static bool
is_open(const struct log_reader *r, unsigned core)
{
	for (const struct ring_file *f = r->rings; f != NULL; f = f->next)
		if (f->core == core && !f->gone)
			return true;
	return false;
}

/* Opens rings that are not open; what went wrong with the last, 0. */
static int
scan(struct log_reader *r, enum log_from from)
{
	DIR *dir = opendir(r->dir);
	struct dirent *d;
	int core, e = 0;

	if (dir == NULL)
		return errno;
	while ((d = readdir(dir)) != NULL) {
		core = core_of_name(d->d_name);
		if (core >= 0 && !is_open(r, core) &&
		    open_ring(r, core, from) != 0)
			e = errno;
	}
	closedir(dir);
	return e;
}

struct log_reader *
log_reader_open(const char *dir, enum log_from from, char *err, size_t err_len)
{
	struct log_reader *r = calloc(1, sizeof *r);
	int n, e;

	if (r == NULL) {
		snprintf(err, err_len, "Out of memory");
		return NULL;
	}
	n = snprintf(r->dir, sizeof r->dir, "%s/log", dir);
	e = n < 0 || (size_t)n >= sizeof r->dir ? ENAMETOOLONG : scan(r, from);
	if (r->rings != NULL)
		return r;
	if (e == 0)
		snprintf(err, err_len, "No log in %s: is copald running?",
		    r->dir);
	else if (e == EPROTO)
		snprintf(err, err_len,
		    "The log in %s is of another version of Copal", r->dir);
	else
		snprintf(err, err_len, "Cannot open the log in %s: %s", r->dir,
		    strerror(e));
	free(r);
	return NULL;
}

void
log_reader_close(struct log_reader **rp)
{
	struct log_reader *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	while (r->rings != NULL)
		close_ring(r, &r->rings);
	free(r);
}

bool
log_reader_next(struct log_reader *r, struct log_batch *out)
{
	struct ring_file *f, *stop;

	if (r->rings == NULL)
		return false;
	f = stop = r->turn != NULL ? r->turn : r->rings;
	do {
		struct ring_file *next = f->next ? f->next : r->rings;

		if (log_view_next(&f->view, out)) {
			r->turn = next;
			return true;
		}
		f = next;
	} while (f != stop);
	return false;
}

uint64_t
log_reader_lost(struct log_reader *r)
{
	uint64_t all = r->lost, n;

	for (const struct ring_file *f = r->rings; f != NULL; f = f->next)
		all += f->view.lost;
	n = all - r->reported;
	r->reported = all;
	return n;
}

void
log_reader_rescan(struct log_reader *r)
{
	struct ring_file **at = &r->rings;
	char path[RING_PATH_MAX + 32];
	struct stat st;

	while (*at != NULL) {
		struct ring_file *f = *at;

		ring_path(r, f->core, path, sizeof path);
		if (stat(path, &st) != 0 || st.st_dev != f->dev ||
		    st.st_ino != f->ino)
			f->gone = true;
		if (f->gone && f->view.at == committed(&f->view))
			close_ring(r, at);
		else
			at = &f->next;
	}
	/* Whatever is new now came after we did: all of it is of interest. */
	(void)scan(r, LOG_FROM_OLDEST);
}
