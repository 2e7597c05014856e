/*
 * fetch.h - a request to an origin, on a fiber of its own.
 *
 *  backend_fetch -> connect, send -> backend_response | backend_refresh
 *                        \-> backend_error
 *
 * It outlives the client that caused it.  The request waits for
 * FETCH_READY (the head is there, the object is in the index or private) or
 * FETCH_FAILED.
 */
#ifndef COPAL_FETCH_H
#define COPAL_FETCH_H

#include "request.h"

/* Bytes of a request's body that are on their way to the origin at a time. */
enum { REQUEST_BODY_WINDOW = 65536 };

enum fetch_state { FETCH_RUNNING, FETCH_READY, FETCH_FAILED, FETCH_DONE };

struct fetch {
	_Atomic uint32_t ref;
	_Atomic int state;       /* enum fetch_state */
	struct core *core;
	struct request *req;     /* waits for us; NULL: in the background, or gone on */
	struct fiber *waiter;    /* the request's, same core */
	struct program *program; /* counted */
	struct arena ws;
	struct vcl_ctx ctx;      /* this fetch as VCL sees it */
	uint64_t xid;
	double t_start, t_last;
	struct log_txn log;

	struct http bereq0;      /* as it was made from req: retries begin here */
	struct http bereq;
	struct http beresp;
	struct h1_framing framing; /* of the response */

	/* what VCL reads and writes */
	struct key key;          /* copy */
	struct backend *backend; /* bereq.backend, beresp.backend */
	const struct vcl_stevedore *storage;
	double connect_timeout, first_byte_timeout, between_bytes_timeout;
	double ttl, grace, keep, t_origin, age;
	bool is_bgfetch, uncacheable, was_304, do_stream, do_gzip, do_gunzip,
	    do_esi, is_hitpass, is_hitmiss, trace, make_hitpass;
	bool is_pass;            /* bereq.uncacheable */
	unsigned retries;
	const struct addr *remote;
	struct addr remote_addr;
	bool has_body;           /* the request's body is to be sent */
	bool body_sent;          /* some of it has been */

	struct objhead *busy;    /* to be released when we know */
	struct object *stale;    /* counted: for a conditional request */
	struct object *obj;      /* counted: what we make */
	uint64_t inval_seq;      /* of the log when we began */
	uint64_t purges;         /* carried out when we began */
	_Atomic bool purged;     /* the key was purged while we were under way */
	struct objhead *key_head; /* we are in its list of fetches */
	struct fetch *next_of_key;
	struct str vary;

	const char *error;       /* why it failed: static text */
	uint64_t sent_head, sent_body, got_head, got_body;
	char *block;             /* for the response's head */
	size_t block_len;

	/* of the request, which may end before we do */
	struct addr peer, local;
	const char *listener_name;
	struct str client_identity;
	uint64_t sess_xid;
};

enum fetch_kind { FETCH_MISS, FETCH_PASS, FETCH_BACKGROUND };

/*
 * Starts a fetch for req.  MISS and BACKGROUND take over req->busy (the
 * key's claim); stale: an object for If-None-Match (may be NULL), counted by the
 * fetch itself.  NULL: no memory (the claim was released).
 */
struct fetch *fetch_start(struct request *req, enum fetch_kind,
    struct object *stale);
/* Parks the request until the fetch is READY or FAILED. */
void fetch_wait(struct fetch *) WAITS;
struct fetch *fetch_ref(struct fetch *);
void fetch_unref(struct fetch **);

#endif
