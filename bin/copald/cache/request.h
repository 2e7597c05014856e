/*
 * request.h - a client's request on its way through the policy.
 *
 *  recv -> hash -> lookup -+- hit ------------------> deliver -> send -> done
 *                          +- miss -+                    ^
 *                          +- pass -+-> fetch ----------/
 *  recv may also go to: pipe, purge, synth.  Any step may go to: synth,
 *  restart, fail.
 *
 * A request lives in a block of workspace_client bytes that begins with this
 * struct, is taken from its core's pool when the first byte of a head
 * arrives, and goes back when the response is sent.
 */
#ifndef COPAL_REQUEST_H
#define COPAL_REQUEST_H

#include "arena.h"
#include "cache_status.h"
#include "ctx.h"
#include "http1.h"
#include "http_semantics.h"
#include "object.h"
#include "shmlog.h"
#include "sock.h"
#include "vcl_abi.h"

struct core;
struct esi_page;
struct fetch;
struct program;
struct stream;

enum request_step {
#define STEP(id, name, doc) STEP_##id,
#include "tbl/steps.h"
#undef STEP
	STEP_MAX
};

/* Room for fields that we and policy add, beyond http_max_hdr. */
enum { FIELDS_OWN = 16 };

/*
 * What a workspace may have for long strings (arena.h), in http_resp_size: for
 * one to be read, changed, joined with the tags, or written out.
 */
enum { WS_LARGE_HEADS = 4 };

/* The cache key: what vcl_hash said, and its hash. */
struct key {
	uint8_t hash[STORE_HASH_LEN];
	struct str bytes;       /* in the workspace */
	uint64_t variant;       /* vary_hash(), for claims */
};

/* Of No-Vary-Search (search_key.h): what a key was made from. */
struct search_use {
	struct str plain;       /* what vcl_hash said; p NULL: of no use */
	uint32_t at, len;       /* the URL in it */
	uint64_t path;          /* names the rule in the table */
	uint64_t rule;          /* hash of the rule in the key; 0: none */
};

/* Blocks of obj that are fetched for it (blocks.h). */
struct block_run {
	struct object *head;    /* not counted: obj */
	struct claim *busy;   /* the claim on the first of them */
	uint64_t first, end;    /* bytes */
	enum failure failure;   /* why they can't be had */
	bool changed;           /* the origin has another representation */
	unsigned lookups;       /* that this was the reason for */
};

struct request {
	struct core *core;
	struct stream *stream;
	struct program *program; /* counted */
	struct program *first_program; /* counted: before vcl(label) */
	struct arena ws;
	struct vcl_ctx ctx;      /* this request as VCL sees it */

	uint64_t xid, sess_xid;
	double t_received;       /* wall clock: first byte of the head */
	double t_start;          /* the same, or of the restart */
	double t_last;           /* last Timestamp */
	struct log_txn log;

	struct http http;        /* req */
	struct http received;    /* as it was received: rollback, restart */
	struct http resp;
	struct h1_framing framing; /* of the request's body */

	/* what VCL reads and writes */
	struct key key;
	struct search_use search;
	bool is_query;           /* key is that of a QUERY (query.h) */
	struct str query_body, query_family;
	struct str method_received;
	struct backend *backend_hint;   /* NULL: the default */
	const struct vcl_stevedore *storage; /* NULL: the first */
	struct str client_identity;     /* NULL: client.ip */
	double ttl_limit, grace_limit;  /* req.ttl, req.grace; < 0: not set */
	double grace;
	double error_limit;      /* stale-if-error; < 0: not set */
	bool only_shared;        /* RFC 9111 3.5 */
	bool no_store;           /* the request says so, and is heard */
	bool is_heard;           /* asked is set: honour_request_cc */
	struct cache_control asked; /* its Cache-Control */
	bool hash_always_miss, hash_ignore_busy, hash_ignore_vary;
	bool esi, trace, is_hitmiss, is_hitpass;
	bool do_esi;             /* resp.do_esi */
	bool esi_include_onerror;
	const struct vcl_stevedore *resp_storage;
	unsigned restarts, esi_level;
	struct request *top;     /* the client's, if this is an include of it */
	struct esi_page *page;   /* that this is a part of; NULL: of none */
	bool abandoned;          /* nobody waits for its answer any more */
	bool client_close;       /* Connection: close after this response */
	bool buffered;           /* std.cache_req_body */
	struct object *body_cache;

	struct object *obj;      /* counted: hit, or what the fetch gave */
	struct object *block;    /* counted: of obj, being sent */
	uint64_t block_n;        /* its number */
	struct block_run run;
	struct body_reader reader; /* of obj's body, unless it is flat */
	bool reading;            /* the reader is registered */
	struct object *stale;    /* counted: for conditional fetches */
	struct claim *busy;    /* we owe this key a fetch */
	struct fetch *fetch;     /* counted: the one we wait for */
	bool is_hit, is_pass, resp_is_synth;
	enum forward forward;    /* why an origin was asked */
	bool collapsed;          /* by somebody else's request */
	nsec_t waits_since;      /* for it; 0: it does not */
	bool stored;             /* what it gave */
	bool revalidated;        /* by 304 */
	bool not_for_cache;      /* policy says so of the answer */
	bool gave_stale;         /* obj is stale: the origin failed */
	uint16_t origin_status;  /* 0: no answer */
	enum failure failure;    /* why we answer ourselves */
	enum failure undelivered; /* why the object was not sent after all */
	enum request_step step, after_hash;
	arena_mark ws_mark;      /* where policy's memory begins */

	uint64_t req_body_bytes, resp_head_bytes, resp_body_bytes;
	const struct addr *peer, *local;    /* the connection's ends */
	const struct addr *client, *server; /* stream.h */
	const char *listener_name;
	struct str client_host;  /* the client's IP as text */
	char client_text[ADDR_HOST_MAX];
};

/* Serves a stream: the cores' entry into the request path. */
void request_serve(struct stream *) WAITS;
/*
 * Runs a parsed request to its end, on its fiber: policy, lookup, fetch,
 * delivery to its stream.  Everything it holds is released but the block.
 */
void request_run(struct request *) WAITS;

/*
 * Serves the stream of an ESI include, whose request is in s->http: as a
 * request that the page's request makes.
 */
void request_include(struct stream *s, struct request *page) WAITS;
/* It is to end soon: its answer will be thrown away. */
void request_abandon(struct request *);

/*
 * Runs a stream's request through vcl_recv and vcl_hash, with nothing of it
 * in the log and without a trace in what lasts.  fn is told of each step that
 * has run and the one that follows, at last with STEP_DONE.
 */
typedef void explain_fn(void *priv, struct request *, enum request_step ran,
    enum request_step next);
void request_explain(struct stream *, explain_fn *, void *priv) WAITS;

/* req <- received (std.rollback, restart does not) */
void request_rollback(struct request *);
const char *request_step_name(enum request_step);

#endif
