/*
 * regex.c - regular expressions that are constants.
 *
 * They are compiled here only to find their mistakes while the source is at
 * hand; the worker compiles them again, for itself, when it loads the
 * program.  Each different one is kept once.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <limits.h>
#include <pcre2.h>

#include "compiler.h"

/* Where in the source the offset of a pattern is. */
static struct vcc_span
place(const struct vcc_expr *e, size_t offset)
{
	const struct str text = e->at.source->text;
	struct vcc_span at = e->at;

	/* a pattern that was put together from several strings is elsewhere */
	if (e->text.p < text.p || e->text.p >= text.p + text.len)
		return at;
	at.at = (uint32_t)(e->text.p - text.p + (ptrdiff_t)offset);
	at.len = 1;
	return at;
}

static bool
check_pattern(struct vcc *c, const struct vcc_expr *e)
{
	int code;
	PCRE2_SIZE offset;
	PCRE2_UCHAR why[256];
	pcre2_code *compiled = pcre2_compile(
	    (PCRE2_SPTR)e->text.p, e->text.len, 0, &code, &offset, NULL);

	pcre2_code_free(compiled);
	if (compiled)
		return true;
	if (pcre2_get_error_message(code, why, sizeof(why)) < 0)
		why[0] = '\0';
	vcc_error(c, place(e, offset), "in the regular expression: %s%s", why,
	    e->text.p[0] == '*' ? "; it is no glob: any text is '.*', a dot "
				  "'\\.'"
				: "");
	return false;
}

unsigned
vcc_regex_number(struct vcc *c, const struct vcc_expr *e)
{
	bool is_new;
	unsigned number =
	    vcc_intern(c, &c->regexes, e->text, c->regex_n, &is_new);

	if (!is_new)
		return number;
	c->regex = vcc_grow(&c->mem, c->regex, c->regex_n, sizeof(*c->regex));
	c->regex[c->regex_n++] = (struct vcc_regex){e->text, e->at};
	return check_pattern(c, e) ? number : UINT_MAX;
}
