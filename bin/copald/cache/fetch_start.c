/*
 * fetch_start.c - the beginning and the end of a fetch, and waiting for it.
 */
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "core.h"
#include "counters.h"
#include "fetch_blocks.h"
#include "fetch_head.h"
#include "fetch_impl.h"
#include "index.h"
#include "lurker.h"
#include "memory.h"
#include "params.h"
#include "program.h"
#include "query.h"
#include "req_body.h"
#include "stevedore.h"
#include "stream.h"

struct fetch *
fetch_ref(struct fetch *f)
{
	atomic_fetch_add_explicit(&f->ref, 1, memory_order_relaxed);
	return f;
}

/* Request and fetch are on one core: the block goes back where it is from. */
void
fetch_unref(struct fetch **pp)
{
	struct fetch *f = *pp;

	*pp = NULL;
	if (f == NULL || atomic_fetch_sub(&f->ref, 1) != 1)
		return;
	object_unref(&f->obj);
	object_unref(&f->stale);
	object_unref(&f->fallback);
	object_unref(&f->blocks.head);
	object_unref(&f->blocks.open);
	if (f->blocks.busy != NULL)
		index_release(&f->blocks.busy);
	filters_free(&f->filters);
	query_end(f);
	vcl_ctx_end(&f->ctx);
	if (f->program != NULL)
		program_unref(&f->program);
	arena_reset(&f->ws);
	core_block_put(&f->core->backend_blocks, f);
}

void
fetch_set_state(struct fetch *f, enum fetch_state state)
{
	atomic_store(&f->state, state);
	if (f->waiter != NULL)
		fiber_wake(f->waiter);
}

void
fetch_wait(struct fetch *f)
{
	f->waiter = fiber_self();
	while (atomic_load(&f->state) == FETCH_RUNNING &&
	    !(f->req != NULL && f->req->abandoned))
		if (fiber_park("fetch", NSEC_NEVER) == FIBER_CANCELED) {
			/* the fetch is cancelled too, and will say so */
			fiber_yield();
		}
	f->waiter = NULL;
	if (atomic_load(&f->state) == FETCH_RUNNING)
		f->req = NULL;
}

/*
 * Most heads of responses are of a few KiB, and what is behind them is of the
 * body; a longer one moves out of the block (upstream.c).
 */
enum { HEAD_ROOM = 32768 };

/* The block of a fetch: struct, log buffer, head of the response, workspace. */
static struct fetch *
fetch_new(struct core *c)
{
	size_t log = params->vsl_buffer, ws = params->workspace_backend;
	size_t head = params->http_resp_size < HEAD_ROOM ?
	    params->http_resp_size : HEAD_ROOM;
	size_t at = (sizeof(struct fetch) + 63) & ~(size_t)63;
	struct fetch *f = NULL;
	char *p;

	if (!memory_has_room(MEMORY_FETCH, 0))
		stevedores_make_room(STORE_PIECE_MAX);
	if (memory_has_room(MEMORY_FETCH, 0))
		f = core_block_get(&c->backend_blocks, at + log + head + ws);
	if (f == NULL) {
		COUNT_INC(memory_refused);
		return NULL;
	}
	p = (char *)f;
	memset(f, 0, sizeof *f);
	f->ref = 2; /* the fiber's and the caller's */
	f->core = c;
	f->log.buf = p + at;
	f->log.cap = (uint32_t)log;
	f->block = p + at + log;
	f->block_len = head;
	arena_init(&f->ws, p + at + log + ((head + 15) & ~(size_t)15),
	    ws - 16);
	arena_allow_large(&f->ws, WS_LARGE_HEADS * params->http_resp_size,
	    memory_take);
	return f;
}

static void
log_begin(struct fetch *f, struct request *req, enum fetch_kind kind)
{
	log_txn_begin(&f->log, f->core->ring, LOG_KIND_FETCH, f->xid,
	    req->xid, f->log.buf, f->log.cap);
	f->log.reason = kind == FETCH_PASS ? LOG_REASON_PASS :
	    kind == FETCH_BACKGROUND ? LOG_REASON_BGFETCH : LOG_REASON_FETCH;
	log_link(&req->log, LOG_KIND_FETCH, f->xid, f->log.reason);
	log_timestamp(&f->log, "Start", f->t_start, f->t_start, f->t_start);
	log_put(&f->log, LOG_VCL_USE, str_from_z(program_name(f->program)));
}

/* What VCL finds; the rest is zero. */
static void
set_defaults(struct fetch *f)
{
	f->do_stream = true;
	f->do_encode = true;
	f->esi_disable_xml_check = params->esi_disable_xml_check;
	f->esi_ignore_https = params->esi_ignore_https;
	f->esi_ignore_other_elements = params->esi_ignore_other_elements;
	f->esi_remove_bom = params->esi_remove_bom;
	f->connect_timeout = f->first_byte_timeout =
	    f->between_bytes_timeout = -1;
}

/* What of the request is needed when it may be gone.  false: no room */
/*
 * A refresh may be done when the request is not there any more: it has the
 * body that std.cache_req_body() kept.
 */
static bool
keep_body(struct fetch *f, const struct request *req)
{
	struct str body;

	if (req->framing.body == H1_NONE || !req_body_kept(req, &body))
		return true;
	f->own_body = malloc(body.len + 1);
	if (f->own_body == NULL)
		return false;
	if (body.len > 0)
		memcpy(f->own_body, body.p, body.len);
	f->own_body_len = body.len;
	return true;
}

static bool
take_request(struct fetch *f, struct request *req, enum fetch_kind kind,
    struct object *stale)
{
	f->is_bgfetch = kind == FETCH_BACKGROUND;
	f->is_pass = f->uncacheable = kind == FETCH_PASS;
	if (f->is_bgfetch && stale != NULL)
		f->stale_until = stale->t_origin + stale->ttl + stale->grace;
	f->key_is_plain = kind != FETCH_PASS && lurker_key_is_plain(req);
	f->is_hitpass = req->is_hitpass;
	f->is_hitmiss = req->is_hitmiss;
	f->backend = req->backend_hint;
	f->storage = req->storage;
	f->grace_limit = req->grace_limit;
	f->error_limit = req->error_limit;
	f->only_shared = req->only_shared;
	f->no_store = req->no_store;
	f->peer = *req->peer;
	f->local = *req->local;
	f->client = *req->client;
	f->server = *req->server;
	f->listener_name = req->listener_name;
	f->listener = req->stream->listener;
	f->sess_xid = req->sess_xid;
	f->client_identity = arena_strdup(&f->ws, req->client_identity);
	f->key.bytes = arena_strdup(&f->ws, req->key.bytes);
	memcpy(f->key.hash, req->key.hash, sizeof f->key.hash);
	f->search = req->search;
	f->search.plain = arena_strdup(&f->ws, req->search.plain);
	if (kind != FETCH_PASS && req->is_query && !query_begin(f, req))
		return false;
	if (kind == FETCH_BACKGROUND && !req->is_query && !keep_body(f, req))
		return false;
	return fetch_make_bereq(f, req, kind) &&
	    fetch_blocks_begin(f, req, kind, stale != NULL) &&
	    (req->key.bytes.p == NULL || f->key.bytes.p != NULL);
}

/* It was never run: the fiber's reference goes, too. */
static void
fetch_undo(struct fetch **pp)
{
	(*pp)->ref = 1;
	log_txn_end(&(*pp)->log);
	fetch_unref(pp);
}

struct fetch *
fetch_start(struct request *req, enum fetch_kind kind, struct object *stale)
{
	struct fetch *f = fetch_new(req->core);

	if (f == NULL)
		goto fail;
	f->xid = core_xid(f->core);
	f->t_start = f->t_last = loop_wall(f->core->loop);
	f->program = program_ref(req->program);
	f->inval_seq = ban_position();
	f->purges = purge_count();
	set_defaults(f);
	log_begin(f, req, kind);
	vcl_ctx_init(&f->ctx, &f->ws, &f->log, f->program);
	f->ctx.fetch = f;
	if (!take_request(f, req, kind, stale)) {
		log_put(
		    &f->log, LOG_FETCH_ERROR, STR("workspace_backend full"));
		COUNT_INC(ws_backend_overflow);
		fetch_undo(&f);
		goto fail;
	}
	if (stale != NULL) {
		f->stale = object_ref(stale);
		f->fallback = object_ref(stale);
	}
	if (kind != FETCH_BACKGROUND)
		f->req = req;
	f->busy = req->busy;
	req->busy = NULL;
	if (f->busy != NULL)
		index_fetch_begins(f->busy, f);
	COUNT_INC(s_fetch);
	if (f->is_bgfetch)
		COUNT_INC(s_bgfetch);
	if (fiber_start(fetch_run, f, "fetch") != 0) {
		index_fetch_ends(f);
		if (f->busy != NULL)
			index_release(&f->busy);
		fetch_undo(&f);
	}
	return f;
fail:
	if (req->busy != NULL)
		index_release(&req->busy);
	return NULL;
}
