/*
 * esi_page.c - see esi_page.h: the walk over a page, text by text.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "counters.h"
#include "esi_page.h"
#include "esi_plan.h"
#include "params.h"
#include "stream.h"

enum {
	/* Of a page that is read as it comes: texts that go out together. */
	TEXT_BYTES = 16384,
};

struct walk { /* over the page of a request, or of an include */
	struct request *req;
	struct esi_page *page;
	struct esi_plan *plan;      /* NULL: it is read as it comes */
	unsigned i;                 /* the item that is next */
	uint64_t pos;               /* of the body's bytes, those behind us */
	unsigned begun;             /* includes among so many items are */
	struct esi_includes ahead;  /* of these, whose turn is to come */
	struct esi_includes late;   /* whose turn is over, and they run still */
	/* read as it comes */
	struct esi *parser;
	char *text;                 /* TEXT_BYTES */
	size_t text_len;
};

static bool
list_has(struct str list, enum filter_id want)
{
	enum filter_id id;

	while (filters_next(&list, &id))
		if (id == want)
			return true;
	return false;
}

bool
esi_is_wanted(const struct request *req)
{
	return req->obj != NULL && object_is(req->obj, OBJ_ESI) &&
	    list_has(filters_of_delivery(req), FILTER_ESI);
}

bool
esi_change_head(struct request *req)
{
	return filters_change_head(filters_of_delivery(req), &req->resp,
	    &req->ws) && filters_weaken_etag(&req->resp, &req->ws);
}

/* --- bytes --------------------------------------------------------------- */

/* A filter_sink: what was packed goes to the client. */
static bool
send_out(void *priv, const char *p, size_t len)
{
	struct esi_page *page = priv;
	struct stream *s = page->top->stream;

	return s->ops->write(s, p, len, false) == 0;
}

static int
page_put(struct esi_page *page, const char *p, size_t len, bool last)
{
	if (page->pack == NULL)
		return len == 0 || send_out(page, p, len) ? 0 : -1;
	return filters_run(page->pack, str_of(p, len), last, send_out,
	    page) == FILTERS_OK ? 0 : -1;
}

int
esi_page_write(struct esi_page *page, const char *p, size_t len)
{
	return page_put(page, p, len, false);
}

/* Of the request's own text. */
static bool
put_text(struct walk *w, const char *p, size_t len)
{
	struct stream *s = w->req->stream;

	if (w->req == w->page->top)
		return esi_page_write(w->page, p, len) == 0;
	return s->ops->write(s, p, len, false) == 0;
}

static bool
body_failed(struct walk *w)
{
	log_put(&w->req->log, LOG_ERROR,
	    STR("body cut short: response aborted"));
	return false;
}

/* A part of a body that needs no filter. */
static bool
send_text(struct walk *w, uint64_t at, uint64_t len)
{
	struct object *o = w->req->obj;
	struct stream *s = w->req->stream;
	struct body_view v;

	for (uint64_t end = at + len; at < end;) {
		size_t n;
		int r;

		if (body_get(&o->body, o->stevedore, at, false, NSEC_NEVER,
		    &v) != BODY_GET_OK)
			return body_failed(w);
		n = v.len < end - at ? v.len : (size_t)(end - at);
		r = v.p != NULL ? s->ops->write(s, v.p, n, false) :
		    s->ops->sendfile(s, v.fd, v.offset, n, false);
		body_view_release(&v);
		if (r != 0)
			return false;
		at += n;
	}
	return true;
}

/* --- includes ------------------------------------------------------------ */

/* What comes later begins now. */
static void
begin_ahead(struct walk *w)
{
	const struct esi_plan *p = w->plan;

	while (w->begun < p->n && w->ahead.n < params->esi_parallel &&
	    w->page->running < params->esi_parallel) {
		struct esi_item *it = &p->item[w->begun];
		struct esi_include *inc;

		if (it->src.p != NULL) {
			inc = esi_include_start(w->req, it);
			if (inc == NULL)
				return;
			esi_includes_add(&w->ahead, inc);
		}
		w->begun++;
	}
}

static struct esi_include *
begin_next(struct walk *w, const struct esi_item *it)
{
	struct esi_include *inc = esi_includes_take(&w->ahead);

	if (inc != NULL)
		return inc;
	inc = esi_include_start(w->req, it);
	if (w->plan != NULL)
		w->begun = w->i + 1;
	return inc;
}

/* false: the page ends here */
static bool
run_include(struct walk *w, const struct esi_item *it)
{
	struct esi_include *inc = begin_next(w, it);
	bool ok;

	if (inc == NULL)
		return it->may_fail || !w->req->esi_include_onerror;
	if (w->plan != NULL)
		begin_ahead(w);
	ok = esi_include_run(inc);
	if (esi_include_has_ended(inc))
		esi_include_end(&inc);
	else
		esi_includes_add(&w->late, inc);
	return ok && !w->page->top->stream->failed;
}

static void
end_includes(struct esi_includes *list)
{
	struct esi_include *inc;

	while ((inc = esi_includes_take(list)) != NULL)
		esi_include_end(&inc);
}

/* --- by the plan --------------------------------------------------------- */

/* A filter_sink: the body without its coding */
static bool
walk_bytes(void *priv, const char *p, size_t len)
{
	struct walk *w = priv;

	while (len > 0 && w->i < w->plan->n) {
		const struct esi_item *it = &w->plan->item[w->i];
		uint64_t n;

		if (it->src.p != NULL) {
			if (!run_include(w, it))
				return false;
			w->i++;
			continue;
		}
		n = w->pos < it->at ? it->at - w->pos :
		    it->at + it->len - w->pos;
		if (n > len)
			n = len;
		if (w->pos >= it->at && !put_text(w, p, n))
			return false;
		p += n;
		len -= n;
		w->pos += n;
		if (w->pos == it->at + it->len)
			w->i++;
	}
	w->pos += len;
	return true;
}

static bool
walk_unpacked(struct walk *w, struct filters *unpack)
{
	struct object *o = w->req->obj;
	struct body_view v;
	uint64_t at = 0;
	enum filters_result r = FILTERS_OK;

	while (r == FILTERS_OK && at < o->body.len) {
		if (body_get(&o->body, o->stevedore, at, true, NSEC_NEVER,
		    &v) != BODY_GET_OK)
			return body_failed(w);
		at += v.len;
		r = filters_run(unpack, str_of(v.p, v.len), false, walk_bytes,
		    w);
		body_view_release(&v);
	}
	if (r == FILTERS_OK)
		r = filters_run(unpack, STR(""), true, walk_bytes, w);
	if (r != FILTERS_OK && r != FILTERS_STOP)
		log_put(&w->req->log, LOG_ERROR, str_from_z(filters_text(r)));
	return r == FILTERS_OK;
}

static bool
walk_plan(struct walk *w, struct filters *unpack)
{
	begin_ahead(w);
	if (unpack != NULL && !walk_unpacked(w, unpack))
		return false;
	for (; w->i < w->plan->n; w->i++) {
		const struct esi_item *it = &w->plan->item[w->i];

		if (it->src.p != NULL ? !run_include(w, it) :
		    !send_text(w, it->at, it->len))
			return false;
	}
	return true;
}

/* --- as it comes --------------------------------------------------------- */

static bool
flush_text(struct walk *w)
{
	size_t n = w->text_len;

	w->text_len = 0;
	return n == 0 || put_text(w, w->text, n);
}

static bool
add_text(struct walk *w, struct str s)
{
	if (s.len > TEXT_BYTES - w->text_len && !flush_text(w))
		return false;
	if (s.len > TEXT_BYTES)
		return put_text(w, s.p, s.len);
	memcpy(w->text + w->text_len, s.p, s.len);
	w->text_len += s.len;
	return true;
}

/* An esi_sink */
static bool
walk_event(void *priv, const struct esi_event *v)
{
	struct walk *w = priv;
	struct esi_item it = {.src = v->text, .may_fail = v->may_fail};

	if (esi_log_event(&w->req->log, v))
		return true;
	if (v->kind == ESI_TEXT)
		return add_text(w, v->text);
	return flush_text(w) && run_include(w, &it);
}

/* A filter_sink: the body without its coding */
static bool
parse(void *priv, const char *p, size_t len)
{
	struct walk *w = priv;

	return esi_feed(w->parser, str_of(p, len), walk_event, w);
}

static bool
walk_body(struct walk *w, struct filters *unpack)
{
	struct request *req = w->req;
	struct object *o = req->obj;
	struct body_view v;
	uint64_t at = 0;

	for (;;) {
		nsec_t began = loop_now(req->core->loop);
		enum body_get r = body_get(&o->body, o->stevedore, at, true,
		    esi_deadline(req), &v);
		bool ok;

		esi_waited(req, began);
		if (r == BODY_GET_END)
			return (unpack == NULL || filters_run(unpack, STR(""),
			    true, parse, w) == FILTERS_OK) &&
			    esi_end(w->parser, walk_event, w) && flush_text(w);
		if (r != BODY_GET_OK)
			return body_failed(w);
		ok = unpack == NULL ? parse(w, v.p, v.len) :
		    filters_run(unpack, str_of(v.p, v.len), false, parse,
		    w) == FILTERS_OK;
		at += v.len;
		body_view_release(&v);
		if (!ok || !flush_text(w))
			return false;
		if (req->reading)
			body_reader_at(&o->body, &req->reader, at);
	}
}

static bool
walk_as_it_comes(struct walk *w, struct filters *unpack)
{
	bool ok = false;

	w->parser = esi_new(w->req->obj->esi_flags);
	w->text = malloc(TEXT_BYTES);
	if (w->parser != NULL && w->text != NULL)
		ok = walk_body(w, unpack);
	else
		log_put(&w->req->log, LOG_ERROR, STR("no memory for ESI"));
	free(w->text);
	esi_free(&w->parser);
	return ok;
}

/* ------------------------------------------------------------------------- */

static bool
walk(struct walk *w)
{
	struct object *o = w->req->obj;
	struct filters *unpack = NULL;
	bool ok = filters_new(filters_to_identity(&o->http), &unpack) ==
	    FILTERS_OK;

	if (!ok)
		log_put(&w->req->log, LOG_ERROR, STR("no memory for filters"));
	else if (w->plan != NULL)
		ok = walk_plan(w, unpack);
	else
		ok = walk_as_it_comes(w, unpack);
	filters_free(&unpack);
	return ok;
}

/* Does the client get the page in gzip, as the body is? */
static bool
is_to_be_packed(const struct request *req)
{
	return filters_to_identity(&req->obj->http).len > 0 &&
	    !list_has(filters_of_delivery(req), FILTER_GUNZIP);
}

static bool
begin_page(struct request *req, struct esi_page *page)
{
	page->top = req;
	page->left = NSEC_S(params->esi_timeout);
	req->page = page;
	return !is_to_be_packed(req) ||
	    filters_new(STR("gzip"), &page->pack) == FILTERS_OK;
}

static void
send_page(struct request *req, struct walk *w)
{
	struct stream *s = req->stream;
	bool top = req == w->page->top;

	if (s->ops->head(s, &req->resp, STREAM_UNKNOWN, 0, &req->ws) != 0)
		return;
	if (!walk(w) || (top && page_put(w->page, "", 0, true) != 0) ||
	    s->ops->finish(s) != 0)
		s->ops->abort(s);
	else if (top)
		COUNT_ADD(s_resp_bodybytes, (int64_t)s->body_sent);
}

void
esi_deliver(struct request *req)
{
	struct esi_page page = {0};
	struct object *o = req->obj;
	struct walk w = {.req = req};

	if (!esi_change_head(req) ||
	    (req->page == NULL && !begin_page(req, &page))) {
		log_put(&req->log, LOG_ERROR, STR("no memory for ESI"));
		req->stream->ops->abort(req->stream);
	} else {
		w.page = req->page;
		if (atomic_load(&o->body.state) == BODY_COMPLETE &&
		    !o->body.windowed)
			w.plan = esi_plan_of(o, &req->log);
		send_page(req, &w);
		end_includes(&w.ahead);
		end_includes(&w.late);
	}
	esi_plan_unref(&w.plan);
	if (req->page == &page) {
		filters_free(&page.pack);
		req->page = NULL;
	}
}
