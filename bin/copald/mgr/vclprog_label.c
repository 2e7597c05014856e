/*
 * vclprog_label.c - labels: names for programs, which may be pointed at another
 * one; and vcl.discard, which has to look at what depends on what.
 */
#include <fnmatch.h>
#include <stdlib.h>

#include "child.h"
#include "params.h"
#include "vclprog_impl.h"

/* NULL with a message, or the label, which is new if it has no deps. */
static struct vclprog *
label_for(const char *name, struct cli_answer *out)
{
	struct vclprog *label = vclprog_find(name);
	unsigned n = 0;

	if (label != NULL && !vclprog_is_label(label)) {
		cli_fail(out, CLI_PARAM, "%s is not a label", name);
		return NULL;
	}
	if (label != NULL)
		return label;
	TAILQ_FOREACH(label, &vclprogs, list)
		n += vclprog_is_label(label);
	if (params->max_vcl_handling == VCL_TOO_MANY_REFUSED &&
	    n >= params->max_vcl) {
		cli_fail(out, CLI_CANT, "Too many (%u) labels already there "
		    "(see max_vcl and max_vcl_handling)\n", n);
		return NULL;
	}
	label = vclprog_new(name, "label", out);
	if (label != NULL)
		TAILQ_INSERT_TAIL(&vclprogs, label, list);
	return label;
}

/* Points it elsewhere; the worker too if it runs.  false with a message. */
static bool
point(struct vclprog *label, struct vclprog *to, struct cli_answer *out)
{
	struct vcldep *d = TAILQ_FIRST(&label->deps);
	struct vclprog *old = d != NULL ? d->to : NULL;

	if (!vclprog_depend(label, to)) {
		cli_fail(out, CLI_CANT, "Out of memory\n");
		return false;
	}
	if (child_is_running() &&
	    (child_ask_words(out, "vcl.label", label->name, to->name, NULL) !=
		    CLI_OK ||
		(label == vclprog_active() &&
		    child_ask_words(out, "vcl.use", to->name, NULL) !=
			CLI_OK))) {
		vclprog_undepend(TAILQ_LAST(&label->deps, vcldeps));
		return false;
	}
	if (d != NULL) {
		vclprog_undepend(d);
		vclprog_settle(old);
	}
	vclprog_settle(to);
	return true;
}

void
vclprog_label(const char *name, const char *target, struct cli_answer *out)
{
	struct vclprog *label, *to;

	if (!vclprog_check_name(name, out))
		return;
	to = vclprog_find_or_fail(target, out);
	if (to == NULL)
		return;
	if (vclprog_is_label(to)) {
		cli_fail(out, CLI_CANT, "VCL labels cannot point to labels");
		return;
	}
	label = label_for(name, out);
	if (label == NULL)
		return;
	if (vclprog_reaches(to, label)) {
		cli_fail(out, CLI_PARAM,
		    "Vcl %s uses Label %s\n"
		    "Pointing label %s at %s would create a loop",
		    target, name, name, target);
		return;
	}
	if ((!vclprog_warm_up(to, out) || !point(label, to, out)) &&
	    TAILQ_EMPTY(&label->deps))
		vclprog_forget(label);
}

/* --------------------------------------------------------------- discard */

/* Everything that matches a pattern is chosen; false with a message. */
static bool
choose(unsigned n, char *const *pattern, struct cli_answer *out)
{
	struct vclprog *p;

	TAILQ_FOREACH(p, &vclprogs, list)
		p->chosen = false;
	for (unsigned i = 0; i < n; i++) {
		bool found = false;

		TAILQ_FOREACH(p, &vclprogs, list)
		{
			if (fnmatch(pattern[i], p->name, 0))
				continue;
			p->chosen = found = true;
		}
		if (!found) {
			cli_fail(out, CLI_PARAM, "No VCL name matches %s\n",
			    pattern[i]);
			return false;
		}
	}
	return true;
}

/* Nothing but what is chosen too may depend on it. */
static bool
may_go(const struct vclprog *p, struct cli_answer *out)
{
	const struct vcldep *d;

	if (p == vclprog_active()) {
		cli_fail(out, CLI_CANT,
		    "Cannot discard active VCL program %s\n", p->name);
		return false;
	}
	TAILQ_FOREACH(d, &p->refs, in_to)
	{
		if (d->from->chosen)
			continue;
		if (out->status == CLI_OK)
			cli_fail(out, CLI_CANT, vclprog_is_label(p)
			    ? "Cannot discard VCL label %s, other VCLs "
			      "depend on it:\n"
			    : "Cannot discard labeled VCL program %s:\n",
			    p->name);
		cli_out(out, "\t%s\n", d->from->name);
	}
	return out->status == CLI_OK;
}

/* What depends on it goes first. */
static bool
discard(struct vclprog *p, struct cli_answer *out)
{
	struct vclprog *target = vclprog_target(p);

	while (!TAILQ_EMPTY(&p->refs)) {
		if (!discard(TAILQ_FIRST(&p->refs)->from, out))
			return false;
	}
	if (child_is_running() &&
	    child_ask_words(out, "vcl.discard", p->name, NULL) != CLI_OK)
		return false;
	vclprog_forget(p);
	if (target != p)
		vclprog_settle(target);
	return true;
}

void
vclprog_discard(unsigned n, char *const *pattern, struct cli_answer *out)
{
	struct vclprog *p;

	/* all or nothing: the checks come first */
	if (!choose(n, pattern, out))
		return;
	TAILQ_FOREACH(p, &vclprogs, list)
	{
		if (p->chosen && !may_go(p, out))
			return;
	}
	for (;;) {
		TAILQ_FOREACH(p, &vclprogs, list)
		{
			if (p->chosen)
				break;
		}
		if (p == NULL || !discard(p, out))
			return;
	}
}
