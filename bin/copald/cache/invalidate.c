/*
 * invalidate.c - RFC 9111 4.4.
 */
#include <string.h>

#include "ban.h"
#include "http_semantics.h"
#include "index.h"
#include "invalidate.h"
#include "lookup.h"
#include "program.h"
#include "query.h"
#include "search_key.h"

static int
purge_family(const uint8_t hash[STORE_HASH_LEN],
    const struct search_family *family, const struct inval_limits *soft,
    struct purged *done, char *err)
{
	return query_purge(hash, soft != NULL, done, err) != 0 ? -1 :
	    search_family_purge(family, soft, done, err);
}

int
invalidate_url(const uint8_t hash[STORE_HASH_LEN],
    const struct search_family *family, const struct inval_limits *soft,
    struct purged *done, char err[BAN_ERR_LEN])
{
	*done = (struct purged){0};
	return purge_key(hash, soft, done, err) != 0 ? -1 :
	    purge_family(hash, family, soft, done, err);
}

static void
purge(struct request *req, const struct key *key,
    const struct search_use *search)
{
	bool is_there = index_find(key) != NULL || lookup_may_load(key);
	char err[BAN_ERR_LEN];
	struct search_family family;
	struct purged done = {0};
	int r;

	search_family_of(search, &family);
	/* nothing to do is the rule: it must not cost a commit */
	r = is_there ? invalidate_url(key->hash, &family, NULL, &done, err) :
	    purge_family(key->hash, &family, NULL, &done, err);
	if (r != 0)
		log_put(&req->log, LOG_ERROR, str_from_z(err));
	else if (is_there)
		inval_audit(&req->log, "purge", req->http.target, &done);
}

/* Is the authority that of the request?  Moves *url behind it. */
static bool
is_same_host(struct str host, struct str *url)
{
	const char *end;
	struct str authority;

	end = memchr(url->p, '/', url->len);
	authority = str_of(url->p, end != NULL ? (size_t)(end - url->p) :
	    url->len);
	*url = end == NULL ? STR("/") :
	    str_of(end, url->len - authority.len);
	return str_caseeq(authority, host);
}

static struct str
without(struct str s, char from)
{
	const char *p = memchr(s.p, from, s.len);

	return p != NULL ? str_of(s.p, (size_t)(p - s.p)) : s;
}

/*
 * The target that a reference means (RFC 3986 5.2; dots are left as they are);
 * p NULL: it is on another host, or no http URL.
 */
static struct str
target_of(struct request *req, struct str url)
{
	struct str host = http_get(&req->http, FIELD_HOST);
	struct str base = without(req->http.target, '?');

	url = without(str_trim(url), '#');
	if (url.len == 0)
		return STR_NULL;
	if (str_casestarts(url, STR("http://")))
		url = str_of(url.p + 7, url.len - 7);
	else if (str_casestarts(url, STR("https://")))
		url = str_of(url.p + 8, url.len - 8);
	else if (str_starts(url, STR("//")))
		url = str_of(url.p + 2, url.len - 2);
	else if (url.p[0] == '/')
		return url;
	else if (memchr(without(without(url, '/'), '?').p, ':',
	    without(without(url, '/'), '?').len) != NULL)
		return STR_NULL; /* another scheme */
	else {
		while (base.len > 0 && base.p[base.len - 1] != '/')
			base.len--;
		return arena_printf(&req->ws, "%.*s%.*s", STR_ARG(base),
		    STR_ARG(url));
	}
	return is_same_host(host, &url) ? url : STR_NULL;
}

/* Policy makes the key of another target, with this request's fields. */
static void
purge_reference(struct request *req, enum field_id field)
{
	struct str value = http_get(&req->obj->http, field), target;
	struct str before = req->http.target;
	struct search_use search;
	struct key key;

	if (value.p == NULL)
		return;
	target = target_of(req, value);
	if (target.p == NULL || str_eq(target, before))
		return;
	req->http.target = target;
	/* the key of the request stays where it is */
	req->ctx.key = (struct vcl_buf){0};
	if (program_call(&req->ctx, VCL_SUB_HASH) == VCL_RET_LOOKUP) {
		search_key_of(req, str_of(req->ctx.key.p,
		    req->ctx.key.len), target, &search, &key);
		purge(req, &key, &search);
	}
	req->http.target = before;
}

void
invalidate_after(struct request *req)
{
	unsigned status = req->obj->http.status;

	if (http_is_safe(req->http.method) || status < 200 || status >= 400)
		return;
	purge(req, &req->key, &req->search);
	purge_reference(req, FIELD_LOCATION);
	purge_reference(req, FIELD_CONTENT_LOCATION);
}
