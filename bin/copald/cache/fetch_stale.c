/*
 * fetch_stale.c - stale objects for failures.
 *
 * An object has one time of staleness, its grace.  Whether that is leave to
 * serve it at once while it is refreshed, or only when the origin does not
 * answer (OBJ_ASK_FIRST), is what this file decides; RFC 9111 4.2.4 wants
 * leave of the origin or of the administrator for the former.
 */
#include "core.h"
#include "counters.h"
#include "fetch_impl.h"
#include "fetch_stale.h"
#include "http_semantics.h"
#include "index.h"
#include "params.h"

void
fetch_stale_limits(struct fetch *f, const struct freshness *fr)
{
	double grace = params->default_grace;

	f->ask_first = f->no_ttl = f->keep_is_set = false;
	f->grants_stale = fr->grace > 0;
	f->keep = params->default_keep;
	if (fr->grace >= 0) {
		grace = fr->grace;
	} else if ((fr->explicit_ || fr->ttl <= 0) &&
	    param_is_untouched(default_grace)) {
		/*
		 * Nobody said that it may be served stale; nor, where
		 * default_ttl is 0, that it may be guessed to be fresh.
		 */
		f->ask_first = true;
		if (fr->error_grace >= 0)
			grace = fr->error_grace;
	} else if (fr->error_grace == 0) {
		grace = 0;
	}
	f->grace = grace;
	if (fr->error_grace - grace > f->keep)
		f->keep = fr->error_grace - grace;
	/* what may not be served stale can still be asked about */
	if (params->default_grace - grace > f->keep)
		f->keep = params->default_grace - grace;
}

/* stale-if-error, of the object or the request; -1: neither */
static double
error_grace(const struct fetch *f)
{
	struct freshness_rules rules = {.surrogate = params->surrogate_control};
	struct freshness fr;

	freshness_of(&fr, &f->fallback->http, f->fallback->t_origin, &rules);
	if (fr.error_grace == 0)
		return -1;
	return fr.error_grace > f->error_limit ? fr.error_grace :
	    f->error_limit;
}

static bool
is_within(const struct fetch *f, double limit)
{
	const struct object *o = f->fallback;

	/* dying: purged, banned, or evicted, which can't be told apart */
	if (object_is(o, OBJ_DYING | OBJ_HITMISS | OBJ_HITPASS) ||
	    atomic_load(&o->body.state) == BODY_FAILED)
		return false;
	if (f->grace_limit >= 0 && f->grace_limit < limit)
		limit = f->grace_limit;
	return object_ttl_left(o, loop_wall(f->core->loop)) + limit > 0;
}

bool
fetch_may_serve_stale(const struct fetch *f)
{
	double limit;

	if (f->fallback == NULL)
		return false;
	limit = error_grace(f);
	return is_within(f, f->fallback->grace > limit ? f->fallback->grace :
	    limit);
}

bool
fetch_may_hide_error(const struct fetch *f)
{
	unsigned status = f->beresp.status;
	double limit;

	if (f->fallback == NULL || (status != 500 && status != 502 &&
	    status != 503 && status != 504))
		return false;
	limit = error_grace(f);
	/* in grace nobody waits for it: a good one would be lost for it */
	if (f->is_bgfetch && f->ttl - f->age <= 0 &&
	    f->fallback->grace > limit)
		limit = f->fallback->grace;
	return is_within(f, limit);
}

void
fetch_serve_stale(struct fetch *f, const char *why)
{
	struct object *o = f->fallback;

	log_printf(&f->log, LOG_NOTICE, "stale: %llu, %s",
	    (unsigned long long)o->xid, why);
	COUNT_INC(cache_stale_error);
	/* disconnected: from now on nobody waits for it to be tried again */
	atomic_fetch_and(&o->flags, ~(unsigned)OBJ_ASK_FIRST);
	object_unref(&f->obj);
	f->obj = object_ref(o);
	f->gave_stale = true;
	if (f->req != NULL && !f->req->reading && o->body.flat == NULL) {
		body_reader_begin(&o->body, &f->req->reader);
		f->req->reading = true;
	}
	if (f->busy != NULL)
		index_release(&f->busy);
	f->req = NULL;
	fetch_set_state(f, FETCH_READY);
}
