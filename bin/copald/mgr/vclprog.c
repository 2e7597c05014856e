/*
 * vclprog.c - the VCL programs that the manager knows: see vclprog.h.
 *
 * What the CLI calls state is what was asked for (auto, warm, cold); the
 * temperature is what the program is.  They differ for auto: it is warm
 * from its load until vcl_cooldown after nothing used it any more, neither
 * vcl.use nor a label.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "mgr.h"
#include "params.h"
#include "state.h"
#include "vclprog_impl.h"

struct vclprogs vclprogs = TAILQ_HEAD_INITIALIZER(vclprogs);
static struct vclprog *active;
static unsigned program_n;

struct vclprog *
vclprog_active(void)
{
	return active;
}

struct vclprog *
vclprog_find(const char *name)
{
	struct vclprog *p;

	TAILQ_FOREACH(p, &vclprogs, list)
	{
		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

struct vclprog *
vclprog_find_or_fail(const char *name, struct cli_answer *out)
{
	struct vclprog *p = vclprog_find(name);

	if (p == NULL)
		cli_fail(out, CLI_PARAM, "No VCL named %s known\n", name);
	return p;
}

bool
vclprog_is_label(const struct vclprog *p)
{
	return p->dir[0] == '\0';
}

struct vclprog *
vclprog_target(struct vclprog *p)
{
	return vclprog_is_label(p) ? TAILQ_FIRST(&p->deps)->to : p;
}

const char *
vclprog_label_name(unsigned i)
{
	struct vclprog *p;

	TAILQ_FOREACH(p, &vclprogs, list)
	{
		if (vclprog_is_label(p) && i-- == 0)
			return p->name;
	}
	return NULL;
}

/* The static string; NULL with a message. */
static const char *
parse_state(const char *text, struct cli_answer *out)
{
	static const char *const states[] = {"auto", "warm", "cold"};

	for (int i = 0; i < 3; i++) {
		if (text == NULL || !strcmp(text, states[i]))
			return states[i];
	}
	cli_fail(out, CLI_PARAM, "State must be one of auto, cold or warm.");
	return NULL;
}

static bool
is_state(const struct vclprog *p, const char *state)
{
	return !strcmp(p->state, state);
}

bool
vclprog_check_name(const char *name, struct cli_answer *out)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char others[] = "0123456789_-";
	const char *p = name;

	for (; *p != '\0'; p++) {
		if (strchr(letters, *p) == NULL &&
		    (p == name || strchr(others, *p) == NULL))
			break;
	}
	if (*p != '\0' || p == name) {
		cli_fail(out, CLI_PARAM, "Illegal character in VCL name ('%c')",
		    p == name && *p == '\0' ? ' ' : *p);
		return false;
	}
	if (p - name > VCLPROG_NAME_MAX) {
		cli_fail(out, CLI_PARAM, "VCL name longer than %d characters",
		    VCLPROG_NAME_MAX);
		return false;
	}
	return true;
}

/* ---------------------------------------------------------- dependencies */

/* false: no memory */
bool
vclprog_depend(struct vclprog *from, struct vclprog *to)
{
	struct vcldep *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return false;
	d->from = from;
	d->to = to;
	TAILQ_INSERT_TAIL(&from->deps, d, in_from);
	TAILQ_INSERT_TAIL(&to->refs, d, in_to);
	return true;
}

void
vclprog_undepend(struct vcldep *d)
{
	TAILQ_REMOVE(&d->from->deps, d, in_from);
	TAILQ_REMOVE(&d->to->refs, d, in_to);
	free(d);
}

static bool
reaches(struct vclprog *p, const struct vclprog *to)
{
	const struct vcldep *d;

	if (p == to)
		return true;
	p->seen = true;
	TAILQ_FOREACH(d, &p->deps, in_from)
	{
		if (!d->to->seen && reaches(d->to, to))
			return true;
	}
	return false;
}

bool
vclprog_reaches(struct vclprog *p, const struct vclprog *to)
{
	struct vclprog *q;

	/* many ways may lead to one of them, which is looked at once */
	TAILQ_FOREACH(q, &vclprogs, list)
		q->seen = false;
	return reaches(p, to);
}

/* The labels that p's compiler found in it; false with a message. */
static bool
find_deps(struct vclprog *p, struct cli_answer *out)
{
	char path[COMPILE_PATH_MAX + 16], name[VCLPROG_NAME_MAX + 2];
	FILE *f;
	bool ok = true;

	snprintf(path, sizeof(path), "%s/labels", p->dir);
	f = fopen(path, "re");
	if (f == NULL) {
		cli_fail(out, CLI_CANT, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while (ok && fgets(name, sizeof(name), f) != NULL) {
		struct vclprog *label;

		name[strcspn(name, "\n")] = '\0';
		label = vclprog_find(name);
		if (label == NULL || !vclprog_is_label(label)) {
			/* it was there when the compiler looked */
			cli_fail(out, CLI_CANT, "There is no label %s now\n",
			    name);
			ok = false;
		} else if (!vclprog_depend(p, label)) {
			cli_fail(out, CLI_CANT, "Out of memory\n");
			ok = false;
		}
	}
	fclose(f);
	return ok;
}

struct vclprog *
vclprog_new(const char *name, const char *state, struct cli_answer *out)
{
	struct vclprog *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		cli_fail(out, CLI_CANT, "Out of memory\n");
		return NULL;
	}
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->state = state;
	p->warm = strcmp(state, "cold") != 0;
	p->cool_at = NSEC_NEVER;
	TAILQ_INIT(&p->deps);
	TAILQ_INIT(&p->refs);
	return p;
}

/* Nothing depends on p. */
void
vclprog_forget(struct vclprog *p)
{
	TAILQ_REMOVE(&vclprogs, p, list);
	while (!TAILQ_EMPTY(&p->deps))
		vclprog_undepend(TAILQ_FIRST(&p->deps));
	if (!vclprog_is_label(p)) {
		program_n--;
		state_remove_dir(p->dir);
	}
	free(p);
}

/* ------------------------------------------------------------ temperature */

static bool
in_use(struct vclprog *p)
{
	return p == active || !TAILQ_EMPTY(&p->refs);
}

/* A program's use may have changed: when does it become cold? */
void
vclprog_settle(struct vclprog *p)
{
	if (!p->warm || !is_state(p, "auto") || in_use(p))
		p->cool_at = NSEC_NEVER;
	else if (p->cool_at == NSEC_NEVER)
		p->cool_at = clock_mono() + NSEC_S(params->vcl_cooldown);
}

/* Before its use; false with a message. */
bool
vclprog_warm_up(struct vclprog *p, struct cli_answer *out)
{
	if (is_state(p, "cold")) {
		cli_fail(out, CLI_CANT,
		    "VCL '%s' is cold - set to auto or warm first", p->name);
		return false;
	}
	if (!p->warm && child_is_running() &&
	    child_ask_words(out, "vcl.state", p->name, "warm", NULL) != CLI_OK)
		return false;
	p->warm = true;
	return true;
}

nsec_t
vclprog_tick(nsec_t now)
{
	nsec_t next = NSEC_NEVER;
	struct cli_answer a;
	struct vclprog *p;

	TAILQ_FOREACH(p, &vclprogs, list)
	{
		if (p->cool_at <= now) {
			p->warm = false;
			p->cool_at = NSEC_NEVER;
			cli_answer_init(&a);
			if (child_is_running())
				(void)child_ask_words(
				    &a, "vcl.state", p->name, "cold", NULL);
			cli_answer_free(&a);
		}
		if (p->cool_at < next)
			next = p->cool_at;
	}
	return next;
}

/* ----------------------------------------------------------- the commands */

/* Gives it to the worker. */
static bool
push_one(struct vclprog *p, struct cli_answer *out)
{
	char so[COMPILE_PATH_MAX + 16];

	if (vclprog_is_label(p))
		return child_ask_words(out, "vcl.label", p->name,
			   vclprog_target(p)->name, NULL) == CLI_OK;
	snprintf(so, sizeof(so), "%s/vcl.so", p->dir);
	return child_ask_words(out, "vcl.load", p->name, so,
		   p->warm ? "warm" : "cold", NULL) == CLI_OK;
}

bool
vclprog_may_add(const char *name, const char *state, unsigned more,
    struct cli_answer *out)
{
	if (parse_state(state, out) == NULL || !vclprog_check_name(name, out))
		return false;
	if (vclprog_find(name) != NULL) {
		cli_fail(out, CLI_PARAM, "Already a VCL named %s", name);
		return false;
	}
	if (params->max_vcl_handling == VCL_TOO_MANY_REFUSED &&
	    program_n + more >= params->max_vcl) {
		cli_fail(out, CLI_CANT,
		    "Too many (%u) VCLs already loaded "
		    "(see max_vcl and max_vcl_handling)\n",
		    program_n + more);
		return false;
	}
	return true;
}

void
vclprog_add(const char *name, const char *dir, const char *state_arg,
    struct cli_answer *out)
{
	const char *state = parse_state(state_arg, out);
	struct cli_answer refused;
	struct vclprog *p = NULL;

	if (vclprog_find(name) != NULL)
		cli_fail(out, CLI_PARAM, "There is a label %s now\n", name);
	else
		p = vclprog_new(name, state, out);
	if (p == NULL) {
		state_remove_dir(dir);
		return;
	}
	snprintf(p->dir, sizeof(p->dir), "%s", dir);
	TAILQ_INSERT_TAIL(&vclprogs, p, list);
	program_n++;
	if (!find_deps(p, out)) {
		vclprog_forget(p);
		return;
	}
	cli_answer_init(&refused);
	if (child_is_running() && !push_one(p, &refused)) {
		cli_fail(out, refused.status, "%s", refused.p ? refused.p : "");
		vclprog_forget(p);
	} else {
		vclprog_settle(p);
		cli_out_str(out, STR("VCL compiled.\n"));
		if (params->max_vcl_handling == VCL_TOO_MANY_SAID &&
		    program_n > params->max_vcl)
			cli_out(out, "%u VCLs are loaded, more than max_vcl: "
			    "vcl.discard those that are old\n", program_n);
	}
	cli_answer_free(&refused);
}

void
vclprog_use(const char *name, struct cli_answer *out)
{
	struct vclprog *p = vclprog_find_or_fail(name, out), *old = active;
	struct vclprog *target;

	if (p == NULL || p == active)
		return;
	target = vclprog_target(p);
	if (!vclprog_warm_up(target, out))
		return;
	if (child_is_running()) {
		if (child_ask_words(out, "vcl.use", target->name, NULL) !=
		    CLI_OK) {
			vclprog_settle(target);
			return;
		}
		if (out->len == 0)
			cli_out(out, "VCL '%s' now active", p->name);
	}
	active = p;
	vclprog_settle(target);
	if (old != NULL)
		vclprog_settle(vclprog_target(old));
}

void
vclprog_set_state(const char *name, const char *text, struct cli_answer *out)
{
	struct vclprog *p = vclprog_find_or_fail(name, out);
	const char *state = p == NULL ? NULL : parse_state(text, out);
	bool warm;

	if (state == NULL)
		return;
	if (vclprog_is_label(p)) {
		cli_fail(out, CLI_PARAM, "Labels are always warm");
		return;
	}
	warm = strcmp(state, "cold") != 0;
	if (in_use(p) && !warm) {
		cli_fail(out, CLI_CANT, p == active
		    ? "Cannot set the active VCL cold."
		    : "A labeled VCL cannot be set cold");
		return;
	}
	/* auto does not warm up what is cold: its use does */
	if (!strcmp(state, "auto") && !p->warm)
		warm = false;
	if (warm != p->warm && child_is_running() &&
	    child_ask_words(out, "vcl.state", p->name, warm ? "warm" : "cold",
		NULL) != CLI_OK)
		return;
	p->state = state;
	p->warm = warm;
	vclprog_settle(p);
}

/* ---------------------------------------------------------- a new worker */

bool
vclprog_has_active(void)
{
	return active != NULL;
}

/* With what it depends on before it; the one that was refused, or NULL. */
static struct vclprog *
push(struct vclprog *p, struct cli_answer *out)
{
	struct vclprog *refused;
	struct vcldep *d;

	if (p->pushed)
		return NULL;
	TAILQ_FOREACH(d, &p->deps, in_from)
	{
		refused = push(d->to, out);
		if (refused != NULL)
			return refused;
	}
	p->pushed = push_one(p, out);
	return p->pushed ? NULL : p;
}

static void
leave_out(struct vclprog *p, const char *why)
{
	while (!TAILQ_EMPTY(&p->refs))
		leave_out(TAILQ_FIRST(&p->refs)->from, why);
	mgr_say(LOG_ERR, "VCL %s is left out: the worker could not load it",
	    p->name);
	mgr_say_lines(LOG_ERR, "", why);
	vclprog_forget(p);
}

bool
vclprog_push(struct cli_answer *out)
{
	struct vclprog *p, *refused;
	struct cli_answer a;

	TAILQ_FOREACH(p, &vclprogs, list)
		p->pushed = false;
	for (p = TAILQ_FIRST(&vclprogs); p != NULL;) {
		cli_answer_init(&a);
		refused = push(p, &a);
		if (refused == NULL) {
			p = TAILQ_NEXT(p, list);
		} else if (a.status == CLI_COMMS || (active != NULL &&
		    vclprog_reaches(active, refused))) {
			cli_out_str(out, str_of(a.p, a.len));
			cli_answer_free(&a);
			return false;
		} else {
			leave_out(refused, a.p ? a.p : "");
			p = TAILQ_FIRST(&vclprogs);
		}
		cli_answer_free(&a);
	}
	return active == NULL || child_ask_words(out, "vcl.use",
	    vclprog_target(active)->name, NULL) == CLI_OK;
}
