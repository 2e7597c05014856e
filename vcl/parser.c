/*
 * parser.c - tokens to a tree: subs, statements and what is at top level.
 *
 * An include is spliced in where it stands, between statements too: its
 * source is put on the stack of frames, and the parser does not notice.
 * After an error it goes on behind the next ';', so that one run finds
 * most errors.  Expressions are in parse_expr.c.
 */
#include "parser.h"

#include "parse_expr.h"

static void
pop_frame(struct vcc_parser *p)
{
	p->frame = p->frame->below;
}

static void
push_frame(struct vcc_parser *p, struct vcc_source *source)
{
	struct vcc_frame *f = vcc_alloc(&p->c->mem, sizeof(*f));

	f->source = source;
	f->fresh = true;
	f->below = p->frame;
	p->frame = f;
}

/* "vcl 4.1;", which a source may start with; its 'vcl' was read. */
static void
read_marker(struct vcc_parser *p, struct vcc_frame *f)
{
	struct vcc *c = p->c;
	struct vcc_token number = vcc_lex(c, f->source, &f->pos);
	struct vcc_token end = vcc_lex(c, f->source, &f->pos);
	struct str text = str_of(f->source->text.p + number.at.at,
	    number.at.len);
	unsigned syntax = str_eq(text, STR("4.0")) ? 40 :
	    str_eq(text, STR("4.1"))		   ? 41 :
						     0;

	if (number.kind != T_REAL || end.kind != ';') {
		vcc_error(c, number.at, "expected 'vcl 4.0;' or 'vcl 4.1;'");
		return;
	}
	if (syntax == 0) {
		vcc_error(c, number.at,
		    "VCL %.*s is not supported; 4.0 and 4.1 are",
		    STR_ARG(text));
		return;
	}
	if (c->syntax && syntax > c->syntax && !f->source->builtin)
		vcc_error(c, number.at, "VCL %.*s can't be included from "
		    "VCL %u.%u", STR_ARG(text), c->syntax / 10,
		    c->syntax % 10);
	f->source->syntax = syntax;
}

void
vcc_advance(struct vcc_parser *p)
{
	struct vcc_frame *f;
	bool fresh;

	p->before = p->t.at;
	for (;;) {
		f = p->frame;
		fresh = f->fresh;
		f->fresh = false;
		p->t = vcc_lex(p->c, f->source, &f->pos);
		if (fresh && vcc_is_word(p, "vcl")) {
			read_marker(p, f);
			continue;
		}
		if (fresh && f->below == NULL && p->c->syntax == 0 &&
		    !f->source->builtin) {
			vcc_error(p->c, p->t.at, "VCL version declaration "
			    "missing; put 'vcl 4.1;' on top");
		}
		if (p->t.kind != T_EOF || f->below == NULL)
			return;
		pop_frame(p);
	}
}

bool
vcc_is_word(const struct vcc_parser *p, const char *word)
{
	return p->t.kind == T_ID && str_eq(p->t.text, str_from_z(word));
}

bool
vcc_take(struct vcc_parser *p, unsigned kind)
{
	if (p->t.kind != kind)
		return false;
	vcc_advance(p);
	return true;
}

void
vcc_unexpected(struct vcc_parser *p, const char *what)
{
	if (p->t.kind != T_BAD) /* was reported */
		vcc_error(p->c, p->t.at, "expected %s, found %s", what,
		    vcc_token_name(p->c, &p->t));
}

/* Just behind the token before. */
static struct vcc_span
behind(const struct vcc_parser *p)
{
	struct vcc_span at = p->before;

	at.at += at.len;
	at.len = 1;
	return at;
}

bool
vcc_expect(struct vcc_parser *p, unsigned kind, const char *after)
{
	if (vcc_take(p, kind))
		return true;
	if (p->t.kind == T_BAD)
		return false;
	if ((kind == ';' || kind == ')') &&
	    p->before.source == p->t.at.source) {
		vcc_error(p->c, behind(p), "expected %s %s",
		    vcc_kind_name(p->c, kind), after);
		/* on a new line a new statement began: only the ';' lacks */
		if (kind == ';' && vcc_line(p->t.at) > vcc_line(p->before))
			return true;
	} else
		vcc_error(p->c, p->t.at, "expected %s %s, found %s",
		    vcc_kind_name(p->c, kind), after,
		    vcc_token_name(p->c, &p->t));
	return false;
}

struct str
vcc_expect_name(struct vcc_parser *p, const char *what)
{
	struct str name = p->t.text;

	if (p->t.kind != T_ID) {
		vcc_unexpected(p, what);
		return STR_NULL;
	}
	vcc_advance(p);
	return name;
}

void
vcc_skip_statement(struct vcc_parser *p)
{
	unsigned depth = 0;

	if (p->block_depth == 0)
		p->c->incomplete = true;
	for (; p->t.kind != T_EOF; vcc_advance(p)) {
		if (p->t.kind == '{')
			depth++;
		else if (p->t.kind == '}') {
			if (depth == 0)
				return;
			if (--depth == 0) {
				vcc_advance(p);
				return;
			}
		} else if (p->t.kind == ';' && depth == 0) {
			vcc_advance(p);
			return;
		}
	}
}

/* include [+glob] "name"; false after an error */
static bool
parse_include(struct vcc_parser *p)
{
	struct vcc_source *one, **all = &one;
	struct vcc_span at;
	struct str name;
	unsigned n = 1;
	bool globbed = false;

	vcc_advance(p);
	if (vcc_take(p, '+')) {
		globbed = true;
		if (!vcc_is_word(p, "glob")) {
			vcc_unexpected(p, "'glob' after 'include +'");
			return false;
		}
		vcc_advance(p);
	}
	if (p->t.kind != T_STRING) {
		vcc_unexpected(p, "the file's name in quotes");
		return false;
	}
	at = p->t.at;
	name = p->t.text;
	vcc_advance(p);
	/* the ';' stays the current token until the frames are there */
	if (p->t.kind != ';')
		return vcc_expect(p, ';', "after the file's name");
	if (globbed)
		n = vcc_source_glob(p->c, name, at, &all);
	else
		one = vcc_source_include(p->c, name, at);
	if (n == 0 || all[0] == NULL)
		p->c->incomplete = true;
	while (n-- > 0) {
		if (all[n])
			push_frame(p, all[n]);
	}
	vcc_advance(p);
	return true;
}

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
	return s->name.p && vcc_expect(p, ';', "after 'call'") ? s : NULL;
}

static void
unknown_verdict(struct vcc_parser *p, struct str word, struct vcc_span at)
{
	struct vcc_nearest nearest = vcc_nearest(word);
	const char *known;

	for (int i = 1; (known = vcc_verdict_word(i)); i++)
		vcc_nearest_try(&nearest, str_from_z(known));
	vcc_error(p->c, at, "unknown verdict '%.*s'%s", STR_ARG(word),
	    vcc_did_you_mean(p->c, &nearest));
}

/* The arguments of a verdict, behind its '('. */
static bool
parse_verdict_args(struct vcc_parser *p, struct vcc_stmt *s,
    const char *word)
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
		vcc_error(p->c, s->name_at, "'%s' takes arguments: "
		    "'return (%s(%s));'", known, known,
		    vcc_verdict_args(s->verdict) == LABEL ? "label" :
							    "404, \"Reason\"");
		return NULL;
	}
	s->at = vcc_span_join(s->at, p->t.at);
	return vcc_expect(p, ')', "after the verdict") &&
		vcc_expect(p, ';', "after 'return'") ?
	    s :
	    NULL;
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

static struct vcc_stmt *parse_block(struct vcc_parser *);

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
		if (p->t.kind == '=') {
			vcc_error(p->c, p->t.at, "'=' is for 'set'; "
			    "a comparison is written '=='");
			return NULL;
		}
		if (!vcc_expect(p, ')', "after the condition"))
			return NULL;
	}
	if (p->t.kind != '{') {
		vcc_unexpected(p, "'{': what depends on an 'if' is in braces");
		return NULL;
	}
	a->body = parse_block(p);
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
		vcc_error(p->c, s->value->at, "expected a statement; "
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
		{"esi", "'esi' is VCL 2; write 'set beresp.do_esi = true;'"},
		{"restart", "write 'return (restart);'"},
		{"pass", "write 'return (pass);'"},
		{"pipe", "write 'return (pipe);'"},
		{"lookup", "write 'return (hash);'"},
		{"deliver", "write 'return (deliver);'"},
	};

	for (size_t i = 0; i < sizeof(legacy) / sizeof(*legacy); i++) {
		if (vcc_is_word(p, legacy[i].word)) {
			vcc_error(p->c, p->t.at, "%s", legacy[i].now);
			return true;
		}
	}
	return false;
}

static void
unknown_statement(struct vcc_parser *p)
{
	static const char *const words[] = {"set", "unset", "call", "return",
		"if", "new", "include", "else", "elseif"};
	struct vcc_nearest nearest = vcc_nearest(p->t.text);

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
		(*s)->body = parse_block(p);
		return true;
	}
	if (vcc_is_word(p, "include"))
		return parse_include(p);
	if (p->t.kind != T_ID) {
		vcc_unexpected(p, "a statement");
		if (p->t.kind != T_BAD && p->t.kind != ';')
			vcc_advance(p);
		return false;
	}
	*s = parse_word_statement(p);
	return *s != NULL;
}

/* { statements }, from its '{' on */
static struct vcc_stmt *
parse_block(struct vcc_parser *p)
{
	struct vcc_stmt *first = NULL, **end = &first;
	struct vcc_span open = p->t.at;

	if (p->block_depth++ >= VCC_BLOCK_DEPTH_MAX) {
		vcc_error(p->c, open, "blocks are nested deeper than %d",
		    VCC_BLOCK_DEPTH_MAX);
		p->c->stop = true;
	}
	vcc_advance(p);
	while (p->t.kind != '}' && p->t.kind != T_EOF) {
		if (!parse_statement(p, end))
			vcc_skip_statement(p);
		else if (*end)
			end = &(*end)->next;
	}
	if (p->t.kind == T_EOF) {
		vcc_error(p->c, open, "this block has no end: '}' is missing");
		/* what is missing is missing of the outer blocks too */
		p->c->stop = true;
	}
	vcc_take(p, '}');
	p->block_depth--;
	return first;
}

static struct vcc_sub *
sub_of(struct vcc *c, struct str name, struct vcc_span at)
{
	struct vcc_symbol *symbol = vcc_find_sub(c, name);
	struct vcc_sub *s;
	int id = vcc_find_builtin_sub(name);

	if (symbol)
		return symbol->sub;
	symbol = vcc_define(c, SYMBOL_SUB, name, at);
	if (symbol == NULL)
		return NULL;
	s = symbol->sub = vcc_alloc(&c->mem, sizeof(*s));
	s->name = name;
	s->id = id;
	s->number = c->sub_n++;
	s->piece_end = &s->piece;
	s->use_end = &s->use;
	s->edge_end = &s->edge;
	*c->sub_end = s;
	c->sub_end = &s->next;
	if (id >= 0)
		c->builtin[id] = s;
	return s;
}

static void
parse_sub(struct vcc_parser *p)
{
	struct vcc_span at = p->t.at;
	struct str name = vcc_expect_name(p, "the name of the sub");
	struct vcc_sub *s;
	struct vcc_piece *piece;

	if (name.p == NULL || p->t.kind != '{') {
		if (name.p)
			vcc_unexpected(p, "'{' after the sub's name");
		vcc_skip_statement(p);
		return;
	}
	s = sub_of(p->c, name, at);
	if (s && s->piece && !str_starts(name, STR("vcl_"))) {
		vcc_error(p->c, at, "there is already a sub '%.*s'; "
		    "only those named vcl_* are put together", STR_ARG(name));
		vcc_note(p->c, s->piece->at, "it was defined here");
	}
	piece = vcc_alloc(&p->c->mem, sizeof(*piece));
	piece->at = at;
	piece->body = parse_block(p);
	if (s == NULL)
		return;
	s->in_builtin |= at.source->builtin;
	*s->piece_end = piece;
	s->piece_end = &piece->next;
}

static void
unknown_module(struct vcc *c, struct str name, struct vcc_span at)
{
	struct vcc_buf all = {.mem = &c->mem};
	const char *known;

	for (unsigned i = 0; (known = vcc_module_name(i)); i++)
		vcc_putf(&all, "%s%s", i ? ", " : "", known);
	vcc_error(c, at, "there is no module '%.*s'; modules are part of "
	    "copald, which has: %s", STR_ARG(name), all.p);
}

/* import name [as other] [from "path"]; */
static bool
parse_import(struct vcc_parser *p)
{
	struct vcc_span at = p->t.at;
	struct str name = vcc_expect_name(p, "the name of a module");
	struct str alias = name;
	struct vcc_module *m;
	struct vcc_symbol *symbol;

	if (name.p == NULL)
		return false;
	if (vcc_is_word(p, "as")) {
		vcc_advance(p);
		alias = vcc_expect_name(p, "a name after 'as'");
		if (alias.p == NULL)
			return false;
	}
	if (vcc_is_word(p, "from")) {
		vcc_advance(p);
		if (p->t.kind != T_STRING) {
			vcc_unexpected(p, "a path in quotes after 'from'");
			return false;
		}
		vcc_advance(p);
	}
	if (!vcc_expect(p, ';', "after 'import'"))
		return false;
	m = vcc_module_load(p->c, name);
	if (m == NULL) {
		p->c->incomplete = true;
		unknown_module(p->c, name, at);
		return true;
	}
	symbol = vcc_find(p->c, alias);
	if (symbol && symbol->kind == SYMBOL_MODULE && symbol->module == m)
		return true;
	symbol = vcc_define(p->c, SYMBOL_MODULE, alias, at);
	if (symbol)
		symbol->module = m;
	return true;
}

static void
unknown_declaration(struct vcc_parser *p)
{
	static const char *const words[] = {"sub", "backend", "acl", "probe",
		"import", "include", "vcl"};
	struct vcc_nearest nearest = vcc_nearest(p->t.text);

	if (vcc_is_word(p, "director")) {
		vcc_error(p->c, p->t.at, "'director' is VCL 3; directors are "
		    "objects of a module, made by 'new' in vcl_init");
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		vcc_nearest_try(&nearest, str_from_z(words[i]));
	vcc_error(p->c, p->t.at, "expected sub, backend, acl, probe, import "
	    "or include, found '%.*s'%s", STR_ARG(p->t.text),
	    vcc_did_you_mean(p->c, &nearest));
}

static void
parse_declaration(struct vcc_parser *p)
{
	static const struct {
		const char *word;
		void (*parse)(struct vcc_parser *);
	} declarations[] = {
		{"sub", parse_sub},
		{"backend", vcc_parse_backend},
		{"probe", vcc_parse_probe},
		{"acl", vcc_parse_acl},
	};

	if (p->t.kind != T_ID) {
		vcc_unexpected(p, "sub, backend, acl, probe, import or include");
		vcc_advance(p);
		vcc_skip_statement(p);
		return;
	}
	for (size_t i = 0; i < sizeof(declarations) / sizeof(*declarations);
	     i++) {
		if (vcc_is_word(p, declarations[i].word)) {
			vcc_advance(p);
			declarations[i].parse(p);
			return;
		}
	}
	if (vcc_is_word(p, "include")) {
		if (!parse_include(p))
			vcc_skip_statement(p);
	} else if (vcc_is_word(p, "import")) {
		vcc_advance(p);
		if (!parse_import(p))
			vcc_skip_statement(p);
	} else if (vcc_is_word(p, "vcl")) {
		vcc_error(p->c, p->t.at, "'vcl' must be the first in its file");
		vcc_skip_statement(p);
	} else {
		unknown_declaration(p);
		vcc_skip_statement(p);
	}
}

void
vcc_parse(struct vcc *c, struct vcc_source *source)
{
	struct vcc_parser p = {.c = c};

	push_frame(&p, source);
	vcc_advance(&p);
	if (c->syntax == 0)
		c->syntax = source->syntax;
	while (p.t.kind != T_EOF) {
		if (p.t.kind == '}') {
			vcc_error(c, p.t.at, "'}' without a '{' before it");
			vcc_advance(&p);
		} else if (p.t.kind == T_BAD) {
			vcc_advance(&p);
			vcc_skip_statement(&p);
		} else
			parse_declaration(&p);
	}
}
