/*
 * parser.c - tokens to a tree: what is at top level.
 *
 * Statements are in parse_stmt.c, expressions in parse_expr.c, backends and
 * the like in declare.c.
 *
 * An include is spliced in where it stands, between statements too: its
 * source is put on the stack of frames, and the parser does not notice.
 * After an error it goes on behind the next ';', so that one run finds most
 * errors.
 */
#include <ctype.h>

#include "parser.h"

#include "parse_stmt.h"

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
	struct str text =
	    str_of(f->source->text.p + number.at.at, number.at.len);
	unsigned syntax = str_eq(text, STR("4.0"))   ? 40
			  : str_eq(text, STR("4.1")) ? 41
						     : 0;

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
		vcc_error(c, number.at,
		    "VCL %.*s can't be included from "
		    "VCL %u.%u",
		    STR_ARG(text), c->syntax / 10, c->syntax % 10);
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
			vcc_error(p->c, p->t.at,
			    "VCL version declaration "
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
	return p->t.kind == T_ID && str_caseeq(p->t.text, str_from_z(word));
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

/* "sub name", "acl name": a word, and a name after it. */
static bool
begins_declaration(const struct vcc_parser *p)
{
	static const char *const words[] = {"sub", "backend", "acl", "probe",
	    "import"};
	const struct str text = p->frame->source->text;
	size_t i = p->frame->pos;

	for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++) {
		if (!vcc_is_word(p, words[w]))
			continue;
		while (i < text.len && strchr(" \t\r\n", text.p[i]))
			i++;
		return i < text.len && isalpha((unsigned char)text.p[i]);
	}
	return false;
}

bool
vcc_at_block_end(struct vcc_parser *p, struct vcc_span open)
{
	if (p->unclosed || p->t.kind == '}')
		return true;
	if (p->t.kind != T_EOF && !begins_declaration(p))
		return false;
	vcc_error(p->c, open, "this block has no end: '}' is missing");
	if (p->t.kind == T_EOF)
		p->c->stop = true;
	else
		vcc_note(p->c, p->t.at, "it must end before this");
	p->unclosed = true;
	return true;
}

bool
vcc_parse_include(struct vcc_parser *p)
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
	if (s && s->piece && !str_casestarts(name, STR("vcl_"))) {
		vcc_error(p->c, at,
		    "there is already a sub '%.*s'; "
		    "only those named vcl_* are put together",
		    STR_ARG(name));
		vcc_note(p->c, s->piece->at, "it was defined here");
	}
	piece = vcc_alloc(&p->c->mem, sizeof(*piece));
	piece->at = at;
	piece->body = vcc_parse_block(p);
	if (s == NULL)
		return;
	s->in_builtin |= at.source->builtin;
	*s->piece_end = piece;
	s->piece_end = &piece->next;
}

/* import name [as other] [from "path"]; */
static bool
parse_import(struct vcc_parser *p)
{
	struct vcc_span at = p->t.at;
	struct str name = vcc_expect_name(p, "the name of a module");
	struct str alias = name, from = STR_NULL;
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
		from = p->t.text;
		if (p->c->options->no_paths)
			vcc_error(p->c, p->t.at,
			    "a path; the parameter vcc_unsafe_path allows "
			    "only modules in vmod_path");
		vcc_advance(p);
	}
	if (!vcc_expect(p, ';', "after 'import'"))
		return false;
	m = vcc_module_import(p->c, name, from, at);
	if (m == NULL) {
		p->c->incomplete = true;
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

/* unused name; it is meant to be there without a use */
static bool
parse_unused(struct vcc_parser *p)
{
	struct vcc_span at = p->t.at;
	struct str name = vcc_expect_name(p, "a name after 'unused'");
	struct vcc_symbol *s[3];
	bool found = false;

	if (name.p == NULL)
		return false;
	s[0] = vcc_find(p->c, name);
	s[1] = vcc_find_probe(p->c, name);
	s[2] = vcc_find_sub(p->c, name);
	for (int i = 0; i < 3; i++) {
		if (s[i] && s[i]->at.source)
			found = s[i]->used = true;
	}
	if (!found)
		vcc_error(p->c, at,
		    "there is no backend, acl, probe or sub '%.*s' above",
		    STR_ARG(name));
	return vcc_expect(p, ';', "after the name");
}

static void
unknown_declaration(struct vcc_parser *p)
{
	static const char *const words[] = {"sub", "backend", "acl", "probe",
	    "import", "include", "unused", "vcl"};
	struct vcc_nearest nearest = vcc_nearest(p->t.text);

	if (vcc_is_word(p, "director")) {
		vcc_error(p->c, p->t.at,
		    "'director' is VCL 3; directors are "
		    "objects of a module, made by 'new' in vcl_init");
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		vcc_nearest_try(&nearest, str_from_z(words[i]));
	vcc_error(p->c, p->t.at,
	    "expected sub, backend, acl, probe, import "
	    "or include, found '%.*s'%s",
	    STR_ARG(p->t.text), vcc_did_you_mean(p->c, &nearest));
}

/* A second "vcl 4.1;" changes nothing, and may want no more than the first. */
static void
repeat_marker(struct vcc_parser *p)
{
	struct vcc_frame *f = p->frame;
	unsigned syntax = f->source->syntax, all = p->c->syntax;
	struct vcc_span at = p->t.at;

	read_marker(p, f);
	if (f->source->syntax > syntax)
		vcc_error(p->c, at,
		    "this file is VCL %u.%u, as its first line "
		    "says",
		    syntax / 10, syntax % 10);
	f->source->syntax = syntax;
	p->c->syntax = all;
	vcc_advance(p);
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

	p->unclosed = false;
	if (p->t.kind != T_ID) {
		vcc_unexpected(
		    p, "sub, backend, acl, probe, import or include");
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
		if (!vcc_parse_include(p))
			vcc_skip_statement(p);
	} else if (vcc_is_word(p, "import")) {
		vcc_advance(p);
		if (!parse_import(p))
			vcc_skip_statement(p);
	} else if (vcc_is_word(p, "unused")) {
		vcc_advance(p);
		if (!parse_unused(p))
			vcc_skip_statement(p);
	} else if (vcc_is_word(p, "vcl")) {
		repeat_marker(p);
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
