/*
 * cli_answer.c - answers of the administrator's protocol: building them,
 * sending and receiving them.  See cli.h.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "json.h"

void
cli_answer_init(struct cli_answer *a)
{
	*a = (struct cli_answer){.status = CLI_OK};
}

void
cli_answer_free(struct cli_answer *a)
{
	free(a->p);
	*a = (struct cli_answer){.status = a->status};
}

/* Makes room for len bytes and a NUL. */
static bool
reserve(struct cli_answer *a, size_t len)
{
	size_t cap;
	char *p;

	if (a->cap > a->len && a->cap - a->len > len)
		return true;
	if (len >= CLI_ANSWER_MAX - a->len) {
		a->status = CLI_TRUNCATED;
		return false;
	}
	cap = a->len + len + 1 + a->cap / 2 + 128;
	p = realloc(a->p, cap);
	if (p == NULL) {
		a->status = CLI_TRUNCATED;
		return false;
	}
	a->p = p;
	a->cap = cap;
	return true;
}

void
cli_out_str(struct cli_answer *a, struct str s)
{
	if (s.len == 0 || !reserve(a, s.len))
		return;
	memcpy(a->p + a->len, s.p, s.len);
	a->len += s.len;
	a->p[a->len] = '\0';
}

static void
out_va(struct cli_answer *a, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n <= 0 || !reserve(a, (size_t)n))
		return;
	vsnprintf(a->p + a->len, (size_t)n + 1, fmt, ap);
	a->len += (size_t)n;
}

void
cli_out(struct cli_answer *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_va(a, fmt, ap);
	va_end(ap);
}

void
cli_fail(struct cli_answer *a, enum cli_status status, const char *fmt, ...)
{
	va_list ap;

	a->status = status;
	va_start(ap, fmt);
	out_va(a, fmt, ap);
	va_end(ap);
}

void
cli_json_str(struct cli_answer *a, struct str s)
{
	char buf[JSON_CHAR_MAX + 1];

	cli_out_str(a, STR("\""));
	while (s.len > 0)
		cli_out_str(a, json_next(&s, buf));
	cli_out_str(a, STR("\""));
}

void
cli_json_begin(struct cli_answer *a, unsigned n, char *const *word)
{
	cli_out_str(a, STR("[ 2, ["));
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			cli_out_str(a, STR(", "));
		cli_json_str(a, str_from_z(word[i]));
	}
	cli_out(a, "], %.3f", clock_wall());
}

void
cli_json_end(struct cli_answer *a)
{
	cli_out_str(a, STR("\n]\n"));
}

void
cli_head(char out[CLI_HEAD_LEN + 1], unsigned status, size_t len)
{
	char line[64];

	if (status < 100 || status > 999)
		status = CLI_CANT;
	snprintf(line, sizeof(line), "%-3u %-8zu\n", status, len);
	memcpy(out, line, CLI_HEAD_LEN);
	out[CLI_HEAD_LEN] = '\0';
}

/* Milliseconds left until deadline, for poll(). */
static int
left_ms(nsec_t deadline)
{
	nsec_t left;

	if (deadline == NSEC_NEVER)
		return -1;
	left = deadline - clock_mono();
	return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

/* 0 when fd is ready for events, or has failed: the next call will tell. */
static int
await(int fd, short events, nsec_t deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	for (;;) {
		int ms = left_ms(deadline), n = poll(&pfd, 1, ms);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0 && ms == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

static int
send_until(int fd, const char *p, size_t len, nsec_t deadline)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == ENOTSOCK)
			n = write(fd, p, len);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (await(fd, POLLOUT, deadline) < 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static nsec_t
deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? NSEC_NEVER : clock_mono() + NSEC_MS(timeout_ms);
}

int
cli_send(int fd, const void *p, size_t len, int timeout_ms)
{
	return send_until(fd, p, len, deadline_of(timeout_ms));
}

int
cli_send_answer(int fd, const struct cli_answer *a, int timeout_ms)
{
	nsec_t deadline = deadline_of(timeout_ms);
	char head[CLI_HEAD_LEN + 1];

	cli_head(head, a->status, a->len);
	if (send_until(fd, head, CLI_HEAD_LEN, deadline) < 0 ||
	    send_until(fd, a->p, a->len, deadline) < 0)
		return -1;
	return send_until(fd, "\n", 1, deadline);
}

static int
receive_until(int fd, char *p, size_t len, nsec_t deadline)
{
	while (len > 0) {
		ssize_t n;

		if (await(fd, POLLIN, deadline) < 0)
			return -1;
		n = read(fd, p, len);
		if (n == 0) {
			errno = ECONNRESET;
			return -1;
		}
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno != EINTR && errno != EAGAIN &&
			   errno != EWOULDBLOCK) {
			return -1;
		}
	}
	return 0;
}

/* "200 21      \n"; false: it is something else. */
static bool
parse_head(const char head[CLI_HEAD_LEN], unsigned *status, size_t *len)
{
	unsigned i;

	*status = 0;
	*len = 0;
	for (i = 0; i < 3; i++) {
		if (head[i] < '0' || head[i] > '9')
			return false;
		*status = *status * 10 + (unsigned)(head[i] - '0');
	}
	if (head[i++] != ' ')
		return false;
	for (; head[i] >= '0' && head[i] <= '9'; i++)
		*len = *len * 10 + (size_t)(head[i] - '0');
	if (i == 4)
		return false;
	while (head[i] == ' ')
		i++;
	return i == CLI_HEAD_LEN - 1 && head[i] == '\n';
}

int
cli_receive(int fd, struct cli_answer *a, int timeout_ms)
{
	nsec_t deadline = deadline_of(timeout_ms);
	char head[CLI_HEAD_LEN + 1] = "";
	unsigned status;
	size_t len;

	cli_answer_init(a);
	a->status = CLI_COMMS;
	if (receive_until(fd, head, CLI_HEAD_LEN, deadline) < 0)
		return -1;
	if (!parse_head(head, &status, &len)) {
		errno = EPROTO;
		return -1;
	}
	a->p = malloc(len + 1);
	if (a->p == NULL)
		return -1;
	a->cap = len + 1;
	if (receive_until(fd, a->p, len + 1, deadline) < 0) {
		a->p[0] = '\0';
		return -1;
	}
	if (a->p[len] != '\n') {
		a->p[0] = '\0';
		errno = EPROTO;
		return -1;
	}
	a->p[len] = '\0';
	a->len = len;
	a->status = status;
	return 0;
}
