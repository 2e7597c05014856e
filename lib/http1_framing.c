/*
 * http1_framing.c - what a head says about what follows: the forms of the
 * request target, Host, the body's length, and whether the connection lives
 * on (RFC 9112 3.2, 6, 9.3).
 *
 * Requests that two servers might cut differently are refused even where the
 * RFC would let us repair them: the origin behind us may repair them another
 * way, and what is left over is then taken for another client's request.
 */
#include <arpa/inet.h>

#include "http1.h"
#include "http1_impl.h"
#include "http_scan.h"

/* What of the fields decides the framing, gathered in one pass. */
struct facts {
	unsigned host_n, length_n;
	struct str host, length;
	/* Transfer-Encoding; last: the last coding is chunked */
	bool coded, coding_bad, coding_unknown, chunked, chunked_last;
	/* Connection's options */
	bool close, keep_alive, upgrade;
	bool has_upgrade, expect_continue;
};

/*
 * Adds one Transfer-Encoding field.  The list may be empty nowhere: what an
 * empty element stands for is what parsers differ in.
 */
static void
add_codings(struct facts *facts, struct str list)
{
	const char *p = list.p, *end = list.p + list.len;

	facts->coded = true;
	for (;;) {
		const char *comma = memchr(p, ',', end - p);
		struct str coding =
		    str_trim(str_of(p, (comma ? comma : end) - p));

		if (coding.len == 0)
			facts->coding_bad = true;
		facts->chunked_last = str_caseeq(coding, STR("chunked"));
		if (!facts->chunked_last)
			facts->coding_unknown = true;
		else if (facts->chunked)
			facts->coding_bad = true;
		else
			facts->chunked = true;
		if (!comma)
			return;
		p = comma + 1;
	}
}

static void
add_options(struct facts *facts, struct str list)
{
	struct str option;

	while (str_next_item(&list, &option)) {
		if (str_caseeq(option, STR("keep-alive")))
			facts->keep_alive = true;
		else if (str_caseeq(option, STR("close")))
			facts->close = true;
		else if (str_caseeq(option, STR("upgrade")))
			facts->upgrade = true;
	}
}

static struct facts
gather(const struct http *h)
{
	struct facts facts = {0};

	for (unsigned i = 0; i < h->field_n; i++) {
		const struct field *f = &h->field[i];
		struct str value = str_of(f->value, f->value_len);

		switch (f->id) {
		case FIELD_HOST:
			facts.host_n++;
			facts.host = value;
			break;
		case FIELD_CONTENT_LENGTH:
			facts.length_n++;
			facts.length = value;
			break;
		case FIELD_TRANSFER_ENCODING:
			add_codings(&facts, value);
			break;
		case FIELD_CONNECTION:
			add_options(&facts, value);
			break;
		case FIELD_UPGRADE:
			facts.has_upgrade |= value.len > 0;
			break;
		case FIELD_EXPECT:
			facts.expect_continue |=
			    str_caseeq(value, STR("100-continue"));
			break;
		default:
			break;
		}
	}
	return facts;
}

/* ---- Host and target ---- */

static bool
is_port(const char *p, const char *end)
{
	unsigned port = 0;

	for (; p < end; p++) {
		if (!http_char_is(*p, HTTP_CHAR_DIGIT))
			return false;
		port = port * 10 + (*p - '0');
		if (port > UINT16_MAX)
			return false;
	}
	return true;
}

/* "[2001:db8::1]": *end is where the bracket ends. */
static bool
is_ip_literal(const char *p, const char **end)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	const char *close = memchr(p, ']', *end - p);
	size_t len;

	if (!close)
		return false;
	len = close - p - 1;
	if (len >= sizeof(text))
		return false;
	memcpy(text, p + 1, len);
	text[len] = '\0';
	*end = close + 1;
	return inet_pton(AF_INET6, text, &address) == 1;
}

/*
 * uri-host [ ":" port ] (RFC 3986 3.2.2, 3.2.3), without userinfo.  *named:
 * the host is not empty; *port: there is one.
 */
static bool
is_authority(struct str s, bool *named, bool *port)
{
	const char *p = s.p, *end = s.p + s.len, *host_end = end;

	if (s.len > 0 && *p == '[') {
		if (!is_ip_literal(p, &host_end))
			return false;
		p = host_end;
	}
	for (; p < host_end; p++) {
		if (http_char_is(*p, HTTP_CHAR_HOST))
			continue;
		if (*p != '%')
			break;
		if (host_end - p < 3 || !http_char_is(p[1], HTTP_CHAR_HEX) ||
		    !http_char_is(p[2], HTTP_CHAR_HEX))
			return false;
		p += 2;
	}
	*named = p > s.p;
	*port = end - p > 1;
	if (p == end)
		return true;
	return *p == ':' && is_port(p + 1, end);
}

static enum h1_result
bad(const char **why, const char *text)
{
	*why = text;
	return H1_BAD;
}

/*
 * "http://authority/path?query" becomes target "/path?query" and the Host
 * (RFC 9112 3.2.2: whatever Host said).  Where the path is empty but a query
 * follows, the authority moves back by one over the "//" to make room for the
 * "/" that the query needs.
 */
static enum h1_result
split_absolute(struct http *h, size_t scheme_len, const char **why)
{
	char *begin = (char *)h->target.p + scheme_len;
	char *end = (char *)h->target.p + h->target.len, *p = begin;
	struct str authority;
	bool named, port;

	while (p < end && *p != '/' && *p != '?')
		p++;
	authority = str_of(begin, p - begin);
	if (!is_authority(authority, &named, &port) || !named)
		return bad(why, "bad authority in target");
	if (p == end) {
		bool options = str_eq(h->method, STR("OPTIONS"));

		h->target = options ? STR("*") : STR("/");
	} else {
		if (*p == '?') {
			memmove(begin - 1, begin, authority.len);
			authority.p--;
			*--p = '/';
		}
		h->target = str_of(p, end - p);
	}
	if (!http_set_known(h, FIELD_HOST, authority)) {
		*why = "too many fields";
		return H1_TOO_LONG;
	}
	return H1_OK;
}

static enum h1_result
check_target(struct http *h, const char **why)
{
	bool named, port;

	if (str_eq(h->method, STR("CONNECT"))) {
		if (!is_authority(h->target, &named, &port) || !named || !port)
			return bad(why, "CONNECT without host and port");
		return H1_OK;
	}
	if (h->target.p[0] == '/')
		return H1_OK;
	if (str_eq(h->target, STR("*"))) {
		if (!str_eq(h->method, STR("OPTIONS")))
			return bad(why, "target * is for OPTIONS");
		return H1_OK;
	}
	if (str_casestarts(h->target, STR("http://")))
		return split_absolute(h, 7, why);
	if (str_casestarts(h->target, STR("https://")))
		return split_absolute(h, 8, why);
	return bad(why, "bad form of target");
}

static enum h1_result
check_host(const struct http *h, const struct facts *facts, const char **why)
{
	bool named, port;

	/* Empty is right where the target has no authority (RFC 9112 3.2). */
	if (facts->host_n > 1)
		return bad(why, "several Host fields");
	if (facts->host_n == 0) {
		if (h->version == 10)
			return H1_OK;
		return bad(why, "no Host");
	}
	if (!is_authority(facts->host, &named, &port) ||
	    (facts->host.len > 0 && !named))
		return bad(why, "bad Host");
	return H1_OK;
}

/* ---- the body ---- */

/* Digits only; false on anything else and beyond 2^63-1. */
static bool
parse_length(struct str s, uint64_t *length)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!http_char_is(s.p[i], HTTP_CHAR_DIGIT) ||
		    n > (uint64_t)INT64_MAX / 10)
			return false;
		n = n * 10 + (s.p[i] - '0');
		if (n > INT64_MAX)
			return false;
	}
	*length = n;
	return s.len > 0;
}

/*
 * RFC 9112 6.1, 6.2: H1_CHUNKED, H1_LENGTH, or H1_NONE if the head does not
 * say.  "5, 5" and a repeated "5" may be taken for one 5 (6.3); they are
 * refused, since nothing sane sends them.
 */
static enum h1_result
body_of(struct h1_framing *framing, const struct http *h,
    const struct facts *facts, const char **why)
{
	if (facts->length_n > 1)
		return bad(why, "several Content-Length fields");
	if (facts->coded && facts->length_n)
		return bad(why, "Transfer-Encoding and Content-Length");
	if (facts->length_n) {
		if (!parse_length(facts->length, &framing->length))
			return bad(why, "bad Content-Length");
		framing->body = H1_LENGTH;
		return H1_OK;
	}
	if (!facts->coded)
		return H1_OK;
	if (h->version == 10)
		return bad(why, "Transfer-Encoding in HTTP/1.0");
	if (facts->coding_bad || !facts->chunked_last)
		return bad(why, "bad Transfer-Encoding");
	if (facts->coding_unknown) {
		*why = "unknown transfer coding";
		return H1_CODING;
	}
	framing->body = H1_CHUNKED;
	return H1_OK;
}

/* RFC 9112 9.3 */
static bool
persists(const struct http *h, const struct facts *facts)
{
	return !facts->close && (h->version > 10 || facts->keep_alive);
}

enum h1_result
h1_parse_request(struct http *h, struct h1_framing *framing, char *buf,
    size_t len, struct h1_scan *scan, const struct h1_limits *limits,
    size_t *head_len, const char **why)
{
	enum h1_result result;
	struct facts facts;

	result =
	    h1_read_head(true, h, buf, len, scan, limits, head_len, why);
	if (result != H1_OK)
		return result;
	*framing = (struct h1_framing){.body = H1_NONE};
	facts = gather(h);
	result = check_host(h, &facts, why);
	if (result != H1_OK)
		return result;
	result = check_target(h, why);
	if (result != H1_OK)
		return result;
	result = body_of(framing, h, &facts, why);
	if (result != H1_OK)
		return result;
	framing->keep_alive = persists(h, &facts);
	framing->expect_continue = facts.expect_continue && h->version > 10;
	framing->upgrade =
	    facts.upgrade && facts.has_upgrade && h->version > 10;
	return H1_OK;
}

enum h1_result
h1_parse_response(struct http *h, struct h1_framing *framing,
    bool head_request, char *buf, size_t len, struct h1_scan *scan,
    const struct h1_limits *limits, size_t *head_len, const char **why)
{
	enum h1_result result;
	struct facts facts;

	result =
	    h1_read_head(false, h, buf, len, scan, limits, head_len, why);
	if (result != H1_OK)
		return result;
	*framing = (struct h1_framing){.body = H1_NONE};
	facts = gather(h);
	result = body_of(framing, h, &facts, why);
	if (result == H1_CODING)
		result = H1_BAD;
	if (result != H1_OK)
		return result;
	framing->keep_alive = persists(h, &facts);
	framing->upgrade =
	    facts.upgrade && facts.has_upgrade && h->version > 10;
	if (h->status < 200 || h->status == 204) {
		/*
		 * They never have a body; one that announces a body may send
		 * it all the same, and it would be read as the next response.
		 */
		if (framing->body == H1_CHUNKED || framing->length > 0)
			framing->keep_alive = false;
		framing->body = H1_NONE;
		framing->length = 0;
	} else if (head_request || h->status == 304) {
		framing->body = H1_NONE;
		framing->length = 0;
	} else if (framing->body == H1_NONE) {
		framing->body = H1_UNTIL_CLOSE;
		framing->keep_alive = false;
	}
	return H1_OK;
}
