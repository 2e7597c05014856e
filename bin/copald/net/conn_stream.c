/*
 * conn_stream.c - a request and its response on an HTTP/1 connection
 * (RFC 9112): body bytes in, head and body bytes out.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "conn_impl.h"
#include "counters.h"
#include "params.h"

static struct stream_block *
block_of(struct stream *s)
{
	return (struct stream_block *)s;
}

static int
stream_fail(struct stream *s, const char *why)
{
	if (!s->failed)
		s->close_reason = why;
	s->failed = true;
	s->close = true;
	return -1;
}

/* --- the request's body -------------------------------------------------- */

/*
 * The body is of no use, and nothing after it can be understood.  The client
 * may still be told so: with status, in the last response.
 */
static int
body_fail(struct stream *s, unsigned status, const char *why)
{
	if (!s->close || s->close_reason == NULL)
		s->close_reason = why;
	s->body_status = status;
	s->close = true;
	return -1;
}

/* In all, and for so long that it is no pause any more? */
static bool
body_trickles(const struct stream_block *b)
{
	return params->body_rate_min > 0 &&
	    b->body_waited > NSEC_S(params->timeout_body) &&
	    (double)b->s.body_received < (double)params->body_rate_min *
	    ((double)b->body_waited / 1e9);
}

/* Receives at least a byte, or fails. */
static ssize_t
body_receive(struct stream_block *b, void *buf, size_t len)
{
	struct conn *conn = b->conn;
	struct loop *loop = conn->core->loop;
	nsec_t began;

	for (;;) {
		ssize_t n = recv(conn->src.fd, buf, len, 0);

		if (n == 0) /* cut short */
			return body_fail(&b->s, 400, "RX_BODY");
		if (n > 0) {
			if (n < (ssize_t)len)
				conn->src.ready &= (uint8_t)~SOURCE_READ;
			return n;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return stream_fail(&b->s, "RX_BODY");
		conn->src.ready &= (uint8_t)~SOURCE_READ;
		began = loop_now(loop);
		switch (source_wait(&conn->src, SOURCE_READ, "request body",
		    began + NSEC_S(params->timeout_body))) {
		case FIBER_WOKEN:
			b->body_waited += loop_now(loop) - began;
			if (body_trickles(b))
				return body_fail(&b->s, 408, "RX_TIMEOUT");
			break;
		case FIBER_TIMEOUT:
			return body_fail(&b->s, 408, "RX_TIMEOUT");
		case FIBER_CANCELED:
			return stream_fail(&b->s, "SHUTDOWN");
		}
	}
}

static int
body_continue(struct stream_block *b)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!b->s.framing.expect_continue || b->continue_sent ||
	    b->head_done || b->conn->have > b->body_at)
		return 0;
	b->continue_sent = true;
	return send(b->conn->src.fd, text, sizeof text - 1, MSG_NOSIGNAL) ==
	    sizeof text - 1 ? 0 : -1;
}

static ssize_t
read_length(struct stream_block *b, void *buf, size_t len)
{
	struct conn *conn = b->conn;
	size_t there = conn->have - b->body_at;
	ssize_t n;

	if (len > b->body_left)
		len = b->body_left;
	if (there > 0) {
		n = (ssize_t)(there < len ? there : len);
		memcpy(buf, b->buf + b->body_at, (size_t)n);
		b->body_at += (uint32_t)n;
		b->end = b->body_at;
	} else {
		n = body_receive(b, buf, len);
		if (n < 0)
			return -1;
	}
	b->body_left -= (uint64_t)n;
	if (b->body_left == 0) {
		b->body_done = true;
		b->s.body_unread = false;
	}
	return n;
}

static ssize_t
read_chunked(struct stream_block *b, void *buf, size_t len)
{
	struct conn *conn = b->conn;

	b->chunked.trailer = b->s.trailer;
	b->chunked.trailer_cap = b->s.trailer != NULL ? b->s.trailer_cap : 0;
	for (;;) {
		struct str data;
		size_t used, n = conn->have - b->body_at;
		ssize_t got;

		if (n > 0) {
			enum h1_chunk_result r;

			/* no more than the caller has room for */
			r = h1_chunked_next(&b->chunked, b->buf + b->body_at,
			    n < len ? n : len, &used, &data);
			b->body_at += (uint32_t)used;
			b->end = b->body_at;
			if (r == H1_CHUNK_BAD)
				return body_fail(&b->s, 400, "RX_BAD");
			if (data.len > 0)
				memcpy(buf, data.p, data.len);
			if (r == H1_CHUNK_END) {
				b->s.trailer_len = b->chunked.trailer_len;
				b->body_done = true;
				b->s.body_unread = false;
				return (ssize_t)data.len;
			}
			if (data.len > 0)
				return (ssize_t)data.len;
			if (conn->have > b->body_at)
				continue;
		}
		/* all used: receive behind the head, which stays */
		conn->have = b->body_at = b->end = (uint32_t)b->s.head.len;
		got = body_receive(b, b->buf + conn->have,
		    b->buf_size - conn->have);
		if (got < 0)
			return -1;
		conn->have += (uint32_t)got;
	}
}

static ssize_t
conn_stream_read_body(struct stream *s, void *buf, size_t len)
{
	struct stream_block *b = block_of(s);
	ssize_t n;

	if (s->failed || s->body_status != 0)
		return -1;
	if (b->body_done)
		return 0;
	if (body_continue(b) != 0)
		return stream_fail(s, "TX_ERROR");
	if (s->framing.body == H1_CHUNKED)
		n = read_chunked(b, buf, len);
	else
		n = read_length(b, buf, len);
	if (n > 0)
		s->body_received += (uint64_t)n;
	return n;
}

/*
 * A body that nobody wanted is read and thrown away if it is short, so that
 * the connection can be used again; else it is cheaper to close.
 */
enum { DRAIN_MAX = 65536 };

static bool
body_is_drained(const struct stream_block *b)
{
	/* who expects 100 and got an answer may or may not send the body */
	return !(b->s.framing.expect_continue && !b->continue_sent) &&
	    !(b->s.framing.body == H1_LENGTH && b->body_left > DRAIN_MAX);
}

bool
conn_stream_drain(struct stream_block *b)
{
	char sink[4096];
	size_t total = 0;

	if (b->body_done)
		return true;
	if (!body_is_drained(b)) {
		b->s.close_reason = "REQ_CLOSE";
		return false;
	}
	while (!b->body_done) {
		ssize_t n = conn_stream_read_body(&b->s, sink, sizeof sink);

		if (n < 0)
			return false;
		total += (size_t)n;
		if (total > DRAIN_MAX)
			return false;
	}
	return true;
}

/* --- the response -------------------------------------------------------- */

/* Between two looks whether what a client holds is wanted back. */
enum { OVERDUE_LOOK_S = 1 };

/* Also of a client that takes a byte now and then. */
static bool
is_overdue(struct stream_block *b)
{
	nsec_t now = loop_now(b->conn->core->loop);

	if (now < b->overdue_look)
		return false;
	b->overdue_look = now + NSEC_S(OVERDUE_LOOK_S);
	return b->s.is_overdue(b->s.overdue_arg);
}

static int
send_wait(struct stream_block *b)
{
	struct conn *conn = b->conn;
	nsec_t now = loop_now(conn->core->loop);
	const struct stream_timeouts *t = &b->s.timeouts;
	nsec_t deadline = now + NSEC_S(t->idle_send >= 0 ? t->idle_send :
	    params->idle_send_timeout);

	if (b->send_deadline == 0)
		b->send_deadline = now + NSEC_S(t->send >= 0 ? t->send :
		    params->send_timeout);
	if (deadline > b->send_deadline)
		deadline = b->send_deadline;
	conn->src.ready &= (uint8_t)~SOURCE_WRITE;
	for (;;) {
		nsec_t until = deadline;

		if (b->s.is_overdue != NULL) {
			if (is_overdue(b))
				return stream_fail(&b->s, "OVERLOAD");
			if (b->overdue_look < deadline)
				until = b->overdue_look;
		}
		switch (source_wait(&conn->src, SOURCE_WRITE,
		    "client to take bytes", until)) {
		case FIBER_WOKEN:
			return 0;
		case FIBER_TIMEOUT:
			if (until == deadline)
				return stream_fail(&b->s, "TX_TIMEOUT");
			continue;
		case FIBER_CANCELED:
			return stream_fail(&b->s, "SHUTDOWN");
		}
	}
}

static int
send_iov(struct stream_block *b, struct iovec *v, unsigned n, bool more)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	while (m.msg_iovlen > 0) {
		/* send() costs the kernel less when there is one piece */
		ssize_t k = m.msg_iovlen == 1 ?
		    sock_send(b->conn->src.fd, m.msg_iov[0].iov_base,
		    m.msg_iov[0].iov_len, flags) :
		    sendmsg(b->conn->src.fd, &m, flags);

		if (k < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				return stream_fail(&b->s, "TX_ERROR");
			if (send_wait(b) != 0)
				return -1;
			continue;
		}
		sock_sent(&m, (size_t)k);
	}
	return 0;
}

/* HTTP/1.0 has no 1xx (RFC 9110 15.2). */
static int
conn_stream_interim(struct stream *s, const struct http *h)
{
	struct stream_block *b = block_of(s);
	size_t size = http_response_size(h);
	char *text;
	ssize_t n;

	if (s->http.version < 11 || b->head_done || s->failed)
		return 0;
	text = malloc(size);
	if (text == NULL)
		return 0;
	http_write_response(h, text);
	n = send(b->conn->src.fd, text, size, MSG_NOSIGNAL);
	free(text);
	if (h->status == 100 && n == (ssize_t)size)
		b->continue_sent = true;
	/* a part of it can't be taken back */
	if (n < 0 ? errno != EAGAIN && errno != EINTR : n < (ssize_t)size)
		return stream_fail(s, "TX_ERROR");
	return 0;
}

/* Decides the framing of the response (RFC 9112 6.1, 6.3). */
static void
out_framing(struct stream_block *b, enum stream_body body, uint64_t len)
{
	switch (body) {
	case STREAM_NO_BODY:
		b->framing = OUT_NONE;
		break;
	case STREAM_LENGTH:
		b->framing = OUT_LENGTH;
		b->out_left = len;
		break;
	case STREAM_UNKNOWN:
		if (b->s.http.version >= 11) {
			b->framing = OUT_CHUNKED;
		} else {
			b->framing = OUT_CLOSE;
			b->s.close = true;
		}
		break;
	}
}

/* Copied behind the head: cheaper than a second piece for the kernel. */
enum { SMALL_BODY = 4096 };

static int
conn_stream_head(struct stream *s, const struct http *h, enum stream_body body,
    uint64_t len, struct arena *mem)
{
	static const char close_field[] = "Connection: close\r\n";
	static const char keep_field[] = "Connection: keep-alive\r\n";
	static const char chunked_field[] = "Transfer-Encoding: chunked\r\n";
	struct stream_block *b = block_of(s);
	size_t size;
	char *p;

	out_framing(b, body, len);
	/* a body that will not be read makes the connection useless */
	if (s->body_unread && !body_is_drained(b))
		s->close = true;
	b->out_room = b->framing == OUT_LENGTH && len <= SMALL_BODY ?
	    (size_t)len : 0;
	size = http_response_size(h) + 64;
	if (!arena_fits(mem, size + b->out_room))
		b->out_room = 0;
	b->out = arena_bytes(mem, size + b->out_room);
	if (b->out == NULL)
		return stream_fail(s, "OVERLOAD");
	p = http_write_response(h, b->out) - 2; /* before the empty line */
	if (b->framing == OUT_CHUNKED) {
		memcpy(p, chunked_field, sizeof chunked_field - 1);
		p += sizeof chunked_field - 1;
	}
	if (s->close) {
		memcpy(p, close_field, sizeof close_field - 1);
		p += sizeof close_field - 1;
	} else if (s->http.version < 11) {
		memcpy(p, keep_field, sizeof keep_field - 1);
		p += sizeof keep_field - 1;
	}
	memcpy(p, "\r\n", 2);
	b->out_len = (size_t)(p + 2 - b->out);
	b->head_done = true;
	s->head_sent = b->out_len;
	return 0;
}

/* Writes what there is of the head, and frames; data may be empty. */
static int
out_write(struct stream_block *b, const void *data, size_t len,
    const char *tail, size_t tail_len, bool more)
{
	char chunk[H1_CHUNK_HEAD_MAX];
	struct iovec v[4];
	unsigned n = 0;

	if (b->out_len > 0 && len > 0 && len <= b->out_room) {
		memcpy(b->out + b->out_len, data, len);
		b->out_len += len;
		b->out_room -= len;
		len = 0;
	}
	if (b->out_len > 0) {
		v[n++] = (struct iovec){b->out, b->out_len};
		b->s.head_out = true;
	}
	b->out_len = 0;
	if (len > 0) {
		if (b->framing == OUT_CHUNKED)
			v[n++] = (struct iovec){
			    chunk, h1_chunk_begin(chunk, len)};
		v[n++] = (struct iovec){(void *)data, len};
	}
	if (tail_len > 0)
		v[n++] = (struct iovec){(void *)tail, tail_len};
	return n > 0 ? send_iov(b, v, n, more) : 0;
}

/* No more than was promised ever leaves (RFC 9112 6.3). */
static int
out_account(struct stream_block *b, size_t len)
{
	if (b->framing == OUT_NONE)
		return stream_fail(&b->s, "TX_ERROR");
	if (b->framing == OUT_LENGTH) {
		if (len > b->out_left)
			return stream_fail(&b->s, "TX_ERROR");
		b->out_left -= len;
	}
	b->s.body_sent += len;
	return 0;
}

static int
conn_stream_write(struct stream *s, const void *data, size_t len, bool more)
{
	struct stream_block *b = block_of(s);

	if (s->failed)
		return -1;
	if (len > 0 && out_account(b, len) != 0)
		return -1;
	if (b->framing == OUT_CHUNKED && len > 0)
		return out_write(b, data, len, "\r\n", 2, more);
	return out_write(b, data, len, NULL, 0, more);
}

static int
conn_stream_sendfile(struct stream *s, int fd, uint64_t offset, size_t len,
    bool more)
{
	struct stream_block *b = block_of(s);
	char chunk[H1_CHUNK_HEAD_MAX];
	off_t at = (off_t)offset;

	if (s->failed || out_account(b, len) != 0)
		return -1;
	if (b->framing == OUT_CHUNKED) {
		if (out_write(b, NULL, 0, chunk, h1_chunk_begin(chunk, len),
		    true) != 0)
			return -1;
		more = true;
	} else if (out_write(b, NULL, 0, NULL, 0, true) != 0) {
		return -1;
	}
	while (len > 0) {
		ssize_t k = sendfile(b->conn->src.fd, fd, &at, len);

		if (k > 0) {
			len -= (size_t)k;
			continue;
		}
		if (k < 0 && errno == EINTR)
			continue;
		/* shorter than it was, or its disk fails */
		if (k == 0 || errno == EIO) {
			stream_fail(s, "TX_ERROR");
			return STREAM_BAD_FILE;
		}
		if (errno != EAGAIN)
			return stream_fail(s, "TX_ERROR");
		if (send_wait(b) != 0)
			return -1;
	}
	if (b->framing == OUT_CHUNKED)
		return out_write(b, NULL, 0, "\r\n", 2, more);
	return 0;
}

static int
conn_stream_finish(struct stream *s)
{
	struct stream_block *b = block_of(s);

	if (s->failed)
		return -1;
	if (b->framing == OUT_LENGTH && b->out_left > 0)
		return stream_fail(s, "TX_ERROR");
	if (b->framing == OUT_CHUNKED)
		return s->last_chunk.p != NULL ? out_write(b, NULL, 0,
		    s->last_chunk.p, s->last_chunk.len, false) :
		    out_write(b, NULL, 0, H1_CHUNK_LAST,
		    sizeof H1_CHUNK_LAST - 1, false);
	return out_write(b, NULL, 0, NULL, 0, false);
}

/*
 * A response that was cut short ends in a reset or a plain close without
 * what would complete it; never in a last chunk (RFC 9112 8).
 */
static void
conn_stream_abort(struct stream *s)
{
	struct stream_block *b = block_of(s);

	if (b->framing == OUT_CLOSE && b->head_done) {
		/* closing is how this framing ends: it must be a reset */
		struct linger l = {1, 0};

		setsockopt(b->conn->src.fd, SOL_SOCKET, SO_LINGER, &l,
		    sizeof l);
	}
	stream_fail(s, "TX_ERROR");
}

static void
conn_stream_set_tos(struct stream *s, int tos)
{
	int fd = block_of(s)->conn->src.fd;

	if (s->peer->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
	else if (s->peer->sa.sa_family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
}

static struct source *
conn_stream_raw(struct stream *s, struct str *pending)
{
	struct stream_block *b = block_of(s);

	*pending = str_of(b->buf + b->body_at, b->conn->have - b->body_at);
	s->close = true;
	s->body_unread = false;
	b->body_done = true;
	return &b->conn->src;
}

static bool
conn_stream_peer_owner(struct stream *s, uid_t *uid, gid_t *gid)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (s->peer->sa.sa_family != AF_UNIX ||
	    getsockopt(block_of(s)->conn->src.fd, SOL_SOCKET, SO_PEERCRED,
	    &cred, &len) != 0)
		return false;
	*uid = cred.uid;
	*gid = cred.gid;
	return true;
}

static int
conn_stream_tcp_socket(struct stream *s)
{
	return s->peer->sa.sa_family != AF_UNIX ? block_of(s)->conn->src.fd
						: -1;
}

const struct stream_ops conn_stream_ops = {
	.read_body = conn_stream_read_body,
	.interim = conn_stream_interim,
	.head = conn_stream_head,
	.write = conn_stream_write,
	.sendfile = conn_stream_sendfile,
	.finish = conn_stream_finish,
	.abort = conn_stream_abort,
	.set_tos = conn_stream_set_tos,
	.raw = conn_stream_raw,
	.peer_owner = conn_stream_peer_owner,
	.tcp_socket = conn_stream_tcp_socket,
};
