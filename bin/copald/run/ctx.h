/*
 * ctx.h - the transaction as VCL sees it: one for a request, one for a fetch.
 *
 * The request path fills it in once and keeps http[] right as heads come
 * into being; the functions that compiled VCL calls (vrt_*) read and change
 * it.  Strings that VCL makes live in ws.
 */
#ifndef COPAL_CTX_H
#define COPAL_CTX_H

#include <stdbool.h>

#include "arena.h"
#include "http.h"
#include "shmlog.h"
#include "vcl_abi.h"

struct request;
struct fetch;
struct program;
struct vcl_task_priv;
struct kept_body;

enum { VCL_HTTP_MAX = VCL_HTTP_REQ0 + 1 };

/* Bytes that VCL appends to: the key, a synthetic body.  They live in ws. */
struct vcl_buf {
	char *p; /* NULL: nothing yet */
	size_t len, cap;
};

/* Values of sess.*: seconds; < 0: the parameter. */
struct vcl_sess {
	double timeout_idle, timeout_linger, send_timeout, idle_send_timeout;
};

struct vcl_ctx {
	union { /* first: compiled programs see it */
		struct vcl_ctx_head head;
		struct {
			bool failed;
			const char *where; /* "file:line"; may be NULL */
		};
	};
	uint8_t sub;            /* enum vcl_sub_id that runs */
	uint8_t ended;          /* by vrt_call(): its enum vcl_ret, or NONE */
	struct arena *ws;
	struct log_txn *log;
	struct program *program;
	struct request *req;    /* NULL in a fetch, and in vcl_init */
	struct fetch *fetch;    /* NULL on the client side */
	double now;             /* wall clock; program_call sets it */

	/*
	 * Heads by enum vcl_http; NULL: VCL has no such head here.  OBJ and
	 * OBJ_STALE are never written.
	 */
	struct http *http[VCL_HTTP_MAX];
	/* std.rollback: the heads as they came; NULL: nothing to go back to */
	const struct http *original_req, *original_bereq;

	struct vcl_buf key;     /* what hash_data() has added */
	struct vcl_buf body;    /* synthetic() in vcl_synth, backend_error */

	/* Arguments of the last verdict. */
	int synth_status;       /* synth, error */
	struct str synth_reason; /* p == NULL: the status' own */
	double pass_ttl;        /* pass(10s) in backend_response; < 0: none */
	const struct program_label *vcl_label; /* vcl(label) */

	/* What VCL said and only the request path can do. */
	struct vcl_sess sess;
	struct str filters;     /* of resp or beresp; p NULL: not set */
	int ip_tos;             /* std.set_ip_tos(); < 0: not set */
	bool unset_body;        /* unset bereq.body */
	bool dry;               /* only explains: nothing that lasts changes */
	double connect_timeout; /* of a pipe; < 0: the backend's */
	double task_deadline;   /* of a pipe; < 0: the parameter */
	int64_t transit_buffer; /* beresp.transit_buffer; < 0: fetch_window */

	struct vcl_task_priv *priv; /* what modules keep for this task */
	struct kept_body *kept_body; /* by std.cache_req_body(); NULL: none */
	struct str ban_error;   /* of the last std.ban() */
	char *err;              /* vcl_init: where a failure's text goes */
	size_t err_len;
};

/* Zeroes ctx and sets what each transaction has. */
void vcl_ctx_init(struct vcl_ctx *ctx, struct arena *ws, struct log_txn *log,
    struct program *program);
/* server.identity; before any program is loaded.  Copied. */
void vcl_set_identity(const char *identity);
/* The transaction is over: frees what modules kept for it.  Before ws goes. */
void vcl_ctx_end(struct vcl_ctx *ctx);

/*
 * Records a failure: logs VCL_Error with the text and the place; from then on
 * the sub's result is FAIL.  program_call() forgets it when it has told.
 */
void vcl_fail(struct vcl_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The workspace is full while doing what (a static text). */
void vcl_fail_space(struct vcl_ctx *ctx, const char *what);
/*
 * s, or a copy in ws unless it lives as long as ctx does: in ws already, or a
 * constant of the program.  p == NULL: no room (recorded as a failure).
 */
struct str vcl_keep(struct vcl_ctx *ctx, struct str s, const char *what);
struct key;
/* SHA-256 of the key's bytes, for VCL, in its workspace. */
VCL_BLOB vcl_key_hash(struct vcl_ctx *, const struct key *);
/* false: no room (recorded as a failure) */
bool vcl_buf_append(struct vcl_ctx *ctx, struct vcl_buf *b, struct str s,
    const char *what);

#endif
