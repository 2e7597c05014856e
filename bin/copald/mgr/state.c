/*
 * state.c - the state folder of a running copald: see state.h.
 */
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jail.h"
#include "state.h"

enum { SECRET_BYTES = 32 };

static int lock_fd = -1;

__attribute__((format(printf, 2, 3))) static bool
fail(char err[STATE_ERR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, STATE_ERR_MAX, fmt, ap);
	va_end(ap);
	return false;
}

static bool
take_lock(const char *workdir, char err[STATE_ERR_MAX])
{
	char pid[32];
	ssize_t n;

	lock_fd = open("_.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (lock_fd < 0)
		return fail(err, "%s/_.lock: %s", workdir, strerror(errno));
	if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0) {
		n = read(lock_fd, pid, sizeof(pid) - 1);
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		return fail(err, "%s is used by another copald%s%s", workdir,
		    pid[0] ? ", pid " : "", pid);
	}
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(lock_fd, 0) < 0 ||
	    pwrite(lock_fd, pid, strlen(pid), 0) < 0)
		return fail(err, "%s/_.lock: %s", workdir, strerror(errno));
	return true;
}

void
state_remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)rmdir(dir);
}

/* The folders of programs in vcl/, and the modules. */
static void
remove_programs(void)
{
	DIR *d = opendir("vcl");
	struct dirent *e;
	char path[512];

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "vcl/%s", e->d_name);
		state_remove_dir(path);
	}
	closedir(d);
	state_remove_dir("vmod");
}

bool
state_open(const char *workdir, char err[STATE_ERR_MAX])
{
	static const char *const dirs[] = {"log", "vcl", "vmod"};

	if (jail_mkdirs(workdir, 0755) < 0 || chdir(workdir) < 0)
		return fail(err, "%s: %s", workdir, strerror(errno));
	if (!take_lock(workdir, err))
		return false;
	remove_programs();
	for (int i = 0; i < 3; i++) {
		if (jail_make_dir(dirs[i], 0755) < 0)
			return fail(err, "%s/%s: %s", workdir, dirs[i],
			    strerror(errno));
	}
	return true;
}

bool
state_make_secret(const char *path, char err[STATE_ERR_MAX])
{
	unsigned char random[SECRET_BYTES];
	char text[2 * SECRET_BYTES + 2];
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return true;
	if (fd < 0 || getrandom(random, sizeof(random), 0) != sizeof(random))
		goto bad;
	for (int i = 0; i < SECRET_BYTES; i++)
		sprintf(text + 2 * i, "%02x", random[i]);
	strcat(text, "\n");
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		goto bad;
	close(fd);
	return true;
bad:
	fail(err, "%s: %s", path, strerror(errno));
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return false;
}

bool
state_write_pid(const char *path, char err[STATE_ERR_MAX])
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		return fail(err, "%s: %s", path, strerror(errno));
	fprintf(f, "%d\n", (int)getpid());
	if (fclose(f) != 0)
		return fail(err, "%s: %s", path, strerror(errno));
	return true;
}

void
state_leave(void)
{
	if (lock_fd >= 0)
		close(lock_fd);
	lock_fd = -1;
}

void
state_close(void)
{
	if (lock_fd < 0)
		return;
	remove_programs();
	unlink("cli.sock");
	unlink("_.lock");
	state_leave();
}
