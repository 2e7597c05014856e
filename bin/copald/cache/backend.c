/*
 * backend.c - origins, and their idle connections.
 */
#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "core.h"
#include "counters.h"
#include "params.h"

static struct backend *backends;
static pthread_mutex_t backends_lock = PTHREAD_MUTEX_INITIALIZER;

static char *
dup_str(struct str s)
{
	return s.p == NULL ? NULL : strndup(s.p, s.len);
}

static void
backend_resolve(struct backend *b, const struct vcl_backend_def *d, char *err,
    size_t err_len)
{
	char text[600], why[200];
	int n;

	if (d->path.p != NULL)
		snprintf(text, sizeof text, "%.*s", STR_ARG(d->path));
	else if (d->host.len > 0 && memchr(d->host.p, ':', d->host.len) &&
	    d->host.p[0] != '[')
		snprintf(text, sizeof text, "[%.*s]:%.*s", STR_ARG(d->host),
		    STR_ARG(d->port.p != NULL ? d->port : STR("80")));
	else
		snprintf(text, sizeof text, "%.*s:%.*s", STR_ARG(d->host),
		    STR_ARG(d->port.p != NULL ? d->port : STR("80")));
	n = addr_parse(text, "80", false, b->addr, BACKEND_ADDR_MAX, why,
	    sizeof why);
	if (n <= 0)
		snprintf(err, err_len, "Backend %s: %s", d->name, why);
	else
		b->addr_n = (unsigned)n;
}

struct backend *
backend_new(const struct vcl_backend_def *d, const char *program_name,
    char *err, size_t err_len)
{
	struct backend *b = calloc(1, sizeof *b);

	err[0] = '\0';
	if (b == NULL) {
		snprintf(err, err_len, "No memory");
		return NULL;
	}
	b->ref = 1;
	b->none = d->none;
	b->name = strdup(d->name);
	b->program_name = strdup(program_name);
	b->host_header = dup_str(d->host_header);
	if (b->host_header == NULL && !d->none)
		b->host_header = d->path.p != NULL ? strdup("0.0.0.0") :
		    dup_str(d->host);
	b->connect_timeout = d->connect_timeout;
	b->first_byte_timeout = d->first_byte_timeout;
	b->between_bytes_timeout = d->between_bytes_timeout;
	b->max_connections = d->max_connections;
	b->proxy_header = d->proxy_header;
	b->changed = clock_wall();
	b->idle = calloc(core_count() > 0 ? core_count() : 1, sizeof *b->idle);
	if (b->name == NULL || b->program_name == NULL || b->idle == NULL) {
		snprintf(err, err_len, "No memory");
		backend_unref(&b);
		return NULL;
	}
	if (!d->none)
		backend_resolve(b, d, err, err_len);
	pthread_mutex_lock(&backends_lock);
	b->next = backends;
	backends = b;
	pthread_mutex_unlock(&backends_lock);
	return b;
}

struct backend *
backend_ref(struct backend *b)
{
	atomic_fetch_add_explicit(&b->ref, 1, memory_order_relaxed);
	return b;
}

static void
backend_free(struct backend *b)
{
	struct backend **pp;

	pthread_mutex_lock(&backends_lock);
	for (pp = &backends; *pp != NULL; pp = &(*pp)->next)
		if (*pp == b) {
			*pp = b->next;
			break;
		}
	pthread_mutex_unlock(&backends_lock);
	free((void *)b->idle);
	free(b->name);
	free(b->program_name);
	free(b->host_header);
	free(b);
}

void
backend_unref(struct backend **pp)
{
	struct backend *b = *pp;

	*pp = NULL;
	if (b != NULL && atomic_fetch_sub_explicit(&b->ref, 1,
	    memory_order_acq_rel) == 1)
		backend_free(b);
}

bool
backend_is_healthy(const struct backend *b)
{
	if (b->none)
		return false;
	return atomic_load(&b->admin) != BACKEND_SICK;
}

/* An idle connection counts on its backend, so the backend outlives it. */
static void
conn_close(struct backend_conn *c)
{
	struct core *core = core_self();

	timer_cancel(core->loop, &c->idle_timer);
	loop_unwatch(core->loop, &c->src);
	close(c->src.fd);
	atomic_fetch_sub(&c->backend->connections, 1);
	backend_unref(&c->backend);
	free(c);
}

static void
conn_unlink(struct backend_conn *c)
{
	struct backend_conn *_Atomic *pp =
	    &c->backend->idle[core_self()->index];

	if (*pp == c) {
		*pp = c->next;
		return;
	}
	for (struct backend_conn *x = *pp; x != NULL; x = x->next)
		if (x->next == c) {
			x->next = c->next;
			return;
		}
}

/* Anything that happens on an idle connection is its end (or garbage). */
static void
idle_event(struct source *s)
{
	struct backend_conn *c = (struct backend_conn *)s;

	if (!(s->ready & (SOURCE_READ | SOURCE_HUP)))
		return;
	conn_unlink(c);
	conn_close(c);
}

static void
idle_timeout(struct timer *t)
{
	struct backend_conn *c = (struct backend_conn *)((char *)t -
	    offsetof(struct backend_conn, idle_timer));

	conn_unlink(c);
	conn_close(c);
}

static void
close_idle(struct backend *b, unsigned core)
{
	struct backend_conn *c;

	while ((c = b->idle[core]) != NULL) {
		b->idle[core] = c->next;
		conn_close(c);
	}
}

struct retire_mail {
	struct mail mail;
	struct backend *backend;
};

static void
core_retire(struct mail *m)
{
	struct retire_mail *r = (struct retire_mail *)m;

	close_idle(r->backend, core_self()->index);
	backend_unref(&r->backend);
	free(r);
}

void
backend_retire(struct backend **pp)
{
	struct backend *b = *pp;

	atomic_store(&b->retired, true);
	for (unsigned i = 0; i < core_count(); i++) {
		struct retire_mail *r;

		/* its thread has ended, and so will the process */
		if (core_at(i)->loop == NULL)
			continue;
		r = calloc(1, sizeof *r);
		if (r == NULL)
			break; /* backend_idle_timeout will do it */
		r->mail.fn = core_retire;
		r->backend = backend_ref(b);
		loop_post(core_at(i)->loop, &r->mail);
	}
	backend_unref(pp);
}

static enum backend_error
connect_one(struct backend *b, const struct addr *a, double timeout,
    struct backend_conn **out, int *err)
{
	struct core *core = core_self();
	nsec_t deadline = loop_now(core->loop) + NSEC_S(timeout);
	struct backend_conn *c = calloc(1, sizeof *c);
	enum backend_error r = BACKEND_REFUSED;

	*err = ENOMEM;
	if (c == NULL)
		return BACKEND_REFUSED;
	c->src.fd = sock_connect_start(a);
	*err = errno;
	if (c->src.fd < 0)
		goto fail;
	c->addr = *a;
	c->idle_timer.fn = idle_timeout;
	if (loop_watch(core->loop, &c->src, false) != 0) {
		*err = errno;
		goto fail_fd;
	}
	switch (source_wait(&c->src, SOURCE_WRITE, "backend to connect",
	    deadline)) {
	case FIBER_WOKEN:
		*err = sock_connect_result(c->src.fd);
		r = *err == 0 ? BACKEND_OK : BACKEND_REFUSED;
		break;
	case FIBER_TIMEOUT:
		r = BACKEND_TIMEOUT;
		break;
	case FIBER_CANCELED:
		r = BACKEND_CANCELED;
		break;
	}
	if (r == BACKEND_OK) {
		c->backend = backend_ref(b);
		COUNT_INC(backend_conn);
		*out = c;
		return r;
	}
	loop_unwatch(core->loop, &c->src);
fail_fd:
	close(c->src.fd);
fail:
	free(c);
	return r;
}

/*
 * Bytes that nobody asked for, or the end, make a connection useless.  That
 * it was said to be readable does not tell: a body that was read to its last
 * byte, and not one further, leaves that standing.
 */
static bool
is_quiet(struct backend_conn *c)
{
	char byte;

	if (c->src.ready & SOURCE_HUP)
		return false;
	if (!(c->src.ready & SOURCE_READ))
		return true;
	if (recv(c->src.fd, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN)
		return false;
	c->src.ready &= (uint8_t)~SOURCE_READ;
	return true;
}

/*
 * The last one used that is still good; NULL: none.  The event of one that
 * was closed may not have been seen yet, and not every request may be sent
 * twice: the kernel knows.
 */
static struct backend_conn *
idle_take(struct backend *b)
{
	struct core *core = core_self();
	struct backend_conn *c;

	while ((c = b->idle[core->index]) != NULL) {
		b->idle[core->index] = c->next;
		c->src.ready |= SOURCE_READ; /* perhaps */
		if (is_quiet(c))
			break;
		conn_close(c);
	}
	return c;
}

enum backend_error
backend_get(struct backend *b, bool fresh, double connect_timeout,
    struct backend_conn **out, int *err)
{
	struct core *core = core_self();
	enum backend_error r = BACKEND_NO_ADDRESS;
	struct backend_conn *c;

	*err = 0;
	if (!backend_is_healthy(b)) {
		COUNT_INC(backend_unhealthy);
		return BACKEND_SICK_NOW;
	}
	c = fresh ? NULL : idle_take(b);
	if (c != NULL) {
		c->src.on_event = NULL;
		timer_cancel(core->loop, &c->idle_timer);
		c->reused = true;
		COUNT_INC(backend_reuse);
		*out = c;
		return BACKEND_OK;
	}
	if (atomic_fetch_add(&b->connections, 1) >= b->max_connections &&
	    b->max_connections > 0) {
		/* ours, if we have an idle one, may make room */
		atomic_fetch_sub(&b->connections, 1);
		c = b->idle[core->index];
		if (c == NULL) {
			COUNT_INC(backend_busy);
			return BACKEND_BUSY;
		}
		conn_unlink(c);
		conn_close(c);
		atomic_fetch_add(&b->connections, 1);
	}
	for (unsigned i = 0; i < b->addr_n; i++) {
		r = connect_one(b, &b->addr[i], connect_timeout, out, err);
		if (r == BACKEND_OK || r == BACKEND_CANCELED)
			break;
	}
	if (r != BACKEND_OK) {
		atomic_fetch_sub(&b->connections, 1);
		atomic_fetch_add(&b->fails, 1);
		COUNT_INC(backend_fail);
	}
	return r;
}

void
backend_conn_put(struct backend_conn **pp, bool keep)
{
	struct backend_conn *c = *pp;
	struct core *core = core_self();
	struct backend_conn *_Atomic *list;

	*pp = NULL;
	if (!keep || core->draining || c->backend->retired || !is_quiet(c)) {
		conn_close(c);
		return;
	}
	list = &c->backend->idle[core->index];
	c->next = *list;
	*list = c;
	c->src.on_event = idle_event;
	timer_set(core->loop, &c->idle_timer,
	    loop_now(core->loop) + NSEC_S(params->backend_idle_timeout));
	COUNT_INC(backend_recycle);
}

const char *
backend_error_text(enum backend_error e)
{
	switch (e) {
	case BACKEND_OK:
		return "ok";
	case BACKEND_BUSY:
		return "too many connections (max_connections)";
	case BACKEND_SICK_NOW:
		return "backend is sick";
	case BACKEND_REFUSED:
		return "connection failed";
	case BACKEND_TIMEOUT:
		return "connection timed out (connect_timeout)";
	case BACKEND_CANCELED:
		return "shutting down";
	case BACKEND_NO_ADDRESS:
		return "backend has no address";
	}
	return "";
}

/* --- administration ------------------------------------------------------ */

static bool
backend_matches(const struct backend *b, const char *pattern)
{
	char full[512];

	if (pattern == NULL)
		return true;
	snprintf(full, sizeof full, "%s.%s", b->program_name, b->name);
	return fnmatch(pattern, full, 0) == 0 ||
	    fnmatch(pattern, b->name, 0) == 0;
}

static const char *
admin_text(const struct backend *b)
{
	switch ((enum backend_admin)atomic_load(&b->admin)) {
	case BACKEND_AUTO:
		return "probe";
	case BACKEND_HEALTHY:
		return "healthy";
	case BACKEND_SICK:
		return "sick";
	}
	return "";
}

static void
backend_print(FILE *out, const struct backend *b, bool detail)
{
	char name[160], when[40], addr[ADDR_TEXT_MAX];
	time_t t = (time_t)b->changed;
	struct tm tm;

	snprintf(name, sizeof name, "%s.%s", b->program_name, b->name);
	strftime(when, sizeof when, "%a, %d %b %Y %H:%M:%S GMT",
	    gmtime_r(&t, &tm));
	fprintf(out, "%-30s %-10s %-8s %-10s %s\n", name, admin_text(b),
	    "0/0", backend_is_healthy(b) ? "healthy" : "sick", when);
	if (!detail)
		return;
	for (unsigned i = 0; i < b->addr_n; i++) {
		addr_text(&b->addr[i], addr);
		fprintf(out, "  address %s\n", addr);
	}
	fprintf(out, "  connections %u, requests %llu, failures %llu\n",
	    b->connections, (unsigned long long)b->requests,
	    (unsigned long long)b->fails);
}

static void
backend_print_json(FILE *out, const struct backend *b, bool detail,
    const char *sep)
{
	fprintf(out, "%s  \"%s.%s\": {\n    \"type\": \"backend\",\n"
	    "    \"admin_health\": \"%s\",\n"
	    "    \"probe_message\": [0, 0, \"%s\"],\n",
	    sep, b->program_name, b->name, admin_text(b),
	    backend_is_healthy(b) ? "healthy" : "sick");
	if (detail)
		fprintf(out, "    \"connections\": %u,\n"
		    "    \"requests\": %llu,\n    \"failures\": %llu,\n",
		    b->connections, (unsigned long long)b->requests,
		    (unsigned long long)b->fails);
	fprintf(out, "    \"last_change\": %.3f\n  }", b->changed);
}

void
backend_list(FILE *out, const char *pattern, bool json, bool detail)
{
	const char *sep = "";

	if (json)
		fprintf(out, "{\n");
	else
		fprintf(out, "%-30s %-10s %-8s %-10s %s\n", "Backend name",
		    "Admin", "Probe", "Health", "Last change");
	pthread_mutex_lock(&backends_lock);
	for (struct backend *b = backends; b != NULL; b = b->next) {
		if (!backend_matches(b, pattern))
			continue;
		if (json)
			backend_print_json(out, b, detail, sep);
		else
			backend_print(out, b, detail);
		sep = ",\n";
	}
	pthread_mutex_unlock(&backends_lock);
	if (json)
		fprintf(out, "\n}");
}

unsigned
backend_set_health(const char *pattern, enum backend_admin admin)
{
	unsigned n = 0;

	pthread_mutex_lock(&backends_lock);
	for (struct backend *b = backends; b != NULL; b = b->next) {
		if (!backend_matches(b, pattern))
			continue;
		if ((enum backend_admin)atomic_exchange(&b->admin, admin) !=
		    admin)
			b->changed = clock_wall();
		n++;
	}
	pthread_mutex_unlock(&backends_lock);
	return n;
}
