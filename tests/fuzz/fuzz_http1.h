/*
 * fuzz_http1.h - what the targets for request and response heads share.
 *
 * It is included once by each, after FUZZ_REQUEST is defined as 1 or 0, and
 * holds the head parser to its contract:
 *  - the same bytes give the same result whole and in pieces;
 *  - what it returns lies inside the buffer (or is a static text) and has the
 *    syntax that it promises;
 *  - a head that was accepted, written out again, is parsed to the same head.
 */
#include <stdlib.h>
#include <string.h>

#include "http1.h"

enum { FIELDS = 32 };

static const struct h1_limits limits = {.head = 2048, .line = 512};

struct parsed {
	struct http h;
	struct h1_framing framing;
	struct field field[FIELDS];
	size_t head_len;
	const char *why;
	enum h1_result result;
	char *buf;
};

#define MUST(condition)                                                      \
	do {                                                                 \
		if (!(condition))                                            \
			abort();                                             \
	} while (0)

/* Parses a copy of the bytes, of just their size, at p->buf. */
static void
parse_more(struct parsed *p, const void *data, size_t len,
    struct h1_scan *scan)
{
	free(p->buf);
	memset(p, 0, sizeof(*p));
	p->buf = malloc(len ? len : 1);
	MUST(p->buf);
	memcpy(p->buf, data, len);
	p->h.field = p->field;
	p->h.field_cap = FIELDS;
	p->result = FUZZ_REQUEST
	    ? h1_parse_request(&p->h, &p->framing, p->buf, len, scan, &limits,
		  &p->head_len, &p->why)
	    : h1_parse_response(&p->h, &p->framing, false, p->buf, len, scan,
		  &limits, &p->head_len, &p->why);
}

static void
parse(struct parsed *p, const void *data, size_t len)
{
	struct h1_scan scan = {0};

	parse_more(p, data, len, &scan);
}

static void
parse_in_steps(struct parsed *p, const void *data, size_t len, size_t step)
{
	struct h1_scan scan = {0};
	size_t n = 0;

	do {
		n = len - n < step ? len : n + step;
		parse_more(p, data, n, &scan);
	} while (p->result == H1_MORE && n < len);
}

static void
same_framing(const struct parsed *a, const struct parsed *b)
{
	MUST(a->framing.body == b->framing.body);
	MUST(a->framing.length == b->framing.length);
	MUST(a->framing.keep_alive == b->framing.keep_alive);
	MUST(a->framing.expect_continue == b->framing.expect_continue);
	MUST(a->framing.upgrade == b->framing.upgrade);
}

static void
same_head(const struct parsed *a, const struct parsed *b)
{
	MUST(a->h.field_n == b->h.field_n);
	MUST(a->h.status == b->h.status);
	MUST(str_eq(a->h.method, b->h.method));
	MUST(str_eq(a->h.target, b->h.target));
	MUST(str_eq(a->h.reason, b->h.reason));
	for (unsigned i = 0; i < a->h.field_n; i++) {
		const struct field *f = &a->field[i], *g = &b->field[i];

		MUST(f->id == g->id);
		MUST(str_eq(str_of(f->name, f->name_len),
		    str_of(g->name, g->name_len)));
		MUST(str_eq(str_of(f->value, f->value_len),
		    str_of(g->value, g->value_len)));
	}
}

static void
inside(const struct parsed *p, struct str s)
{
	MUST(s.len == 0 ||
	    (s.p >= p->buf && s.p + s.len <= p->buf + p->head_len));
}

static void
well_formed(const struct parsed *p)
{
	for (unsigned i = 0; i < p->h.field_n; i++) {
		const struct field *f = &p->field[i];
		struct str name = str_of(f->name, f->name_len);
		struct str value = str_of(f->value, f->value_len);

		inside(p, value);
		MUST(http_is_token(name));
		MUST(http_is_value(value));
		MUST(f->id == field_id(name));
	}
	MUST(!p->h.overflow);
	MUST(p->framing.body == H1_LENGTH || p->framing.length == 0);
	MUST(p->framing.length <= INT64_MAX);
	MUST(p->h.version == 10 || p->h.version == 11);
}

/* Writes p's head and parses that. */
static void
parse_written(struct parsed *again, const struct parsed *p)
{
	size_t size = FUZZ_REQUEST ? http_request_size(&p->h)
				   : http_response_size(&p->h);
	char *text = malloc(size);

	MUST(text);
	MUST((FUZZ_REQUEST ? http_write_request(&p->h, text)
			   : http_write_response(&p->h, text)) ==
	    text + size);
	/* A target or value that is written with ": " may just not fit. */
	if (size <= limits.head) {
		parse(again, text, size);
		if (again->result == H1_OK)
			MUST(again->head_len == size);
		else
			MUST(again->result == H1_TOO_LONG);
	}
	free(text);
}

static void
check(const uint8_t *data, size_t size)
{
	static const size_t steps[] = {1, 3, 17, 64};
	static struct parsed whole, other;

	parse(&whole, data, size);
	if (size >= limits.head)
		MUST(whole.result != H1_MORE);
	MUST((whole.why != NULL) ==
	    (whole.result != H1_OK && whole.result != H1_MORE));
	for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		/* Long inputs by single bytes would take most of the time. */
		if (size / steps[i] > 200)
			continue;
		parse_in_steps(&other, data, size, steps[i]);
		MUST(other.result == whole.result);
		if (whole.result != H1_OK)
			continue;
		MUST(other.head_len == whole.head_len);
		same_head(&whole, &other);
		same_framing(&whole, &other);
	}
	if (whole.result != H1_OK)
		return;
	MUST(whole.head_len <= size && whole.head_len <= limits.head);
	well_formed(&whole);
	parse_written(&other, &whole);
	if (other.result == H1_OK) {
		same_head(&whole, &other);
		if (FUZZ_REQUEST || whole.h.version == 11)
			same_framing(&whole, &other);
	}
}
