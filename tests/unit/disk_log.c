/*
 * disk_log.c - see disk_log.h.
 */
/* Both names of each call are defined, whatever configure chose. */
#undef _FILE_OFFSET_BITS
#include "disk_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, FILES_MAX = 4096, NAME_MAX_LEN = 64 };

enum kind { WRITE, SIZE, SYNC, MADE, GONE, SYNC_DIR, MARK };

struct record {
	enum kind kind;
	bool sync;     /* WRITE: O_DSYNC */
	unsigned file; /* WRITE, SIZE, SYNC, MADE, GONE */
	uint64_t at, len;
	char *data;
};

struct file {
	uint64_t ino;
	char name[NAME_MAX_LEN]; /* below the folder */
	/* While images are made: what is synced */
	char *data;
	uint64_t size;
	unsigned synced; /* records before it are in data */
	bool there;
};

static pthread_mutex_t mtx = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static bool recording;
static struct record *log;
static unsigned log_n, log_room;
static struct file file[FILES_MAX];
static unsigned file_n;
static unsigned done_n, names_synced; /* of images: how far they got */

static void
push(struct record r)
{
	if (log_n == log_room) {
		log_room = log_room * 2 + 1024;
		log = realloc(log, log_room * sizeof *log);
		if (log == NULL)
			abort();
	}
	log[log_n++] = r;
}

/* The path of fd if it is below the folder, else NULL */
static const char *
name_of(int fd, char path[PATH_MAX])
{
	char link[64];
	size_t len = strlen(root);
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	if (strncmp(path, root, len) != 0 || path[len] != '/')
		return NULL;
	return path + len + 1;
}

/* mtx held.  The file of fd, new or known; -1: not ours */
static int
file_of(int fd)
{
	char path[PATH_MAX];
	const char *name;
	struct stat st;
	unsigned i;

	if (!recording || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	for (i = file_n; i-- > 0;)
		if (file[i].ino == (uint64_t)st.st_ino)
			return (int)i;
	name = name_of(fd, path);
	if (name == NULL || strstr(name, "lock") != NULL ||
	    strlen(name) >= NAME_MAX_LEN || file_n == FILES_MAX)
		return -1;
	file[file_n].ino = (uint64_t)st.st_ino;
	strcpy(file[file_n].name, name);
	push((struct record){.kind = MADE, .file = file_n});
	return (int)file_n++;
}

static void
note_write(int fd, const struct iovec *v, int n, int64_t at, ssize_t done)
{
	struct record r = {.kind = WRITE, .at = (uint64_t)at};
	int i, flags = fcntl(fd, F_GETFL);
	size_t have = 0;

	if (done <= 0 || !recording)
		return;
	pthread_mutex_lock(&mtx);
	i = file_of(fd);
	if (i >= 0) {
		r.sync = flags != -1 && (flags & O_DSYNC) != 0;
		r.file = (unsigned)i;
		r.len = (uint64_t)done;
		r.data = malloc(r.len);
		if (r.data == NULL)
			abort();
		for (int k = 0; k < n && have < r.len; k++) {
			size_t m = v[k].iov_len < r.len - have ?
			    v[k].iov_len : r.len - have;

			memcpy(r.data + have, v[k].iov_base, m);
			have += m;
		}
		push(r);
	}
	pthread_mutex_unlock(&mtx);
}

static void
note_size(int fd, uint64_t size)
{
	int i;

	pthread_mutex_lock(&mtx);
	i = file_of(fd);
	if (i >= 0)
		push((struct record){.kind = SIZE, .file = (unsigned)i,
		    .len = size});
	pthread_mutex_unlock(&mtx);
}

static void
note_sync(int fd)
{
	char path[PATH_MAX];
	struct stat st;
	int i;

	pthread_mutex_lock(&mtx);
	i = file_of(fd);
	if (i >= 0)
		push((struct record){.kind = SYNC, .file = (unsigned)i});
	else if (recording && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) &&
	    name_of(fd, path) != NULL)
		push((struct record){.kind = SYNC_DIR});
	pthread_mutex_unlock(&mtx);
}

static void
note_gone(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base != NULL ? base + 1 : path;
	pthread_mutex_lock(&mtx);
	for (unsigned i = file_n; recording && i-- > 0;) {
		const char *own = strrchr(file[i].name, '/');

		if (own == NULL || strcmp(own + 1, base) != 0 ||
		    file[i].ino == 0)
			continue;
		push((struct record){.kind = GONE, .file = i});
		file[i].ino = 0; /* its number may be used again */
		break;
	}
	pthread_mutex_unlock(&mtx);
}

/* --- the C library's names ----------------------------------------------- */

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

ssize_t
pwrite64(int fd, const void *p, size_t len, off64_t at)
{
	struct iovec v = {(void *)p, len};
	ssize_t n = syscall(SYS_pwrite64, fd, p, len, at);

	note_write(fd, &v, 1, at, n);
	return n;
}

ssize_t
pwrite(int fd, const void *p, size_t len, off_t at)
{
	return pwrite64(fd, p, len, at);
}

ssize_t
pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
	ssize_t done = syscall(SYS_pwritev, fd, v, n, at, 0);

	note_write(fd, v, n, at, done);
	return done;
}

ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	return pwritev64(fd, v, n, at);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	off_t at = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
	ssize_t done = syscall(SYS_writev, fd, v, n);

	if (at >= 0)
		note_write(fd, v, n, at, done);
	return done;
}

int
ftruncate64(int fd, off64_t size)
{
	int r = (int)syscall(SYS_ftruncate, fd, size);

	if (r == 0)
		note_size(fd, (uint64_t)size);
	return r;
}

int
ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

int
fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	int r = (int)syscall(SYS_fallocate, fd, mode, at, len);

	if (r == 0 && mode == 0)
		note_size(fd, (uint64_t)(at + len));
	return r;
}

int
fallocate(int fd, int mode, off_t at, off_t len)
{
	return fallocate64(fd, mode, at, len);
}

int
fdatasync(int fd)
{
	note_sync(fd);
	return 0;
}

int
fsync(int fd)
{
	note_sync(fd);
	return 0;
}

int
unlinkat(int dir, const char *path, int flags)
{
	int r = (int)syscall(SYS_unlinkat, dir, path, flags);

	if (r == 0 && flags == 0)
		note_gone(path);
	return r;
}

/* --- the log ------------------------------------------------------------- */

/* Room for size bytes, those that are new of zeros */
static void
resize(struct file *f, uint64_t size)
{
	if (size <= f->size)
		return;
	f->data = realloc(f->data, size);
	if (f->data == NULL)
		abort();
	memset(f->data + f->size, 0, size - f->size);
	f->size = size;
}

static void
load(const char *path, const char *name, const struct stat *st)
{
	struct file *f = &file[file_n++];
	FILE *in = fopen(path, "rb");

	f->ino = (uint64_t)st->st_ino;
	snprintf(f->name, sizeof f->name, "%s", name);
	f->there = true;
	resize(f, (uint64_t)st->st_size);
	if (in == NULL || fread(f->data, 1, f->size, in) != f->size)
		abort();
	fclose(in);
}

static void
load_folder(const char *sub)
{
	char path[PATH_MAX + 300], name[NAME_MAX_LEN];
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(path, sizeof path, "%s/%s", root, sub);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "%s/%s/%s", root, sub, e->d_name);
		if (strstr(e->d_name, "lock") != NULL ||
		    stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
		    snprintf(name, sizeof name, "%s/%s", sub, e->d_name) >=
		    (int)sizeof name)
			continue;
		load(path, name, &st);
	}
	if (d != NULL)
		closedir(d);
}

bool
disk_log_begin(const char *dir)
{
	if (realpath(dir, root) == NULL)
		return false;
	load_folder("cat");
	load_folder("seg");
	recording = true;
	return true;
}

void
disk_log_end(void)
{
	pthread_mutex_lock(&mtx);
	recording = false;
	pthread_mutex_unlock(&mtx);
}

unsigned
disk_log_mark(void)
{
	unsigned n;

	pthread_mutex_lock(&mtx);
	n = log_n;
	if (recording)
		push((struct record){.kind = MARK});
	pthread_mutex_unlock(&mtx);
	return n;
}

unsigned
disk_log_len(void)
{
	return log_n;
}

/* --- images -------------------------------------------------------------- */

static uint64_t
draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 33;
}

static void
put(struct file *f, const struct record *r, uint64_t from, uint64_t to)
{
	resize(f, to);
	memcpy(f->data + from, r->data + (from - r->at), to - from);
}

/* All that was written to it before is on disk now. */
static void
apply_synced(struct file *f, unsigned upto)
{
	unsigned no = (unsigned)(f - file);

	for (unsigned i = f->synced; i < upto; i++) {
		const struct record *r = &log[i];

		if (r->kind == WRITE && r->file == no)
			put(f, r, r->at, r->at + r->len);
		else if (r->kind == SIZE && r->file == no)
			resize(f, r->len);
	}
	f->synced = upto;
}

static void
apply_names(unsigned upto)
{
	for (unsigned i = names_synced; i < upto; i++) {
		if (log[i].kind == MADE)
			file[log[i].file].there = true;
		else if (log[i].kind == GONE)
			file[log[i].file].there = false;
	}
	names_synced = upto;
}

static void
go_to(unsigned at)
{
	for (; done_n < at; done_n++) {
		const struct record *r = &log[done_n];

		if (r->kind == SYNC)
			apply_synced(&file[r->file], done_n);
		else if (r->kind == SYNC_DIR)
			apply_names(done_n);
	}
}

/* What was written since the last sync, page by page, some of it */
static void
apply_some(struct file *f, unsigned at, unsigned odds, uint64_t *seed)
{
	unsigned no = (unsigned)(f - file);

	for (unsigned i = f->synced; i <= at && i < log_n; i++) {
		const struct record *r = &log[i];
		/* The one that the cut came into has promised nothing. */
		bool certain = r->sync && i < at;

		if (r->file != no)
			continue;
		if (r->kind == SIZE && draw(seed) % 8 < odds)
			resize(f, r->len);
		if (r->kind != WRITE)
			continue;
		for (uint64_t p = r->at; p < r->at + r->len;) {
			uint64_t end = (p / PAGE + 1) * PAGE;

			if (end > r->at + r->len)
				end = r->at + r->len;
			if (certain || draw(seed) % 8 < odds)
				put(f, r, p, end);
			p = end;
		}
	}
}

static bool
write_file(const char *to, const struct file *f)
{
	char path[PATH_MAX + 300];
	FILE *out;
	bool ok;

	snprintf(path, sizeof path, "%s/%s", to, f->name);
	out = fopen(path, "wb");
	ok = out != NULL && fwrite(f->data, 1, f->size, out) == f->size;
	return out != NULL && fclose(out) == 0 && ok;
}

bool
disk_log_image(const char *to, unsigned at, unsigned odds, uint64_t seed)
{
	char cmd[3 * PATH_MAX];
	bool there[FILES_MAX], ok;

	snprintf(cmd, sizeof cmd, "rm -rf '%s' '%s'.bad-* && "
	    "mkdir -p '%s/cat' '%s/seg'", to, to, to, to);
	ok = system(cmd) == 0;
	go_to(at);
	for (unsigned i = 0; i < file_n; i++)
		there[i] = file[i].there;
	for (unsigned i = names_synced; i < at; i++) {
		if (log[i].kind != MADE && log[i].kind != GONE)
			continue;
		if (draw(&seed) % 8 >= odds)
			break;
		there[log[i].file] = log[i].kind == MADE;
	}
	for (unsigned i = 0; ok && i < file_n; i++) {
		struct file some = file[i];

		if (!there[i])
			continue;
		some.data = malloc(some.size + 1);
		if (some.data == NULL)
			return false;
		if (some.size > 0)
			memcpy(some.data, file[i].data, some.size);
		/* Its place tells which it is. */
		{
			struct file kept = file[i];

			file[i] = some;
			apply_some(&file[i], at, odds, &seed);
			ok = write_file(to, &file[i]);
			free(file[i].data);
			file[i] = kept;
		}
	}
	return ok;
}
