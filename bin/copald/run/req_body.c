/*
 * req_body.c - a request body that is kept, to be sent more than once.
 *
 * It is put in front of the stream's own read_body: who reads the body need
 * not know.  The stream has its own operations again when the transaction
 * ends.
 */
#include <stdlib.h>

#include "req_body.h"
#include "request.h"
#include "stream.h"

enum { FIRST_ROOM = 16384 };

struct kept_body {
	struct stream_ops ops; /* first: s->ops points here */
	const struct stream_ops *net;
	struct stream *stream;
	char *bytes;
	size_t len, cap, at;
	bool failed; /* cut off by the client, or malformed */
	bool more;   /* bytes are only its beginning; */
	bool passed; /* what follows was read, too */
};

static ssize_t
read_kept(struct stream *s, void *buf, size_t len)
{
	struct kept_body *k = (struct kept_body *)(uintptr_t)s->ops;

	if (k->failed)
		return -1;
	if (k->at == k->len && k->more) {
		k->passed = true;
		return k->net->read_body(s, buf, len);
	}
	if (len > k->len - k->at)
		len = k->len - k->at;
	if (len != 0)
		memcpy(buf, k->bytes + k->at, len);
	k->at += len;
	return (ssize_t)len;
}

static struct kept_body *
kept_by(const struct stream *s)
{
	return s->ops != NULL && s->ops->read_body == read_kept
	    ? (struct kept_body *)(uintptr_t)s->ops : NULL;
}

void
req_body_free(struct kept_body **kp)
{
	struct kept_body *k = *kp;

	*kp = NULL;
	if (k == NULL)
		return;
	k->stream->ops = k->net;
	free(k->bytes);
	free(k);
}

static bool
make_room(struct kept_body *k, size_t max)
{
	size_t cap = k->cap == 0 ? FIRST_ROOM : 2 * k->cap;
	char *p;

	/* one more, to see that there is more */
	if (cap > max + 1)
		cap = max + 1;
	p = realloc(k->bytes, cap);
	if (p == NULL)
		return false;
	k->bytes = p;
	k->cap = cap;
	return true;
}

/* All of it, and not more than max? */
static bool
read_all(struct kept_body *k, size_t max)
{
	for (;;) {
		ssize_t n;

		if (k->len == k->cap && !make_room(k, max))
			return false;
		n = k->net->read_body(k->stream, k->bytes + k->len,
		    k->cap - k->len);
		k->failed = n < 0;
		if (n <= 0)
			return n == 0;
		k->len += (size_t)n;
		if (k->len > max)
			return false;
	}
}

/* Not in front of the stream yet; it goes with the transaction. */
static struct kept_body *
kept_new(struct request *req)
{
	struct kept_body *k = calloc(1, sizeof *k);

	if (k == NULL)
		return NULL;
	k->ops = *req->stream->ops;
	k->ops.read_body = read_kept;
	k->net = req->stream->ops;
	k->stream = req->stream;
	req->ctx.kept_body = k;
	return k;
}

bool
req_body_keep(struct vcl_ctx *ctx, int64_t max)
{
	struct request *req = ctx->req;
	struct stream *s = req->stream;
	struct kept_body *k;

	if (max < 0) {
		vcl_fail(ctx, "std.cache_req_body(): a size can't be "
		    "negative");
		return false;
	}
	if (req->framing.body == H1_NONE)
		return true;
	k = kept_by(s);
	if (k != NULL) /* after a restart */
		return !k->failed && !k->more && k->len <= (uint64_t)max;
	if (req->framing.body == H1_LENGTH &&
	    req->framing.length > (uint64_t)max)
		return false;
	k = kept_new(req);
	if (k == NULL) {
		vcl_fail(ctx, "Out of memory (std.cache_req_body)");
		return false;
	}
	/* what is too long can still be passed, once */
	k->more = !read_all(k, (size_t)max);
	s->ops = &k->ops;
	req->buffered = !k->more;
	return req->buffered;
}

bool
req_body_try(struct request *req, size_t max, struct str *body)
{
	struct kept_body *k = kept_by(req->stream);

	*body = STR("");
	if (req->framing.body == H1_NONE)
		return true;
	if (k == NULL) {
		if (req->framing.body == H1_LENGTH &&
		    req->framing.length > max)
			return false;
		k = kept_new(req);
		if (k == NULL)
			return false;
		k->more = !read_all(k, max);
		req->stream->ops = &k->ops;
		req->buffered = !k->more;
	}
	*body = str_of(k->bytes, k->len);
	return !k->failed && !k->more && k->len <= max;
}

bool
req_body_is_there(const struct request *req)
{
	const struct kept_body *k = kept_by(req->stream);

	if (req->framing.body == H1_NONE || req->stream->body_received == 0)
		return true;
	return k != NULL && !k->failed && !k->passed;
}

bool
req_body_kept(const struct request *req, struct str *body)
{
	const struct kept_body *k = kept_by(req->stream);

	*body = k != NULL ? str_of(k->bytes, k->len) : STR("");
	return req->framing.body == H1_NONE ||
	    (k != NULL && !k->failed && !k->more);
}

void
req_body_rewind(struct stream *s)
{
	struct kept_body *k = kept_by(s);

	if (k != NULL)
		k->at = 0;
}
