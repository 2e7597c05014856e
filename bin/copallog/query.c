/*
 * query.c - conditions on log records: parsing and evaluation.
 *
 * The parser is recursive descent over the grammar in query.h.  It makes an
 * array of nodes, whose leaves are the conditions; each record is shown to
 * the leaves that have not been fulfilled yet.
 */
#include "query.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "log_regex.h"
#include "tag_set.h"

enum {
	TEXT_MAX = 64 * 1024,
	NODES_MAX = 512,
	DEPTH_MAX = 64,
};

enum node_type { NODE_AND, NODE_OR, NODE_NOT, NODE_LEAF };

enum op {
	OP_EXISTS,
	OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, /* numbers */
	OP_STREQ, OP_STRNE,
	OP_MATCH, OP_NOMATCH,
};

struct node {
	enum node_type type;
	unsigned left, right;
	/* of a leaf */
	bool hit;
	bool is_xid;
	struct tag_set tags;
	struct str prefix; /* into text; p == NULL: none */
	unsigned field;    /* 1: the first; 0: all */
	unsigned level;    /* 0: any */
	char level_dir;    /* '+': and more, '-': and less, '=' */
	enum op op;
	double number;
	struct str string; /* into text */
	struct log_regex *regex;
};

struct log_query {
	char *text; /* the query; strings are unquoted in place */
	bool caseless;
	unsigned root, n;
	struct node node[NODES_MAX];
};

/* ---- parsing ---- */

struct parser {
	struct log_query *q;
	char *p; /* what is not parsed yet */
	unsigned depth;
	char *err;
	size_t err_len;
};

static bool __attribute__((format(printf, 2, 3)))
fail(struct parser *ps, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(ps->err, ps->err_len, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < ps->err_len)
		snprintf(ps->err + n, ps->err_len - n, ", at offset %zu",
		    (size_t)(ps->p - ps->q->text));
	return false;
}

static void
skip_space(struct parser *ps)
{
	while (isspace((unsigned char)*ps->p))
		ps->p++;
}

static bool
is_word_end(char c)
{
	return c == '\0' || isspace((unsigned char)c) ||
	    strchr("()<>=!~\"'", c) != NULL;
}

/* The word at p, which stays; none: empty. */
static struct str
peek_word(struct parser *ps)
{
	size_t n = 0;

	skip_space(ps);
	while (!is_word_end(ps->p[n]))
		n++;
	return str_of(ps->p, n);
}

static bool
take_keyword(struct parser *ps, struct str keyword)
{
	if (!str_eq(peek_word(ps), keyword))
		return false;
	ps->p += keyword.len;
	return true;
}

static bool
new_node(struct parser *ps, enum node_type type, unsigned *out)
{
	if (ps->q->n == NODES_MAX)
		return fail(ps, "More than %d terms", NODES_MAX);
	*out = ps->q->n++;
	ps->q->node[*out].type = type;
	return true;
}

static bool
take_number(struct parser *ps, struct str s, unsigned *out)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v == 0 || v > 1000000)
		return fail(ps, "Expected a number from 1, not \"%.*s\"",
		    STR_ARG(s));
	*out = v;
	return true;
}

/* "{2}", "{2+}", "{2-}" before the tags; takes it off *word. */
static bool
take_level(struct parser *ps, struct node *leaf, struct str *word)
{
	const char *end = memchr(word->p, '}', word->len);
	struct str s;

	if (end == NULL)
		return fail(ps, "Expected a } after the level");
	s = str_of(word->p + 1, end - word->p - 1);
	leaf->level_dir = '=';
	if (s.len != 0 && (s.p[s.len - 1] == '+' || s.p[s.len - 1] == '-'))
		leaf->level_dir = s.p[--s.len];
	*word = str_of(end + 1, word->p + word->len - end - 1);
	return take_number(ps, s, &leaf->level);
}

/* "[2]" behind the rest; takes it off *word. */
static bool
take_field(struct parser *ps, struct node *leaf, struct str *word)
{
	const char *open = memrchr(word->p, '[', word->len);

	if (open == NULL)
		return fail(ps, "Expected a [ before the field");
	struct str s = str_of(open + 1, word->p + word->len - open - 2);
	word->len = open - word->p;
	return take_number(ps, s, &leaf->field);
}

static bool
parse_records(struct parser *ps, struct node *leaf)
{
	struct str word = peek_word(ps), tags, bad;
	size_t whole = word.len;
	const char *colon;

	if (word.len == 0 && *ps->p == '\0')
		return fail(ps, "Expected the name of a tag");
	if (word.len == 0)
		return fail(ps, "Expected the name of a tag, not \"%.10s\"",
		    ps->p);
	if (word.p[0] == '{' && !take_level(ps, leaf, &word))
		return false;
	if (word.len != 0 && word.p[word.len - 1] == ']' &&
	    !take_field(ps, leaf, &word))
		return false;
	colon = word.len != 0 ? memchr(word.p, ':', word.len) : NULL;
	tags = word;
	if (colon != NULL) {
		tags.len = colon - word.p;
		leaf->prefix = str_of(colon + 1, word.len - tags.len - 1);
		if (leaf->prefix.len == 0)
			return fail(ps, "Expected a prefix after the colon");
	}
	if (str_caseeq(tags, STR("xid")) || str_caseeq(tags, STR("vxid")))
		leaf->is_xid = true;
	else if (!tag_set_parse(&leaf->tags, tags, &bad))
		return fail(ps, "\"%.*s\" is not a tag of the log",
		    STR_ARG(bad));
	ps->p += whole;
	return true;
}

static bool
take_operator(struct parser *ps, enum op *op)
{
	/* The longer ones first. */
	static const struct {
		struct str text;
		enum op op;
	} table[] = {
	    {{"==", 2}, OP_EQ}, {{"!=", 2}, OP_NE}, {{"<=", 2}, OP_LE},
	    {{">=", 2}, OP_GE}, {{"!~", 2}, OP_NOMATCH}, {{"<", 1}, OP_LT},
	    {{">", 1}, OP_GT}, {{"~", 1}, OP_MATCH},
	};

	skip_space(ps);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (strncmp(ps->p, table[i].text.p, table[i].text.len) == 0) {
			ps->p += table[i].text.len;
			*op = table[i].op;
			return true;
		}
	}
	if (take_keyword(ps, STR("eq")))
		*op = OP_STREQ;
	else if (take_keyword(ps, STR("ne")))
		*op = OP_STRNE;
	else
		return false;
	return true;
}

/* A string in quotes, unquoted where it stands. */
static bool
take_quoted(struct parser *ps, struct str *out)
{
	char quote = *ps->p, *from = ps->p + 1, *to = from;

	out->p = from;
	while (*from != quote) {
		if (*from == '\\' && (from[1] == quote || from[1] == '\\')) {
			from++;
			/* Stays two: PCRE2 has its own use for them. */
			if (*from == '\\')
				*to++ = '\\';
		}
		if (*from == '\0')
			return fail(ps, "The string has no end");
		*to++ = *from++;
	}
	out->len = to - out->p;
	ps->p = from + 1;
	return true;
}

/* Plain decimal, all of it: no hexadecimal, infinity or NaN. */
static bool
to_number(struct str s, double *out)
{
	char text[64], *end;

	if (s.len == 0 || s.len >= sizeof text)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((unsigned char)s.p[i]) &&
		    memchr("+-.eE", s.p[i], 5) == NULL)
			return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	*out = strtod(text, &end);
	return *end == '\0';
}

static bool
parse_operand(struct parser *ps, struct node *leaf)
{
	char *at;

	skip_space(ps);
	at = ps->p;
	if (*at == '"' || *at == '\'') {
		if (!take_quoted(ps, &leaf->string))
			return false;
	} else {
		leaf->string = peek_word(ps);
		ps->p += leaf->string.len;
		if (leaf->string.len == 0)
			return fail(ps, "Expected a value to compare with");
	}
	switch (leaf->op) {
	case OP_EQ: case OP_NE: case OP_LT: case OP_LE: case OP_GT: case OP_GE:
		if (to_number(leaf->string, &leaf->number))
			return true;
		ps->p = at;
		return fail(ps, "Expected a number (strings: eq, ne, ~)");
	case OP_MATCH: case OP_NOMATCH:
		leaf->regex = log_regex_new(
		    leaf->string, ps->q->caseless, ps->err, ps->err_len);
		return leaf->regex != NULL;
	case OP_EXISTS: case OP_STREQ: case OP_STRNE:
		break;
	}
	return true;
}

static bool
parse_condition(struct parser *ps, unsigned *out)
{
	struct node *leaf;

	if (!new_node(ps, NODE_LEAF, out))
		return false;
	leaf = &ps->q->node[*out];
	if (!parse_records(ps, leaf))
		return false;
	if (take_operator(ps, &leaf->op))
		return parse_operand(ps, leaf);
	if (leaf->is_xid)
		return fail(ps, "Expected an operator after xid");
	return true;
}

static bool parse_or(struct parser *ps, unsigned *out);

static bool
parse_not(struct parser *ps, unsigned *out)
{
	bool ok;

	if (ps->depth == DEPTH_MAX)
		return fail(ps, "More than %d levels of nesting", DEPTH_MAX);
	ps->depth++;
	if (take_keyword(ps, STR("not"))) {
		unsigned inner, node = 0;

		ok = parse_not(ps, &inner) && new_node(ps, NODE_NOT, &node);
		if (ok) {
			ps->q->node[node].left = inner;
			*out = node;
		}
	} else if (*ps->p == '(') {
		ps->p++;
		ok = parse_or(ps, out);
		skip_space(ps);
		if (ok && *ps->p != ')')
			ok = fail(ps, "Expected a )");
		else if (ok)
			ps->p++;
	} else {
		ok = parse_condition(ps, out);
	}
	ps->depth--;
	return ok;
}

static bool
parse_chain(struct parser *ps, struct str keyword, enum node_type type,
    bool (*part)(struct parser *, unsigned *), unsigned *out)
{
	unsigned left, right, node = 0;

	if (!part(ps, &left))
		return false;
	while (take_keyword(ps, keyword)) {
		if (!part(ps, &right) || !new_node(ps, type, &node))
			return false;
		ps->q->node[node].left = left;
		ps->q->node[node].right = right;
		left = node;
	}
	*out = left;
	return true;
}

static bool
parse_and(struct parser *ps, unsigned *out)
{
	return parse_chain(ps, STR("and"), NODE_AND, parse_not, out);
}

static bool
parse_or(struct parser *ps, unsigned *out)
{
	return parse_chain(ps, STR("or"), NODE_OR, parse_and, out);
}

struct log_query *
log_query_new(const char *text, bool caseless, char *err, size_t err_len)
{
	struct log_query *q = calloc(1, sizeof *q);
	struct parser ps = {.q = q, .err = err, .err_len = err_len};

	if (q == NULL || strlen(text) > TEXT_MAX ||
	    (q->text = strdup(text)) == NULL) {
		snprintf(err, err_len,
		    q == NULL || strlen(text) <= TEXT_MAX ? "Out of memory"
							  : "Too long");
		free(q);
		return NULL;
	}
	q->caseless = caseless;
	ps.p = q->text;
	if (parse_or(&ps, &q->root)) {
		skip_space(&ps);
		if (*ps.p == '\0')
			return q;
		fail(&ps, "Expected and, or, or the end, not \"%.10s\"", ps.p);
	}
	log_query_free(&q);
	return NULL;
}

void
log_query_free(struct log_query **qp)
{
	struct log_query *q = *qp;

	if (q == NULL)
		return;
	*qp = NULL;
	for (unsigned i = 0; i < q->n; i++)
		log_regex_free(&q->node[i].regex);
	free(q->text);
	free(q);
}

/* ---- evaluation ---- */

void
log_query_begin(struct log_query *q)
{
	for (unsigned i = 0; i < q->n; i++)
		q->node[i].hit = false;
}

/* What follows "prefix:" and blanks; false: it does not begin so. */
static bool
cut_prefix(struct str *s, struct str prefix)
{
	if (s->len <= prefix.len || !str_casestarts(*s, prefix) ||
	    s->p[prefix.len] != ':')
		return false;
	*s = str_trim(
	    str_of(s->p + prefix.len + 1, s->len - prefix.len - 1));
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
cut_field(struct str *s, unsigned field)
{
	const char *p = s->p, *end = p + s->len, *from;

	for (;; field--) {
		while (p < end && is_blank(*p))
			p++;
		if (p == end)
			return false;
		from = p;
		while (p < end && !is_blank(*p))
			p++;
		if (field == 1) {
			*s = str_of(from, p - from);
			return true;
		}
	}
}

static bool
compare(enum op op, double a, double b)
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
	case OP_EXISTS: case OP_STREQ: case OP_STRNE: case OP_MATCH:
	case OP_NOMATCH:
		break;
	}
	return false;
}

static bool
fulfils(const struct log_query *q, const struct node *leaf, struct str s)
{
	double number;
	bool equal;

	if (leaf->prefix.p != NULL && !cut_prefix(&s, leaf->prefix))
		return false;
	if (leaf->field != 0 && !cut_field(&s, leaf->field))
		return false;
	switch (leaf->op) {
	case OP_EXISTS:
		return true;
	case OP_EQ: case OP_NE: case OP_LT: case OP_LE: case OP_GT: case OP_GE:
		return to_number(s, &number) &&
		    compare(leaf->op, number, leaf->number);
	case OP_STREQ: case OP_STRNE:
		equal = q->caseless ? str_caseeq(s, leaf->string)
				    : str_eq(s, leaf->string);
		return equal == (leaf->op == OP_STREQ);
	case OP_MATCH: case OP_NOMATCH:
		return log_regex_matches(leaf->regex, s) ==
		    (leaf->op == OP_MATCH);
	}
	return false;
}

static bool
is_level(const struct node *leaf, unsigned level)
{
	if (leaf->level == 0)
		return true;
	switch (leaf->level_dir) {
	case '+':
		return level >= leaf->level;
	case '-':
		return level <= leaf->level;
	default:
		return level == leaf->level;
	}
}

void
log_query_record(struct log_query *q, uint64_t xid, unsigned level,
    const struct log_record *r)
{
	char scratch[LOG_TEXT_MAX], digits[24];
	struct str text = STR_NULL;

	for (unsigned i = 0; i < q->n; i++) {
		struct node *leaf = &q->node[i];

		if (leaf->type != NODE_LEAF || leaf->hit ||
		    !is_level(leaf, level))
			continue;
		if (leaf->is_xid) {
			int n = snprintf(digits, sizeof digits, "%llu",
			    (unsigned long long)xid);

			leaf->hit = fulfils(q, leaf, str_of(digits, n));
			continue;
		}
		if (!tag_set_has(&leaf->tags, r->tag))
			continue;
		if (text.p == NULL)
			text = log_record_text(r, scratch);
		if (text.p == NULL)
			text = STR("");
		leaf->hit = fulfils(q, leaf, text);
	}
}

static bool
result(const struct log_query *q, unsigned i)
{
	const struct node *n = &q->node[i];

	switch (n->type) {
	case NODE_AND:
		return result(q, n->left) && result(q, n->right);
	case NODE_OR:
		return result(q, n->left) || result(q, n->right);
	case NODE_NOT:
		return !result(q, n->left);
	case NODE_LEAF:
		return n->hit;
	}
	return false;
}

bool
log_query_result(const struct log_query *q)
{
	return result(q, q->root);
}
