/*
 * backend_conn.c - connections to origins: made, kept idle, used again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend_conn.h"
#include "core.h"
#include "counters.h"
#include "params.h"
#include "proxy_header.h"
#include "resolver.h"

static void
conn_close(struct backend_conn *c)
{
	struct core *core = core_self();

	timer_cancel(core->loop, &c->idle_timer);
	loop_unwatch(core->loop, &c->src);
	close(c->src.fd);
	atomic_fetch_sub(&c->pool->connections, 1);
	backend_pool_unref(&c->pool);
	backend_unref(&c->backend);
	free(c);
}

/* Off its core's list. */
static void
conn_unlink(struct backend_conn *c)
{
	struct backend_conn *_Atomic *pp =
	    &c->pool->idle[core_self()->index];

	atomic_fetch_sub_explicit(&c->pool->idle_n, 1, memory_order_relaxed);
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

void
backend_close_idle(struct backend_pool *p, unsigned core)
{
	struct backend_conn *c;

	while ((c = p->idle[core]) != NULL) {
		conn_unlink(c);
		conn_close(c);
	}
}

struct close_mail {
	struct mail mail;
	struct backend_pool *pool;
};

static void
core_close(struct mail *m)
{
	struct close_mail *r = (struct close_mail *)m;

	if (atomic_load(&r->pool->warm_n) == 0)
		backend_close_idle(r->pool, core_self()->index);
	backend_pool_unref(&r->pool);
	free(r);
}

void
backend_conns_close(struct backend_pool *p)
{
	for (unsigned i = 0; i < core_count(); i++) {
		struct close_mail *r;

		/* its thread has ended, and so will the process */
		if (core_at(i)->loop == NULL)
			continue;
		r = calloc(1, sizeof *r);
		if (r == NULL)
			break; /* backend_idle_timeout will do it */
		r->mail.fn = core_close;
		r->pool = backend_pool_ref(p);
		loop_post(core_at(i)->loop, &r->mail);
	}
}

/* false: no room in the socket's buffer, or an error: errno */
static bool
send_first(struct backend_conn *c, const void *p, size_t len)
{
	ssize_t n;

	if (len == 0)
		return true;
	do
		n = send(c->src.fd, p, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	/* an empty buffer takes more than these few hundred bytes */
	if (n >= 0 && n < (ssize_t)len)
		errno = ENOBUFS;
	return n == (ssize_t)len;
}

/* The proxy on the way is to connect to our address; there is no client. */
static bool
greet_proxy(struct backend_conn *c, const struct addr *target)
{
	unsigned char via[PROXY_HEADER_MAX];

	return send_first(c, via, proxy_header_write(via, 2, target, target,
	    c->pool->key.authority));
}

/*
 * A new connection begins with what the declaration says.  target: where a
 * proxy on the way should go; NULL: there is none.
 */
static bool
greet(struct backend_conn *c, const struct addr *target,
    const struct addr *client, const struct addr *local)
{
	const struct backend *b = c->backend;
	struct str preamble = c->pool->key.preamble;
	unsigned char proxy[PROXY_HEADER_MAX];

	return (target == NULL || greet_proxy(c, target)) &&
	    send_first(c, preamble.p, preamble.len) &&
	    (b->proxy_header == 0 || send_first(c, proxy,
	    proxy_header_write(proxy, b->proxy_header, client, local,
	    STR_NULL)));
}

static enum backend_error
dial_one(struct backend *b, const struct addr *a, nsec_t deadline,
    struct backend_conn **out, int *err)
{
	struct core *core = core_self();
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
		c->pool = backend_pool_ref(b->pool);
		atomic_fetch_add(&b->pool->connections, 1);
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

/* Each in turn, until one is connected to. */
static enum backend_error
dial_set(struct backend *b, struct addr_set *to, uint64_t turn,
    nsec_t deadline, struct backend_conn **out, int *err)
{
	unsigned char order[ADDR_SET_MAX];
	enum backend_error r = BACKEND_NO_ADDRESS;

	addr_set_order(to, turn, clock_mono(), order);
	for (unsigned i = 0; i < to->n; i++) {
		struct addr_entry *e = &to->at[order[i]];
		/* one that swallows packets leaves time for the others */
		nsec_t now = clock_mono(), until = deadline == NSEC_NEVER ?
		    deadline : now + (deadline - now) / (to->n - i);

		r = dial_one(b, &e->addr, until, out, err);
		if (r == BACKEND_OK || r == BACKEND_CANCELED) {
			if (r == BACKEND_OK && e->failed_at != 0)
				e->failed_at = 0;
			break;
		}
		e->failed_at = clock_mono();
	}
	return r;
}

/* The addresses of b, which may have to be waited for; NULL: none. */
static struct addr_set *
addrs_of(const struct backend *b, nsec_t deadline, unsigned *generation)
{
	if (b->dns == NULL) {
		*generation = 0;
		return backend_addrs(b);
	}
	/* before the addresses: newer ones only seem to be older */
	*generation = dns_name_generation(b->dns);
	return dns_name_wait(b->dns, deadline);
}

static enum backend_error
dial(struct backend *b, nsec_t deadline, struct backend_conn **out, int *err)
{
	const struct backend *to = b->via != NULL ? b->via : b;
	uint64_t turn = atomic_fetch_add_explicit(&b->turn, 1,
	    memory_order_relaxed);
	enum backend_error r;
	unsigned generation;
	struct addr_set *s;

	for (bool again = false;; again = true) {
		s = addrs_of(to, deadline, &generation);
		if (s == NULL)
			return BACKEND_NO_ADDRESS;
		r = dial_set(b, s, turn, deadline, out, err);
		addr_set_unref(&s);
		/* it may have moved, and DNS know it */
		if (again || to->dns == NULL || r == BACKEND_OK ||
		    r == BACKEND_CANCELED || clock_mono() >= deadline ||
		    !dns_name_renew(to->dns, generation, deadline))
			break;
	}
	if (r == BACKEND_OK)
		(*out)->generation = generation;
	return r;
}

enum backend_error
backend_dial(struct backend *b, nsec_t deadline, const struct addr *client,
    const struct addr *local, struct backend_conn **out, int *err)
{
	struct addr target, *via = NULL;
	enum backend_error r;

	*err = 0;
	if (b->via != NULL) {
		unsigned char order[ADDR_SET_MAX];
		unsigned generation;
		struct addr_set *s = addrs_of(b, deadline, &generation);

		if (s == NULL)
			return BACKEND_NO_ADDRESS;
		addr_set_order(s, b->turn, clock_mono(), order);
		target = s->at[order[0]].addr;
		via = &target;
		addr_set_unref(&s);
	}
	r = dial(b, deadline, out, err);
	if (r == BACKEND_OK && !greet(*out, via, client, local)) {
		*err = errno;
		backend_hang_up(out);
		r = BACKEND_REFUSED;
	}
	return r;
}

void
backend_hang_up(struct backend_conn **pp)
{
	conn_close(*pp);
	*pp = NULL;
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

/* Does the origin still have that address? */
static bool
is_current(struct backend_conn *c, const struct backend *b)
{
	unsigned generation;
	struct addr_set *s;
	bool has;

	if (b->via != NULL)
		b = b->via;
	if (b->dns == NULL)
		return true;
	generation = dns_name_generation(b->dns);
	if (c->generation == generation)
		return true;
	s = dns_name_addrs(b->dns);
	has = s != NULL && addr_set_has(s, &c->addr);
	addr_set_unref(&s);
	c->generation = generation;
	return has;
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

	while ((c = b->pool->idle[core->index]) != NULL) {
		conn_unlink(c);
		c->src.ready |= SOURCE_READ; /* perhaps */
		if (is_quiet(c) && is_current(c, b))
			break;
		conn_close(c);
	}
	return c;
}

static double
wait_for_slot(const struct backend *b)
{
	return b->wait_timeout >= 0 ? b->wait_timeout :
	    params->backend_wait_timeout;
}

static enum backend_error
is_sick(struct backend *b)
{
	COUNT_INC(backend_unhealthy);
	atomic_fetch_add_explicit(&b->unhealthy, 1, memory_order_relaxed);
	return BACKEND_SICK_NOW;
}

enum backend_error
backend_get(struct backend *b, const struct backend_wish *wish,
    struct backend_conn **out, int *err)
{
	struct core *core = core_self();
	nsec_t began = loop_now(core->loop);
	enum backend_error r;
	struct backend_conn *c;

	*err = 0;
	if (!backend_is_healthy(NULL, b, NULL))
		return is_sick(b);
	switch (slots_take(&b->slots, began + NSEC_S(wait_for_slot(b)))) {
	case SLOT_TAKEN:
		break;
	case SLOT_NONE:
		COUNT_INC(backend_busy);
		atomic_fetch_add_explicit(&b->busy, 1, memory_order_relaxed);
		return BACKEND_BUSY;
	case SLOT_REFUSED:
		return is_sick(b);
	case SLOT_CANCELED:
		return BACKEND_CANCELED;
	}
	began = loop_now(core->loop);
	c = wish->fresh || b->proxy_header != 0 ? NULL : idle_take(b);
	if (c != NULL) {
		c->src.on_event = NULL;
		timer_cancel(core->loop, &c->idle_timer);
		c->backend = backend_ref(b);
		c->reused = true;
		COUNT_INC(backend_reuse);
		r = BACKEND_OK;
	} else
		r = backend_dial(b, began + NSEC_S(wish->connect_timeout),
		    wish->client, wish->local, &c, err);
	if (r != BACKEND_OK) {
		slots_give(&b->slots);
		backend_answered(b,
		    (double)(loop_now(core->loop) - began) / 1e9, true);
		COUNT_INC(backend_fail);
		return r;
	}
	if (!c->reused)
		COUNT_INC(backend_conn);
	c->began = began;
	*out = c;
	return r;
}

/* Is there room for one more that nobody uses? */
static bool
may_be_idle(struct backend *b)
{
	unsigned max = b->max_idle >= 0 ? (unsigned)b->max_idle :
	    params->backend_max_idle;

	/* those of other cores are not at hand: not ever more of them */
	if (b->max_connections > 0 &&
	    b->pool->connections > b->max_connections)
		return false;
	if (atomic_fetch_add_explicit(&b->pool->idle_n, 1,
	    memory_order_relaxed) < max)
		return true;
	atomic_fetch_sub_explicit(&b->pool->idle_n, 1, memory_order_relaxed);
	return false;
}

static double
idle_for(const struct backend *b)
{
	return b->idle_timeout >= 0 ? b->idle_timeout :
	    params->backend_idle_timeout;
}

void
backend_conn_put(struct backend_conn **pp, bool keep)
{
	struct backend_conn *c = *pp;
	struct backend *b = c->backend;
	struct core *core = core_self();
	struct backend_conn *_Atomic *list;

	*pp = NULL;
	slots_give(&b->slots);
	/* what said whose it is can't be said again */
	if (!keep || core->draining || c->pool->warm_n == 0 ||
	    b->proxy_header != 0 || !is_quiet(c) || !may_be_idle(b)) {
		conn_close(c);
		return;
	}
	list = &c->pool->idle[core->index];
	c->next = *list;
	*list = c;
	c->src.on_event = idle_event;
	timer_set(core->loop, &c->idle_timer,
	    loop_now(core->loop) + NSEC_S(idle_for(b)));
	backend_unref(&c->backend);
	COUNT_INC(backend_recycle);
}

void
backend_error_text(enum backend_error e, const struct backend *b, int err,
    char *out, size_t out_len)
{
	switch (e) {
	case BACKEND_OK:
		snprintf(out, out_len, "ok");
		break;
	case BACKEND_BUSY:
		snprintf(out, out_len, "backend %s: busy (max_connections)",
		    b->name);
		break;
	case BACKEND_SICK_NOW:
		snprintf(out, out_len, "backend %s: unhealthy", b->name);
		break;
	case BACKEND_REFUSED:
		snprintf(out, out_len, "backend %s: fail errno %d (%s)",
		    b->name, err, strerror(err));
		break;
	case BACKEND_TIMEOUT:
		snprintf(out, out_len,
		    "backend %s: connection timed out (connect_timeout)",
		    b->name);
		break;
	case BACKEND_CANCELED:
		snprintf(out, out_len, "shutting down");
		break;
	case BACKEND_NO_ADDRESS:
		snprintf(out, out_len, "backend %s: has no address: its name "
		    "does not resolve", b->name);
		break;
	}
}
