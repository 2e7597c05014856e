/*
 * print.c - transactions as text and as JSON, and the filter of records.
 */
#include "print.h"

#include <inttypes.h>
#include <stdlib.h>

#include "access.h"
#include "json.h"

/* ---- filter ---- */

struct rule { /* -I or -X */
	struct tag_set tags;
	struct log_regex *regex;
	struct rule *next;
};

struct filter {
	bool any;         /* an option was given */
	bool hide_others; /* the first one was -i or -I */
	struct tag_set show, hide;
	struct rule *show_rules, *hide_rules;
};

struct filter *
filter_new(void)
{
	return calloc(1, sizeof(struct filter));
}

static void
rules_free(struct rule *r)
{
	while (r != NULL) {
		struct rule *next = r->next;

		log_regex_free(&r->regex);
		free(r);
		r = next;
	}
}

void
filter_free(struct filter **fp)
{
	struct filter *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	rules_free(f->show_rules);
	rules_free(f->hide_rules);
	free(f);
}

/* "tags:regex" or "regex"; a colon belongs to tags if it follows some. */
static bool
add_rule(struct rule **list, const char *arg, bool caseless, char *err,
    size_t err_len)
{
	const char *colon = strchr(arg, ':');
	struct rule *r = calloc(1, sizeof *r);
	struct str bad;

	if (r == NULL) {
		snprintf(err, err_len, "Out of memory");
		return false;
	}
	if (colon == NULL ||
	    !tag_set_parse(&r->tags, str_of(arg, colon - arg), &bad)) {
		memset(&r->tags, 0xff, sizeof r->tags);
		colon = NULL;
	}
	r->regex = log_regex_new(str_from_z(colon != NULL ? colon + 1 : arg),
	    caseless, err, err_len);
	if (r->regex == NULL) {
		free(r);
		return false;
	}
	r->next = *list;
	*list = r;
	return true;
}

bool
filter_add(struct filter *f, char opt, const char *arg, bool caseless,
    char *err, size_t err_len)
{
	bool show = opt == 'i' || opt == 'I';
	struct str bad;

	if (!f->any)
		f->hide_others = show;
	f->any = true;
	if (opt == 'I' || opt == 'X')
		return add_rule(show ? &f->show_rules : &f->hide_rules, arg,
		    caseless, err, err_len);
	if (tag_set_parse(show ? &f->show : &f->hide, str_from_z(arg), &bad))
		return true;
	snprintf(err, err_len, "\"%.*s\" is not a tag of the log",
	    STR_ARG(bad));
	return false;
}

static bool
rules_match(const struct rule *r, const struct log_record *rec)
{
	char scratch[LOG_TEXT_MAX];
	struct str text = STR_NULL;

	for (; r != NULL; r = r->next) {
		if (!tag_set_has(&r->tags, rec->tag))
			continue;
		if (text.p == NULL)
			text = log_record_text(rec, scratch);
		if (log_regex_matches(r->regex, text))
			return true;
	}
	return false;
}

bool
filter_shows(const struct filter *f, const struct log_record *r)
{
	if (!f->any)
		return true;
	if (tag_set_has(&f->show, r->tag) || rules_match(f->show_rules, r))
		return true;
	if (tag_set_has(&f->hide, r->tag) || rules_match(f->hide_rules, r))
		return false;
	return !f->hide_others;
}

/* ---- text ---- */

/* May a terminal see it?  Not C0 and C1 controls, nor what is not UTF-8. */
static bool
is_harmless(const unsigned char *p, size_t n)
{
	if (n == 1)
		return (*p >= 0x20 && *p != 0x7f) || *p == '\t';
	return n > 2 || (n == 2 && (p[0] != 0xc2 || p[1] >= 0xa0));
}

static void
put_safe(FILE *to, struct str s)
{
	size_t from = 0, i = 0;

	/* What is harmless goes out in one piece. */
	while (i < s.len) {
		const unsigned char *p = (const unsigned char *)s.p + i;
		size_t n = str_utf8_len(str_of(s.p + i, s.len - i));

		if (is_harmless(p, n)) {
			i += n;
			continue;
		}
		fwrite(s.p + from, 1, i - from, to);
		fprintf(to, "\\x%02x", *p);
		from = ++i;
	}
	if (i != from)
		fwrite(s.p + from, 1, i - from, to);
}

/* "*  ", "** ", "***", "*4*" */
static void
put_level(FILE *to, unsigned level, char sign)
{
	char text[4] = "   ";

	if (level > 3) {
		fprintf(to, "%c%u%c", sign, level, sign);
		return;
	}
	for (unsigned i = 0; i < level; i++)
		text[i] = sign;
	fputs(text, to);
}

static const char *
kind_title(enum log_kind kind)
{
	switch (kind) {
	case LOG_KIND_REQUEST:
		return "Request ";
	case LOG_KIND_FETCH:
		return "BeReq   ";
	case LOG_KIND_SESSION:
		return "Session ";
	case LOG_KIND_RAW:
		break;
	}
	return "Raw     ";
}

bool
print_text(FILE *to, const struct txn *t, const struct filter *f)
{
	struct str records = txn_records(t);
	char scratch[LOG_TEXT_MAX];
	struct log_record r;
	bool any = false;

	while (log_record_next(&records, &r)) {
		if (!filter_shows(f, &r))
			continue;
		if (!any) {
			put_level(to, t->level, '*');
			fprintf(to, " << %s >> %-10" PRIu64 "%s\n",
			    kind_title(t->kind), t->id,
			    t->begun && t->ended ? "" : " (incomplete)");
		}
		any = true;
		put_level(to, t->level, '-');
		fprintf(to, " %-14s ", log_tag_name[r.tag]);
		put_safe(to, log_record_text(&r, scratch));
		putc('\n', to);
	}
	return any;
}

void
print_raw(FILE *to, const struct log_batch *b, const struct log_record *r)
{
	char scratch[LOG_TEXT_MAX];
	char side = b->kind == LOG_KIND_FETCH ? 'b'
	    : b->kind == LOG_KIND_RAW         ? '-'
					      : 'c';

	fprintf(to, "%10" PRIu64 " %-14s %c ", b->id, log_tag_name[r->tag],
	    side);
	put_safe(to, log_record_text(r, scratch));
	putc('\n', to);
}

/* ---- JSON ---- */

static void
put_string(FILE *to, struct str s)
{
	char buf[JSON_CHAR_MAX + 1];

	putc('"', to);
	while (s.len != 0) {
		struct str c = json_next(&s, buf);

		fwrite(c.p, 1, c.len, to);
	}
	putc('"', to);
}

static void
put_member(FILE *to, const char *name, struct str value)
{
	if (value.p == NULL)
		return;
	fprintf(to, ",\"%s\":", name);
	put_string(to, value);
}

static const char *
kind_word(enum log_kind kind)
{
	switch (kind) {
	case LOG_KIND_REQUEST:
		return "request";
	case LOG_KIND_FETCH:
		return "fetch";
	case LOG_KIND_SESSION:
		return "session";
	case LOG_KIND_RAW:
		break;
	}
	return "raw";
}

static void
put_access(FILE *to, const struct txn *t)
{
	struct access a;

	access_of(&a, t);
	/* Numbers of the log may be anything; JSON has no NaN. */
	if (a.start > 0 && a.start < 1e12)
		fprintf(to, ",\"start\":%.6f", a.start);
	if (a.start > 0 && a.duration >= 0 && a.duration < 1e12)
		fprintf(to, ",\"duration\":%.6f", a.duration);
	put_member(to, a.is_fetch ? "server" : "client", a.host);
	put_member(to, "method", a.method);
	put_member(to, "host", access_request_field(t, STR("Host")));
	put_member(to, "url", a.url);
	put_member(to, "protocol", a.protocol);
	if (a.status != 0)
		fprintf(to, ",\"status\":%u", a.status);
	if (t->kind == LOG_KIND_REQUEST)
		put_member(to, "handling", str_from_z(a.handling));
	if (a.in_total >= 0 && a.in_total < 0x1p63)
		fprintf(to, ",\"bytes_in\":%.0f", a.in_total);
	if (a.out_total >= 0 && a.out_total < 0x1p63)
		fprintf(to, ",\"bytes_out\":%.0f", a.out_total);
}

void
print_json(FILE *to, const struct txn *t, const struct filter *f)
{
	struct str records = txn_records(t);
	char scratch[LOG_TEXT_MAX];
	struct log_record r;
	const char *comma = "";

	fprintf(to,
	    "{\"id\":%" PRIu64 ",\"kind\":\"%s\",\"parent\":%" PRIu64
	    ",\"reason\":\"%s\",\"level\":%u,\"complete\":%s",
	    t->id, kind_word(t->kind), t->parent, log_reason_name[t->reason],
	    t->level, t->begun && t->ended ? "true" : "false");
	if (t->kind != LOG_KIND_SESSION)
		put_access(to, t);
	fputs(",\"records\":[", to);
	while (log_record_next(&records, &r)) {
		if (!filter_shows(f, &r))
			continue;
		fprintf(to, "%s[\"%s\",", comma, log_tag_name[r.tag]);
		put_string(to, log_record_text(&r, scratch));
		putc(']', to);
		comma = ",";
	}
	fputs("]}\n", to);
}
