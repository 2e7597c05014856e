/*
 * esi_plan.c - see esi_plan.h.
 */
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "esi_plan.h"
#include "fetch.h"
#include "filters.h"
#include "memory.h"
#include "stevedore.h"

/* 40 MB of items; a page with more of them is read anew each time. */
enum { ITEMS_MAX = 1 << 20 };

struct esi_plan *
esi_plan_ref(struct esi_plan *p)
{
	atomic_fetch_add_explicit(&p->ref, 1, memory_order_relaxed);
	return p;
}

void
esi_plan_unref(struct esi_plan **pp)
{
	struct esi_plan *p = *pp;

	*pp = NULL;
	if (p == NULL || atomic_fetch_sub(&p->ref, 1) != 1)
		return;
	memory_charge(-(int64_t)p->bytes);
	for (unsigned i = 0; i < p->n; i++)
		free((char *)p->item[i].src.p);
	free(p->item);
	free(p);
}

bool
esi_log_event(struct log_txn *log, const struct esi_event *v)
{
	switch (v->kind) {
	case ESI_TEXT:
	case ESI_INCLUDE:
		return false;
	case ESI_ERROR:
		COUNT_INC(esi_errors);
		break;
	case ESI_WARNING:
		COUNT_INC(esi_warnings);
		break;
	case ESI_NO_PAGE:
		/* do_esi for all that an origin has is no mistake */
		log_put(log, LOG_ESI_XMLERROR, v->text);
		return true;
	}
	log_printf(log, LOG_ESI_XMLERROR, "%s after %llu %.*s",
	    v->kind == ESI_ERROR ? "ERR" : "WARN", (unsigned long long)v->at,
	    STR_ARG(v->text));
	return true;
}

/* --- making one ---------------------------------------------------------- */

struct making {
	struct esi_plan *plan;
	struct esi *parser;
	struct log_txn *log;
	bool no_memory;
};

static struct esi_item *
add_item(struct making *m)
{
	struct esi_plan *p = m->plan;
	unsigned cap = p->cap > 0 ? 2 * p->cap : 8;
	struct esi_item *more;

	if (p->n == p->cap) {
		more = cap <= ITEMS_MAX ?
		    realloc(p->item, cap * sizeof *more) : NULL;
		if (more == NULL) {
			m->no_memory = true;
			return NULL;
		}
		p->bytes += (cap - p->cap) * sizeof *more;
		p->item = more;
		p->cap = cap;
	}
	memset(&p->item[p->n], 0, sizeof *p->item);
	return &p->item[p->n++];
}

static void
add_text(struct making *m, const struct esi_event *v)
{
	struct esi_plan *p = m->plan;
	struct esi_item *last = p->n > 0 ? &p->item[p->n - 1] : NULL;

	if (last == NULL || last->src.p != NULL ||
	    last->at + last->len != v->at) {
		last = add_item(m);
		if (last == NULL)
			return;
		last->at = v->at;
	}
	last->len += v->text.len;
}

static void
add_include(struct making *m, const struct esi_event *v)
{
	struct esi_item *it = add_item(m);
	char *src;

	if (it == NULL)
		return;
	src = malloc(v->text.len + 1);
	if (src == NULL) {
		m->plan->n--;
		m->no_memory = true;
		return;
	}
	memcpy(src, v->text.p, v->text.len);
	src[v->text.len] = '\0';
	m->plan->bytes += v->text.len + 1;
	it->src = str_of(src, v->text.len);
	it->may_fail = v->may_fail;
}

/* An esi_sink */
static bool
make_item(void *priv, const struct esi_event *v)
{
	struct making *m = priv;

	if (esi_log_event(m->log, v))
		return true;
	if (v->kind == ESI_TEXT)
		add_text(m, v);
	else
		add_include(m, v);
	return !m->no_memory;
}

/* A filter_sink: the body without its coding */
static bool
parse(void *priv, const char *p, size_t len)
{
	struct making *m = priv;

	return esi_feed(m->parser, str_of(p, len), make_item, m);
}

/* All of the body goes through the parser. */
static bool
parse_body(struct making *m, struct object *o)
{
	struct filters *unpack;
	struct body_view v;
	uint64_t at = 0;
	bool ok = filters_new(filters_to_identity(&o->http), &unpack) ==
	    FILTERS_OK;

	while (ok && at < o->body.len) {
		if (body_get(&o->body, o->stevedore, at, true, NSEC_NEVER,
		    &v) != BODY_GET_OK)
			ok = false;
		else if (unpack == NULL)
			ok = parse(m, v.p, v.len);
		else
			ok = filters_run(unpack, str_of(v.p, v.len), false,
			    parse, m) == FILTERS_OK;
		at += v.len;
		body_view_release(&v);
	}
	if (ok && unpack != NULL)
		ok = filters_run(unpack, STR(""), true, parse, m) ==
		    FILTERS_OK;
	filters_free(&unpack);
	return ok && esi_end(m->parser, make_item, m);
}

static struct esi_plan *
plan_make(struct object *o, struct log_txn *log)
{
	struct making m = {.log = log};

	m.plan = calloc(1, sizeof *m.plan);
	m.parser = esi_new(o->esi_flags);
	if (m.plan != NULL) {
		m.plan->ref = 1;
		m.plan->bytes = sizeof *m.plan;
	}
	if (m.plan == NULL || m.parser == NULL || !parse_body(&m, o)) {
		if (m.plan != NULL)
			m.plan->bytes = 0;
		esi_plan_unref(&m.plan);
	} else {
		m.plan->found = esi_found(m.parser);
		memory_charge((int64_t)m.plan->bytes);
	}
	esi_free(&m.parser);
	return m.plan;
}

struct esi_plan *
esi_plan_of(struct object *o, struct log_txn *log)
{
	struct esi_plan *p = atomic_load(&o->esi_plan), *none = NULL;

	if (p != NULL)
		return esi_plan_ref(p);
	p = plan_make(o, log);
	/* two may make it at a time: the first one's stays */
	if (p != NULL && atomic_compare_exchange_strong(&o->esi_plan, &none,
	    p)) {
		esi_plan_ref(p);
		if (o->stevedore != NULL)
			stevedore_charge(o->stevedore, o, (int64_t)p->bytes);
	}
	return p;
}

/* What beresp.esi_* say. */
static unsigned
flags_of(const struct fetch *f)
{
	return (f->esi_disable_xml_check ? ESI_DISABLE_XML_CHECK : 0u) |
	    (f->esi_ignore_https ? ESI_IGNORE_HTTPS : 0u) |
	    (f->esi_ignore_other_elements ? ESI_IGNORE_OTHER_ELEMENTS : 0u) |
	    (f->esi_remove_bom ? ESI_REMOVE_BOM : 0u);
}

void
esi_examine(struct fetch *f)
{
	struct esi_plan *p;

	f->obj->esi_flags = (uint8_t)flags_of(f);
	p = esi_plan_of(f->obj, &f->log);
	/* without memory now it may still be read later */
	if (p == NULL || p->found) {
		atomic_fetch_or(&f->obj->flags, OBJ_ESI);
	} else {
		struct esi_plan *kept = atomic_exchange(&f->obj->esi_plan,
		    NULL);

		esi_plan_unref(&kept);
	}
	esi_plan_unref(&p);
}

void
esi_is_read_later(struct fetch *f)
{
	f->obj->esi_flags = (uint8_t)flags_of(f);
	atomic_fetch_or(&f->obj->flags, OBJ_ESI);
}

void
esi_plan_share(struct object *to, struct object *from)
{
	struct esi_plan *p = atomic_load(&from->esi_plan);

	if (!object_is(from, OBJ_ESI))
		return;
	to->esi_flags = from->esi_flags;
	atomic_fetch_or(&to->flags, OBJ_ESI);
	if (p != NULL)
		atomic_store(&to->esi_plan, esi_plan_ref(p));
}
