/*
 * vclprog_list.c - vcl.list, vcl.deps and vcl.show.
 *
 * What the worker alone knows, who runs what, is asked for once a list.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "vclprog_impl.h"

/* ------------------------------------------------ what the worker says */

struct ref {
	char name[VCLPROG_NAME_MAX + 1];
	char temperature[8];
	long busy;
	bool discarded;
};

struct refs {
	struct ref *ref;
	unsigned n;
	unsigned next; /* where the next one asked for will likely be */
};

/* n is 0 when no worker runs, or it does not answer. */
static void
ask_refs(struct refs *refs)
{
	struct cli_answer a;
	unsigned lines = 0;
	const char *p;

	*refs = (struct refs){0};
	cli_answer_init(&a);
	if (child_is_running() &&
	    child_ask_words(&a, "vcl.refs", NULL) == CLI_OK && a.p != NULL) {
		for (p = a.p; (p = strchr(p, '\n')) != NULL; p++)
			lines++;
		refs->ref = calloc(lines + 1, sizeof(*refs->ref));
	}
	p = a.p;
	for (unsigned i = 0; refs->ref != NULL && i < lines; i++) {
		struct ref *r = &refs->ref[refs->n];
		char state[16];

		if (sscanf(p, "%127s %ld %15s %7s", r->name, &r->busy, state,
			r->temperature) == 4) {
			r->discarded = !strcmp(state, "discarded");
			refs->n++;
		}
		p = strchr(p, '\n') + 1;
	}
	cli_answer_free(&a);
}

/* NULL: unknown */
static const struct ref *
find_ref(struct refs *refs, const char *name)
{
	/* the worker has them in nearly the same order */
	for (unsigned i = 0; i < refs->n; i++) {
		unsigned at = (refs->next + i) % refs->n;

		if (refs->ref[at].discarded || strcmp(refs->ref[at].name, name))
			continue;
		refs->next = at + 1;
		return &refs->ref[at];
	}
	return NULL;
}

/* ------------------------------------------------------------- vcl.list */

struct row {
	const char *status, *state, *temperature, *name;
	long busy;       /* -1: unknown */
	const char *to;  /* of a label: its program */
	unsigned refs;   /* that depend on it */
};

static unsigned
count(const struct vcldeps *refs)
{
	const struct vcldep *d;
	unsigned n = 0;

	TAILQ_FOREACH(d, refs, in_to)
		n++;
	return n;
}

static void
row_json(const struct row *r, struct cli_answer *out)
{
	cli_out(out,
	    ",\n  {\n    \"status\": \"%s\",\n"
	    "    \"state\": \"%s\",\n    \"temperature\": \"%s\",\n",
	    r->status, r->state, r->temperature);
	if (r->busy >= 0)
		cli_out(out, "    \"busy\": %ld,\n", r->busy);
	cli_out(out, "    \"name\": \"%s\"", r->name);
	if (r->to != NULL) {
		cli_out(out, ",\n    \"label\": {\n      \"name\": \"%s\"",
		    r->to);
		if (r->refs > 0)
			cli_out(out, ",\n      \"refs\": %u", r->refs);
		cli_out_str(out, STR("\n    }"));
	} else if (r->refs > 0) {
		cli_out(out, ",\n    \"labels\": %u", r->refs);
	}
	cli_out_str(out, STR("\n}"));
}

static void
row_text(const struct row *r, int width, struct cli_answer *out)
{
	char busy[24] = "-";

	if (r->busy >= 0)
		snprintf(busy, sizeof(busy), "%ld", r->busy);
	cli_out(out, "%-11s %-7s %-6s %7s    %-*s", r->status, r->state,
	    r->temperature, busy,
	    r->to != NULL || r->refs > 0 ? width : 0, r->name);
	if (r->to != NULL)
		cli_out(out, "    ->    %s", r->to);
	if (r->to != NULL && r->refs > 0)
		cli_out(out, " (%u return(vcl)%s)", r->refs,
		    r->refs > 1 ? "'s" : "");
	else if (r->refs > 0)
		cli_out(out, "    <-    (%u label%s)", r->refs,
		    r->refs > 1 ? "s" : "");
	cli_out_str(out, STR("\n"));
}

static struct row
row_of(struct vclprog *p, struct refs *refs)
{
	const struct ref *r = find_ref(refs, p->name);
	struct row row = {
	    .status = p == vclprog_active() ? "active" : "available",
	    .state = p->state,
	    .temperature = p->warm ? "warm" : "cold",
	    .name = p->name,
	    .busy = -1,
	    .refs = count(&p->refs),
	};

	if (vclprog_is_label(p)) {
		row.to = vclprog_target(p)->name;
		row.busy = 0;
	} else if (r != NULL) {
		row.busy = r->busy;
		row.temperature = r->temperature;
	}
	return row;
}

void
vclprog_list(bool json, unsigned n, char *const *word, struct cli_answer *out)
{
	struct refs refs;
	struct vclprog *p;
	size_t width = 0;

	ask_refs(&refs);
	if (json)
		cli_json_begin(out, n, word);
	TAILQ_FOREACH(p, &vclprogs, list)
	{
		if (strlen(p->name) > width)
			width = strlen(p->name);
	}
	TAILQ_FOREACH(p, &vclprogs, list)
	{
		struct row row = row_of(p, &refs);

		if (json)
			row_json(&row, out);
		else
			row_text(&row, (int)width, out);
	}
	/* gone but for requests that still use them */
	for (unsigned i = 0; i < refs.n; i++) {
		const struct ref *r = &refs.ref[i];
		struct row row = {"discarded", "auto", r->temperature, r->name,
		    r->busy, NULL, 0};

		if (!r->discarded)
			continue;
		if (json)
			row_json(&row, out);
		else
			row_text(&row, (int)width, out);
	}
	if (json)
		cli_json_end(out);
	free(refs.ref);
}

/* ------------------------------------------------------------- vcl.deps */

static void
deps_json(const struct vclprog *p, struct cli_answer *out)
{
	const struct vcldep *d;
	const char *sep = "\n";

	cli_out(out, ",\n  {\n    \"name\": \"%s\",\n    \"deps\": [",
	    p->name);
	TAILQ_FOREACH(d, &p->deps, in_from)
	{
		cli_out(out, "%s      \"%s\"", sep, d->to->name);
		sep = ",\n";
	}
	cli_out_str(
	    out, TAILQ_EMPTY(&p->deps) ? STR("]\n  }") : STR("\n    ]\n  }"));
}

void
vclprog_deps(bool json, unsigned n, char *const *word, struct cli_answer *out)
{
	const struct vcldep *d;
	struct vclprog *p;
	size_t width = 0;

	TAILQ_FOREACH(p, &vclprogs, list)
	{
		if (strlen(p->name) > width)
			width = strlen(p->name);
	}
	if (json)
		cli_json_begin(out, n, word);
	TAILQ_FOREACH(p, &vclprogs, list)
	{
		if (json)
			deps_json(p, out);
		else if (TAILQ_EMPTY(&p->deps))
			cli_out(out, "%s\n", p->name);
		else
			TAILQ_FOREACH(d, &p->deps, in_from)
				cli_out(out, "%-*s    %s\n", (int)width,
				    p->name, d->to->name);
	}
	if (json)
		cli_json_end(out);
}

/* ------------------------------------------------------------- vcl.show */

void
vclprog_show(const char *name, bool all, struct cli_answer *out)
{
	struct vclprog *p =
	    name == NULL ? vclprog_active() : vclprog_find(name);
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
	snprintf(path, sizeof(path), "%s/source", vclprog_target(p)->dir);
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
