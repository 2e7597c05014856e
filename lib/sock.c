/*
 * sock.c - listening, connecting, accepting; never blocks.
 */
#include "sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOCK_FLAGS = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC };

static bool
is_tcp(const struct addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

static int
set_on(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof on);
}

static int
listen_fail(int fd, const struct addr *a, const char *what, int why,
    char *err, size_t err_len)
{
	char text[ADDR_TEXT_MAX];

	addr_text(a, text);
	snprintf(err, err_len, "%s: %s: %s", text, what, strerror(why));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Does somebody listen on the unix socket? */
static bool
is_alive(const struct addr *a)
{
	int fd = socket(AF_UNIX, SOCK_FLAGS, 0);
	bool alive;

	if (fd < 0)
		return true; /* can't tell: leave it alone */
	alive = connect(fd, &a->sa, a->len) == 0 || errno != ECONNREFUSED;
	close(fd);
	return alive;
}

/*
 * A socket file outlives its process.  Only that is removed: not a file of
 * another kind, not the socket of a process that still listens.
 */
static int
remove_stale(const struct addr *a)
{
	struct stat st;

	if (addr_is_abstract(a))
		return 0;
	if (lstat(a->un.sun_path, &st) != 0)
		return errno == ENOENT ? 0 : errno;
	if (!S_ISSOCK(st.st_mode))
		return EEXIST;
	if (is_alive(a))
		return EADDRINUSE;
	return unlink(a->un.sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

int
sock_listen(const struct addr *a, bool reuseport, int backlog, char *err,
    size_t err_len)
{
	int fd, why;

	if (a->sa.sa_family == AF_UNIX && (why = remove_stale(a)) != 0)
		return listen_fail(-1, a, "cannot listen", why, err, err_len);
	fd = socket(a->sa.sa_family, SOCK_FLAGS, 0);
	if (fd < 0)
		return listen_fail(-1, a, "no socket", errno, err, err_len);
	if (is_tcp(a) &&
	    (set_on(fd, SOL_SOCKET, SO_REUSEADDR) != 0 ||
		set_on(fd, IPPROTO_TCP, TCP_NODELAY) != 0 ||
		(reuseport && set_on(fd, SOL_SOCKET, SO_REUSEPORT) != 0) ||
		(a->sa.sa_family == AF_INET6 &&
		    set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0)))
		return listen_fail(fd, a, "socket options", errno, err,
		    err_len);
	if (bind(fd, &a->sa, a->len) != 0)
		return listen_fail(fd, a, "cannot bind", errno, err, err_len);
	if (listen(fd, backlog) != 0)
		return listen_fail(fd, a, "cannot listen", errno, err,
		    err_len);
	return fd;
}

int
sock_connect_start(const struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_FLAGS, 0), why;

	if (fd < 0)
		return -1;
	if (is_tcp(a))
		(void)set_on(fd, IPPROTO_TCP, TCP_NODELAY);
	if (connect(fd, &a->sa, a->len) == 0 || errno == EINPROGRESS ||
	    errno == EINTR) /* goes on in the background */
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

int
sock_connect_result(int fd)
{
	socklen_t len = sizeof(int);
	int result;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) != 0)
		return errno;
	return result;
}

int
sock_accept(int listen_fd, struct addr *peer)
{
	struct addr local;
	int fd;

	if (peer == NULL)
		peer = &local;
	do {
		peer->len = sizeof peer->ss;
		fd = accept4(listen_fd, &peer->sa, &peer->len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		/* one that is gone already says nothing of the next */
	} while (fd < 0 && (errno == ECONNABORTED || errno == EINTR));
	return fd;
}

int
sock_local(int fd, struct addr *out)
{
	memset(out, 0, sizeof *out);
	out->len = sizeof out->ss;
	return getsockname(fd, &out->sa, &out->len);
}

void
sock_sent(struct msghdr *m, size_t n)
{
	while (m->msg_iovlen > 0 && n >= m->msg_iov[0].iov_len) {
		n -= m->msg_iov[0].iov_len;
		m->msg_iov++;
		m->msg_iovlen--;
	}
	if (m->msg_iovlen > 0) {
		m->msg_iov[0].iov_base = (char *)m->msg_iov[0].iov_base + n;
		m->msg_iov[0].iov_len -= n;
	}
}
