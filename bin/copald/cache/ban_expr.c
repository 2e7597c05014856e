/*
 * ban_expr.c - parses and tests the expression of a ban.
 *
 *   expr:  cond *( "&&" cond )
 *   cond:  field operator argument
 *
 * Words are separated by blanks; an argument in double quotes may have blanks
 * and the escapes \" and \\.  A field that is absent equals "" and matches
 * a regex as "" would.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "ban_expr.h"
#include "params.h"

enum ban_field {
	BAN_REQ_URL,
	BAN_REQ_HTTP,
	BAN_OBJ_HTTP,
	BAN_OBJ_STATUS,
	BAN_OBJ_AGE,
	BAN_OBJ_TTL,
	BAN_OBJ_GRACE,
	BAN_OBJ_KEEP,
	BAN_OBJ_LAST_HIT,
};

enum ban_op { OP_EQ, OP_NE, OP_MATCH, OP_NOMATCH, OP_LT, OP_LE, OP_GT, OP_GE };

enum ban_type { TYPE_STRING, TYPE_STATUS, TYPE_DURATION };

static const struct {
	const char *name;
	enum ban_field field;
	enum ban_type type;
	bool prefix; /* a header's name follows */
} ban_fields[] = {
	{"req.url", BAN_REQ_URL, TYPE_STRING, false},
	{"req.http.", BAN_REQ_HTTP, TYPE_STRING, true},
	{"obj.http.", BAN_OBJ_HTTP, TYPE_STRING, true},
	{"obj.status", BAN_OBJ_STATUS, TYPE_STATUS, false},
	{"obj.age", BAN_OBJ_AGE, TYPE_DURATION, false},
	{"obj.ttl", BAN_OBJ_TTL, TYPE_DURATION, false},
	{"obj.grace", BAN_OBJ_GRACE, TYPE_DURATION, false},
	{"obj.keep", BAN_OBJ_KEEP, TYPE_DURATION, false},
	{"obj.last_hit", BAN_OBJ_LAST_HIT, TYPE_DURATION, false},
};

static const struct {
	const char *word;
	enum ban_op op;
	bool string, status, duration; /* fields that it is for */
} ban_ops[] = {
	{"==", OP_EQ, true, true, true},
	{"!=", OP_NE, true, true, true},
	{"~", OP_MATCH, true, true, false},
	{"!~", OP_NOMATCH, true, true, false},
	{"<", OP_LT, false, true, true},
	{"<=", OP_LE, false, true, true},
	{">", OP_GT, false, true, true},
	{">=", OP_GE, false, true, true},
};

static const char *const ban_ops_of[] = {
	[TYPE_STRING] = "==, !=, ~ or !~",
	[TYPE_STATUS] = "==, !=, ~, !~, <, <=, > or >=",
	[TYPE_DURATION] = "==, !=, <, <=, > or >=",
};

struct ban_cond {
	enum ban_field field;
	enum ban_op op;
	enum ban_type type;
	struct field_name header;
	char *header_mem;
	char *arg;
	size_t arg_len;
	double number;
	pcre2_code *re;
};

struct ban_expr {
	char *text;
	size_t text_len;
	unsigned n, cap;
	struct ban_cond *cond;
};

/* A thread's match data: matching allocates nothing. */
static __thread pcre2_match_data *match_data;
static __thread pcre2_match_context *match_context;
static pthread_key_t at_thread_end;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void
match_free(void *arg)
{
	(void)arg;
	pcre2_match_data_free(match_data);
	pcre2_match_context_free(match_context);
	match_data = NULL;
	match_context = NULL;
}

static void
key_make_once(void)
{
	pthread_key_create(&at_thread_end, match_free);
}

static bool
match_begin(void)
{
	if (match_data != NULL && match_context != NULL)
		return true;
	match_free(NULL);
	pthread_once(&key_once, key_make_once);
	match_data = pcre2_match_data_create(1, NULL);
	match_context = pcre2_match_context_create(NULL);
	pthread_setspecific(at_thread_end, &match_data);
	return match_data != NULL && match_context != NULL;
}

void
ban_expr_free(struct ban_expr **pp)
{
	struct ban_expr *e = *pp;

	*pp = NULL;
	if (e == NULL)
		return;
	for (unsigned i = 0; i < e->n; i++) {
		free(e->cond[i].header_mem);
		free(e->cond[i].arg);
		pcre2_code_free(e->cond[i].re);
	}
	free(e->cond);
	free(e->text);
	free(e);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

char *
ban_expr_put(char *to, struct str word)
{
	bool quote = word.len == 0;

	for (size_t i = 0; i < word.len; i++)
		quote |= word.p[i] == '"' || is_space(word.p[i]);
	if (quote)
		*to++ = '"';
	for (size_t i = 0; i < word.len; i++) {
		if (quote && (word.p[i] == '"' || word.p[i] == '\\'))
			*to++ = '\\';
		*to++ = word.p[i];
	}
	if (quote)
		*to++ = '"';
	return to;
}

char *
ban_expr_of_plain(struct str text)
{
	/* a word of one character becomes four: "\"" */
	char *expr = malloc(3 * text.len + 3), *to = expr;
	size_t from, i = 0;

	if (expr == NULL)
		return NULL;
	for (;;) {
		while (i < text.len && is_space(text.p[i]))
			i++;
		if (i == text.len)
			break;
		for (from = i; i < text.len && !is_space(text.p[i]); i++)
			continue;
		if (to != expr)
			*to++ = ' ';
		to = ban_expr_put(to, str_of(text.p + from, i - from));
	}
	*to = '\0';
	return expr;
}

struct str
ban_expr_text(const struct ban_expr *e)
{
	return str_of(e->text, e->text_len);
}

/* All of a condition but its regex, which follows from the rest */
static bool
cond_equal(const struct ban_cond *a, const struct ban_cond *b)
{
	return a->field == b->field && a->op == b->op &&
	    str_caseeq(a->header.name, b->header.name) &&
	    str_eq(str_of(a->arg, a->arg_len), str_of(b->arg, b->arg_len));
}

bool
ban_expr_equal(const struct ban_expr *a, const struct ban_expr *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!cond_equal(&a->cond[i], &b->cond[i]))
			return false;
	return true;
}

uint64_t
ban_expr_hash(const struct ban_expr *e)
{
	uint64_t h = e->n;

	for (unsigned i = 0; i < e->n; i++) {
		const struct ban_cond *c = &e->cond[i];

		h = XXH3_64bits_withSeed(c->arg, c->arg_len,
		    h * 31 + (uint64_t)c->field * 8 + (uint64_t)c->op);
	}
	return h;
}

bool
ban_expr_is_of_moment(const struct ban_expr *e)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->cond[i].field == BAN_OBJ_TTL ||
		    e->cond[i].field == BAN_OBJ_AGE ||
		    e->cond[i].field == BAN_OBJ_LAST_HIT)
			return true;
	return false;
}

/* The next word into buf (NUL-terminated), unquoted; 1, 0: none, -1: error */
static int
next_word(const char **pp, const char *end, char *buf, size_t *len)
{
	const char *p = *pp;
	size_t n = 0;

	while (p < end && is_space(*p))
		p++;
	if (p == end)
		return 0;
	if (*p == '"') {
		for (p++; p < end && *p != '"'; p++) {
			if (*p == '\\' && p + 1 < end &&
			    (p[1] == '"' || p[1] == '\\'))
				p++;
			buf[n++] = *p;
		}
		if (p == end)
			return -1;
		p++;
	} else {
		while (p < end && !is_space(*p))
			buf[n++] = *p++;
	}
	buf[n] = '\0';
	*len = n;
	*pp = p;
	return 1;
}

static bool
parse_duration(const char *s, double *out)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = {
		{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400},
		{"w", 7 * 86400.0}, {"y", 365 * 86400.0},
	};
	char *end;
	double v = strtod(s, &end);

	if (end == s || !(v >= -1e12 && v <= 1e12))
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (!strcmp(end, units[i].unit)) {
			*out = v * units[i].factor;
			return true;
		}
	return false;
}

static int
cond_field(struct ban_cond *c, const char *word, char *err)
{
	for (size_t i = 0; i < sizeof ban_fields / sizeof *ban_fields; i++) {
		const char *name = ban_fields[i].name;
		size_t n = strlen(name);

		if (ban_fields[i].prefix ? strncmp(word, name, n) != 0 :
		    strcmp(word, name) != 0)
			continue;
		c->field = ban_fields[i].field;
		c->type = ban_fields[i].type;
		if (!ban_fields[i].prefix)
			return 0;
		if (!http_is_token(str_from_z(word + n)))
			break;
		c->header_mem = strdup(word + n);
		if (c->header_mem == NULL)
			break;
		c->header.name = str_from_z(c->header_mem);
		c->header.id = field_id(c->header.name);
		return 0;
	}
	snprintf(err, BAN_EXPR_ERR_LEN,
	    "Unknown or unsupported field \"%.80s\"", word);
	return -1;
}

static bool
op_is_for(size_t op, enum ban_type type)
{
	switch (type) {
	case TYPE_STRING:
		return ban_ops[op].string;
	case TYPE_STATUS:
		return ban_ops[op].status;
	case TYPE_DURATION:
		return ban_ops[op].duration;
	}
	return false;
}

static int
cond_op(struct ban_cond *c, const char *word, char *err)
{
	for (size_t i = 0; i < sizeof ban_ops / sizeof *ban_ops; i++) {
		if (strcmp(word, ban_ops[i].word) != 0)
			continue;
		if (!op_is_for(i, c->type))
			break;
		c->op = ban_ops[i].op;
		return 0;
	}
	snprintf(err, BAN_EXPR_ERR_LEN,
	    "expected conditional (%s) got \"%.40s\"", ban_ops_of[c->type],
	    word);
	return -1;
}

static int
cond_regex(struct ban_cond *c, const char *word, size_t len, char *err)
{
	PCRE2_SIZE at;
	int code;

	c->re = pcre2_compile((PCRE2_SPTR)word, len, 0, &code, &at, NULL);
	if (c->re == NULL) {
		char text[120];

		pcre2_get_error_message(code, (PCRE2_UCHAR *)text,
		    sizeof text);
		snprintf(err, BAN_EXPR_ERR_LEN,
		    "Regex compilation error: %s at offset %zu", text,
		    (size_t)at);
		return -1;
	}
	pcre2_jit_compile(c->re, PCRE2_JIT_COMPLETE);
	return 0;
}

static int
cond_arg(struct ban_cond *c, const char *word, size_t len, char *err)
{
	char *end;

	c->arg = strndup(word, len);
	c->arg_len = len;
	if (c->arg == NULL) {
		snprintf(err, BAN_EXPR_ERR_LEN, "No memory");
		return -1;
	}
	if (c->op == OP_MATCH || c->op == OP_NOMATCH)
		return cond_regex(c, word, len, err);
	switch (c->type) {
	case TYPE_STATUS:
		c->number = (double)strtol(word, &end, 10);
		if (end == word || *end != '\0') {
			snprintf(err, BAN_EXPR_ERR_LEN,
			    "\"%.80s\" is not a number", word);
			return -1;
		}
		return 0;
	case TYPE_DURATION:
		if (!parse_duration(word, &c->number)) {
			snprintf(err, BAN_EXPR_ERR_LEN,
			    "\"%.80s\" is not a duration (like 10s)", word);
			return -1;
		}
		return 0;
	case TYPE_STRING:
		return 0;
	}
	return -1;
}

struct ban_expr *
ban_expr_parse(struct str text, char err[BAN_EXPR_ERR_LEN])
{
	struct ban_expr *e;
	const char *p = text.p, *end = p + text.len;
	char *word;
	size_t len;
	int r = -1;

	if (text.len > BAN_EXPR_MAX) {
		snprintf(err, BAN_EXPR_ERR_LEN,
		    "A ban has at most %d characters", BAN_EXPR_MAX);
		return NULL;
	}
	e = calloc(1, sizeof *e);
	word = malloc(text.len + 1);
	snprintf(err, BAN_EXPR_ERR_LEN, "No memory");
	if (e == NULL || word == NULL)
		goto out;
	e->text = strndup(text.p != NULL ? text.p : "", text.len);
	if (e->text == NULL)
		goto out;
	e->text_len = text.len;
	for (;;) {
		struct ban_cond *c = realloc(e->cond,
		    (e->n + 1) * sizeof *c);

		if (c == NULL)
			goto out;
		e->cond = c;
		c = &e->cond[e->n];
		memset(c, 0, sizeof *c);
		e->n++;
		snprintf(err, BAN_EXPR_ERR_LEN,
		    "Wrong number of arguments: expected "
		    "<field> <operator> <argument>");
		if (next_word(&p, end, word, &len) != 1 ||
		    cond_field(c, word, err) != 0 ||
		    next_word(&p, end, word, &len) != 1 ||
		    cond_op(c, word, err) != 0 ||
		    next_word(&p, end, word, &len) != 1 ||
		    cond_arg(c, word, len, err) != 0)
			goto out;
		r = next_word(&p, end, word, &len);
		if (r == 0)
			break;
		if (r < 0 || strcmp(word, "&&") != 0) {
			snprintf(err, BAN_EXPR_ERR_LEN,
			    "Found \"%.80s\" expected &&", r < 0 ? "" : word);
			r = -1;
			goto out;
		}
		r = -1;
	}
out:
	free(word);
	if (r != 0)
		ban_expr_free(&e);
	return e;
}

/* wanted: false for !~ */
static bool
regex_says(const pcre2_code *re, struct str s, bool wanted)
{
	if (!match_begin())
		return true; /* rather invalid than wrong */
	pcre2_set_match_limit(match_context, params->pcre2_match_limit);
	pcre2_set_depth_limit(match_context, params->pcre2_depth_limit);
	int r = pcre2_match(re, (PCRE2_SPTR)(s.p != NULL ? s.p : ""), s.len,
	    0, 0, match_data, match_context);

	/* beyond its limits nobody knows: rather invalid, also for !~ */
	if (r < 0 && r != PCRE2_ERROR_NOMATCH)
		return true;
	return (r >= 0) == wanted;
}

static bool
compare(enum ban_op op, double a, double b)
{
	switch (op) {
	case OP_EQ:
		return a == b;
	case OP_NE:
		return a != b;
	case OP_LT:
		return a < b;
	case OP_LE:
		return a <= b;
	case OP_GT:
		return a > b;
	case OP_GE:
		return a >= b;
	case OP_MATCH:
	case OP_NOMATCH:
		break;
	}
	return false;
}

static bool
status_matches(const struct ban_cond *c, unsigned status)
{
	char text[12];

	if (c->op != OP_MATCH && c->op != OP_NOMATCH)
		return compare(c->op, status, c->number);
	snprintf(text, sizeof text, "%u", status);
	return regex_says(c->re, str_from_z(text), c->op == OP_MATCH);
}

/* Since it was hit last, or came if it never was. */
static double
unused_for(const struct object *o, double at)
{
	double last = o->last_hit > 0 ? o->last_hit : o->t_origin;

	return last < at ? at - last : 0;
}

static bool
string_matches(const struct ban_cond *c, struct str s)
{
	if (s.p == NULL)
		return c->op == OP_NE;
	switch (c->op) {
	case OP_EQ:
		return str_eq(s, str_of(c->arg, c->arg_len));
	case OP_NE:
		return !str_eq(s, str_of(c->arg, c->arg_len));
	case OP_MATCH:
		return regex_says(c->re, s, true);
	case OP_NOMATCH:
		return regex_says(c->re, s, false);
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		break;
	}
	return false;
}

/*
 * at: of the ban.  What it means must not depend on when the object is asked
 * for: one that was young then is not hit because it is tested later.
 */
static bool
cond_matches(const struct ban_cond *c, const struct object *o,
    const struct request *req, double at)
{
	struct str s = STR_NULL;

	switch (c->field) {
	case BAN_REQ_URL:
		if (req == NULL)
			return true;
		s = req->http.target;
		break;
	case BAN_REQ_HTTP:
		if (req == NULL)
			return true;
		s = http_get_name(&req->http, &c->header);
		break;
	case BAN_OBJ_HTTP:
		s = http_get_name(&o->http, &c->header);
		break;
	case BAN_OBJ_STATUS:
		return status_matches(c, o->http.status);
	case BAN_OBJ_AGE:
		return compare(c->op, at - o->t_origin, c->number);
	case BAN_OBJ_TTL:
		return compare(c->op, object_ttl_left(o, at), c->number);
	case BAN_OBJ_GRACE:
		return compare(c->op, o->grace, c->number);
	case BAN_OBJ_KEEP:
		return compare(c->op, o->keep, c->number);
	case BAN_OBJ_LAST_HIT:
		return compare(c->op, unused_for(o, at), c->number);
	}
	return string_matches(c, s);
}

bool
ban_expr_matches(const struct ban_expr *e, const struct object *o,
    const struct request *req, double at)
{
	for (unsigned i = 0; i < e->n; i++)
		if (!cond_matches(&e->cond[i], o, req, at))
			return false;
	return true;
}

static enum ban_verdict
cond_verdict(const struct ban_cond *c, const struct object *o,
    const struct ban_key *key, double at)
{
	struct str s;

	if (c->field != BAN_REQ_URL && c->field != BAN_REQ_HTTP)
		return cond_matches(c, o, NULL, at) ? BAN_YES : BAN_NO;
	if (key == NULL ||
	    (c->field == BAN_REQ_HTTP && c->header.id != FIELD_HOST))
		return BAN_DEPENDS;
	s = c->field == BAN_REQ_URL ? key->url : key->host;
	return string_matches(c, s) ? BAN_YES : BAN_NO;
}

enum ban_verdict
ban_expr_verdict(const struct ban_expr *e, const struct object *o,
    const struct ban_key *key, double at)
{
	enum ban_verdict all = BAN_YES, v;

	for (unsigned i = 0; i < e->n; i++) {
		v = cond_verdict(&e->cond[i], o, key, at);
		if (v == BAN_NO)
			return BAN_NO;
		if (v == BAN_DEPENDS)
			all = BAN_DEPENDS;
	}
	return all;
}
