/*
 * manual.c - the manual page that a module's description makes.
 *
 * Prose is paragraphs, with blank lines between them; lines that are indented
 * further than the first one of their text are shown as they are.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <time.h>

#include "manual.h"

enum { WRAP_AT = 78 };

/* Of the word at i, as put_text() writes it. */
static unsigned
word_columns(struct str s, size_t i)
{
	unsigned n = 1;

	for (; i < s.len && s.p[i] != ' '; i++)
		n += s.p[i] == '"' ? 4 : s.p[i] == '-' ? 2 : 1;
	return n;
}

/* Text that roff must not read as a request, an escape or a hyphen. */
static void
put_text(struct vcc_buf *b, struct str s, bool wrap)
{
	unsigned column = 0;

	for (size_t i = 0; i < s.len; i++, column++) {
		const char *as = NULL;
		char ch = s.p[i];

		if (column == 0 && (ch == '.' || ch == '\''))
			vcc_puts(b, "\\&");
		if (ch == '\\')
			as = "\\e";
		else if (ch == '-')
			as = "\\-";
		else if (ch == '"')
			as = "\\(dq";
		else if (ch == '\t')
			as = "\\et"; /* roff has none in filled text */
		else if (ch == ' ' && wrap &&
		    column + word_columns(s, i + 1) >= WRAP_AT) {
			as = "\n";
			column = (unsigned)-1;
		}
		if (as) {
			vcc_puts(b, as);
			column += as[0] == '\\' ? (unsigned)strlen(as) - 1 : 0;
		} else
			vcc_put(b, &ch, 1);
	}
}

static void
put_line(struct vcc_buf *b, struct str s)
{
	put_text(b, s, true);
	vcc_puts(b, "\n");
}

/* The next line, without its end; false: there is none. */
static bool
next_line(struct str *text, struct str *line)
{
	const char *end;

	if (text->len == 0)
		return false;
	end = memchr(text->p, '\n', text->len);
	*line = str_of(text->p, end ? (size_t)(end - text->p) : text->len);
	text->p += line->len + (end != NULL);
	text->len -= line->len + (end != NULL);
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* In columns, of a line with tabs; *rest: what is behind it. */
static unsigned
indent_of(struct str line, struct str *rest)
{
	unsigned column = 0;
	size_t i = 0;

	for (; i < line.len; i++) {
		if (line.p[i] == '\t')
			column = (column / 8 + 1) * 8;
		else if (line.p[i] == ' ')
			column++;
		else
			break;
	}
	*rest = str_of(line.p + i, line.len - i);
	return column;
}

static void
put_spaces(struct vcc_buf *b, unsigned n)
{
	while (n-- > 0)
		vcc_put(b, " ", 1);
}

/* paragraph: the request that begins another one */
static void
put_prose(struct vcc_buf *b, struct str prose, const char *paragraph)
{
	struct str line, rest;
	unsigned margin = 0, indent;
	bool any = false, shown = false, gap = false;

	while (next_line(&prose, &line)) {
		/* comments, and the restriction */
		if (line.len > 0 && line.p[0] != ' ' && line.p[0] != '\t')
			continue;
		indent = indent_of(line, &rest);
		if (rest.len == 0) {
			gap = any;
			continue;
		}
		if (!any)
			margin = indent;
		if (shown && indent <= margin)
			vcc_puts(b, ".EE\n.in\n");
		else if (shown && gap)
			vcc_puts(b, "\n");
		if (!shown && indent > margin)
			vcc_puts(b, ".sp\n.in +4n\n.EX\n");
		else if (gap && indent <= margin)
			vcc_putf(b, "%s\n", paragraph);
		else if (shown && indent <= margin)
			vcc_puts(b, ".sp\n");
		gap = false;
		any = true;
		shown = indent > margin;
		if (shown) {
			put_spaces(
			    b, indent - margin > 8 ? indent - margin - 8 : 0);
			put_text(b, rest, false);
			vcc_puts(b, "\n");
		} else
			put_line(b, rest);
	}
	if (shown)
		vcc_puts(b, ".EE\n.in\n");
}

/* A function, method or constructor, with what is said of it. */
static void
put_function(struct vcc *c, struct vcc_buf *b, const char *head,
    const struct vcc_function *f)
{
	vcc_puts(b, ".TP\n.B ");
	/* a second line would be its text */
	put_text(b, str_from_z(head), false);
	vcc_puts(b, "\n");
	if (f->restriction.p) {
		vcc_puts(b, "In subs: ");
		put_text(b, f->restriction, true);
		vcc_puts(b, ".\n.br\n");
	}
	(void)c;
	put_prose(b, f->doc, ".IP");
}

static void
put_object(struct vcc *c, struct vcc_buf *b, const struct vcc_object *o)
{
	const char *text = vcc_function_text(c, o->init);

	/* its result is no VOID, but the object */
	text = strchr(text, ' ') + 1;
	put_function(c, b,
	    vcc_printf(
		&c->mem, "new x = %.*s.%s", STR_ARG(o->module->name), text),
	    o->init);
	for (const struct vcc_function *f = o->method; f; f = f->next) {
		text = vcc_function_text(c, f);
		put_function(c, b,
		    vcc_printf(&c->mem, "%.*s x.%s", (int)strcspn(text, " "),
			text, strchr(text, ' ') + 1),
		    f);
	}
}

static void
put_upper(struct vcc_buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char ch =
		    (char)(s.p[i] >= 'a' && s.p[i] <= 'z' ? s.p[i] - 'a' + 'A'
							  : s.p[i]);

		vcc_put(b, &ch, 1);
	}
}

/*
 * That of the description, or what builds say that are to give the same
 * files every time.
 */
static time_t
date_of(const struct vcc_module *m)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct stat st;

	if (epoch != NULL && *epoch != '\0')
		return (time_t)strtoll(epoch, NULL, 10);
	return m->path != NULL && stat(m->path, &st) == 0 ? st.st_mtime : 0;
}

static void
put_title(struct vcc_buf *b, const struct vcc_module *m)
{
	time_t t = date_of(m);
	struct tm tm;
	char date[32] = "";

	if (gmtime_r(&t, &tm) != NULL)
		strftime(date, sizeof date, "%Y-%m-%d", &tm);
	vcc_puts(b, ".TH VMOD_");
	put_upper(b, m->name);
	vcc_putf(b, " 3 \"%s\" \"\" \"VCL modules\"\n", date);
}

void
manual_write(struct vcc *c, struct vcc_buf *b, const struct vcc_module *m)
{
	put_title(b, m);
	vcc_putf(b, ".SH NAME\nvmod_%.*s \\- ", STR_ARG(m->name));
	put_line(b, m->summary.p ? m->summary : STR("a module for VCL"));
	vcc_putf(b, ".SH SYNOPSIS\n.nf\nimport %.*s", STR_ARG(m->name));
	vcc_puts(b, ";\n.fi\n");
	if (m->doc.len > 0) {
		vcc_puts(b, ".SH DESCRIPTION\n");
		put_prose(b, m->doc, ".PP");
	}
	if (m->function)
		vcc_puts(b, ".SH FUNCTIONS\n");
	for (const struct vcc_function *f = m->function; f; f = f->next)
		put_function(c, b, vcc_function_text(c, f), f);
	if (m->object)
		vcc_puts(b, ".SH OBJECTS\n");
	for (const struct vcc_object *o = m->object; o; o = o->next)
		put_object(c, b, o);
	vcc_puts(b, ".SH SEE ALSO\n.BR vcl (7),\n.BR copald (1)\n");
}
