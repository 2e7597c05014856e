/*
 * metrics.c - serves the counters to Prometheus.
 *
 * One thread, poll(), a handful of clients.  A connection is one request:
 *
 *   READING --head complete, or refused--> WRITING --all sent--> DRAINING
 *      \---- too slow, error, end of stream: closed from any state ----/
 *
 * DRAINING reads what the client still sends after its answer, so that the
 * answer is not lost to a reset.  A request's body is never looked at.
 */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "counters.h"
#include "http1.h"
#include "metrics_text.h"

enum {
	CLIENTS_MAX = 16,
	HEAD_MAX = 4096,
	FIELDS_MAX = 64,
	ANSWER_HEAD_MAX = 512,
	CLIENT_MS = 5000, /* from accept to the end, whatever it does */
	/* How long to leave new clients alone when there are no more fds. */
	NO_FD_MS = 100,
};

enum state { READING, WRITING, DRAINING };

struct client {
	int fd; /* -1: free */
	enum state state;
	nsec_t deadline;
	size_t in_len;
	struct h1_scan scan;
	char *out; /* owned */
	size_t out_len, sent;
	char in[HEAD_MAX];
};

struct server {
	const char *workdir;
	struct counters_map *counters; /* NULL: none yet */
	struct client client[CLIENTS_MAX];
};

static void
close_client(struct client *c)
{
	close(c->fd);
	free(c->out);
	c->out = NULL;
	c->fd = -1;
}

/* ---- the answer ---- */

static void
refresh_counters(struct server *s)
{
	if (s->counters != NULL && counters_is_stale(s->counters))
		counters_close(&s->counters);
	if (s->counters == NULL)
		s->counters = counters_open(s->workdir);
}

/* Room for a head and body_max bytes of body; false: no memory. */
static bool
answer_begin(struct client *c, size_t body_max)
{
	c->out = malloc(ANSWER_HEAD_MAX + body_max);
	c->state = WRITING;
	c->sent = c->out_len = 0;
	return c->out != NULL;
}

/* The body is at out + ANSWER_HEAD_MAX; the head is put before it. */
static void
answer_end(struct client *c, unsigned status, const char *type,
    size_t body_len, bool is_head)
{
	int n = snprintf(c->out, ANSWER_HEAD_MAX,
	    "HTTP/1.1 %u %s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Length: %zu\r\n"
	    "Cache-Control: no-store\r\n"
	    "%s"
	    "Connection: close\r\n\r\n",
	    status, http_reason(status), type, body_len,
	    status == 405 ? "Allow: GET, HEAD\r\n" : "");

	if (is_head)
		body_len = 0;
	memmove(c->out + n, c->out + ANSWER_HEAD_MAX, body_len);
	c->out_len = n + body_len;
}

static bool
answer_error(struct client *c, unsigned status, bool is_head)
{
	const char *reason = http_reason(status);
	size_t len = strlen(reason);

	if (!answer_begin(c, len + 1))
		return false;
	memcpy(c->out + ANSWER_HEAD_MAX, reason, len);
	c->out[ANSWER_HEAD_MAX + len] = '\n';
	answer_end(c, status, "text/plain", len + 1, is_head);
	return true;
}

static bool
answer_metrics(struct server *s, struct client *c, bool is_head)
{
	struct backend_stats backends;
	size_t room, len;
	char *body;

	/* none, if they can't be read */
	if (!backend_stats_read(&backends, s->workdir))
		backends.n = 0;
	room = metrics_text_room(backends.n);
	if (!answer_begin(c, room)) {
		backend_stats_free(&backends);
		return false;
	}
	refresh_counters(s);
	body = c->out + ANSWER_HEAD_MAX;
	len = metrics_text_write(s->counters, body, room);
	if (len < room && s->counters != NULL)
		len += metrics_text_backends(&backends, body + len,
		    room - len);
	backend_stats_free(&backends);
	/* Cut, it would end in half a line. */
	if (len >= room) {
		free(c->out);
		c->out = NULL;
		return answer_error(c, 500, is_head);
	}
	answer_end(c, 200, METRICS_CONTENT_TYPE, len, is_head);
	return true;
}

static struct str
path_of(struct str target)
{
	const char *query =
	    target.len != 0 ? memchr(target.p, '?', target.len) : NULL;

	if (query != NULL)
		target.len = query - target.p;
	return target;
}

static bool
answer_request(struct server *s, struct client *c, const struct http *h)
{
	bool is_head = str_eq(h->method, STR("HEAD"));

	if (!str_eq(path_of(h->target), STR("/metrics")))
		return answer_error(c, 404, is_head);
	if (!is_head && !str_eq(h->method, STR("GET")))
		return answer_error(c, 405, false);
	return answer_metrics(s, c, is_head);
}

/* ---- one client ---- */

/* Looks at what was read; false: close. */
static bool
parse(struct server *s, struct client *c)
{
	static const struct h1_limits limits = {HEAD_MAX, HEAD_MAX};
	static _Alignas(16) char mem[FIELDS_MAX * sizeof(struct field) + 64];
	struct h1_framing framing;
	enum h1_result result;
	struct arena arena;
	struct http h;
	const char *why;
	size_t head_len;
	bool ok = true;

	arena_init(&arena, mem, sizeof mem);
	/* Cannot fail: mem was made for it. */
	if (!http_init(&h, &arena, FIELDS_MAX))
		return false;
	result = h1_parse_request(&h, &framing, c->in, c->in_len, &c->scan,
	    &limits, &head_len, &why);
	if (result == H1_OK)
		ok = answer_request(s, c, &h);
	else if (result != H1_MORE)
		ok = answer_error(c, h1_status(result), false);
	arena_reset(&arena);
	return ok;
}

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Each of these: false: close. */

static bool
do_read(struct server *s, struct client *c)
{
	ssize_t n =
	    recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);

	if (n < 0)
		return would_block();
	if (n == 0)
		return false;
	c->in_len += n;
	return parse(s, c);
}

static bool
do_write(struct client *c)
{
	ssize_t n = send(c->fd, c->out + c->sent, c->out_len - c->sent,
	    MSG_NOSIGNAL);

	if (n < 0)
		return would_block();
	c->sent += n;
	if (c->sent < c->out_len)
		return true;
	c->state = DRAINING;
	return shutdown(c->fd, SHUT_WR) == 0;
}

static bool
do_drain(struct client *c)
{
	ssize_t n = recv(c->fd, c->in, sizeof c->in, 0);

	return n < 0 ? would_block() : n > 0;
}

static bool
step(struct server *s, struct client *c)
{
	switch (c->state) {
	case READING:
		return do_read(s, c);
	case WRITING:
		return do_write(c);
	case DRAINING:
		return do_drain(c);
	}
	return false;
}

/* ---- all of them ---- */

static struct client *
free_client(struct server *s)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (s->client[i].fd < 0)
			return &s->client[i];
	return NULL;
}

static void
accept_one(struct server *s, int listen_fd)
{
	struct client *c = free_client(s);
	int fd;

	if (c == NULL)
		return;
	fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* Out of descriptors: poll() would call us again at once. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			(void)poll(NULL, 0, NO_FD_MS);
		return;
	}
	c->fd = fd;
	c->state = READING;
	c->in_len = 0;
	memset(&c->scan, 0, sizeof c->scan);
	c->deadline = clock_mono() + NSEC_MS(CLIENT_MS);
}

/* Until the next deadline, in ms; -1: there is none. */
static int
poll_time(const struct server *s, nsec_t now)
{
	nsec_t first = NSEC_NEVER;

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (s->client[i].fd >= 0 && s->client[i].deadline < first)
			first = s->client[i].deadline;
	if (first == NSEC_NEVER)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000000) + 1;
}

static int
turn(struct server *s, int listen_fd)
{
	struct pollfd pfd[1 + CLIENTS_MAX];
	nsec_t now;
	int n;

	/* A negative fd is passed over by poll(). */
	pfd[0] = (struct pollfd){
	    .fd = free_client(s) != NULL ? listen_fd : -1,
	    .events = POLLIN,
	};
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		pfd[i + 1] = (struct pollfd){
		    .fd = s->client[i].fd,
		    .events = s->client[i].state == WRITING ? POLLOUT : POLLIN,
		};
	n = poll(pfd, 1 + CLIENTS_MAX, poll_time(s, clock_mono()));
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	now = clock_mono();
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->client[i];

		if (c->fd >= 0 &&
		    ((pfd[i + 1].revents != 0 && !step(s, c)) ||
			now >= c->deadline))
			close_client(c);
	}
	if (pfd[0].revents & POLLIN) {
		accept_one(s, listen_fd);
	} else if (pfd[0].revents != 0) {
		errno = EBADF;
		return -1;
	}
	return 0;
}

int
metrics_main(int listen_fd, const char *workdir)
{
	static struct server s;
	pid_t parent = getppid();
	int flags;

	/* If the manager dies, so do we; even if it did just now. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		return 1;
	s.workdir = workdir;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		s.client[i].fd = -1;
	flags = fcntl(listen_fd, F_GETFL);
	if (flags >= 0)
		flags = fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK);
	while (flags >= 0 && turn(&s, listen_fd) == 0)
		;
	fprintf(stderr, "metrics: %s\n", strerror(errno));
	return 1;
}
