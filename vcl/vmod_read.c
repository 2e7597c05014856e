/*
 * vmod_read.c - reads the description of a module; copalvmod(1) says how one
 * is written.
 *
 * A record begins in the first column, and goes on until its ')' or the end
 * of its line; a line that begins with '#' is a comment; all else is prose,
 * which documents the record before it.  After an error in a record the next
 * one is read.
 */
#include "compiler.h"

/* They are fields of C names, arguments, lines of a manual: enough. */
enum { NAME_LEN_MAX = 60, ARGS_MAX = 60, WORDS_MAX = 100 };

struct reader {
	struct vcc *c;
	struct vcc_module *m;
	const struct vcc_source *source; /* all of it */
	struct vcc_source record;        /* its text ends where records may */
	uint32_t pos;
	struct vcc_token t;
	bool bad;                  /* this record had an error */
	struct vcc_function *last; /* what "restrict" is about */
	struct vcc_object *object; /* what "method" belongs to */
	struct str *doc;           /* what prose is about */
	struct vcc_function **function_end, **method_end;
	struct vcc_object **object_end;
};

/* ---- tokens ---- */

/* The lexer's, and brackets, which VCL has no use for. */
static void
advance(struct reader *r)
{
	const struct str text = r->record.text;
	uint32_t i = r->pos;

	while (i < text.len && strchr(" \t\r\n", text.p[i]))
		i++;
	if (i < text.len && (text.p[i] == '[' || text.p[i] == ']')) {
		r->t = (struct vcc_token){
		    .kind = (unsigned char)text.p[i], .at = {&r->record, i, 1}};
		r->pos = i + 1;
		return;
	}
	r->t = vcc_lex(r->c, &r->record, &r->pos);
	if (r->t.kind == T_BAD)
		r->bad = true;
}

static bool
take(struct reader *r, unsigned kind)
{
	if (r->bad || r->t.kind != kind)
		return false;
	advance(r);
	return true;
}

static void __attribute__((format(printf, 2, 3)))
fail(struct reader *r, const char *fmt, ...)
{
	struct vcc_buf b = {.mem = &r->c->mem};
	va_list ap;

	if (r->bad)
		return;
	r->bad = true;
	va_start(ap, fmt);
	vcc_vputf(&b, fmt, ap);
	va_end(ap);
	vcc_error(r->c, r->t.at, "%s", b.p ? b.p : "");
}

static void
want(struct reader *r, unsigned kind)
{
	if (!take(r, kind))
		fail(r, "expected %s, found %s", vcc_kind_name(r->c, kind),
		    vcc_token_name(r->c, &r->t));
}

static struct str
want_word(struct reader *r, const char *what)
{
	struct str word = r->t.text;

	if (r->bad)
		return STR("?");
	if (r->t.kind != T_ID) {
		fail(r, "expected %s, found %s", what,
		    vcc_token_name(r->c, &r->t));
		return STR("?");
	}
	advance(r);
	return word;
}

/* One that is part of a C name too; '_' in front is the interface's own. */
static struct str
want_name(struct reader *r, const char *what)
{
	struct str name = r->t.text;
	bool good = r->t.kind != T_ID || name.p[0] != '_';

	for (size_t i = 0; r->t.kind == T_ID && i < name.len; i++)
		good = good && name.p[i] != '.' && name.p[i] != '-';
	if (!good)
		fail(r, "a name has letters, digits and '_', not in front");
	else if (r->t.kind == T_ID && name.len > NAME_LEN_MAX)
		fail(r, "a name has at most %d letters", NAME_LEN_MAX);
	return want_word(r, what);
}

/* ---- arguments ---- */

static enum vcc_priv
priv_kind(struct str name)
{
	return str_eq(name, STR("PRIV_CALL"))   ? PRIV_CALL
	       : str_eq(name, STR("PRIV_VCL"))  ? PRIV_VCL
	       : str_eq(name, STR("PRIV_TASK")) ? PRIV_TASK
	       : str_eq(name, STR("PRIV_TOP"))  ? PRIV_TOP
						: PRIV_NONE;
}

static bool
has_word(const struct vcc_arg *a, struct str word)
{
	for (unsigned i = 0; i < a->word_n; i++) {
		if (str_eq(a->word[i], word))
			return true;
	}
	return false;
}

/* {a, b} of an ENUM */
static void
read_words(struct reader *r, struct vcc_arg *a)
{
	struct str word;

	want(r, '{');
	do {
		if (r->t.kind == T_ID && has_word(a, r->t.text))
			fail(r, "'%.*s' is there already", STR_ARG(r->t.text));
		if (a->word_n == WORDS_MAX)
			fail(r, "an ENUM has at most %d words", WORDS_MAX);
		word = want_word(r, "a word of the ENUM");
		if (r->bad)
			return;
		a->word =
		    vcc_grow(&r->c->mem, a->word, a->word_n, sizeof(*a->word));
		a->word[a->word_n++] = word;
	} while (take(r, ','));
	want(r, '}');
}

/* A default, as an expression: it is copied where a call has none. */
static struct vcc_expr *
read_constant(struct reader *r, const struct vcc_arg *a)
{
	static const struct {
		unsigned token;
		enum vcc_type type;
		enum vcc_expr_kind kind;
	} constants[] = {
	    {T_STRING, TYPE_STRING, E_STRING},
	    {T_STRING, TYPE_REGEX, E_STRING},
	    {T_STRING, TYPE_IP, E_STRING},
	    {T_INT, TYPE_INT, E_INT},
	    {T_INT, TYPE_REAL, E_INT},
	    {T_REAL, TYPE_REAL, E_REAL},
	    {T_DURATION, TYPE_DURATION, E_DURATION},
	    {T_BYTES, TYPE_BYTES, E_BYTES},
	    {T_BLOB, TYPE_BLOB, E_BLOB},
	    {T_ID, TYPE_BOOL, E_BOOL},
	    {T_ID, TYPE_ENUM, E_NAME},
	};
	struct vcc_expr *e = vcc_alloc(&r->c->mem, sizeof(*e));
	struct vcc_span from = r->t.at;
	bool negative = take(r, '-');
	size_t i, n = sizeof(constants) / sizeof(*constants);

	for (i = 0; i < n; i++) {
		if (constants[i].token == r->t.kind &&
		    constants[i].type == a->type)
			break;
	}
	e->at = vcc_span_join(from, r->t.at);
	e->at.source = r->source; /* the other one is gone with the record */
	e->text = r->t.text;
	e->i = negative ? -r->t.i : r->t.i;
	e->d = negative ? -r->t.d : r->t.d;
	if (i == n || (negative && r->t.kind != T_INT && r->t.kind != T_REAL &&
			  r->t.kind != T_DURATION)) {
		fail(r, "this is no default for a %s", vcc_type_name(a->type));
		return NULL;
	}
	e->kind = constants[i].kind;
	if (e->kind == E_BOOL) {
		e->type = TYPE_BOOL;
		e->i = str_eq(e->text, STR("true"));
		if (!e->i && !str_eq(e->text, STR("false")))
			fail(r, "a BOOL is true or false");
	} else if (e->kind == E_NAME && !has_word(a, e->text))
		fail(r, "'%.*s' is none of the ENUM's words", STR_ARG(e->text));
	advance(r);
	return e;
}

static void
check_new_arg(struct reader *r, const struct vcc_function *f,
    const struct vcc_arg *a, struct vcc_span at)
{
	for (unsigned i = 0; i < f->arg_n && !r->bad; i++) {
		const struct vcc_arg *other = &f->arg[i];

		if (a->priv != PRIV_NONE && other->priv == a->priv) {
			r->t.at = at;
			fail(r, "it has this kind of PRIV already");
		} else if (a->priv == PRIV_NONE && a->name.p &&
			   str_eq(other->name, a->name)) {
			r->t.at = at;
			fail(r, "there is an argument '%.*s' already",
			    STR_ARG(a->name));
		}
	}
}

/* TYPE [name] [= default], or it in brackets, or a PRIV */
static void
read_arg(struct reader *r, const struct vcc_function *f, struct vcc_arg *a)
{
	struct vcc_span at = r->t.at;
	struct str type;

	a->optional = take(r, '[');
	type = want_word(r, "the type of an argument");
	a->priv = priv_kind(type);
	a->type = vcc_type_from_name(type);
	if (a->priv != PRIV_NONE) {
		a->type = TYPE_VOID;
		if (a->optional)
			fail(r, "a PRIV is always given: no brackets");
		check_new_arg(r, f, a, at);
		return;
	}
	if (a->type == TYPE_MAX || a->type == TYPE_VOID ||
	    a->type == TYPE_BODY) {
		a->type = TYPE_STRING;
		r->t.at = at;
		fail(r, "an argument can't be of type '%.*s'", STR_ARG(type));
	}
	if (a->type == TYPE_ENUM)
		read_words(r, a);
	if (r->t.kind == T_ID)
		a->name = want_name(r, "the argument's name");
	if (take(r, '='))
		a->value = read_constant(r, a);
	if (a->optional && a->value)
		fail(r, "with a default it needs no brackets");
	if (a->optional)
		want(r, ']');
	check_new_arg(r, f, a, at);
}

/* From '(' on; its ')' may be the last token of the record. */
static void
read_args(struct reader *r, struct vcc_function *f)
{
	if (!r->bad && r->t.kind == '(') {
		advance(r);
		if (r->t.kind == ')')
			return;
	} else
		want(r, '(');
	while (!r->bad) {
		if (f->arg_n == ARGS_MAX)
			fail(r, "more than %d arguments", ARGS_MAX);
		f->arg =
		    vcc_grow(&r->c->mem, f->arg, f->arg_n, sizeof(*f->arg));
		read_arg(r, f, &f->arg[f->arg_n]);
		f->arg_n++;
		if (r->bad || r->t.kind == ')')
			return;
		if (r->t.kind != ',')
			fail(r, "expected ',' or ')', found %s",
			    vcc_token_name(r->c, &r->t));
		advance(r);
	}
}

/* TYPE name(args), with TYPE as the current token */
static struct vcc_function *
read_function(struct reader *r, struct vcc_object *o, bool has_type)
{
	struct vcc_function *f = vcc_alloc(&r->c->mem, sizeof(*f));
	struct vcc_span at = r->t.at;
	struct str type;

	f->module = r->m;
	f->object = o;
	f->allowed = vcc_side_mask(STR("all"));
	f->type = TYPE_VOID;
	if (has_type) {
		type = want_word(r, "the type of its result");
		f->type = vcc_type_from_name(type);
		if (f->type == TYPE_MAX || f->type == TYPE_ENUM ||
		    f->type == TYPE_BODY) {
			f->type = TYPE_VOID;
			r->t.at = at;
			fail(r, "a result can't be of type '%.*s'",
			    STR_ARG(type));
		}
	}
	f->name = want_name(r, "a name");
	read_args(r, f);
	return f;
}

/* ---- records ---- */

static void
check_new_name(struct reader *r, struct vcc_function *all, struct str name,
    struct vcc_span at)
{
	if (!r->bad && vcc_function_find(all, name)) {
		r->t.at = at;
		fail(r, "there is a '%.*s' already", STR_ARG(name));
	}
}

static void
read_module(struct reader *r)
{
	if (r->m->name.p)
		fail(r, "it has a name already: '%.*s'", STR_ARG(r->m->name));
	r->m->name = want_name(r, "the name of the module");
	if (!r->bad && r->t.kind == T_STRING) {
		r->m->summary = r->t.text;
		advance(r);
	}
	r->doc = &r->m->doc;
}

static void
read_restriction(struct reader *r)
{
	struct vcc_span from = r->t.at;
	unsigned mask = 0, one;

	if (r->last == NULL)
		fail(r, "nothing is before it that it could restrict");
	if (r->t.kind != T_ID)
		want_word(r, "subs, or client, backend or housekeeping");
	while (!r->bad && r->t.kind == T_ID) {
		one = vcc_side_mask(r->t.text);
		if (one == 0)
			fail(r, "'%.*s' is no sub and no side of subs",
			    STR_ARG(r->t.text));
		mask |= one;
		from = vcc_span_join(from, r->t.at);
		advance(r);
	}
	if (r->bad)
		return;
	r->last->allowed = mask;
	r->last->restriction = str_of(r->source->text.p + from.at, from.len);
}

static void
add_function(struct reader *r)
{
	struct vcc_span at = r->t.at;
	struct vcc_function *f = read_function(r, NULL, true);

	f->c_name = vcc_printf(&r->c->mem, "vmod_%.*s_%.*s",
	    STR_ARG(r->m->name), STR_ARG(f->name));
	check_new_name(r, r->m->function, f->name, at);
	r->last = f;
	r->doc = &f->doc;
	*r->function_end = f;
	r->function_end = &f->next;
}

static void
add_object(struct reader *r)
{
	struct vcc_object *o = vcc_alloc(&r->c->mem, sizeof(*o));
	struct vcc_span at = r->t.at;

	o->module = r->m;
	o->init = read_function(r, o, false);
	o->name = o->init->name;
	o->init->c_name = vcc_printf(&r->c->mem, "vmod_%.*s_%.*s__init",
	    STR_ARG(r->m->name), STR_ARG(o->name));
	if (!r->bad && vcc_object_find(r->m, o->name)) {
		r->t.at = at;
		fail(r, "there is an object '%.*s' already", STR_ARG(o->name));
	}
	r->last = o->init;
	r->object = o;
	r->doc = &o->init->doc;
	r->method_end = &o->method;
	*r->object_end = o;
	r->object_end = &o->next;
}

static void
add_method(struct reader *r)
{
	struct vcc_object *o = r->object;
	struct vcc_span at = r->t.at;
	struct vcc_function *f;

	if (o == NULL) {
		fail(r, "a method needs an object before it");
		return;
	}
	f = read_function(r, o, true);
	f->c_name = vcc_printf(&r->c->mem, "vmod_%.*s_%.*s_%.*s",
	    STR_ARG(r->m->name), STR_ARG(o->name), STR_ARG(f->name));
	check_new_name(r, o->method, f->name, at);
	r->last = f;
	r->doc = &f->doc;
	*r->method_end = f;
	r->method_end = &f->next;
}

static void
add_event(struct reader *r)
{
	struct str name;

	if (r->m->event)
		fail(r, "it has a function for events already");
	name = want_name(r, "the name of the function for events");
	if (!r->bad)
		r->m->event = vcc_printf(&r->c->mem, "vmod_%.*s_%.*s",
		    STR_ARG(r->m->name), STR_ARG(name));
	r->doc = NULL;
}

/* From its first word on. */
static void
read_record(struct reader *r)
{
	static const struct {
		const char *word;
		void (*read)(struct reader *);
		bool one_line; /* it ends there, the others with ')' */
	} records[] = {
	    {"module", read_module, true},
	    {"event", add_event, true},
	    {"restrict", read_restriction, true},
	    {"function", add_function, false},
	    {"object", add_object, false},
	    {"method", add_method, false},
	};
	const struct str text = r->source->text;
	const char *end;
	size_t i, n = sizeof(records) / sizeof(*records);

	r->bad = false;
	r->record = *r->source;
	advance(r);
	for (i = 0; i < n; i++) {
		if (r->t.kind == T_ID &&
		    str_eq(r->t.text, str_from_z(records[i].word)))
			break;
	}
	if (i == n) {
		fail(r, "a record is module, function, object, method, "
			"restrict or event; prose is indented");
		return;
	}
	if (r->m->name.p == NULL && i != 0)
		fail(r, "the first record is 'module <name>'");
	/* of the line of its first word: comments before it may have several */
	end = memchr(text.p + r->pos, '\n', text.len - r->pos);
	if (records[i].one_line && end)
		r->record.text.len = (size_t)(end - text.p);
	advance(r);
	records[i].read(r);
	if (records[i].one_line && !r->bad && r->t.kind != T_EOF)
		fail(r, "the record should end here");
}

/* The rest of a line is blank; pos then is at its end. */
static void
end_record(struct reader *r)
{
	const struct str text = r->source->text;
	uint32_t i = r->pos;

	/* after an error all of what is indented may belong to the record */
	while (i < text.len && text.p[i] != '\n') {
		if (!r->bad && !strchr(" \t\r", text.p[i])) {
			r->t.at = (struct vcc_span){r->source, i, 1};
			fail(r, "the record should end here");
		}
		i++;
	}
	r->pos = i;
}

static bool
is_blank(struct str text, uint32_t from, uint32_t to)
{
	while (from < to && strchr(" \t\r", text.p[from]))
		from++;
	return from == to;
}

static void
read_all(struct reader *r)
{
	const struct str text = r->source->text;
	uint32_t end;
	const char *newline;

	while (r->pos < text.len && !r->c->stop) {
		newline = memchr(text.p + r->pos, '\n', text.len - r->pos);
		end =
		    newline ? (uint32_t)(newline - text.p) : (uint32_t)text.len;
		if (!strchr(" \t\r\n#", text.p[r->pos])) {
			read_record(r);
			end_record(r);
			end = r->pos;
		} else if (r->doc && text.p[r->pos] != '#' &&
			   !is_blank(text, r->pos, end)) {
			if (r->doc->p == NULL)
				r->doc->p = text.p + r->pos;
			r->doc->len = (size_t)(text.p + end - r->doc->p);
		}
		r->pos = end < text.len ? end + 1 : end;
	}
}

struct vcc_module *
vcc_module_read(struct vcc *c, const char *path, struct str text)
{
	struct reader r = {.c = c};
	const char *nul = text.len ? memchr(text.p, '\0', text.len) : NULL;
	unsigned errors = c->error_n;

	r.m = vcc_alloc(&c->mem, sizeof(*r.m));
	r.function_end = &r.m->function;
	r.object_end = &r.m->object;
	r.source = vcc_source_of(c, path, text);
	if (nul) {
		vcc_error(c,
		    (struct vcc_span){r.source, (uint32_t)(nul - text.p), 1},
		    "a NUL byte; a description is text");
		return NULL;
	}
	r.m->text = text;
	read_all(&r);
	if (r.m->name.p == NULL && c->error_n == errors)
		vcc_error(c, (struct vcc_span){r.source, 0, 0},
		    "it has no record 'module <name>'");
	return c->error_n == errors ? r.m : NULL;
}

struct vcc_function *
vcc_function_from_text(struct vcc *c, const char *text)
{
	struct reader r = {.c = c};

	r.source = vcc_source_of(c, "<functions>", str_from_z(text));
	r.record = *r.source;
	advance(&r);
	return read_function(&r, NULL, true);
}
