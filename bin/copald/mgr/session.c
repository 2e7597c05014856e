/*
 * session.c - connections of the CLI: see session.h.
 *
 * A session reads commands or writes answers, never both: the next command is
 * taken when the answer before it has left, so one client has one command in
 * memory and one answer.  While a command lasts (vcl.load) its session is
 * paused and the others go on.
 */
#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cli_auth.h"
#include "command.h"
#include "mgr.h"
#include "params.h"
#include "session.h"
#include "sock.h"

enum { SESSION_MAX = 64, ENDPOINT_MAX = 32, READ_MAX = 16 << 10 };
/* A client that has not shown that it knows the secret must go by then. */
#define AUTH_FOR   NSEC_S(60)
#define CALL_AGAIN NSEC_S(1)

struct endpoint {           /* a listening socket or a master */
	struct watch watch; /* first: found from it */
	bool needs_secret;
	struct addr master;      /* len 0: it listens */
	struct session *session; /* with the master */
	nsec_t call_at;
};

struct session {
	struct watch watch; /* first: found from it */
	LIST_ENTRY(session) list;
	int out_fd;
	struct cli_input in;
	struct cli_answer out; /* bytes to send; its status is of no use */
	size_t sent;
	struct command_client client;
	struct cli_words asked; /* the command that lasts */
	char challenge[CLI_CHALLENGE_LEN + 1];
	char peer[ADDR_TEXT_MAX];
	nsec_t leave_at;
	struct endpoint *master;
	bool connecting, eof, console;
};

static LIST_HEAD(, session) sessions = LIST_HEAD_INITIALIZER(sessions);
static unsigned session_n;
static struct endpoint endpoint[ENDPOINT_MAX];
static unsigned endpoint_n;
static const char *secret_path;

static void on_session(struct watch *, short);

void
session_init(const char *path)
{
	secret_path = path;
}

static void
close_session(struct session *s)
{
	mgr_unwatch(&s->watch);
	if (s->watch.paused) {
		vclload_forget(s);
		cli_words_free(&s->asked);
	}
	if (s->master != NULL) {
		s->master->session = NULL;
		s->master->call_at = clock_mono() + CALL_AGAIN;
	}
	if (s->console) {
		mgr_stop(0);
	} else {
		close(s->watch.fd);
	}
	LIST_REMOVE(s, list);
	session_n--;
	cli_input_free(&s->in);
	cli_answer_free(&s->out);
	free(s);
}

static void
log_traffic(const struct session *s, const struct cli_words *w,
    const struct cli_answer *a)
{
	char *line;

	if (!params->syslog_cli_traffic)
		return;
	/* the answer to a challenge is nobody's business */
	if (w->n > 0 && !strcmp(w->word[0], "auth")) {
		syslog(LOG_INFO, "CLI %s Rd auth", s->peer);
	} else if ((line = cli_words_join(w->n, w->word)) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		syslog(LOG_INFO, "CLI %s Rd %.1000s", s->peer, line);
		free(line);
	}
	syslog(LOG_INFO, "CLI %s Wr %03u %.1000s", s->peer, a->status,
	    a->p ? a->p : "");
}

static void
put_answer(struct session *s, const struct cli_answer *a)
{
	char head[CLI_HEAD_LEN + 1];

	cli_head(head, a->status, a->len);
	cli_out_str(&s->out, str_of(head, CLI_HEAD_LEN));
	cli_out_str(&s->out, str_of(a->p, a->len));
	cli_out_str(&s->out, STR("\n"));
}

/* Sends what there is to send; false: the session is over. */
static bool
flush_session(struct session *s)
{
	size_t left = s->out.len - s->sent;
	ssize_t n;

	while (left > 0) {
		if (s->console)
			n = write(s->out_fd, s->out.p + s->sent, left);
		else
			n = send(s->out_fd, s->out.p + s->sent, left,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		s->sent += (size_t)n;
		left -= (size_t)n;
	}
	s->out.len = s->sent = 0;
	if (s->out.cap > READ_MAX)
		cli_answer_free(&s->out);
	return true;
}

/* false: its answer comes later, and w is the session's */
static bool
run_one(struct session *s, const struct cli_words *w)
{
	bool was_in = s->client.authenticated, answered;
	struct cli_answer a;

	cli_answer_init(&a);
	answered = command_run(&s->client, w, &a);
	if (answered) {
		log_traffic(s, w, &a);
		put_answer(s, &a);
	} else {
		s->asked = *w;
		s->watch.paused = true;
	}
	cli_answer_free(&a);
	if (!was_in && s->client.authenticated) {
		s->in.max = CLI_COMMAND_MAX;
		s->leave_at = NSEC_NEVER;
	}
	return answered;
}

static void run_session(struct session *);

static void
on_answered(void *priv, const struct cli_answer *a)
{
	struct session *s = priv;

	log_traffic(s, &s->asked, a);
	put_answer(s, a);
	cli_words_free(&s->asked);
	s->watch.paused = false;
	run_session(s);
}

/* Commands that have come, as long as their answers leave. */
static void
run_session(struct session *s)
{
	struct cli_words w;

	for (;;) {
		if (!flush_session(s))
			goto over;
		if (s->out.len > 0)
			break;
		if (s->client.quit)
			goto over;
		if (!cli_input_next(&s->in, &w)) {
			if (s->eof)
				goto over;
			break;
		}
		/* an empty line gets no answer: some clients send too many */
		if ((w.n > 0 || w.error != NULL) && !run_one(s, &w))
			return;
		cli_words_free(&w);
	}
	if (s->out.len > 0 && s->sent < s->out.len && !s->console) {
		s->watch.events = POLLOUT;
		return;
	}
	s->watch.events = POLLIN;
	return;
over:
	close_session(s);
}

static void
read_session(struct session *s)
{
	char buf[READ_MAX];
	struct cli_answer a;
	ssize_t n = read(s->watch.fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->eof = true;
	} else if (!cli_input_add(&s->in, buf, (size_t)n)) {
		cli_answer_init(&a);
		cli_fail(
		    &a, CLI_SYNTAX, "Syntax Error: the command is too long\n");
		put_answer(s, &a);
		cli_answer_free(&a);
		cli_input_free(&s->in);
		s->client.quit = true;
	}
	run_session(s);
}

static struct session *
new_session(int fd, const char *peer, bool needs_secret)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL || (needs_secret && !cli_auth_challenge(s->challenge))) {
		free(s);
		return NULL;
	}
	s->watch = (struct watch){fd, POLLIN, on_session, false};
	s->out_fd = fd;
	if (!mgr_watch(&s->watch)) {
		free(s);
		return NULL;
	}
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	s->client.who = s->peer;
	s->client.authenticated = !needs_secret;
	s->client.challenge = s->challenge;
	s->client.secret_path = secret_path;
	s->client.answered = on_answered;
	s->client.priv = s;
	s->leave_at = needs_secret ? clock_mono() + AUTH_FOR : NSEC_NEVER;
	cli_input_init(
	    &s->in, needs_secret ? CLI_COMMAND_MAX_UNAUTH : CLI_COMMAND_MAX);
	cli_answer_init(&s->out);
	LIST_INSERT_HEAD(&sessions, s, list);
	session_n++;
	return s;
}

/* The banner, or the challenge. */
static void
greet(struct session *s)
{
	struct cli_answer a;

	cli_answer_init(&a);
	if (s->client.authenticated)
		command_banner(&a);
	else
		command_challenge(&s->client, &a);
	put_answer(s, &a);
	cli_answer_free(&a);
	run_session(s);
}

static void
on_session(struct watch *w, short revents)
{
	struct session *s = (struct session *)w;
	int error;

	if (s->connecting) {
		error = sock_connect_result(w->fd);
		if (error != 0) {
			close_session(s);
			return;
		}
		s->connecting = false;
		greet(s);
	} else if (w->events & POLLOUT) {
		run_session(s);
	} else if (revents != 0) {
		read_session(s);
	}
}

/* Who may connect to the socket in the state folder need not be root. */
static void
local_text(int fd, char peer[ADDR_TEXT_MAX])
{
	struct ucred from;
	socklen_t len = sizeof(from);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &from, &len) == 0)
		snprintf(peer, ADDR_TEXT_MAX, "uid=%u", (unsigned)from.uid);
	else
		snprintf(peer, ADDR_TEXT_MAX, "cli.sock");
}

static void
on_listen(struct watch *w, short revents)
{
	struct endpoint *e = (struct endpoint *)w;
	char peer[ADDR_TEXT_MAX];
	struct session *s;
	struct addr from;
	int fd = sock_accept(w->fd, &from);

	(void)revents;
	if (fd < 0)
		return;
	if (e->needs_secret)
		addr_text(&from, peer);
	else
		local_text(fd, peer);
	s = session_n < SESSION_MAX ? new_session(fd, peer, e->needs_secret)
				    : NULL;
	if (s == NULL) {
		mgr_say(
		    LOG_WARNING, "CLI: %s refused: too many connections", peer);
		close(fd);
		return;
	}
	greet(s);
}

static struct endpoint *
new_endpoint(char err[SESSION_ERR_MAX])
{
	if (endpoint_n == ENDPOINT_MAX) {
		snprintf(err, SESSION_ERR_MAX, "too many addresses of the CLI");
		return NULL;
	}
	endpoint[endpoint_n] = (struct endpoint){.call_at = NSEC_NEVER};
	return &endpoint[endpoint_n++];
}

static bool
listen_at(const struct addr *a, bool needs_secret, char err[SESSION_ERR_MAX])
{
	struct endpoint *e = new_endpoint(err);
	int fd;

	if (e == NULL)
		return false;
	fd = sock_listen(a, false, SESSION_MAX, err, SESSION_ERR_MAX);
	if (fd < 0) {
		endpoint_n--;
		return false;
	}
	e->watch = (struct watch){fd, POLLIN, on_listen, false};
	e->needs_secret = needs_secret;
	return mgr_watch(&e->watch);
}

bool
session_listen_unix(char err[SESSION_ERR_MAX])
{
	/*
	 * Relative to the state folder, whose name may be longer than the
	 * address of a socket.
	 */
	struct addr a = {.un = {.sun_family = AF_UNIX, .sun_path = "cli.sock"}};
	mode_t mask = umask(0177);
	bool ok;

	a.len = sizeof(a.un);
	ok = listen_at(&a, false, err);
	umask(mask);
	return ok;
}

/* varnishd takes "address port", too. */
static int
parse(const char *arg, bool listening, struct addr *out, int max,
    char err[SESSION_ERR_MAX])
{
	char text[256];
	const char *space = strchr(arg, ' ');

	if (space != NULL && strlen(arg) < sizeof(text) - 4) {
		bool v6 = memchr(arg, ':', (size_t)(space - arg)) != NULL;

		snprintf(text, sizeof(text), v6 ? "[%.*s]:%s" : "%.*s:%s",
		    (int)(space - arg), arg, space + 1);
		arg = text;
	}
	return addr_parse(arg, listening ? "0" : "6082", listening, out, max,
	    err, SESSION_ERR_MAX);
}

bool
session_listen(const char *arg, char err[SESSION_ERR_MAX])
{
	struct addr at[8];
	int n = parse(arg, true, at, 8, err);

	for (int i = 0; i < n; i++) {
		if (!listen_at(&at[i], true, err))
			return false;
	}
	return n > 0;
}

bool
session_call(const char *arg, char err[SESSION_ERR_MAX])
{
	struct addr at;
	struct endpoint *e;

	if (parse(arg, false, &at, 1, err) < 1)
		return false;
	e = new_endpoint(err);
	if (e == NULL)
		return false;
	e->master = at;
	e->call_at = 0;
	return true;
}

void
session_console(void)
{
	struct session *s = new_session(0, "console", false);

	if (s == NULL)
		mgr_die("the console: out of memory");
	s->out_fd = 1;
	s->console = true;
	greet(s);
}

static void
call_master(struct endpoint *e, nsec_t now)
{
	char peer[ADDR_TEXT_MAX];
	int fd;

	e->call_at = now + CALL_AGAIN;
	if (session_n >= SESSION_MAX)
		return;
	fd = sock_connect_start(&e->master);
	if (fd < 0)
		return;
	addr_text(&e->master, peer);
	e->session = new_session(fd, peer, true);
	if (e->session == NULL) {
		close(fd);
		return;
	}
	e->session->master = e;
	e->session->connecting = true;
	e->session->watch.events = POLLOUT;
	e->call_at = NSEC_NEVER;
}

nsec_t
session_tick(nsec_t now)
{
	nsec_t next = NSEC_NEVER;
	struct session *s, *after;

	for (s = LIST_FIRST(&sessions); s != NULL; s = after) {
		after = LIST_NEXT(s, list);
		/* a master may take its time: we called it */
		if (s->leave_at <= now && s->master == NULL)
			close_session(s);
		else if (s->master == NULL && s->leave_at < next)
			next = s->leave_at;
	}
	for (unsigned i = 0; i < endpoint_n; i++) {
		struct endpoint *e = &endpoint[i];

		if (e->master.len > 0 && e->session == NULL &&
		    e->call_at <= now)
			call_master(e, now);
		if (e->call_at < next)
			next = e->call_at;
	}
	return next;
}
