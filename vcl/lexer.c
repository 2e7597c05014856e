/*
 * lexer.c - VCL text to tokens.
 *
 * Numbers take their unit with them (10s, 1.5h, 64KB), names their dots and
 * hyphens (req.http.X-Forwarded-For).  Strings have no escapes; there are
 * "..." on one line, and {"..."} and """...""" with anything in them.
 */
#include "lexer.h"

#include <stdlib.h>

#include "compiler.h"

enum { NUMBER_MAX_LEN = 30 }; /* digits; more can't be meant */

struct lexer {
	struct vcc *c;
	const struct vcc_source *source;
	const char *begin, *p, *end;
	bool ahead; /* only looks: what is wrong is told later */
};

static bool
is_digit(int ch)
{
	return ch >= '0' && ch <= '9';
}

static bool
is_name_start(int ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	       ch == '_';
}

static bool
is_name(int ch)
{
	return is_name_start(ch) || is_digit(ch) || ch == '-';
}

static int
peek(const struct lexer *l, size_t n)
{
	return (size_t)(l->end - l->p) > n ? (unsigned char)l->p[n] : -1;
}

static bool
looking_at(const struct lexer *l, const char *z)
{
	size_t n = strlen(z);

	return (size_t)(l->end - l->p) >= n && !memcmp(l->p, z, n);
}

static struct vcc_span
span(const struct lexer *l, const char *from, const char *to)
{
	return (struct vcc_span){
	    l->source, (uint32_t)(from - l->begin), (uint32_t)(to - from)};
}

/* The first z from p on; NULL if there is none. */
static const char *
find(const struct lexer *l, const char *p, const char *z)
{
	return memmem(p, (size_t)(l->end - p), z, strlen(z));
}

/* Behind the comment at hand; a second start is that of one without end. */
static const char *
skip_comment(struct lexer *l)
{
	const char *end = find(l, l->p + 2, "*/"), *inner;

	if (l->ahead)
		return end != NULL ? end + 2 : l->end;
	if (end == NULL) {
		vcc_error(l->c, span(l, l->p, l->p + 2),
		    "this comment has no end: '*/' is missing");
		return l->end;
	}
	inner = memmem(l->p + 2, (size_t)(end - l->p - 2), "/*", 2);
	if (inner != NULL)
		vcc_error(l->c, span(l, inner, inner + 2),
		    "'/*' in a comment: comments are not nested, or the one "
		    "before has no '*/'");
	return end + 2;
}

static void
skip_space(struct lexer *l)
{
	const char *end;

	for (; l->p < l->end; l->p++) {
		if (*l->p == '#' || looking_at(l, "//")) {
			end = find(l, l->p, "\n");
			l->p = end ? end : l->end;
			if (end == NULL)
				return;
		} else if (looking_at(l, "/*")) {
			l->p = skip_comment(l) - 1;
		} else if (*l->p != ' ' && *l->p != '\t' && *l->p != '\n' &&
			   *l->p != '\r' && *l->p != '\f' && *l->p != '\v')
			return;
	}
}

static void
lex_name(struct lexer *l, struct vcc_token *t)
{
	const char *from = l->p;

	while (
	    is_name(peek(l, 0)) || (peek(l, 0) == '.' && is_name(peek(l, 1))))
		l->p++;
	t->kind = T_ID;
	t->text = str_of(from, (size_t)(l->p - from));
	if (str_eq(t->text, STR("C")) && peek(l, 0) == '{') {
		const char *end = find(l, l->p, "}C");

		vcc_error(l->c, span(l, from, l->p + 1),
		    "inline C is not supported; write it in VCL");
		l->p = end ? end + 2 : l->end;
		t->kind = T_BAD;
	}
}

/*
 * A string that has no end: it was probably meant to end before the ");" or
 * the ';' that ends the line, so that what comes after it is read as it was
 * meant.
 */
static const char *
likely_end(const char *text, const char *newline)
{
	const char *end = newline;

	while (end > text && strchr(" \t\r;)}", end[-1]))
		end--;
	return end;
}

/* "..." and, with open and close, the two long forms */
static void
lex_string(
    struct lexer *l, struct vcc_token *t, const char *open, const char *close)
{
	const char *from = l->p, *text = from + strlen(open);
	const char *end = find(l, text, close);
	bool is_short = open[0] == '"' && open[1] == '\0';
	/* no further than the end: strings may be many on a long line */
	const char *newline =
	    is_short ? memchr(text, '\n', (size_t)((end ? end : l->end) - text))
		     : NULL;

	t->kind = T_STRING;
	if (newline) {
		vcc_error(l->c, span(l, from, newline),
		    "this string has no end on its line; "
		    "write {\"...\"} for text of several lines");
		l->p = likely_end(text, newline);
		t->text = str_of(text, (size_t)(l->p - text));
	} else if (end == NULL) {
		vcc_error(l->c, span(l, from, text),
		    "this string has no end: '%s' is missing", close);
		t->kind = T_BAD;
		l->p = l->end;
	} else {
		t->text = str_of(text, (size_t)(end - text));
		l->p = end + strlen(close);
	}
}

static int
base64_value(int ch)
{
	if (ch >= 'A' && ch <= 'Z')
		return ch - 'A';
	if (ch >= 'a' && ch <= 'z')
		return ch - 'a' + 26;
	if (is_digit(ch))
		return ch - '0' + 52;
	return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}

/* :base64: (RFC 8941 3.3.5) */
static void
lex_blob(struct lexer *l, struct vcc_token *t)
{
	const char *from = l->p++;
	char *out = vcc_alloc(&l->c->mem, 1), *p;
	unsigned bits = 0, have = 0;
	size_t n = 0;

	while (base64_value(peek(l, n)) >= 0)
		n++;
	p = out = vcc_alloc(&l->c->mem, n + 1);
	for (; n > 0; n--, l->p++) {
		bits = bits << 6 | (unsigned)base64_value(peek(l, 0));
		have += 6;
		if (have >= 8) {
			have -= 8;
			*p++ = (char)(bits >> have);
		}
	}
	while (peek(l, 0) == '=')
		l->p++;
	t->kind = T_BLOB;
	t->text = str_of(out, (size_t)(p - out));
	if (peek(l, 0) != ':') {
		vcc_error(l->c, span(l, from, l->p + (l->p < l->end)),
		    l->p > from + 1 ? "a BLOB is written ':base64:'" :
		    "VCL has no use for ':' here; what is set is written "
		    "with '='");
		t->kind = T_BAD;
		return;
	}
	l->p++;
}

static const struct {
	const char *name;
	double seconds; /* 0: a size */
	int64_t bytes;
} units[] = {
    {"ms", 1e-3, 0},
    {"s", 1, 0},
    {"m", 60, 0},
    {"h", 3600, 0},
    {"d", 86400, 0},
    {"w", 7 * 86400, 0},
    {"y", 365 * 86400, 0},
    {"B", 0, 1},
    {"KB", 0, INT64_C(1) << 10},
    {"MB", 0, INT64_C(1) << 20},
    {"GB", 0, INT64_C(1) << 30},
    {"TB", 0, INT64_C(1) << 40},
    {"PB", 0, INT64_C(1) << 50},
};

/* Sizes in either case, and without the B: "m" alone is minutes, "M" is MB. */
static bool
is_unit(struct str unit, size_t i)
{
	struct str name = str_from_z(units[i].name);

	if (units[i].seconds > 0)
		return str_eq(unit, name);
	return str_caseeq(unit, name) ||
	       (name.len == 2 && str_caseeq(unit, str_of(name.p, 1)));
}

/* Sets t->kind and value from digits and unit; false: no such unit. */
static bool
apply_unit(
    struct lexer *l, struct vcc_token *t, struct str unit, struct vcc_span at)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!is_unit(unit, i))
			continue;
		if (units[i].seconds > 0) {
			t->kind = T_DURATION;
			t->d *= units[i].seconds;
			return true;
		}
		t->kind = T_BYTES;
		if (t->d * (double)units[i].bytes >= 9.2e18) {
			vcc_error(l->c, at, "this size is too large");
			t->kind = T_BAD;
		} else
			t->i = (int64_t)(t->d * (double)units[i].bytes);
		return true;
	}
	return false;
}

/* "5 s": a unit may stand apart from its number, if it is one. */
static void
skip_to_unit(struct lexer *l)
{
	struct lexer to = *l;
	const char *p, *end;

	to.ahead = true;
	skip_space(&to);
	p = to.p;
	for (end = p; end < l->end && is_name((unsigned char)*end); end++)
		continue;
	if (end == p || (end < l->end && *end == '.'))
		return;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (is_unit(str_of(p, (size_t)(end - p)), i))
			l->p = p;
	}
}

static void
lex_number(struct lexer *l, struct vcc_token *t)
{
	const char *from = l->p, *unit;
	char digits[NUMBER_MAX_LEN + 1];
	bool fraction = false, overflow = false;
	size_t n;

	while (is_digit(peek(l, 0)))
		l->p++;
	if (peek(l, 0) == '.') { /* 1.5, 1. and 1.m are numbers */
		fraction = true;
		for (l->p++; is_digit(peek(l, 0)); l->p++)
			continue;
	}
	n = (size_t)(l->p - from);
	if (n > NUMBER_MAX_LEN) {
		vcc_error(l->c, span(l, from, l->p), "this number is too long");
		t->kind = T_BAD;
		return;
	}
	memcpy(digits, from, n);
	digits[n] = '\0';
	t->d = strtod(digits, NULL);
	for (size_t i = 0; i < n && is_digit(from[i]); i++)
		overflow |= __builtin_mul_overflow(t->i, 10, &t->i) ||
			    __builtin_add_overflow(t->i, from[i] - '0', &t->i);
	t->kind = fraction ? T_REAL : T_INT;
	skip_to_unit(l);
	for (unit = l->p; is_name(peek(l, 0)) && peek(l, 0) != '-'; l->p++)
		continue;
	if (l->p > unit) {
		if (!apply_unit(l, t, str_of(unit, (size_t)(l->p - unit)),
			span(l, from, l->p))) {
			vcc_error(l->c, span(l, unit, l->p),
			    "unknown unit '%.*s'; durations have ms, s, m, h, "
			    "d, w or y, sizes B, KB, MB, GB or TB",
			    (int)(l->p - unit), unit);
			t->kind = T_BAD;
		}
	} else if (overflow && !fraction) {
		vcc_error(
		    l->c, span(l, from, l->p), "this number is too large");
		t->kind = T_BAD;
	}
}

static const struct {
	char text[3];
	unsigned kind;
} operators[] = {
    {"&&", T_AND},
    {"||", T_OR},
    {"==", T_EQ},
    {"!=", T_NE},
    {"<=", T_LE},
    {">=", T_GE},
    {"!~", T_NOMATCH},
    {"+=", T_ADD},
    {"-=", T_SUB},
    {"*=", T_MUL},
    {"/=", T_DIV},
};

static void
lex_operator(struct lexer *l, struct vcc_token *t)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		if (looking_at(l, operators[i].text)) {
			t->kind = operators[i].kind;
			l->p += 2;
			return;
		}
	}
	if (strchr("{}()=<>~!+-*/%;,.:", *l->p) && *l->p != '\0') {
		t->kind = (unsigned char)*l->p++;
		return;
	}
	t->kind = T_BAD;
	if (*l->p == '\'') {
		const char *line = find(l, l->p, "\n");
		const char *close = find(l, l->p + 1, "'");
		bool closed = close && (line == NULL || close < line);

		vcc_error(l->c, span(l, l->p, closed ? close + 1 : l->p + 1),
		    "strings are written in double quotes");
		if (closed)
			l->p = close;
	} else if (*l->p == '\\')
		vcc_error(l->c, span(l, l->p, l->p + 1),
		    "a string ends at '\"', also behind a backslash; one with "
		    "quotes in it is written {\"...\"}");
	else if (*l->p == '&' || *l->p == '|')
		vcc_error(l->c, span(l, l->p, l->p + 1),
		    "'%c' is no operator; did you mean '%c%c'?", *l->p, *l->p,
		    *l->p);
	else
		vcc_error(l->c, span(l, l->p, l->p + 1),
		    *l->p == '?' ? "VCL has no '?'; a choice is written "
		    "with 'if'" : "VCL has no use for this character");
	l->p++;
	while (l->p < l->end && (*l->p & 0xc0) == 0x80)
		l->p++;
}

struct vcc_token
vcc_lex(struct vcc *c, const struct vcc_source *source, uint32_t *pos)
{
	struct lexer l = {c, source, source->text.p, source->text.p + *pos,
	    source->text.p + source->text.len, false};
	struct vcc_token t = {.kind = T_EOF};
	const char *from;

	skip_space(&l);
	from = l.p;
	if (c->stop)
		l.p = from = l.end;
	else if (l.p == l.end)
		t.kind = T_EOF;
	else if (is_name_start(*l.p))
		lex_name(&l, &t);
	else if (is_digit(*l.p))
		lex_number(&l, &t);
	else if (looking_at(&l, "\"\"\""))
		lex_string(&l, &t, "\"\"\"", "\"\"\"");
	else if (*l.p == '"')
		lex_string(&l, &t, "\"", "\"");
	else if (looking_at(&l, "{\""))
		lex_string(&l, &t, "{\"", "\"}");
	else if (*l.p == ':')
		lex_blob(&l, &t);
	else
		lex_operator(&l, &t);
	t.at = span(&l, from, l.p);
	*pos = (uint32_t)(l.p - l.begin);
	return t;
}

const char *
vcc_kind_name(struct vcc *c, unsigned kind)
{
	switch (kind) {
	case T_EOF:
		return "the end of the file";
	case T_ID:
		return "a name";
	case T_STRING:
		return "a string";
	case T_INT:
	case T_REAL:
		return "a number";
	case T_DURATION:
		return "a duration";
	case T_BYTES:
		return "a size";
	case T_BLOB:
		return "a BLOB";
	default:
		break;
	}
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		if (operators[i].kind == kind)
			return vcc_printf(&c->mem, "'%s'", operators[i].text);
	}
	return kind < 256 ? vcc_printf(&c->mem, "'%c'", (int)kind) : "this";
}

const char *
vcc_token_name(struct vcc *c, const struct vcc_token *t)
{
	if (t->kind == T_ID)
		return vcc_printf(&c->mem, "'%.*s'",
		    t->text.len > 60 ? 60 : (int)t->text.len, t->text.p);
	return vcc_kind_name(c, t->kind);
}
