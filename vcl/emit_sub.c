/*
 * emit_sub.c - statements as C: a function for each sub.
 *
 * Each statement stands in braces of its own, so that the C compiler can
 * use the stack of what one needs for the next: a sub runs on a fiber.
 */
#include "emit.h"

struct emitter {
	struct vcc_buf *b;
	unsigned depth;
	struct vcc_span shown; /* whose line of VCL was the last shown */
	unsigned part;         /* of a long sub, from 1; 0: the sub itself */
};

static void emit_block(struct emitter *, const struct vcc_stmt *);

static void
indent(struct emitter *em)
{
	for (unsigned i = 0; i < em->depth && i < 20; i++)
		vcc_put(em->b, "\t", 1);
}

/* function(ctx, head, &header, and what comes after that */
static void
emit_header_call(struct vcc_buf *b, const char *function,
    const struct vcc_expr *header, const char *after)
{
	vcc_putf(b, "%s(ctx, %s, &", function, vcc_head(header->head)->c_name);
	vcc_emit_name(b, "header", header->number, header->text);
	vcc_puts(b, after);
}

enum { SHOWN_MAX = 72 };

/* The line of VCL as a comment, once for the statements that stand on it. */
static void
emit_vcl_line(struct emitter *em, struct vcc_span at)
{
	unsigned line = vcc_line(at);
	struct str text = str_trim(vcc_line_text(at.source, line));

	if (at.source == em->shown.source && line == vcc_line(em->shown))
		return;
	em->shown = at;
	indent(em);
	vcc_puts(em->b, "/* ");
	for (size_t i = 0; i < text.len && i < SHOWN_MAX; i++) {
		char ch = text.p[i];

		/* no end of the comment, no beginning of another */
		if (i > 0 && ((ch == '/' && text.p[i - 1] == '*') ||
				 (ch == '*' && text.p[i - 1] == '/')))
			vcc_puts(em->b, " ");
		/* C compilers warn of odd bytes; tabs could be in a string */
		vcc_put(em->b, ch < ' ' || ch > '~' ? "?" : &ch, 1);
	}
	vcc_puts(em->b, text.len > SHOWN_MAX ? "... */\n" : " */\n");
}

static void
emit_line(struct emitter *em, struct vcc_span at)
{
	vcc_putf(em->b, "#line %u ", vcc_line(at));
	vcc_emit_literal(em->b, str_from_z(at.source->path));
	vcc_puts(em->b, "\n");
}

/* vrt_at(ctx, "file:line") */
static void
emit_at(struct emitter *em, struct vcc_span at)
{
	struct vcc_buf where = {.mem = em->b->mem};

	vcc_putf(&where, "%s:%u", at.source->path, vcc_line(at));
	indent(em);
	vcc_puts(em->b, "vrt_at(ctx, ");
	vcc_emit_literal(em->b, str_of(where.p, where.len));
	vcc_puts(em->b, ");\n");
}

static void
emit_check(struct emitter *em)
{
	indent(em);
	vcc_puts(em->b, "if (vrt_failed(ctx))\n");
	em->depth++;
	indent(em);
	vcc_puts(em->b, "return VCL_RET_FAIL;\n");
	em->depth--;
}

static void
emit_set(struct emitter *em, const struct vcc_stmt *s)
{
	struct vcc_buf *b = em->b;
	const struct vcc_expr *to = s->target;
	bool is_blob = s->value->type == TYPE_BLOB && to->type == TYPE_BODY;

	emit_at(em, s->at);
	/* what failed is not set */
	if (s->value->may_fail) {
		indent(em);
		vcc_putf(b, "const VCL_%s value = ",
		    vcc_type_name(s->value->type));
		vcc_emit_expr(b, s->value);
		vcc_puts(b, ";\n\n");
		emit_check(em);
	}
	indent(em);
	if (to->kind == E_HEADER)
		emit_header_call(b, "vrt_hdr_set", to, ", ");
	else if (to->type == TYPE_BODY)
		vcc_putf(b, "vrt_w_%s(ctx, %s, ", to->var->c_name,
		    s->op == '=' ? "false" : "true");
	else
		vcc_putf(b, "vrt_w_%s(ctx, ", to->var->c_name);
	if (is_blob)
		vcc_puts(b, "vrt_blob_bytes(");
	if (s->value->may_fail)
		vcc_puts(b, "value");
	else
		vcc_emit_expr(b, s->value);
	vcc_puts(b, is_blob ? "));\n" : ");\n");
	emit_check(em);
}

static void
emit_unset(struct emitter *em, const struct vcc_stmt *s)
{
	const struct vcc_expr *of = s->target;

	indent(em);
	if (of->kind == E_HEADER)
		emit_header_call(em->b,
		    vcc_is_x_varnish(of) ? "vrt_ids_unset" : "vrt_hdr_unset",
		    of, ");\n");
	else
		vcc_putf(em->b, "vrt_u_%s(ctx);\n", of->var->c_name);
}

static void
emit_call(struct emitter *em, const struct vcc_stmt *s)
{
	indent(em);
	vcc_puts(em->b, "const enum vcl_ret ret = ");
	vcc_emit_sub_name(em->b, s->sub);
	vcc_puts(em->b, "(ctx);\n\n");
	indent(em);
	vcc_puts(em->b, "if (ret != VCL_RET_NONE)\n");
	em->depth++;
	indent(em);
	vcc_puts(em->b, "return ret;\n");
	em->depth--;
}

/* What the verdict takes with it. */
static void
emit_verdict_args(struct emitter *em, const struct vcc_stmt *s)
{
	struct vcc_buf *b = em->b;

	switch (s->verdict) {
	case VCL_RET_SYNTH:
	case VCL_RET_ERROR:
		if (s->arg[0] == NULL) /* "Backend fetch failed" */
			break;
		indent(em);
		vcc_puts(b, "vrt_set_synth(ctx, ");
		vcc_emit_expr(b, s->arg[0]);
		vcc_puts(b, ", ");
		if (s->arg[1])
			vcc_emit_expr(b, s->arg[1]);
		else
			vcc_puts(b, "(struct str){NULL, 0}");
		vcc_puts(b, ");\n");
		emit_check(em);
		break;
	case VCL_RET_PASS:
		if (s->arg[0] == NULL)
			break;
		indent(em);
		vcc_puts(b, "vrt_set_pass_ttl(ctx, ");
		vcc_emit_expr(b, s->arg[0]);
		vcc_puts(b, ");\n");
		emit_check(em);
		break;
	case VCL_RET_FAIL:
		indent(em);
		vcc_puts(b, "vrt_fail(ctx, ");
		if (s->arg[0])
			vcc_emit_expr(b, s->arg[0]);
		else
			vcc_puts(b, "VCL_S(\"return (fail)\")");
		vcc_puts(b, ");\n");
		break;
	case VCL_RET_VCL:
		indent(em);
		vcc_putf(b, "vrt_set_vcl(ctx, label_%u);\n", s->label);
		break;
	default:
		break;
	}
}

static void
emit_return(struct emitter *em, const struct vcc_stmt *s)
{
	/* which line decided is worth knowing, and costs one store */
	if (s->verdict != VCL_RET_NONE)
		emit_at(em, s->at);
	emit_verdict_args(em, s);
	indent(em);
	vcc_putf(em->b, "return %s;\n", vcc_verdict_id(s->verdict));
}

static void
emit_do(struct emitter *em, const struct vcc_stmt *s)
{
	emit_at(em, s->at);
	indent(em);
	if (s->value->type != TYPE_VOID || s->value->function->inlined)
		vcc_puts(em->b, "(void)");
	vcc_emit_expr(em->b, s->value);
	vcc_puts(em->b, ";\n");
	emit_check(em);
}

static void
emit_new(struct emitter *em, const struct vcc_stmt *s)
{
	emit_at(em, s->at);
	indent(em);
	vcc_putf(em->b, "%s(ctx, &object_%u, ", s->value->function->c_name,
	    s->symbol->number);
	vcc_emit_literal(em->b, s->name);
	vcc_emit_args(em->b, s->value);
	vcc_puts(em->b, ");\n");
	/* a constructor that forgot to say why */
	indent(em);
	vcc_putf(em->b, "if (object_%u == NULL && !vrt_failed(ctx))\n",
	    s->symbol->number);
	em->depth++;
	indent(em);
	vcc_putf(
	    em->b, "vrt_no_object(ctx, \"%.*s\");\n", STR_ARG(s->name));
	em->depth--;
	emit_check(em);
}

/*
 * A condition that may fail is asked about before its block is run, and
 * before the next condition.
 */
static void
emit_if(struct emitter *em, const struct vcc_stmt *s)
{
	struct vcc_buf *b = em->b;
	bool failed = false; /* may the condition before have? */

	for (const struct vcc_arm *a = s->arm; a; a = a->next) {
		if (a == s->arm && a->cond->may_fail)
			emit_at(em, a->cond->at);
		if (a == s->arm)
			indent(em);
		else {
			indent(em);
			vcc_puts(b, "} else ");
		}
		if (failed) {
			vcc_puts(b, "if (vrt_failed(ctx)) {\n");
			indent(em);
			vcc_puts(b, "\treturn VCL_RET_FAIL;\n");
			indent(em);
			vcc_puts(b, "} else ");
		}
		if (a->cond) {
			vcc_puts(b, "if (");
			vcc_emit_condition(b, a->cond);
			vcc_puts(b, ") {\n");
			em->depth++;
			if (a->cond->may_fail)
				emit_check(em);
			em->depth--;
		} else
			vcc_puts(b, "{\n");
		failed = a->cond && a->cond->may_fail;
		emit_block(em, a->body);
	}
	indent(em);
	if (failed) {
		vcc_puts(b, "} else if (vrt_failed(ctx)) {\n");
		indent(em);
		vcc_puts(b, "\treturn VCL_RET_FAIL;\n");
		indent(em);
	}
	vcc_puts(b, "}\n");
}

static void
emit_stmt(struct emitter *em, const struct vcc_stmt *s)
{
	bool braces = s->kind == S_SET || s->kind == S_CALL ||
		      s->kind == S_DO || s->kind == S_NEW ||
		      s->kind == S_BLOCK ||
		      (s->kind == S_RETURN && s->verdict != VCL_RET_NONE);

	emit_vcl_line(em, s->at);
	emit_line(em, s->at);
	if (braces) {
		indent(em);
		vcc_puts(em->b, "{\n");
		em->depth++;
	}
	switch (s->kind) {
	case S_SET:
		emit_set(em, s);
		break;
	case S_UNSET:
		emit_unset(em, s);
		break;
	case S_CALL:
		emit_call(em, s);
		break;
	case S_RETURN:
		emit_return(em, s);
		break;
	case S_IF:
		emit_if(em, s);
		break;
	case S_DO:
		emit_do(em, s);
		break;
	case S_NEW:
		emit_new(em, s);
		break;
	case S_BLOCK:
		em->depth--;
		emit_block(em, s->body);
		em->depth++;
		break;
	}
	if (braces) {
		em->depth--;
		indent(em);
		vcc_puts(em->b, "}\n");
	}
}

static void
emit_block(struct emitter *em, const struct vcc_stmt *s)
{
	em->depth++;
	for (; s; s = s->next)
		emit_stmt(em, s);
	em->depth--;
}

/*
 * What the C compiler needs for a function grows with the square of its
 * length: 3000 rules in one take half a minute.  So a long sub is cut,
 * between its outermost statements, into functions that it calls in turn.
 */
enum { PART_STATEMENTS = 40 };

static unsigned
count(const struct vcc_stmt *s)
{
	unsigned n = 0;

	for (; s; s = s->next) {
		n += 1 + count(s->body);
		for (const struct vcc_arm *a = s->arm; a; a = a->next)
			n += 1 + count(a->body);
	}
	return n;
}

/* A bare return leaves the sub, which a part could not tell. */
static bool
has_bare_return(const struct vcc_stmt *s)
{
	for (; s; s = s->next) {
		if ((s->kind == S_RETURN && s->verdict == VCL_RET_NONE) ||
		    has_bare_return(s->body))
			return true;
		for (const struct vcc_arm *a = s->arm; a; a = a->next) {
			if (has_bare_return(a->body))
				return true;
		}
	}
	return false;
}

/* Does a sub have parts? */
static bool
is_long(const struct vcc_sub *s)
{
	unsigned n = 0;

	for (const struct vcc_piece *p = s->piece; p; p = p->next) {
		if (has_bare_return(p->body))
			return false;
		n += count(p->body);
	}
	return n > 2 * PART_STATEMENTS;
}

static void
emit_head(struct emitter *em, const struct vcc_sub *s, struct vcc_span at)
{
	vcc_puts(em->b, "\n");
	emit_line(em, at);
	vcc_puts(em->b, em->part ? "static __attribute__((noinline)) "
				   "enum vcl_ret\n"
				 : "static enum vcl_ret\n");
	vcc_emit_sub_name(em->b, s);
	if (em->part)
		vcc_putf(em->b, "_part_%u", em->part);
	vcc_puts(em->b, "(struct vcl_ctx *ctx)\n{\n\t(void)ctx;\n");
}

static const char tail[] = "\treturn VCL_RET_NONE;\n}\n";

/* The parts as functions; their number. */
static unsigned
emit_parts(struct vcc_buf *b, const struct vcc_sub *sub)
{
	struct emitter em = {.b = b, .depth = 1};

	for (const struct vcc_piece *p = sub->piece; p; p = p->next) {
		const struct vcc_stmt *s = p->body;

		while (s) {
			unsigned n = 0;

			em.part++;
			emit_head(&em, sub, s->at);
			for (; s && n < PART_STATEMENTS; s = s->next) {
				emit_stmt(&em, s);
				n += 1 + count(s->body);
				for (const struct vcc_arm *a = s->arm; a;
				     a = a->next)
					n += count(a->body);
			}
			vcc_puts(b, tail);
		}
	}
	return em.part;
}

void
vcc_emit_sub(struct vcc_buf *b, const struct vcc_sub *s)
{
	struct emitter em = {.b = b};
	unsigned part_n = is_long(s) ? emit_parts(b, s) : 0;

	emit_head(&em, s, s->piece->at);
	if (part_n > 0) {
		vcc_puts(b, "\tenum vcl_ret ret;\n\n");
		for (unsigned i = 1; i <= part_n; i++) {
			vcc_puts(b, "\tret = ");
			vcc_emit_sub_name(b, s);
			vcc_putf(b,
			    "_part_%u(ctx);\n"
			    "\tif (ret != VCL_RET_NONE)\n"
			    "\t\treturn ret;\n",
			    i);
		}
	} else {
		for (const struct vcc_piece *p = s->piece; p; p = p->next) {
			vcc_putf(b, "\t/* in %s */\n",
			    p->at.source->builtin ? "builtin.vcl" : "your VCL");
			emit_block(&em, p->body);
		}
	}
	vcc_puts(b, tail);
}
