/*
 * conn.c - a client's HTTP/1 connection between requests: accept, heads,
 * idle time, close.  What happens during a request is in conn_stream.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_impl.h"
#include "counters.h"
#include "memory.h"
#include "params.h"
#include "proxy_header.h"
#include "worker.h"

static void conn_event(struct source *);
static void conn_timeout(struct timer *);
static void conn_serve(void *);

static void
addr_pack(union conn_addr *to, const struct addr *from)
{
	memset(to, 0, sizeof *to);
	if (from->sa.sa_family == AF_INET)
		to->in4 = from->in4;
	else if (from->sa.sa_family == AF_INET6)
		to->in6 = from->in6;
	else
		to->sa.sa_family = AF_UNIX;
}

static void
addr_unpack(struct addr *to, const union conn_addr *from)
{
	switch (from->sa.sa_family) {
	case AF_INET:
		to->in4 = from->in4;
		to->len = sizeof to->in4;
		break;
	case AF_INET6:
		to->in6 = from->in6;
		to->len = sizeof to->in6;
		break;
	default:
		to->un.sun_family = AF_UNIX;
		to->un.sun_path[0] = '\0';
		to->len = sizeof to->un.sun_family;
	}
}

static bool
addr_is_wildcard(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == htonl(INADDR_ANY);
	if (a->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
	return false;
}

static struct conn *
conn_alloc(struct core *c, bool proxy)
{
	struct conn *conn = c->free_conns;
	struct conn_proxy *p = proxy ? calloc(1, sizeof *p) : NULL;

	if (proxy && p == NULL)
		return NULL;
	if (conn != NULL)
		c->free_conns = conn->next;
	else if (memory_has_room(MEMORY_REQUEST, sizeof *conn) &&
	    (conn = malloc(sizeof *conn)) != NULL)
		memory_charge(sizeof *conn);
	if (conn == NULL) {
		free(p);
		return NULL;
	}
	memset(conn, 0, sizeof *conn);
	conn->proxy = p;
	return conn;
}

/* Does the peer's connection begin with a PROXY header? */
static bool
speaks_proxy(const struct listener *l, const struct addr *peer)
{
	bool listed = l->from_n == 0;

	for (unsigned i = 0; i < l->from_n && !listed; i++)
		listed = addr_in_net(peer, &l->from[i].addr, l->from[i].bits);
	return l->proxy && listed;
}

/* Was it sent?  Does not wait. */
static bool
send_overloaded(int fd)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
	    "Retry-After: 5\r\nContent-Length: 0\r\n"
	    "Connection: close\r\n\r\n";
	const size_t len = sizeof text - 1;

	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/*
 * There is no struct conn for it, so nobody can linger: what came already is
 * taken, as a close with something unread is a reset, which could overtake
 * the answer.
 */
static void
turn_away(int fd, bool proxy)
{
	char buf[4096];

	COUNT_INC(sess_fail);
	if (!proxy && send_overloaded(fd)) {
		shutdown(fd, SHUT_WR);
		sock_recv(fd, buf, sizeof buf);
	}
	close(fd);
}

void
conn_open(struct core *c, const struct listener *l, int fd,
    const struct addr *peer)
{
	const bool proxy = speaks_proxy(l, peer);
	struct conn *conn = NULL;
	struct addr local;

	/* a share of the limit for each core: no counter that all write */
	if (c->conn_n < params->max_connections / core_count() + 1)
		conn = conn_alloc(c, proxy);
	if (conn == NULL) {
		turn_away(fd, proxy);
		return;
	}
	conn->src.fd = fd;
	conn->src.on_event = conn_event;
	conn->core = c;
	conn->listener = l;
	conn->timeouts = (struct stream_timeouts){-1, -1, -1};
	conn->timer.fn = conn_timeout;
	conn->xid = core_xid(c);
	conn->t_open = loop_wall(c->loop);
	addr_pack(&conn->peer, peer);
	addr_pack(&conn->local, &l->addr);
	if (addr_is_wildcard(&l->addr) && sock_local(fd, &local) == 0)
		addr_pack(&conn->local, &local);
	conn->next = c->conns;
	if (c->conns != NULL)
		c->conns->prev = conn;
	c->conns = conn;
	__atomic_store_n(&c->conn_n, c->conn_n + 1, __ATOMIC_RELAXED);
	COUNT_INC(sess_conn);
	COUNT_INC(sess_open);
	conn->deadline = loop_now(c->loop) + NSEC_S(params->timeout_idle);
	timer_set(c->loop, &conn->timer, conn->deadline);
	if (loop_watch(c->loop, &conn->src, false) != 0) {
		conn->why = "RX_OVERFLOW";
		close(fd);
		conn->src.fd = -1;
	}
}

static void
log_proxy(struct log_txn *log, const struct conn_proxy *p)
{
	char client[ADDR_HOST_MAX], server[ADDR_HOST_MAX];
	struct addr from, to;

	if (p->why != NULL)
		log_printf(log, LOG_PROXY_GARBAGE, "%s", p->why);
	else if (p->version != 0 && !p->known)
		log_printf(log, LOG_PROXY, "%u local local local local",
		    p->version);
	if (!p->known)
		return;
	addr_unpack(&from, &p->client);
	addr_unpack(&to, &p->server);
	addr_host(&from, client);
	addr_host(&to, server);
	log_printf(log, LOG_PROXY, "%u %s %u %s %u", p->version, client,
	    addr_port(&from), server, addr_port(&to));
}

static void
conn_log(const struct conn *conn, double now)
{
	char buf[1024], host[ADDR_HOST_MAX], lhost[ADDR_HOST_MAX];
	struct log_txn log;
	struct addr peer, local;

	addr_unpack(&peer, &conn->peer);
	addr_unpack(&local, &conn->local);
	addr_host(&peer, host);
	addr_host(&local, lhost);
	log_txn_begin(&log, conn->core->ring, LOG_KIND_SESSION, conn->xid, 0,
	    buf, sizeof buf);
	log_printf(&log, LOG_SESS_OPEN, "%s %u %s %s %u %.6f %d", host,
	    addr_port(&peer), conn->listener->name, lhost, addr_port(&local),
	    conn->t_open, conn->src.fd);
	if (conn->proxy != NULL)
		log_proxy(&log, conn->proxy);
	log_printf(&log, LOG_SESS_CLOSE, "%s %.3f", conn->why,
	    now - conn->t_open);
	log_txn_end(&log);
}

static void
block_put(struct conn *conn)
{
	arena_reset(&conn->block->fields);
	core_block_put(&conn->core->client_blocks, conn->block);
	conn->block = NULL;
}

static void
conn_close(struct conn *conn, const char *why)
{
	struct core *c = conn->core;

	if (conn->why == NULL)
		conn->why = why;
	timer_cancel(c->loop, &conn->timer);
	conn_log(conn, loop_wall(c->loop));
	if (conn->src.fd >= 0) {
		loop_unwatch(c->loop, &conn->src);
		close(conn->src.fd);
	}
	if (conn->block != NULL)
		block_put(conn);
	if (conn->proxy != NULL)
		free(conn->proxy->tlv);
	free(conn->proxy);
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		c->conns = conn->next;
	__atomic_store_n(&c->conn_n, c->conn_n - 1, __ATOMIC_RELAXED);
	COUNT_ADD(sess_open, -1);
	conn->next = c->free_conns;
	c->free_conns = conn;
}

/*
 * The deadline moves with every request, the timer does not: it looks when
 * it fires and goes to sleep again.
 */
static void
conn_timeout(struct timer *t)
{
	struct conn *conn =
	    (struct conn *)((char *)t - offsetof(struct conn, timer));
	struct core *c = conn->core;
	nsec_t now = loop_now(c->loop);

	if (conn->src.fd < 0) {
		conn_close(conn, "TX_ERROR");
		return;
	}
	if (conn->serving)
		conn->deadline = now + NSEC_S(params->timeout_idle);
	if (conn->deadline <= now)
		conn_close(
		    conn, conn->have > 0 ? "RX_TIMEOUT" : "RX_CLOSE_IDLE");
	else
		timer_set(c->loop, t, conn->deadline);
}

/*
 * Closing while the client still sends makes the kernel reset the
 * connection, and a reset throws away what the client has not read of the
 * response.  So the end of our side is sent first, and what comes is read
 * until the client's end, for a moment (RFC 9112 9.6).
 */
enum { LINGER_S = 2 };

static void
conn_linger_read(struct conn *conn)
{
	char sink[16384];

	/* what a fast sender has left after that waits for its next event */
	for (int i = 0; i < 64 && source_can(&conn->src, SOURCE_READ); i++) {
		ssize_t n = recv(conn->src.fd, sink, sizeof sink, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			conn_close(conn, "REM_CLOSE");
			return;
		}
		if (n < (ssize_t)sizeof sink)
			conn->src.ready &= (uint8_t)~SOURCE_READ;
	}
}

static void
conn_linger(struct conn *conn, const char *why)
{
	struct core *c = conn->core;

	if (shutdown(conn->src.fd, SHUT_WR) != 0) {
		conn_close(conn, why);
		return;
	}
	conn->why = why;
	conn->serving = false;
	conn->lingering = true;
	conn->have = 0;
	if (conn->block != NULL)
		block_put(conn);
	conn->deadline = loop_now(c->loop) + NSEC_S(LINGER_S);
	timer_set(c->loop, &conn->timer, conn->deadline);
	conn_linger_read(conn);
}

static struct stream_block *
block_get(struct conn *conn)
{
	struct core *c = conn->core;
	size_t buf = params->http_req_size + CONN_BODY_ROOM;
	size_t fields = params->http_max_hdr * sizeof(struct field) + 64;
	/* behind the head: the request's struct, log buffer and workspace */
	size_t rest = params->vsl_buffer + params->workspace_client + 8192;
	size_t size = sizeof(struct stream_block) + buf + fields + rest + 64;
	struct stream_block *b = core_block_get(&c->client_blocks, size);
	char *p;

	if (b == NULL)
		return NULL;
	b->conn = conn;
	b->scan = (struct h1_scan){0};
	p = (char *)b + ((sizeof *b + 15) & ~(size_t)15);
	arena_init(&b->fields, p, fields);
	p += (fields + 15) & ~(size_t)15;
	b->s.mem = p;
	b->s.mem_len = rest;
	b->buf = p + rest;
	b->buf_size = (uint32_t)buf;
	return b;
}

/* An answer to what is not a request; best effort, and close. */
static void
conn_refuse(struct conn *conn, unsigned status, const char *why)
{
	char text[512], host[ADDR_HOST_MAX], logbuf[1024];
	double now = loop_wall(conn->core->loop);
	struct log_txn log;
	struct addr client;
	int n;

	addr_unpack(&client, conn->proxy != NULL && conn->proxy->known ?
	    &conn->proxy->client : &conn->peer);
	addr_host(&client, host);
	COUNT_INC(client_req_400);
	COUNT_INC(sess_closed_err);
	log_txn_begin(&log, conn->core->ring, LOG_KIND_REQUEST,
	    core_xid(conn->core), conn->xid, logbuf, sizeof logbuf);
	log_timestamp(&log, "Start", now, now, now);
	log_printf(&log, LOG_REQ_START, "%s %u %s", host, addr_port(&client),
	    conn->listener->name);
	log_printf(&log, LOG_BOGO_HEADER, "%s", why);
	log_status(&log, LOG_RESP_STATUS, status);
	log_timestamp(&log, "Resp", now, now, now);
	log_txn_end(&log);
	n = snprintf(text, sizeof text,
	    "HTTP/1.1 %u %s\r\nDate: %.*s\r\nContent-Type: text/plain\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
	    status, http_reason(status), STR_ARG(core_date(conn->core)),
	    strlen(why) + 1, why);
	if (send(conn->src.fd, text, (size_t)n, MSG_NOSIGNAL) == n)
		conn_linger(conn, "RX_JUNK");
	else
		conn_close(conn, "RX_JUNK");
}

/* A whole head, if there is one, goes to block->s. */
static enum h1_result
conn_parse(struct conn *conn, const char **why)
{
	struct stream_block *b = conn->block;
	struct h1_limits limits = {(uint32_t)params->http_req_size,
	    (uint32_t)params->http_req_hdr_len};
	size_t head_len;
	enum h1_result r;

	arena_reset(&b->fields);
	*why = "too many fields";
	if (!http_init(&b->s.http, &b->fields, params->http_max_hdr))
		return H1_TOO_LONG;
	r = h1_parse_request(&b->s.http, &b->s.framing, b->buf, conn->have,
	    &b->scan, &limits, &head_len, why);
	if (r == H1_OK) {
		b->s.head = str_of(b->buf, head_len);
		b->body_at = b->end = (uint32_t)head_len;
	}
	return r;
}

enum conn_next {
	CONN_READY, /* a whole head is there */
	CONN_WAITS, /* for more bytes */
	CONN_GONE,  /* closed: conn must not be touched */
};

/* Is a PROXY header still to come? */
static bool
wants_proxy(const struct conn *conn)
{
	return conn->proxy != NULL && conn->proxy->version == 0;
}

/*
 * Takes the PROXY header out of the buffer.  What does not begin with one is
 * not answered: it is not a client that one might talk to.
 */
static enum conn_next
conn_take_proxy(struct conn *conn)
{
	struct stream_block *b = conn->block;
	struct conn_proxy *p = conn->proxy;
	struct proxy_header h;
	const char *why;
	size_t used;

	switch (proxy_header_read(str_of(b->buf, conn->have),
	    params->http_req_size, &h, &used, &why)) {
	case PROXY_MORE:
		return CONN_WAITS;
	case PROXY_BAD:
		p->why = why;
		COUNT_INC(sess_closed_err);
		conn_close(conn, "RX_JUNK");
		return CONN_GONE;
	case PROXY_OK:
		break;
	}
	if (h.tlv.len != 0) {
		p->tlv = malloc(h.tlv.len);
		if (p->tlv == NULL) {
			conn_close(conn, "OVERLOAD");
			return CONN_GONE;
		}
		memcpy(p->tlv, h.tlv.p, h.tlv.len);
		p->tlv_len = h.tlv.len;
	}
	p->version = h.version;
	p->known = h.known;
	if (h.known) {
		addr_pack(&p->client, &h.src);
		addr_pack(&p->server, &h.dst);
	}
	conn->have -= (uint32_t)used;
	memmove(b->buf, b->buf + used, conn->have);
	if (conn->have != 0)
		return CONN_READY;
	conn->deadline = loop_now(conn->core->loop) +
	    NSEC_S(params->timeout_idle);
	block_put(conn);
	return CONN_WAITS;
}

/* A look at what is in the buffer. */
static enum conn_next
conn_look(struct conn *conn)
{
	const char *why = "";
	enum conn_next next;
	enum h1_result r;

	if (wants_proxy(conn)) {
		next = conn_take_proxy(conn);
		if (next != CONN_READY)
			return next;
	}
	r = conn_parse(conn, &why);

	switch (r) {
	case H1_OK:
		return CONN_READY;
	case H1_MORE:
		return CONN_WAITS;
	case H1_BAD:
	case H1_TOO_LONG:
	case H1_TARGET_TOO_LONG:
	case H1_VERSION:
	case H1_CODING:
		break;
	}
	conn_refuse(conn, h1_status(r), why);
	return CONN_GONE;
}

/* The first byte of a head: from now on there is less patience. */
static void
conn_head_begins(struct conn *conn)
{
	struct loop *loop = conn->core->loop;

	conn->block->s.t_first = loop_wall(loop);
	conn->deadline = loop_now(loop) + NSEC_S(params->timeout_req);
	if (params->timeout_req < params->timeout_idle)
		timer_set(loop, &conn->timer, conn->deadline);
}

/* There is no memory for its request. */
static void
conn_overloaded(struct conn *conn)
{
	COUNT_INC(memory_refused);
	if (!wants_proxy(conn) && send_overloaded(conn->src.fd))
		conn_linger(conn, "OVERLOAD");
	else
		conn_close(conn, "OVERLOAD");
}

/* Receives once and looks. */
static enum conn_next
conn_receive(struct conn *conn)
{
	struct stream_block *b = conn->block;
	size_t room = params->http_req_size;
	ssize_t n;

	if (b == NULL) {
		b = conn->block = block_get(conn);
		if (b == NULL) {
			conn_overloaded(conn);
			return CONN_GONE;
		}
	}
	if (room > b->buf_size)
		room = b->buf_size;
	if (conn->have >= room && wants_proxy(conn)) {
		conn_close(conn, "RX_OVERFLOW");
		return CONN_GONE;
	}
	if (conn->have >= room) {
		conn_refuse(conn, 431, "request head too long");
		return CONN_GONE;
	}
	room -= conn->have;
	n = sock_recv(conn->src.fd, b->buf + conn->have, room);
	if (n < 0 && errno == EINTR)
		return CONN_WAITS;
	if (n < (ssize_t)room)
		conn->src.ready &= (uint8_t)~SOURCE_READ;
	if (n < 0 && errno == EAGAIN) {
		if (conn->have == 0)
			block_put(conn);
		return CONN_WAITS;
	}
	if (n <= 0) {
		conn_close(conn, n == 0 ? "REM_CLOSE" : "RX_ERROR");
		return CONN_GONE;
	}
	if (conn->have == 0)
		conn_head_begins(conn);
	conn->have += (uint32_t)n;
	return conn_look(conn);
}

static void
conn_event(struct source *src)
{
	struct conn *conn = (struct conn *)src;

	if (conn->serving)
		return; /* its fiber waits on the source */
	if (conn->lingering) {
		conn_linger_read(conn);
		return;
	}
	while (source_can(src, SOURCE_READ)) {
		switch (conn_receive(conn)) {
		case CONN_GONE:
			return;
		case CONN_WAITS:
			continue;
		case CONN_READY:
			conn->serving = true;
			if (fiber_start(conn_serve, conn, "request") != 0)
				conn_overloaded(conn);
			return;
		}
	}
}

static void
stream_begin_proxied(struct stream_block *b, const struct conn_proxy *p)
{
	struct stream *s = &b->s;

	s->proxy_tlv = str_of(p->tlv, p->tlv_len);
	if (!p->known)
		return;
	addr_unpack(&b->client, &p->client);
	addr_unpack(&b->server, &p->server);
	s->client = &b->client;
	s->server = &b->server;
}

static void
stream_begin(struct conn *conn)
{
	struct stream_block *b = conn->block;
	struct stream *s = &b->s;

	s->ops = &conn_stream_ops;
	s->core = conn->core;
	s->sess_xid = conn->xid;
	addr_unpack(&b->peer, &conn->peer);
	s->peer = &b->peer;
	if (conn->listener->addr.sa.sa_family == AF_UNIX) {
		s->local = &conn->listener->addr;
	} else {
		addr_unpack(&b->local, &conn->local);
		s->local = &b->local;
	}
	s->client = s->peer;
	s->server = s->local;
	s->proxy_tlv = STR_NULL;
	if (conn->proxy != NULL)
		stream_begin_proxied(b, conn->proxy);
	s->listener = conn->listener;
	s->timeouts = conn->timeouts;
	s->close = !s->framing.keep_alive ||
	    atomic_load_explicit(&conn->core->draining, memory_order_relaxed);
	s->failed = false;
	s->close_reason = s->framing.keep_alive ? NULL : "REQ_CLOSE";
	s->body_received = s->head_sent = s->body_sent = 0;
	/* of "Content-Length: 0" nothing will come */
	s->body_unread = s->framing.body == H1_CHUNKED ||
	    (s->framing.body == H1_LENGTH && s->framing.length > 0);
	memset(&b->chunked, 0, sizeof b->chunked);
	b->body_left = s->framing.length;
	b->body_waited = 0;
	b->continue_sent = b->head_done = false;
	s->body_status = 0;
	s->head_out = false;
	s->last_chunk = STR_NULL;
	s->trailer = NULL;
	s->trailer_len = 0;
	b->body_done = !s->body_unread;
	b->out = NULL;
	b->out_len = 0;
	b->send_deadline = b->overdue_look = 0;
}

/*
 * After a response: what is in the buffer behind the request is the next
 * one; else bytes may have come in the meantime, for which there will be no
 * further event.
 */
static enum conn_next
conn_next(struct conn *conn)
{
	struct core *c = conn->core;
	struct stream_block *b = conn->block;
	enum conn_next next = CONN_WAITS;

	conn->deadline = loop_now(c->loop) + NSEC_S(conn->timeouts.idle >= 0 ?
	    conn->timeouts.idle : params->timeout_idle);
	/* earlier than the timer would look */
	if (conn->timeouts.idle >= 0 &&
	    conn->timeouts.idle < params->timeout_idle)
		timer_set(c->loop, &conn->timer, conn->deadline);
	conn->have -= b->end;
	if (conn->have > 0) {
		memmove(b->buf, b->buf + b->end, conn->have);
		b->scan = (struct h1_scan){0};
		conn_head_begins(conn);
		next = conn_look(conn);
	} else {
		block_put(conn);
		if (c->draining) {
			conn_close(conn, "SHUTDOWN");
			return CONN_GONE;
		}
	}
	while (next == CONN_WAITS && source_can(&conn->src, SOURCE_READ))
		next = conn_receive(conn);
	return next;
}

/*
 * Requests that are served in a row before other connections get a turn: a
 * pipelining client must not starve them.
 */
enum { CONN_SERVE_BATCH = 32 };

/* The last response was sent, or can't be. */
static void
conn_end(struct conn *conn)
{
	struct stream_block *b = conn->block;
	struct stream *s = &b->s;
	const char *why = s->close_reason != NULL ? s->close_reason :
	    "RESP_CLOSE";

	/* will the client send more, as far as we know? */
	if (!s->failed && (!b->body_done || s->framing.keep_alive ||
	    conn->have > b->end || (conn->src.ready & SOURCE_READ)))
		conn_linger(conn, why);
	else
		conn_close(conn, why);
}

static void
conn_serve(void *arg)
{
	struct conn *conn = arg;

	for (unsigned served = 1;; served++) {
		struct stream *s = &conn->block->s;

		stream_begin(conn);
		conn->core->serve(s);
		conn->timeouts = s->timeouts;
		if (s->failed || s->close || !conn_stream_drain(conn->block)) {
			conn_end(conn);
			return;
		}
		if (served % CONN_SERVE_BATCH == 0)
			fiber_yield();
		switch (conn_next(conn)) {
		case CONN_READY:
			continue;
		case CONN_WAITS:
			conn->serving = false;
			return;
		case CONN_GONE:
			return;
		}
	}
}

void
conns_close_idle(struct core *c)
{
	struct conn *conn, *next;

	for (conn = c->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (!conn->serving && conn->have == 0)
			conn_close(conn, "SHUTDOWN");
	}
}

void
conns_close_all(struct core *c)
{
	struct conn *conn, *next;

	for (conn = c->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (!conn->serving)
			conn_close(conn, "SHUTDOWN");
	}
}
