/*
 * fetch_exchange.c - what goes to the origin and what it says: the request's
 * body on its way, 1xx, and the head of the final answer, which may come at
 * any time.
 */
#include <stdlib.h>

#include "core.h"
#include "fetch_head.h"
#include "fetch_impl.h"
#include "params.h"
#include "stream.h"
#include "trailers.h"

/* 1xx are not the answer (RFC 9110 15.2); a flood of them is cut. */
enum { INTERIM_MAX = 16 };

/* 103 goes on to the client, without what is for us (RFC 8297). */
static void
relay_interim(struct fetch *f)
{
	struct stream *s = f->req != NULL ? f->req->stream : NULL;

	log_status(&f->log, LOG_BERESP_STATUS, f->beresp.status);
	if (f->beresp.status != 103 || !params->early_hints || s == NULL ||
	    s->ops->interim == NULL)
		return;
	fetch_strip_beresp(f);
	fetch_strip_connection(f);
	s->ops->interim(s, &f->beresp);
}

/* The next head: a 1xx, or that of the final answer (x->answered). */
static enum upstream_error
read_head(struct fetching *x)
{
	struct fetch *f = x->f;
	struct h1_limits limits = {(uint32_t)params->http_resp_size,
	    (uint32_t)params->http_resp_hdr_len};
	enum upstream_error e;

	f->beresp.field_n = 0;
	f->beresp.overflow = false;
	e = upstream_read_head(&x->up, &f->beresp, &f->framing,
	    str_eq(f->bereq.method, STR("HEAD")), &limits);
	if (e != UP_OK)
		return e;
	if (f->beresp.status == 101) {
		x->up.why = "101 Switching Protocols without Upgrade";
		return UP_BAD_HEAD;
	}
	x->answered = f->beresp.status >= 200;
	if (x->answered)
		return UP_OK;
	if (++x->interim_n == INTERIM_MAX) {
		x->up.why = "too many 1xx responses";
		return UP_BAD_HEAD;
	}
	relay_interim(f);
	return UP_OK;
}

enum upstream_error
fetch_read_answer(struct fetching *x)
{
	enum upstream_error e = UP_OK;

	while (e == UP_OK && !x->answered)
		e = read_head(x);
	return e;
}

/*
 * The origin speaks while the body is sent.  An error, or its last answer, is
 * the end of that (RFC 9112 9.5); what it says else can wait.
 */
static enum upstream_error
answer_while_sending(void *priv)
{
	struct fetching *x = priv;
	enum upstream_error e;

	do {
		e = read_head(x);
	} while (e == UP_OK && !x->answered && x->up.have > x->up.at);
	if (e != UP_OK || !x->answered)
		return e;
	x->up.on_answer = NULL;
	return x->f->beresp.status >= 400 || !x->f->framing.keep_alive ?
	    UP_ANSWERED : UP_OK;
}

/*
 * The client waits for 100 Continue, and so do we (RFC 9110 10.1.1); many
 * origins know nothing of it.
 */
static enum upstream_error
ask_for_body(struct fetching *x)
{
	enum upstream_error e = UP_OK;

	if (http_get(&x->f->bereq, FIELD_EXPECT).p == NULL)
		return UP_OK;
	while (e == UP_OK && !x->answered) {
		if (x->up.have == x->up.at)
			e = upstream_wait_answer(&x->up,
			    params->expect_timeout);
		if (e == UP_FIRST_BYTE)
			return UP_OK;
		if (e == UP_OK)
			e = read_head(x);
		if (e == UP_OK && x->f->beresp.status == 100)
			return UP_OK;
	}
	return e == UP_OK ? UP_ANSWERED : e;
}

static enum upstream_error
send_own_body(struct fetching *x)
{
	enum upstream_error e = upstream_send_body(&x->up, x->f->own_body,
	    x->f->own_body_len, false);

	return e == UP_OK ? upstream_send_end(&x->up, false) : e;
}

/* The client's body goes to the origin as it comes. */
enum upstream_error
fetch_send_body(struct fetching *x)
{
	struct fetch *f = x->f;
	enum upstream_error e;
	struct stream *s;
	bool chunked;
	char *buf;

	if (f->own_body != NULL)
		return send_own_body(x);
	s = f->req->stream;
	chunked = f->sends_chunked;
	buf = malloc(REQUEST_BODY_WINDOW);
	e = buf == NULL ? UP_NO_MEMORY : ask_for_body(x);
	trailers_of_request_begin(f);
	x->up.on_answer = answer_while_sending;
	x->up.on_answer_priv = x;
	while (e == UP_OK) {
		ssize_t n = s->ops->read_body(s, buf, REQUEST_BODY_WINDOW);

		if (n < 0)
			e = UP_CLIENT; /* cut short: never completed */
		else if (n == 0)
			break;
		else {
			f->body_sent = true;
			e = upstream_send_body(&x->up, buf, (size_t)n, chunked);
		}
	}
	free(buf);
	if (e == UP_OK)
		e = chunked ? trailers_of_request_send(f, &x->up) :
		    upstream_send_end(&x->up, false);
	s->trailer = NULL;
	x->up.on_answer = NULL;
	return e;
}
