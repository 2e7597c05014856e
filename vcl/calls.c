/*
 * calls.c - who calls whom, and what that forbids.
 *
 * Recursion is refused, and so are chains of calls that are too long for a
 * fiber's stack.  Then each sub is marked with the built-in subs that reach
 * it, and its uses are compared with where they are allowed.
 */
#include "compiler.h"

enum {
	UNDER_WAY = 1,
	DONE = 2,
	/*
	 * of subs, in one run of a built-in one, if all conditions are true:
	 * ten calls in each of ten subs are ten billion, and take minutes
	 */
	CALLS_MAX = 1000000,
};

/* false after an error: it was reported, more would only repeat it */
static bool
measure(struct vcc *c, struct vcc_sub *s, unsigned depth)
{
	s->visit = UNDER_WAY;
	s->height = 1;
	s->calls = 1;
	for (struct vcc_edge *e = s->edge; e; e = e->next) {
		if (e->to->visit == UNDER_WAY) {
			vcc_error(c, e->at, "sub '%.*s' calls itself%s",
			    STR_ARG(e->to->name),
			    e->to == s ? "" : " by way of this sub");
			return false;
		}
		if (e->to->visit == 0 && depth < VCC_CALL_DEPTH_MAX &&
		    !measure(c, e->to, depth + 1))
			return false;
		if (e->to->visit == 0 || e->to->height >= VCC_CALL_DEPTH_MAX) {
			vcc_error(c, e->at, "subs call subs deeper than %d",
			    VCC_CALL_DEPTH_MAX);
			return false;
		}
		if (s->height <= e->to->height)
			s->height = e->to->height + 1;
		s->calls += e->to->calls;
		if (s->calls > CALLS_MAX) {
			vcc_error(c, e->at,
			    "sub '%.*s' may run more than %d calls",
			    STR_ARG(s->name), CALLS_MAX);
			return false;
		}
	}
	s->visit = DONE;
	return true;
}

static void
mark(struct vcc_sub *s, unsigned from, struct vcc_sub *caller)
{
	if (s->reached_from & from)
		return;
	s->reached_from |= from;
	if (caller)
		s->caller = caller;
	for (struct vcc_edge *e = s->edge; e; e = e->next)
		mark(e->to, from, s);
}

/* The classic: what is of the request, asked for in the fetch's subs. */
static const char *
use_hint(const struct vcc_use *use, unsigned bad)
{
	if ((bad & ~vcc_side_mask(STR("backend"))) == 0 &&
	    strncmp(use->what, "'req.", strlen("'req.")) == 0)
		return "; the fetch's copy of it is bereq";
	return "";
}

/* From where it is reached and must not be. */
static unsigned
not_allowed(const struct vcc_sub *s, const struct vcc_use *use)
{
	return s->reached_from & ~use->allowed & ~use->older;
}

static void
judge(struct vcc *c, const struct vcc_sub *s, const struct vcc_use *use)
{
	unsigned bad = not_allowed(s, use);

	if (s->reached_from & use->older)
		vcc_warning(c, use->at, "%s", use->instead);
	if (bad == 0)
		return;
	if (use->harmless) {
		vcc_warning(
		    c, use->at, "%s in %s", use->what, vcc_mask_text(c, bad));
		return;
	}
	vcc_error(c, use->at, "%s in %s; it can be in %s%s", use->what,
	    vcc_mask_text(c, bad), vcc_mask_text(c, use->allowed),
	    use_hint(use, bad));
	if (s->id < 0)
		vcc_note(c, (struct vcc_span){0}, "'%.*s' is called from %s",
		    STR_ARG(s->name), vcc_mask_text(c, bad));
}

/* What a 'return' allows is better told from the sub's side. */
static void
list_verdicts(struct vcc *c, const struct vcc_sub *s, const struct vcc_use *use)
{
	struct vcc_buf b = {.mem = &c->mem};
	unsigned bad = not_allowed(s, use);
	const char *word;

	if (bad == 0 || strncmp(use->what, "'return (", 9) != 0)
		return;
	for (int v = 1; (word = vcc_verdict_word(v)); v++) {
		if ((vcc_verdict_subs(v) & bad) == bad)
			vcc_putf(&b, "%s%s", b.len ? ", " : "", word);
	}
	vcc_note(c, (struct vcc_span){0}, "allowed there: %s",
	    b.p ? b.p : "nothing");
}

static void
is_unused(struct vcc *c, const char *what, struct str name, struct vcc_span at)
{
	if (c->options->unused_is_error)
		vcc_error(c, at,
		    "%s '%.*s' is never used; 'unused %.*s;' says that this "
		    "is meant",
		    what, STR_ARG(name), STR_ARG(name));
	else
		vcc_warning(
		    c, at, "%s '%.*s' is never used", what, STR_ARG(name));
}

static void
find_unused(struct vcc *c)
{
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		if (s->reached_from == 0 && !s->in_builtin &&
		    !vcc_find_sub(c, s->name)->used)
			is_unused(c, "sub", s->name, s->piece->at);
	}
	if (c->default_backend)
		c->default_backend->used = true;
	for (struct vcc_symbol *s = c->symbols.first; s; s = s->next) {
		if (!s->used && s->kind == SYMBOL_BACKEND)
			is_unused(c, "backend", s->name, s->at);
		if (!s->used && s->kind == SYMBOL_ACL)
			is_unused(c, "acl", s->name, s->at);
	}
	for (struct vcc_symbol *s = c->probes_by_name.first; s; s = s->next) {
		if (!s->used && !str_caseeq(s->name, STR("default")))
			is_unused(c, "probe", s->name, s->at);
	}
}

void
vcc_check_calls(struct vcc *c)
{
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		if (s->visit == 0 && !measure(c, s, 1))
			return;
	}
	for (unsigned id = 0; id < VCL_SUB_MAX; id++) {
		if (c->builtin[id])
			mark(c->builtin[id], 1u << id, NULL);
	}
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		for (struct vcc_use *use = s->use; use; use = use->next) {
			judge(c, s, use);
			list_verdicts(c, s, use);
		}
	}
	find_unused(c);
}
