/*
 * param_cmd.c - param.show, param.set, param.reset.
 */
#include <math.h>
#include <string.h>

#include "child.h"
#include "param_cmd.h"
#include "params.h"

enum { NAME_WIDTH = 29, DOC_WIDTH = 64 };

static const struct {
	unsigned bit;
	const char *json, *note;
} flags[] = {
#define PARAM_FLAG(name, bit, json, note, sentence) {name, json, note},
#include "tbl/param_flags.h"
#undef PARAM_FLAG
};

enum { FLAG_N = sizeof(flags) / sizeof(flags[0]) };

/* Prose, folded, each line behind eight spaces. */
static void
fold(const char *text, struct cli_answer *out)
{
	while (*text != '\0') {
		size_t len = strlen(text), cut = len;

		if (len > DOC_WIDTH) {
			for (cut = DOC_WIDTH; cut > 0 && text[cut] != ' ';)
				cut--;
			if (cut == 0) /* one long word */
				cut = strcspn(text, " ");
		}
		cli_out(out, "        %.*s\n", (int)cut, text);
		text += cut;
		text += strspn(text, " ");
	}
}

static void
show_value(const struct param_info *p, struct cli_answer *out)
{
	char text[PARAM_TEXT_MAX];

	param_text(p, text);
	cli_out_str(out, str_from_z(text));
	if (p->unit[0] != '\0')
		cli_out(out, " [%s]", p->unit);
	if (param_is_default(p))
		cli_out_str(out, STR(" (default)"));
	cli_out_str(out, STR("\n"));
}

static void
show_line(const struct param_info *p, struct cli_answer *out)
{
	cli_out(out, "%-*s ", NAME_WIDTH, p->name);
	show_value(p, out);
}

static void
show_note(const char *note, struct cli_answer *out)
{
	cli_out_str(out, STR("\n"));
	fold(note, out);
}

static void
show_long(const struct param_info *p, struct cli_answer *out)
{
	char text[PARAM_TEXT_MAX];

	cli_out(out, "%s\n        Value is: ", p->name);
	show_value(p, out);
	param_default_text(p, text);
	if (!param_is_default(p))
		cli_out(out, "        Default is: %s\n", text);
	if (param_min_text(p, text))
		cli_out(out, "        Minimum is: %s\n", text);
	if (param_max_text(p, text))
		cli_out(out, "        Maximum is: %s\n", text);
	show_note(p->doc, out);
	for (unsigned i = 0; i < FLAG_N; i++) {
		if ((p->flags & flags[i].bit) && flags[i].note != NULL)
			show_note(flags[i].note, out);
	}
	if (param_is_locked(p))
		show_note("NB: It is read-only (-r).", out);
	cli_out_str(out, STR("\n"));
}

static void
json_field(const char *name, const char *value, struct cli_answer *out)
{
	cli_out(out, ",\n    \"%s\": ", name);
	cli_json_str(out, str_from_z(value));
}

static void
json_value(const struct param_info *p, struct cli_answer *out)
{
	const char *at = (const char *)params + p->offset;

	cli_out_str(out, STR(",\n    \"value\": "));
	switch (p->kind) {
	case PARAM_IS_DURATION:
		if (isinf(*(const double *)at))
			cli_out_str(out, STR("\"never\""));
		else
			cli_out(out, "%.3f", *(const double *)at);
		break;
	case PARAM_IS_BYTES:
		cli_out(out, "%llu", (unsigned long long)*(const uint64_t *)at);
		break;
	case PARAM_IS_UINT:
		cli_out(out, "%u", *(const uint32_t *)at);
		break;
	case PARAM_IS_BOOL:
		cli_out_str(
		    out, *(const bool *)at ? STR("true") : STR("false"));
		break;
	case PARAM_IS_STRING:
		cli_json_str(out, str_from_z(at));
		break;
	}
}

static void
show_json(const struct param_info *p, struct cli_answer *out)
{
	char text[PARAM_TEXT_MAX];
	bool first = true;

	cli_out(out,
	    ",\n  {\n    \"name\": \"%s\",\n"
	    "    \"implemented\": true",
	    p->name);
	json_value(p, out);
	if (p->unit[0] != '\0')
		json_field("units", p->unit, out);
	param_default_text(p, text);
	json_field("default", text, out);
	if (param_min_text(p, text))
		json_field("minimum", text, out);
	if (param_max_text(p, text))
		json_field("maximum", text, out);
	json_field("description", p->doc, out);
	cli_out_str(out, STR(",\n    \"flags\": ["));
	for (unsigned i = 0; i < FLAG_N; i++) {
		if (!(p->flags & flags[i].bit) || flags[i].json == NULL)
			continue;
		cli_out(
		    out, "%s\n      \"%s\"", first ? "" : ",", flags[i].json);
		first = false;
	}
	cli_out(out, "%s]\n  }", first ? "" : "\n    ");
}

static void
show(
    const struct param_info *p, bool json, bool is_long, struct cli_answer *out)
{
	if (json)
		show_json(p, out);
	else if (is_long)
		show_long(p, out);
	else
		show_line(p, out);
}

static void
unknown(const char *name, struct cli_answer *out)
{
	cli_fail(out, CLI_PARAM, "Unknown parameter \"%s\".", name);
}

static void
compat_json(const char *name, unsigned n, char *const *word,
    struct cli_answer *out)
{
	cli_json_begin(out, n, word);
	cli_out(out, ",\n  {\n    \"name\": \"%s\",\n"
	    "    \"implemented\": false\n  }", name);
	cli_json_end(out);
}

/*
 * Is the parameter that is to be changed one that only Varnish has?  Scripts
 * made for it go on: it is answered, and nothing else is done.
 */
static bool
is_compat(const char *name, bool json, unsigned n, char *const *word,
    struct cli_answer *out)
{
	const char *why = param_compat_reason(name);

	if (why == NULL || param_find(name) != NULL)
		return false;
	if (json)
		compat_json(name, n, word, out);
	else
		cli_out(out, "%s has no effect: %s", name, why);
	return true;
}

static void
show_compat(const char *name, bool json, unsigned n, char *const *word,
    struct cli_answer *out)
{
	const char *why = param_compat_reason(name);

	if (why == NULL)
		unknown(name, out);
	else if (json)
		compat_json(name, n, word, out);
	else
		cli_out(out, "%s\n        Not available: %s.\n", name, why);
}

void
param_cmd_show(bool json, unsigned n, char *const *word, struct cli_answer *out)
{
	const struct param_info *one = NULL;
	bool is_long = false, changed = false;
	unsigned at = json ? 2 : 1;

	if (at < n && !json && !strcmp(word[at], "-l")) {
		is_long = true;
		at++;
	}
	if (n - at > 1) {
		cli_fail(out, CLI_TOO_MANY, "Too many parameters\n");
		return;
	}
	if (at < n && !strcmp(word[at], "changed")) {
		changed = true;
	} else if (at < n) {
		one = param_find(word[at]);
		if (one == NULL) {
			show_compat(word[at], json, n, word, out);
			return;
		}
		is_long = true;
	}
	if (json)
		cli_json_begin(out, n, word);
	for (unsigned i = 0; i < param_n; i++) {
		const struct param_info *p = &param_info[i];

		if ((one == NULL || one == p) &&
		    (!changed || !param_is_default(p)))
			show(p, json, is_long, out);
	}
	if (json)
		cli_json_end(out);
}

/* The parameter, if it may be changed; NULL: out says why not. */
static const struct param_info *
changeable(const char *name, struct cli_answer *out)
{
	const struct param_info *p = param_find(name);

	if (p == NULL) {
		unknown(name, out);
	} else if (param_is_locked(p)) {
		cli_fail(out, CLI_AUTH, "parameter \"%s\" is protected.", name);
		p = NULL;
	}
	return p;
}

static bool
features_changeable(const char *set, struct cli_answer *out)
{
	const struct param_info *p;

	for (unsigned i = 0; (p = param_of_feature(set, i)) != NULL; i++)
		if (changeable(p->name, out) == NULL)
			return false;
	return true;
}

static void
say_changed(const struct param_info *p, bool json, unsigned n,
    char *const *word, struct cli_answer *out)
{
	if (json) {
		cli_json_begin(out, n, word);
		show_json(p, out);
		cli_json_end(out);
	} else if ((p->flags & P_RESTART) && child_is_running()) {
		cli_out_str(out,
		    STR("\n"
			"Change will take effect when child is restarted"));
	} else if (p->flags & P_RELOAD) {
		cli_out_str(out,
		    STR("\n"
			"Change will take effect when VCL script is reloaded"));
	}
}

void
param_cmd_set(bool json, unsigned n, char *const *word, struct cli_answer *out)
{
	unsigned at = json ? 2 : 1;
	const char *name = word[at], *value = word[at + 1];
	const struct param_info *p;
	char err[PARAM_ERR_MAX];

	if (param_is_features(name)) {
		if (!features_changeable(name, out))
			return;
		if (!param_set_features(name, value, err))
			cli_fail(out, CLI_PARAM, "%s", err);
		else if (json)
			compat_json(name, n, word, out);
		return;
	}
	if (is_compat(name, json, n, word, out))
		return;
	p = changeable(name, out);
	if (p == NULL)
		return;
	if (!param_set_text(p, value, err)) {
		cli_fail(out, CLI_PARAM,
		    "%s\n\n(attempting to set param '%s' to '%s')", err, name,
		    value);
		return;
	}
	say_changed(p, json, n, word, out);
}

void
param_cmd_reset(
    bool json, unsigned n, char *const *word, struct cli_answer *out)
{
	const char *name = word[json ? 2 : 1];
	const struct param_info *p;

	if (param_is_features(name)) {
		if (!features_changeable(name, out))
			return;
		for (unsigned i = 0; (p = param_of_feature(name, i)) != NULL;
		     i++)
			param_reset(p);
		if (json)
			compat_json(name, n, word, out);
		return;
	}
	if (is_compat(name, json, n, word, out))
		return;
	p = changeable(name, out);
	if (p == NULL)
		return;
	param_reset(p);
	say_changed(p, json, n, word, out);
}
