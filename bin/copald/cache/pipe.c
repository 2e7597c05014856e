/*
 * pipe.c - return (pipe): the relay.
 */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backend_conn.h"
#include "core.h"
#include "counters.h"
#include "deliver.h"
#include "fetch_head.h"
#include "hops.h"
#include "params.h"
#include "req_body.h"
#include "pipe.h"
#include "stream.h"
#include "upstream.h"

/* One direction: a buffer between two sockets. */
struct flow {
	struct source *from, *to;
	char *buf;
	size_t at, end;      /* bytes in buf */
	uint64_t bytes;
	bool eof, done;      /* no more to read; and all of it passed on */
};

/* A socket's worth: larger gains nothing for interactive traffic. */
enum { FLOW_BUF = 16384 };

/* Of all cores. */
static _Atomic unsigned pipe_n;

bool
pipe_enter(void)
{
	unsigned before = atomic_fetch_add(&pipe_n, 1);

	if (params->pipe_sess_max > 0 && before >= params->pipe_sess_max) {
		atomic_fetch_sub(&pipe_n, 1);
		COUNT_INC(pipe_limited);
		return false;
	}
	COUNT_INC(n_pipe);
	return true;
}

void
pipe_leave(void)
{
	atomic_fetch_sub(&pipe_n, 1);
	COUNT_ADD(n_pipe, -1);
}

bool
pipe_make_bereq(struct request *req, struct http *h)
{
	if (!http_init(h, &req->ws, params->http_max_hdr + FIELDS_OWN))
		return false;
	h->method = req->http.method;
	h->target = req->http.target;
	h->version = 11;
	for (unsigned i = 0; i < req->http.field_n; i++) {
		const struct field *f = &req->http.field[i];
		struct field_name name = {str_of(f->name, f->name_len), f->id};

		/* the body is relayed as it comes, framed by the client */
		if (http_is_hop_by_hop(f, STR_NULL) &&
		    f->id != FIELD_TRANSFER_ENCODING)
			continue;
		if (!http_add(h, &name, str_of(f->value, f->value_len)))
			return false;
	}
	return hops_count(h, req->http.version, &req->ws) &&
	    http_set_known(h, FIELD_X_COPAL, arena_printf(&req->ws, "%llu",
	    (unsigned long long)req->xid));
}

enum flow_result {
	FLOW_OK,
	FLOW_FROM_FAILED,
	FLOW_TO_FAILED,
};

/* Bytes moved in a row before other connections get a turn: 1 MiB */
enum { FLOW_BATCH = 64 };

/* Moves what can be moved without waiting, or a batch. */
static enum flow_result
flow_move(struct flow *f)
{
	for (unsigned received = 0; received < FLOW_BATCH;) {
		ssize_t n;

		if (f->at < f->end) {
			n = send(f->to->fd, f->buf + f->at, f->end - f->at,
			    MSG_NOSIGNAL);
			if (n < 0 && errno == EAGAIN)
				return FLOW_OK;
			if (n < 0 && errno != EINTR)
				return FLOW_TO_FAILED;
			if (n > 0) {
				f->at += (size_t)n;
				f->bytes += (uint64_t)n;
			}
			continue;
		}
		if (f->eof) {
			if (!f->done)
				shutdown(f->to->fd, SHUT_WR);
			f->done = true;
			return FLOW_OK;
		}
		n = recv(f->from->fd, f->buf, FLOW_BUF, 0);
		if (n < 0 && errno == EAGAIN)
			return FLOW_OK;
		if (n < 0 && errno != EINTR)
			return FLOW_FROM_FAILED;
		if (n == 0)
			f->eof = true;
		f->at = 0;
		f->end = n > 0 ? (size_t)n : 0;
		received++;
	}
	return FLOW_OK;
}

static double
idle_limit(void)
{
	return params->pipe_timeout > 0 ? params->pipe_timeout : INFINITY;
}

/*
 * Until the origin has said all, and the client has it; false: an end came
 * before that, or the deadline.
 */
static bool
relay(struct flow *up, struct flow *down, nsec_t deadline)
{
	struct loop *loop = core_self()->loop;
	struct fiber *self = fiber_self();
	nsec_t until;
	bool ok = false;

	for (;;) {
		uint64_t before = up->bytes + down->bytes;

		switch (flow_move(up)) {
		case FLOW_OK:
			break;
		case FLOW_FROM_FAILED:
			goto out;
		case FLOW_TO_FAILED:
			/* it takes no more, but may have answered before */
			up->at = up->end;
			up->eof = up->done = true;
			break;
		}
		if (flow_move(down) != FLOW_OK)
			break;
		ok = down->done;
		if (ok)
			break;
		if (up->bytes + down->bytes != before) {
			/* a turn for others; or the end, also for a fast one */
			if (fiber_park("its next turn", loop_now(loop)) ==
			    FIBER_CANCELED || loop_now(loop) >= deadline)
				break;
			continue;
		}
		up->from->waiter = up->to->waiter = self;
		until = loop_now(loop) + NSEC_S(idle_limit());
		if (fiber_park("pipe", until < deadline ? until : deadline) !=
		    FIBER_WOKEN)
			break;
	}
out:
	up->from->waiter = up->to->waiter = NULL;
	return ok;
}

/* Closing this socket will say that something is missing. */
static void
close_will_reset(int fd)
{
	struct linger l = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

/*
 * After the head: the body if std.cache_req_body() has it, and what the client
 * sent behind that.
 */
static bool
send_first(struct request *req, struct upstream *u, struct str pending,
    char *buf, size_t room)
{
	struct stream *s = req->stream;
	bool kept = req->buffered && req->framing.body != H1_NONE;
	bool chunked = req->framing.body == H1_CHUNKED;
	enum upstream_error e = UP_OK;
	ssize_t n;

	while (kept && e == UP_OK && (n = s->ops->read_body(s, buf, room)) > 0)
		e = upstream_send_body(u, buf, (size_t)n, chunked);
	if (kept && e == UP_OK)
		e = upstream_send_end(u, chunked);
	if (e == UP_OK)
		e = upstream_send_body(u, pending.p, pending.len, false);
	return e == UP_OK;
}

/* No connection to the origin. */
static void
answer_failure(struct request *req, unsigned status, const char *why)
{
	log_put(&req->log, LOG_FETCH_ERROR, str_from_z(why));
	req->stream->close = true;
	if (deliver_synth_head(req, status, STR_NULL))
		deliver_bytes(req, STR(""));
	else
		req->stream->ops->abort(req->stream);
}

bool
pipe_run(struct request *req, struct http *bereq, struct backend *b)
{
	struct stream *s = req->stream;
	struct backend_conn *conn = NULL;
	struct flow up = {0}, down = {0};
	struct source *client;
	struct str pending;
	struct upstream first = {0};
	bool ok = false;
	struct backend_wish wish = {true, req->ctx.connect_timeout >= 0 ?
	    req->ctx.connect_timeout : b->connect_timeout >= 0 ?
	    b->connect_timeout : params->connect_timeout, req->client,
	    req->server};
	double longest = req->ctx.task_deadline >= 0 ?
	    req->ctx.task_deadline : params->pipe_task_deadline;
	enum backend_error e = BACKEND_OK;
	enum upstream_error sent;
	char text[300] = "pipe: out of memory";
	int err;

	/* a restart: it can't be had again, and its end would be missed */
	if (!req_body_is_there(req)) {
		answer_failure(
		    req, 503, "pipe: the request's body was sent before");
		return true;
	}
	if (http_get(bereq, FIELD_CONNECTION).p == NULL)
		http_set_known(bereq, FIELD_CONNECTION, STR("close"));
	if (http_get(bereq, FIELD_HOST).p == NULL && b->host_header != NULL)
		http_set_known(bereq, FIELD_HOST, str_from_z(b->host_header));
	if (bereq->overflow)
		return false;
	if (s->framing.expect_continue)
		s->ops->interim(s, &(struct http){.status = 100});
	up.buf = malloc(2 * FLOW_BUF);
	if (up.buf == NULL ||
	    (e = backend_get(b, &wish, &conn, &err)) != BACKEND_OK) {
		if (e != BACKEND_OK)
			backend_error_text(e, b, err, text, sizeof text);
		free(up.buf);
		answer_failure(req, e == BACKEND_OK ? 503 :
		    failure_status(failure_of_backend(e)), text);
		return true;
	}
	first.conn = conn;
	first.between_bytes_timeout = idle_limit();
	sent = upstream_send_head(&first, bereq, &req->ws);
	if (sent != UP_OK) { /* nothing of the client's is lost: it is told */
		free(up.buf);
		backend_conn_put(&conn, false);
		if (sent == UP_NO_MEMORY)
			return false;
		answer_failure(req, failure_status(failure_of_upstream(sent)),
		    upstream_error_text(&first, sent));
		return true;
	}
	COUNT_INC(s_pipe);
	client = s->ops->raw(s, &pending);
	log_head_fields(&req->log, LOG_BEREQ_HEADER, bereq);
	if (send_first(req, &first, pending, up.buf, 2 * FLOW_BUF)) {
		log_txn_flush(&req->log);
		down.buf = up.buf + FLOW_BUF;
		up.from = down.to = client;
		up.to = down.from = &conn->src;
		ok = relay(&up, &down, longest > 0 ?
		    loop_now(req->core->loop) + NSEC_S(longest) : NSEC_NEVER);
	}
	COUNT_ADD(s_pipe_hdrbytes, (int64_t)s->head.len);
	COUNT_ADD(s_pipe_in, (int64_t)(first.sent_body + up.bytes));
	COUNT_ADD(s_pipe_out, (int64_t)down.bytes);
	log_pipe_acct(&req->log, s->head.len,
	    first.sent_head + first.sent_body, up.bytes, down.bytes);
	s->close_reason = "TX_PIPE";
	free(up.buf);
	if (!ok) {
		close_will_reset(client->fd);
		close_will_reset(conn->src.fd);
		s->ops->abort(s);
	}
	backend_conn_put(&conn, false);
	s->close = true;
	return true;
}
