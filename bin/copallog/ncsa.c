/*
 * ncsa.c - access-log lines in NCSA's formats.
 *
 * A format is cut once into parts; a line is one pass over the parts.
 */
#include "ncsa.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "access.h"
#include "tag_set.h"

enum { PARTS_MAX = 256, ARG_MAX_LEN = 1024 };

enum what {
	WHAT_TEXT,   /* arg, as it is */
	WHAT_SIMPLE, /* letter */
	WHAT_IN,     /* request field arg */
	WHAT_OUT,    /* response field arg */
	WHAT_TIME,   /* strftime format arg */
	WHAT_FIRST_BYTE,
	WHAT_HITMISS,
	WHAT_HANDLING,
	WHAT_SIDE,
	WHAT_XID,
	WHAT_VCL_LOG, /* key arg */
	WHAT_RECORD,  /* tags, prefix arg, field */
};

struct part {
	enum what what;
	char letter;
	struct str arg; /* into struct ncsa's text */
	struct tag_set tags;
	unsigned field;
};

struct ncsa {
	char *text; /* the format and what its escapes became */
	unsigned n;
	struct part part[PARTS_MAX];
};

/* ---- the format ---- */

static struct part *
new_part(struct ncsa *f, enum what what, struct str arg)
{
	struct part *p;

	if (f->n == PARTS_MAX)
		return NULL;
	p = &f->part[f->n++];
	p->what = what;
	p->arg = arg;
	return p;
}

/* "tag:prefix[field]" */
static bool
parse_record(struct part *p, struct str arg)
{
	const char *open = memrchr(arg.p, '[', arg.len), *colon;
	struct str tags, bad;
	uint64_t field;

	p->what = WHAT_RECORD;
	if (open != NULL && arg.p[arg.len - 1] == ']') {
		if (!str_to_u64(
			str_of(open + 1, arg.p + arg.len - open - 2), &field) ||
		    field == 0 || field > 1000000)
			return false;
		p->field = field;
		arg.len = open - arg.p;
	}
	tags = arg;
	p->arg = STR_NULL;
	colon = memchr(arg.p, ':', arg.len);
	if (colon != NULL) {
		tags.len = colon - arg.p;
		p->arg = str_of(colon + 1, arg.len - tags.len - 1);
	}
	return tag_set_parse(&p->tags, tags, &bad);
}

static bool
parse_x(struct part *p, struct str arg)
{
	static const struct {
		struct str name;
		enum what what;
	} table[] = {
	    {{"time_firstbyte", 14}, WHAT_FIRST_BYTE},
	    {{"hitmiss", 7}, WHAT_HITMISS},
	    {{"handling", 8}, WHAT_HANDLING},
	    {{"side", 4}, WHAT_SIDE},
	    {{"xid", 3}, WHAT_XID},
	    {{"vxid", 4}, WHAT_XID},
	};
	const char *colon = memchr(arg.p, ':', arg.len);
	struct str kind, rest;

	if (colon == NULL)
		return false;
	kind = str_of(arg.p, colon - arg.p);
	rest = str_of(colon + 1, arg.len - kind.len - 1);
	if (str_caseeq(kind, STR("VCL_Log"))) {
		p->what = WHAT_VCL_LOG;
		p->arg = rest;
		return rest.len != 0;
	}
	if (str_caseeq(kind, STR("VSL")))
		return rest.len != 0 && parse_record(p, rest);
	if (!str_caseeq(kind, STR("Varnish")) &&
	    !str_caseeq(kind, STR("Copal")))
		return false;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (str_caseeq(rest, table[i].name)) {
			p->what = table[i].what;
			return true;
		}
	}
	return false;
}

static bool parse_format(struct ncsa *f, char *p, char *err, size_t err_len);

/* What follows a %; the end of it, or NULL with err. */
static char *
parse_directive(struct ncsa *f, char *p, char *err, size_t err_len)
{
	static char combined[] = NCSA_COMBINED;
	struct part *part;
	struct str arg;
	char *end;

	/* Apache's "%>s", the last status, is the only one that there is. */
	if (p[0] == '>' && p[1] == 's')
		p++;
	if (*p == '%' || (*p != '\0' && strchr("bDHhIlmOqrsTtUuv", *p))) {
		part = new_part(f, *p == '%' ? WHAT_TEXT : WHAT_SIMPLE,
		    str_of(p, 1));
		if (part == NULL)
			goto full;
		part->letter = *p;
		return p + 1;
	}
	if (*p != '{' || (end = strchr(p, '}')) == NULL ||
	    end - p > ARG_MAX_LEN || end == p + 1)
		goto bad;
	arg = str_of(p + 1, end - p - 1);
	if (end[1] == 'x' && (str_caseeq(arg, STR("Varnish:default_format")) ||
	    str_caseeq(arg, STR("Copal:default_format"))))
		return parse_format(f, combined, err, err_len) ? end + 2
							       : NULL;
	part = new_part(f, WHAT_TEXT, arg);
	if (part == NULL)
		goto full;
	switch (end[1]) {
	case 'i':
		part->what = WHAT_IN;
		return end + 2;
	case 'o':
		part->what = WHAT_OUT;
		return end + 2;
	case 't':
		part->what = WHAT_TIME;
		return end + 2;
	case 'x':
		if (parse_x(part, arg))
			return end + 2;
		break;
	default:
		break;
	}
bad:
	snprintf(err, err_len, "Unknown format specifier at \"%%%.30s\"", p);
	return NULL;
full:
	snprintf(err, err_len, "The format has more than %d parts", PARTS_MAX);
	return NULL;
}

static char
unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		return c;
	}
}

static bool
parse_format(struct ncsa *f, char *p, char *err, size_t err_len)
{
	while (*p != '\0') {
		char *from = p, *to = p;

		while (*p != '\0' && *p != '%') {
			if (*p == '\\' && p[1] != '\0') {
				*to++ = unescape(p[1]);
				p += 2;
			} else {
				*to++ = *p++;
			}
		}
		if (to != from &&
		    new_part(f, WHAT_TEXT, str_of(from, to - from)) == NULL) {
			snprintf(err, err_len,
			    "The format has more than %d parts", PARTS_MAX);
			return false;
		}
		if (*p == '\0')
			break;
		p = parse_directive(f, p + 1, err, err_len);
		if (p == NULL)
			return false;
	}
	return true;
}

struct ncsa *
ncsa_new(const char *format, char *err, size_t err_len)
{
	struct ncsa *f = calloc(1, sizeof *f);

	if (f == NULL || (f->text = strdup(format)) == NULL) {
		snprintf(err, err_len, "Out of memory");
		free(f);
		return NULL;
	}
	if (!parse_format(f, f->text, err, err_len))
		ncsa_free(&f);
	return f;
}

void
ncsa_free(struct ncsa **fp)
{
	struct ncsa *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	free(f->text);
	free(f);
}

/* ---- a line ---- */

/* What a peer sent must not end the line, nor the quotes around it. */
static void
put_escaped(FILE *to, struct str s)
{
	if (s.p == NULL) {
		putc('-', to);
		return;
	}
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.p[i];

		switch (c) {
		case '"':
			fputs("\\\"", to);
			break;
		case '\\':
			fputs("\\\\", to);
			break;
		case '\n':
			fputs("\\n", to);
			break;
		case '\r':
			fputs("\\r", to);
			break;
		case '\t':
			fputs("\\t", to);
			break;
		default:
			if (c < 0x20 || c >= 0x7f)
				fprintf(to, "\\x%02x", c);
			else
				putc(c, to);
		}
	}
}

static void
put_time(FILE *to, struct str format, double at)
{
	char fmt[ARG_MAX_LEN + 1], text[2 * ARG_MAX_LEN];
	time_t seconds;
	struct tm tm;

	/* What is no date is printed as the first one. */
	if (!(at >= 0 && at < 1e11))
		at = 0;
	seconds = (time_t)at;
	double fraction = at - (double)seconds;
	if (str_eq(format, STR("sec")))
		fprintf(to, "%lld", (long long)seconds);
	else if (str_eq(format, STR("msec")))
		fprintf(to, "%lld", (long long)(at * 1e3));
	else if (str_eq(format, STR("usec")))
		fprintf(to, "%lld", (long long)(at * 1e6));
	else if (str_eq(format, STR("msec_frac")))
		fprintf(to, "%03d", (int)(fraction * 1e3));
	else if (str_eq(format, STR("usec_frac")))
		fprintf(to, "%06d", (int)(fraction * 1e6));
	else if (localtime_r(&seconds, &tm) != NULL) {
		snprintf(fmt, sizeof fmt, "%.*s", STR_ARG(format));
		if (strftime(text, sizeof text, fmt, &tm) != 0)
			fputs(text, to);
	}
}

static int
base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c != '\0' ? strchr(digits, c) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

/* The user of "Basic <base64>" (RFC 7617). */
static void
put_user(FILE *to, struct str auth)
{
	char text[512];
	size_t n = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	if (!str_casestarts(auth, STR("Basic "))) {
		putc('-', to);
		return;
	}
	for (size_t i = 6; i < auth.len && n < sizeof text; i++) {
		int d = base64_digit(auth.p[i]);

		if (d < 0)
			break;
		bits = bits << 6 | (unsigned)d;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		text[n] = (char)(bits >> have);
		if (text[n] == ':')
			break;
		n++;
	}
	put_escaped(to, n != 0 ? str_of(text, n) : STR_NULL);
}

/* The request line as a proxy would have been asked. */
static void
put_first_line(FILE *to, const struct txn *t, const struct access *a)
{
	struct str host = access_request_field(t, STR("Host"));

	put_escaped(to, a->method);
	putc(' ', to);
	if (a->url.len == 0 || a->url.p[0] == '/') {
		fputs("http://", to);
		put_escaped(to, host.len != 0 ? host : STR("localhost"));
	}
	put_escaped(to, a->url);
	putc(' ', to);
	put_escaped(to, a->protocol.p != NULL ? a->protocol : STR("HTTP/1.0"));
}

/* Host without its port; brackets of an IPv6 address may hold colons. */
static void
put_server_name(FILE *to, struct str host)
{
	const char *colon = host.len != 0 ? memrchr(host.p, ':', host.len)
					  : NULL;
	const char *bracket = host.len != 0 ? memrchr(host.p, ']', host.len)
					    : NULL;

	if (colon != NULL && (bracket == NULL || bracket < colon))
		host.len = colon - host.p;
	put_escaped(to, host.len != 0 ? host : STR_NULL);
}

static void
put_simple(FILE *to, char letter, const struct txn *t, const struct access *a)
{
	const char *query =
	    a->url.len != 0 ? memchr(a->url.p, '?', a->url.len) : NULL;
	size_t path_len = query != NULL ? (size_t)(query - a->url.p)
					: a->url.len;

	switch (letter) {
	case 'b':
		if (a->out_body > 0)
			fprintf(to, "%.0f", a->out_body);
		else
			putc('-', to);
		break;
	case 'D':
		fprintf(to, "%.0f", a->duration * 1e6);
		break;
	case 'H':
		put_escaped(to,
		    a->protocol.p != NULL ? a->protocol : STR("HTTP/1.0"));
		break;
	case 'h':
		put_escaped(to, a->host);
		break;
	case 'I':
		fprintf(to, "%.0f", a->in_total);
		break;
	case 'l':
		putc('-', to);
		break;
	case 'm':
		put_escaped(to, a->method);
		break;
	case 'O':
		fprintf(to, "%.0f", a->out_total);
		break;
	case 'q':
		if (query != NULL)
			put_escaped(to,
			    str_of(query, a->url.len - path_len));
		break;
	case 'r':
		put_first_line(to, t, a);
		break;
	case 's':
		if (a->status != 0)
			fprintf(to, "%03u", a->status);
		else
			putc('-', to);
		break;
	case 'T':
		fprintf(to, "%.0f", floor(a->duration));
		break;
	case 't':
		put_time(to, STR("[%d/%b/%Y:%T %z]"), a->start);
		break;
	case 'U':
		put_escaped(to, str_of(a->url.p, path_len));
		break;
	case 'u':
		put_user(to, access_request_field(t, STR("Authorization")));
		break;
	case 'v':
		put_server_name(to, access_request_field(t, STR("Host")));
		break;
	default:
		break;
	}
}

/* "prefix: rest" */
static bool
cut_prefix(struct str *s, struct str prefix)
{
	if (s->len <= prefix.len || s->p[prefix.len] != ':' ||
	    !str_casestarts(*s, prefix))
		return false;
	*s = str_trim(
	    str_of(s->p + prefix.len + 1, s->len - prefix.len - 1));
	return true;
}

static bool
cut_field(struct str *s, unsigned field)
{
	const char *p = s->p, *end = s->p + s->len, *from;

	for (;; field--) {
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		from = p;
		while (p < end && *p != ' ' && *p != '\t')
			p++;
		if (p == from)
			return false;
		if (field == 1) {
			*s = str_of(from, p - from);
			return true;
		}
	}
}

/* The last record that fits. */
static void
put_record(FILE *to, const struct part *p, const struct txn *t)
{
	struct str records = txn_records(t), best = STR_NULL, s;
	char scratch[2][LOG_TEXT_MAX];
	unsigned use = 0;
	struct log_record r;

	while (log_record_next(&records, &r)) {
		if (p->what == WHAT_VCL_LOG ? r.tag != LOG_VCL_LOG
					    : !tag_set_has(&p->tags, r.tag))
			continue;
		s = log_record_text(&r, scratch[use]);
		if (p->arg.p != NULL && !cut_prefix(&s, p->arg))
			continue;
		if (p->field != 0 && !cut_field(&s, p->field))
			continue;
		best = s.p != NULL ? s : STR("");
		use = !use;
	}
	put_escaped(to, best);
}

static void
put_part(FILE *to, const struct part *p, const struct txn *t,
    const struct access *a)
{
	switch (p->what) {
	case WHAT_TEXT:
		fwrite(p->arg.p, 1, p->arg.len, to);
		break;
	case WHAT_SIMPLE:
		put_simple(to, p->letter, t, a);
		break;
	case WHAT_IN:
		put_escaped(to, access_request_field(t, p->arg));
		break;
	case WHAT_OUT:
		put_escaped(to, access_response_field(t, p->arg));
		break;
	case WHAT_TIME:
		put_time(to, p->arg, a->start);
		break;
	case WHAT_FIRST_BYTE:
		if (a->first_byte >= 0)
			fprintf(to, "%.6f", a->first_byte);
		else
			putc('-', to);
		break;
	case WHAT_HITMISS:
		fputs(a->hitmiss, to);
		break;
	case WHAT_HANDLING:
		fputs(a->handling, to);
		break;
	case WHAT_SIDE:
		putc(a->is_fetch ? 'b' : 'c', to);
		break;
	case WHAT_XID:
		fprintf(to, "%" PRIu64, t->id);
		break;
	case WHAT_VCL_LOG:
	case WHAT_RECORD:
		put_record(to, p, t);
		break;
	}
}

bool
ncsa_print(const struct ncsa *f, FILE *to, const struct txn *t)
{
	struct access a;

	if (t->kind != LOG_KIND_REQUEST && t->kind != LOG_KIND_FETCH)
		return false;
	access_of(&a, t);
	if (a.restarted)
		return false;
	for (unsigned i = 0; i < f->n; i++)
		put_part(to, &f->part[i], t, &a);
	putc('\n', to);
	return true;
}
