/*
 * check.c - walks all statements: names, types, who may do what.
 *
 * What is allowed only in some built-in subs is noted as a use of the sub it
 * stands in; calls.c judges it when it knows from where that sub is reached.
 */
#include "compiler.h"

static void check_block(struct vcc *, struct vcc_sub *, struct vcc_stmt *);

struct vcc_use *
vcc_use(struct vcc *c, struct vcc_sub *sub, struct vcc_span at,
    unsigned allowed, const char *what)
{
	struct vcc_use *use;

	use = vcc_alloc(&c->mem, sizeof(*use));
	use->at = at;
	use->allowed = allowed;
	use->what = what;
	*sub->use_end = use;
	sub->use_end = &use->next;
	return use;
}

void
vcc_edge(
    struct vcc *c, struct vcc_sub *from, struct vcc_sub *to, struct vcc_span at)
{
	struct vcc_edge *edge = vcc_alloc(&c->mem, sizeof(*edge));

	edge->to = to;
	edge->at = at;
	*from->edge_end = edge;
	from->edge_end = &edge->next;
}

/* A copy of a target that is read: for "set x += y". */
static struct vcc_expr *
target_value(struct vcc *c, struct vcc_sub *sub, const struct vcc_expr *name)
{
	struct vcc_expr *e = vcc_alloc(&c->mem, sizeof(*e));

	*e = *name;
	return vcc_check_name(c, sub, e, TYPE_MAX, VAR_READ);
}

static void
check_set(struct vcc *c, struct vcc_sub *sub, struct vcc_stmt *s)
{
	struct vcc_expr *name = vcc_alloc(&c->mem, sizeof(*name)), *old;
	struct vcc_expr *target, *value;
	enum vcc_type type, want;

	*name = *s->target;
	target = s->target = vcc_check_target(c, sub, s->target, VAR_WRITE);
	if (target == NULL)
		return;
	type = want = target->type;
	if (s->op != '=') {
		want = vcc_assign_operand(s->op, type);
		if (want == TYPE_MAX) {
			vcc_error(c, s->at, "'%c=' is not possible on %s",
			    (int)s->op, vcc_type_name(type));
			return;
		}
	}
	value = s->value = vcc_check_expr(c, sub, s->value, want);
	if (value == NULL || s->op == '=' || type == TYPE_BODY)
		return;
	old = target_value(c, sub, name);
	if (old == NULL)
		return;
	s->value = type == TYPE_STRING
		       ? vcc_concat_expr(c, old, value)
		       : vcc_arithmetic_expr(c, s->op, old, value);
}

static void
check_call(struct vcc *c, struct vcc_sub *sub, struct vcc_stmt *s)
{
	struct vcc_symbol *symbol = vcc_find_sub(c, s->name);
	struct vcc_nearest nearest = vcc_nearest(s->name);

	if (symbol) {
		s->sub = symbol->sub;
		vcc_edge(c, sub, s->sub, s->name_at);
		return;
	}
	vcc_nearest_symbol(c, &nearest, SYMBOL_SUB);
	vcc_error(c, s->name_at, "unknown sub '%.*s'%s", STR_ARG(s->name),
	    vcc_did_you_mean(c, &nearest));
}

static void
check_status(struct vcc *c, const struct vcc_expr *e)
{
	/* vcl-var(7): the last three digits are what is sent */
	if (e && e->kind == E_INT &&
	    (e->i < 0 || e->i > 65535 || e->i % 1000 < 100))
		vcc_warning(c, e->at,
		    "a status has three digits, from 100 on; this will fail");
}

/* The label must be there when the program is loaded. */
static void
check_label(struct vcc *c, struct vcc_stmt *s)
{
	struct vcc_nearest nearest = vcc_nearest(s->name);
	const char *known = NULL;

	for (unsigned i = 0; c->options->label != NULL; i++) {
		known = c->options->label(i);
		if (known == NULL || str_eq(s->name, str_from_z(known)))
			break;
		vcc_nearest_try(&nearest, str_from_z(known));
	}
	if (c->options->label != NULL && known == NULL)
		vcc_error(c, s->name_at, "unknown label '%.*s'%s",
		    STR_ARG(s->name), vcc_did_you_mean(c, &nearest));
	for (s->label = 0; s->label < c->label_n; s->label++) {
		if (str_eq(c->label[s->label], s->name))
			return;
	}
	c->label = vcc_grow(&c->mem, c->label, c->label_n, sizeof(*c->label));
	c->label[c->label_n++] = s->name;
}

static void
check_return(struct vcc *c, struct vcc_sub *sub, struct vcc_stmt *s)
{
	const char *word = vcc_verdict_word(s->verdict);
	enum vcc_type types[2] = {TYPE_INT, TYPE_STRING};
	struct vcc_use *use;

	if (s->verdict == VCL_RET_NONE) {
		if (sub->id >= 0)
			vcc_error(c, s->at,
			    "%.*s needs a verdict: "
			    "'return (...);'; without one it can leave only "
			    "subs of your own",
			    STR_ARG(sub->name));
		return;
	}
	use = vcc_use(c, sub, s->at, vcc_verdict_subs(s->verdict),
	    vcc_printf(&c->mem, "'return (%s)' is not allowed", word));
	if (s->verdict == VCL_RET_FETCH || s->verdict == VCL_RET_MISS) {
		use->older = 1u << VCL_SUB_HIT;
		use->instead = vcc_printf(&c->mem,
		    "'return (%s)' in vcl_hit is of older VCL: only what may "
		    "be delivered comes here; the object is fetched anew",
		    word);
	}
	if (vcc_verdict_args(s->verdict) == OPTIONAL_STRING)
		types[0] = TYPE_STRING;
	if (vcc_verdict_args(s->verdict) == OPTIONAL_DURATION)
		types[0] = TYPE_DURATION;
	for (unsigned i = 0; i < 2; i++) {
		if (s->arg[i])
			s->arg[i] = vcc_check_expr(c, sub, s->arg[i], types[i]);
	}
	if (s->verdict == VCL_RET_VCL)
		check_label(c, s);
	if (types[0] == TYPE_INT)
		check_status(c, s->arg[0]);
	if (s->verdict == VCL_RET_PASS && s->arg[0])
		vcc_use(c, sub, s->at, 1u << VCL_SUB_BACKEND_RESPONSE,
		    "the duration has no effect")
		    ->harmless = true;
}

static void
check_new(struct vcc *c, struct vcc_sub *sub, struct vcc_stmt *s)
{
	vcc_use(c, sub, s->at, 1u << VCL_SUB_INIT, "'new' is not allowed");
	s->value = vcc_check_new(c, sub, s->value);
}

/* A statement that is only a call. */
static void
check_do(struct vcc *c, struct vcc_sub *sub, struct vcc_stmt *s)
{
	struct vcc_expr *e = s->value;

	if (e->kind == E_CALL)
		s->value = vcc_check_call(c, sub, e);
	else {
		/* x.y().z(): its value would be lost */
		vcc_error(c, e->at, "nothing is done with this value");
		s->value = NULL;
	}
}

static void
check_stmt(struct vcc *c, struct vcc_sub *sub, struct vcc_stmt *s)
{
	switch (s->kind) {
	case S_SET:
		check_set(c, sub, s);
		break;
	case S_UNSET:
		s->target = vcc_check_target(c, sub, s->target, VAR_UNSET);
		break;
	case S_CALL:
		check_call(c, sub, s);
		break;
	case S_RETURN:
		check_return(c, sub, s);
		break;
	case S_IF:
		for (struct vcc_arm *a = s->arm; a; a = a->next) {
			if (a->cond)
				a->cond =
				    vcc_check_expr(c, sub, a->cond, TYPE_BOOL);
			check_block(c, sub, a->body);
		}
		break;
	case S_DO:
		check_do(c, sub, s);
		break;
	case S_NEW:
		check_new(c, sub, s);
		break;
	case S_BLOCK:
		check_block(c, sub, s->body);
		break;
	}
}

static void
check_block(struct vcc *c, struct vcc_sub *sub, struct vcc_stmt *s)
{
	for (; s && !c->stop; s = s->next)
		check_stmt(c, sub, s);
}

/* Is there a statement in it that may end the sub? */
static bool
leaves(const struct vcc_stmt *s)
{
	for (; s; s = s->next) {
		if (s->kind == S_RETURN || s->kind == S_CALL ||
		    (s->kind == S_BLOCK && leaves(s->body)))
			return true;
		for (const struct vcc_arm *a = s->arm; a; a = a->next) {
			if (leaves(a->body))
				return true;
		}
	}
	return false;
}

static void
find_object(struct vcc *c, struct vcc_stmt *s, bool certain)
{
	const struct str whole = s->value->text;
	const char *dot = memrchr(whole.p, '.', whole.len);
	struct vcc_symbol *m =
	    dot ? vcc_find(c, str_of(whole.p, (size_t)(dot - whole.p))) : NULL;

	s->symbol->certain = certain;
	if (m && m->kind == SYMBOL_MODULE)
		s->symbol->object = vcc_object_find(m->module,
		    str_of(dot + 1, whole.len - (size_t)(dot - whole.p) - 1));
}

/*
 * Which type an object has must be known before its methods are called; also,
 * whether there may be none: its 'new' is in an if, or behind a statement that
 * may leave the sub.  certain: what is here is run if the sub is; returns
 * whether what comes next is.
 */
static bool
find_objects(struct vcc *c, struct vcc_stmt *s, bool certain)
{
	bool next = certain;

	for (; s; s = s->next) {
		if (s->kind == S_BLOCK)
			next = find_objects(c, s->body, next);
		for (struct vcc_arm *a = s->arm; a; a = a->next) {
			find_objects(c, a->body, false);
			if (leaves(a->body))
				next = false;
		}
		if (s->kind == S_NEW && s->symbol)
			find_object(c, s, next);
		if (s->kind == S_RETURN || s->kind == S_CALL)
			next = false;
	}
	return next;
}

/* A backend's probe: by name, or the probe named default. */
static void
link_probes(struct vcc *c)
{
	struct vcc_symbol *def = vcc_find_probe(c, STR("default"));
	struct vcc_symbol *s;

	for (struct vcc_record *b = c->backend; b; b = b->next) {
		if (b->probe || b->none)
			continue;
		s = def;
		if (b->probe_name.p)
			s = vcc_find_probe(c, b->probe_name);
		if (b->probe_name.p && s == NULL) {
			struct vcc_nearest nearest = vcc_nearest(b->probe_name);

			vcc_nearest_symbol(c, &nearest, SYMBOL_PROBE);
			vcc_error(c, b->probe_at, "unknown probe '%.*s'%s",
			    STR_ARG(b->probe_name),
			    vcc_did_you_mean(c, &nearest));
		} else if (s) {
			s->used = true;
			b->probe = s->record;
		}
	}
}

static void
check_names_of_subs(struct vcc *c)
{
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		struct vcc_nearest nearest;

		if (!str_casestarts(s->name, STR("vcl_")) || s->in_builtin)
			continue;
		if (str_eq(s->name, STR("vcl_fetch")) ||
		    str_eq(s->name, STR("vcl_error"))) {
			vcc_error(c, s->piece->at,
			    "'%.*s' is VCL 3; it is %s "
			    "now",
			    STR_ARG(s->name),
			    s->name.p[4] == 'f'
				? "vcl_backend_response"
				: "vcl_synth or vcl_backend_error");
			continue;
		}
		nearest = vcc_nearest(s->name);
		for (struct vcc_sub *b = c->sub; b; b = b->next) {
			if (b->in_builtin)
				vcc_nearest_try(&nearest, b->name);
		}
		vcc_error(c, s->piece->at,
		    "there is no built-in sub '%.*s', "
		    "and names that begin with vcl_ are reserved for them%s",
		    STR_ARG(s->name), vcc_did_you_mean(c, &nearest));
	}
}

void
vcc_check(struct vcc *c)
{
	check_names_of_subs(c);
	if (c->backend_n == 0 && c->object_n == 0 && c->error_n == 0)
		vcc_error(c, (struct vcc_span){0},
		    "No backends or directors "
		    "found in VCL program, at least one is necessary.");
	link_probes(c);
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		bool certain = s->id == VCL_SUB_INIT;

		for (struct vcc_piece *p = s->piece; p; p = p->next)
			certain = find_objects(c, p->body, certain);
	}
	for (struct vcc_sub *s = c->sub; s && !c->stop; s = s->next) {
		for (struct vcc_piece *p = s->piece; p; p = p->next)
			check_block(c, s, p->body);
	}
}
