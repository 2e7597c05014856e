/*
 * store.c - a store opened, closed, and its numbers.
 *
 *      <dir>/lock    who uses it           <dir>/cat/  the LMDB environment
 *      <dir>/state   see health.c          <dir>/seg/  segment files
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus.h"
#include "fault.h"
#include "signals.h"
#include "store_impl.h"

enum {
	SEGMENT_SIZE_DEFAULT = 128 << 20,
	/* So many at most, as each is an open file. */
	SEGMENTS_MAX = 1000,
	SEGMENTS_MIN = 3,
	QUEUE_DEFAULT = 64 << 20,
	QUEUE_MIN = 2 * STORE_PIECE_MAX,
	BATCH_PAGES_MIN = 64,
	/* 48 MB: about what BATCH_OBJECTS small objects take */
	BATCH_PAGES_MAX = 12288,
	WARM_STEP = 1 << 20,
};

void
store_message(struct store *st, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (st->cfg.on_message == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	st->cfg.on_message(st->cfg.priv, text);
}

bool
store_read_only(const struct store *st)
{
	int64_t at = atomic_load(&((struct store *)st)->failed_at);

	return (at != 0 && now_ms() < at + fault_retry_ms) ||
	       atomic_load(&((struct store *)st)->cat.lost);
}

bool
store_guarded(struct store *st, void (*fn)(void *), void *arg)
{
	if (atomic_load(&st->cat.lost))
		return false;
	if (bus_guarded(fn, arg))
		return true;
	if (!atomic_exchange(&st->cat.lost, true)) {
		health_damaged(st->dir);
		store_message(st,
		    "store %s: the catalogue can't be read: the disk failed, "
		    "or its file was cut short; nothing is found or stored "
		    "there until the next start, which sets it aside",
		    st->name);
	}
	return false;
}

/* LMDB aborts after this; the next opening sets the store aside. */
static void
on_assert(MDB_env *env, const char *text)
{
	struct store *st = mdb_env_get_userctx(env);

	health_damaged(st->dir);
	store_message(st, "store %s: LMDB: %s", st->name, text);
}

static bool
make_dirs(char *dir)
{
	for (char *p = dir + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
			*p = '/';
			return false;
		}
		*p = '/';
	}
	return mkdir(dir, 0700) == 0 || errno == EEXIST;
}

/* What a piece of the longest kind takes, over its bytes, so that a segment
   of n MiB holds n of them */
static uint64_t
with_headers(uint64_t size)
{
	uint64_t n = size / STORE_PIECE_MAX;

	size = n * segment_space(STORE_PIECE_MAX);
	return (size + CATALOGUE_PAGE - 1) & ~(uint64_t)(CATALOGUE_PAGE - 1);
}

static bool
set_sizes(struct store *st, char err[STORE_ERR_LEN])
{
	const struct store_config *c = &st->cfg;
	uint64_t seg = c->segment_size;

	if (c->size < STORE_SIZE_MIN) {
		snprintf(err, STORE_ERR_LEN,
		    "store %s: a size of %llu bytes "
		    "is too small; it takes at least %llu MB",
		    st->name, (unsigned long long)c->size,
		    STORE_SIZE_MIN >> 20);
		return false;
	}
	if (seg == 0) {
		seg = c->size / 16;
		if (seg > SEGMENT_SIZE_DEFAULT)
			seg = SEGMENT_SIZE_DEFAULT;
		if (seg < 2 * SEGMENT_SIZE_MIN)
			seg = 2 * SEGMENT_SIZE_MIN;
		if (seg < c->size / SEGMENTS_MAX)
			seg = c->size / SEGMENTS_MAX;
		if (seg > SEGMENT_SIZE_MAX)
			seg = SEGMENT_SIZE_MAX;
	}
	if (seg < SEGMENT_SIZE_MIN || seg > c->size / 2 / SEGMENTS_MIN ||
	    seg > SEGMENT_SIZE_MAX || c->size / seg > SEGMENT_NO_MAX / 2) {
		snprintf(err, STORE_ERR_LEN,
		    "store %s: segments of %llu "
		    "bytes do not suit a store of %llu",
		    st->name, (unsigned long long)seg,
		    (unsigned long long)c->size);
		return false;
	}
	st->segment_size = with_headers(seg);
	st->catalogue_max = c->size / 2;
	st->batch_pages = st->catalogue_max / CATALOGUE_PAGE / 32;
	if (st->batch_pages < BATCH_PAGES_MIN)
		st->batch_pages = BATCH_PAGES_MIN;
	if (st->batch_pages > BATCH_PAGES_MAX)
		st->batch_pages = BATCH_PAGES_MAX;
	/* Room is made among what was committed: that must be most of it. */
	st->batch_bytes = c->size / 8 < BATCH_BYTES ? c->size / 8 : BATCH_BYTES;
	/* One that drives out half of the others is enough. */
	st->object_max = c->size / 2;
	st->queue_max = c->queue_max != 0 ? c->queue_max : QUEUE_DEFAULT;
	if (st->queue_max < QUEUE_MIN)
		st->queue_max = QUEUE_MIN;
	return true;
}

/* Opens what the folder holds. */
static enum catalogue_status
open_catalogue(struct store *st, char err[STORE_ERR_LEN])
{
	enum catalogue_status s = CATALOGUE_ERROR;
	char *path;

	if (asprintf(&path, "%s/cat", st->dir) < 0) {
		snprintf(err, STORE_ERR_LEN, "out of memory");
		return s;
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		snprintf(err, STORE_ERR_LEN, "%s: %s", path, strerror(errno));
	else
		s = catalogue_open(
		    &st->cat, path, st->cfg.size, on_assert, st, err);
	free(path);
	return s;
}

static int
adopt(void *priv, const struct seg_info *info)
{
	return segments_adopt(
	    priv, info->no, info->gen, info->size, info->used);
}

static enum catalogue_status
open_segments(struct store *st, char err[STORE_ERR_LEN])
{
	int fd = open(st->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	MDB_txn *txn;

	if (fd < 0 || segments_open(&st->segs, fd, "seg",
		      st->cfg.size / HELD_SHARE) != 0) {
		snprintf(
		    err, STORE_ERR_LEN, "%s/seg: %s", st->dir, strerror(errno));
		if (fd >= 0)
			close(fd);
		return CATALOGUE_ERROR;
	}
	close(fd);
	txn = catalogue_read(&st->cat, &rc);
	if (txn != NULL) {
		rc = catalogue_segment_each(&st->cat, txn, adopt, &st->segs);
		catalogue_read_end(&st->cat, txn);
	}
	if (rc != 0) {
		snprintf(err, STORE_ERR_LEN, "%s: table of segments: %s",
		    st->dir, mdb_strerror(rc));
		return rc == MDB_CORRUPTED ? CATALOGUE_BAD : CATALOGUE_ERROR;
	}
	segments_sweep(&st->segs);
	return CATALOGUE_OK;
}

static void
close_files(struct store *st)
{
	segments_close(&st->segs);
	catalogue_close(&st->cat);
}

struct opening {
	struct store *st;
	char *err;
	enum catalogue_status status;
};

/* It is left as it is, to be set aside; the folder is opened anew then. */
static enum catalogue_status
unreadable(struct store *st, char err[STORE_ERR_LEN])
{
	segments_close(&st->segs);
	st->cat = (struct catalogue){.env = NULL};
	snprintf(err, STORE_ERR_LEN, "%s: its catalogue can't be read: the "
	    "disk failed, or the file was cut short", st->dir);
	return CATALOGUE_BAD;
}

static void
open_run(void *arg)
{
	struct opening *o = arg;

	o->status = open_catalogue(o->st, o->err);
	if (o->status == CATALOGUE_OK)
		o->status = open_segments(o->st, o->err);
	if (o->status != CATALOGUE_OK)
		close_files(o->st);
}

static enum catalogue_status
open_files(struct store *st, char err[STORE_ERR_LEN])
{
	struct opening o = {.st = st, .err = err};

	return bus_guarded(open_run, &o) ? o.status : unreadable(st, err);
}

static void
check_run(void *arg)
{
	struct opening *o = arg;

	if (catalogue_check(&o->st->cat, o->err))
		o->status = CATALOGUE_OK;
}

/* After crashes, or when a part is missing: is the catalogue sound? */
static enum catalogue_status
check_files(struct store *st, char err[STORE_ERR_LEN])
{
	struct opening o = {st, err, CATALOGUE_BAD};
	bool readable;

	health_checking(st, true);
	readable = bus_guarded(check_run, &o);
	health_checking(st, false);
	if (!readable)
		return unreadable(st, err);
	if (o.status != CATALOGUE_OK)
		close_files(st);
	return o.status;
}

static bool
open_or_set_aside(struct store *st, char err[STORE_ERR_LEN])
{
	enum catalogue_status s = CATALOGUE_BAD;
	int verdict = health_open(st);
	char why[STORE_ERR_LEN] = "damaged when it was last used";

	/* Opening it alone may be what kills us. */
	if (verdict == 1) {
		store_message(st,
		    "store %s: it was not closed for %d times in a row; "
		    "checking it",
		    st->name, 3);
		health_checking(st, true);
	}
	if (verdict == 3)
		snprintf(why, sizeof why, "the last three times it was "
		    "opened, a crash followed within a minute");
	if (verdict < 2)
		s = open_files(st, why);
	if (s == CATALOGUE_OK && (verdict == 1 || st->cat.was_short))
		s = check_files(st, why);
	if (s == CATALOGUE_BAD) {
		if (health_set_aside(st, why, err) != 0)
			return false;
		s = open_files(st, why);
	}
	if (s != CATALOGUE_OK)
		snprintf(err, STORE_ERR_LEN, "%s", why);
	return s == CATALOGUE_OK;
}

/* Goes on filling the newest segment. */
static void
resume_segment(struct store *st)
{
	struct segment *newest = NULL, *ref;

	for (uint32_t no = 1; no <= st->segs.top; no++) {
		struct segment *s = st->segs.tab[no];

		if (s != NULL && (newest == NULL || s->gen > newest->gen))
			newest = s;
	}
	if (newest == NULL)
		return;
	ref = segments_get(&st->segs, newest->no, newest->gen);
	if (ref == NULL)
		return;
	st->w.current = newest;
	segment_unref(&ref);
}

/*
 * Brings the catalogue's file into the page cache, in order: its pages are
 * needed at random, and each would cost a seek.
 */
static void *
warm(void *arg)
{
	struct store *st = arg;
	uint64_t at = 0, max = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			       (uint64_t)sysconf(_SC_PAGESIZE) / 4;
	char *buf = malloc(WARM_STEP);
	ssize_t n = 0;
	int fd;

	if (buf == NULL || mdb_env_get_fd(st->cat.env, &fd) != 0) {
		free(buf);
		return NULL;
	}
	do {
		n = pread(fd, buf, WARM_STEP, (off_t)at);
		at += n > 0 ? (uint64_t)n : 0;
	} while (n > 0 && at < max && !atomic_load(&st->stop));
	free(buf);
	return NULL;
}

static bool
start_threads(struct store *st, char err[STORE_ERR_LEN])
{
	sigset_t old;
	int rc;

	/* Signals are for others; SIGXFSZ must not kill, but be an error. */
	signals_block(&old);
	rc = pthread_create(&st->writer, NULL, writer_main, st);
	st->writer_runs = rc == 0;
	if (rc == 0)
		st->warmer_runs =
		    pthread_create(&st->warmer, NULL, warm, st) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		snprintf(err, STORE_ERR_LEN, "store %s: a thread: %s", st->name,
		    strerror(rc));
	return rc == 0;
}

static void
store_free(struct store *st)
{
	packer_free(&st->packer);
	close_files(st);
	fpset_fini(&st->filter);
	hits_fini(&st->hits);
	queue_fini(&st->q);
	pthread_mutex_destroy(&st->verify_mtx);
	health_forget(st);
	if (st->lock_fd >= 0)
		close(st->lock_fd);
	free(st->name);
	free(st->dir);
	free(st);
}

struct store *
store_open(const struct store_config *cfg, char err[STORE_ERR_LEN])
{
	struct store *st = calloc(1, sizeof *st);
	uint64_t seed = 0;

	err[0] = '\0';
	if (st == NULL) {
		snprintf(err, STORE_ERR_LEN, "out of memory");
		return NULL;
	}
	bus_init();
	st->cfg = *cfg;
	st->lock_fd = -1;
	st->name = strdup(cfg->name != NULL ? cfg->name : "store");
	st->dir = strdup(cfg->dir);
	queue_init(&st->q);
	pthread_mutex_init(&st->verify_mtx, NULL);
	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = (uint64_t)now_ms();
	st->packer = packer_new(st);
	if (!fpset_init(&st->filter, seed) ||
	    !hits_init(&st->hits, cfg->size) || st->name == NULL ||
	    st->packer == NULL ||
	    st->dir == NULL) {
		snprintf(err, STORE_ERR_LEN, "out of memory");
		goto fail;
	}
	if (!set_sizes(st, err))
		goto fail;
	if (!make_dirs(st->dir)) {
		snprintf(
		    err, STORE_ERR_LEN, "%s: %s", st->dir, strerror(errno));
		goto fail;
	}
	st->lock_fd = health_lock(st->dir, err);
	if (st->lock_fd < 0 || !open_or_set_aside(st, err))
		goto fail;
	st->opened_at = now_ms();
	st->w.filling = true;
	resume_segment(st);
	commit_measure(st);
	if (!start_threads(st, err))
		goto fail;
	return st;
fail:
	store_free(st);
	return NULL;
}

void
store_close(struct store **stp)
{
	struct store *st = *stp;

	*stp = NULL;
	if (st == NULL)
		return;
	atomic_store(&st->stop, true);
	/* It may drop objects: while somebody takes that. */
	verify_end(st);
	pthread_mutex_lock(&st->q.mtx);
	st->q.stop = true;
	pthread_cond_signal(&st->q.cond);
	pthread_mutex_unlock(&st->q.mtx);
	if (st->writer_runs)
		pthread_join(st->writer, NULL);
	/* a dictionary that nobody writes any more */
	packer_stop(st->packer);
	for (struct op *op = st->q.list.head, *next; op != NULL; op = next) {
		next = op->next;
		op_free(st, op);
	}
	if (st->warmer_runs)
		pthread_join(st->warmer, NULL);
	health_good(st);
	store_free(st);
}

void
store_stats(const struct store *cst, struct store_stats *s)
{
	struct store *st = (struct store *)cst;
	uint64_t bytes = atomic_load(&st->segment_bytes);
	uint64_t used = atomic_load(&st->segment_used);

	*s = (struct store_stats){
	    .objects = atomic_load(&st->objects),
	    .size = st->cfg.size,
	    .segment_bytes_used = used,
	    .segment_bytes_free = bytes > used ? bytes - used : 0,
	    .catalogue_bytes = atomic_load(&st->catalogue_bytes),
	    .queue_bytes = atomic_load(&st->q.bytes),
	    .puts = atomic_load(&st->puts),
	    .put_bytes = atomic_load(&st->put_bytes),
	    .dropped = atomic_load(&st->dropped),
	    .evicted = atomic_load(&st->evicted),
	    .rescued = atomic_load(&st->rescued),
	    .held_bytes = atomic_load(&st->segs.held->bytes),
	    .corrupt = atomic_load(&st->corrupt),
	    .commits = atomic_load(&st->commits),
	    .packed = atomic_load(&st->packed),
	    .packed_in = atomic_load(&st->packed_in),
	    .packed_out = atomic_load(&st->packed_out),
	    .dicts = atomic_load(&st->dicts),
	    .read_only = store_read_only(st),
	};
}

uint64_t
store_oldest_inval_seq(struct store *st)
{
	return atomic_load(&st->oldest_inval);
}
