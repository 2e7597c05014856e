/*
 * calls.c - who calls whom, and what that forbids.
 *
 * Recursion is refused, and so are chains of calls that are too long for a
 * fiber's stack.  Then each sub is marked with the built-in subs that reach
 * it, and its uses are compared with where they are allowed.
 */
#include "compiler.h"

enum { UNDER_WAY = 1, DONE = 2 };

/* false after an error: it was reported, more would only repeat it */
static bool
measure(struct vcc *c, struct vcc_sub *s, unsigned depth)
{
	s->visit = UNDER_WAY;
	s->height = 1;
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

static void
judge(struct vcc *c, const struct vcc_sub *s, const struct vcc_use *use)
{
	unsigned bad = s->reached_from & ~use->allowed;

	if (bad == 0)
		return;
	if (use->harmless) {
		vcc_warning(
		    c, use->at, "%s in %s", use->what, vcc_mask_text(c, bad));
		return;
	}
	vcc_error(c, use->at, "%s in %s; it can be in %s", use->what,
	    vcc_mask_text(c, bad), vcc_mask_text(c, use->allowed));
	if (s->id < 0)
		vcc_note(c, (struct vcc_span){0}, "'%.*s' is called from %s",
		    STR_ARG(s->name), vcc_mask_text(c, bad));
}

/* What a 'return' allows is better told from the sub's side. */
static void
list_verdicts(struct vcc *c, const struct vcc_sub *s, const struct vcc_use *use)
{
	struct vcc_buf b = {.mem = &c->mem};
	unsigned bad = s->reached_from & ~use->allowed;
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
warn_unused(struct vcc *c)
{
	for (struct vcc_sub *s = c->sub; s; s = s->next) {
		if (s->reached_from == 0 && !s->in_builtin)
			vcc_warning(c, s->piece->at,
			    "sub '%.*s' is never called", STR_ARG(s->name));
	}
	if (c->default_backend)
		c->default_backend->used = true;
	for (struct vcc_symbol *s = c->symbols.first; s; s = s->next) {
		if (!s->used && s->kind == SYMBOL_BACKEND)
			vcc_warning(c, s->at, "backend '%.*s' is never used",
			    STR_ARG(s->name));
		if (!s->used && s->kind == SYMBOL_ACL)
			vcc_warning(c, s->at, "acl '%.*s' is never used",
			    STR_ARG(s->name));
	}
	for (struct vcc_symbol *s = c->probes_by_name.first; s; s = s->next) {
		if (!s->used && !str_eq(s->name, STR("default")))
			vcc_warning(c, s->at, "probe '%.*s' is never used",
			    STR_ARG(s->name));
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
	warn_unused(c);
}
