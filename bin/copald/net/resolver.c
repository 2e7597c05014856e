/*
 * resolver.c - names of origins: resolved, and again when their time is up.
 *
 * Who may touch what: all of a name is under names_lock, but for what never
 * changes and what is atomic.  The channel belongs to the thread.  Fibers that
 * wait are on the name's list, and woken under the lock.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"
#include "counters.h"
#include "dns_query.h"
#include "params.h"
#include "resolver.h"

struct waiter { /* on its fiber's stack */
	struct waiter *next;
	struct fiber *fiber;
};

struct dns_name {
	_Atomic unsigned ref;  /* of backends, a question under way */
	struct dns_name *next;
	char *host;
	unsigned port;
	_Atomic int state;     /* enum dns_state */
	_Atomic unsigned generation;
	struct addr_set *set;  /* NULL: none yet */
	nsec_t due, asked;     /* when next, when last */
	unsigned answers;      /* or failures: each is counted */
	bool busy;             /* a question is under way */
	double ttl;            /* as it is kept */
	char why[80];          /* of the last failure; "": it worked */
	struct waiter *waiting;
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct dns_name *names;
static pthread_t thread;
static bool runs;              /* under names_lock, as is stopping */
static bool stopping;
static int wake_fd = -1;

/* Both c-ares and its callers have their own idea of never: a day. */
enum { LONGEST_MS = 86400000 };

static void
wake_thread(void)
{
	uint64_t one = 1;

	if (write(wake_fd, &one, sizeof one) < 0)
		return; /* it is full: awake */
}

/* --- an answer: on the thread -------------------------------------------- */

static void
log_answer(const struct dns_name *n, bool changed)
{
	char text[1024], addr[ADDR_TEXT_MAX];
	size_t len = 0;
	unsigned shown = n->set != NULL ? n->set->n : 0;

	text[0] = '\0';
	for (unsigned i = 0; i < shown && len < sizeof text; i++) {
		int k;

		addr_text(&n->set->at[i].addr, addr);
		k = snprintf(text + len, sizeof text - len, " %s", addr);
		len += k > 0 ? (size_t)k : 0;
	}
	log_raw(core_count() > 0 ? core_at(0)->ring : NULL, LOG_DNS,
	    "%s %s %.3f%s \"%s\"", n->host, n->why[0] != '\0' ?
	    shown > 0 ? "keeps" : "unresolved" : changed ? "changed" :
	    "same", n->ttl, text, n->why);
}

static double
between(double x, double min, double max)
{
	return x > max ? max : x < min ? min : x;
}

static bool
take_set(struct dns_name *n, struct dns_found *found)
{
	if (n->set != NULL && addr_set_eq(n->set, found->set))
		return false;
	if (n->set != NULL) {
		addr_set_inherit(found->set, n->set);
		addr_set_unref(&n->set);
	}
	n->set = found->set;
	found->set = NULL;
	atomic_fetch_add(&n->generation, 1);
	return true;
}

static void
wake_waiters(struct dns_name *n)
{
	/* each takes itself off: its stack may be gone when the lock is */
	for (struct waiter *w = n->waiting; w != NULL; w = w->next)
		fiber_wake(w->fiber);
}

static void
answered(void *priv, struct dns_found *found)
{
	struct dns_name *n = priv;
	bool changed = false;

	pthread_mutex_lock(&names_lock);
	n->busy = false;
	if (found->canceled) {
		n->due = clock_mono(); /* by another channel */
	} else if (found->set != NULL) {
		n->why[0] = '\0';
		n->ttl = between(found->ttl, params->dns_ttl_min,
		    params->dns_ttl_max);
		if (found->partial && params->dns_retry < n->ttl)
			n->ttl = params->dns_retry;
		changed = take_set(n, found);
		n->state = DNS_RESOLVED;
		COUNT_ADD_SHARED(dns_answers, 1);
	} else {
		snprintf(n->why, sizeof n->why, "%s", found->why);
		n->ttl = params->dns_retry;
		if (n->set == NULL)
			n->state = DNS_UNRESOLVED;
		COUNT_ADD_SHARED(dns_failed, 1);
	}
	if (!found->canceled) {
		n->due = clock_mono() + NSEC_S(n->ttl);
		n->answers++;
		wake_waiters(n);
		log_answer(n, changed);
	}
	pthread_mutex_unlock(&names_lock);
	dns_name_unref(&n);
}

/* --- the thread ---------------------------------------------------------- */

/* What a channel was made of: it is made again when that changes. */
struct setting {
	char servers[PARAM_STRING_MAX];
	double timeout;
	struct timespec resolv_conf;
};

static void
read_setting(struct setting *s)
{
	struct stat st;

	memset(s, 0, sizeof *s);
	/* may be half written: it is compared again at the next turn */
	memcpy(s->servers, params->dns_servers, sizeof s->servers - 1);
	s->timeout = params->dns_timeout;
	if (stat("/etc/resolv.conf", &st) == 0)
		s->resolv_conf = st.st_mtim;
}

static bool
make_channel(ares_channel *channel, const struct setting *s)
{
	/* RES_OPTIONS and a channel's defaults are for programs that wait */
	struct ares_options o = {.timeout = (int)(s->timeout * 1000),
	    .tries = 2};
	int r = ares_init_options(channel, &o,
	    ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);

	if (r == ARES_SUCCESS && s->servers[0] != '\0' &&
	    ares_set_servers_ports_csv(*channel, s->servers) != ARES_SUCCESS)
		log_raw(core_count() > 0 ? core_at(0)->ring : NULL, LOG_ERROR,
		    "dns_servers: \"%s\" is no list of addresses", s->servers);
	if (r != ARES_SUCCESS)
		*channel = NULL;
	return r == ARES_SUCCESS;
}

/* A channel for what is set now; questions to an old one are put again. */
static void
renew_channel(ares_channel *channel, struct setting *made_of)
{
	struct setting now;

	read_setting(&now);
	if (*channel != NULL && !memcmp(&now, made_of, sizeof now))
		return;
	if (*channel != NULL)
		ares_destroy(*channel);
	*channel = NULL;
	if (make_channel(channel, &now))
		*made_of = now;
}

/* The next name that is due, counted; NULL: none, *next: when one will be. */
static struct dns_name *
take_due(nsec_t *next)
{
	nsec_t now = clock_mono();
	struct dns_name *n;

	*next = NSEC_NEVER;
	pthread_mutex_lock(&names_lock);
	for (n = names; n != NULL; n = n->next) {
		if (n->busy)
			continue;
		if (n->due <= now)
			break;
		if (n->due < *next)
			*next = n->due;
	}
	if (n != NULL) {
		n->busy = true;
		n->asked = now;
		dns_name_ref(n);
	}
	pthread_mutex_unlock(&names_lock);
	return n;
}

static void
ask_due(ares_channel channel, nsec_t *next)
{
	struct dns_name *n;
	struct dns_found none = {.why = "no memory for c-ares"};

	while ((n = take_due(next)) != NULL) {
		COUNT_ADD_SHARED(dns_queries, 1);
		if (channel == NULL)
			answered(n, &none);
		else
			dns_query_start(channel, n->host, n->port, answered,
			    n);
	}
}

static int
wait_ms(ares_channel channel, nsec_t next)
{
	struct timeval longest = {LONGEST_MS / 1000, 0}, tv;
	struct timeval *t = channel != NULL ?
	    ares_timeout(channel, &longest, &tv) : &longest;
	int ms = (int)(t->tv_sec * 1000 + (t->tv_usec + 999) / 1000);
	nsec_t left = next - clock_mono();

	if (next != NSEC_NEVER && left < NSEC_MS(ms))
		ms = left > 0 ? (int)(left / 1000000) + 1 : 0;
	return ms;
}

/* Waits for answers, timeouts and new names. */
static void
turn(ares_channel channel, nsec_t next)
{
	ares_socket_t fd[ARES_GETSOCK_MAXNUM];
	struct pollfd p[1 + ARES_GETSOCK_MAXNUM] = {
	    {.fd = wake_fd, .events = POLLIN}};
	/* c-ares' own macros shift a signed 1 by 31 */
	unsigned mask = channel != NULL ? (unsigned)ares_getsock(channel, fd,
	    ARES_GETSOCK_MAXNUM) : 0;
	nfds_t n = 1;
	uint64_t count;

	for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short want = (short)((mask >> i & 1 ? POLLIN : 0) |
		    (mask >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));

		if (want != 0)
			p[n++] = (struct pollfd){.fd = fd[i], .events = want};
	}
	if (poll(p, n, wait_ms(channel, next)) < 0)
		return;
	if (p[0].revents != 0 && read(wake_fd, &count, sizeof count) < 0)
		return;
	if (channel == NULL)
		return;
	for (nfds_t i = 1; i < n; i++)
		ares_process_fd(channel,
		    p[i].revents & (POLLIN | POLLERR | POLLHUP) ? p[i].fd :
		    ARES_SOCKET_BAD,
		    p[i].revents & POLLOUT ? p[i].fd : ARES_SOCKET_BAD);
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static bool
is_stopping(void)
{
	bool yes;

	pthread_mutex_lock(&names_lock);
	yes = stopping;
	pthread_mutex_unlock(&names_lock);
	return yes;
}

static void *
resolve(void *arg)
{
	ares_channel channel = NULL;
	struct setting made_of;
	nsec_t next;

	(void)arg;
	pthread_setname_np(pthread_self(), "resolver");
	while (!is_stopping()) {
		renew_channel(&channel, &made_of);
		ask_due(channel, &next);
		turn(channel, next);
	}
	if (channel != NULL)
		ares_destroy(channel);
	return NULL;
}

/* Under names_lock. */
static bool
start_thread(void)
{
	if (runs)
		return true;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return false;
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	runs = wake_fd >= 0 &&
	    pthread_create(&thread, NULL, resolve, NULL) == 0;
	return runs;
}

void
resolver_stop(void)
{
	bool did_run;

	pthread_mutex_lock(&names_lock);
	did_run = runs;
	stopping = true;
	pthread_mutex_unlock(&names_lock);
	if (!did_run)
		return;
	wake_thread();
	pthread_join(thread, NULL);
}

/* --- names --------------------------------------------------------------- */

static struct dns_name *
name_new(const char *host, unsigned port)
{
	struct dns_name *n = calloc(1, sizeof *n);

	if (n == NULL || (n->host = strdup(host)) == NULL) {
		free(n);
		return NULL;
	}
	n->ref = 1;
	n->port = port;
	n->state = DNS_PENDING;
	n->next = names;
	names = n;
	return n;
}

struct dns_name *
dns_name_get(const char *host, unsigned port)
{
	struct dns_name *n = NULL;

	pthread_mutex_lock(&names_lock);
	if (start_thread()) {
		for (n = names; n != NULL; n = n->next)
			if (n->port == port && !strcasecmp(n->host, host))
				break;
		if (n != NULL)
			dns_name_ref(n);
		else
			n = name_new(host, port);
	}
	pthread_mutex_unlock(&names_lock);
	if (n != NULL)
		wake_thread();
	return n;
}

struct dns_name *
dns_name_ref(struct dns_name *n)
{
	atomic_fetch_add(&n->ref, 1);
	return n;
}

void
dns_name_unref(struct dns_name **pp)
{
	struct dns_name *n = *pp, **at = &names;

	*pp = NULL;
	if (n == NULL)
		return;
	/* under the lock: dns_name_get() must not find what is being freed */
	pthread_mutex_lock(&names_lock);
	if (atomic_fetch_sub(&n->ref, 1) != 1) {
		pthread_mutex_unlock(&names_lock);
		return;
	}
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	pthread_mutex_unlock(&names_lock);
	addr_set_unref(&n->set);
	free(n->host);
	free(n);
}

enum dns_state
dns_name_state(const struct dns_name *n)
{
	return (enum dns_state)atomic_load(&n->state);
}

unsigned
dns_name_generation(const struct dns_name *n)
{
	return atomic_load(&n->generation);
}

struct addr_set *
dns_name_addrs(struct dns_name *n)
{
	struct addr_set *s;

	pthread_mutex_lock(&names_lock);
	s = n->set != NULL ? addr_set_ref(n->set) : NULL;
	pthread_mutex_unlock(&names_lock);
	return s;
}

static void
remove_waiter(struct dns_name *n, struct waiter *w)
{
	struct waiter **at = &n->waiting;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

/* Until there is another answer than the one of that number. */
static void
wait_for_answer(struct dns_name *n, unsigned answers, nsec_t deadline)
{
	struct waiter w = {.fiber = fiber_self()};
	bool over;

	pthread_mutex_lock(&names_lock);
	w.next = n->waiting;
	n->waiting = &w;
	for (;;) {
		enum fiber_wake wake;

		over = n->answers != answers;
		if (over)
			break;
		pthread_mutex_unlock(&names_lock);
		wake = fiber_park("a backend's name to resolve", deadline);
		pthread_mutex_lock(&names_lock);
		if (wake != FIBER_WOKEN)
			break;
	}
	remove_waiter(n, &w);
	pthread_mutex_unlock(&names_lock);
}

struct addr_set *
dns_name_wait(struct dns_name *n, nsec_t deadline)
{
	if (dns_name_state(n) == DNS_PENDING)
		wait_for_answer(n, 0, deadline);
	return dns_name_addrs(n);
}

bool
dns_name_renew(struct dns_name *n, unsigned generation, nsec_t deadline)
{
	unsigned answers;
	bool wait;

	pthread_mutex_lock(&names_lock);
	answers = n->answers;
	wait = n->why[0] == '\0' && dns_name_generation(n) == generation;
	if (wait && !n->busy) {
		wait = clock_mono() - n->asked >= NSEC_S(params->dns_ttl_min);
		if (wait)
			n->due = 0;
	}
	pthread_mutex_unlock(&names_lock);
	if (wait) {
		wake_thread();
		wait_for_answer(n, answers, deadline);
	}
	return dns_name_generation(n) != generation;
}

/* --- for the administrator ----------------------------------------------- */

static const char *
state_text(const struct dns_name *n)
{
	switch (dns_name_state(n)) {
	case DNS_PENDING:
		return "pending";
	case DNS_RESOLVED:
		return n->why[0] == '\0' ? "resolved" : "kept";
	case DNS_UNRESOLVED:
		break;
	}
	return "unresolved";
}

/* Seconds until it is asked for again. */
static double
next_in(const struct dns_name *n)
{
	nsec_t left = n->due - clock_mono();

	return n->busy || left < 0 ? 0 : (double)left / 1e9;
}

void
dns_name_print(struct dns_name *n, FILE *out)
{
	pthread_mutex_lock(&names_lock);
	fprintf(out, "  name %s: %s, asked again in %.0f s%s%s\n", n->host,
	    state_text(n), next_in(n), n->why[0] != '\0' ? "; " : "", n->why);
	pthread_mutex_unlock(&names_lock);
}

void
dns_name_print_json(struct dns_name *n, FILE *out, const char *indent)
{
	pthread_mutex_lock(&names_lock);
	fprintf(out, "%s\"name\": \"%s\",\n%s\"state\": \"%s\",\n"
	    "%s\"ttl\": %.3f,\n%s\"next\": %.3f,\n%s\"error\": \"%s\"\n",
	    indent, n->host, indent, state_text(n), indent, n->ttl, indent,
	    next_in(n), indent, n->why);
	pthread_mutex_unlock(&names_lock);
}
