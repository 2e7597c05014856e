/*
 * probe.c - asking an origin now and then whether it is well.
 *
 * Who may touch what: the list of probes, each probe's backends, and warm_n
 * are under probes_lock; the history under the probe's own lock; its timer
 * belongs to its core.  Other threads send the core a mail, and it looks at
 * what is wanted now.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backend_conn.h"
#include "core.h"
#include "probe.h"
#include "probe_history.h"

/* What VCL's declaration leaves out. */
enum {
	DEFAULT_TIMEOUT = 2,   /* seconds */
	DEFAULT_INTERVAL = 5,
	DEFAULT_WINDOW = 8,
	DEFAULT_THRESHOLD = 3,
	DEFAULT_STATUS = 200,
	WINDOW_MAX = 64,       /* bits of a history */
};

struct probe {
	_Atomic unsigned ref;  /* of backends, mails, a running try */
	struct probe *next;
	char *key;             /* the whole definition, as text */
	char *request;
	size_t request_len;
	double timeout, interval;
	unsigned status;
	bool expect_close;

	struct backend *users; /* the newest first */
	unsigned warm_n;
	struct core *core;     /* NULL: there is none, in a test */
	struct timer timer;
	bool trying;
	_Atomic bool tried;    /* once at least */

	pthread_mutex_t lock;
	struct probe_history history;
	_Atomic bool healthy;  /* what it says: for those who take no lock */
	_Atomic double changed;
};

/* Has the core look at what is wanted. */
struct probe_mail {
	struct mail mail;
	struct probe *probe;
};

static struct probe *probes;
static pthread_mutex_t probes_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned next_core; /* probes go round the cores */

static void
probe_unref(struct probe *p)
{
	if (atomic_fetch_sub(&p->ref, 1) != 1)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p->key);
	free(p->request);
	free(p);
}

/* --- a try: on a fiber of its core --------------------------------------- */

struct attempt {
	unsigned events;     /* 1 << PROBE_... */
	double seconds;
	char line[128];      /* of the answer; or what went wrong */
};

static bool
wait_until(struct backend_conn *c, uint8_t want, nsec_t deadline)
{
	c->src.ready &= (uint8_t)~want;
	return source_wait(&c->src, want, "probe", deadline) == FIBER_WOKEN;
}

static bool
send_request(const struct probe *p, struct backend_conn *c, nsec_t deadline,
    struct attempt *a)
{
	size_t at = 0;

	while (at < p->request_len) {
		ssize_t n = send(c->src.fd, p->request + at,
		    p->request_len - at, MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (errno != EAGAIN ||
		    !wait_until(c, SOURCE_WRITE, deadline)) {
			snprintf(a->line, sizeof a->line,
			    "Write error %d (%s)", errno, strerror(errno));
			a->events |= 1u << PROBE_XMIT_ERROR;
			return false;
		}
	}
	a->events |= 1u << PROBE_XMIT;
	return true;
}

/*
 * The beginning of the answer into head; to the end of the connection, or
 * of the head if no end is to be waited for.  false: it did not come.
 */
static bool
read_answer(const struct probe *p, struct backend_conn *c, nsec_t deadline,
    char *head, size_t room, size_t *got, struct attempt *a)
{
	char rest[4096];

	for (;;) {
		bool full = *got == room;
		ssize_t n = full ? recv(c->src.fd, rest, sizeof rest, 0) :
		    recv(c->src.fd, head + *got, room - *got, 0);

		if (n == 0)
			return true;
		if (n > 0 && !full)
			*got += (size_t)n;
		if (n > 0 && !p->expect_close &&
		    (full || memmem(head, *got, "\r\n\r\n", 4) != NULL))
			return true;
		if (n > 0 && clock_mono() < deadline)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN &&
		    wait_until(c, SOURCE_READ, deadline))
			continue;
		if (n < 0 && errno != EAGAIN)
			snprintf(a->line, sizeof a->line,
			    "Read error %d (%s)", errno, strerror(errno));
		else
			snprintf(a->line, sizeof a->line,
			    "Read timeout (%.3fs)", p->timeout);
		a->events |= 1u << PROBE_RECV_ERROR;
		return false;
	}
}

static void
judge_answer(const struct probe *p, const char *head, size_t got,
    struct attempt *a)
{
	const char *end = memchr(head, '\r', got);
	unsigned status;

	if (end == NULL)
		end = memchr(head, '\n', got);
	if (got == 0) {
		snprintf(a->line, sizeof a->line, "Empty response");
		return;
	}
	a->events |= 1u << PROBE_RECV;
	snprintf(a->line, sizeof a->line, "%.*s",
	    (int)(end != NULL ? (size_t)(end - head) : got), head);
	for (char *q = a->line; *q != '\0'; q++)
		if ((unsigned char)*q < ' ' || *q == '"' || *q == 127)
			*q = '?';
	if (sscanf(a->line, "HTTP/%*u.%*u %u", &status) == 1 &&
	    status == p->status)
		a->events |= 1u << PROBE_HAPPY;
}

static void
attempt(const struct probe *p, struct backend *b, struct attempt *a)
{
	nsec_t began = clock_mono(), deadline = began + NSEC_S(p->timeout);
	struct backend_conn *c = NULL;
	char head[1024];
	size_t got = 0;
	int err;

	switch (backend_dial(b, deadline, NULL, NULL, &c, &err)) {
	case BACKEND_OK:
		break;
	case BACKEND_TIMEOUT:
		snprintf(a->line, sizeof a->line, "Open timeout (%.3fs)",
		    p->timeout);
		return;
	case BACKEND_NO_ADDRESS:
		snprintf(a->line, sizeof a->line, "No address");
		return;
	default:
		snprintf(a->line, sizeof a->line, "Open error %d (%s)", err,
		    strerror(err));
		return;
	}
	a->events |= 1u << (c->addr.sa.sa_family == AF_INET ? PROBE_IPV4 :
	    c->addr.sa.sa_family == AF_INET6 ? PROBE_IPV6 : PROBE_UNIX);
	if (send_request(p, c, deadline, a) &&
	    read_answer(p, c, deadline, head, sizeof head, &got, a)) {
		a->seconds = (double)(clock_mono() - began) / 1e9;
		judge_answer(p, head, got, a);
	}
	backend_hang_up(&c);
}

static void
note(struct probe *p, const struct backend *b, const struct attempt *a)
{
	char letters[PROBE_EVENT_MAX + 1];
	struct probe_history h;
	bool changed;

	pthread_mutex_lock(&p->lock);
	changed = probe_history_add(&p->history, a->events, a->seconds);
	if (changed)
		p->changed = clock_wall();
	h = p->history;
	p->healthy = h.healthy;
	p->tried = true;
	pthread_mutex_unlock(&p->lock);
	probe_history_letters(&h, letters);
	log_raw(core_self()->ring, LOG_BACKEND_HEALTH,
	    "%s %s %s %s %u %u %u %.6f %.6f \"%s\"", b->name,
	    changed ? "Went" : "Still", h.healthy ? "healthy" : "sick",
	    letters, h.good, h.threshold, h.window, h.last, h.average,
	    a->line);
	if (changed && !h.healthy)
		backends_release_waiting();
}

/* The backend to try, counted; NULL: nobody wants to know. */
static struct backend *
subject(struct probe *p)
{
	struct backend *b = NULL;

	pthread_mutex_lock(&probes_lock);
	if (p->warm_n > 0)
		for (b = p->users; !b->warm; b = b->next_of_probe)
			continue;
	if (b != NULL)
		backend_ref(b);
	pthread_mutex_unlock(&probes_lock);
	return b;
}

static bool
is_wanted(struct probe *p)
{
	bool wanted;

	pthread_mutex_lock(&probes_lock);
	wanted = p->warm_n > 0;
	pthread_mutex_unlock(&probes_lock);
	return wanted;
}

static void
try(void *arg)
{
	struct probe *p = arg;
	struct core *core = core_self();
	nsec_t began = loop_now(core->loop), next;
	struct backend *b = subject(p);
	struct attempt a = {0};

	if (b != NULL) {
		attempt(p, b, &a);
		/* a worker that stops learns nothing about its backends */
		if (!core->draining)
			note(p, b, &a);
		backend_unref(&b);
		next = began + NSEC_S(p->interval);
		if (next < loop_now(core->loop))
			next = loop_now(core->loop);
		/*
		 * The mail that says otherwise may have come during the try:
		 * no other does, and the timer holds no reference.
		 */
		if (!core->draining && is_wanted(p))
			timer_set(core->loop, &p->timer, next);
	}
	p->trying = false;
	probe_unref(p);
}

static void
timer_fired(struct timer *t)
{
	struct probe *p = (struct probe *)((char *)t -
	    offsetof(struct probe, timer));
	struct core *core = core_self();

	if (p->trying || core->draining)
		return;
	p->trying = true;
	atomic_fetch_add(&p->ref, 1);
	if (fiber_start(try, p, "probe") == 0)
		return;
	/* too many fibers: a busy core, not a sick backend */
	p->trying = false;
	timer_set(core->loop, t, loop_now(core->loop) + NSEC_S(p->interval));
	probe_unref(p);
}

/* --- beginning and end --------------------------------------------------- */

/* On the core: wanted, or not any more? */
static void
settle(struct mail *m)
{
	struct probe *p = ((struct probe_mail *)m)->probe;
	struct backend *b = subject(p);

	if (b == NULL)
		timer_cancel(core_self()->loop, &p->timer);
	else if (!p->trying && p->timer.heap_at == 0)
		timer_fired(&p->timer);
	if (b != NULL)
		backend_unref(&b);
	probe_unref(p);
	free(m);
}

/* m: malloc'ed; NULL: there was no memory, and the next try finds out */
static void
ask_core(struct probe *p, struct probe_mail *m)
{
	if (m == NULL || p->core == NULL || p->core->loop == NULL) {
		free(m);
		return;
	}
	*m = (struct probe_mail){.mail.fn = settle, .probe = p};
	atomic_fetch_add(&p->ref, 1);
	loop_post(p->core->loop, &m->mail);
}

/* All that makes two probes the same, as text. */
static char *
make_key(const struct backend *b, const struct vcl_probe_def *d)
{
	const struct backend_pool_key *k = &b->pool->key;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	fprintf(f, "%s %u %.*s", b->name, b->proxy_header,
	    STR_ARG(k->where));
	if (b->via != NULL)
		fprintf(f, " via %.*s %.*s", STR_ARG(k->via->key.where),
		    STR_ARG(k->authority));
	fprintf(f, " %zu:", k->preamble.len);
	for (size_t i = 0; i < k->preamble.len; i++)
		fprintf(f, "%02x", (unsigned char)k->preamble.p[i]);
	fprintf(f, " %s %.3f %.3f %d %d %d %d %d %.*s %.*s",
	    b->host_header != NULL ? b->host_header : "", d->timeout,
	    d->interval, d->expected_response, d->window, d->threshold,
	    d->initial, d->expect_close, STR_ARG(d->url),
	    STR_ARG(d->request));
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int
make_request(struct probe *p, const struct backend *b,
    const struct vcl_probe_def *d)
{
	int n;

	if (d->request.p != NULL)
		n = asprintf(&p->request, "%.*s", STR_ARG(d->request));
	else
		n = asprintf(&p->request, "GET %.*s HTTP/1.1\r\n"
		    "Host: %s\r\nConnection: close\r\n\r\n",
		    STR_ARG(d->url.p != NULL ? d->url : STR("/")),
		    b->host_header);
	if (n < 0)
		p->request = NULL;
	else
		p->request_len = (size_t)n;
	return n;
}

/* Who gives a threshold alone lets one probe fail, as in Varnish. */
static unsigned
window_of(const struct vcl_probe_def *d)
{
	if (d->window > 0)
		return (unsigned)d->window;
	if (d->window == 0 || d->threshold < 0)
		return DEFAULT_WINDOW;
	return (unsigned)(d->threshold < WINDOW_MAX ? d->threshold + 1 :
	    WINDOW_MAX);
}

/* key becomes the probe's, or is freed; what is 0 is as if not given */
static struct probe *
probe_new(const struct backend *b, const struct vcl_probe_def *d, char *key)
{
	unsigned window = window_of(d);
	unsigned threshold = d->threshold > 0 ? (unsigned)d->threshold :
	    window < DEFAULT_THRESHOLD ? window : DEFAULT_THRESHOLD;
	unsigned initial = d->initial >= 0 ? (unsigned)d->initial :
	    threshold - 1;
	struct probe *p = calloc(1, sizeof *p);

	if (p == NULL || make_request(p, b, d) < 0) {
		free(p);
		free(key);
		return NULL;
	}
	p->key = key;
	p->timeout = d->timeout > 0 ? d->timeout : DEFAULT_TIMEOUT;
	p->interval = d->interval > 0 ? d->interval : DEFAULT_INTERVAL;
	p->status = d->expected_response >= 0 ?
	    (unsigned)d->expected_response : DEFAULT_STATUS;
	p->expect_close = d->expect_close;
	p->timer.fn = timer_fired;
	if (core_count() > 0)
		p->core = core_at(next_core++ % core_count());
	pthread_mutex_init(&p->lock, NULL);
	/* it is nearly well at first: one good try decides */
	probe_history_init(&p->history, window, threshold,
	    initial < threshold ? initial : threshold);
	p->healthy = p->history.healthy;
	p->changed = clock_wall();
	p->next = probes;
	probes = p;
	return p;
}

static struct probe *
find_or_make(const struct backend *b, const struct vcl_probe_def *d)
{
	char *key = make_key(b, d);

	for (struct probe *p = probes; p != NULL && key != NULL; p = p->next)
		if (!strcmp(p->key, key)) {
			free(key);
			return p;
		}
	return key != NULL ? probe_new(b, d, key) : NULL;
}

bool
probe_join(struct backend *b, const struct vcl_probe_def *d)
{
	struct probe *p;

	/* kept for the end, which must not fail */
	b->probe_stop = malloc(sizeof *b->probe_stop);
	if (b->probe_stop == NULL)
		return false;
	pthread_mutex_lock(&probes_lock);
	p = find_or_make(b, d);
	if (p != NULL) {
		p->ref++;
		b->probe = p;
		b->next_of_probe = p->users;
		p->users = b;
	}
	pthread_mutex_unlock(&probes_lock);
	return p != NULL;
}

void
probe_set_warm(struct backend *b, bool warm)
{
	struct probe *p = b->probe;
	bool matters = false;

	if (p == NULL)
		return;
	pthread_mutex_lock(&probes_lock);
	if (b->probe_stop != NULL && b->warm != warm) {
		b->warm = warm;
		p->warm_n += warm ? 1 : -1u;
		matters = p->warm_n == (warm ? 1 : 0);
	}
	pthread_mutex_unlock(&probes_lock);
	if (matters)
		ask_core(p, malloc(sizeof(struct probe_mail)));
}

/* Takes b out of its probe's backends, and the probe from the list. */
static void
unlink_backend(struct probe *p, struct backend *b)
{
	struct backend **user = &p->users;
	struct probe **at = &probes;

	while (*user != b)
		user = &(*user)->next_of_probe;
	*user = b->next_of_probe;
	p->warm_n -= b->warm;
	b->warm = false;
	if (p->users != NULL)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
}

void
probe_leave(struct backend *b)
{
	struct probe_mail *stop;

	if (b->probe == NULL)
		return;
	pthread_mutex_lock(&probes_lock);
	stop = b->probe_stop;
	b->probe_stop = NULL;
	if (stop != NULL)
		unlink_backend(b->probe, b);
	pthread_mutex_unlock(&probes_lock);
	if (stop != NULL)
		ask_core(b->probe, stop);
}

void
probe_forget(struct backend *b)
{
	probe_leave(b);
	free(b->probe_stop); /* it could not join */
	if (b->probe != NULL)
		probe_unref(b->probe);
}

/* --- what is known ------------------------------------------------------- */

static struct probe_history
snapshot(struct probe *p)
{
	struct probe_history h;

	pthread_mutex_lock(&p->lock);
	h = p->history;
	pthread_mutex_unlock(&p->lock);
	return h;
}

bool
probes_have_answers(void)
{
	const struct probe *p;

	pthread_mutex_lock(&probes_lock);
	for (p = probes; p != NULL; p = p->next)
		if (p->warm_n > 0 && !p->tried)
			break;
	pthread_mutex_unlock(&probes_lock);
	return p == NULL;
}

bool
probe_is_healthy(struct probe *p, double *changed)
{
	*changed = p->changed;
	return p->healthy;
}

struct probe_summary
probe_summary(struct probe *p)
{
	struct probe_history h = snapshot(p);

	return (struct probe_summary){h.good, h.window};
}

void
probe_print(struct probe *p, FILE *out)
{
	struct probe_history h = snapshot(p);

	probe_history_print(&h, out);
}

void
probe_print_json(struct probe *p, FILE *out, const char *indent)
{
	struct probe_history h = snapshot(p);

	probe_history_print_json(&h, out, indent);
}
