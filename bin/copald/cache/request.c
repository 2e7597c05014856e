/*
 * request.c - the request path: each step returns the next.
 *
 * A step calls its VCL sub and acts on the verdict.  The verdicts that mean
 * the same everywhere (synth, restart, fail) are handled in one place,
 * common_verdict().
 */
#include <string.h>

#include "backend.h"
#include "ban.h"
#include "blocks.h"
#include "core.h"
#include "counters.h"
#include "deliver.h"
#include "fetch.h"
#include "store.h"
#include "fetch_body.h"
#include "fetch_head.h"
#include "freshen.h"
#include "hops.h"
#include "index.h"
#include "invalidate.h"
#include "lurker.h"
#include "lookup.h"
#include "params.h"
#include "pipe.h"
#include "program.h"
#include "query.h"
#include "request_impl.h"
#include "search_key.h"
#include "stevedore.h"
#include "stream.h"
#include "worker.h"

const char *
request_step_name(enum request_step s)
{
	static const char *const names[STEP_MAX] = {
#define STEP(id, name, doc) [STEP_##id] = name,
#include "tbl/steps.h"
#undef STEP
	};

	return s < STEP_MAX ? names[s] : "";
}

void
request_event(struct request *req, const char *what)
{
	double now = loop_wall(req->core->loop);

	log_timestamp(&req->log, what, now, req->t_start, req->t_last);
	req->t_last = now;
}

static void
log_failure(struct request *req)
{
	if (req->failure != FAILURE_NONE)
		log_put(&req->log, LOG_FAILURE, failure_name(req->failure));
}

/* What a step held and its verdict does not need any more. */
void
request_drop_objects(struct request *req)
{
	if (req->busy != NULL)
		index_release(&req->busy);
	if (req->reading)
		body_reader_end(&req->obj->body, &req->reader);
	req->reading = req->is_hit = false;
	object_unref(&req->obj);
	object_unref(&req->block);
	object_unref(&req->stale);
	fetch_unref(&req->fetch);
	req->ctx.http[VCL_HTTP_OBJ] = NULL;
}

/* We answer ourselves, and not because VCL said so. */
static enum request_step
synth(struct request *req, enum failure failure, int status, struct str reason)
{
	req->failure = failure;
	req->ctx.synth_status = status;
	req->ctx.synth_reason = reason;
	return STEP_SYNTH;
}

/*
 * vcl_synth makes the answer; with the headers as they came.  It is the
 * connection's last.
 */
static enum request_step
vcl_failed(struct request *req)
{
	COUNT_INC(vcl_fail);
	req->stream->close = true;
	request_rollback(req);
	return synth(req, FAILURE_VCL_FAILED, 503, STR("VCL failed"));
}

static enum request_step
common_verdict(struct request *req, enum vcl_ret ret)
{
	request_drop_objects(req);
	switch (ret) {
	case VCL_RET_SYNTH:
		return STEP_SYNTH;
	case VCL_RET_RESTART:
		return STEP_RESTART;
	default: /* fail, and what the compiler would not have let through */
		return vcl_failed(req);
	}
}

/* --- steps --------------------------------------------------------------- */

/* return (vcl(label)): the request begins again, with another program. */
static enum request_step
switch_program(struct request *req)
{
	const struct program_label *label = req->ctx.vcl_label;
	struct kept_body *kept = req->ctx.kept_body;

	if (req->restarts > 0 || req->first_program != NULL) {
		log_put(&req->log, LOG_VCL_ERROR, req->restarts > 0 ?
		    STR("Illegal return(vcl): Not after restarts") :
		    STR("Illegal return(vcl): Only from active VCL"));
		return synth(req, FAILURE_VCL_FAILED, 503, STR_NULL);
	}
	/* the first program keeps the label */
	req->first_program = req->program;
	req->program = req->ctx.program = program_label_ref(label);
	log_printf(&req->log, LOG_VCL_USE, "%s via %s",
	    program_name(req->program), program_label_name(label));
	/* what the first one has made is gone, but not what can't come twice */
	req->ctx.kept_body = NULL;
	vcl_ctx_end(&req->ctx);
	request_rollback(req);
	arena_rollback(&req->ws, req->ws_mark);
	request_begin_policy(req);
	req->ctx.kept_body = kept;
	return request_prepare(req) ? STEP_RECV : STEP_FAIL;
}

enum request_step
request_step_recv(struct request *req)
{
	enum vcl_ret ret;

	/* what policy set, like req.hash_always_miss, lasts over a restart */
	req->is_hit = req->is_pass = req->is_hitmiss = req->is_hitpass = false;
	req->forward = FORWARD_NONE;
	req->collapsed = req->stored = req->gave_stale = false;
	req->revalidated = req->not_for_cache = false;
	req->origin_status = 0;
	req->failure = FAILURE_NONE;
	req->ctx.key.len = 0;
	ret = program_call(&req->ctx, VCL_SUB_RECV);
	if ((ret == VCL_RET_HASH || ret == VCL_RET_PURGE) &&
	    !request_normalise_coding(req))
		return STEP_FAIL;
	switch (ret) {
	case VCL_RET_HASH:
		req->after_hash = STEP_LOOKUP;
		return STEP_HASH;
	case VCL_RET_PASS:
		req->after_hash = STEP_PASS;
		return STEP_HASH;
	case VCL_RET_PURGE:
		req->after_hash = STEP_PURGE;
		return STEP_HASH;
	case VCL_RET_PIPE:
		req->after_hash = STEP_PIPE;
		if (req->esi_level > 0) {
			log_put(&req->log, LOG_VCL_ERROR, STR("vcl_recv "
			    "returns pipe for an ESI include: it is passed"));
			req->after_hash = STEP_PASS;
		}
		return STEP_HASH;
	case VCL_RET_VCL:
		return switch_program(req);
	default:
		return common_verdict(req, ret);
	}
}

enum request_step
request_step_hash(struct request *req)
{
	enum vcl_ret ret = program_call(&req->ctx, VCL_SUB_HASH);

	if (ret != VCL_RET_LOOKUP)
		return common_verdict(req, ret);
	key_make(&req->key, str_of(req->ctx.key.p, req->ctx.key.len));
	if (req->after_hash == STEP_LOOKUP)
		lurker_see_key(req);
	if (params->no_vary_search)
		search_key_make(req, req->key.bytes);
	else
		req->search.plain = STR_NULL;
	req->is_query = false;
	if (req->after_hash == STEP_LOOKUP &&
	    str_eq(req->http.method, STR("QUERY")) && !query_make_key(req))
		req->after_hash = STEP_PASS;
	return req->after_hash;
}

static enum request_step
step_lookup(struct request *req)
{
	switch (lookup_run(req)) {
	case LOOKUP_HIT:
		return STEP_HIT;
	case LOOKUP_MISS:
		return STEP_MISS;
	case LOOKUP_HITPASS:
		return STEP_PASS;
	case LOOKUP_NOT_CACHED:
		object_unref(&req->stale);
		return synth(req, FAILURE_NONE, 504, STR("Not Cached"));
	case LOOKUP_FAILED:
		break;
	}
	return synth(req, FAILURE_SHUTDOWN, 503, STR("Shutting down"));
}

/* With the claim on the key; if it is another's, as with hash_ignore_busy. */
static enum request_step
miss_after_hit(struct request *req)
{
	struct claim *busy = req->busy;

	req->busy = NULL;
	request_drop_objects(req);
	req->busy = busy;
	if (busy == NULL &&
	    index_claim(&req->key, &req->busy) != CLAIM_GRANTED)
		req->busy = NULL;
	req->forward = FORWARD_REQUEST;
	COUNT_INC(cache_miss);
	return STEP_MISS;
}

/*
 * Its store is told: what was hit stays there when others go, and what was
 * held back goes there now.
 */
static void
note_hit(struct request *req, struct object *o)
{
	uint64_t seq = atomic_load(&o->store_seq);

	if (seq != 0 && o->stevedore->store != NULL)
		store_note_hit(o->stevedore->store, seq);
	if (!object_is(o, OBJ_HELD_BACK) ||
	    atomic_load(&o->body.state) != BODY_COMPLETE)
		return;
	/* the first of those who come at once */
	if (atomic_fetch_and(&o->flags, ~(uint32_t)OBJ_HELD_BACK) &
	    OBJ_HELD_BACK)
		fetch_store_late(o, &req->key);
}

static enum request_step
step_hit(struct request *req)
{
	struct object *o = req->obj;
	double now = req->ctx.now;
	struct fetch *f;
	enum vcl_ret ret;

	req->is_hit = true;
	if (atomic_fetch_add(&o->hits, 1) == 0 || object_is(o, OBJ_HELD_BACK))
		note_hit(req, o);
	atomic_store_explicit(&o->last_hit, now, memory_order_relaxed);
	log_hit(&req->log, o->xid, object_ttl_left(o, now), o->grace, o->keep,
	    object_age(o, now));
	req->ctx.http[VCL_HTTP_OBJ] = &o->http;
	ret = program_call(&req->ctx, VCL_SUB_HIT);
	switch (ret) {
	case VCL_RET_DELIVER:
		/* that it is not what the client has, the origin may say */
		if (deliver_precondition_fails(req, &o->http)) {
			request_drop_objects(req);
			req->is_hit = false;
			return STEP_PASS;
		}
		/* stale, and nobody refreshes it: we have it done */
		if (req->busy != NULL) {
			f = fetch_start(req, FETCH_BACKGROUND, o);
			fetch_unref(&f);
		}
		if (o->body.flat == NULL && !object_is(o, OBJ_BLOCKS)) {
			body_reader_begin(&o->body, &req->reader);
			req->reading = true;
		}
		return STEP_DELIVER;
	case VCL_RET_PASS:
		request_drop_objects(req);
		req->is_hit = false;
		return STEP_PASS;
	case VCL_RET_MISS:
	case VCL_RET_FETCH: /* of older VCL */
		return miss_after_hit(req);
	default:
		return common_verdict(req, ret);
	}
}

/* false: the request is not forwarded, and this is the next step. */
static bool
goes_on(struct request *req, enum request_step *step)
{
	switch (hops_look(req)) {
	case HOPS_ON:
		return true;
	case HOPS_LAST:
		hops_answer(req);
		*step = STEP_DONE;
		return false;
	case HOPS_LOOP:
		break;
	}
	request_drop_objects(req);
	*step = synth(req, FAILURE_LOOP, 508, STR_NULL);
	return false;
}

static enum request_step
step_miss(struct request *req)
{
	enum request_step step;
	enum vcl_ret ret;

	if (!goes_on(req, &step))
		return step;
	ret = program_call(&req->ctx, VCL_SUB_MISS);
	switch (ret) {
	case VCL_RET_FETCH:
		req->fetch = fetch_start(req, FETCH_MISS, req->stale);
		return STEP_FETCH;
	case VCL_RET_PASS:
		request_drop_objects(req);
		return STEP_PASS;
	default:
		return common_verdict(req, ret);
	}
}

static enum request_step
step_pass(struct request *req)
{
	enum request_step step;
	enum vcl_ret ret;

	if (!goes_on(req, &step))
		return step;
	ret = program_call(&req->ctx, VCL_SUB_PASS);
	if (ret != VCL_RET_FETCH)
		return common_verdict(req, ret);
	COUNT_INC(s_pass);
	req->is_pass = true;
	req->forward = FORWARD_BYPASS;
	req->fetch = fetch_start(req, FETCH_PASS, NULL);
	return STEP_FETCH;
}

static enum request_step
step_fetch(struct request *req)
{
	struct fetch *f = req->fetch;

	object_unref(&req->stale);
	if (f == NULL)
		return synth(req, FAILURE_MEMORY, 503, STR("Out of memory"));
	fetch_wait(f);
	request_event(req, "Fetch");
	if (atomic_load(&f->state) == FETCH_RUNNING) {
		request_drop_objects(req);
		return synth(req, FAILURE_ESI_TIMEOUT, 503, STR_NULL);
	}
	if (atomic_load(&f->state) == FETCH_FAILED) {
		enum failure why = f->failure;

		request_drop_objects(req);
		return synth(req, why, req->stream->body_status != 0 ?
		    req->stream->body_status : 503, STR_NULL);
	}
	req->origin_status = f->got_status;
	req->obj = object_ref(f->obj);
	/* with a stale object it is no failure to the client */
	if (!f->gave_stale)
		req->failure = f->failure;
	log_failure(req);
	req->gave_stale = f->gave_stale;
	req->revalidated = f->was_304;
	req->not_for_cache = f->uncacheable && f->failure == FAILURE_NONE;
	req->stored = !req->gave_stale && !object_is(req->obj, OBJ_PRIVATE);
	fetch_unref(&req->fetch);
	req->ctx.http[VCL_HTTP_OBJ] = &req->obj->http;
	if (req->gave_stale) {
		req->is_hit = true;
		atomic_fetch_add_explicit(&req->obj->hits, 1,
		    memory_order_relaxed);
	}
	if (req->is_pass)
		invalidate_after(req);
	if (object_is(req->obj, OBJ_HEAD_ONLY))
		freshen_after_head(req);
	return STEP_DELIVER;
}

static void
log_no_room(struct request *req)
{
	log_put(&req->log, LOG_VCL_ERROR,
	    STR("Workspace overflow (response head)"));
}

static enum request_step
no_room(struct request *req)
{
	log_no_room(req);
	return common_verdict(req, VCL_RET_FAIL);
}

/* Once more after another request of the same turn changed it, not for ever. */
enum { CHANGED_LOOKUPS = 3 };

/* Nothing is sent yet; what was stored a part of is not there any more? */
static enum request_step
no_block(struct request *req)
{
	struct block_run *run = &req->run;

	if (!run->changed || run->lookups++ == CHANGED_LOOKUPS) {
		request_drop_objects(req);
		return synth(req, run->failure, 503, STR_NULL);
	}
	stevedore_drop(req->obj->stevedore, req->obj);
	request_drop_objects(req);
	return STEP_LOOKUP;
}

static enum request_step
step_deliver(struct request *req)
{
	enum vcl_ret ret;

	if (object_is(req->obj, OBJ_BLOCKS) && !blocks_prepare(req))
		return no_block(req);
	if (!deliver_head(req))
		return no_room(req);
	request_event(req, "Process");
	log_put(&req->log, LOG_RESP_PROTOCOL, STR("HTTP/1.1"));
	log_status(&req->log, LOG_RESP_STATUS, req->resp.status);
	log_put(&req->log, LOG_RESP_REASON, req->resp.reason);
	log_head_fields(&req->log, LOG_RESP_HEADER, &req->resp);
	ret = program_call(&req->ctx, VCL_SUB_DELIVER);
	if (ret != VCL_RET_DELIVER)
		return common_verdict(req, ret);
	return STEP_SEND;
}

static enum request_step
step_send(struct request *req)
{
	enum failure why;

	/* nothing is sent yet: it can still be another response */
	if (!deliver_has_room(req))
		return no_room(req);
	deliver_object(req);
	why = req->undelivered;
	if (why == FAILURE_NONE)
		return STEP_DONE;
	req->undelivered = FAILURE_NONE;
	/* it could not be read from disk, and was dropped for that */
	if (req->is_hit && object_is(req->obj, OBJ_DYING) &&
	    atomic_load(&req->obj->body.state) == BODY_COMPLETE) {
		request_drop_objects(req);
		return STEP_LOOKUP;
	}
	return synth(req, why, 503, STR_NULL);
}

static enum request_step
step_synth(struct request *req)
{
	int status = req->ctx.synth_status;
	struct str reason = req->ctx.synth_reason;
	enum vcl_ret ret;

	COUNT_INC(s_synth);
	if (status < 100 || status > 65535)
		status = 503;
	req->ctx.synth_status = 0;
	req->ctx.synth_reason = STR_NULL;
	req->ctx.body = (struct vcl_buf){0};
	if (!deliver_synth_head(req, (unsigned)status, reason)) {
		log_no_room(req);
		return STEP_FAIL;
	}
	if (req->failure == FAILURE_MEMORY)
		(void)http_set_known(&req->resp, FIELD_RETRY_AFTER, STR("5"));
	log_failure(req);
	request_event(req, "Process");
	log_status(&req->log, LOG_RESP_STATUS, req->resp.status);
	log_put(&req->log, LOG_RESP_REASON, req->resp.reason);
	log_head_fields(&req->log, LOG_RESP_HEADER, &req->resp);
	ret = program_call(&req->ctx, VCL_SUB_SYNTH);
	switch (ret) {
	case VCL_RET_DELIVER:
		break;
	case VCL_RET_RESTART:
		if (req->restarts <= params->max_restarts)
			return STEP_RESTART;
		break; /* too many is why we are here */
	default:
		return STEP_FAIL;
	}
	if (!deliver_has_room(req)) {
		log_no_room(req);
		return STEP_FAIL;
	}
	/* 1xyz: the last three digits are the client's (vcl(7)) */
	req->resp.status %= 1000;
	if (req->resp.status < 200)
		req->resp.status = 503;
	req->is_hit = false;
	deliver_bytes(req, str_of(req->ctx.body.p != NULL ?
	    req->ctx.body.p : "", req->ctx.body.len));
	return STEP_DONE;
}

static enum request_step
step_purge(struct request *req)
{
	char err[BAN_ERR_LEN];
	struct search_family family;
	struct purged done;
	enum vcl_ret ret;

	COUNT_INC(s_purge);
	search_family_of(&req->search, &family);
	if (invalidate_url(req->key.hash, &family, NULL, &done, err) != 0) {
		/* not on disk: after a restart it might be undone */
		log_put(&req->log, LOG_ERROR, str_from_z(err));
		return synth(req, FAILURE_PURGE, 503,
		    STR("Purge could not be stored"));
	}
	inval_audit(&req->log, "purge", req->http.target, &done);
	ret = program_call(&req->ctx, VCL_SUB_PURGE);
	return common_verdict(req, ret);
}

/* No room for the head that is to be piped. */
static enum request_step
fail_for_space(struct request *req)
{
	log_put(&req->log, LOG_VCL_ERROR,
	    STR("Workspace overflow (request head)"));
	return STEP_FAIL;
}

static enum request_step
step_pipe(struct request *req)
{
	enum request_step step;
	struct http bereq;
	struct backend *b;
	enum vcl_ret ret;
	bool done;

	if (req->stream->ops->raw == NULL)
		return synth(req, FAILURE_NONE, 501,
		    STR("This protocol can't be piped"));
	if (!goes_on(req, &step))
		return step;
	if (!pipe_make_bereq(req, &bereq))
		return fail_for_space(req);
	req->ctx.http[VCL_HTTP_BEREQ] = &bereq;
	req->ctx.connect_timeout = req->ctx.task_deadline = -1;
	ret = program_call(&req->ctx, VCL_SUB_PIPE);
	req->ctx.http[VCL_HTTP_BEREQ] = NULL;
	if (ret != VCL_RET_PIPE)
		return common_verdict(req, ret);
	b = backend_resolve(&req->ctx, req->backend_hint != NULL ?
	    req->backend_hint : program_default_backend(req->program));
	if (b == NULL)
		return synth(req, FAILURE_NO_BACKEND, 503, STR("No backend"));
	if (!pipe_enter())
		return synth(req, FAILURE_PIPES, 503, STR("Too many pipes"));
	done = pipe_run(req, &bereq, b);
	pipe_leave();
	return done ? STEP_DONE : fail_for_space(req);
}

static enum request_step
step_restart(struct request *req)
{
	void *buf = req->log.buf;
	uint32_t cap = req->log.cap;
	uint64_t parent = req->xid;

	req->restarts++;
	if (req->restarts > params->max_restarts) {
		log_put(&req->log, LOG_VCL_ERROR, STR("Too many restarts"));
		return synth(req, FAILURE_RESTARTS, 503, STR_NULL);
	}
	req->xid = core_xid(req->core);
	log_link(&req->log, LOG_KIND_REQUEST, req->xid, LOG_REASON_RESTART);
	request_event(req, "Restart");
	log_txn_end(&req->log);
	req->t_start = req->t_last;
	log_txn_begin(&req->log, req->core->ring, LOG_KIND_REQUEST, req->xid,
	    parent, buf, cap);
	request_log(req, LOG_REASON_RESTART);
	return STEP_RECV;
}

/* vcl_synth failed as well, or there is no room: an answer without policy. */
enum request_step
request_step_fail(struct request *req)
{
	COUNT_INC(vcl_fail);
	request_drop_objects(req);
	req->stream->close = true;
	/* nothing that policy made is in the workspace after this */
	vcl_ctx_end(&req->ctx);
	request_rollback(req);
	arena_rollback(&req->ws, req->ws_mark);
	if (!deliver_synth_head(req, 503, STR("VCL failed"))) {
		req->stream->ops->abort(req->stream);
		return STEP_DONE;
	}
	req->is_hit = false;
	deliver_bytes(req, STR(""));
	return STEP_DONE;
}

void
request_run(struct request *req)
{
	static enum request_step (*const steps[])(struct request *) = {
		[STEP_RECV] = request_step_recv,
		[STEP_HASH] = request_step_hash,
		[STEP_LOOKUP] = step_lookup,
		[STEP_HIT] = step_hit,
		[STEP_MISS] = step_miss,
		[STEP_PASS] = step_pass,
		[STEP_FETCH] = step_fetch,
		[STEP_PIPE] = step_pipe,
		[STEP_PURGE] = step_purge,
		[STEP_SYNTH] = step_synth,
		[STEP_DELIVER] = step_deliver,
		[STEP_SEND] = step_send,
		[STEP_RESTART] = step_restart,
		[STEP_FAIL] = request_step_fail,
	};
	enum request_step step = STEP_RECV;

	while (step != STEP_DONE) {
		req->step = step;
		step = steps[step](req);
	}
	request_drop_objects(req);
}
