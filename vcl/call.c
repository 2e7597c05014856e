/*
 * call.c - calls of functions, methods and objects: whose they are, and
 * which argument goes where.
 */
#include "compiler.h"

static void
no_such_argument(struct vcc *c, const struct vcc_function *f,
    const struct vcc_expr *arg, struct str name)
{
	struct vcc_nearest nearest = vcc_nearest(name);

	for (unsigned i = 0; i < f->arg_n; i++)
		vcc_nearest_try(&nearest, f->arg[i].name);
	vcc_error(c, arg->at, "%.*s() has no argument '%.*s'%s",
	    STR_ARG(f->name), STR_ARG(name), vcc_did_you_mean(c, &nearest));
}

/*
 * Puts the arguments of a call in the order of f's description; NULL where
 * one is absent.  false after an error.
 */
static bool
place_args(struct vcc *c, const struct vcc_function *f,
    const struct vcc_expr *call, struct vcc_expr **placed)
{
	unsigned next = 0, to;

	for (unsigned i = 0; i < call->arg_n; i++) {
		struct str name = call->arg_name ? call->arg_name[i] : STR_NULL;

		if (name.p) {
			for (to = 0; to < f->arg_n; to++) {
				if (str_eq(f->arg[to].name, name))
					break;
			}
			if (to == f->arg_n) {
				no_such_argument(c, f, call->arg[i], name);
				return false;
			}
		} else {
			while (next < f->arg_n && f->arg[next].priv)
				next++;
			to = next++;
		}
		if (to >= f->arg_n) {
			vcc_error(c, call->arg[i]->at,
			    "too many arguments; "
			    "it is '%s'",
			    vcc_function_text(c, f));
			return false;
		}
		if (placed[to]) {
			vcc_error(c, call->arg[i]->at,
			    "argument '%.*s' is given twice",
			    STR_ARG(f->arg[to].name));
			return false;
		}
		placed[to] = call->arg[i];
	}
	return true;
}

static struct vcc_expr *
check_word(struct vcc *c, const struct vcc_arg *a, struct vcc_expr *e)
{
	struct vcc_buf words = {.mem = &c->mem};

	for (unsigned i = 0; i < a->word_n; i++) {
		if (e->kind == E_NAME && str_eq(e->text, a->word[i])) {
			e->kind = E_ENUM;
			e->type = TYPE_ENUM;
			return e;
		}
		vcc_putf(&words, "%s%.*s", i ? ", " : "", STR_ARG(a->word[i]));
	}
	vcc_error(c, e->at, "expected one of %s", words.p ? words.p : "none");
	return NULL;
}

/* A default is a constant of its own in each call. */
static struct vcc_expr *
copy_default(struct vcc *c, const struct vcc_arg *a)
{
	struct vcc_expr *e;

	if (a->value == NULL)
		return NULL;
	e = vcc_alloc(&c->mem, sizeof(*e));
	*e = *a->value;
	return e;
}

/* The place where a module keeps what belongs to this call, or program. */
static void
number_priv(struct vcc *c, struct vcc_expr *e, struct vcc_module *m,
    enum vcc_priv priv)
{
	if (priv == PRIV_CALL)
		e->number = c->priv_n++;
	if (priv == PRIV_VCL && !m->priv_vcl) {
		m->priv_vcl = true;
		m->priv_number = c->priv_n++;
	}
}

/* e, a call, of f: with its arguments checked and in order. */
static struct vcc_expr *
call_of(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    struct vcc_function *f)
{
	struct vcc_expr **placed =
	    vcc_alloc(&c->mem, (f->arg_n + 1) * sizeof(*placed));
	bool ok = place_args(c, f, e, placed);

	for (unsigned i = 0; ok && i < f->arg_n; i++) {
		const struct vcc_arg *a = &f->arg[i];

		if (a->priv != PRIV_NONE) {
			number_priv(c, e, f->module, a->priv);
			continue;
		}
		if (placed[i] == NULL)
			placed[i] = copy_default(c, a);
		if (placed[i] == NULL && a->optional)
			continue;
		if (placed[i] == NULL) {
			vcc_error(c, e->at, "too few arguments; it is '%s'",
			    vcc_function_text(c, f));
			return NULL;
		}
		placed[i] = a->type == TYPE_ENUM
				? check_word(c, a, placed[i])
				: vcc_check_expr(c, sub, placed[i], a->type);
		ok = placed[i] != NULL;
	}
	if (!ok)
		return NULL;
	if (f->allowed & VS_ONLY40 && e->at.source->syntax != 40) {
		vcc_error(c, e->at,
		    "'%.*s' is VCL 4.0; write 'std.%.*s'", STR_ARG(e->text),
		    STR_ARG(e->text));
		return NULL;
	}
	vcc_use(c, sub, e->at, f->allowed & VS_SUBS,
	    vcc_printf(&c->mem, "'%.*s' can't be called", STR_ARG(e->text)));
	f->used = true;
	e->kind = E_FUNCTION;
	e->type = f->type;
	e->function = f;
	e->arg = placed;
	e->arg_n = f->arg_n;
	e->may_fail = true;
	return e;
}

struct vcc_expr *
vcc_check_method(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e)
{
	const struct vcc_expr *of = e->arg[0];
	struct vcc_function *f =
	    vcc_function_find(c->method[of->type], e->text);

	(void)sub;
	if (f == NULL) {
		vcc_error(c, e->at, "a %s has no method '%.*s'",
		    vcc_type_name(of->type), STR_ARG(e->text));
		return NULL;
	}
	e->kind = E_METHOD;
	e->function = f;
	e->type = f->type;
	e->may_fail = true;
	return e;
}

static void
unknown_function(struct vcc *c, const struct vcc_expr *e)
{
	struct vcc_nearest nearest = vcc_nearest(e->text);
	struct vcc_symbol *symbol = vcc_find(c, e->text);

	if (vcc_find_sub(c, e->text)) {
		vcc_error(c, e->at, "'%.*s' is a sub: 'call %.*s;' runs it",
		    STR_ARG(e->text), STR_ARG(e->text));
		return;
	}
	if (symbol) {
		vcc_error(c, e->at, "'%.*s' is %s; it can't be called",
		    STR_ARG(e->text), vcc_symbol_kind_name(symbol->kind));
		return;
	}
	vcc_nearest_symbol(c, &nearest, SYMBOL_FUNCTION);
	/* statements that have a parenthesis */
	vcc_nearest_try(&nearest, STR("return"));
	vcc_nearest_try(&nearest, STR("elseif"));
	vcc_error(c, e->at, "unknown function '%.*s'%s", STR_ARG(e->text),
	    vcc_did_you_mean(c, &nearest));
}

static void
unknown_member(struct vcc *c, const struct vcc_expr *e, struct str owner,
    struct str name, struct vcc_function *all, const char *what)
{
	struct vcc_nearest nearest = vcc_nearest(name);

	for (; all; all = all->next)
		vcc_nearest_try(&nearest, all->name);
	vcc_error(c, e->at, "%s '%.*s' has no '%.*s'%s", what, STR_ARG(owner),
	    STR_ARG(name), vcc_did_you_mean(c, &nearest));
}

static struct vcc_expr *
call_module(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    struct vcc_symbol *owner, struct str name)
{
	struct vcc_function *f =
	    vcc_function_find(owner->module->function, name);

	if (f)
		return call_of(c, sub, e, f);
	if (vcc_object_find(owner->module, name))
		vcc_error(c, e->at,
		    "'%.*s' is a type of objects; they are "
		    "made by 'new x = %.*s(...);' in vcl_init",
		    STR_ARG(e->text), STR_ARG(e->text));
	else
		unknown_member(
		    c, e, owner->name, name, owner->module->function, "module");
	return NULL;
}

static struct vcc_expr *
call_object(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    struct vcc_symbol *owner, struct str name)
{
	struct vcc_function *f;

	if (owner->object == NULL)
		return NULL; /* its 'new' had an error */
	f = vcc_function_find(owner->object->method, name);
	if (f == NULL) {
		unknown_member(
		    c, e, owner->name, name, owner->object->method, "object");
		return NULL;
	}
	owner->used = true;
	e->symbol = owner;
	return call_of(c, sub, e, f);
}

/* x.y() where x is a value: e becomes the method's call */
static struct vcc_expr *
call_method(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    struct str owner, struct str name)
{
	struct vcc_expr *of = vcc_alloc(&c->mem, sizeof(*of));

	if (e->arg_n > 0) {
		vcc_error(c, e->arg[0]->at, "this method has no arguments");
		return NULL;
	}
	of->kind = E_NAME;
	of->at = e->at;
	of->at.len = (uint32_t)owner.len;
	of->text = owner;
	of = vcc_check_name(c, sub, of, TYPE_MAX, VAR_READ);
	if (of == NULL)
		return NULL;
	e->text = name;
	e->arg = vcc_alloc(&c->mem, sizeof(*e->arg));
	e->arg[0] = of;
	e->arg_n = 1;
	return vcc_check_method(c, sub, e);
}

/* Is it a name of a variable or the like, so that x.y() is its method? */
static bool
is_value(struct vcc *c, struct str name)
{
	struct vcc_symbol *symbol = vcc_find(c, name);

	return memmem(name.p, name.len, ".http.", 6) ||
	       (symbol && symbol->kind != SYMBOL_MODULE &&
		   symbol->kind != SYMBOL_OBJECT) ||
	       str_starts(name, STR("storage."));
}

/* Splits a.b at its last dot; false if it has none. */
static bool
split_name(struct str whole, struct str *owner, struct str *name)
{
	const char *dot = memrchr(whole.p, '.', whole.len);

	if (dot == NULL)
		return false;
	*owner = str_of(whole.p, (size_t)(dot - whole.p));
	*name = str_of(dot + 1, whole.len - owner->len - 1);
	return true;
}

static void
unknown_owner(struct vcc *c, const struct vcc_expr *e, struct str owner)
{
	const char *module;

	for (unsigned i = 0; (module = vcc_module_name(i)); i++) {
		if (str_eq(owner, str_from_z(module))) {
			vcc_error(c, e->at,
			    "module '%s' is not imported; "
			    "put 'import %s;' on top",
			    module, module);
			return;
		}
	}
	vcc_error(c, e->at, "unknown module or object '%.*s'", STR_ARG(owner));
}

struct vcc_expr *
vcc_check_call(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e)
{
	struct vcc_symbol *symbol = vcc_find(c, e->text);
	struct str owner, name;

	if (symbol && symbol->kind == SYMBOL_FUNCTION)
		return call_of(c, sub, e, symbol->function);
	if (!split_name(e->text, &owner, &name)) {
		unknown_function(c, e);
		return NULL;
	}
	if (is_value(c, owner))
		return call_method(c, sub, e, owner, name);
	symbol = vcc_find(c, owner);
	if (symbol && symbol->kind == SYMBOL_MODULE)
		return call_module(c, sub, e, symbol, name);
	if (symbol && symbol->kind == SYMBOL_OBJECT)
		return call_object(c, sub, e, symbol, name);
	unknown_owner(c, e, owner);
	return NULL;
}

struct vcc_expr *
vcc_check_new(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e)
{
	struct vcc_symbol *symbol = NULL;
	struct vcc_object *o;
	struct str owner, name;

	if (split_name(e->text, &owner, &name))
		symbol = vcc_find(c, owner);
	if (symbol == NULL || symbol->kind != SYMBOL_MODULE) {
		unknown_owner(c, e, e->text);
		return NULL;
	}
	o = vcc_object_find(symbol->module, name);
	if (o == NULL) {
		vcc_error(c, e->at,
		    "module '%.*s' has no objects of type "
		    "'%.*s'",
		    STR_ARG(owner), STR_ARG(name));
		return NULL;
	}
	o->used = true;
	return call_of(c, sub, e, o->init);
}
