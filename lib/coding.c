/*
 * coding.c - Accept-Encoding, and types that pack well.
 */
#include <string.h>

#include "coding.h"

struct str
coding_name(enum coding c)
{
	switch (c) {
	case CODING_IDENTITY:
		break;
	case CODING_ZSTD:
		return STR("zstd");
	case CODING_BR:
		return STR("br");
	case CODING_GZIP:
		return STR("gzip");
	}
	return STR("identity");
}

/* --- Accept-Encoding ----------------------------------------------------- */

/* What is named is a little better than what "*" stands for. */
enum { NAMED = 1, BY_STAR = 0, RANK_MAX = 2 * 1000 };

/* qvalue (RFC 9110 12.4.2), in thousandths; what is none counts as 1. */
static unsigned
qvalue(struct str v)
{
	unsigned q = 0, unit = 1000;

	if (v.len == 0 || (v.p[0] != '0' && v.p[0] != '1'))
		return 1000;
	if (v.p[0] == '1')
		return 1000;
	if (v.len == 1)
		return 0;
	if (v.p[1] != '.')
		return 1000;
	for (size_t i = 2; i < v.len && i < 5; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return 1000;
		unit /= 10;
		q += (unsigned)(v.p[i] - '0') * unit;
	}
	return q;
}

/* parameters: from the first semicolon on */
static unsigned
weight_of(struct str parameters)
{
	while (parameters.len > 0) {
		const char *semi;
		struct str p;

		parameters.p++;
		parameters.len--;
		semi = memchr(parameters.p, ';', parameters.len);
		p = str_trim(str_of(parameters.p, semi != NULL ?
		    (size_t)(semi - parameters.p) : parameters.len));
		if (str_casestarts(p, STR("q=")))
			return qvalue(str_of(p.p + 2, p.len - 2));
		if (semi == NULL)
			break;
		parameters = str_of(semi, (size_t)(parameters.p +
		    parameters.len - semi));
	}
	return 1000;
}

static int
coding_of(struct str name)
{
	if (str_casestarts(name, STR("x-")))
		name = str_of(name.p + 2, name.len - 2);
	for (int i = 0; i < CODING_N; i++)
		if (str_caseeq(name, coding_name((enum coding)i)))
			return i;
	return -1;
}

/* One item of the list; *star: what "*" says */
static void
accept_item(struct accepted *a, bool named[CODING_N], int *star,
    struct str item)
{
	const char *semi = memchr(item.p, ';', item.len);
	size_t n = semi != NULL ? (size_t)(semi - item.p) : item.len;
	struct str name = str_trim(str_of(item.p, n));
	unsigned q = weight_of(str_of(item.p + n, item.len - n));
	int c;

	if (str_eq(name, STR("*"))) {
		*star = (int)q;
		return;
	}
	c = coding_of(name);
	if (c < 0)
		return;
	a->rank[c] = (uint16_t)(q > 0 ? 2 * q + NAMED : 0);
	named[c] = true;
}

void
accept_codings(struct accepted *a, const struct http *h)
{
	static const struct field_name ae = {.id = FIELD_ACCEPT_ENCODING};
	bool named[CODING_N] = {false};
	int star = -1;

	memset(a, 0, sizeof *a);
	for (int i = http_find(h, &ae, 0); i >= 0;
	    i = http_find(h, &ae, (unsigned)i + 1)) {
		struct str list = str_of(h->field[i].value,
		    h->field[i].value_len), item;

		while (str_next_item(&list, &item))
			accept_item(a, named, &star, item);
	}
	for (int c = 0; star > 0 && c < CODING_N; c++)
		if (!named[c])
			a->rank[c] = (uint16_t)(2 * star + BY_STAR);
	/* acceptable unless it is excluded, and the last resort */
	if (!named[CODING_IDENTITY] && star < 0)
		a->rank[CODING_IDENTITY] = 1;
}

bool
accepts_coding(const struct http *h, enum coding c)
{
	struct accepted a;

	accept_codings(&a, h);
	/* without the bit that says whether it was named */
	return a.rank[c] > 0 && a.rank[c] / 2 >= a.rank[CODING_IDENTITY] / 2;
}

unsigned
accepted_best(const struct accepted *a)
{
	unsigned best = 0, codings = 0;

	for (int c = 0; c < CODING_N; c++) {
		if (a->rank[c] == 0 || a->rank[c] < best)
			continue;
		if (a->rank[c] > best)
			codings = 0;
		best = a->rank[c];
		codings |= 1u << c;
	}
	if (codings != 1u << CODING_IDENTITY)
		codings &= ~(1u << CODING_IDENTITY);
	return codings;
}

/* --- types --------------------------------------------------------------- */

/* Beside text, JSON and XML; fonts are those without packing of their own. */
static const struct str packing_types[] = {
	STR("application/javascript"),
	STR("application/x-javascript"),
	STR("application/ecmascript"),
	STR("application/json"),
	STR("application/x-ndjson"),
	STR("application/xml"),
	STR("application/graphql"),
	STR("application/rtf"),
	STR("application/vnd.apple.mpegurl"),
	STR("application/vnd.ms-fontobject"),
	STR("application/wasm"),
	STR("application/x-font-ttf"),
	STR("font/otf"),
	STR("font/ttf"),
	STR("image/bmp"),
	STR("image/vnd.microsoft.icon"),
	STR("image/x-icon"),
};

static bool
ends_with(struct str s, struct str end)
{
	return s.len > end.len &&
	    str_caseeq(str_of(s.p + s.len - end.len, end.len), end);
}

bool
content_type_packs(struct str v)
{
	const char *semi = v.len > 0 ? memchr(v.p, ';', v.len) : NULL;
	struct str type = str_trim(str_of(v.p, semi != NULL ?
	    (size_t)(semi - v.p) : v.len));

	if (str_casestarts(type, STR("text/")))
		return !str_caseeq(type, STR("text/event-stream"));
	if (ends_with(type, STR("+json")) || ends_with(type, STR("+xml")))
		return true;
	for (size_t i = 0; i < sizeof packing_types / sizeof *packing_types;
	    i++)
		if (str_caseeq(type, packing_types[i]))
			return true;
	return false;
}
