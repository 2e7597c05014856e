/*
 * vrt_head.c - fields and start lines of heads, as VCL reads and sets them.
 *
 * What VCL sets is checked: nothing that it makes of a client's bytes may end
 * a line or a start line's word, in whatever direction the head goes.
 */
#include "filters.h"
#include "http.h"
#include "vrt_head.h"

struct tags {
	enum log_tag set, unset;
};

static const struct tags field_tags[VCL_HTTP_MAX] = {
	[VCL_HTTP_REQ] = {LOG_REQ_HEADER, LOG_REQ_UNSET},
	[VCL_HTTP_REQ_TOP] = {LOG_REQ_HEADER, LOG_REQ_UNSET},
	[VCL_HTTP_BEREQ] = {LOG_BEREQ_HEADER, LOG_BEREQ_UNSET},
	[VCL_HTTP_BERESP] = {LOG_BERESP_HEADER, LOG_BERESP_UNSET},
	[VCL_HTTP_OBJ] = {LOG_OBJ_HEADER, LOG_OBJ_HEADER},
	[VCL_HTTP_RESP] = {LOG_RESP_HEADER, LOG_RESP_UNSET},
	[VCL_HTTP_OBJ_STALE] = {LOG_OBJ_HEADER, LOG_OBJ_HEADER},
	[VCL_HTTP_REQ0] = {LOG_REQ_HEADER, LOG_REQ_UNSET},
};

static const char *const head_name[VCL_HTTP_MAX] = {
	"req", "req_top", "bereq", "beresp", "obj", "resp", "obj_stale", "req0",
};

static inline struct field_name
name_of(const struct vcl_header *h)
{
	return (struct field_name){h->name, (enum field_id)h->id};
}

struct str
vrt_hdr_get(struct vcl_ctx *ctx, enum vcl_http which,
    const struct vcl_header *header)
{
	const struct http *h = ctx->http[which];
	struct field_name name = name_of(header);

	return h != NULL ? http_get_name(h, &name) : STR_NULL;
}

struct str
vrt_header_string(struct vcl_ctx *ctx, const struct vcl_header_ref *ref)
{
	return ref != NULL ? vrt_hdr_get(ctx, ref->http, ref->header)
			   : STR_NULL;
}

static void
log_field(struct vcl_ctx *ctx, enum log_tag tag, const struct field *f)
{
	if (ctx->log != NULL)
		log_put2(ctx->log, tag, str_of(f->name, f->name_len),
		    STR(": "), str_of(f->value, f->value_len));
}

static void
log_unset(struct vcl_ctx *ctx, const struct http *h, enum log_tag tag,
    const struct field_name *name)
{
	for (int i = http_find(h, name, 0); i >= 0;
	    i = http_find(h, name, i + 1))
		log_field(ctx, tag, &h->field[i]);
}

/*
 * The value as it goes into the head; p == NULL: not, a failure.
 *
 * Policies use fields that are their own, and Cookie, as variables: they take
 * it apart in steps, of which one may leave "a=1; " for the next, or compare
 * what they have put together.  So blanks stay at the end of these until the
 * head is sent.
 */
static struct str
check_value(struct vcl_ctx *ctx, enum vcl_http which,
    const struct field_name *name, struct str value)
{
	struct str trimmed = str_trim(value);
	bool is_variable = name->id == FIELD_OTHER || name->id == FIELD_COOKIE;

	value = !is_variable ? trimmed : str_of(trimmed.p, value.len -
	    (size_t)(trimmed.p - value.p));
	if (!http_is_value(trimmed)) {
		vcl_fail(ctx, "Bad value of header %s.http.%.*s",
		    head_name[which], STR_ARG(name->name));
		return STR_NULL;
	}
	return vcl_keep(ctx, value, "header");
}

static void
was_put(struct vcl_ctx *ctx, enum vcl_http which,
    const struct field_name *name, struct str value, bool done)
{
	if (!done)
		vcl_fail(ctx, "No room for header %s.http.%.*s: http_max_hdr "
		    "is reached", head_name[which], STR_ARG(name->name));
	else if (ctx->log != NULL)
		log_put2(ctx->log, field_tags[which].set, name->name,
		    STR(": "), value);
}

void
vcl_head_set(struct vcl_ctx *ctx, enum vcl_http which,
    const struct field_name *name, struct str value)
{
	struct http *h = ctx->http[which];

	value = check_value(ctx, which, name, value);
	if (value.p == NULL)
		return;
	log_unset(ctx, h, field_tags[which].unset, name);
	was_put(ctx, which, name, value, http_set(h, name, value));
}

void
vcl_head_add(struct vcl_ctx *ctx, enum vcl_http which,
    const struct field_name *name, struct str value)
{
	value = check_value(ctx, which, name, value);
	if (value.p != NULL)
		was_put(ctx, which, name, value,
		    http_add(ctx->http[which], name, value));
}

void
vcl_head_replace_at(struct vcl_ctx *ctx, enum vcl_http which, unsigned i,
    const struct field_name *name, struct str value)
{
	struct http *h = ctx->http[which];
	struct field added;

	value = check_value(ctx, which, name, value);
	if (value.p == NULL)
		return;
	log_field(ctx, field_tags[which].unset, &h->field[i]);
	http_remove_at(h, i);
	/* there is room for one now, unless it is of an absurd length */
	was_put(ctx, which, name, value, http_add(h, name, value));
	if (ctx->failed)
		return;
	added = h->field[h->field_n - 1];
	memmove(&h->field[i + 1], &h->field[i],
	    (h->field_n - 1 - i) * sizeof added);
	h->field[i] = added;
}

void
vcl_head_remove_at(struct vcl_ctx *ctx, enum vcl_http which, unsigned i)
{
	struct http *h = ctx->http[which];

	log_field(ctx, field_tags[which].unset, &h->field[i]);
	http_remove_at(h, i);
}

bool
vcl_head_is_writable(struct vcl_ctx *ctx, enum vcl_http which)
{
	if (ctx->http[which] != NULL && which != VCL_HTTP_OBJ &&
	    which != VCL_HTTP_OBJ_STALE && which != VCL_HTTP_REQ_TOP &&
	    which != VCL_HTTP_REQ0)
		return true;
	vcl_fail(ctx, "%s.http can't be changed here", head_name[which]);
	return false;
}

void
vrt_hdr_set(struct vcl_ctx *ctx, enum vcl_http which,
    const struct vcl_header *header, struct str value)
{
	struct field_name name = name_of(header);

	if (ctx->http[which] != NULL)
		vcl_head_set(ctx, which, &name, value);
}

void
vrt_hdr_unset(struct vcl_ctx *ctx, enum vcl_http which,
    const struct vcl_header *header)
{
	struct http *h = ctx->http[which];
	struct field_name name = name_of(header);

	if (h == NULL || http_find(h, &name, 0) < 0)
		return;
	log_unset(ctx, h, field_tags[which].unset, &name);
	http_unset_name(h, &name);
}

static const struct vcl_header x_copal = {{"X-Copal", 7}, FIELD_X_COPAL};

struct str
vrt_ids_get(struct vcl_ctx *ctx, enum vcl_http which,
    const struct vcl_header *x_varnish)
{
	struct str s = vrt_hdr_get(ctx, which, x_varnish);

	return s.p != NULL ? s : vrt_hdr_get(ctx, which, &x_copal);
}

void
vrt_ids_unset(struct vcl_ctx *ctx, enum vcl_http which,
    const struct vcl_header *x_varnish)
{
	vrt_hdr_unset(ctx, which, x_varnish);
	vrt_hdr_unset(ctx, which, &x_copal);
}

/*
 * The fields and the start line are what they were at first; what VCL made
 * meanwhile stays in the workspace until the transaction ends.
 */
void
vrt_rollback(struct vcl_ctx *ctx, enum vcl_http which)
{
	const struct http *original = NULL;

	if (which == VCL_HTTP_REQ)
		original = ctx->original_req;
	else if (which == VCL_HTTP_BEREQ)
		original = ctx->original_bereq;
	if (original == NULL || ctx->http[which] == NULL) {
		vcl_fail(ctx, "%s can't be rolled back here",
		    head_name[which]);
		return;
	}
	http_copy(ctx->http[which], original);
}

/* ---- start lines ---- */

void
vcl_set_method(struct vcl_ctx *ctx, enum vcl_http which, struct str s)
{
	struct http *h = ctx->http[which];

	if (!http_is_token(s)) {
		vcl_fail(ctx, "Bad value of %s.method", head_name[which]);
		return;
	}
	s = vcl_keep(ctx, s, "method");
	if (s.p == NULL)
		return;
	h->method = s;
	if (ctx->log != NULL)
		log_put(ctx->log, which == VCL_HTTP_REQ ? LOG_REQ_METHOD
							: LOG_BEREQ_METHOD, s);
}

/* No byte that could end the target or its line (RFC 9112 3). */
static bool
is_target(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.len != 0;
}

void
vcl_set_url(struct vcl_ctx *ctx, enum vcl_http which, struct str s)
{
	struct http *h = ctx->http[which];

	s = str_trim(s);
	if (!is_target(s)) {
		vcl_fail(ctx, s.len == 0 ? "Setting %s.url to empty string"
					 : "Bad value of %s.url",
		    head_name[which]);
		return;
	}
	s = vcl_keep(ctx, s, "url");
	if (s.p == NULL)
		return;
	h->target = s;
	if (ctx->log != NULL)
		log_put(ctx->log, which == VCL_HTTP_REQ ? LOG_REQ_URL
							: LOG_BEREQ_URL, s);
}

struct str
vcl_proto(const struct http *h)
{
	if (h == NULL)
		return STR_NULL;
	return h->version >= 20 ? STR("HTTP/2.0")
	    : h->version == 10 ? STR("HTTP/1.0") : STR("HTTP/1.1");
}

/*
 * A minor version above the one that is spoken is answered as that one (RFC
 * 9110 2.5).
 */
void
vcl_set_proto(struct vcl_ctx *ctx, enum vcl_http which, struct str s)
{
	struct http *h = ctx->http[which];

	if (str_eq(s, STR("HTTP/1.0")))
		h->version = 10;
	else if (s.len == 8 && str_starts(s, STR("HTTP/1.")) &&
	    s.p[7] >= '1' && s.p[7] <= '9')
		h->version = 11;
	else if (str_eq(s, STR("HTTP/2.0")) || str_eq(s, STR("HTTP/2")))
		h->version = 20;
	else
		vcl_fail(ctx, "Bad value of %s.proto: \"%.*s\"",
		    head_name[which], STR_ARG(s));
}

/*
 * Five digits are allowed inside of VCL (12404); what is sent is the last
 * three, which have to be a status.
 */
void
vcl_set_status(struct vcl_ctx *ctx, enum vcl_http which, int64_t status)
{
	struct http *h = ctx->http[which];
	bool resp = which == VCL_HTTP_RESP;

	if (status < 0 || status > 65535 || status % 1000 < 100) {
		vcl_fail(ctx, "%s.status can't be %lld", head_name[which],
		    (long long)status);
		return;
	}
	h->status = status;
	h->reason = str_from_z(http_reason(status % 1000));
	if (ctx->log == NULL)
		return;
	log_status(ctx->log, resp ? LOG_RESP_STATUS : LOG_BERESP_STATUS,
	    status);
	log_put(ctx->log, resp ? LOG_RESP_REASON : LOG_BERESP_REASON,
	    h->reason);
}

void
vcl_set_reason(struct vcl_ctx *ctx, enum vcl_http which, struct str s)
{
	struct http *h = ctx->http[which];

	s = str_trim(s);
	if (s.len != 0 && !http_is_value(s)) {
		vcl_fail(ctx, "Bad value of %s.reason", head_name[which]);
		return;
	}
	s = vcl_keep(ctx, s, "reason");
	if (s.p == NULL)
		return;
	h->reason = s;
	if (ctx->log != NULL)
		log_put(ctx->log, which == VCL_HTTP_RESP ? LOG_RESP_REASON
							 : LOG_BERESP_REASON,
		    s);
}

void
vcl_set_filters(struct vcl_ctx *ctx, enum vcl_http which, struct str s)
{
	struct str rest = str_trim(s), before;
	enum filter_id id;

	for (before = rest; filters_next(&rest, &id); before = rest)
		if (id == FILTER_MAX) {
			before = str_trim(before);
			vcl_fail(ctx, "%s.filters: there is no filter "
			    "\"%.*s\"", head_name[which],
			    (int)(before.len - rest.len), before.p);
			return;
		}
	s = vcl_keep(ctx, str_trim(s), "filters");
	if (s.p != NULL)
		ctx->filters = s;
}
