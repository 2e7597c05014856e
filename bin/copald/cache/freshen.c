/*
 * freshen.c - see freshen.h.
 */
#include "ban.h"
#include "freshen.h"
#include "http_semantics.h"
#include "lookup.h"

struct told {
	const struct http *head; /* of the answer to HEAD */
	double t_origin;
	bool differs;
};

/* As far as both say it: ETag, Last-Modified, Content-Length. */
static bool
differs(const struct http *head, const struct http *stored)
{
	struct str a = http_get(head, FIELD_ETAG);
	struct str b = http_get(stored, FIELD_ETAG);

	/* a filter may have made it weak */
	if (a.p != NULL && b.p != NULL)
		return !etag_list_has(a, b, true);
	a = http_get(head, FIELD_LAST_MODIFIED);
	b = http_get(stored, FIELD_LAST_MODIFIED);
	if (a.p != NULL && b.p != NULL && !str_eq(a, b))
		return true;
	/* of the same coding only */
	if (!str_eq(http_get(head, FIELD_CONTENT_ENCODING),
	    http_get(stored, FIELD_CONTENT_ENCODING)))
		return false;
	a = http_get(head, FIELD_CONTENT_LENGTH);
	b = http_get(stored, FIELD_CONTENT_LENGTH);
	return a.p != NULL && b.p != NULL && !str_eq(a, b);
}

static bool
same_field(const struct http *x, const struct http *y, enum field_id id)
{
	struct str v = http_get(x, id);

	return v.p != NULL && str_eq(v, http_get(y, id));
}

static void
compare(void *priv, const struct explained *x)
{
	struct told *t = priv;
	struct object *o = x->object;

	if (!x->usable || object_is(o, OBJ_HITMISS | OBJ_HITPASS) ||
	    o->http.status != 200)
		return;
	if (differs(t->head, &o->http))
		t->differs = true;
	else if ((same_field(t->head, &o->http, FIELD_ETAG) ||
	    same_field(t->head, &o->http, FIELD_LAST_MODIFIED)) &&
	    t->t_origin > o->t_origin)
		o->t_origin = t->t_origin; /* its ttl begins anew */
}

void
freshen_after_head(struct request *req)
{
	struct told t = {.head = &req->obj->http,
	    .t_origin = req->obj->t_origin};
	char err[BAN_ERR_LEN];
	struct purged done;

	if (req->obj->http.status != 200)
		return;
	lookup_explain(req, compare, &t);
	if (!t.differs)
		return;
	if (purge_key(req->key.hash, NULL, &done, err) != 0)
		log_put(&req->log, LOG_ERROR, str_from_z(err));
	else
		inval_audit(&req->log, "purge", req->http.target, &done);
}
