/*
 * stream.h - one request and its response, whatever carries them.
 *
 * The request path sees this and nothing else of the network: an HTTP/1
 * connection gives it one stream at a time, HTTP/2 many.  A stream comes with
 * its request head parsed, and with memory for the request.
 *
 *	head_received -> (read_body | interim)* -> head -> (write | sendfile)*
 *	              -> finish | abort
 *
 * Operations return 0 (or a count), or -1: the client is gone or too slow,
 * the stream must be aborted.  They park the fiber until the client takes the
 * bytes, for at most idle_send_timeout without progress and send_timeout in
 * all.
 */
#ifndef COPAL_STREAM_H
#define COPAL_STREAM_H

#include "arena.h"
#include "http1.h"
#include "loop.h"
#include "sock.h"

struct core;
struct stream;
struct listener;

enum stream_body {
	STREAM_NO_BODY,  /* the head is all (HEAD, 204, 304) */
	STREAM_LENGTH,   /* len bytes will follow */
	STREAM_UNKNOWN,  /* until finish */
};

/* Of sendfile: the file can't be read, or is shorter than it was. */
enum { STREAM_BAD_FILE = -2 };

struct stream_ops {
	/* The next bytes of the request's body: > 0, 0: its end, -1 */
	ssize_t (*read_body)(struct stream *, void *buf, size_t len) WAITS;
	/*
	 * A 1xx response, at once: what the client does not take now is
	 * dropped, since it must not keep others waiting.  NULL: can't.
	 */
	int (*interim)(struct stream *, const struct http *);
	/*
	 * The response's head; framing fields are added here.  It is sent
	 * with the first bytes of the body, or by finish.  mem: for the bytes,
	 * until the stream is finished.
	 */
	int (*head)(struct stream *, const struct http *, enum stream_body,
	    uint64_t len, struct arena *mem);
	/*
	 * more: there is more to come at once (MSG_MORE).  No bytes: the head
	 * goes out if it has not.
	 */
	int (*write)(struct stream *, const void *, size_t, bool more) WAITS;
	/* Or STREAM_BAD_FILE: it is not the client's fault. */
	int (*sendfile)(struct stream *, int fd, uint64_t offset, size_t,
	    bool more) WAITS;
	int (*finish)(struct stream *) WAITS;
	/* The response can't be completed: the client must see that. */
	void (*abort)(struct stream *);
	/* Type of service of the connection's packets (std.set_ip_tos). */
	void (*set_tos)(struct stream *, int tos);
	/*
	 * For pipe: the bare connection, and bytes received after the head.
	 * The stream is finished with finish or abort, and closes. NULL: can't.
	 */
	struct source *(*raw)(struct stream *, struct str *pending);
	/* Who has the other end of a unix socket; false: not known. */
	bool (*peer_owner)(struct stream *, uid_t *, gid_t *);
	/* The client's TCP socket, for its options; -1: there is none. */
	int (*tcp_socket)(struct stream *);
};

/* Timeouts of the connection that policy may set (sess.*); < 0: parameter. */
struct stream_timeouts {
	float idle, send, idle_send;
};

struct stream {
	const struct stream_ops *ops;
	struct core *core;
	struct http http;            /* the request; fields in its own memory */
	struct h1_framing framing;   /* of the request's body */
	struct str head;             /* as received */
	void *mem;                   /* for the request path */
	size_t mem_len;
	uint64_t sess_xid;
	double t_first;              /* wall clock: first byte of the head */
	const struct addr *peer, *local;   /* the connection's ends */
	/* whose request it is and where to: as the PROXY protocol says */
	const struct addr *client, *server;
	struct str proxy_tlv;              /* what else it says */
	const struct listener *listener;
	bool close;                  /* no other request after this one */
	bool failed;                 /* an operation returned -1 */
	bool head_out;               /* bytes of the head may have been sent */
	bool body_unread;            /* the request's body is not all read */
	/*
	 * Why read_body returned -1 although the client may still be
	 * answered: 400 malformed or cut short, 408 too slow; else 0.
	 */
	uint16_t body_status;
	/* "0", trailer fields and an empty line, for the end of a chunked
	 * response; p NULL: no trailers */
	struct str last_chunk;
	/*
	 * Where the trailer section of a chunked request is kept, as it came;
	 * set before the end of the body is read.  NULL: it is not wanted.
	 */
	char *trailer;
	uint32_t trailer_cap, trailer_len;
	struct stream_timeouts timeouts; /* stay for the next request */
	/*
	 * Asked each second in which we wait for the client: must it be cut
	 * off, since what it holds is wanted back?  NULL: it may wait.
	 */
	bool (*is_overdue)(void *arg);
	void *overdue_arg;
	uint64_t body_received;
	uint64_t head_sent, body_sent; /* bytes */
	const char *close_reason;    /* for the log */
};

#endif
