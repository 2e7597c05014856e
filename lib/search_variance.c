/*
 * search_variance.c - see search_variance.h.
 *
 *	rule    flags, then each name: its length (2 bytes), its bytes
 *	text    path?name=value&name=value, in one spelling
 *
 * Names and values are compared as bytes, not as the characters that broken
 * UTF-8 stands for: some that are equal by the draft are different here, none
 * the other way.
 */
#include <stdlib.h>
#include <string.h>

#include "http_scan.h"
#include "search_variance.h"
#include "sfield.h"

enum {
	KEY_ORDER = 1, /* the order of names says nothing */
	ALL_BUT = 2,   /* only those listed count; else: these do not */
	/* A browser's query has a dozen; sorting them is bounded. */
	PARAMS_MAX = 256,
};

/* Decodes %XX and +; how many bytes. */
static size_t
decode(struct str s, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%' && i + 2 < s.len &&
		    http_char_is(s.p[i + 1], HTTP_CHAR_HEX) &&
		    http_char_is(s.p[i + 2], HTTP_CHAR_HEX)) {
			c = (char)(http_hex(s.p[i + 1]) << 4 |
			    http_hex(s.p[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	return n;
}

/* --- the rule ------------------------------------------------------------ */

struct said { /* a dictionary's last words */
	bool key_order, bad;
	struct sf_item params, except;
	bool has_params, has_except;
};

static void
take(struct said *s, struct str key, const struct sf_item *item)
{
	if (str_eq(key, STR("key-order"))) {
		s->bad |= item->type != SF_BOOLEAN;
		s->key_order = item->number != 0;
	} else if (str_eq(key, STR("params"))) {
		s->params = *item;
		s->has_params = true;
	} else if (str_eq(key, STR("except"))) {
		s->except = *item;
		s->has_except = true;
	}
}

static int
name_cmp(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The names of an inner list, in order, each once; -1: it is none. */
static int
put_names(struct str list, char *buf, size_t n)
{
	char mem[SEARCH_RULE_MAX], raw[SEARCH_RULE_MAX];
	struct str name[SEARCH_RULE_MAX / 3];
	size_t used = 0, count = 0;
	struct sf_item item;
	enum sf_result r;

	while ((r = sf_next_inner(&list, &item)) == SF_MEMBER) {
		size_t len;

		if (item.type != SF_STRING ||
		    item.text.len > sizeof mem - used ||
		    count == sizeof name / sizeof *name)
			return -1;
		len = sf_string(item.text, raw);
		len = decode(str_of(raw, len), mem + used);
		name[count++] = str_of(mem + used, len);
		used += len;
	}
	if (r != SF_END)
		return -1;
	qsort(name, count, sizeof *name, name_cmp);
	for (size_t i = 0; i < count; i++) {
		uint16_t len = (uint16_t)name[i].len;

		if (i > 0 && str_eq(name[i], name[i - 1]))
			continue;
		if (n + 2 + len > SEARCH_RULE_MAX)
			return -1;
		memcpy(buf + n, &len, 2);
		memcpy(buf + n + 2, name[i].p, len);
		n += 2u + len;
	}
	return (int)n;
}

size_t
search_rule(const struct http *h, char buf[SEARCH_RULE_MAX])
{
	static const struct field_name field = {.id = FIELD_NO_VARY_SEARCH};
	struct said s = {.bad = false};
	int n = 1;

	for (int i = http_find(h, &field, 0); i >= 0;
	    i = http_find(h, &field, (unsigned)i + 1)) {
		struct str rest = str_of(h->field[i].value,
		    h->field[i].value_len), key;
		struct sf_item item;
		enum sf_result r;

		while ((r = sf_next_member(&rest, &key, &item)) == SF_MEMBER)
			take(&s, key, &item);
		s.bad |= r == SF_ERROR;
	}
	if (s.bad)
		return 0;
	buf[0] = s.key_order ? KEY_ORDER : 0;
	if (s.has_params && s.params.type == SF_INNER_LIST) {
		n = put_names(s.params.text, buf, 1);
	} else if (s.has_params) {
		if (s.params.type != SF_BOOLEAN)
			return 0;
		if (s.params.number != 0)
			buf[0] |= ALL_BUT;
	}
	if (s.has_except) {
		if (!(buf[0] & ALL_BUT) || s.except.type != SF_INNER_LIST)
			return 0;
		n = put_names(s.except.text, buf, 1);
	}
	if (n < 0 || (n == 1 && buf[0] == 0))
		return 0;
	return (size_t)n;
}

/* --- a query under it ---------------------------------------------------- */

static bool
is_listed(struct str rule, struct str name)
{
	size_t at = 1;

	while (at + 2 <= rule.len) {
		uint16_t len;

		memcpy(&len, rule.p + at, 2);
		if (at + 2 + len > rule.len)
			return false;
		if (str_eq(name, str_of(rule.p + at + 2, len)))
			return true;
		at += 2u + len;
	}
	return false;
}

struct param {
	struct str name, value;
	unsigned at; /* in the query: equal names keep their order */
};

static int
param_cmp(const void *a, const void *b)
{
	const struct param *x = a, *y = b;
	int r = str_cmp(x->name, y->name);

	return r != 0 ? r : x->at < y->at ? -1 : 1;
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static char *
spell(char *p, struct str s)
{
	static const char digit[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_plain(s.p[i])) {
			*p++ = s.p[i];
			continue;
		}
		*p++ = '%';
		*p++ = digit[c >> 4];
		*p++ = digit[c & 15];
	}
	return p;
}

/* The parameters that count; -1: too many. */
static int
params_of(struct str rule, struct str query, char *mem, struct param *param)
{
	bool all_but = rule.p[0] & ALL_BUT;
	unsigned n = 0;

	while (query.len > 0) {
		const char *amp = memchr(query.p, '&', query.len), *equals;
		struct str one = str_of(query.p, amp != NULL ?
		    (size_t)(amp - query.p) : query.len);
		struct param *x = &param[n];
		size_t name_len;

		query = str_of(query.p + one.len + (amp != NULL),
		    query.len - one.len - (amp != NULL));
		if (one.len == 0)
			continue;
		if (n == PARAMS_MAX)
			return -1;
		equals = memchr(one.p, '=', one.len);
		name_len = equals != NULL ? (size_t)(equals - one.p) : one.len;
		x->name = str_of(mem, decode(str_of(one.p, name_len), mem));
		mem += x->name.len;
		x->value = STR("");
		if (equals != NULL) {
			x->value = str_of(mem, decode(str_of(equals + 1,
			    one.len - name_len - 1), mem));
			mem += x->value.len;
		}
		x->at = n;
		if (is_listed(rule, x->name) == all_but)
			n++;
	}
	return (int)n;
}

struct str
search_apply(struct str rule, struct str target, struct arena *a)
{
	const char *mark = memchr(target.p, '?', target.len);
	size_t path = mark != NULL ? (size_t)(mark - target.p) : target.len;
	struct str query = str_of(target.p + path + (mark != NULL),
	    target.len - path - (mark != NULL));
	struct param param[PARAMS_MAX + 1];
	char *mem = arena_bytes(a, query.len + 1), *out, *p;
	int n;

	/* each byte may become three, and an = each */
	out = arena_bytes(a, path + 1 + 3 * query.len + 2 * PARAMS_MAX);
	if (mem == NULL || out == NULL)
		return STR_NULL;
	n = params_of(rule, query, mem, param);
	if (n < 0)
		return STR_NULL;
	if (rule.p[0] & KEY_ORDER)
		qsort(param, (size_t)n, sizeof *param, param_cmp);
	memcpy(out, target.p, path);
	p = out + path;
	for (int i = 0; i < n; i++) {
		*p++ = i == 0 ? '?' : '&';
		p = spell(p, param[i].name);
		*p++ = '=';
		p = spell(p, param[i].value);
	}
	return str_of(out, (size_t)(p - out));
}
