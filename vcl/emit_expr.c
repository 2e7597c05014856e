/*
 * emit_expr.c - expressions as C.
 *
 * Nothing of the user's text gets into the C but through
 * vcc_emit_literal(); names become numbers.
 */
#include <stdio.h>

#include "emit.h"

/*
 * So many strings at most in one array on the stack; more are joined by
 * parts.
 */
enum { CONCAT_MAX = 64 };

void
vcc_emit_literal(struct vcc_buf *b, struct str s)
{
	char octal[5];

	vcc_put(b, "\"", 1);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch == '\n') {
			vcc_puts(b, "\\n");
			if (i + 1 < s.len)
				vcc_puts(b, "\"\n\t    \"");
		} else if (ch == '"' || ch == '\\' || ch == '?') {
			/* '?': two of them could begin a trigraph */
			vcc_put(b, "\\", 1);
			vcc_put(b, (const char *)&ch, 1);
		} else if (ch < 0x20 || ch > 0x7e) {
			/* three digits, whatever follows */
			snprintf(octal, sizeof(octal), "\\%03o", ch);
			vcc_puts(b, octal);
		} else
			vcc_put(b, (const char *)&ch, 1);
	}
	vcc_put(b, "\"", 1);
}

void
vcc_emit_str(struct vcc_buf *b, struct str s)
{
	vcc_puts(b, "{");
	vcc_emit_literal(b, s);
	vcc_putf(b, ", %zu}", s.len);
}

void
vcc_emit_double(struct vcc_buf *b, double d)
{
	char text[40];

	snprintf(text, sizeof(text), "%.17g", d);
	vcc_puts(b, text);
	if (!strpbrk(text, ".e"))
		vcc_puts(b, ".0");
}

void
vcc_emit_sub_name(struct vcc_buf *b, const struct vcc_sub *s)
{
	char ch;

	/* what is not letter or digit may collide: then the number tells */
	if (s->id < 0)
		vcc_putf(b, "sub%u_", s->number);
	else
		vcc_puts(b, "sub_");
	for (size_t i = 0; i < s->name.len; i++) {
		ch = s->name.p[i] == '-' ? '_' : s->name.p[i];
		vcc_put(b, &ch, 1);
	}
}

void
vcc_emit_name(
    struct vcc_buf *b, const char *kind, unsigned number, struct str name)
{
	vcc_putf(b, "%s_%u_", kind, number);
	for (size_t i = 0; i < name.len; i++) {
		char ch = name.p[i];

		if (ch >= 'A' && ch <= 'Z')
			ch = (char)(ch - 'A' + 'a');
		else if (!(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9'))
			ch = '_';
		vcc_put(b, &ch, 1);
	}
}

static void
emit_call(struct vcc_buf *b, const char *function, bool takes_ctx,
    const struct vcc_expr *arg)
{
	vcc_putf(b, "%s(%s", function, takes_ctx ? "ctx, " : "");
	vcc_emit_expr(b, arg);
	vcc_puts(b, ")");
}

static void
emit_concat(struct vcc_buf *b, struct vcc_expr *const *arg, unsigned n)
{
	unsigned step = 1, parts;

	while (n > CONCAT_MAX * step)
		step *= CONCAT_MAX;
	parts = (n + step - 1) / step;
	vcc_putf(b, "vrt_concat(ctx, %u, (const struct str[]){", parts);
	for (unsigned i = 0; i < n; i += step) {
		if (i > 0)
			vcc_puts(b, ", ");
		if (step == 1 || n - i == 1)
			vcc_emit_expr(b, arg[i]);
		else
			emit_concat(b, arg + i, n - i < step ? n - i : step);
	}
	vcc_puts(b, "})");
}

static const char *
zero(enum vcc_type type)
{
	switch (type) {
	case TYPE_STRING:
		return "(struct str){NULL, 0}";
	case TYPE_BLOB:
		return "(struct vcl_blob){NULL, 0}";
	case TYPE_BOOL:
		return "false";
	case TYPE_IP:
	case TYPE_BACKEND:
	case TYPE_ACL:
	case TYPE_PROBE:
	case TYPE_STEVEDORE:
	case TYPE_HEADER:
	case TYPE_SUB:
	case TYPE_ENUM:
	case TYPE_REGEX:
		return "NULL";
	default:
		return "0";
	}
}

static void
emit_priv(struct vcc_buf *b, const struct vcc_expr *e, const struct vcc_arg *a)
{
	const struct vcc_module *m = e->function->module;

	if (a->priv == PRIV_CALL)
		vcc_putf(b, ", &priv_%u", e->number);
	else if (a->priv == PRIV_VCL)
		vcc_putf(b, ", &priv_%u", m->priv_number);
	else
		vcc_putf(b, ", vrt_priv_%s(ctx, module_%.*s)",
		    a->priv == PRIV_TASK ? "task" : "top", STR_ARG(m->name));
}

void
vcc_emit_args(struct vcc_buf *b, const struct vcc_expr *e)
{
	const struct vcc_function *f = e->function;

	for (unsigned i = 0; i < f->arg_n; i++) {
		const struct vcc_arg *a = &f->arg[i];

		if (a->priv != PRIV_NONE) {
			emit_priv(b, e, a);
			continue;
		}
		if (a->optional)
			vcc_puts(b, e->arg[i] ? ", true" : ", false");
		vcc_puts(b, ", ");
		if (e->arg[i])
			vcc_emit_expr(b, e->arg[i]);
		else
			vcc_puts(b, zero(a->type));
	}
}

static void
emit_function(struct vcc_buf *b, const struct vcc_expr *e)
{
	const struct vcc_symbol *object = e->symbol;
	bool guarded = object && !object->certain;

	if (guarded) {
		vcc_putf(b,
		    "(object_%u == NULL ? (vrt_no_object(ctx, \"%.*s\")%s%s)"
		    " : ",
		    object->number, STR_ARG(object->name),
		    e->type == TYPE_VOID ? "" : ", ",
		    e->type == TYPE_VOID ? "" : zero(e->type));
	}
	vcc_putf(b, "%s(ctx", e->function->c_name);
	if (object)
		vcc_putf(b, ", object_%u", object->number);
	vcc_emit_args(b, e);
	vcc_puts(b, guarded ? "))" : ")");
}

static const char *
operator_text(unsigned op)
{
	switch (op) {
	case T_EQ:
		return "==";
	case T_NE:
		return "!=";
	case T_LE:
		return "<=";
	case T_GE:
		return ">=";
	case '<':
		return "<";
	default:
		return ">";
	}
}

static void
emit_pair(struct vcc_buf *b, const char *before, const struct vcc_expr *e,
    const char *between, const char *after)
{
	vcc_puts(b, before);
	vcc_emit_expr(b, e->arg[0]);
	vcc_puts(b, between);
	vcc_emit_expr(b, e->arg[1]);
	vcc_puts(b, after);
}

static void
emit_arithmetic(struct vcc_buf *b, const struct vcc_expr *e)
{
	bool is_integer = e->type == TYPE_INT || e->type == TYPE_BYTES;
	bool is_scaled =
	    e->type == TYPE_BYTES && (e->op == '*' || e->op == '/');

	if (is_scaled)
		vcc_puts(b, "vrt_real_bytes(ctx, ");
	if (is_scaled || !is_integer) {
		if (e->op == '/')
			emit_pair(b, "vrt_real_div(ctx, (double)", e,
			    ", (double)", ")");
		else {
			char between[] = {' ', (char)e->op, ' ', '\0'};

			emit_pair(
			    b, is_scaled ? "((double)" : "(", e, between, ")");
		}
	} else if (e->op == '/')
		emit_pair(b, "vrt_int_div(ctx, ", e, ", ", ")");
	else if (e->op == '%')
		emit_pair(b, "vrt_int_mod(ctx, ", e, ", ", ")");
	else
		emit_pair(b,
		    e->op == '+'   ? "vrt_int_add("
		    : e->op == '-' ? "vrt_int_sub("
				   : "vrt_int_mul(",
		    e, ", ", ")");
	if (is_scaled)
		vcc_puts(b, ")");
}

static void
emit_string_compare(struct vcc_buf *b, const struct vcc_expr *e)
{
	if (e->op == T_EQ || e->op == T_NE) {
		/* the constant second: its length is then known inline */
		bool swap = e->arg[0]->kind == E_STRING;

		vcc_puts(b, e->op == T_EQ ? "vrt_str_eq(" : "!vrt_str_eq(");
		vcc_emit_expr(b, e->arg[swap]);
		vcc_puts(b, ", ");
		vcc_emit_expr(b, e->arg[!swap]);
		vcc_puts(b, ")");
		return;
	}
	emit_pair(b, "(vrt_str_cmp(", e, ", ", ") ");
	vcc_putf(b, "%s 0)", operator_text(e->op));
}

static void
emit_to_bool(struct vcc_buf *b, const struct vcc_expr *arg)
{
	if (arg->kind == E_STRING) {
		vcc_puts(b, "true"); /* a constant is never unset */
		return;
	}
	if (arg->kind == E_CONCAT) { /* set, if one of them is */
		for (unsigned i = 0; i < arg->arg_n; i++) {
			vcc_puts(b, i ? " || " : "(");
			emit_to_bool(b, arg->arg[i]);
		}
		vcc_puts(b, ")");
		return;
	}
	vcc_puts(b, arg->type == TYPE_BACKEND ? "vrt_backend_is_some(" : "(");
	vcc_emit_expr(b, arg);
	vcc_puts(b, arg->type == TYPE_BACKEND    ? ")"
		    : arg->type == TYPE_STRING   ? ".p != NULL)"
		    : arg->type == TYPE_INT      ? " != 0)"
		    : arg->type == TYPE_DURATION ? " > 0)"
						 : " != NULL)");
}

static void
emit_logic(struct vcc_buf *b, const struct vcc_expr *e, const char *between)
{
	for (unsigned i = 0; i < e->arg_n; i++) {
		if (i > 0)
			vcc_puts(b, between);
		vcc_emit_expr(b, e->arg[i]);
	}
}

static void
emit_symbol(struct vcc_buf *b, const struct vcc_symbol *s)
{
	if (s->kind == SYMBOL_BACKEND)
		vcc_emit_name(b, "backend", s->record->number, s->record->name);
	else if (s->kind == SYMBOL_PROBE)
		vcc_putf(b, "&probe_%u", s->record->number);
	else
		vcc_emit_name(b, "acl", s->acl->number, s->acl->name);
}

static void
emit_constant(struct vcc_buf *b, const struct vcc_expr *e)
{
	switch (e->kind) {
	case E_STRING:
		vcc_puts(b, "VCL_S(");
		vcc_emit_literal(b, e->text);
		vcc_puts(b, ")");
		break;
	case E_BLOB:
		vcc_puts(b, "((struct vcl_blob){");
		vcc_emit_literal(b, e->text);
		vcc_putf(b, ", %zu})", e->text.len);
		break;
	case E_ENUM:
		vcc_emit_literal(b, e->text);
		break;
	case E_IP:
		vcc_putf(b, "ip_%u", e->number);
		break;
	case E_INT:
	case E_BYTES:
		vcc_putf(b, "INT64_C(%lld)", (long long)e->i);
		break;
	case E_BOOL:
		vcc_puts(b, e->i ? "true" : "false");
		break;
	default:
		vcc_emit_double(b, e->d);
		break;
	}
}

/*
 * Policies look into Varnish's X-Varnish for the two numbers that a hit has,
 * and take it off: what it has is X-Copal's here.
 */
bool
vcc_is_x_varnish(const struct vcc_expr *e)
{
	const char *head = vcc_head(e->head)->name;

	return str_caseeq(e->text, STR("X-Varnish")) &&
	       (!strcmp(head, "resp") || !strcmp(head, "bereq"));
}

static void
emit_header(struct vcc_buf *b, const struct vcc_expr *e)
{
	const char *head = vcc_head(e->head)->c_name;

	if (e->kind == E_HEADER)
		vcc_putf(b, "%s(ctx, %s, &",
		    vcc_is_x_varnish(e) ? "vrt_ids_get" : "vrt_hdr_get", head);
	else
		vcc_putf(b, "&(const struct vcl_header_ref){%s, &", head);
	vcc_emit_name(b, "header", e->number, e->text);
	vcc_puts(b, e->kind == E_HEADER ? ")" : "}");
}

static void
emit_match(struct vcc_buf *b, const struct vcc_expr *e)
{
	const char *function = e->kind == E_ACL_MATCH ? "vrt_acl_match"
			       : e->kind == E_REGEX_MATCH
				   ? "vrt_regex_match"
				   : "vrt_regex_match_dynamic";
	bool swap = e->kind == E_ACL_MATCH;

	vcc_putf(b, "%s%s(ctx, ", e->op == T_NOMATCH ? "!" : "", function);
	vcc_emit_expr(b, e->arg[swap]);
	vcc_puts(b, ", ");
	vcc_emit_expr(b, e->arg[!swap]);
	vcc_puts(b, ")");
}

static void
emit_around(struct vcc_buf *b, const char *open, const struct vcc_expr *e)
{
	vcc_puts(b, open);
	vcc_emit_expr(b, e);
	vcc_puts(b, ")");
}

void
vcc_emit_expr(struct vcc_buf *b, const struct vcc_expr *e)
{
	const struct vcc_to_string *how;

	switch (e->kind) {
	case E_STRING:
	case E_INT:
	case E_REAL:
	case E_DURATION:
	case E_BYTES:
	case E_BLOB:
	case E_BOOL:
	case E_ENUM:
	case E_IP:
		emit_constant(b, e);
		break;
	case E_VAR:
		vcc_putf(b, "vrt_r_%s(ctx)", e->var->c_name);
		break;
	case E_HEADER:
	case E_HEADER_REF:
		emit_header(b, e);
		break;
	case E_HEAD:
		vcc_puts(b, vcc_head(e->head)->c_name);
		break;
	case E_SYMBOL:
		emit_symbol(b, e->symbol);
		break;
	case E_SUB:
		vcc_emit_sub_name(b, e->sub);
		break;
	case E_STORAGE:
		vcc_puts(b, "vrt_stevedore(ctx, VCL_S(");
		vcc_emit_literal(b, e->text);
		vcc_puts(b, "))");
		break;
	case E_CONCAT:
		emit_concat(b, e->arg, e->arg_n);
		break;
	case E_ARITHMETIC:
		emit_arithmetic(b, e);
		break;
	case E_FUNCTION:
		emit_function(b, e);
		break;
	case E_METHOD:
		emit_call(b, e->function->c_name, true, e->arg[0]);
		break;
	case E_TO_STRING:
		how = vcc_to_string(e->arg[0]->type);
		emit_call(b, how->function, how->takes_ctx, e->arg[0]);
		break;
	case E_TO_BOOL:
		emit_to_bool(b, e->arg[0]);
		break;
	case E_TO_REAL:
		emit_around(b, "((double)", e->arg[0]);
		break;
	case E_REGEX:
		vcc_putf(b, "regex_%u", e->number);
		break;
	case E_NEG:
		emit_around(b,
		    e->type == TYPE_INT || e->type == TYPE_BYTES
			? "vrt_int_sub(0, "
			: "(-",
		    e->arg[0]);
		break;
	case E_NOT:
		emit_around(b, "(!", e->arg[0]);
		break;
	case E_AND:
	case E_OR:
	case E_NUMBER_COMPARE:
		vcc_puts(b, "(");
		vcc_emit_condition(b, e);
		vcc_puts(b, ")");
		break;
	case E_STRING_COMPARE:
		emit_string_compare(b, e);
		break;
	case E_IP_COMPARE:
		emit_pair(b, e->op == T_EQ ? "vrt_ip_eq(" : "!vrt_ip_eq(", e,
		    ", ", ")");
		break;
	case E_REGEX_MATCH:
	case E_REGEX_MATCH_DYNAMIC:
	case E_ACL_MATCH:
		emit_match(b, e);
		break;
	case E_NAME:
	case E_CALL:
	case E_SUM:
	case E_PRODUCT:
	case E_COMPARE:
		break; /* the check left none of these */
	}
}

void
vcc_emit_condition(struct vcc_buf *b, const struct vcc_expr *e)
{
	if (e->kind == E_AND)
		emit_logic(b, e, " && ");
	else if (e->kind == E_OR)
		emit_logic(b, e, " || ");
	else if (e->kind == E_NUMBER_COMPARE) {
		vcc_emit_expr(b, e->arg[0]);
		vcc_putf(b, " %s ", operator_text(e->op));
		vcc_emit_expr(b, e->arg[1]);
	} else
		vcc_emit_expr(b, e);
}
