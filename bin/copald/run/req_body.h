/*
 * req_body.h - a request body that is kept, to be sent more than once.
 */
#ifndef COPAL_REQ_BODY_H
#define COPAL_REQ_BODY_H

#include "ctx.h"
#include "fiber.h"

struct kept_body;
struct request;
struct stream;

/*
 * Reads the whole body of ctx->req, if it has at most max bytes, and has the
 * stream give it anew from its beginning for each fetch.  true: it is kept,
 * or there is none.  false: it is larger, or the client did not send it
 * all; if a part of it was read, it can't be sent at all then.
 */
bool req_body_keep(struct vcl_ctx *ctx, int64_t max) WAITS;
/*
 * For who looks at a body before it is sent: reads at most max bytes and gives
 * them, in memory that lives as long as the transaction.  false: it is longer,
 * cut short, or there is no memory; what was read of it is not lost: it is
 * sent like one that nobody looked at.
 */
bool req_body_try(struct request *, size_t max, struct str *body) WAITS;
/* Can all of it be sent: was nothing of it read, or is that kept? */
bool req_body_is_there(const struct request *);
/*
 * The body, if it was kept; empty if the request has none.  false: it was not
 * kept, or not all of it.
 */
bool req_body_kept(const struct request *, struct str *body);
/* The transaction is over: NULL is allowed, and left. */
void req_body_free(struct kept_body **);
/* A fetch or a pipe begins: the body is to be read from its beginning. */
void req_body_rewind(struct stream *);

#endif
