/*
 * name.c - what a name stands for: a variable, a header, a backend...
 */
#include "compiler.h"

enum { HEADER_MAX_LEN = 127 };

static const char *
access_verb(unsigned access)
{
	return access == VAR_READ    ? "read"
	       : access == VAR_WRITE ? "set"
				     : "unset";
}

/*
 * Notes that a name is read, set or unset; false after an error: it never
 * can be, or not in this syntax.
 */
static bool
note_access(struct vcc *c, struct vcc_sub *sub, const struct vcc_expr *e,
    unsigned mask, unsigned access)
{
	unsigned syntax = e->at.source->syntax;
	struct str shown = str_of(e->at.source->text.p + e->at.at, e->at.len);

	if ((mask & VS_ONLY40 && syntax != 40) ||
	    (mask & VS_ONLY41 && syntax < 41)) {
		vcc_error(c, e->at,
		    "'%.*s' can't be %s in VCL %u.%u, only in "
		    "VCL %s",
		    STR_ARG(shown), access_verb(access), syntax / 10,
		    syntax % 10, mask & VS_ONLY40 ? "4.0" : "4.1");
		return false;
	}
	if ((mask & VS_SUBS) == 0) {
		vcc_error(c, e->at, "'%.*s' can't be %s%s", STR_ARG(shown),
		    access_verb(access),
		    str_starts(shown, STR("obj."))
			? "; beresp is what becomes the object, and resp what "
			  "is sent of it"
			: "");
		return false;
	}
	vcc_use(c, sub, e->at, mask & VS_SUBS,
	    vcc_printf(&c->mem, "'%.*s' can't be %s", STR_ARG(shown),
		access_verb(access)));
	return true;
}

/* tchar of RFC 9110 5.6.2 */
static bool
is_token_char(unsigned char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
	       (ch >= 'A' && ch <= 'Z') ||
	       (ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch));
}

static bool
is_field_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!is_token_char((unsigned char)name.p[i]))
			return false;
	}
	return name.len > 0 && name.len <= HEADER_MAX_LEN;
}

static unsigned
header_number(struct vcc *c, struct str name)
{
	char *lower = vcc_alloc(&c->mem, name.len + 1);
	bool is_new;
	unsigned number;

	for (size_t i = 0; i < name.len; i++)
		lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z'
				      ? name.p[i] + 'a' - 'A'
				      : name.p[i]);
	number = vcc_intern(
	    c, &c->headers, str_of(lower, name.len), c->header_n, &is_new);
	if (is_new) {
		c->header = vcc_grow(
		    &c->mem, c->header, c->header_n, sizeof(*c->header));
		c->header[c->header_n++] = name;
	}
	return number;
}

static struct vcc_expr *
check_header(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    enum vcc_type want, unsigned access)
{
	const struct vcc_head *head = vcc_head(e->head);
	unsigned mask = access == VAR_READ    ? head->read
			: access == VAR_WRITE ? head->write
					      : head->unset;

	if (!is_field_name(e->text)) {
		vcc_error(c, e->at, "'%.*s' can't be the name of a header",
		    STR_ARG(e->text));
		return NULL;
	}
	if (!e->quoted && memchr(e->text.p, '.', e->text.len)) {
		vcc_error(c, e->at,
		    "a header's name with a dot is quoted: "
		    "%s.http.\"%.*s\"",
		    head->name, STR_ARG(e->text));
		return NULL;
	}
	if (!note_access(c, sub, e, mask, access))
		return NULL;
	e->number = header_number(c, e->text);
	e->kind = want == TYPE_HEADER ? E_HEADER_REF : E_HEADER;
	e->type = want == TYPE_HEADER ? TYPE_HEADER : TYPE_STRING;
	return e;
}

static struct vcc_expr *
check_var(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    const struct vcc_var *var, unsigned access)
{
	unsigned mask = access == VAR_READ    ? var->read
			: access == VAR_WRITE ? var->write
					      : var->unset;

	if (!note_access(c, sub, e, mask, access))
		return NULL;
	c->var_used[var - vcc_vars] |= (unsigned char)access;
	e->kind = E_VAR;
	e->var = var;
	e->type = var->type;
	return e;
}

/* storage.name and storage.name.field */
static struct vcc_expr *
check_storage(struct vcc *c, struct vcc_expr *e)
{
	struct str rest = str_of(e->text.p + 8, e->text.len - 8);
	const char *dot = memchr(rest.p, '.', rest.len);
	struct vcc_expr *of = e;
	struct str field;

	e->kind = E_STORAGE;
	e->type = TYPE_STEVEDORE;
	e->text = rest;
	e->may_fail = true;
	if (dot == NULL)
		return e;
	e->text.len = (size_t)(dot - rest.p);
	field = str_of(dot + 1, rest.len - e->text.len - 1);
	e = vcc_alloc(&c->mem, sizeof(*e));
	*e = *of;
	e->kind = E_METHOD;
	e->function = vcc_function_find(c->method[TYPE_STEVEDORE], field);
	e->arg = vcc_alloc(&c->mem, sizeof(*e->arg));
	e->arg[0] = of;
	e->arg_n = 1;
	if (e->function == NULL) {
		vcc_error(c, e->at,
		    "a store has no '%.*s'; it has "
		    "free_space, used_space and happy",
		    STR_ARG(field));
		return NULL;
	}
	e->type = e->function->type;
	return e;
}

static struct vcc_expr *
check_symbol(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    struct vcc_symbol *symbol, unsigned access)
{
	if (symbol->kind == SYMBOL_VAR)
		return check_var(c, sub, e, symbol->var, access);
	if (access != VAR_READ) {
		vcc_error(c, e->at, "'%.*s' is %s; it can't be %s",
		    STR_ARG(e->text), vcc_symbol_kind_name(symbol->kind),
		    access_verb(access));
		return NULL;
	}
	if (symbol->kind == SYMBOL_FUNCTION) {
		vcc_error(c, e->at, "'%.*s' is a function: '%.*s(...)'",
		    STR_ARG(e->text), STR_ARG(e->text));
		return NULL;
	}
	e->type = vcc_symbol_type(symbol);
	if (e->type == TYPE_MAX) {
		vcc_error(c, e->at, "'%.*s' is %s, which has no value%s",
		    STR_ARG(e->text), vcc_symbol_kind_name(symbol->kind),
		    symbol->kind == SYMBOL_OBJECT && symbol->object &&
			    vcc_function_find(
				symbol->object->method, STR("backend"))
			? "; its backend() has one"
			: "");
		return NULL;
	}
	symbol->used = true;
	e->kind = E_SYMBOL;
	e->symbol = symbol;
	return e;
}

/* Variables of older VCL, and what is written now. */
static const char *
successor(struct str name)
{
	static const struct {
		const char *name, *now;
	} old[] = {
	    {"req.request", "req.method"},
	    {"bereq.request", "bereq.method"},
	    {"req.backend", "req.backend_hint"},
	    {"req.backend.healthy", "std.healthy(req.backend_hint)"},
	    {"req.xff", "req.http.X-Forwarded-For"},
	    {"obj.response", "resp.reason or beresp.reason"},
	    {"obj.cacheable", "beresp.uncacheable, which says the opposite"},
	    {"beresp.response", "beresp.reason"},
	    {"beresp.cacheable", "beresp.uncacheable, which says the opposite"},
	    {"beresp.saintmode", "the director of vmod saintmode"},
	    {"beresp.backend.port", "std.port(beresp.backend.ip)"},
	    {"resp.response", "resp.reason"},
	    {"obj.lastuse", "obj.age or obj.hits"},
	    {"client.port", "std.port(client.ip)"},
	    {"server.port", "std.port(server.ip)"},
	};

	for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++) {
		if (str_caseeq(name, str_from_z(old[i].name)))
			return old[i].now;
	}
	return NULL;
}

/* Of "req.htp.x": req.http.x, and what else it could be a header of. */
static void
nearest_header(struct vcc *c, struct vcc_nearest *nearest, struct str name)
{
	const char *end = name.p + name.len;
	const char *word = memchr(name.p, '.', name.len);
	const char *rest = word == NULL ? NULL :
	    memchr(word + 1, '.', (size_t)(end - word) - 1);

	for (unsigned i = 0; rest != NULL && i < vcc_head_n(); i++)
		vcc_nearest_try(nearest, str_from_z(vcc_printf(&c->mem,
		    "%s.http%.*s", vcc_head(i)->name, (int)(end - rest),
		    rest)));
}

static void
unknown_name(struct vcc *c, const struct vcc_expr *e, enum vcc_type want,
    unsigned access)
{
	struct vcc_nearest nearest = vcc_nearest(e->text);
	const char *what =
	    memchr(e->text.p, '.', e->text.len) || access != VAR_READ
		? "variable"
		: "name";

	if (access == VAR_READ && vcc_find_sub(c, e->text)) {
		vcc_error(c, e->at, "'%.*s' is a sub: 'call %.*s;' runs it",
		    STR_ARG(e->text), STR_ARG(e->text));
		return;
	}
	if (successor(e->text)) {
		vcc_error(c, e->at, "'%.*s' is of an older VCL; it is %s now",
		    STR_ARG(e->text), successor(e->text));
		return;
	}
	if (want == TYPE_BACKEND)
		what = "backend";
	else if (want == TYPE_ACL)
		what = "acl";
	if (access == VAR_READ && str_eq(e->text, STR("not"))) {
		vcc_error(c, e->at, "'not' is written '!'");
		return;
	}
	vcc_nearest_symbol(c, &nearest, SYMBOL_VAR);
	vcc_nearest_symbol(c, &nearest, SYMBOL_BACKEND);
	vcc_nearest_symbol(c, &nearest, SYMBOL_ACL);
	nearest_header(c, &nearest, e->text);
	vcc_error(c, e->at, "unknown %s '%.*s'%s", what, STR_ARG(e->text),
	    nearest.best.p == NULL && want == TYPE_STRING
		? "; a text is written in quotes"
		: vcc_did_you_mean(c, &nearest));
}

/* Is it head.http.name? Then e->head and e->text say which. */
static bool
split_header(struct vcc_expr *e)
{
	const char *http = memchr(e->text.p, '.', e->text.len);
	int head;

	if (http == NULL ||
	    !str_casestarts(
		str_of(http, (size_t)(e->text.p + e->text.len - http)),
		STR(".http.")))
		return false;
	head = vcc_find_head(str_of(e->text.p, (size_t)(http - e->text.p)));
	if (head < 0)
		return false;
	e->head = (unsigned)head;
	e->text =
	    str_of(http + 6, (size_t)(e->text.p + e->text.len - http) - 6);
	return true;
}

struct vcc_expr *
vcc_check_name(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    enum vcc_type want, unsigned access)
{
	struct vcc_symbol *symbol;
	int head;

	if (e->quoted || split_header(e))
		return check_header(c, sub, e, want, access);
	symbol = vcc_find(c, e->text);
	if (symbol == NULL && str_caseeq(e->text, STR("default")))
		symbol = c->default_backend;
	if (symbol)
		return check_symbol(c, sub, e, symbol, access);
	if (access == VAR_READ &&
	    (str_caseeq(e->text, STR("true")) ||
		str_caseeq(e->text, STR("false")))) {
		e->kind = E_BOOL;
		e->type = TYPE_BOOL;
		e->i = e->text.len == 4;
		return e;
	}
	head = vcc_find_head(e->text);
	if (head >= 0 && access == VAR_READ) {
		if (!note_access(
			c, sub, e, vcc_head((unsigned)head)->use, access))
			return NULL;
		e->kind = E_HEAD;
		e->type = TYPE_HTTP;
		e->head = (unsigned)head;
		return e;
	}
	if (str_casestarts(e->text, STR("storage.")) && access == VAR_READ)
		return check_storage(c, e);
	symbol = access == VAR_READ ? vcc_find_probe(c, e->text) : NULL;
	if (symbol)
		return check_symbol(c, sub, e, symbol, access);
	symbol = want == TYPE_SUB ? vcc_find_sub(c, e->text) : NULL;
	if (symbol) {
		e->kind = E_SUB;
		e->type = TYPE_SUB;
		e->sub = symbol->sub;
		vcc_edge(c, sub, symbol->sub, e->at);
		return e;
	}
	unknown_name(c, e, want, access);
	return NULL;
}
