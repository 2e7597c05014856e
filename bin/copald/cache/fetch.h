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

#include "failure.h"
#include "filters.h"
#include "request.h"

/* Bytes of a request's body that are on their way to the origin at a time. */
enum { REQUEST_BODY_WINDOW = 65536 };

enum fetch_state { FETCH_RUNNING, FETCH_READY, FETCH_FAILED, FETCH_DONE };

/* A range is asked for, and why (fetch_blocks.h). */
struct fetch_blocks {
	struct str range;       /* the Range that we ask with; NULL: none */
	struct str wanted, if_range; /* the client's */
	bool exact;             /* range is wanted: not kept */
	bool part;              /* beresp is of a 206 */
	bool changed;           /* head is of the past */
	uint64_t first, end;    /* bytes */
	uint64_t size;          /* of the whole */
	struct object *head;    /* counted: whose blocks are missing */
	struct claim *busy;   /* the claim on the first block */
	struct object *open;    /* counted: the block that grows */
};

struct fetch {
	_Atomic uint32_t ref;
	_Atomic int state;       /* enum fetch_state */
	struct core *core;
	struct request *req; /* waits for us; NULL: background, or gone on */
	struct fiber *waiter;    /* the request's, same core */
	struct program *program; /* counted */
	struct arena ws;
	struct vcl_ctx ctx;      /* this fetch as VCL sees it */
	uint64_t xid;
	double t_start, t_last;
	struct log_txn log;

	struct http bereq0;      /* as made from req: retries begin here */
	struct http bereq;
	struct http beresp;
	struct h1_framing framing; /* of the response */

	/* what VCL reads and writes */
	struct key key;          /* copy */
	struct search_use search; /* how it was made; copy */
	bool is_query;           /* query.h */
	char *own_body;          /* malloc'ed: of QUERY, or for a refresh */
	size_t own_body_len;
	struct str query_family; /* a tag */
	struct backend *backend; /* bereq.backend: may be a director */
	struct backend *origin;  /* beresp.backend; NULL: not tried yet */
	const struct vcl_stevedore *storage;
	double connect_timeout, first_byte_timeout, between_bytes_timeout;
	double ttl, grace, keep, t_origin, age;
	bool ask_first;          /* OBJ_ASK_FIRST */
	bool no_ttl, keep_is_set; /* by policy */
	bool has_lists;          /* struct freshness */
	bool grants_stale;       /* the origin does: stale-while-revalidate */
	bool is_bgfetch, uncacheable, was_304, do_stream, do_gzip, do_gunzip,
	    do_encode, do_esi, is_hitpass, is_hitmiss, trace, make_hitpass;
	bool esi_disable_xml_check, esi_ignore_https,
	    esi_ignore_other_elements, esi_remove_bom;
	bool send_once;          /* bereq.retry_connect is off */
	double stale_until;      /* of a refresh: somebody has what is old */
	bool is_pass;            /* bereq.uncacheable */
	bool only_shared;        /* req.only_shared */
	bool no_store;           /* the request says so */
	bool closes;             /* VCL set bereq.http.Connection to close */
	bool key_is_plain;       /* lurker.h */
	uint16_t got_status;     /* the origin's; 0: none came */
	unsigned retries;
	const struct addr *remote;
	struct addr remote_addr;
	bool has_body;           /* the request's body is to be sent */
	bool sends_chunked;      /* ... in chunks: its length is not known */
	bool body_by_method;     /* a fill: it is, if not to a GET */
	bool wants_trailers;     /* the client takes them */
	bool body_sent;          /* some of it has been */

	struct claim *busy;    /* to be released when we know */
	struct object *stale;    /* counted: for a conditional request */
	struct object *fallback; /* counted: in the place of an error */
	double grace_limit;      /* req.grace: of fallback; < 0: not set */
	double error_limit;      /* the request's stale-if-error; < 0: none */
	bool gave_stale;         /* obj is fallback */
	bool for_waiters;        /* OBJ_MOMENT */
	struct object *obj;      /* counted: what we make */
	uint64_t inval_seq;      /* of the log when we began */
	uint64_t purges;         /* carried out when we began */
	_Atomic bool purged; /* the key was purged while we were under way */
	struct objhead *key_head; /* we are in its list of fetches */
	struct fetch *next_of_key;
	struct str vary;
	struct str tags;         /* beresp.tags */
	bool length_stays;       /* the filters change no byte */
	bool reads_esi;          /* beresp.do_esi, or by beresp.filters */
	struct fetch_blocks blocks;
	struct filters *filters; /* of the body on its way in; NULL: none */

	enum failure failure;    /* why it failed */
	const char *error;       /* in other words: static text */
	uint64_t sent_head, sent_body, got_head, got_body;
	char *block;             /* for the response's head */
	size_t block_len;

	/* of the request, which may end before we do */
	struct addr peer, local, client, server; /* request.h */
	const char *listener_name;
	const struct listener *listener;
	struct str client_identity;
	uint64_t sess_xid;
};

enum fetch_kind {
	FETCH_MISS,
	FETCH_PASS,
	FETCH_BACKGROUND,
	FETCH_BLOCKS, /* what req->run says, of req->obj */
};

/*
 * Starts a fetch for req.  MISS and BACKGROUND take over req->busy (the
 * key's claim); stale: an object for If-None-Match (may be NULL), counted by
 * the fetch itself.  NULL: no memory (the claim was released).
 */
struct fetch *fetch_start(struct request *req, enum fetch_kind,
    struct object *stale);
/*
 * Parks the request until the fetch is READY or FAILED; or it goes on
 * without the request, which was abandoned.
 */
void fetch_wait(struct fetch *) WAITS;
struct fetch *fetch_ref(struct fetch *);
void fetch_unref(struct fetch **);

#endif
