/*
 * emit_module.c - modules in the C text: their functions, objects, and what
 * they keep for the program.
 */
#include "emit.h"

/* Functions of a file are called through pointers. */
static void
emit_prototypes(struct vcc_buf *b, const struct vcc_module *m)
{
	bool pointers = m->path != NULL;

	if (m->event && !pointers)
		vcc_putf(b, "vmod_event_fn %s;\n", m->event);
	if (m->event)
		vcc_putf(b, "static vmod_event_fn *%s%.*s%s%s;\n",
		    pointers ? "" : "event_", pointers ? 0 : (int)m->name.len,
		    m->name.p, pointers ? "" : " = ", m->event);
	for (struct vcc_function *f = m->function; f; f = f->next) {
		if (f->used)
			vcc_function_prototype(b, f, pointers);
	}
	for (struct vcc_object *o = m->object; o; o = o->next) {
		if (!o->used)
			continue;
		vcc_object_prototypes(b, o, pointers);
		for (struct vcc_function *f = o->method; f; f = f->next) {
			if (f->used)
				vcc_function_prototype(b, f, pointers);
		}
	}
}

void
vcc_emit_module_prototypes(struct vcc *c, struct vcc_buf *b)
{
	for (struct vcc_module *m = c->module; m; m = m->next)
		emit_prototypes(b, m);
}

/* ---- data ---- */

/* Also what tasks know a module by: the address of its name. */
static void
emit_names(struct vcc *c, struct vcc_buf *b)
{
	if (c->module == NULL)
		return;
	for (struct vcc_module *m = c->module; m; m = m->next)
		vcc_putf(b, "static const char module_%.*s[] = \"%.*s\";\n",
		    STR_ARG(m->name), STR_ARG(m->name));
	vcc_puts(b, "static const char *const modules[] = {");
	for (struct vcc_module *m = c->module; m; m = m->next)
		vcc_putf(b, "module_%.*s, ", STR_ARG(m->name));
	vcc_puts(b, "};\n");
}

/* The last one first: it may use those before it. */
static void
emit_fini(struct vcc *c, struct vcc_buf *b)
{
	const struct vcc_symbol **all =
	    vcc_alloc(&c->mem, c->object_n * sizeof(*all));

	for (struct vcc_symbol *s = c->symbols.first; s; s = s->next) {
		if (s->kind == SYMBOL_OBJECT)
			all[s->number] = s;
	}
	for (unsigned i = c->object_n; i-- > 0;) {
		const struct vcc_object *o = all[i]->object;

		vcc_putf(b,
		    "\tif (object_%u != NULL)\n\t\t"
		    "vmod_%.*s_%.*s__fini(&object_%u);\n",
		    i, STR_ARG(o->module->name), STR_ARG(o->name), i);
	}
}

static void
emit_objects(struct vcc *c, struct vcc_buf *b)
{
	for (struct vcc_symbol *s = c->symbols.first; s; s = s->next) {
		if (s->kind == SYMBOL_OBJECT)
			vcc_putf(b,
			    "static struct vmod_%.*s_%.*s *object_%u;"
			    "\n",
			    STR_ARG(s->object->module->name),
			    STR_ARG(s->object->name), s->number);
	}
	if (c->object_n == 0)
		return;
	vcc_puts(b, "\nstatic void\nfini_objects(void)\n{\n");
	emit_fini(c, b);
	vcc_puts(b, "}\n");
}

struct connection {
	struct vcc_buf *b;
	unsigned n;
};

static void
put_function_name(void *arg, const char *c_name)
{
	struct connection *x = arg;

	vcc_putf(x->b, "\t\"%s\",\n", c_name);
	x->n++;
}

static void
put_assignment(void *arg, const char *c_name)
{
	struct connection *x = arg;

	vcc_putf(
	    x->b, "\t%s = (__typeof__(%s))all[%u];\n", c_name, c_name, x->n++);
}

/* What connects the functions of a module in a file. */
static void
emit_connection(struct vcc *c, struct vcc_buf *b, struct vcc_module *m)
{
	struct connection x = {b, 0};

	vcc_putf(b,
	    "\nstatic void *handle_%.*s;\n"
	    "static const char *const functions_%.*s[] = {\n",
	    STR_ARG(m->name), STR_ARG(m->name));
	vcc_module_each(c, m, false, put_function_name, &x);
	m->function_n = x.n;
	/* an empty table is no C */
	vcc_putf(b,
	    "%s};\n\nstatic void\nconnect_%.*s(void (*const *all)(void))\n{\n"
	    "\t(void)all;\n",
	    x.n ? "" : "\tNULL,\n", STR_ARG(m->name));
	x.n = 0;
	vcc_module_each(c, m, false, put_assignment, &x);
	vcc_puts(b, "}\n");
}

static unsigned
emit_imports(struct vcc *c, struct vcc_buf *b)
{
	unsigned n = 0;

	for (struct vcc_module *m = c->module; m; m = m->next) {
		if (m->path)
			emit_connection(c, b, m);
	}
	for (struct vcc_module *m = c->module; m; m = m->next) {
		if (m->path == NULL)
			continue;
		if (n++ == 0)
			vcc_puts(b,
			    "\nstatic const struct vcl_import imports[] = {"
			    "\n");
		vcc_putf(b, "\t{module_%.*s, ", STR_ARG(m->name));
		vcc_emit_literal(b, str_from_z(m->path));
		vcc_putf(b,
		    ", UINT64_C(%llu), functions_%.*s, %u,\n"
		    "\t    connect_%.*s, &handle_%.*s},\n",
		    (unsigned long long)module_sum(m->text), STR_ARG(m->name),
		    m->function_n, STR_ARG(m->name), STR_ARG(m->name));
	}
	if (n > 0)
		vcc_puts(b, "};\n");
	return n;
}

static unsigned
emit_listeners(struct vcc *c, struct vcc_buf *b)
{
	unsigned n = 0;

	for (struct vcc_module *m = c->module; m; m = m->next) {
		if (m->event == NULL)
			continue;
		if (n++ == 0)
			vcc_puts(b,
			    "static const struct vcl_listener listeners[] = {"
			    "\n");
		vcc_putf(b, "\t{module_%.*s, &", STR_ARG(m->name));
		if (m->path)
			vcc_puts(b, m->event);
		else
			vcc_putf(b, "event_%.*s", STR_ARG(m->name));
		vcc_putf(b, ", &priv_%u},\n", m->priv_number);
	}
	if (n > 0)
		vcc_puts(b, "};\n");
	return n;
}

void
vcc_emit_module_data(struct vcc *c, struct vcc_buf *b)
{
	emit_names(c, b);
	emit_objects(c, b);
	c->import_n = emit_imports(c, b);
	c->listener_n = emit_listeners(c, b);
}

/* ---- the program's fields ---- */

void
vcc_emit_module_tables(struct vcc *c, struct vcc_buf *b)
{
	unsigned n = 0;

	for (struct vcc_module *m = c->module; m; m = m->next)
		n++;
	vcc_emit_table(b, "vmod", "modules", n);
	vcc_emit_table(b, "import", "imports", c->import_n);
	vcc_emit_table(b, "listener", "listeners", c->listener_n);
	if (c->object_n > 0)
		vcc_puts(b, "\t.fini_objects = fini_objects,\n");
}
