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
	vcc_emit_module_prototypes(c, b);
}

static void
emit_headers(struct vcc *c, struct vcc_buf *b)
{
	for (unsigned i = 0; i < c->header_n; i++) {
		vcc_puts(b, "static struct vcl_header ");
		vcc_emit_name(b, "header", i, c->header[i]);
		vcc_puts(b, " = {");
		vcc_emit_str(b, c->header[i]);
		vcc_puts(b, ", 0};\n");
	}
	if (c->header_n == 0)
		return;
	vcc_puts(b, "static struct vcl_header *const headers[] = {\n");
	for (unsigned i = 0; i < c->header_n; i++) {
		vcc_puts(b, "\t&");
		vcc_emit_name(b, "header", i, c->header[i]);
		vcc_puts(b, ",\n");
	}
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

static void
emit_ips(struct vcc *c, struct vcc_buf *b)
{
	for (unsigned i = 0; i < c->ip_n; i++)
		vcc_putf(b, "static const struct addr *ip_%u;\n", i);
	if (c->ip_n == 0)
		return;
	vcc_puts(b, "static const struct vcl_ip_def ips[] = {\n");
	for (unsigned i = 0; i < c->ip_n; i++) {
		vcc_puts(b, "\t{");
		vcc_emit_literal(b, c->ip[i].text);
		vcc_puts(b, ", ");
		emit_where(c, b, c->ip[i].at);
		vcc_putf(b, ", &ip_%u},\n", i);
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
	for (struct vcc_record *r = c->backend; r; r = r->next) {
		vcc_puts(b, "static struct backend *");
		vcc_emit_name(b, "backend", r->number, r->name);
		vcc_puts(b, ";\n");
	}
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
		vcc_puts(b, "\t\t.instance = &");
		vcc_emit_name(b, "backend", r->number, r->name);
		vcc_puts(b, ",\n\t},\n");
	}
	vcc_puts(b, "};\n");
}

static void
emit_acls(struct vcc *c, struct vcc_buf *b)
{
	for (struct vcc_acl *a = c->acl; a; a = a->next) {
		vcc_puts(b, "static struct vcl_acl *");
		vcc_emit_name(b, "acl", a->number, a->name);
		vcc_puts(b, ";\n");
		if (a->entry_n == 0)
			continue;
		vcc_putf(b,
		    "static const struct vcl_acl_entry "
		    "entries_of_acl_%u[] = {\n",
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
			vcc_putf(b, ", entries_of_acl_%u", a->number);
		else
			vcc_puts(b, ", NULL");
		vcc_putf(b, ", %u, %u, &", a->entry_n, a->flags);
		vcc_emit_name(b, "acl", a->number, a->name);
		vcc_puts(b, "},\n");
	}
	vcc_puts(b, "};\n");
}

static void
emit_labels(struct vcc *c, struct vcc_buf *b)
{
	for (unsigned i = 0; i < c->label_n; i++)
		vcc_putf(
		    b, "static const struct program_label *label_%u;\n", i);
	if (c->label_n == 0)
		return;
	vcc_puts(b, "static const struct vcl_label_def labels[] = {\n");
	for (unsigned i = 0; i < c->label_n; i++) {
		vcc_puts(b, "\t{");
		vcc_emit_literal(b, c->label[i]);
		vcc_putf(b, ", &label_%u},\n", i);
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
named_probes(const struct vcc *c)
{
	unsigned n = 0;

	for (const struct vcc_record *r = c->probe; r; r = r->next)
		n += r->name.p != NULL;
	return n;
}

/* .name = table, .name_n = n; or nothing */
void
vcc_emit_table(
    struct vcc_buf *b, const char *name, const char *table, unsigned n)
{
	if (n > 0)
		vcc_putf(
		    b, "\t.%s = %s,\n\t.%s_n = %u,\n", name, table, name, n);
}

static void
emit_program(struct vcc *c, struct vcc_buf *b)
{
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
	vcc_emit_table(b, "backend", "backends", c->backend_n);
	if (c->default_backend) {
		const struct vcc_record *r = c->default_backend->record;

		vcc_puts(b, "\t.default_backend = &");
		vcc_emit_name(b, "backend", r->number, r->name);
		vcc_puts(b, ",\n");
	}
	vcc_emit_table(b, "probe", "probes", named_probes(c));
	vcc_emit_table(b, "acl", "acls", c->acl_n);
	vcc_emit_table(b, "regex", "regexes", c->regex_n);
	vcc_emit_table(b, "ip", "ips", c->ip_n);
	vcc_emit_table(b, "header", "headers", c->header_n);
	vcc_emit_table(b, "source", "sources", c->source_n);
	vcc_emit_module_tables(c, b);
	vcc_emit_table(b, "label", "labels", c->label_n);
	vcc_emit_table(b, "priv", "privs", c->priv_n);
	vcc_puts(b, "};\n");
}

/*
 * Bytes of C, of some 10,000 rules: it takes the compiler, which knows
 * nothing of what they mean, seconds to make them a little faster.
 */
enum { LONG_SUBS = 3 << 20 };

char *
vcc_emit(struct vcc *c)
{
	struct vcc_buf b = {.mem = &c->mem}, subs = {.mem = &c->mem};

	vcc_puts(&b, vcl_abi_text);
	emit_prototypes(c, &b);
	vcc_puts(&b, "\n/* --- data --- */\n\n");
	emit_headers(c, &b);
	emit_regexes(c, &b);
	emit_ips(c, &b);
	emit_probes(c, &b);
	emit_backends(c, &b);
	emit_acls(c, &b);
	emit_labels(c, &b);
	emit_privs(c, &b);
	vcc_emit_module_data(c, &b);
	emit_subs(c, &subs);
	if (subs.len > LONG_SUBS)
		vcc_puts(&b, "\n#pragma GCC optimize (\"O0\")\n");
	vcc_put(&b, subs.p, subs.len);
	emit_sources(c, &b);
	emit_program(c, &b);
	return strdup(b.p);
}
