/*
 * backend_conn.h - connections to origins: made, kept idle, used again.
 *
 * Idle connections are kept by each core for itself, most recently used
 * first.
 */
#ifndef COPAL_BACKEND_CONN_H
#define COPAL_BACKEND_CONN_H

#include "backend.h"
#include "loop.h"

/* An open connection to an origin; belongs to one core. */
struct backend_conn {
	struct source src;
	struct backend_pool *pool; /* counted */
	struct backend *backend; /* that it is used for, counted; NULL: idle */
	struct addr addr;       /* of the peer */
	unsigned generation;    /* of the name's addresses it is one of */
	struct backend_conn *next;
	struct timer idle_timer;
	nsec_t began;           /* when it was asked for */
	bool reused;            /* it has carried a request before */
	uint64_t requests;
};

enum backend_error {
	BACKEND_OK,
	BACKEND_BUSY,    /* max_connections */
	BACKEND_SICK_NOW,
	BACKEND_REFUSED, /* connect failed; errno in *err */
	BACKEND_TIMEOUT,
	BACKEND_CANCELED,
	BACKEND_NO_ADDRESS,
};

struct backend_wish {
	bool fresh;             /* no connection that was used before */
	double connect_timeout; /* seconds */
	/* of the client's connection, for .proxy_header; NULL: there is none */
	const struct addr *client, *local;
};

/*
 * An idle connection of an origin (not a director), or a new one; waits in
 * line first if max_connections are at work.  *out is the caller's, to
 * backend_conn_put; *err: errno.
 */
enum backend_error backend_get(struct backend *, const struct backend_wish *,
    struct backend_conn **out, int *err) WAITS;
/* Keeps it for reuse, or closes it. */
void backend_conn_put(struct backend_conn **, bool keep);
/* For the log: "backend b1: unhealthy" and the like. */
void backend_error_text(enum backend_error, const struct backend *, int err,
    char *out, size_t out_len);

/*
 * A new connection that counts for nothing, for a probe: with what each
 * connection of this backend begins with.
 */
enum backend_error backend_dial(struct backend *, nsec_t deadline,
    const struct addr *client, const struct addr *local,
    struct backend_conn **out, int *err) WAITS;
void backend_hang_up(struct backend_conn **);

/* Closes those idle on the core, whose thread calls it. */
void backend_close_idle(struct backend_pool *, unsigned core);
/* Has every core close what is idle, if the pool is not warm again by then. */
void backend_conns_close(struct backend_pool *);

#endif
