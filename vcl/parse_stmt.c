/*
 * parse_stmt.c - tokens to statements: what stands in a sub.
 *
 * A statement that is not understood is reported and left out.
 */
#include "parse_stmt.h"

#include "parse_expr.h"

static struct vcc_stmt *
stmt_new(struct vcc_parser *p, enum vcc_stmt_kind kind)
{
	struct vcc_stmt *s = vcc_alloc(&p->c->mem, sizeof(*s));

	s->kind = kind;
	s->at = p->t.at;
	return s;
}

static struct vcc_stmt *
parse_set(struct vcc_parser *p)
{
	struct vcc_stmt *s = stmt_new(p, S_SET);

	vcc_advance(p);
	s->target = vcc_parse_name(p, "a variable after 'set'");
	if (s->target == NULL)
		return NULL;
	switch (p->t.kind) {
	case '=':
		s->op = '=';
		break;
	case T_ADD:
		s->op = '+';
		break;
	case T_SUB:
		s->op = '-';
		break;
	case T_MUL:
		s->op = '*';
		break;
	case T_DIV:
		s->op = '/';
		break;
	default:
		vcc_unexpected(p, "'=', '+=', '-=', '*=' or '/='");
		return NULL;
	}
	vcc_advance(p);
	s->value = vcc_parse_expr(p);
	return s->value && vcc_expect(p, ';', "after 'set'") ? s : NULL;
}

static struct vcc_stmt *
parse_unset(struct vcc_parser *p)
{
	struct vcc_stmt *s = stmt_new(p, S_UNSET);

	vcc_advance(p);
	s->target = vcc_parse_name(p, "a variable after 'unset'");
	return s->target && vcc_expect(p, ';', "after 'unset'") ? s : NULL;
}

static struct vcc_stmt *
parse_call(struct vcc_parser *p)
{
	struct vcc_stmt *s = stmt_new(p, S_CALL);

	vcc_advance(p);
	s->name_at = p->t.at;
	s->name = vcc_expect_name(p, "the name of a sub after 'call'");
	if (s->name.p && p->t.kind == '(') {
		vcc_error(p->c, p->t.at,
		    "a sub is called without parentheses: 'call %.*s;'",
		    STR_ARG(s->name));
		return NULL;
	}
	return s->name.p && vcc_expect(p, ';', "after 'call'") ? s : NULL;
}

static void
unknown_verdict(struct vcc_parser *p, struct str word, struct vcc_span at)
{
	static const struct {
		const char *word, *now;
	} old[] = {
	    {"hit_for_pass", "return (pass(120s));"},
	    {"hit_for_miss", "set beresp.uncacheable = true;"},
	};
	struct vcc_nearest nearest = vcc_nearest(word);
	const char *known;

	for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++) {
		if (str_eq(word, str_from_z(old[i].word))) {
			vcc_error(p->c, at,
			    "there is no verdict '%s'; write '%s'",
			    old[i].word, old[i].now);
			return;
		}
	}
	for (int i = 1; (known = vcc_verdict_word(i)); i++)
		vcc_nearest_try(&nearest, str_from_z(known));
	vcc_error(p->c, at, "unknown verdict '%.*s'%s", STR_ARG(word),
	    vcc_did_you_mean(p->c, &nearest));
}

/* The arguments of a verdict, behind its '('. */
static bool
parse_verdict_args(struct vcc_parser *p, struct vcc_stmt *s, const char *word)
{
	unsigned max = 0;

	switch (vcc_verdict_args(s->verdict)) {
	case NO_ARGS:
		vcc_error(p->c, p->before, "'%s' takes no arguments", word);
		return false;
	case LABEL:
		s->name_at = p->t.at;
		s->name = vcc_expect_name(p, "a label");
		return s->name.p && vcc_expect(p, ')', "after the label");
	case OPTIONAL_STRING:
	case OPTIONAL_DURATION:
		max = 1;
		break;
	case OPTIONAL_STATUS_REASON:
	case STATUS_REASON:
		max = 2;
		break;
	}
	for (unsigned i = 0; i < max; i++) {
		s->arg[i] = vcc_parse_expr(p);
		if (s->arg[i] == NULL)
			return false;
		if (!vcc_take(p, ','))
			break;
		if (i + 1 == max) {
			vcc_unexpected(p, "no more arguments");
			return false;
		}
	}
	return vcc_expect(p, ')', "after the arguments");
}

static struct vcc_stmt *
parse_return(struct vcc_parser *p)
{
	struct vcc_stmt *s = stmt_new(p, S_RETURN);
	struct str word;
	const char *known;

	vcc_advance(p);
	if (vcc_take(p, ';'))
		return s;
	if (p->t.kind == T_ID) {
		vcc_error(p->c, p->t.at,
		    "the verdict is in parentheses: 'return (%.*s);'",
		    STR_ARG(p->t.text));
		return NULL;
	}
	if (!vcc_expect(p, '(', "after 'return'"))
		return NULL;
	s->name_at = p->t.at;
	word = vcc_expect_name(p, "a verdict");
	if (word.p == NULL)
		return NULL;
	s->verdict = vcc_find_verdict(word);
	if (s->verdict == 0) {
		unknown_verdict(p, word, s->name_at);
		return NULL;
	}
	known = vcc_verdict_word(s->verdict);
	if (vcc_take(p, '(')) {
		if (!parse_verdict_args(p, s, known))
			return NULL;
	} else if (vcc_verdict_args(s->verdict) == STATUS_REASON ||
		   vcc_verdict_args(s->verdict) == LABEL) {
		vcc_error(p->c, s->name_at,
		    "'%s' takes arguments: "
		    "'return (%s(%s));'",
		    known, known,
		    vcc_verdict_args(s->verdict) == LABEL ? "label"
							  : "404, \"Reason\"");
		return NULL;
	}
	s->at = vcc_span_join(s->at, p->t.at);
	return vcc_expect(p, ')', "after the verdict") &&
		       vcc_expect(p, ';', "after 'return'")
		   ? s
		   : NULL;
}

static struct vcc_stmt *
parse_new(struct vcc_parser *p)
{
	struct vcc_stmt *s = stmt_new(p, S_NEW);
	bool incomplete = p->c->incomplete;

	p->c->incomplete = true; /* until it is understood */
	vcc_advance(p);
	s->name_at = p->t.at;
	s->name = vcc_expect_name(p, "the name of the new object");
	if (s->name.p == NULL || !vcc_expect(p, '=', "after the name"))
		return NULL;
	s->value = vcc_parse_expr(p);
	if (s->value == NULL || !vcc_expect(p, ';', "after 'new'"))
		return NULL;
	if (s->value->kind != E_CALL) {
		vcc_error(p->c, s->value->at,
		    "expected an object of a module: 'module.type(...)'");
		return NULL;
	}
	p->c->incomplete = incomplete;
	s->symbol = vcc_define(p->c, SYMBOL_OBJECT, s->name, s->name_at);
	if (s->symbol)
		s->symbol->number = p->c->object_n++;
	return s->symbol ? s : NULL;
}

/* "(cond) {" ... "}" of an if */
static struct vcc_arm *
parse_arm(struct vcc_parser *p, bool has_cond)
{
	struct vcc_arm *a = vcc_alloc(&p->c->mem, sizeof(*a));

	a->at = p->t.at;
	if (has_cond) {
		if (!vcc_expect(p, '(', "after 'if'"))
			return NULL;
		a->cond = vcc_parse_expr(p);
		if (a->cond == NULL)
			return NULL;
		if (!vcc_expect(p, ')', "after the condition"))
			return NULL;
	}
	if (p->t.kind != '{') {
		vcc_unexpected(p, "'{': what depends on an 'if' is in braces");
		return NULL;
	}
	a->body = vcc_parse_block(p);
	return a;
}

static struct vcc_stmt *
parse_if(struct vcc_parser *p)
{
	struct vcc_stmt *s = stmt_new(p, S_IF);
	struct vcc_arm **end = &s->arm;
	bool has_cond = true;

	vcc_advance(p);
	do {
		*end = parse_arm(p, has_cond);
		if (*end == NULL)
			return NULL;
		end = &(*end)->next;
		if (!has_cond)
			break;
		has_cond = vcc_is_word(p, "elseif") ||
			   vcc_is_word(p, "elsif") || vcc_is_word(p, "elif");
		if (!has_cond && !vcc_is_word(p, "else"))
			break;
		vcc_advance(p);
		if (!has_cond && vcc_is_word(p, "if")) {
			has_cond = true;
			vcc_advance(p);
		}
	} while (!p->c->stop);
	return s;
}

static struct vcc_stmt *
parse_do(struct vcc_parser *p)
{
	struct vcc_stmt *s = stmt_new(p, S_DO);

	s->value = vcc_parse_expr(p);
	if (s->value == NULL)
		return NULL;
	if (s->value->kind != E_CALL && s->value->kind != E_METHOD) {
		vcc_error(p->c, s->value->at,
		    "expected a statement; "
		    "this is a value that nothing is done with");
		return NULL;
	}
	return vcc_expect(p, ';', "after the call") ? s : NULL;
}

/* What older VCL had, and what to write now. */
static bool
is_legacy(struct vcc_parser *p)
{
	static const struct {
		const char *word, *now;
	} legacy[] = {
	    {"error", "'error' is VCL 3; write 'return (synth(404, "
		      "\"Reason\"));' or, in backend subs, 'return "
		      "(error(...));'"},
	    {"purge", "'purge' is VCL 3; write 'return (purge);'"},
	    {"remove", "'remove' is VCL 3; write 'unset'"},
	    {"declare", "VCL has no variables of its own; module var has "
			"some, and a header can hold a text"},
	    {"esi", "'esi' is VCL 2; write 'set beresp.do_esi = true;'"},
	    {"restart", "write 'return (restart);'"},
	    {"pass", "write 'return (pass);'"},
	    {"pipe", "write 'return (pipe);'"},
	    {"lookup", "write 'return (hash);'"},
	    {"deliver", "write 'return (deliver);'"},
	    {"synthetic", "what 'synthetic' takes is in brackets: "
			  "'synthetic(\"...\");'"},
	};

	for (size_t i = 0; i < sizeof(legacy) / sizeof(*legacy); i++) {
		if (vcc_is_word(p, legacy[i].word)) {
			vcc_error(p->c, p->t.at, "%s", legacy[i].now);
			return true;
		}
	}
	return false;
}

/* x = y */
static bool
lacks_set(const struct vcc_parser *p)
{
	const struct str text = p->frame->source->text;
	size_t i = p->frame->pos;

	while (i < text.len && strchr(" \t\r\n", text.p[i]))
		i++;
	return i + 1 < text.len && text.p[i] == '=' && text.p[i + 1] != '=';
}

static void
unknown_statement(struct vcc_parser *p)
{
	static const char *const words[] = {"set", "unset", "call", "return",
	    "if", "new", "include", "else", "elseif"};
	struct vcc_nearest nearest = vcc_nearest(p->t.text);

	if (lacks_set(p)) {
		vcc_error(p->c, p->t.at, "'set' is missing before '%.*s'",
		    STR_ARG(p->t.text));
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		vcc_nearest_try(&nearest, str_from_z(words[i]));
	vcc_error(p->c, p->t.at, "expected a statement, found '%.*s'%s",
	    STR_ARG(p->t.text), vcc_did_you_mean(p->c, &nearest));
}

/* Is the current token, a name, called? */
static bool
has_parenthesis(const struct vcc_parser *p)
{
	const struct str text = p->frame->source->text;
	size_t i = p->frame->pos;

	while (i < text.len && strchr(" \t\r\n", text.p[i]))
		i++;
	return i < text.len && (text.p[i] == '(' || text.p[i] == '.');
}

/* A statement that starts with a name.  NULL after an error. */
static struct vcc_stmt *
parse_word_statement(struct vcc_parser *p)
{
	if (vcc_is_word(p, "set"))
		return parse_set(p);
	if (vcc_is_word(p, "unset"))
		return parse_unset(p);
	if (vcc_is_word(p, "call"))
		return parse_call(p);
	if (vcc_is_word(p, "return"))
		return parse_return(p);
	if (vcc_is_word(p, "if"))
		return parse_if(p);
	if (vcc_is_word(p, "new"))
		return parse_new(p);
	if (vcc_is_word(p, "else") || vcc_is_word(p, "elseif") ||
	    vcc_is_word(p, "elsif") || vcc_is_word(p, "elif")) {
		vcc_error(p->c, p->t.at, "'%.*s' without an 'if' before it",
		    STR_ARG(p->t.text));
		return NULL;
	}
	if (has_parenthesis(p))
		return parse_do(p);
	if (!is_legacy(p))
		unknown_statement(p);
	return NULL;
}

/* One statement onto *end; false: skip to the next one. */
static bool
parse_statement(struct vcc_parser *p, struct vcc_stmt **s)
{
	*s = NULL;
	if (p->t.kind == ';') {
		vcc_advance(p);
		return true;
	}
	if (p->t.kind == '{') {
		*s = stmt_new(p, S_BLOCK);
		(*s)->body = vcc_parse_block(p);
		return true;
	}
	if (vcc_is_word(p, "include"))
		return vcc_parse_include(p);
	if (p->t.kind != T_ID) {
		vcc_unexpected(p, "a statement");
		if (p->t.kind != T_BAD && p->t.kind != ';')
			vcc_advance(p);
		return false;
	}
	*s = parse_word_statement(p);
	return *s != NULL;
}

struct vcc_stmt *
vcc_parse_block(struct vcc_parser *p)
{
	struct vcc_stmt *first = NULL, **end = &first;
	struct vcc_span open = p->t.at;

	if (p->block_depth++ >= VCC_BLOCK_DEPTH_MAX) {
		vcc_error(p->c, open, "blocks are nested deeper than %d",
		    VCC_BLOCK_DEPTH_MAX);
		p->c->stop = true;
	}
	vcc_advance(p);
	while (!vcc_at_block_end(p, open)) {
		if (!parse_statement(p, end))
			vcc_skip_statement(p);
		else if (*end)
			end = &(*end)->next;
	}
	vcc_take(p, '}');
	p->block_depth--;
	return first;
}
