/*
 * vmod_desc.c - what a module has, in VCL and in C.
 */
#include "compiler.h"

struct vcc_function *
vcc_function_find(struct vcc_function *f, struct str name)
{
	while (f && !str_caseeq(f->name, name))
		f = f->next;
	return f;
}

struct vcc_object *
vcc_object_find(const struct vcc_module *m, struct str name)
{
	struct vcc_object *o = m->object;

	while (o && !str_caseeq(o->name, name))
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
		vcc_putf(&b, "%s%s%s", comma, a->optional ? "[" : "",
		    vcc_type_name(a->type));
		for (unsigned w = 0; w < a->word_n; w++)
			vcc_putf(
			    &b, "%s%.*s", w ? ", " : " {", STR_ARG(a->word[w]));
		vcc_putf(&b, "%s%s%.*s", a->word_n ? "}" : "",
		    a->name.len ? " " : "", STR_ARG(a->name));
		if (a->value)
			vcc_putf(&b, "=%.*s", (int)a->value->at.len,
			    a->value->at.source->text.p + a->value->at.at);
		vcc_puts(&b, a->optional ? "]" : "");
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

/* "struct vmod_m_o" */
static const char *
struct_name(struct vcc_buf *b, const struct vcc_object *o)
{
	return vcc_printf(b->mem, "struct vmod_%.*s_%.*s",
	    STR_ARG(o->module->name), STR_ARG(o->name));
}

/* "static TYPE (*name)(" or "TYPE name(" */
static void
put_head(struct vcc_buf *b, const char *type, const char *name, bool pointer)
{
	vcc_putf(b, pointer ? "static %s (*%s)(" : "%s %s(", type, name);
}

void
vcc_function_prototype(
    struct vcc_buf *b, const struct vcc_function *f, bool pointer)
{
	put_head(b, vcc_printf(b->mem, "VCL_%s", vcc_type_name(f->type)),
	    f->c_name, pointer);
	vcc_puts(b, "struct vcl_ctx *");
	if (f->object)
		vcc_putf(b, ", %s *", struct_name(b, f->object));
	put_params(b, f);
}

/* What frees an object. */
static const char *
fini_name(struct vcc_mem *mem, const struct vcc_object *o)
{
	return vcc_printf(mem, "vmod_%.*s_%.*s__fini", STR_ARG(o->module->name),
	    STR_ARG(o->name));
}

void
vcc_object_prototypes(
    struct vcc_buf *b, const struct vcc_object *o, bool pointers)
{
	const char *of = struct_name(b, o);

	vcc_putf(b, "%s;\n", of);
	put_head(b, "void", o->init->c_name, pointers);
	vcc_putf(b, "struct vcl_ctx *, %s **, const char *", of);
	put_params(b, o->init);
	put_head(b, "void", fini_name(b->mem, o), pointers);
	vcc_putf(b, "%s **);\n", of);
}

void
vcc_module_each(struct vcc *c, const struct vcc_module *m, bool all,
    void (*fn)(void *arg, const char *c_name), void *arg)
{
	for (struct vcc_function *f = m->function; f; f = f->next) {
		if (all || f->used)
			fn(arg, f->c_name);
	}
	for (struct vcc_object *o = m->object; o; o = o->next) {
		if (!all && !o->used)
			continue;
		fn(arg, o->init->c_name);
		fn(arg, fini_name(&c->mem, o));
		for (struct vcc_function *f = o->method; f; f = f->next) {
			if (all || f->used)
				fn(arg, f->c_name);
		}
	}
	if (m->event)
		fn(arg, m->event);
}
