/*
 * conn_impl.h - what conn.c and conn_stream.c share.
 */
#ifndef COPAL_CONN_IMPL_H
#define COPAL_CONN_IMPL_H

#include "conn.h"
#include "core.h"
#include "stream.h"

enum {
	/*
	 * Behind the largest head there is always this much room, for body
	 * bytes that came with it and for chunked bodies.
	 */
	CONN_BODY_ROOM = 16384,
};

/* 28 bytes for any IP address and port, against struct addr's 136. */
union conn_addr {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* A connection of a listener that speaks the PROXY protocol. */
struct conn_proxy {
	unsigned version;           /* 0: its header has not come */
	bool known;                 /* client and server were said */
	const char *why;            /* the header is none */
	union conn_addr client, server;
	size_t tlv_len;
	char *tlv;
};

struct conn {
	struct source src;
	struct core *core;
	struct conn *next, *prev;   /* of the core's */
	struct stream_block *block; /* NULL: idle */
	const struct listener *listener;
	struct timer timer;
	nsec_t deadline;            /* of idle or head; the timer looks */
	uint64_t xid;
	double t_open;
	uint32_t have;              /* bytes in the block's buffer */
	bool serving;
	bool lingering;             /* all is said; the client may not know */
	struct stream_timeouts timeouts;
	const char *why;            /* it is closed */
	struct conn_proxy *proxy;   /* NULL: it speaks HTTP from the start */
	union conn_addr peer, local;
};

/* The memory of an active connection: one block from the core's list. */
struct stream_block {
	struct stream s;
	struct conn *conn;
	struct addr peer, local, client, server;
	struct h1_scan scan;
	struct h1_chunked chunked;
	struct arena fields;
	uint64_t body_left;         /* H1_LENGTH */
	nsec_t body_waited;         /* for the client, in all */
	uint32_t body_at;           /* unread bytes in buf begin here */
	uint32_t end;               /* of what was consumed: next request */
	bool continue_sent, body_done, head_done;
	uint8_t framing;            /* of the response: enum out_framing */
	char *out;                  /* response head, not yet sent */
	size_t out_len, out_room;   /* out_room: behind it, for the body */
	uint64_t out_left;          /* OUT_LENGTH: bytes still to write */
	nsec_t send_deadline;       /* send_timeout */
	nsec_t overdue_look;        /* when is_overdue is asked again */
	uint32_t buf_size;
	char *buf;
};

enum out_framing { OUT_NONE, OUT_LENGTH, OUT_CHUNKED, OUT_CLOSE };

extern const struct stream_ops conn_stream_ops;

/* The request's body is used up or the connection can't go on. */
bool conn_stream_drain(struct stream_block *) WAITS;

#endif
