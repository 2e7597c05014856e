/*
 * pipe.c - return (pipe): the relay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backend.h"
#include "core.h"
#include "counters.h"
#include "deliver.h"
#include "fetch_head.h"
#include "params.h"
#include "pipe.h"
#include "stream.h"

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

bool
pipe_make_bereq(struct request *req, struct http *h)
{
	struct str connection = http_get_list(&req->http, FIELD_CONNECTION,
	    &req->ws);

	if (!http_init(h, &req->ws, params->http_max_hdr + FIELDS_OWN))
		return false;
	h->method = req->http.method;
	h->target = req->http.target;
	h->version = 11;
	for (unsigned i = 0; i < req->http.field_n; i++) {
		const struct field *f = &req->http.field[i];
		struct field_name name = {str_of(f->name, f->name_len), f->id};

		/* the body is relayed as it comes: its framing is the client's */
		if (http_is_hop_by_hop(f, connection) &&
		    f->id != FIELD_TRANSFER_ENCODING)
			continue;
		if (!http_add(h, &name, str_of(f->value, f->value_len)))
			return false;
	}
	return http_set_known(h, FIELD_X_COPAL, arena_printf(&req->ws, "%llu",
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

/*
 * Until the origin has said all, and the client has it; false: an end came
 * before that.
 */
static bool
relay(struct flow *up, struct flow *down)
{
	struct loop *loop = core_self()->loop;
	struct fiber *self = fiber_self();
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
			    FIBER_CANCELED)
				break;
			continue;
		}
		up->from->waiter = up->to->waiter = self;
		if (fiber_park("pipe", loop_now(loop) +
		    NSEC_S(params->pipe_timeout)) != FIBER_WOKEN)
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

static bool
send_head(struct request *req, struct backend_conn *conn,
    const struct http *h, struct str pending, uint64_t *bytes)
{
	size_t size = http_request_size(h);
	char *p = arena_bytes(&req->ws, size + pending.len);
	size_t at = 0;

	if (p == NULL)
		return false;
	http_write_request(h, p);
	if (pending.len > 0)
		memcpy(p + size, pending.p, pending.len);
	*bytes = size + pending.len;
	while (at < *bytes) {
		ssize_t n = send(conn->src.fd, p + at, *bytes - at,
		    MSG_NOSIGNAL);

		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return false;
		conn->src.ready &= (uint8_t)~SOURCE_WRITE;
		if (source_wait(&conn->src, SOURCE_WRITE, "backend",
		    loop_now(req->core->loop) +
		    NSEC_S(params->pipe_timeout)) != FIBER_WOKEN)
			return false;
	}
	return true;
}

void
pipe_run(struct request *req, struct http *bereq, struct backend *b)
{
	struct stream *s = req->stream;
	struct backend_conn *conn = NULL;
	struct flow up = {0}, down = {0};
	struct source *client;
	struct str pending;
	uint64_t head_bytes = 0;
	bool ok = false;
	double timeout = req->ctx.connect_timeout >= 0 ?
	    req->ctx.connect_timeout : b->connect_timeout >= 0 ?
	    b->connect_timeout : params->connect_timeout;
	int err;

	if (http_get(bereq, FIELD_CONNECTION).p == NULL)
		http_set_known(bereq, FIELD_CONNECTION, STR("close"));
	if (http_get(bereq, FIELD_HOST).p == NULL && b->host_header != NULL)
		http_set_known(bereq, FIELD_HOST, str_from_z(b->host_header));
	if (s->framing.expect_continue)
		s->ops->interim(s, 100);
	up.buf = malloc(2 * FLOW_BUF);
	if (up.buf == NULL || bereq->overflow ||
	    backend_get(b, true, timeout, &conn, &err) != BACKEND_OK) {
		log_put(&req->log, LOG_FETCH_ERROR,
		    STR("pipe: backend connection failed"));
		free(up.buf);
		s->close = true;
		if (deliver_synth_head(req, 503, STR_NULL))
			deliver_bytes(req, STR(""));
		else
			s->ops->abort(s);
		return;
	}
	COUNT_INC(s_pipe);
	client = s->ops->raw(s, &pending);
	log_head_fields(&req->log, LOG_BEREQ_HEADER, bereq);
	if (send_head(req, conn, bereq, pending, &head_bytes)) {
		log_txn_flush(&req->log);
		down.buf = up.buf + FLOW_BUF;
		up.from = down.to = client;
		up.to = down.from = &conn->src;
		ok = relay(&up, &down);
	}
	log_pipe_acct(&req->log, s->head.len, head_bytes, up.bytes,
	    down.bytes);
	s->close_reason = "TX_PIPE";
	free(up.buf);
	if (!ok) {
		close_will_reset(client->fd);
		close_will_reset(conn->src.fd);
		s->ops->abort(s);
	}
	backend_conn_put(&conn, false);
	s->close = true;
}
