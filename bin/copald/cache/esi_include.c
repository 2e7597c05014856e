/*
 * esi_include.c - an include: a request whose stream is its place in a page.
 *
 *	start -> (policy, lookup, fetch) -> READY --turn--> sends -> ENDED
 *	                  \-> ENDED, with nothing to send
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "counters.h"
#include "esi_page.h"
#include "esi_plan.h"
#include "params.h"
#include "stream.h"

/* Of a file, to be sent through a filter. */
enum { FILE_BYTES = 16384 };

struct esi_include {
	struct stream s;            /* first: include_of() */
	struct esi_include *next;
	struct request *parent;
	struct esi_page *page;
	struct fiber *fiber;        /* its own, until it has ended */
	struct fiber *waiter;       /* its parent's */
	bool may_fail;              /* the page goes on without it */
	bool strict;                /* an error is not sent */
	bool ready;                 /* waits for its turn */
	bool turn;
	bool ended;
	bool gone;                  /* nobody takes anything from it */
	bool failed;
	struct str src;
	void *block;                /* of the request; NULL: none was begun */
	struct arena head;          /* in it: of s.http */
};

static struct esi_include *
include_of(struct stream *s)
{
	return (struct esi_include *)s;
}

static void
wake_parent(struct esi_include *inc)
{
	if (inc->waiter != NULL)
		fiber_wake(inc->waiter);
}

/* --- the stream ---------------------------------------------------------- */

static ssize_t
include_read_body(struct stream *s, void *buf, size_t len)
{
	(void)s;
	(void)buf;
	(void)len;
	return 0;
}

static int
include_interim(struct stream *s, const struct http *h)
{
	(void)s;
	(void)h;
	return 0;
}

static int
include_head(struct stream *s, const struct http *h, enum stream_body body,
    uint64_t len, struct arena *mem)
{
	struct esi_include *inc = include_of(s);

	(void)body;
	(void)len;
	(void)mem;
	if (h->status != 200 && h->status != 204)
		inc->failed = true;
	if (inc->failed && inc->strict)
		s->failed = true;
	return s->failed ? -1 : 0;
}

/* false: it never comes */
static bool
wait_turn(struct esi_include *inc)
{
	inc->ready = true;
	while (!inc->turn && !inc->gone) {
		wake_parent(inc);
		if (fiber_park("its turn in a page", NSEC_NEVER) ==
		    FIBER_CANCELED)
			inc->gone = true;
	}
	if (inc->gone)
		inc->s.failed = true;
	return !inc->s.failed;
}

static int
include_write(struct stream *s, const void *data, size_t len, bool more)
{
	struct esi_include *inc = include_of(s);

	(void)more;
	if (s->failed)
		return -1;
	if (len == 0)
		return 0;
	if (!wait_turn(inc) || esi_page_write(inc->page, data, len) != 0) {
		s->failed = true;
		return -1;
	}
	s->body_sent += len;
	return 0;
}

static int
include_sendfile(struct stream *s, int fd, uint64_t offset, size_t len,
    bool more)
{
	struct esi_include *inc = include_of(s);
	struct stream *top = inc->page->top->stream;
	char buf[FILE_BYTES];

	if (s->failed || !wait_turn(inc))
		return -1;
	if (inc->page->pack == NULL) {
		void *page = top->overdue_arg;
		int r;

		/* while its client waits, it is this object that is held */
		top->overdue_arg = s->overdue_arg;
		r = top->ops->sendfile(top, fd, offset, len, more);
		top->overdue_arg = page;
		if (r != 0) {
			s->failed = true;
			return -1;
		}
		s->body_sent += len;
		return 0;
	}
	while (len > 0) {
		ssize_t n = pread(fd, buf, len < sizeof buf ? len : sizeof buf,
		    (off_t)offset);

		if (n <= 0 || include_write(s, buf, (size_t)n, more) != 0) {
			s->failed = true;
			return -1;
		}
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int
include_finish(struct stream *s)
{
	return s->failed ? -1 : 0;
}

static void
include_abort(struct stream *s)
{
	include_of(s)->failed = true;
	s->failed = true;
}

static void
include_set_tos(struct stream *s, int tos)
{
	(void)s;
	(void)tos;
}

static bool
include_peer_owner(struct stream *s, uid_t *uid, gid_t *gid)
{
	struct stream *top = include_of(s)->page->top->stream;

	return top->ops->peer_owner(top, uid, gid);
}

static int
include_tcp_socket(struct stream *s)
{
	struct stream *top = include_of(s)->page->top->stream;

	return top->ops->tcp_socket(top);
}

static const struct stream_ops include_ops = {
	.read_body = include_read_body,
	.interim = include_interim,
	.head = include_head,
	.write = include_write,
	.sendfile = include_sendfile,
	.finish = include_finish,
	.abort = include_abort,
	.set_tos = include_set_tos,
	.raw = NULL,
	.peer_owner = include_peer_owner,
	.tcp_socket = include_tcp_socket,
};

/* --- its request --------------------------------------------------------- */

/* Fields of the page's request that are not about its parts. */
static bool
field_stays(const struct field *f, bool other_host)
{
	switch (f->id) {
	case FIELD_ACCEPT_ENCODING:    /* it becomes a part of another body */
	case FIELD_CONTENT_ENCODING:
	case FIELD_CONTENT_LENGTH:
	case FIELD_CONTENT_TYPE:
	case FIELD_EXPECT:
	case FIELD_HTTP2_SETTINGS:
	case FIELD_IF_MATCH:
	case FIELD_IF_MODIFIED_SINCE:
	case FIELD_IF_NONE_MATCH:
	case FIELD_IF_RANGE:
	case FIELD_IF_UNMODIFIED_SINCE:
	case FIELD_RANGE:
	case FIELD_TE:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_UPGRADE:
		return false;
	case FIELD_HOST:
		return !other_host;
	default:
		return true;
	}
}

/* As it would have come from the client. */
static bool
make_head(struct esi_include *inc)
{
	struct arena *a = &inc->head;
	const struct request *parent = inc->parent;
	const struct http *from = &parent->received;
	struct http *h = &inc->s.http;
	struct str base = parent->http.target, host;
	char *buf = arena_bytes(a, base.len + inc->src.len + 2);

	inc->src = arena_strdup(a, inc->src);
	if (buf == NULL || inc->src.p == NULL ||
	    !http_init(h, a, from->field_n + 1u))
		return false;
	if (!esi_resolve(base, inc->src, buf, &host, &h->target)) {
		log_printf(&inc->parent->log, LOG_ERROR, "ESI: no address of "
		    "an include: %.*s", STR_ARG(inc->src));
		return false;
	}
	h->method = STR("GET");
	h->version = 11;
	if (host.p != NULL && !http_add_known(h, FIELD_HOST, host))
		return false;
	for (unsigned i = 0; i < from->field_n; i++) {
		const struct field *f = &from->field[i];
		struct field_name name = {str_of(f->name, f->name_len), f->id};

		if (field_stays(f, host.p != NULL) &&
		    !http_add(h, &name, str_of(f->value, f->value_len)))
			return false;
	}
	return true;
}

/* The memory of the request, and in front of it its head. */
static bool
make_stream(struct esi_include *inc)
{
	struct request *parent = inc->parent;
	struct core *c = parent->core;
	struct stream *s = &inc->s;
	size_t fields = (parent->received.field_n + 1u) *
	    sizeof(struct field) + parent->http.target.len +
	    2 * inc->src.len + 64;
	size_t at = params->vsl_buffer + params->workspace_client + 8192;

	/* the list's blocks are of one size: heads have room in most */
	inc->block = core_block_get(&c->include_blocks, at +
	    params->http_req_size + params->http_max_hdr *
	    sizeof(struct field));
	if (inc->block == NULL)
		return false;
	if (fields > params->http_req_size)
		return false;
	arena_init(&inc->head, (char *)inc->block + ((at + 15) & ~(size_t)15),
	    fields);
	s->ops = &include_ops;
	s->core = c;
	s->mem = inc->block;
	s->mem_len = at;
	s->sess_xid = parent->sess_xid;
	s->t_first = loop_wall(c->loop);
	s->peer = parent->peer;
	s->local = parent->local;
	s->client = parent->client;
	s->server = parent->server;
	s->proxy_tlv = parent->stream->proxy_tlv;
	s->listener = parent->stream->listener;
	s->timeouts = (struct stream_timeouts){-1, -1, -1};
	return make_head(inc);
}

static void
include_fiber(void *arg)
{
	struct esi_include *inc = arg;

	inc->fiber = fiber_self();
	request_include(&inc->s, inc->parent);
	inc->fiber = NULL;
	inc->ended = true;
	inc->page->running--;
	wake_parent(inc);
}

void
esi_includes_add(struct esi_includes *list, struct esi_include *inc)
{
	if (list->first == NULL)
		list->first = inc;
	else
		list->last->next = inc;
	list->last = inc;
	list->n++;
}

struct esi_include *
esi_includes_take(struct esi_includes *list)
{
	struct esi_include *inc = list->first;

	if (inc != NULL) {
		list->first = inc->next;
		list->n--;
		inc->next = NULL;
	}
	return inc;
}

bool
esi_include_has_ended(const struct esi_include *inc)
{
	return inc->ended;
}

/* May there be one more? */
static bool
is_allowed(struct request *parent)
{
	struct esi_page *page = parent->page;

	if (parent->esi_level >= params->max_esi_depth) {
		log_printf(&parent->log, LOG_VCL_ERROR, "ESI depth limit "
		    "reached (param max_esi_depth = %u)",
		    params->max_esi_depth);
		return false;
	}
	if (page->include_n >= params->max_esi_includes) {
		log_printf(&parent->log, LOG_ERROR, "ESI: too many includes "
		    "(param max_esi_includes = %u)", params->max_esi_includes);
		return false;
	}
	if (page->left <= 0) {
		log_put(&parent->log, LOG_ERROR, STR("ESI: no time left for "
		    "an include (param esi_timeout)"));
		return false;
	}
	return true;
}

struct esi_include *
esi_include_start(struct request *parent, const struct esi_item *item)
{
	struct esi_include *inc = calloc(1, sizeof *inc);

	if (inc == NULL)
		return NULL;
	inc->parent = parent;
	inc->page = parent->page;
	inc->may_fail = !parent->esi_include_onerror || item->may_fail;
	inc->strict = parent->esi_include_onerror;
	inc->src = item->src;
	inc->ended = inc->failed = true;
	if (!is_allowed(parent) || !make_stream(inc))
		return inc;
	COUNT_INC(esi_req);
	inc->page->include_n++;
	inc->page->running++;
	inc->ended = inc->failed = false;
	if (fiber_start(include_fiber, inc, "esi include") != 0) {
		inc->page->running--;
		inc->ended = inc->failed = true;
	}
	return inc;
}

nsec_t
esi_deadline(const struct request *req)
{
	nsec_t left;

	if (req->page == NULL || req == req->page->top)
		return NSEC_NEVER;
	left = req->page->left;
	return loop_now(req->core->loop) + (left > 0 ? left : 0);
}

void
esi_waited(struct request *req, nsec_t began)
{
	/* ahead of its turn it keeps nobody waiting */
	if (req->page != NULL && req != req->page->top &&
	    include_of(req->stream)->turn)
		req->page->left -= loop_now(req->core->loop) - began;
}

/* Until it wants to send, or has ended; false: it takes too long. */
static bool
wait_ready(struct esi_include *inc)
{
	struct loop *loop = inc->page->top->core->loop;
	nsec_t began = loop_now(loop), deadline = began + inc->page->left;
	enum fiber_wake r = FIBER_WOKEN;

	while (!inc->ready && !inc->ended && r == FIBER_WOKEN)
		r = fiber_park("an include", deadline);
	inc->page->left -= loop_now(loop) - began;
	return r == FIBER_WOKEN || inc->ready || inc->ended;
}

bool
esi_include_run(struct esi_include *inc)
{
	struct request *parent = inc->parent;

	inc->waiter = fiber_self();
	if (!wait_ready(inc)) {
		log_printf(&parent->log, LOG_ERROR, "ESI: an include takes "
		    "longer than is left (param esi_timeout): %.*s",
		    STR_ARG(inc->src));
		inc->failed = inc->gone = true;
	} else if (!inc->ended) {
		inc->turn = true;
		fiber_wake(inc->fiber);
		while (!inc->ended)
			if (fiber_park("an include's end", NSEC_NEVER) ==
			    FIBER_CANCELED)
				fiber_yield(); /* it is cancelled, too */
	}
	inc->waiter = NULL;
	return !inc->failed || inc->may_fail;
}

void
esi_include_end(struct esi_include **pp)
{
	struct esi_include *inc = *pp;

	*pp = NULL;
	inc->waiter = fiber_self();
	inc->gone = true;
	if (!inc->ended) {
		request_abandon(inc->s.mem);
		fiber_wake(inc->fiber);
	}
	while (!inc->ended)
		if (fiber_park("an include's end", NSEC_NEVER) ==
		    FIBER_CANCELED)
			fiber_yield();
	arena_reset(&inc->head);
	if (inc->block != NULL)
		core_block_put(&inc->parent->core->include_blocks, inc->block);
	free(inc);
}
