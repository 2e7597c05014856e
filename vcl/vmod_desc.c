/*
 * vmod_desc.c - reads the descriptions of modules, and writes prototypes.
 *
 * The descriptions are part of the program: what is wrong in one is a
 * mistake of ours, but is reported as any other.
 */
#include "compiler.h"

extern const char vmod_std_text[]; /* vcl/vmod/std.vmod */

static const struct {
	const char *name, *text;
} modules[] = {
    {"std", vmod_std_text},
};

struct reader {
	struct vcc *c;
	const struct vcc_source *source;
	uint32_t pos;
	struct vcc_token t;
};

static void
advance(struct reader *r)
{
	r->t = vcc_lex(r->c, r->source, &r->pos);
}

static bool
take(struct reader *r, unsigned kind)
{
	if (r->t.kind != kind)
		return false;
	advance(r);
	return true;
}

static void
want(struct reader *r, unsigned kind)
{
	if (!take(r, kind))
		vcc_error(r->c, r->t.at, "expected %s in this description",
		    vcc_kind_name(r->c, kind));
}

static struct str
want_name(struct reader *r)
{
	struct str name = r->t.text;

	want(r, T_ID);
	return name;
}

/* A constant: a default value. */
static struct vcc_expr *
read_constant(struct reader *r)
{
	struct vcc_expr *e = vcc_alloc(&r->c->mem, sizeof(*e));

	e->at = r->t.at;
	e->text = r->t.text;
	e->i = r->t.i;
	e->d = r->t.d;
	switch (r->t.kind) {
	case T_STRING:
		e->kind = E_STRING;
		break;
	case T_INT:
		e->kind = E_INT;
		break;
	case T_REAL:
		e->kind = E_REAL;
		break;
	case T_DURATION:
		e->kind = E_DURATION;
		break;
	case T_BYTES:
		e->kind = E_BYTES;
		break;
	case T_ID:
		e->kind = E_NAME;
		break;
	default:
		vcc_error(r->c, r->t.at, "expected a constant");
		break;
	}
	advance(r);
	return e;
}

static void
read_words(struct reader *r, struct vcc_arg *a)
{
	want(r, '{');
	do {
		a->word =
		    vcc_grow(&r->c->mem, a->word, a->word_n, sizeof(*a->word));
		a->word[a->word_n++] = want_name(r);
	} while (take(r, ','));
	want(r, '}');
}

static enum vcc_priv
priv_kind(struct str name)
{
	return str_eq(name, STR("PRIV_CALL"))   ? PRIV_CALL
	       : str_eq(name, STR("PRIV_VCL"))  ? PRIV_VCL
	       : str_eq(name, STR("PRIV_TASK")) ? PRIV_TASK
	       : str_eq(name, STR("PRIV_TOP"))  ? PRIV_TOP
						: PRIV_NONE;
}

static void
read_arg(struct reader *r, struct vcc_arg *a)
{
	struct str type = want_name(r);

	a->priv = priv_kind(type);
	if (a->priv != PRIV_NONE)
		return;
	a->type = vcc_type_from_name(type);
	if (a->type == TYPE_MAX)
		vcc_error(r->c, r->t.at, "unknown type '%.*s'", STR_ARG(type));
	if (a->type == TYPE_ENUM)
		read_words(r, a);
	if (r->t.kind == T_ID) {
		a->name = r->t.text;
		advance(r);
	}
	if (take(r, '='))
		a->value = read_constant(r);
}

/* Takes a '[' or ']' that stands at the reader's place. */
static bool
take_bracket(struct reader *r, char bracket)
{
	const struct str text = r->source->text;
	uint32_t i = r->pos;

	while (i < text.len &&
	       (text.p[i] == ' ' || text.p[i] == '\t' || text.p[i] == '\n'))
		i++;
	if (i >= text.len || text.p[i] != bracket)
		return false;
	r->pos = i + 1;
	return true;
}

/*
 * The arguments, with the '(' as the current token.  The lexer has no
 * brackets, so that they are looked for before the next token is read.
 */
static void
read_args(struct reader *r, struct vcc_function *f)
{
	bool optional;

	if (r->t.kind != '(') {
		want(r, '(');
		return;
	}
	do {
		optional = take_bracket(r, '[');
		advance(r);
		if (r->t.kind == ')')
			break;
		f->arg =
		    vcc_grow(&r->c->mem, f->arg, f->arg_n, sizeof(*f->arg));
		if (optional) {
			struct str type = r->t.text;
			struct vcc_arg *a = &f->arg[f->arg_n];

			/* just "TYPE name", and then the bracket */
			a->optional = true;
			a->type = vcc_type_from_name(type);
			advance(r);
			a->name = r->t.text;
			take_bracket(r, ']');
			advance(r);
		} else
			read_arg(r, &f->arg[f->arg_n]);
		f->arg_n++;
	} while (r->t.kind == ',' && !r->c->stop);
	want(r, ')');
}

/* TYPE name(args), with TYPE as the current token */
static struct vcc_function *
read_function(
    struct reader *r, struct vcc_module *m, struct vcc_object *o, bool has_type)
{
	struct vcc_function *f = vcc_alloc(&r->c->mem, sizeof(*f));

	f->module = m;
	f->object = o;
	f->allowed = vcc_side_mask(STR("all"));
	f->type = TYPE_VOID;
	if (has_type)
		f->type = vcc_type_from_name(want_name(r));
	f->name = want_name(r);
	if (f->type == TYPE_MAX)
		vcc_error(
		    r->c, r->t.at, "unknown type of '%.*s'", STR_ARG(f->name));
	read_args(r, f);
	return f;
}

static void
read_restriction(struct reader *r, struct vcc_function *f)
{
	unsigned mask = 0;

	while (r->t.kind == T_ID) {
		mask |= vcc_side_mask(r->t.text);
		advance(r);
	}
	if (f)
		f->allowed = mask;
}

static void
name_in_c(struct vcc *c, struct vcc_module *m, struct vcc_object *o,
    struct vcc_function *f, const char *suffix)
{
	if (o)
		f->c_name = vcc_printf(&c->mem, "vmod_%.*s_%.*s_%s%.*s",
		    STR_ARG(m->name), STR_ARG(o->name), suffix,
		    *suffix ? 0 : (int)f->name.len, f->name.p);
	else
		f->c_name = vcc_printf(&c->mem, "vmod_%.*s_%.*s",
		    STR_ARG(m->name), STR_ARG(f->name));
}

/* One record, up to end. */
static void
read_record(struct reader *r, struct vcc_module *m, struct vcc_function **last)
{
	struct str word;
	struct vcc_object *o = m->object;
	struct vcc_function *f;

	advance(r);
	word = want_name(r);
	if (str_eq(word, STR("module"))) {
		m->name = want_name(r);
	} else if (str_eq(word, STR("restrict"))) {
		read_restriction(r, *last);
	} else if (str_eq(word, STR("function"))) {
		f = *last = read_function(r, m, NULL, true);
		name_in_c(r->c, m, NULL, f, "");
		f->next = m->function;
		m->function = f;
	} else if (str_eq(word, STR("object"))) {
		o = vcc_alloc(&r->c->mem, sizeof(*o));
		f = *last = o->init = read_function(r, m, o, false);
		o->name = f->name;
		o->module = m;
		o->next = m->object;
		m->object = o;
		name_in_c(r->c, m, o, f, "_init");
	} else if (str_eq(word, STR("method")) && o) {
		f = *last = read_function(r, m, o, true);
		name_in_c(r->c, m, o, f, "");
		f->next = o->method;
		o->method = f;
	} else
		vcc_error(r->c, r->t.at, "unknown record");
}

static struct vcc_source *
description_source(struct vcc *c, const char *name, struct str text)
{
	struct vcc_source *s = vcc_alloc(&c->mem, sizeof(*s));

	s->path = name;
	s->text = text;
	s->line_at = vcc_alloc(&c->mem, sizeof(*s->line_at));
	s->line_n = 1; /* good enough for messages that nobody gets */
	return s;
}

/*
 * Records begin in the first column; a record goes on in lines with white
 * space while its parenthesis is open; all other such lines are prose.
 */
static struct vcc_module *
read_module(struct vcc *c, const char *path, const char *text)
{
	struct vcc_module *m = vcc_alloc(&c->mem, sizeof(*m));
	struct vcc_function *last = NULL;
	const char *line = text, *end;

	while (*line) {
		end = strchrnul(line, '\n');
		if (*line != '#' && *line != '\t' && *line != ' ' &&
		    end > line) {
			struct reader r = {.c = c};
			const char *open =
			    memchr(line, '(', (size_t)(end - line));
			const char *close = open ? strchr(open, ')') : NULL;

			if (close && close > end)
				end = strchrnul(close, '\n');
			r.source = description_source(
			    c, path, str_of(line, (size_t)(end - line)));
			read_record(&r, m, &last);
		}
		line = *end ? end + 1 : end;
	}
	return m;
}

struct vcc_module *
vcc_module_load(struct vcc *c, struct str name)
{
	struct vcc_module *m;

	for (m = c->module; m; m = m->next) {
		if (str_eq(m->name, name))
			return m;
	}
	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		if (!str_eq(name, str_from_z(modules[i].name)))
			continue;
		m = read_module(c, modules[i].name, modules[i].text);
		m->next = c->module;
		c->module = m;
		return m;
	}
	return NULL;
}

const char *
vcc_module_name(unsigned i)
{
	return i < sizeof(modules) / sizeof(*modules) ? modules[i].name : NULL;
}

struct vcc_function *
vcc_function_from_text(struct vcc *c, const char *text)
{
	struct reader r = {.c = c};

	r.source = description_source(c, "<functions>", str_from_z(text));
	advance(&r);
	return read_function(&r, NULL, NULL, true);
}

struct vcc_function *
vcc_function_find(struct vcc_function *f, struct str name)
{
	while (f && !str_eq(f->name, name))
		f = f->next;
	return f;
}

struct vcc_object *
vcc_object_find(const struct vcc_module *m, struct str name)
{
	struct vcc_object *o = m->object;

	while (o && !str_eq(o->name, name))
		o = o->next;
	return o;
}

const char *
vcc_function_text(struct vcc *c, const struct vcc_function *f)
{
	struct vcc_buf b = {.mem = &c->mem};
	const char *comma = "";

	vcc_putf(&b, "%s %.*s(", vcc_type_name(f->type), STR_ARG(f->name));
	for (unsigned i = 0; i < f->arg_n; i++) {
		const struct vcc_arg *a = &f->arg[i];

		if (a->priv != PRIV_NONE)
			continue;
		vcc_putf(&b, "%s%s%s%s%.*s%s", comma,
		    a->optional || a->value ? "[" : "", vcc_type_name(a->type),
		    a->name.len ? " " : "", STR_ARG(a->name),
		    a->optional || a->value ? "]" : "");
		comma = ", ";
	}
	vcc_puts(&b, ")");
	return b.p;
}

static void
put_params(struct vcc_buf *b, const struct vcc_function *f)
{
	for (unsigned i = 0; i < f->arg_n; i++) {
		const struct vcc_arg *a = &f->arg[i];

		if (a->priv != PRIV_NONE)
			vcc_puts(b, ", struct vmod_priv *");
		else if (a->optional)
			vcc_putf(b, ", bool, VCL_%s", vcc_type_name(a->type));
		else
			vcc_putf(b, ", VCL_%s", vcc_type_name(a->type));
	}
	vcc_puts(b, ");\n");
}

static void
put_struct(struct vcc_buf *b, const struct vcc_object *o)
{
	vcc_putf(b, "struct vmod_%.*s_%.*s", STR_ARG(o->module->name),
	    STR_ARG(o->name));
}

void
vcc_function_prototype(struct vcc_buf *b, const struct vcc_function *f)
{
	vcc_putf(
	    b, "VCL_%s %s(struct vcl_ctx *", vcc_type_name(f->type), f->c_name);
	if (f->object) {
		vcc_puts(b, ", ");
		put_struct(b, f->object);
		vcc_puts(b, " *");
	}
	put_params(b, f);
}

void
vcc_object_prototypes(struct vcc_buf *b, const struct vcc_object *o)
{
	put_struct(b, o);
	vcc_putf(b, ";\nvoid %s(struct vcl_ctx *, ", o->init->c_name);
	put_struct(b, o);
	vcc_puts(b, " **, const char *");
	put_params(b, o->init);
	vcc_putf(b, "void vmod_%.*s_%.*s__fini(", STR_ARG(o->module->name),
	    STR_ARG(o->name));
	put_struct(b, o);
	vcc_puts(b, " **);\n");
}
