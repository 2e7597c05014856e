/*
 * lint_regex.c - warnings about regular expressions that can't match.
 *
 * An alternative of the outermost level is read as a row of items; '^' after
 * one that takes a character, and a character other than a newline after '$',
 * are impossible.  What is in groups is not looked at, and a pattern with
 * options or verbs, which may change what '^' and '$' mean, not at all.
 */
#include "compiler.h"

struct reader {
	struct str p;
	size_t i;
	bool took; /* surely a character, since the alternative began */
	bool at_end;
};

/* Behind the group or class that begins at i. */
static size_t
skip_class(struct str p, size_t i)
{
	i++;
	if (i < p.len && p.p[i] == '^')
		i++;
	if (i < p.len && p.p[i] == ']')
		i++;
	for (; i < p.len && p.p[i] != ']'; i++) {
		if (p.p[i] == '\\')
			i++;
		else if (p.p[i] == '[' && i + 1 < p.len && p.p[i + 1] == ':') {
			/* [:name:] */
			for (i += 2; i + 1 < p.len; i++) {
				if (p.p[i] == ':' && p.p[i + 1] == ']')
					break;
			}
			i++;
		}
	}
	return i + 1;
}

static size_t
skip_group(struct str p, size_t i)
{
	unsigned depth = 0;

	while (i < p.len) {
		if (p.p[i] == '\\')
			i += 2;
		else if (p.p[i] == '[')
			i = skip_class(p, i);
		else {
			depth += p.p[i] == '(';
			if (p.p[i++] == ')' && --depth == 0)
				return i;
		}
	}
	return i;
}

/* Takes a quantifier; may the item before it be absent? */
static bool
skip_quantifier(struct reader *r)
{
	bool optional = false;
	char ch = r->i < r->p.len ? r->p.p[r->i] : '\0';

	if (ch == '*' || ch == '?' || ch == '+') {
		optional = ch != '+';
		r->i++;
	} else if (ch == '{') {
		/* {n}, {n,m}; else a brace, which is rare: no certainty */
		optional = true;
		while (r->i < r->p.len && r->p.p[r->i] != '}')
			r->i++;
		r->i += r->i < r->p.len;
	}
	while (r->i < r->p.len && (r->p.p[r->i] == '?' || r->p.p[r->i] == '+'))
		r->i++;
	return optional;
}

/* An item begins with ch; why it can't match, NULL: it may. */
static const char *
read_item(struct reader *r, char ch)
{
	bool character = true; /* surely one, and no newline */

	if (ch == '\\') {
		char next = r->i + 1 < r->p.len ? r->p.p[r->i + 1] : '\0';

		/* \. and the like; letters and digits have other meanings */
		character = next != '\0' && strchr("./-+?*()[]{}|^$:&=", next);
		r->i += 2;
	} else if (ch == '[') {
		r->i = skip_class(r->p, r->i);
		if (!skip_quantifier(r))
			r->took = true;
		return NULL;
	} else if (ch == '(') {
		r->i = skip_group(r->p, r->i);
		character = false;
	} else
		r->i++;
	if (skip_quantifier(r) || !character || ch == '\n')
		return NULL;
	if (r->at_end)
		return "nothing comes after '$', the end";
	r->took = true;
	return NULL;
}

static const char *
why_never(struct str p)
{
	struct reader r = {.p = p};
	const char *why = NULL;

	if (memmem(p.p, p.len, "(?", 2) || memmem(p.p, p.len, "(*", 2) ||
	    memmem(p.p, p.len, "\\Q", 2))
		return NULL;
	while (r.i < p.len && why == NULL) {
		char ch = p.p[r.i];

		if (ch == '|') {
			r.took = r.at_end = false;
			r.i++;
		} else if (ch == '^') {
			if (r.took)
				why = "nothing comes before '^', the start";
			r.i++;
		} else if (ch == '$') {
			r.at_end = true;
			r.i++;
			if (skip_quantifier(&r))
				r.at_end = false;
		} else
			why = read_item(&r, ch);
	}
	return why;
}

void
vcc_lint_regexes(struct vcc *c)
{
	for (unsigned i = 0; i < c->regex_n; i++) {
		const char *why = why_never(c->regex[i].pattern);

		if (why && !c->regex[i].at.source->builtin)
			vcc_warning(c, c->regex[i].at,
			    "this regular expression, or a part of it, never "
			    "matches: %s",
			    why);
	}
}
