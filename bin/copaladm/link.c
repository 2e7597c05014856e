/*
 * link.c - a connection to the CLI of a copald: see link.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_auth.h"
#include "link.h"
#include "sock.h"
#include "workdir.h"

enum { PATH_LEN = 1024 };

__attribute__((format(printf, 2, 3))) static int
fail(char err[LINK_ERR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, LINK_ERR_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

static int
connect_to(const struct addr *a, int timeout_ms)
{
	struct pollfd pfd = {.events = POLLOUT};
	int fd = sock_connect_start(a), error;

	if (fd < 0)
		return -1;
	pfd.fd = fd;
	error =
	    poll(&pfd, 1, timeout_ms) > 0 ? sock_connect_result(fd) : ETIMEDOUT;
	if (error != 0) {
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/*
 * The name of the folder may be longer than a socket's address can be: so the
 * address goes through the folder's descriptor.
 */
static int
open_unix(const char *workdir, int timeout_ms, char err[LINK_ERR_MAX])
{
	struct addr a = {.un = {.sun_family = AF_UNIX}};
	int dir = open(workdir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0)
		return fail(err, "%s: %s", workdir, strerror(errno));
	snprintf(a.un.sun_path, sizeof(a.un.sun_path),
	    "/proc/self/fd/%d/cli.sock", dir);
	a.len = sizeof(a.un);
	fd = connect_to(&a, timeout_ms);
	if (fd < 0)
		fail(err, "%s/cli.sock: %s%s", workdir, strerror(errno),
		    errno == ENOENT || errno == ECONNREFUSED
			? " (no copald runs there)"
			: "");
	close(dir);
	return fd;
}

static int
open_tcp(const char *address, int timeout_ms, char err[LINK_ERR_MAX])
{
	struct addr at[8];
	int n = addr_parse(address, "6082", false, at, 8, err, LINK_ERR_MAX);
	int fd = -1;

	for (int i = 0; i < n && fd < 0; i++)
		fd = connect_to(&at[i], timeout_ms);
	if (n > 0 && fd < 0)
		fail(err, "%s: %s", address, strerror(errno));
	return fd;
}

static bool
authenticate(int fd, const struct link_to *to, const char *workdir,
    struct cli_answer *a, char err[LINK_ERR_MAX])
{
	char path[PATH_LEN + 16], buf[CLI_SECRET_MAX];
	char response[CLI_RESPONSE_LEN + 1];
	char auth[] = "auth", *word[] = {auth, response, NULL};
	struct str secret;

	if (to->secret != NULL)
		snprintf(path, sizeof(path), "%s", to->secret);
	else
		snprintf(path, sizeof(path), "%s/_.secret", workdir);
	secret = cli_auth_read(path, buf);
	if (secret.p == NULL) {
		fail(err, "the secret, %s: %s", path, strerror(errno));
		return false;
	}
	if (a->len < CLI_CHALLENGE_LEN ||
	    !cli_auth_response(a->p, secret, response)) {
		fail(err, "the challenge is malformed");
		return false;
	}
	cli_answer_free(a);
	if (!link_ask(fd, 2, word, to->timeout_ms, a, err))
		return false;
	if (a->status == CLI_OK)
		return true;
	fail(err, "the secret of %s was refused", path);
	return false;
}

int
link_open(
    const struct link_to *to, struct cli_answer *banner, char err[LINK_ERR_MAX])
{
	char workdir[PATH_LEN];
	int fd;

	cli_answer_init(banner);
	if (workdir_path(to->workdir, workdir, sizeof(workdir)) < 0)
		return fail(err, "-n %s: %s", to->workdir, strerror(errno));
	fd = to->address != NULL ? open_tcp(to->address, to->timeout_ms, err)
				 : open_unix(workdir, to->timeout_ms, err);
	if (fd < 0)
		return -1;
	if (cli_receive(fd, banner, to->timeout_ms) < 0) {
		fail(err, "no greeting: %s", strerror(errno));
	} else if (banner->status == CLI_AUTH &&
		   !authenticate(fd, to, workdir, banner, err)) {
		/* err says why */
	} else if (banner->status != CLI_OK) {
		fail(err, "refused with status %u", banner->status);
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

bool
link_ask(int fd, unsigned n, char *const *word, int timeout_ms,
    struct cli_answer *a, char err[LINK_ERR_MAX])
{
	char *line = cli_words_join(n, word);
	bool ok;

	cli_answer_init(a);
	if (line == NULL) {
		fail(err, "out of memory");
		return false;
	}
	ok = cli_send(fd, line, strlen(line), timeout_ms) == 0 &&
	     cli_receive(fd, a, timeout_ms) == 0;
	if (!ok)
		fail(err, "no answer: %s", strerror(errno));
	free(line);
	return ok;
}
