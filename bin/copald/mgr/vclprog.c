/*
 * vclprog.c - the VCL programs that the manager knows: see vclprog.h.
 *
 * What the CLI calls state is what was asked for (auto, warm, cold); the
 * temperature is what the program is.  They differ for auto: it is warm
 * from its load until vcl_cooldown after another one took its place.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "child.h"
#include "compile.h"
#include "mgr.h"
#include "params.h"
#include "state.h"
#include "vclprog.h"

struct vclprog {
	TAILQ_ENTRY(vclprog) list;
	char name[VCLPROG_NAME_MAX + 1];
	char dir[COMPILE_PATH_MAX];
	const char *state; /* "auto", "warm", "cold" */
	bool warm;
	nsec_t cool_at; /* auto and not active: when it becomes cold */
};

static TAILQ_HEAD(, vclprog) programs = TAILQ_HEAD_INITIALIZER(programs);
static struct vclprog *active;
static unsigned program_n;

static struct vclprog *
find(const char *name)
{
	struct vclprog *p;

	TAILQ_FOREACH(p, &programs, list)
	{
		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static struct vclprog *
find_or_fail(const char *name, struct cli_answer *out)
{
	struct vclprog *p = find(name);

	if (p == NULL)
		cli_fail(out, CLI_PARAM, "No VCL named %s known\n", name);
	return p;
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
check_name(const char *name, struct cli_answer *out)
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

static void
forget(struct vclprog *p)
{
	TAILQ_REMOVE(&programs, p, list);
	program_n--;
	state_remove_dir(p->dir);
	free(p);
}

/* How the worker is told: cold is cold, all else follows its use. */
static const char *
worker_state(const struct vclprog *p)
{
	return !p->warm ? "cold" : p->state;
}

static bool
push_one(const struct vclprog *p, struct cli_answer *out)
{
	char so[COMPILE_PATH_MAX + 16];

	snprintf(so, sizeof(so), "%s/vcl.so", p->dir);
	return child_ask_words(out, "vcl.load", p->name, so, worker_state(p),
		   NULL) == CLI_OK;
}

void
vclprog_load(const char *name, const char *path, struct str text,
    const char *state_arg, struct cli_answer *out)
{
	const char *state = parse_state(state_arg, out);
	struct cli_answer refused;
	struct vclprog *p;

	if (state == NULL || !check_name(name, out))
		return;
	if (find(name) != NULL) {
		cli_fail(out, CLI_PARAM, "Already a VCL named %s", name);
		return;
	}
	if (program_n >= params->max_vcl) {
		cli_fail(out, CLI_CANT,
		    "Too many (%u) VCLs already loaded "
		    "(see max_vcl)\n",
		    program_n);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		cli_fail(out, CLI_CANT, "Out of memory\n");
		return;
	}
	strcpy(p->name, name);
	p->state = state;
	p->warm = strcmp(state, "cold") != 0;
	p->cool_at = NSEC_NEVER;
	if (!compile_vcl(name, path, text, p->dir, out)) {
		out->status = CLI_PARAM;
		free(p);
		return;
	}
	TAILQ_INSERT_TAIL(&programs, p, list);
	program_n++;
	cli_answer_init(&refused);
	if (child_is_running() && !push_one(p, &refused)) {
		cli_fail(out, refused.status, "%s", refused.p ? refused.p : "");
		forget(p);
	} else {
		cli_out_str(out, STR("VCL compiled.\n"));
	}
	cli_answer_free(&refused);
}

void
vclprog_use(const char *name, struct cli_answer *out)
{
	struct vclprog *p = find_or_fail(name, out), *old = active;
	bool was_warm;

	if (p == NULL || p == active)
		return;
	was_warm = p->warm;
	p->warm = true;
	if (child_is_running()) {
		/* its probes should run before its first request */
		if (!was_warm && child_ask_words(out, "vcl.state", p->name,
				     "warm", NULL) != CLI_OK) {
			p->warm = false;
			return;
		}
		if (child_ask_words(out, "vcl.use", p->name, NULL) != CLI_OK)
			return;
		if (out->len == 0)
			cli_out(out, "VCL '%s' now active", p->name);
	}
	if (!strcmp(p->state, "cold"))
		p->state = "auto";
	p->cool_at = NSEC_NEVER;
	active = p;
	if (old != NULL && !strcmp(old->state, "auto"))
		old->cool_at = clock_mono() + NSEC_S(params->vcl_cooldown);
}

static void
discard_one(struct vclprog *p, struct cli_answer *out)
{
	if (child_is_running() &&
	    child_ask_words(out, "vcl.discard", p->name, NULL) != CLI_OK)
		return;
	forget(p);
}

void
vclprog_discard(unsigned n, char *const *pattern, struct cli_answer *out)
{
	struct vclprog *p, *next;

	/* all or nothing: the checks come first */
	for (unsigned i = 0; i < n; i++) {
		bool found = false;

		TAILQ_FOREACH(p, &programs, list)
		{
			if (fnmatch(pattern[i], p->name, 0))
				continue;
			found = true;
			if (p == active) {
				cli_fail(out, CLI_CANT,
				    "Cannot discard "
				    "active VCL program %s\n",
				    p->name);
				return;
			}
		}
		if (!found) {
			cli_fail(out, CLI_PARAM, "No VCL name matches %s\n",
			    pattern[i]);
			return;
		}
	}
	for (p = TAILQ_FIRST(&programs); p != NULL; p = next) {
		next = TAILQ_NEXT(p, list);
		for (unsigned i = 0; i < n; i++) {
			if (fnmatch(pattern[i], p->name, 0))
				continue;
			discard_one(p, out);
			break;
		}
		if (out->status != CLI_OK)
			return;
	}
}

void
vclprog_set_state(const char *name, const char *text, struct cli_answer *out)
{
	const char *state = parse_state(text, out);
	struct vclprog *p = state == NULL ? NULL : find_or_fail(name, out);
	bool warm;

	if (p == NULL)
		return;
	warm = strcmp(state, "cold") != 0;
	if (p == active && !warm) {
		cli_fail(out, CLI_CANT, "Cannot set the active VCL cold.");
		return;
	}
	/* auto does not warm up what is cold: its use does */
	if (!strcmp(state, "auto") && !p->warm)
		warm = false;
	if (child_is_running() && child_ask_words(out, "vcl.state", p->name,
				      warm ? state : "cold", NULL) != CLI_OK)
		return;
	p->state = state;
	p->warm = warm;
	p->cool_at = !strcmp(state, "auto") && warm && p != active
			 ? clock_mono() + NSEC_S(params->vcl_cooldown)
			 : NSEC_NEVER;
}

nsec_t
vclprog_tick(nsec_t now)
{
	nsec_t next = NSEC_NEVER;
	struct cli_answer a;
	struct vclprog *p;

	TAILQ_FOREACH(p, &programs, list)
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

bool
vclprog_has_active(void)
{
	return active != NULL;
}

bool
vclprog_push(struct cli_answer *out)
{
	struct vclprog *p, *next;
	struct cli_answer a;

	for (p = TAILQ_FIRST(&programs); p != NULL; p = next) {
		next = TAILQ_NEXT(p, list);
		cli_answer_init(&a);
		if (!push_one(p, &a)) {
			if (p == active || a.status == CLI_COMMS) {
				cli_out_str(out, str_of(a.p, a.len));
				cli_answer_free(&a);
				return false;
			}
			mgr_say(LOG_ERR,
			    "VCL %s is left out: the worker "
			    "could not load it",
			    p->name);
			mgr_say_lines(LOG_ERR, "", a.p ? a.p : "");
			forget(p);
		}
		cli_answer_free(&a);
	}
	return active == NULL ||
	       child_ask_words(out, "vcl.use", active->name, NULL) == CLI_OK;
}

/* ------------------------------------------------------------- listing */

struct row {
	const char *status, *state, *temperature, *name;
	long busy; /* -1: unknown */
};

static void
list_row(const struct row *r, bool json, struct cli_answer *out)
{
	char busy[24] = "-";

	if (json) {
		cli_out(out,
		    ",\n  {\n    \"status\": \"%s\",\n"
		    "    \"state\": \"%s\",\n    \"temperature\": \"%s\",\n",
		    r->status, r->state, r->temperature);
		if (r->busy >= 0)
			cli_out(out, "    \"busy\": %ld,\n", r->busy);
		cli_out_str(out, STR("    \"name\": "));
		cli_json_str(out, str_from_z(r->name));
		cli_out_str(out, STR("\n}"));
		return;
	}
	if (r->busy >= 0)
		snprintf(busy, sizeof(busy), "%ld", r->busy);
	cli_out(out, "%-10s %5s %7s %9s    %s\n", r->status, r->state,
	    r->temperature, busy, r->name);
}

struct ref { /* a line of the worker's vcl.refs */
	char name[VCLPROG_NAME_MAX + 1];
	long busy;
	bool discarded;
};

/* Takes a line off *text; false at the end. */
static bool
next_ref(const char **text, struct ref *r)
{
	char state[32];

	while (*text != NULL && **text != '\0') {
		const char *line = *text;

		*text = strchr(line, '\n');
		if (*text != NULL)
			(*text)++;
		if (sscanf(line, "%127s %ld %31s", r->name, &r->busy, state) ==
		    3) {
			r->discarded = !strcmp(state, "discarded");
			return true;
		}
	}
	return false;
}

/* How many requests use the program; -1: unknown. */
static long
busy_of(const char *refs, const char *name)
{
	struct ref r;

	while (next_ref(&refs, &r)) {
		if (!r.discarded && !strcmp(r.name, name))
			return r.busy;
	}
	return -1;
}

/* Programs that are gone but for requests that still use them. */
static void
list_discarded(const char *refs, bool json, struct cli_answer *out)
{
	struct ref r;

	while (next_ref(&refs, &r)) {
		if (r.discarded)
			list_row(&(struct row){"discarded", "auto", "warm",
				     r.name, r.busy},
			    json, out);
	}
}

void
vclprog_list(bool json, unsigned n, char *const *word, struct cli_answer *out)
{
	struct cli_answer refs;
	struct vclprog *p;

	cli_answer_init(&refs);
	if (child_is_running() &&
	    child_ask_words(&refs, "vcl.refs", NULL) != CLI_OK)
		cli_answer_free(&refs);
	if (json)
		cli_json_begin(out, n, word);
	TAILQ_FOREACH(p, &programs, list)
	{
		struct row r = {p == active ? "active" : "available", p->state,
		    p->warm ? "warm" : "cold", p->name,
		    busy_of(refs.p, p->name)};

		list_row(&r, json, out);
	}
	list_discarded(refs.p, json, out);
	if (json)
		cli_json_end(out);
	cli_answer_free(&refs);
}

void
vclprog_show(const char *name, bool all, struct cli_answer *out)
{
	struct vclprog *p = name == NULL ? active : find(name);
	char path[COMPILE_PATH_MAX + 16], buf[1024];
	size_t len, n;
	FILE *f;

	if (p == NULL && name == NULL) {
		cli_fail(out, CLI_PARAM, "No active VCL\n");
		return;
	}
	if (p == NULL) {
		cli_fail(out, CLI_PARAM, "No VCL named '%s'", name);
		return;
	}
	snprintf(path, sizeof(path), "%s/source", p->dir);
	f = fopen(path, "re");
	if (f == NULL || fgets(buf, sizeof(buf), f) == NULL ||
	    sscanf(buf, "// VCL.SHOW 0 %zu ", &len) != 1) {
		cli_fail(out, CLI_CANT, "%s: %s\n", path, strerror(errno));
		if (f != NULL)
			fclose(f);
		return;
	}
	if (all) {
		cli_out_str(out, str_from_z(buf));
		len = CLI_ANSWER_MAX;
	}
	/* without -v: the first source alone */
	while (len > 0 && (n = fread(buf, 1,
			       len < sizeof(buf) ? len : sizeof(buf), f)) > 0) {
		cli_out_str(out, str_of(buf, n));
		len -= n;
	}
	fclose(f);
}
