/*
 * parse_expr.c - tokens to expressions.
 *
 *   or:      and { || and }
 *   and:     not { && not }
 *   not:     { ! } compare
 *   compare: sum [ ( == != < > <= >= ~ !~ ) sum ]
 *   sum:     product { ( + | - | nothing ) product }
 *   product: unary { ( * | / | % ) unary }
 *   unary:   { - } primary { .method() }
 *   primary: ( or ) | constant | name | name(arguments)
 *
 * "nothing": two values side by side are joined as strings.  '!' is weaker
 * than a comparison: !a ~ b is !(a ~ b).
 */
#include "parse_expr.h"

static struct vcc_expr *parse_or(struct vcc_parser *);

static struct vcc_expr *
expr_new(struct vcc_parser *p, enum vcc_expr_kind kind, struct vcc_span at)
{
	struct vcc_expr *e = vcc_alloc(&p->c->mem, sizeof(*e));

	e->kind = kind;
	e->at = at;
	e->type = TYPE_MAX;
	return e;
}

static void
add_arg(struct vcc_parser *p, struct vcc_expr *e, struct vcc_expr *arg,
    unsigned op, struct str name)
{
	struct vcc_mem *m = &p->c->mem;
	unsigned n = e->arg_n++;

	e->arg = vcc_grow(m, e->arg, n, sizeof(*e->arg));
	e->arg[n] = arg;
	if (e->kind == E_SUM || e->kind == E_PRODUCT) {
		e->arg_op = vcc_grow(m, e->arg_op, n, sizeof(*e->arg_op));
		e->arg_op[n] = (unsigned char)op;
	}
	if (e->kind == E_CALL) {
		e->arg_name = vcc_grow(m, e->arg_name, n, sizeof(*e->arg_name));
		e->arg_name[n] = name;
	}
	e->at = vcc_span_join(e->at, arg->at);
}

/* false after an error */
static bool
go_deeper(struct vcc_parser *p)
{
	if (p->expr_depth < VCC_EXPR_DEPTH_MAX) {
		p->expr_depth++;
		return true;
	}
	vcc_error(p->c, p->t.at, "this expression is nested deeper than %d",
	    VCC_EXPR_DEPTH_MAX);
	return false;
}

/* of one that is put together: more can't be meant */
enum { NAME_MAX_LEN = 1000 };

/* head.http."name": the name is the current token */
static struct vcc_expr *
parse_quoted_header(struct vcc_parser *p, struct str prefix, struct vcc_span at)
{
	struct vcc_expr *e = expr_new(p, E_NAME, at);
	int head =
	    vcc_find_head(str_of(prefix.p, prefix.len - strlen(".http")));

	if (head < 0) {
		vcc_error(p->c, at, "'%.*s' has no headers", STR_ARG(prefix));
		return NULL;
	}
	e->quoted = true;
	e->head = (unsigned)head;
	e->text = p->t.text;
	e->at = vcc_span_join(at, p->t.at);
	vcc_advance(p);
	return e;
}

static bool
ends_with(struct str s, struct str end)
{
	return s.len > end.len &&
	       str_caseeq(str_of(s.p + s.len - end.len, end.len), end);
}

/* A name is one token, but where space or a comment is beside its dots. */
struct vcc_expr *
vcc_parse_name(struct vcc_parser *p, const char *what)
{
	struct str text = p->t.text;
	struct vcc_span at = p->t.at;
	struct vcc_expr *e;

	if (p->t.kind != T_ID) {
		vcc_unexpected(p, what);
		return NULL;
	}
	vcc_advance(p);
	while (vcc_take(p, '.')) {
		if (p->t.kind == T_STRING && ends_with(text, STR(".http")))
			return parse_quoted_header(p, text, at);
		if (p->t.kind == T_STRING) {
			vcc_error(p->c, vcc_span_join(p->before, p->t.at),
			    "texts are put together with '+', not with '.'");
			return NULL;
		}
		if (p->t.kind != T_ID) {
			vcc_unexpected(p, "a name after '.'");
			return NULL;
		}
		if (text.len > NAME_MAX_LEN) {
			vcc_error(p->c, at, "this name is too long");
			return NULL;
		}
		text = str_from_z(vcc_printf(&p->c->mem, "%.*s.%.*s",
		    STR_ARG(text), STR_ARG(p->t.text)));
		at = vcc_span_join(at, p->t.at);
		vcc_advance(p);
	}
	e = expr_new(p, E_NAME, at);
	e->text = text;
	return e;
}

/* ( arguments ), with the '(' as the current token, into e */
static bool
parse_args(struct vcc_parser *p, struct vcc_expr *e)
{
	struct vcc_expr *arg;

	if (!go_deeper(p))
		return false;
	vcc_advance(p);
	while (p->t.kind != ')') {
		struct str name = STR_NULL;

		p->arg = p->t.at;
		arg = parse_or(p);
		if (arg && p->t.kind == '=' && arg->kind == E_NAME &&
		    !arg->quoted) {
			name = arg->text;
			vcc_advance(p);
			arg = parse_or(p);
		}
		if (arg == NULL)
			return false;
		add_arg(p, e, arg, 0, name);
		if (!vcc_take(p, ','))
			break;
		if (p->t.kind == ')') {
			vcc_unexpected(p, "another argument after ','");
			return false;
		}
	}
	p->expr_depth--;
	e->at = vcc_span_join(e->at, p->t.at);
	return vcc_expect(p, ')', "after the arguments");
}

static struct vcc_expr *
parse_constant(struct vcc_parser *p, enum vcc_expr_kind kind)
{
	struct vcc_expr *e = expr_new(p, kind, p->t.at);

	e->text = p->t.text;
	e->i = p->t.i;
	e->d = p->t.d;
	vcc_advance(p);
	return e;
}

static struct vcc_expr *
parse_parentheses(struct vcc_parser *p)
{
	struct vcc_expr *e;
	struct vcc_span open = p->t.at;

	if (!go_deeper(p))
		return NULL;
	vcc_advance(p);
	e = parse_or(p);
	p->expr_depth--;
	if (e == NULL)
		return NULL;
	if (p->t.kind == ')' && e->at.source == open.source)
		e->at = vcc_span_join(open, p->t.at);
	return vcc_expect(p, ')', "to close '('") ? e : NULL;
}

static struct vcc_expr *
parse_primary(struct vcc_parser *p)
{
	struct vcc_expr *e;

	switch (p->t.kind) {
	case '(':
		return parse_parentheses(p);
	case T_STRING:
		return parse_constant(p, E_STRING);
	case T_INT:
		return parse_constant(p, E_INT);
	case T_REAL:
		return parse_constant(p, E_REAL);
	case T_DURATION:
		return parse_constant(p, E_DURATION);
	case T_BYTES:
		return parse_constant(p, E_BYTES);
	case T_BLOB:
		return parse_constant(p, E_BLOB);
	case T_ID:
		e = vcc_parse_name(p, "a value");
		if (e && p->t.kind == '(' && !e->quoted) {
			e->kind = E_CALL;
			if (!parse_args(p, e))
				return NULL;
		}
		return e;
	default:
		vcc_unexpected(p, "a value");
		return NULL;
	}
}

/* x.name(), for x that is not just a name */
static struct vcc_expr *
parse_methods(struct vcc_parser *p, struct vcc_expr *of)
{
	while (of && p->t.kind == '.') {
		struct vcc_expr *e = expr_new(p, E_METHOD, of->at);

		vcc_advance(p);
		add_arg(p, e, of, 0, STR_NULL);
		e->text = vcc_expect_name(p, "the name of a method");
		if (e->text.p == NULL || !vcc_expect(p, '(', "after it"))
			return NULL;
		e->at = vcc_span_join(e->at, p->t.at);
		if (!vcc_expect(p, ')', "after '('"))
			return NULL;
		/* nested in C: x.lower().upper() is a call in a call */
		if (!go_deeper(p))
			return NULL;
		of = e;
	}
	return of;
}

static struct vcc_expr *
parse_unary(struct vcc_parser *p)
{
	struct vcc_expr *e, *arg;
	unsigned depth = p->expr_depth;

	if (p->t.kind != '-') {
		e = parse_methods(p, parse_primary(p));
		p->expr_depth = depth;
		return e;
	}
	if (!go_deeper(p))
		return NULL;
	e = expr_new(p, E_NEG, p->t.at);
	vcc_advance(p);
	arg = parse_unary(p);
	p->expr_depth--;
	if (arg == NULL)
		return NULL;
	add_arg(p, e, arg, 0, STR_NULL);
	return e;
}

/*
 * first [op next]...: the first alone, or an e of that kind with all of
 * them; op_of tells the operator at hand, -1 if there is none.
 */
static struct vcc_expr *
parse_chain(struct vcc_parser *p, enum vcc_expr_kind kind,
    struct vcc_expr *(*parse)(struct vcc_parser *),
    int (*op_of)(const struct vcc_parser *))
{
	struct vcc_expr *first = parse(p), *next, *e = NULL;
	int op;

	while (first && (op = op_of(p)) >= 0) {
		if (op > 0)
			vcc_advance(p);
		next = parse(p);
		if (next == NULL)
			return NULL;
		if (e == NULL) {
			e = expr_new(p, kind, first->at);
			add_arg(p, e, first, 0, STR_NULL);
		}
		/* of strings, those that are constants become one */
		if (kind != E_SUM && e->arg_n == VCC_OPERANDS_MAX) {
			vcc_error(p->c, next->at,
			    "this expression has more than %d operands",
			    VCC_OPERANDS_MAX);
			return NULL;
		}
		add_arg(p, e, next, (unsigned)op, STR_NULL);
	}
	return e ? e : first;
}

static int
product_op(const struct vcc_parser *p)
{
	unsigned k = p->t.kind;

	return k == '*' || k == '/' || k == '%' ? (int)k : -1;
}

static struct vcc_expr *
parse_product(struct vcc_parser *p)
{
	return parse_chain(p, E_PRODUCT, parse_unary, product_op);
}

/* Words that begin a statement: what is before them lacks its ';'. */
static bool
begins_statement(const struct vcc_parser *p)
{
	static const char *const words[] = {"set", "unset", "call", "return",
	    "if", "new", "include", "else", "elseif", "elsif", "elif"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (vcc_is_word(p, words[i]))
			return true;
	}
	return false;
}

/* "a and b" would be strings side by side. */
static bool
is_word_operator(const struct vcc_parser *p)
{
	const char *symbol = vcc_is_word(p, "and") ? "&&"
			     : vcc_is_word(p, "or")  ? "||"
						     : NULL;

	if (symbol == NULL)
		return false;
	vcc_error(p->c, p->t.at, "'%.*s' is written '%s'", STR_ARG(p->t.text),
	    symbol);
	return true;
}

static int
sum_op(const struct vcc_parser *p)
{
	switch (p->t.kind) {
	case '+':
	case '-':
		return (int)p->t.kind;
	case T_ID:
		return begins_statement(p) || vcc_is_word(p, "and") ||
			       vcc_is_word(p, "or")
			   ? -1
			   : 0;
	case T_STRING:
	case T_INT:
	case T_REAL:
	case T_DURATION:
	case T_BYTES:
		return 0;
	default:
		return -1;
	}
}

static struct vcc_expr *
parse_sum(struct vcc_parser *p)
{
	return parse_chain(p, E_SUM, parse_product, sum_op);
}

static bool
is_comparison(unsigned kind)
{
	return kind == T_EQ || kind == T_NE || kind == T_LE || kind == T_GE ||
	       kind == '<' || kind == '>' || kind == '~' || kind == T_NOMATCH;
}

/* "f(name": what comes after it may be '='. */
static bool
may_name_argument(const struct vcc_parser *p, const struct vcc_expr *e)
{
	return e->kind == E_NAME && !e->quoted &&
	       e->at.source == p->arg.source && e->at.at == p->arg.at;
}

static struct vcc_expr *
parse_compare(struct vcc_parser *p)
{
	struct vcc_expr *l = parse_sum(p), *r, *e;

	if (l == NULL || is_word_operator(p))
		return NULL;
	if (p->t.kind == '=' && !may_name_argument(p, l)) {
		vcc_error(p->c, p->t.at,
		    "'=' is for 'set'; a comparison is written '=='");
		p->t.kind = T_EQ; /* and what comes after it is read */
	}
	if (!is_comparison(p->t.kind))
		return l;
	e = expr_new(p, E_COMPARE, l->at);
	e->op = p->t.kind;
	vcc_advance(p);
	r = parse_sum(p);
	if (r == NULL)
		return NULL;
	if (is_comparison(p->t.kind)) {
		vcc_error(p->c, p->t.at,
		    "comparisons can't be chained; "
		    "join them with '&&'");
		return NULL;
	}
	if (is_word_operator(p))
		return NULL;
	add_arg(p, e, l, 0, STR_NULL);
	add_arg(p, e, r, 0, STR_NULL);
	return e;
}

static struct vcc_expr *
parse_not(struct vcc_parser *p)
{
	struct vcc_expr *e, *arg;

	if (p->t.kind != '!')
		return parse_compare(p);
	if (!go_deeper(p))
		return NULL;
	e = expr_new(p, E_NOT, p->t.at);
	vcc_advance(p);
	arg = parse_not(p);
	p->expr_depth--;
	if (arg == NULL)
		return NULL;
	add_arg(p, e, arg, 0, STR_NULL);
	return e;
}

static int
and_op(const struct vcc_parser *p)
{
	return p->t.kind == T_AND ? T_AND : -1;
}

static int
or_op(const struct vcc_parser *p)
{
	return p->t.kind == T_OR ? T_OR : -1;
}

static struct vcc_expr *
parse_and(struct vcc_parser *p)
{
	return parse_chain(p, E_AND, parse_not, and_op);
}

static struct vcc_expr *
parse_or(struct vcc_parser *p)
{
	return parse_chain(p, E_OR, parse_and, or_op);
}

struct vcc_expr *
vcc_parse_expr(struct vcc_parser *p)
{
	p->expr_depth = 0;
	return parse_or(p);
}
