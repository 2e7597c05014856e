/*
 * upstream.c - HTTP/1 towards an origin.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core.h"
#include "upstream.h"

static enum upstream_error
wait_for(struct upstream *u, uint8_t want, nsec_t deadline,
    enum upstream_error timed_out)
{
	switch (source_wait(&u->conn->src, want, "backend", deadline)) {
	case FIBER_WOKEN:
		return UP_OK;
	case FIBER_TIMEOUT:
		return timed_out;
	case FIBER_CANCELED:
		break;
	}
	return UP_CANCELED;
}

static nsec_t
in_seconds(double s)
{
	return loop_now(core_self()->loop) + NSEC_S(s);
}

/* Does the origin speak before we are done? */
static enum upstream_error
look_for_answer(struct upstream *u)
{
	ssize_t n;
	char byte;

	if (u->on_answer == NULL)
		return UP_OK;
	n = recv(u->conn->src.fd, &byte, 1, MSG_PEEK);
	if (n > 0)
		return u->on_answer(u->on_answer_priv);
	u->conn->src.ready &= (uint8_t)~SOURCE_READ;
	if (n == 0 || errno != EAGAIN)
		u->on_answer = NULL; /* and nothing more will come */
	return UP_OK;
}

static enum upstream_error
wait_to_send(struct upstream *u)
{
	uint8_t want = SOURCE_WRITE | (u->on_answer ? SOURCE_READ : 0);

	u->conn->src.ready &= (uint8_t)~SOURCE_WRITE;
	return wait_for(u, want, in_seconds(u->between_bytes_timeout),
	    UP_SEND);
}

static enum upstream_error
send_all(struct upstream *u, struct iovec *v, unsigned n)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n};

	while (m.msg_iovlen > 0) {
		ssize_t k;

		k = sendmsg(u->conn->src.fd, &m, MSG_NOSIGNAL);
		if (k < 0) {
			enum upstream_error e;

			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				return UP_SEND;
			e = look_for_answer(u);
			if (e == UP_OK)
				e = wait_to_send(u);
			if (e != UP_OK)
				return e;
			continue;
		}
		sock_sent(&m, (size_t)k);
	}
	return UP_OK;
}

enum upstream_error
upstream_send_head(struct upstream *u, const struct http *h,
    struct arena *mem)
{
	arena_mark m = arena_snapshot(mem);
	size_t size = http_request_size(h);
	char *p = arena_bytes(mem, size);
	struct iovec v = {p, size};
	enum upstream_error e;

	if (p == NULL)
		return UP_NO_MEMORY;
	http_write_request(h, p);
	u->sent_head += size;
	e = send_all(u, &v, 1);
	arena_rollback(mem, m);
	return e;
}

enum upstream_error
upstream_send_body(struct upstream *u, const void *p, size_t len,
    bool chunked)
{
	char head[H1_CHUNK_HEAD_MAX];
	struct iovec v[3] = {{head, 0}, {(void *)p, len}, {(void *)"\r\n", 0}};
	enum upstream_error e;

	if (len == 0)
		return UP_OK;
	e = look_for_answer(u);
	if (e != UP_OK)
		return e;
	if (chunked) {
		v[0].iov_len = h1_chunk_begin(head, len);
		v[2].iov_len = 2;
	}
	u->sent_body += len;
	return send_all(u, v, 3);
}

enum upstream_error
upstream_send_end(struct upstream *u, bool chunked)
{
	struct iovec v = {(void *)H1_CHUNK_LAST, sizeof H1_CHUNK_LAST - 1};

	return chunked ? send_all(u, &v, 1) : UP_OK;
}

/* *n == 0: the end of the stream.  first: of an answer */
static enum upstream_error
receive(struct upstream *u, char *to, size_t room, size_t *n, bool first,
    nsec_t deadline)
{
	for (;;) {
		ssize_t k = recv(u->conn->src.fd, to, room, 0);
		enum upstream_error e;

		if (k >= 0) {
			if (k < (ssize_t)room && k > 0)
				u->conn->src.ready &= (uint8_t)~SOURCE_READ;
			if (k == 0)
				u->eof = true;
			*n = (size_t)k;
			return UP_OK;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN) {
			u->eof = true;
			return first ? UP_CLOSED_EARLY : UP_CUT;
		}
		u->conn->src.ready &= (uint8_t)~SOURCE_READ;
		e = wait_for(u, SOURCE_READ, deadline,
		    first ? UP_FIRST_BYTE : UP_BETWEEN_BYTES);
		if (e != UP_OK)
			return e;
	}
}

enum upstream_error
upstream_wait_answer(struct upstream *u, double seconds)
{
	u->conn->src.ready &= (uint8_t)~SOURCE_READ;
	return wait_for(u, SOURCE_READ, in_seconds(seconds), UP_FIRST_BYTE);
}

/* The head is long; its fields are taken apart when it is complete. */
static bool
make_room(struct upstream *u, size_t limit)
{
	size_t cap = u->cap < limit / 4 ? u->cap * 4 : limit;
	char *p = arena_bytes(u->mem, cap);

	if (p == NULL)
		return false;
	memcpy(p, u->buf, u->have);
	u->buf = p;
	u->cap = cap;
	return true;
}

enum upstream_error
upstream_read_head(struct upstream *u, struct http *h,
    struct h1_framing *framing, bool head_request,
    const struct h1_limits *limits)
{
	size_t limit = limits->head, room;
	/* for the first byte; then for all the others: a byte a second is
	 * progress, but no head */
	nsec_t whole = in_seconds(u->first_byte_timeout);

	if (u->at > 0) { /* after a 1xx */
		u->have -= u->at;
		memmove(u->buf, u->buf + u->at, u->have);
		u->at = 0;
		u->scan.seen = 0;
	}
	for (;;) {
		enum upstream_error e;
		size_t n, head_len;
		nsec_t deadline;

		if (u->have > 0) {
			switch (h1_parse_response(h, framing, head_request,
			    u->buf, u->have, &u->scan, limits, &head_len,
			    &u->why)) {
			case H1_OK:
				u->at = head_len;
				u->got_head += head_len;
				u->left = framing->length;
				memset(&u->chunked, 0, sizeof u->chunked);
				return UP_OK;
			case H1_MORE:
				break;
			case H1_TOO_LONG:
			case H1_TARGET_TOO_LONG:
				return UP_TOO_LONG;
			case H1_BAD:
			case H1_VERSION:
			case H1_CODING:
				return UP_BAD_HEAD;
			}
		}
		if (u->have >= limit)
			return UP_TOO_LONG;
		if (u->have == u->cap && !make_room(u, limit))
			return UP_NO_MEMORY;
		room = (limit < u->cap ? limit : u->cap) - u->have;
		deadline = u->have == 0 ? whole :
		    in_seconds(u->between_bytes_timeout);
		e = receive(u, u->buf + u->have, room, &n, u->have == 0,
		    deadline < whole ? deadline : whole);
		if (e != UP_OK)
			return e;
		if (u->have == 0)
			whole = in_seconds(u->first_byte_timeout);
		if (n == 0) {
			u->why = "closed in the middle of the head";
			return u->have == 0 ? UP_CLOSED_EARLY : UP_BAD_HEAD;
		}
		u->have += n;
	}
}

/* Bytes from behind the head, or from the connection. */
static enum upstream_error
take(struct upstream *u, char *to, size_t room, size_t *n)
{
	size_t there = u->have - u->at;

	if (there == 0)
		return receive(u, to, room, n, false,
		    in_seconds(u->between_bytes_timeout));
	*n = there < room ? there : room;
	memcpy(to, u->buf + u->at, *n);
	u->at += *n;
	return UP_OK;
}

/*
 * Decodes in place: the data of each chunk moves down over its framing.
 * What is behind the last chunk makes the connection useless.
 */
static enum upstream_error
read_chunked(struct upstream *u, char *to, size_t room, size_t *out)
{
	*out = 0;
	while (*out == 0) {
		size_t n, at = 0;
		enum upstream_error e;

		e = take(u, to, room, &n);
		if (e != UP_OK)
			return e;
		if (n == 0)
			return UP_CUT;
		while (at < n) {
			struct str data;
			size_t used;
			enum h1_chunk_result r = h1_chunked_next(&u->chunked,
			    to + at, n - at, &used, &data);

			if (r == H1_CHUNK_BAD)
				return UP_BAD_CHUNK;
			if (data.len > 0)
				memmove(to + *out, data.p, data.len);
			*out += data.len;
			at += used;
			if (r == H1_CHUNK_END) {
				u->left = 0;
				if (at < n) /* more than was announced */
					u->eof = true;
				u->ended = true;
				return UP_OK;
			}
		}
	}
	return UP_OK;
}

enum upstream_error
upstream_read_body(struct upstream *u, const struct h1_framing *framing,
    char *to, size_t room, size_t *n)
{
	enum upstream_error e = UP_OK;

	*n = 0;
	if (u->ended)
		return UP_OK;
	switch (framing->body) {
	case H1_NONE:
		return UP_OK;
	case H1_CHUNKED:
		e = read_chunked(u, to, room, n);
		break;
	case H1_LENGTH:
		if (u->left == 0)
			return UP_OK;
		e = take(u, to, room < u->left ? room : (size_t)u->left, n);
		if (e == UP_OK && *n == 0)
			e = UP_CUT;
		u->left -= *n;
		break;
	case H1_UNTIL_CLOSE:
		e = take(u, to, room, n);
		break;
	}
	u->got_body += *n;
	return e;
}

const char *
upstream_error_text(const struct upstream *u, enum upstream_error e)
{
	switch (e) {
	case UP_OK:
		return "ok";
	case UP_SEND:
		return "send failed";
	case UP_CLOSED_EARLY:
		return "backend closed without an answer";
	case UP_FIRST_BYTE:
		return "first byte timeout";
	case UP_BETWEEN_BYTES:
		return "between bytes timeout";
	case UP_BAD_HEAD:
		return u->why;
	case UP_TOO_LONG:
		return "response head too long";
	case UP_CUT:
		return "body cut short";
	case UP_BAD_CHUNK:
		return "bad chunked coding";
	case UP_BAD_CODING:
		return u->why;
	case UP_NO_MEMORY:
		return "out of memory";
	case UP_CLIENT:
		return "client's body could not be read";
	case UP_ANSWERED:
		return "answered before the request was sent";
	case UP_CANCELED:
		return "shutting down";
	}
	return "";
}
