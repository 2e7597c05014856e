/*
 * upstream.h - one HTTP/1 exchange with an origin over a connection.
 *
 * Head out, body out, head in, body in; strict framing (RFC 9112).  All waits
 * have a deadline: first byte, then between bytes.
 */
#ifndef COPAL_UPSTREAM_H
#define COPAL_UPSTREAM_H

#include "backend_conn.h"
#include "body.h"
#include "http1.h"

enum upstream_error {
	UP_OK,
	UP_SEND,          /* the connection failed while we sent */
	UP_CLOSED_EARLY,  /* closed before any byte of an answer */
	UP_FIRST_BYTE,    /* first_byte_timeout */
	UP_BETWEEN_BYTES,
	UP_BAD_HEAD,      /* not HTTP, or ambiguous */
	UP_TOO_LONG,
	UP_CUT,           /* the body ended before its end */
	UP_BAD_CHUNK,
	UP_BAD_CODING,    /* a filter can't unpack the body */
	UP_NO_MEMORY,
	UP_CLIENT,        /* the client's body could not be read */
	UP_ANSWERED,      /* the final answer came, no more is to be sent */
	UP_CANCELED,
};

struct upstream {
	struct backend_conn *conn;
	/*
	 * While a body is sent: called when the origin says something, and
	 * says whether to go on (UP_OK).  NULL: nobody looks.
	 */
	enum upstream_error (*on_answer)(void *priv) WAITS;
	void *on_answer_priv;
	double first_byte_timeout, between_bytes_timeout;
	char *buf;            /* for the head */
	size_t cap, have, at; /* bytes after the head begin at at */
	struct arena *mem;    /* for a larger buf */
	struct h1_scan scan;
	struct h1_chunked chunked;
	uint64_t left;
	bool eof;             /* not to be used again */
	bool ended;           /* the body is complete */
	const char *why;      /* of UP_BAD_HEAD, UP_BAD_CODING: static text */
	uint64_t sent_head, sent_body, got_head, got_body;
};

/* The head, and that is all if there is no body. mem: for its bytes. */
enum upstream_error upstream_send_head(struct upstream *, const struct http *,
    struct arena *mem) WAITS;
/* A piece of the request's body; chunked: with the framing around it. */
enum upstream_error upstream_send_body(struct upstream *, const void *,
    size_t, bool chunked) WAITS;
enum upstream_error upstream_send_end(struct upstream *, bool chunked) WAITS;

/* Until the origin says something, or UP_FIRST_BYTE. */
enum upstream_error upstream_wait_answer(struct upstream *, double seconds)
    WAITS;
/* Forgets a head that was read (1xx), and reads the next.  first_byte_timeout
 * holds for its first byte, and from there on for the rest. */
enum upstream_error upstream_read_head(struct upstream *, struct http *,
    struct h1_framing *, bool head_request, const struct h1_limits *) WAITS;
/*
 * Some more bytes of the body, straight into to[0..room); *n == 0: its end.
 */
enum upstream_error upstream_read_body(struct upstream *,
    const struct h1_framing *, char *to, size_t room, size_t *n) WAITS;

const char *upstream_error_text(const struct upstream *, enum upstream_error);

#endif
