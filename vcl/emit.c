/*
 * emit.c - the program as C text.
 *
 *   the ABI's header; prototypes of what is used; data; the subs; the
 *   tables; vcl_program
 */
#include "emit.h"

#include <stdlib.h>

#include "declare.h"

static void
emit_prototypes(struct vcc *c, struct vcc_buf *b)
{
	vcc_puts(b, "\n/* --- what this program uses --- */\n\n");
	for (unsigned i = 0; i < vcc_var_n; i++) {
		const struct vcc_var *v = &vcc_vars[i];

		if (c->var_used[i] & VAR_READ)
			vcc_putf(b, "VCL_%s vrt_r_%s(struct vcl_ctx *);\n",
			    vcc_type_name(v->type), v->c_name);
		if (c->var_used[i] & VAR_WRITE && v->type == TYPE_BODY)
			vcc_putf(b,
			    "void vrt_w_%s(struct vcl_ctx *, bool, "
			    "VCL_STRING);\n",
			    v->c_name);
		else if (c->var_used[i] & VAR_WRITE)
			vcc_putf(b,
			    "void vrt_w_%s(struct vcl_ctx *, VCL_%s);"
			    "\n",
			    v->c_name, vcc_type_name(v->type));
		if (c->var_used[i] & VAR_UNSET)
			vcc_putf(
			    b, "void vrt_u_%s(struct vcl_ctx *);\n", v->c_name);
	}
	for (struct vcc_module *m = c->module; m; m = m->next) {
		for (struct vcc_function *f = m->function; f; f = f->next) {
			if (f->used)
				vcc_function_prototype(b, f);
		}
		for (struct vcc_object *o = m->object; o; o = o->next) {
			if (!o->used)
				continue;
			vcc_object_prototypes(b, o);
			for (struct vcc_function *f = o->method; f;
			     f = f->next) {
				if (f->used)
					vcc_function_prototype(b, f);
			}
		}
	}
}

static void
emit_headers(struct vcc *c, struct vcc_buf *b)
{
	for (unsigned i = 0; i < c->header_n; i++) {
		vcc_putf(b, "static struct vcl_header header_%u = {", i);
		vcc_emit_str(b, c->header[i]);
		vcc_puts(b, ", 0};\n");
	}
	if (c->header_n == 0)
		return;
	vcc_puts(b, "static struct vcl_header *const headers[] = {\n");
	for (unsigned i = 0; i < c->header_n; i++)
		vcc_putf(b, "\t&header_%u,\n", i);
	vcc_puts(b, "};\n");
}

static void
emit_where(struct vcc *c, struct vcc_buf *b, struct vcc_span at)
{
	vcc_emit_literal(b, str_from_z(vcc_where(c, at)));
}

static void
emit_regexes(struct vcc *c, struct vcc_buf *b)
{
	for (unsigned i = 0; i < c->regex_n; i++)
		vcc_putf(b, "static struct vcl_regex *regex_%u;\n", i);
	if (c->regex_n == 0)
		return;
	vcc_puts(b, "static const struct vcl_regex_def regexes[] = {\n");
	for (unsigned i = 0; i < c->regex_n; i++) {
		vcc_puts(b, "\t{");
		vcc_emit_str(b, c->regex[i].pattern);
		vcc_puts(b, ", ");
		emit_where(c, b, c->regex[i].at);
		vcc_putf(b, ", &regex_%u},\n", i);
	}
	vcc_puts(b, "};\n");
}

/* The fields of a backend or a probe, but for its probe. */
static void
emit_attributes(struct vcc_buf *b, const struct vcc_record *r,
    const struct vcc_attribute *a)
{
	for (unsigned i = 0; a[i].name; i++) {
		const char *value = r->value[i] ? r->value[i] : a[i].absent;

		if (value && a[i].type != A_PROBE)
			vcc_putf(b, "\t\t%s = %s,\n", a[i].field, value);
	}
}

static void
emit_probes(struct vcc *c, struct vcc_buf *b)
{
	unsigned named = 0;

	for (struct vcc_record *r = c->probe; r; r = r->next) {
		named += r->name.p != NULL;
		vcc_putf(b, "static const struct vcl_probe_def probe_%u = {\n",
		    r->number);
		vcc_puts(b, "\t\t.name = ");
		if (r->name.p)
			vcc_emit_literal(b, r->name);
		else
			vcc_puts(b, "NULL");
		vcc_puts(b, ",\n");
		emit_attributes(b, r, vcc_probe_attributes);
		vcc_puts(b, "};\n");
	}
	if (named == 0)
		return;
	vcc_puts(b, "static const struct vcl_probe_def *const probes[] = {\n");
	for (struct vcc_record *r = c->probe; r; r = r->next) {
		if (r->name.p)
			vcc_putf(b, "\t&probe_%u,\n", r->number);
	}
	vcc_puts(b, "};\n");
}

static void
emit_backends(struct vcc *c, struct vcc_buf *b)
{
	if (c->backend_n == 0)
		return;
	for (struct vcc_record *r = c->backend; r; r = r->next)
		vcc_putf(b, "static struct backend *backend_%u;\n", r->number);
	vcc_puts(b, "static const struct vcl_backend_def backends[] = {\n");
	for (struct vcc_record *r = c->backend; r; r = r->next) {
		vcc_puts(b, "\t{\n\t\t.name = ");
		vcc_emit_literal(b, r->name);
		vcc_puts(b, ",\n");
		emit_attributes(b, r, vcc_backend_attributes);
		if (r->none)
			vcc_puts(b, "\t\t.none = true,\n");
		if (r->probe)
			vcc_putf(
			    b, "\t\t.probe = &probe_%u,\n", r->probe->number);
		vcc_putf(b, "\t\t.instance = &backend_%u,\n\t},\n", r->number);
	}
	vcc_puts(b, "};\n");
}

static void
emit_acls(struct vcc *c, struct vcc_buf *b)
{
	for (struct vcc_acl *a = c->acl; a; a = a->next) {
		vcc_putf(b, "static struct vcl_acl *acl_%u;\n", a->number);
		if (a->entry_n == 0)
			continue;
		vcc_putf(b,
		    "static const struct vcl_acl_entry "
		    "acl_%u_entries[] = {\n",
		    a->number);
		for (unsigned i = 0; i < a->entry_n; i++) {
			vcc_puts(b, "\t{");
			vcc_emit_str(b, a->entry[i].host);
			vcc_putf(b, ", %d, %s, %s},\n", a->entry[i].mask,
			    a->entry[i].negated ? "true" : "false",
			    a->entry[i].optional ? "true" : "false");
		}
		vcc_puts(b, "};\n");
	}
	if (c->acl_n == 0)
		return;
	vcc_puts(b, "static const struct vcl_acl_def acls[] = {\n");
	for (struct vcc_acl *a = c->acl; a; a = a->next) {
		vcc_puts(b, "\t{");
		vcc_emit_literal(b, a->name);
		if (a->entry_n > 0)
			vcc_putf(b, ", acl_%u_entries", a->number);
		else
			vcc_puts(b, ", NULL");
		vcc_putf(b, ", %u, %u, &acl_%u},\n", a->entry_n, a->flags,
		    a->number);
	}
	vcc_puts(b, "};\n");
}

static void
emit_privs(struct vcc *c, struct vcc_buf *b)
{
	for (unsigned i = 0; i < c->priv_n; i++)
		vcc_putf(b, "static struct vmod_priv priv_%u;\n", i);
	if (c->priv_n == 0)
		return;
	vcc_puts(b, "static struct vmod_priv *const privs[] = {\n");
	for (unsigned i = 0; i < c->priv_n; i++)
		vcc_putf(b, "\t&priv_%u,\n", i);
	vcc_puts(b, "};\n");
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
	for (struct vcc_symbol *s = c->symbols.first; s; s = s->next) {
		if (s->kind != SYMBOL_OBJECT)
			continue;
		vcc_putf(b,
		    "\tif (object_%u != NULL)\n\t\t"
		    "vmod_%.*s_%.*s__fini(&object_%u);\n",
		    s->number, STR_ARG(s->object->module->name),
		    STR_ARG(s->object->name), s->number);
	}
	vcc_puts(b, "}\n");
}

/* Subs that nothing reaches are left out. */
static void
emit_subs(struct vcc *c, struct vcc_buf *b)
{
	vcc_puts(b, "\n");
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		if (s->reached_from == 0)
			continue;
		vcc_puts(b, "static vcl_sub_fn ");
		vcc_emit_sub_name(b, s);
		vcc_puts(b, ";\n");
	}
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		if (s->reached_from != 0)
			vcc_emit_sub(b, s);
	}
	/* what follows is not the user's text */
	vcc_puts(b, "\n#line 1 \"<program>\"\n");
}

static void
emit_sources(struct vcc *c, struct vcc_buf *b)
{
	vcc_puts(b, "static const struct vcl_source sources[] = {\n");
	for (unsigned i = 0; i < c->source_n; i++) {
		vcc_puts(b, "\t{");
		vcc_emit_literal(b, str_from_z(c->source[i]->path));
		vcc_puts(b, ", ");
		vcc_emit_str(b, c->source[i]->text);
		vcc_puts(b, "},\n");
	}
	vcc_puts(b, "};\n");
}

static unsigned
emit_modules(struct vcc *c, struct vcc_buf *b)
{
	unsigned n = 0;

	for (struct vcc_module *m = c->module; m; m = m->next) {
		vcc_puts(
		    b, n++ ? ", " : "static const char *const modules[] = {");
		vcc_emit_literal(b, m->name);
	}
	if (n > 0)
		vcc_puts(b, "};\n");
	return n;
}

static unsigned
named_probes(const struct vcc *c)
{
	unsigned n = 0;

	for (const struct vcc_record *r = c->probe; r; r = r->next)
		n += r->name.p != NULL;
	return n;
}

/* .name = table, .name_n = n; or nothing */
static void
emit_table(struct vcc_buf *b, const char *name, const char *table, unsigned n)
{
	if (n > 0)
		vcc_putf(
		    b, "\t.%s = %s,\n\t.%s_n = %u,\n", name, table, name, n);
}

static void
emit_program(struct vcc *c, struct vcc_buf *b)
{
	unsigned modules = emit_modules(c, b);

	vcc_putf(b,
	    "\nconst struct vcl_program_info vcl_program = {\n"
	    "\t.abi = VCL_ABI_VERSION,\n\t.syntax = %u,\n\t.sub = {\n",
	    c->syntax);
	for (unsigned id = 0; id < VCL_SUB_MAX; id++) {
		vcc_puts(b, "\t\t");
		vcc_emit_sub_name(b, c->builtin[id]);
		vcc_puts(b, ",\n");
	}
	vcc_puts(b, "\t},\n");
	emit_table(b, "backend", "backends", c->backend_n);
	if (c->default_backend)
		vcc_putf(b, "\t.default_backend = &backend_%u,\n",
		    c->default_backend->record->number);
	emit_table(b, "probe", "probes", named_probes(c));
	emit_table(b, "acl", "acls", c->acl_n);
	emit_table(b, "regex", "regexes", c->regex_n);
	emit_table(b, "header", "headers", c->header_n);
	emit_table(b, "source", "sources", c->source_n);
	emit_table(b, "vmod", "modules", modules);
	emit_table(b, "priv", "privs", c->priv_n);
	if (c->object_n > 0)
		vcc_puts(b, "\t.fini_objects = fini_objects,\n");
	vcc_puts(b, "};\n");
}

char *
vcc_emit(struct vcc *c)
{
	struct vcc_buf b = {.mem = &c->mem};

	vcc_puts(&b, vcl_abi_text);
	emit_prototypes(c, &b);
	vcc_puts(&b, "\n/* --- data --- */\n\n");
	emit_headers(c, &b);
	emit_regexes(c, &b);
	emit_probes(c, &b);
	emit_backends(c, &b);
	emit_acls(c, &b);
	emit_privs(c, &b);
	emit_objects(c, &b);
	emit_subs(c, &b);
	emit_sources(c, &b);
	emit_program(c, &b);
	return strdup(b.p);
}
