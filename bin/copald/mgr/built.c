/*
 * built.c - see built.h.
 */
#include "built.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "params.h"
#include "vcl_abi.h"

enum {
	PATH_LEN = 1024,
	/* Objects; one has some 50 KB.  More than a site has programs. */
	KEPT_MAX = 64,
	/* An object that is larger is not worth the disk. */
	OBJECT_MAX = 16 << 20,
};

/* The whole of a regular file, malloc'd; NULL: none, or too large. */
static char *
file_read(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *buf = NULL;
	struct stat sb;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) &&
	    sb.st_size <= OBJECT_MAX)
		buf = malloc((size_t)sb.st_size + 1);
	*len = buf != NULL ? (size_t)sb.st_size : 0;
	for (size_t at = 0; buf != NULL && at < *len;) {
		ssize_t n = read(fd, buf + at, *len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(buf);
			buf = NULL;
			break;
		}
		at += (size_t)n;
	}
	close(fd);
	return buf;
}

bool
built_name(const char *dir, char name[BUILT_NAME_MAX])
{
	XXH3_state_t *x = XXH3_createState();
	char path[PATH_LEN], *c;
	struct stat self;
	XXH128_hash_t h;
	size_t len;

	snprintf(path, sizeof path, "%s/vcl.c", dir);
	c = file_read(path, &len);
	if (c == NULL || x == NULL || stat("/proc/self/exe", &self) != 0) {
		free(c);
		XXH3_freeState(x);
		return false;
	}
	XXH3_128bits_reset(x);
	XXH3_128bits_update(x, c, len);
	/* with their NULs, so that none runs into the next */
	XXH3_128bits_update(x, params->cc_command,
	    strlen(params->cc_command) + 1);
	XXH3_128bits_update(x, params->cc_warnings,
	    strlen(params->cc_warnings) + 1);
	XXH3_128bits_update(x, &self.st_size, sizeof self.st_size);
	XXH3_128bits_update(x, &self.st_mtim, sizeof self.st_mtim);
	h = XXH3_128bits_digest(x);
	snprintf(name, BUILT_NAME_MAX, "%016llx%016llx-%d.so",
	    (unsigned long long)h.high64, (unsigned long long)h.low64,
	    VCL_ABI_VERSION);
	XXH3_freeState(x);
	free(c);
	return true;
}

static void
object_path(char path[PATH_LEN], const char *dir)
{
	snprintf(path, PATH_LEN, "%s/vcl.so", dir);
}

/* A new file.  false: there is one, or it can't be written whole. */
static bool
file_write(const char *path, const char *p, size_t len)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	size_t at = 0;

	if (fd < 0)
		return false;
	while (at < len) {
		ssize_t n = write(fd, p + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (fchmod(fd, 0644) != 0)
		at = 0;
	if (close(fd) == 0 && at == len)
		return true;
	(void)unlink(path);
	return false;
}

/*
 * A copy, no link: of two programs with one file the loader would make one,
 * with its variables.
 */
bool
built_take(const char *name, const char *dir)
{
	char from[PATH_LEN], to[PATH_LEN], *so;
	size_t len;
	bool ok;

	snprintf(from, sizeof from, "built/%s", name);
	so = file_read(from, &len);
	if (so == NULL)
		return false;
	object_path(to, dir);
	ok = file_write(to, so, len);
	free(so);
	/* used now: others go before it */
	if (ok)
		(void)utimensat(AT_FDCWD, from, NULL, 0);
	return ok;
}

void
built_forget(const char *name, const char *dir)
{
	char path[PATH_LEN];

	snprintf(path, sizeof path, "built/%s", name);
	(void)unlink(path);
	object_path(path, dir);
	(void)unlink(path);
}

/* The one that was used longest ago goes, if there are too many. */
static void
make_room(void)
{
	char oldest[NAME_MAX + 1] = "";
	struct timespec at = {0};
	struct dirent *e;
	struct stat sb;
	unsigned n = 0;
	DIR *d = opendir("built");

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' ||
		    fstatat(dirfd(d), e->d_name, &sb, 0) != 0)
			continue;
		n++;
		if (oldest[0] != '\0' && (sb.st_mtim.tv_sec > at.tv_sec ||
		    (sb.st_mtim.tv_sec == at.tv_sec &&
		    sb.st_mtim.tv_nsec >= at.tv_nsec)))
			continue;
		at = sb.st_mtim;
		snprintf(oldest, sizeof oldest, "%s", e->d_name);
	}
	if (n >= KEPT_MAX)
		(void)unlinkat(dirfd(d), oldest, 0);
	closedir(d);
}

void
built_keep(const char *name, const char *dir)
{
	char path[PATH_LEN], tmp[PATH_LEN], *so;
	size_t len;

	object_path(path, dir);
	so = file_read(path, &len);
	if (so == NULL || (mkdir("built", 0755) != 0 && errno != EEXIST)) {
		free(so);
		return;
	}
	make_room();
	/* a deputy for each program that is being compiled */
	snprintf(tmp, sizeof tmp, "built/%d.new", (int)getpid());
	snprintf(path, sizeof path, "built/%s", name);
	(void)unlink(tmp); /* of a deputy that was killed */
	if (file_write(tmp, so, len) && rename(tmp, path) != 0)
		(void)unlink(tmp);
	free(so);
}
