/*
 * vclfile.c - which VCL files are opened, and with whose rights: see
 * vclfile.h.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgr.h"
#include "vclfile.h"

enum { FOLDERS_MAX = 16 };

static char *folder[FOLDERS_MAX]; /* real paths, without a last '/' */
static unsigned folder_n;

static void
trust(const char *dir, size_t len)
{
	char path[PATH_MAX], *real;

	if (folder_n == FOLDERS_MAX || len >= sizeof(path))
		return;
	memcpy(path, dir, len);
	path[len] = '\0';
	real = realpath(len > 0 ? path : "/", NULL);
	/* all files are below the root: that was hardly meant */
	if (real != NULL && real[1] != '\0')
		folder[folder_n++] = real;
	else
		free(real);
}

void
vclfile_init(const char *main_file)
{
	const char *dir = mgr_vcl_path(), *end;

	if (main_file != NULL && strrchr(main_file, '/') != NULL)
		trust(main_file, (size_t)(strrchr(main_file, '/') - main_file));
	for (; *dir != '\0'; dir = *end ? end + 1 : end) {
		end = strchrnul(dir, ':');
		if (end > dir)
			trust(dir, (size_t)(end - dir));
	}
}

static bool
is_trusted(const char *real)
{
	size_t len = strlen(real);

	if (len < 5 || strcmp(real + len - 4, ".vcl"))
		return false;
	for (unsigned i = 0; i < folder_n; i++) {
		size_t n = strlen(folder[i]);

		if (!strncmp(real, folder[i], n) && real[n] == '/')
			return true;
	}
	return false;
}

/* -1 with errno */
static int
open_trusted(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char link[64], real[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -1;
	/* what was opened, and not what the path may mean a moment later */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real) - 1);
	if (n > 0) {
		real[n] = '\0';
		if (is_trusted(real) && fstat(fd, &st) == 0 &&
		    S_ISREG(st.st_mode) && st.st_nlink == 1)
			return fd;
	}
	close(fd);
	errno = EACCES;
	return -1;
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

void
vclfile_serve(int ask)
{
	char path[PATH_MAX];
	ssize_t n = recv(ask, path, sizeof(path) - 1, 0);
	union control control = {0};
	struct iovec iov;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd, error;

	if (n <= 0)
		return;
	path[n] = '\0';
	fd = open_trusted(path);
	error = fd < 0 ? errno : 0;
	iov = (struct iovec){&error, sizeof(error)};
	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	/* a child that has died needs no answer */
	(void)sendmsg(ask, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (fd >= 0)
		close(fd);
}

/* -1 with errno */
static int
ask_for(const char *path, int ask)
{
	int error = EACCES, fd = -1;
	union control control = {0};
	struct iovec iov = {&error, sizeof(error)};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};

	if (strlen(path) < PATH_MAX &&
	    send(ask, path, strlen(path), MSG_NOSIGNAL) > 0 &&
	    recvmsg(ask, &m, MSG_CMSG_CLOEXEC) == sizeof(error) &&
	    CMSG_FIRSTHDR(&m) != NULL)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	errno = error;
	return fd;
}

int
vclfile_open(const char *path, int ask)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 || errno != EACCES || ask < 0)
		return fd;
	return ask_for(path, ask);
}
