/*
 * access.c - what an access log says of a transaction.
 */
#include "access.h"

/* Splits a word off *s; empty at the end. */
static struct str
next_word(struct str *s)
{
	const char *p;
	struct str w;

	*s = str_trim(*s);
	p = s->len != 0 ? memchr(s->p, ' ', s->len) : NULL;
	w = str_of(s->p, p != NULL ? (size_t)(p - s->p) : s->len);
	s->p += w.len;
	s->len -= w.len;
	return w;
}

/* "HIT" or "vcl_hit" */
static bool
is_sub(struct str s, struct str name)
{
	if (str_casestarts(s, STR("vcl_")))
		s = str_of(s.p + 4, s.len - 4);
	return str_caseeq(s, name);
}

static void
see_call(struct access *a, struct str sub)
{
	static const struct {
		struct str sub;
		const char *hitmiss, *handling;
	} table[] = {
	    {{"hit", 3}, "hit", "hit"},
	    {{"miss", 4}, "miss", "miss"},
	    {{"pass", 4}, "miss", "pass"},
	    {{"pipe", 4}, "miss", "pipe"},
	    {{"synth", 5}, "miss", "synth"},
	    {{"backend_error", 13}, "miss", "error"},
	};

	a->restarted = false;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		/* a marker was found before, which says more */
		if (is_sub(sub, table[i].sub) && !is_sub(sub, a->marker)) {
			a->hitmiss = table[i].hitmiss;
			a->handling = table[i].handling;
		}
	}
}

/* What was found says that this sub is to be called. */
static void
see_marker(struct access *a, struct str sub, const char *handling)
{
	a->hitmiss = "miss";
	a->handling = handling;
	a->marker = sub;
}

/*
 * Policy changes what a client has sent, or what an origin was sent and has
 * answered: from there on that is not what was on the wire any more, until
 * there is a new try.  True: there is one, and what was before is forgotten.
 */
static bool
see_policy(bool *changed, bool is_fetch, const struct log_record *r)
{
	if (r->tag == LOG_VCL_CALL && is_sub(r->text,
	    is_fetch ? STR("backend_response") : STR("recv")))
		*changed = true;
	if (!is_fetch || r->tag != LOG_VCL_RETURN ||
	    !str_caseeq(r->text, STR("retry")))
		return false;
	*changed = false;
	return true;
}

static void
see_timestamp(struct access *a, const struct log_record *r)
{
	double since = r->num[0] - r->num[1];

	if (r->num_n != 3)
		return;
	if (a->start == 0)
		a->start = r->num[1];
	if (since > a->duration)
		a->duration = since;
	if (str_eq(r->text, a->is_fetch ? STR("Beresp") : STR("Process")))
		a->first_byte = since;
}

static void
see_accounts(struct access *a, const struct log_record *r)
{
	const double *v = r->num;

	if (r->num_n == 6) {
		/* To an origin, what goes out is the request. */
		a->in_total = v[a->is_fetch ? 5 : 2];
		a->out_total = v[a->is_fetch ? 2 : 5];
		a->out_body = v[4];
	} else if (r->num_n == 4) {
		a->in_total = v[0] + v[2];
		a->out_total = a->out_body = v[3];
		a->handling = "pipe";
	}
}

static void
see_request(struct access *a, const struct log_record *r)
{
	if (r->tag == (a->is_fetch ? LOG_BEREQ_METHOD : LOG_REQ_METHOD))
		a->method = r->text;
	else if (r->tag == (a->is_fetch ? LOG_BEREQ_URL : LOG_REQ_URL))
		a->url = r->text;
	else if (r->tag ==
	    (a->is_fetch ? LOG_BEREQ_PROTOCOL : LOG_REQ_PROTOCOL))
		a->protocol = r->text;
}

static void
see_response(struct access *a, const struct log_record *r)
{
	uint64_t n = 0;

	if (r->tag == (a->is_fetch ? LOG_BERESP_REASON : LOG_RESP_REASON)) {
		a->reason = r->text;
	} else if (r->tag ==
	    (a->is_fetch ? LOG_BERESP_STATUS : LOG_RESP_STATUS)) {
		/* A status that was put as text is good too. */
		if (r->num_n == 1 && r->num[0] >= 0 && r->num[0] < 65536)
			n = (uint64_t)r->num[0];
		else if (r->num_n == 0 && str_to_u64(r->text, &n) && n > 65535)
			n = 0;
		a->status = n;
	}
}

static void
see(struct access *a, const struct log_record *r)
{
	struct str rest = r->text;

	see_policy(&a->changed, a->is_fetch, r);
	if (!a->changed)
		see_request(a, r);
	if (!a->changed || !a->is_fetch)
		see_response(a, r);
	/* A flat list of what matters here; the other tags do not. */
	if (r->tag == (a->is_fetch ? LOG_BEREQ_ACCT : LOG_REQ_ACCT) ||
	    r->tag == LOG_PIPE_ACCT) {
		see_accounts(a, r);
	} else if (r->tag == LOG_TIMESTAMP) {
		see_timestamp(a, r);
	} else if (r->tag == LOG_REQ_START && !a->is_fetch) {
		a->host = next_word(&rest);
	} else if (r->tag == LOG_BACKEND_OPEN && a->is_fetch) {
		next_word(&rest); /* fd */
		next_word(&rest); /* backend */
		a->host = next_word(&rest);
	} else if (r->tag == LOG_HIT) {
		a->hitmiss = a->handling = "hit";
	} else if (r->tag == LOG_MISS) {
		see_marker(a, STR("miss"), "hitmiss");
	} else if (r->tag == LOG_HITPASS) {
		see_marker(a, STR("pass"), "hitpass");
	} else if (r->tag == LOG_VCL_CALL) {
		see_call(a, r->text);
	} else if (r->tag == LOG_VCL_RETURN) {
		a->restarted = str_caseeq(r->text, STR("restart"));
	}
}

void
access_of(struct access *a, const struct txn *t)
{
	struct str records = txn_records(t);
	struct log_record r;

	*a = (struct access){
	    .is_fetch = t->kind == LOG_KIND_FETCH,
	    .first_byte = -1,
	    .hitmiss = "-",
	    .handling = "-",
	};
	while (log_record_next(&records, &r))
		see(a, &r);
}

/* "Name: value"; false: another name */
static bool
value_of(struct str field, struct str name, struct str *value)
{
	if (field.len <= name.len || field.p[name.len] != ':' ||
	    !str_casestarts(field, name))
		return false;
	*value = str_trim(
	    str_of(field.p + name.len + 1, field.len - name.len - 1));
	if (value->p == NULL)
		*value = STR("");
	return true;
}

struct str
access_request_field(const struct txn *t, struct str name)
{
	bool fetch = t->kind == LOG_KIND_FETCH, changed = false;
	struct str records = txn_records(t), value = STR_NULL, gone;
	struct log_record r;

	/* What is unset of a client's request before policy was sent, too. */
	while (log_record_next(&records, &r))
		if (see_policy(&changed, fetch, &r))
			value = STR_NULL;
		else if (changed)
			continue;
		else if (r.tag == (fetch ? LOG_BEREQ_HEADER : LOG_REQ_HEADER))
			(void)value_of(r.text, name, &value);
		else if (fetch && r.tag == LOG_BEREQ_UNSET &&
		    value_of(r.text, name, &gone))
			value = STR_NULL;
	return value;
}

struct str
access_response_field(const struct txn *t, struct str name)
{
	bool fetch = t->kind == LOG_KIND_FETCH, changed = false;
	struct str records = txn_records(t), value = STR_NULL, gone;
	struct log_record r;

	while (log_record_next(&records, &r)) {
		if (see_policy(&changed, fetch, &r))
			value = STR_NULL;
		else if (fetch && changed)
			continue;
		else if (r.tag == (fetch ? LOG_BERESP_HEADER : LOG_RESP_HEADER))
			(void)value_of(r.text, name, &value);
		else if (r.tag == (fetch ? LOG_BERESP_UNSET : LOG_RESP_UNSET) &&
		    value_of(r.text, name, &gone))
			value = STR_NULL;
	}
	return value;
}
