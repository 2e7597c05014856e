/*
 * health.c - whose the store is, how its last openings ended, and what
 * becomes of one that can't be used.
 *
 * <dir>/lock is locked (flock) while the store is open: the kernel lets go of
 * it with the process, so it is never stale.
 *
 * <dir>/state is one line of text, "copal-store openings checking damaged":
 *
 *      openings   begun, and neither closed nor good for a minute
 *      checking   the catalogue is being walked
 *      damaged    LMDB said so
 *
 * After three bad openings in a row the catalogue may be what kills us, or
 * somebody killed us three times.  It is walked to find out: one that
 * fails the walk, or kills us during it, is set aside; one that passes goes
 * on being used.  Of those set aside the last one stays.
 *
 * A crash of our own (a panic, not kill -9) within a minute of the opening adds
 * a byte to <dir>/lock.  After three, without a good minute between them, the
 * store is set aside: something in it, or what is served from it, crashes us.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_impl.h"

enum {
	OPENINGS_MAX = 3,
	CRASHES_MAX = 3,
	/* As many stores as have a place for their crashes */
	NOTED_MAX = 64,
};

/* For the signal handler: open stores.  fd 0: a free place */
static struct {
	atomic_int fd;
	atomic_int_fast64_t opened_at; /* ms */
} noted[NOTED_MAX];

static void
note(int fd)
{
	for (unsigned i = 0; i < NOTED_MAX; i++) {
		int none = 0;

		if (!atomic_compare_exchange_strong(&noted[i].fd, &none, fd))
			continue;
		atomic_store(&noted[i].opened_at, now_ms());
		return;
	}
}

void
health_forget(const struct store *st)
{
	for (unsigned i = 0; i < NOTED_MAX; i++) {
		int fd = st->lock_fd;

		if (fd > 0)
			atomic_compare_exchange_strong(&noted[i].fd, &fd, 0);
	}
}

void
store_note_crash(void)
{
	int64_t now = now_ms();

	for (unsigned i = 0; i < NOTED_MAX; i++) {
		int fd = atomic_load(&noted[i].fd);

		if (fd > 0 &&
		    now - atomic_load(&noted[i].opened_at) < GOOD_AFTER_MS &&
		    write(fd, "!", 1) != 1)
			continue; /* one less to know of */
	}
}

/* Of three in a row this is the last one; they are counted anew. */
static bool
crashes_too_often(const struct store *st)
{
	struct stat sb;

	if (fstat(st->lock_fd, &sb) != 0 || sb.st_size < CRASHES_MAX)
		return false;
	(void)!ftruncate(st->lock_fd, 0);
	return true;
}

struct state {
	unsigned openings, checking, damaged;
};

static void
state_read(const char *dir, struct state *s)
{
	char *path;
	FILE *f;

	*s = (struct state){0};
	if (asprintf(&path, "%s/state", dir) < 0)
		return;
	f = fopen(path, "re");
	free(path);
	if (f == NULL)
		return;
	if (fscanf(f, "copal-store %u %u %u", &s->openings, &s->checking,
		&s->damaged) != 3)
		*s = (struct state){0};
	fclose(f);
}

/* What can't be written is not counted; the store is no worse for it. */
static void
state_write(const char *dir, const struct state *s)
{
	char *path, *tmp;
	FILE *f;

	if (asprintf(&path, "%s/state", dir) < 0)
		return;
	if (asprintf(&tmp, "%s/state.new", dir) < 0) {
		free(path);
		return;
	}
	f = fopen(tmp, "we");
	if (f != NULL) {
		bool ok = fprintf(f, "copal-store %u %u %u\n", s->openings,
			      s->checking, s->damaged) > 0;

		if (fclose(f) == 0 && ok)
			rename(tmp, path);
		else
			unlink(tmp);
	}
	free(tmp);
	free(path);
}

int
health_lock(const char *dir, char err[STORE_ERR_LEN])
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/lock", dir) < 0) {
		snprintf(err, STORE_ERR_LEN, "out of memory");
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		snprintf(err, STORE_ERR_LEN, "%s: %s", path, strerror(errno));
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			snprintf(err, STORE_ERR_LEN,
			    "%s: in use by another process", dir);
		else
			snprintf(err, STORE_ERR_LEN, "%s: %s", path,
			    strerror(errno));
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

int
health_open(struct store *st)
{
	struct state s;
	int verdict = 0;

	state_read(st->dir, &s);
	if (crashes_too_often(st))
		verdict = 3;
	else if (s.damaged != 0 || s.checking != 0)
		verdict = 2;
	else if (s.openings >= OPENINGS_MAX)
		verdict = 1;
	s.openings++;
	state_write(st->dir, &s);
	note(st->lock_fd);
	return verdict;
}

void
health_checking(struct store *st, bool checking)
{
	struct state s = {.openings = 1, .checking = checking};

	state_write(st->dir, &s);
}

void
health_good(struct store *st)
{
	struct state s;

	(void)!ftruncate(st->lock_fd, 0);
	state_read(st->dir, &s);
	s.openings = 0;
	s.checking = 0;
	state_write(st->dir, &s);
}

void
health_damaged(const char *dir)
{
	struct state s;

	state_read(dir, &s);
	if (s.damaged != 0)
		return;
	s.damaged = 1;
	state_write(dir, &s);
}

static int
remove_one(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	(void)sb;
	(void)type;
	(void)ftw;
	return remove(path);
}

/*
 * The last that was set aside may tell what happened; more would fill the
 * disk.  prefix: the path up to the number in its name.
 */
static void
remove_older(const char *prefix)
{
	const char *slash = strrchr(prefix, '/');
	const char *base = slash != NULL ? slash + 1 : prefix;
	size_t len = strlen(base);
	char *dir = slash != NULL
			? strndup(prefix, (size_t)(slash - prefix) + 1)
			: strdup("./");
	DIR *d = dir != NULL ? opendir(dir) : NULL;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char *path;

		if (strncmp(e->d_name, base, len) != 0 ||
		    e->d_name[len] == '\0' ||
		    e->d_name[len + strspn(e->d_name + len, "0123456789")] !=
			'\0')
			continue;
		if (asprintf(&path, "%s%s", dir, e->d_name) < 0)
			continue;
		/* 16: folders open at a time, it is three deep */
		(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		free(path);
	}
	if (d != NULL)
		closedir(d);
	free(dir);
}

static void
remove_set_aside(const char *dir)
{
	static const char *const suffix[] = {".bad-", "/bad-"};

	for (size_t i = 0; i < sizeof suffix / sizeof suffix[0]; i++) {
		char *prefix;

		if (asprintf(&prefix, "%s%s", dir, suffix[i]) < 0)
			continue;
		remove_older(prefix);
		free(prefix);
	}
}

/*
 * What is in the folder is moved into one inside it: the way out when the
 * folder is a mount point, or its parent is not ours to write to.
 */
static bool
move_contents(const char *dir, const char *into)
{
	static const char *const part[] = {"cat", "seg", "state"};

	if (mkdir(into, 0700) != 0)
		return false;
	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
		char *from = NULL, *to = NULL;
		bool ok = asprintf(&from, "%s/%s", dir, part[i]) >= 0 &&
			  asprintf(&to, "%s/%s", into, part[i]) >= 0 &&
			  (rename(from, to) == 0 || errno == ENOENT);

		free(from);
		free(to);
		if (!ok)
			return false;
	}
	return true;
}

int
health_set_aside(struct store *st, const char *why, char err[STORE_ERR_LEN])
{
	long long now = (long long)time(NULL);
	char *away = NULL, *inside = NULL;
	int lock, rc = -1;

	remove_set_aside(st->dir);
	/* Another's of the same second, that we may not remove */
	for (;; now++) {
		free(away);
		if (asprintf(&away, "%s.bad-%lld", st->dir, now) < 0) {
			away = NULL;
			goto out;
		}
		if (access(away, F_OK) != 0)
			break;
	}
	if (asprintf(&inside, "%s/bad-%lld", st->dir, now) < 0) {
		inside = NULL;
		goto out;
	}
	if (rename(st->dir, away) == 0) {
		if (mkdir(st->dir, 0700) != 0) {
			snprintf(err, STORE_ERR_LEN, "%s: %s", st->dir,
			    strerror(errno));
			goto out;
		}
		lock = health_lock(st->dir, err);
		if (lock < 0)
			goto out;
		health_forget(st);
		close(st->lock_fd);
		st->lock_fd = lock;
		note(lock);
	} else if (!move_contents(st->dir, inside)) {
		snprintf(err, STORE_ERR_LEN,
		    "%s can't be used (%s), nor "
		    "moved away: %s",
		    st->dir, why, strerror(errno));
		goto out;
	} else {
		free(away);
		away = inside;
		inside = NULL;
	}
	store_message(st,
	    "store %s: %s: kept as %s, which may be removed; "
	    "starting with an empty store",
	    st->name, why, away);
	state_write(st->dir, &(struct state){.openings = 1});
	rc = 0;
out:
	if (rc != 0 && (away == NULL || inside == NULL) && err[0] == '\0')
		snprintf(err, STORE_ERR_LEN, "out of memory");
	free(away);
	free(inside);
	return rc;
}
