/*
 * fetch_combine.c - see fetch_combine.h.
 */
#include "ban.h"
#include "fetch_body.h"
#include "fetch_combine.h"
#include "fetch_head.h"
#include "fetch_object.h"
#include "index.h"
#include "program.h"
#include "vary.h"

/* Of the message, or of the part: the head has its own. */
static bool
is_of_the_part(const struct field *f)
{
	switch (f->id) {
	case FIELD_AGE:
	case FIELD_CONTENT_LENGTH:
	case FIELD_CONTENT_RANGE:
	case FIELD_DATE:
	case FIELD_VIA:
		return true;
	default:
		return false;
	}
}

/* Has the 206 a field that the head has with another value? */
static bool
says_something_new(const struct http *part, const struct http *head)
{
	for (unsigned i = 0; i < part->field_n; i++) {
		const struct field *f = &part->field[i];
		struct field_name name = {str_of(f->name, f->name_len), f->id};
		int k = http_find(head, &name, 0);
		bool same = false, is_there = k >= 0;

		for (; k >= 0 && !same;
		    k = http_find(head, &name, (unsigned)k + 1))
			same = str_eq(str_of(f->value, f->value_len), str_of(
			    head->field[k].value, head->field[k].value_len));
		if (is_there && !same && !is_of_the_part(f))
			return true;
	}
	return false;
}

/* A new head in the place of f->stale, unless that is gone. */
static void
replace(struct fetch *f)
{
	bool put;

	if (!fetch_object_make(f) || fetch_object_reuse_body(f, true) != 0 ||
	    index_claim(&f->key, &f->busy) != CLAIM_GRANTED)
		return;
	index_fetch_begins(f->busy, f);
	/* from here on we are told of a purge of this key */
	put = purge_count() == f->purges && !object_is(f->stale, OBJ_DYING) &&
	    index_insert_fetched(f->busy, f, f->obj);
	if (put)
		fetch_refresh_stored(f);
	index_fetch_ends(f);
	index_release(&f->busy);
	/* the old one may be on its way to disk yet: this one is later */
	if (put && f->obj->store_seq == 0)
		fetch_store(f);
}

/* Also what is on its way to disk. */
static void
drop(struct fetch *f)
{
	char err[BAN_ERR_LEN];
	struct purged done;

	if (purge_key(f->key.hash, NULL, &done, err) != 0)
		log_put(&f->log, LOG_ERROR, str_from_z(err));
	else
		inval_audit(&f->log, "purge", f->bereq.target, &done);
}

/* false: beresp is not to be kept, or its variant is another */
static bool
may_be_kept(struct fetch *f)
{
	struct str vary = STR_NULL;

	switch (vary_make(&f->beresp, &f->bereq0, &f->ws, &vary)) {
	case VARY_NONE:
	case VARY_SPEC:
		break;
	case VARY_ALL:
	case VARY_BAD:
		return false;
	}
	f->vary = vary;
	return !f->uncacheable && !f->no_store &&
	    f->ttl - f->age + f->grace + f->keep > 0 &&
	    str_eq(vary, f->stale->vary);
}

void
fetch_combine(struct fetch *f)
{
	enum vcl_ret ret;

	if (object_is(f->blocks.head, OBJ_DYING) ||
	    !says_something_new(&f->beresp, &f->blocks.head->http))
		return;
	f->stale = object_ref(f->blocks.head);
	f->tags = f->stale->tags;
	if (fetch_merge_304(f)) {
		fetch_freshness(f);
		ret = program_call(&f->ctx, VCL_SUB_BACKEND_RESPONSE);
		if (ret == VCL_RET_PASS ||
		    (ret == VCL_RET_DELIVER && !may_be_kept(f)))
			drop(f);
		else if (ret == VCL_RET_DELIVER)
			replace(f);
	}
	object_unref(&f->obj);
	object_unref(&f->stale);
}
