/*
 * http1_head.c - heads of HTTP/1 messages: lines and fields (RFC 9112 2 to 5).
 *
 * A head is read line by line: one fast scan finds the end of the line and at
 * the same time any control character in it, then the line is taken apart.
 * Most heads are whole when they are first seen and are parsed in one pass.
 * When bytes are missing, each line that gets complete is checked once and
 * forgotten, and the fields are stored in a last pass over the whole head: so
 * a mistake is found as early as can be, nothing points into a buffer that
 * may move, and no sender can make the work more than linear.
 *
 * What the fields mean for the body and the connection: http1_framing.c.
 */
#include "http1.h"
#include "http1_impl.h"
#include "http_scan.h"

/* Empty lines that are skipped before a request (RFC 9112 2.2). */
enum { BLANK_MAX = 2 };

struct reader {
	const char *buf;
	const char *end;   /* of what may be looked at: input or limit */
	bool at_limit;     /* end is where the limit is */
	bool request;
	const struct h1_limits *limits;
	struct http *h;
	const char *why;
};

static enum h1_result
fail(struct reader *r, enum h1_result result, const char *why)
{
	r->why = why;
	return result;
}

/* The line from p does not fit a limit.  Is its target to blame? */
static enum h1_result
too_long(struct reader *r, const char *p, size_t len, bool start,
    const char *why)
{
	if (r->request && start && memchr(p, ' ', len))
		return fail(r, H1_TARGET_TOO_LONG, "request line too long");
	return fail(r, H1_TOO_LONG, why);
}

/*
 * Finds the CRLF of the line that begins at p; what lies before from has been
 * looked at.  *eol is the CR, or with H1_MORE where to go on.
 */
static enum h1_result
line_end(struct reader *r, const char *p, const char *from, bool start,
    const char **eol)
{
	const char *q = http_scan_value(from, r->end);

	*eol = q;
	if (q - p > (ptrdiff_t)r->limits->line && !(start && r->request))
		return fail(r, H1_TOO_LONG, "line too long");
	if (r->end - q < 2) {
		if (q < r->end && *q != '\r')
			goto control;
		if (r->at_limit)
			return too_long(r, p, r->end - p, start,
			    "head too long");
		return H1_MORE;
	}
	if (q[0] == '\r' && q[1] == '\n')
		return H1_OK;
control:
	if (*q == '\n')
		return fail(r, H1_BAD, "LF without CR");
	if (*q == '\r')
		return fail(r, H1_BAD, "CR without LF");
	return fail(r, H1_BAD, "control character in head");
}

/* The eight bytes of HTTP-version.  RFC 9110 2.5: a higher minor version is
 * to be taken as the highest that we know. */
static enum h1_result
parse_version(struct reader *r, const char *p)
{
	if (memcmp(p, "HTTP/", 5) || !http_char_is(p[5], HTTP_CHAR_DIGIT) ||
	    p[6] != '.' || !http_char_is(p[7], HTTP_CHAR_DIGIT))
		return fail(r, H1_BAD, "no HTTP version in start line");
	if (p[5] != '1')
		return fail(r, H1_VERSION, "not HTTP/1");
	r->h->version = p[7] == '0' ? 10 : 11;
	return H1_OK;
}

enum { VERSION_LEN = 8 };

static enum h1_result
parse_request_line(struct reader *r, const char *p, const char *eol)
{
	const char *end = http_scan_token(p, eol);

	r->h->method = str_of(p, end - p);
	if (end == p || end == eol || *end != ' ')
		return fail(r, H1_BAD, "bad method");
	p = end + 1;
	end = http_scan_target(p, eol);
	r->h->target = str_of(p, end - p);
	if (end == eol)
		return fail(r, H1_BAD, "no HTTP version in start line");
	if (end == p || *end != ' ')
		return fail(r, H1_BAD, "bad character in target");
	p = end + 1;
	if (eol - p != VERSION_LEN)
		return fail(r, H1_BAD, "no HTTP version in start line");
	r->h->status = 0;
	r->h->reason = STR_NULL;
	return parse_version(r, p);
}

/* RFC 9112 4.  Without a reason many servers leave out its SP too. */
static enum h1_result
parse_status_line(struct reader *r, const char *p, const char *eol)
{
	enum h1_result result;

	if (eol - p < VERSION_LEN + 4)
		return fail(r, H1_BAD, "bad status line");
	result = parse_version(r, p);
	if (result != H1_OK)
		return result;
	p += VERSION_LEN;
	/* from 600 on they have no meaning, but are used (RFC 9110 15) */
	if (p[0] != ' ' || p[1] < '1' || p[1] > '9' ||
	    !http_char_is(p[2], HTTP_CHAR_DIGIT) ||
	    !http_char_is(p[3], HTTP_CHAR_DIGIT))
		return fail(r, H1_BAD, "bad status");
	r->h->status =
	    (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
	p += 4;
	if (p < eol && *p++ != ' ')
		return fail(r, H1_BAD, "bad status");
	r->h->reason = str_of(p, eol - p);
	r->h->method = r->h->target = STR_NULL;
	return H1_OK;
}

/* RFC 9112 5.  The line has no byte that is not allowed in a value. */
static inline enum h1_result
parse_field(struct reader *r, const char *p, const char *eol,
    struct field *f)
{
	const char *colon = http_scan_token(p, r->end);
	const char *value;

	/* The CR ends the scan at the latest, so colon <= eol. */
	if (*colon != ':' || colon == p) {
		if (http_is_space(*p))
			return fail(r, H1_BAD, "folded line");
		if (colon == p && *p == ':')
			return fail(r, H1_BAD, "empty field name");
		if (http_is_space(*colon))
			return fail(r, H1_BAD, "white space in field name");
		if (colon == eol)
			return fail(r, H1_BAD, "field without colon");
		return fail(r, H1_BAD, "bad character in field name");
	}
	if (colon - p > UINT16_MAX)
		return fail(r, H1_TOO_LONG, "field name too long");
	value = colon + 1;
	while (value < eol && http_is_space(*value))
		value++;
	while (eol > value && http_is_space(eol[-1]))
		eol--;
	f->name = p;
	f->value = value;
	f->value_len = eol - value;
	f->name_len = colon - p;
	f->id = field_id(str_of(p, colon - p));
	return H1_OK;
}

static enum h1_result
parse_start(struct reader *r, const char *p, const char *eol,
    struct h1_scan *at)
{
	if (p == eol && r->request) {
		if (at->blank_n++ == BLANK_MAX)
			return fail(r, H1_BAD, "empty lines, no request");
		return H1_OK;
	}
	at->started = true;
	if (r->request)
		return parse_request_line(r, p, eol);
	return parse_status_line(r, p, eol);
}

/*
 * Reads on from where at is, to the end of the head (H1_OK) or of the input.
 * store: fields go into h; else they are checked only.
 */
static enum h1_result
read_lines(struct reader *r, struct h1_scan *at, bool store)
{
	enum h1_result result;
	struct field checked;

	for (;;) {
		const char *p = r->buf + at->line, *eol;
		struct field *f = &checked;

		result = line_end(r, p, r->buf + at->seen, !at->started, &eol);
		at->seen = eol - r->buf;
		if (result != H1_OK)
			return result;
		at->line = at->seen = eol + 2 - r->buf;
		if (!at->started) {
			result = parse_start(r, p, eol, at);
			if (result != H1_OK)
				return result;
			continue;
		}
		if (p == eol)
			return H1_OK;
		if (at->field_n == r->h->field_cap)
			return fail(r, H1_TOO_LONG, "too many fields");
		if (store)
			f = &r->h->field[at->field_n];
		at->field_n++;
		result = parse_field(r, p, eol, f);
		if (result != H1_OK)
			return result;
		if (store)
			r->h->names |= http_name_bit(f->id,
			    str_of(f->name, f->name_len));
	}
}

enum h1_result
h1_read_head(bool request, struct http *h, const char *buf, size_t len,
    struct h1_scan *scan, const struct h1_limits *limits, size_t *head_len,
    const char **why)
{
	struct reader r = {
	    .buf = buf,
	    .end = buf + (len < limits->head ? len : limits->head),
	    .at_limit = len >= limits->head,
	    .request = request,
	    .limits = limits,
	    .h = h,
	};
	struct h1_scan at = *scan;
	bool first = at.seen == 0;
	enum h1_result result;

	h->field_n = 0;
	h->names = 0;
	h->overflow = false;
	result = read_lines(&r, &at, first);
	if (result == H1_OK && !first) {
		at = (struct h1_scan){0};
		result = read_lines(&r, &at, true);
	}
	if (result != H1_OK) {
		*scan = at;
		*why = r.why;
		return result;
	}
	h->field_n = at.field_n;
	*head_len = at.line;
	*scan = (struct h1_scan){0};
	return H1_OK;
}

bool
h1_parse_trailers(struct http *h, const char *section, size_t len)
{
	struct h1_limits limits = {(uint32_t)len + 1, (uint32_t)len};
	struct reader r = {.buf = section, .end = section + len,
	    .limits = &limits, .h = h};
	struct h1_scan at = {.started = true};

	h->field_n = 0;
	h->names = 0;
	h->overflow = false;
	if (read_lines(&r, &at, true) != H1_OK)
		return false;
	h->field_n = at.field_n;
	return true;
}

unsigned
h1_status(enum h1_result result)
{
	switch (result) {
	case H1_OK:
	case H1_MORE:
		return 200;
	case H1_BAD:
		return 400;
	case H1_TOO_LONG:
		return 431;
	case H1_VERSION:
		return 505;
	case H1_CODING:
		return 501;
	case H1_TARGET_TOO_LONG:
		return 414;
	}
	return 400;
}
