/*
 * fetch_error.c - the end of a fetch without an answer: what vcl_backend_error
 * makes, what is stale, or nothing.
 */
#include <string.h>

#include "cache_status.h"
#include "core.h"
#include "counters.h"
#include "fetch_impl.h"
#include "fetch_object.h"
#include "fetch_stale.h"
#include "http_semantics.h"
#include "index.h"
#include "params.h"
#include "program.h"

/* vcl_backend_error makes a response of its own. */
enum fetch_step
fetch_step_error(struct fetching *x)
{
	struct fetch *f = x->f;
	struct http *h = &f->beresp;
	double now = loop_wall(f->core->loop);
	unsigned status = failure_status(f->failure);
	enum vcl_ret ret;
	bool cacheable;

	if (f->failure != FAILURE_VCL_ERROR)
		COUNT_INC(fetch_failed);
	fetch_conn_done(x, false);
	object_unref(&f->obj);
	h->field_n = 0;
	h->overflow = false;
	h->version = 11;
	if (f->ctx.synth_status >= 200 && f->ctx.synth_status <= 999)
		status = (unsigned)f->ctx.synth_status;
	h->status = (uint16_t)status;
	h->reason = f->ctx.synth_reason.p != NULL ? f->ctx.synth_reason :
	    f->ctx.synth_status != 0 ? str_from_z(http_reason(status)) :
	    STR("Backend fetch failed");
	f->ctx.synth_status = 0;
	f->ctx.synth_reason = STR_NULL;
	f->ctx.body = (struct vcl_buf){0};
	f->ctx.http[VCL_HTTP_BERESP] = h;
	http_add_known(h, FIELD_DATE, arena_strdup(&f->ws,
	    core_date(f->core)));
	http_add_known(h, FIELD_SERVER, STR("Copal"));
	log_put(&f->log, LOG_FAILURE, failure_name(f->failure));
	cache_status_failed(h, f->failure, &f->ws);
	f->t_origin = now;
	f->age = f->ttl = f->grace = f->keep = 0;
	f->ask_first = f->has_lists = f->no_ttl = f->keep_is_set = false;
	/* who waits for the same key gets this answer, not one each */
	if (f->busy != NULL && index_has_waiters(f->busy)) {
		f->ttl = 1;
		f->grace = f->keep = 5;
	}
	f->vary = f->tags = STR_NULL;
	log_status(&f->log, LOG_BERESP_STATUS, h->status);
	log_put(&f->log, LOG_BERESP_REASON, h->reason);
	ret = program_call(&f->ctx, VCL_SUB_BACKEND_ERROR);
	switch (ret) {
	case VCL_RET_DELIVER:
		break;
	case VCL_RET_RETRY:
		if (f->retries >= params->max_retries)
			return fetch_give_up(
			    f, FAILURE_RETRIES, "too many retries");
		return FS_RETRY;
	default:
		return fetch_vcl_ended(f, ret);
	}
	if (fetch_may_serve_stale(f)) {
		fetch_serve_stale(f, f->error != NULL ? f->error :
		    "the fetch failed");
		return FS_DONE;
	}
	/* a grace for whatever comes does not make it an answer for others */
	if (f->ttl <= 0)
		f->grace = f->keep = 0;
	http_unset(h, FIELD_CONTENT_LENGTH);
	if (!fetch_object_make(f))
		return fetch_give_up(f, FAILURE_MEMORY, "out of memory");
	atomic_fetch_or(&f->obj->flags, OBJ_SYNTH);
	f->framing.body = H1_LENGTH;
	f->framing.length = f->ctx.body.len;
	cacheable = fetch_is_cacheable(f) && !f->is_bgfetch;
	if (!cacheable)
		atomic_fetch_or(&f->obj->flags, OBJ_PRIVATE);
	f->obj->body.expected = (int64_t)f->ctx.body.len;
	if (body_set(&f->obj->body, f->ctx.body.p, f->ctx.body.len) != 0)
		return fetch_give_up(f, FAILURE_MEMORY, "out of memory");
	fetch_publish(f, cacheable);
	return FS_DONE;
}

/* Is it a failure that neither policy wanted nor fetch_step_error counted? */
static bool
is_new_failure(enum failure why)
{
	return why != FAILURE_VCL_ABANDON && why != FAILURE_VCL_FAILED &&
	    why != FAILURE_RETRIES;
}

enum fetch_step
fetch_step_fail(struct fetching *x)
{
	struct fetch *f = x->f;

	fetch_conn_done(x, false);
	log_printf(&f->log, LOG_FETCH_ERROR, "failed: %s",
	    f->error != NULL ? f->error : "unknown");
	if (is_new_failure(f->failure))
		COUNT_INC(fetch_failed);
	if (f->busy != NULL)
		index_release(&f->busy);
	object_unref(&f->obj);
	f->req = NULL;
	fetch_set_state(f, FETCH_FAILED);
	return FS_DONE;
}
