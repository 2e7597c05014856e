/*
 * lint.c - warnings about what is right by the language, and surely not
 * what was meant.
 *
 * It looks at checked trees, and only at what the user wrote.  A warning
 * must be certain: whatever a function call may do, or a request may bring,
 * is given the benefit of the doubt.
 */
#include "compiler.h"

static void lint_block(struct vcc *, const struct vcc_stmt *);

/* Are they the same, and is evaluating them without effect? */
static bool
is_same(const struct vcc_expr *a, const struct vcc_expr *b)
{
	if (a->kind != b->kind || a->type != b->type || a->arg_n != b->arg_n)
		return false;
	switch (a->kind) {
	case E_STRING:
		return str_eq(a->text, b->text);
	case E_INT:
	case E_BYTES:
	case E_BOOL:
		return a->i == b->i;
	case E_REAL:
	case E_DURATION:
		return a->d == b->d;
	case E_VAR:
		return a->var == b->var;
	case E_HEADER:
		return a->head == b->head && a->number == b->number;
	case E_SYMBOL:
		return a->symbol == b->symbol;
	case E_REGEX:
		return a->number == b->number;
	case E_NOT:
	case E_AND:
	case E_OR:
	case E_CONCAT:
	case E_TO_BOOL:
	case E_TO_STRING:
	case E_STRING_COMPARE:
	case E_NUMBER_COMPARE:
	case E_REGEX_MATCH:
	case E_ACL_MATCH:
		break;
	default:
		return false;
	}
	for (unsigned i = 0; i < a->arg_n; i++) {
		if (!is_same(a->arg[i], b->arg[i]))
			return false;
	}
	return a->op == b->op;
}

/* Does e read what target is, or call anything, which might? */
static bool
may_read(const struct vcc_expr *e, const struct vcc_expr *target)
{
	if (e->kind == E_FUNCTION || e->kind == E_METHOD ||
	    e->kind == E_HEADER_REF || e->kind == E_HEAD || is_same(e, target))
		return true;
	for (unsigned i = 0; i < e->arg_n; i++) {
		if (e->arg[i] && may_read(e->arg[i], target))
			return true;
	}
	return false;
}

/* Does e read that header, and call nothing that could have set it? */
static const struct vcc_expr *
find_header(const struct vcc_expr *e, const struct vcc_expr *header)
{
	const struct vcc_expr *found = NULL;

	if (is_same(e, header))
		return e;
	for (unsigned i = 0; i < e->arg_n && found == NULL; i++) {
		if (e->arg[i])
			found = find_header(e->arg[i], header);
	}
	return found;
}

static struct str
shown(const struct vcc_expr *e)
{
	return str_of(e->at.source->text.p + e->at.at, e->at.len);
}

/* ----------------------------------------------------------- conditions */

/* l == "constant", or != : the constant; NULL: it is not of this form. */
static const struct vcc_expr *
compared_constant(const struct vcc_expr *e, unsigned op)
{
	if (e->kind != E_STRING_COMPARE || e->op != op)
		return NULL;
	return e->arg[1]->kind == E_STRING ? e->arg[1] : NULL;
}

/*
 * a == "x" && a == "y", which nothing is, and a != "x" || a != "y", which all
 * is.
 */
static void
lint_pair(struct vcc *c, const struct vcc_expr *e, const struct vcc_expr *a,
    const struct vcc_expr *b)
{
	unsigned op = e->kind == E_AND ? T_EQ : T_NE;
	const struct vcc_expr *x = compared_constant(a, op);
	const struct vcc_expr *y = compared_constant(b, op);

	if (is_same(a, b))
		vcc_warning(c, b->at, "this was tested just before");
	else if (x && y && is_same(a->arg[0], b->arg[0]) &&
		 !str_eq(x->text, y->text))
		vcc_warning(c, vcc_span_join(a->at, b->at),
		    e->kind == E_AND
			? "this is never true: it can't equal both; "
			  "did you mean '||'?"
			: "this is always true: it can't equal both; "
			  "did you mean '&&'?");
}

enum { PAIRS_MAX = 64 }; /* of operands; more are a table, not a mistake */

static void
lint_condition(struct vcc *c, const struct vcc_expr *e)
{
	if (e->kind == E_TO_BOOL && e->arg[0]->kind == E_STRING)
		vcc_warning(c, e->arg[0]->at,
		    "a string by itself is always true; is a comparison "
		    "missing before it?");
	if (e->kind == E_NOT)
		lint_condition(c, e->arg[0]);
	if (e->kind != E_AND && e->kind != E_OR)
		return;
	for (unsigned i = 0; i < e->arg_n; i++) {
		lint_condition(c, e->arg[i]);
		for (unsigned j = 0; j < i && e->arg_n <= PAIRS_MAX; j++)
			lint_pair(c, e, e->arg[j], e->arg[i]);
	}
}

static void
lint_if(struct vcc *c, const struct vcc_stmt *s)
{
	unsigned n = 0;

	for (const struct vcc_arm *a = s->arm; a; a = a->next) {
		if (a->cond)
			lint_condition(c, a->cond);
		for (const struct vcc_arm *b = s->arm;
		     a->cond && b != a && n < PAIRS_MAX; b = b->next) {
			if (!is_same(a->cond, b->cond))
				continue;
			vcc_warning(c, a->cond->at,
			    "this block is never run: its condition was "
			    "tested above");
			vcc_note(c, b->cond->at, "here");
			break;
		}
		n++;
		lint_block(c, a->body);
	}
}

/* ----------------------------------------------------------- statements */

static bool block_ends(const struct vcc_stmt *);

/* Does whatever follows it never run? */
static bool
ends(const struct vcc_stmt *s)
{
	bool has_else = false;

	if (s->kind == S_RETURN)
		return true;
	if (s->kind == S_BLOCK)
		return block_ends(s->body);
	if (s->kind != S_IF)
		return false;
	for (const struct vcc_arm *a = s->arm; a; a = a->next) {
		has_else = a->cond == NULL;
		if (!block_ends(a->body))
			return false;
	}
	return has_else;
}

static bool
block_ends(const struct vcc_stmt *s)
{
	for (; s; s = s->next) {
		if (ends(s))
			return true;
	}
	return false;
}

/* s is a header's or variable's "set" by '=': what the next one undoes. */
static void
lint_overwritten(
    struct vcc *c, const struct vcc_stmt *s, const struct vcc_stmt *next)
{
	const struct vcc_expr *target = s->target;

	if (s->op != '=' || s->value->kind == E_FUNCTION ||
	    (target->kind != E_HEADER && target->kind != E_VAR) ||
	    !is_same(target, next->target))
		return;
	if (next->kind == S_SET &&
	    (next->op != '=' || may_read(next->value, target)))
		return;
	/* once true it stays so */
	if (target->kind == E_VAR && target->type == TYPE_BOOL)
		return;
	vcc_warning(c, s->at, "this has no effect: '%.*s' is %s right after",
	    STR_ARG(shown(target)), next->kind == S_SET ? "set" : "unset");
	vcc_note(c, next->at, "here");
}

/* What is read right after it was unset. */
static void
lint_unset(struct vcc *c, const struct vcc_stmt *s, const struct vcc_stmt *next)
{
	const struct vcc_expr *value = next->value, *read;

	if (s->target->kind != E_HEADER)
		return;
	if (next->kind == S_IF)
		value = next->arm->cond;
	else if (next->kind != S_SET)
		return;
	read = find_header(value, s->target);
	if (read == NULL)
		return;
	vcc_warning(c, read->at, "'%.*s' was just unset: it is never there",
	    STR_ARG(shown(read)));
	vcc_note(c, s->at, "here");
}

/* How long a message is, its sender says: RFC 9112 6. */
static void
lint_framing(struct vcc *c, const struct vcc_stmt *s)
{
	const struct vcc_expr *target = s->target;

	if (target->kind != E_HEADER ||
	    (!str_caseeq(target->text, STR("Content-Length")) &&
		!str_caseeq(target->text, STR("Transfer-Encoding"))))
		return;
	vcc_warning(c, s->at,
	    "this changes nothing that is sent: '%.*s' follows from the body",
	    STR_ARG(shown(target)));
}

static void
lint_stmt(struct vcc *c, const struct vcc_stmt *s)
{
	const struct vcc_stmt *next = s->next;

	if (s->kind == S_SET || s->kind == S_UNSET)
		lint_framing(c, s);
	if (s->kind == S_IF)
		lint_if(c, s);
	else if (s->kind == S_BLOCK)
		lint_block(c, s->body);
	if (next == NULL)
		return;
	if (ends(s) && (s->kind == S_RETURN || s->kind == S_IF)) {
		vcc_warning(c, next->at, "this is never reached");
		vcc_note(c, s->at,
		    s->kind == S_IF ? "each way through this 'if' returns"
				    : "this returns");
	}
	if (s->kind == S_SET && (next->kind == S_SET || next->kind == S_UNSET))
		lint_overwritten(c, s, next);
	if (s->kind == S_UNSET)
		lint_unset(c, s, next);
}

static void
lint_block(struct vcc *c, const struct vcc_stmt *s)
{
	/* included files may be builtin.vcl's copies: still the user's */
	for (; s; s = s->next) {
		lint_stmt(c, s);
		if (ends(s))
			break; /* one warning, not one a statement */
	}
}

void
vcc_lint(struct vcc *c)
{
	for (const struct vcc_sub *s = c->sub; s; s = s->next) {
		const struct vcc_piece *ended = NULL;

		for (const struct vcc_piece *p = s->piece; p; p = p->next) {
			if (p->at.source->builtin)
				break; /* a sub may replace it */
			if (ended) {
				vcc_warning(c, p->at,
				    "this part of '%.*s' is never reached",
				    STR_ARG(s->name));
				vcc_note(c, ended->at,
				    "each way through this part returns");
				break;
			}
			lint_block(c, p->body);
			if (block_ends(p->body))
				ended = p;
		}
	}
	vcc_lint_regexes(c);
}
