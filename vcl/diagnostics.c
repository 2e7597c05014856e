/*
 * diagnostics.c - errors, warnings and notes, with the line that is meant.
 */
#include "diagnostics.h"

#include "compiler.h"

enum {
	LINE_SHOWN_MAX = 160, /* bytes of a source line in a message */
	NAME_MAX_LEN = 63,    /* of names that are compared for likeness */
};

/*
 * A piece of a source line: tabs as spaces to the next multiple of eight,
 * what could steer a terminal as '?'.  Returns the column reached.
 */
static unsigned
put_visible(struct vcc_buf *b, struct str s, unsigned column)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch == '\t') {
			do
				vcc_put(b, " ", 1);
			while (++column % 8 != 0);
		} else if (ch < 0x20 || ch == 0x7f) {
			vcc_put(b, "?", 1);
			column++;
		} else {
			vcc_put(b, (const char *)&ch, 1);
			column += (ch & 0xc0) != 0x80;
		}
	}
	return column;
}

static void
put_repeated(struct vcc_buf *b, char ch, unsigned n)
{
	while (n-- > 0)
		vcc_put(b, &ch, 1);
}

/* The line and, below it, carets under the span. */
static void
put_line(struct vcc *c, struct vcc_buf *b, struct vcc_span at)
{
	struct str line = vcc_line_text(at.source, vcc_line(at));
	size_t from = at.at - at.source->line_at[vcc_line(at) - 1];
	size_t to = from + (at.len ? at.len : 1);
	struct vcc_buf nowhere = {.mem = &c->mem};
	unsigned begin, end;

	if (from > line.len)
		from = line.len;
	if (to > line.len)
		to = line.len;
	if (from > LINE_SHOWN_MAX / 2) {
		/* only the neighbourhood, from the start of a character */
		size_t cut = from - LINE_SHOWN_MAX / 2;

		while (cut > 0 && (line.p[cut] & 0xc0) == 0x80)
			cut--;
		line = str_of(line.p + cut, line.len - cut);
		from -= cut;
		to -= cut;
	}
	if (line.len > LINE_SHOWN_MAX) {
		line.len = LINE_SHOWN_MAX;
		while (line.len > 0 && (line.p[line.len] & 0xc0) == 0x80)
			line.len--;
	}
	if (to > line.len)
		to = line.len;
	if (from > to)
		from = to;
	vcc_puts(b, "  ");
	put_visible(b, line, 0);
	vcc_puts(b, "\n  ");
	begin = put_visible(&nowhere, str_of(line.p, from), 0);
	end = put_visible(&nowhere, str_of(line.p + from, to - from), begin);
	put_repeated(b, ' ', begin);
	put_repeated(b, '^', end > begin ? end - begin : 1);
	vcc_puts(b, "\n");
}

static void
put_message(struct vcc *c, struct vcc_span at, const char *kind,
    const char *fmt, va_list ap)
{
	struct vcc_buf *b = &c->messages;
	struct vcc_buf text = {.mem = &c->mem};

	if (at.source)
		vcc_putf(b, "%s:%u:%u: ", at.source->path, vcc_line(at),
		    vcc_column(at));
	vcc_putf(b, "%s: ", kind);
	vcc_vputf(&text, fmt, ap);
	if (text.len > 0)
		put_visible(b, str_of(text.p, text.len), 0);
	vcc_puts(b, "\n");
	if (at.source == NULL)
		return;
	put_line(c, b, at);
	for (at = at.source->included_at; at.source;
	     at = at.source->included_at)
		vcc_putf(b, "  included from %s:%u\n", at.source->path,
		    vcc_line(at));
}

void
vcc_error(struct vcc *c, struct vcc_span at, const char *fmt, ...)
{
	va_list ap;

	c->quiet = c->stop;
	if (c->stop)
		return;
	va_start(ap, fmt);
	put_message(c, at, "error", fmt, ap);
	va_end(ap);
	if (++c->error_n >= VCC_ERROR_MAX) {
		vcc_puts(&c->messages, "too many errors; giving up\n");
		c->stop = true;
	}
}

void
vcc_warning(struct vcc *c, struct vcc_span at, const char *fmt, ...)
{
	bool is_error = c->options->warnings_are_errors;
	va_list ap;

	c->quiet = c->stop || (!is_error && c->warning_n >= VCC_ERROR_MAX);
	if (c->quiet)
		return;
	va_start(ap, fmt);
	put_message(c, at, is_error ? "error" : "warning", fmt, ap);
	va_end(ap);
	if (!is_error)
		c->warning_n++;
	else if (++c->error_n >= VCC_ERROR_MAX)
		c->stop = true;
}

void
vcc_note(struct vcc *c, struct vcc_span at, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	put_message(c, at, "note", fmt, ap);
	va_end(ap);
}

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance, without regard to ASCII case. */
static unsigned
edit_distance(struct str a, struct str b)
{
	unsigned row[NAME_MAX_LEN + 1], corner, above;

	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		corner = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			bool same = str_caseeq(
			    str_of(a.p + i - 1, 1), str_of(b.p + j - 1, 1));

			above = row[j];
			row[j] =
			    least(row[j] + 1, row[j - 1] + 1, corner + !same);
			corner = above;
		}
	}
	return row[b.len];
}

struct vcc_nearest
vcc_nearest(struct str wanted)
{
	/* a third of the name may be wrong, one letter always */
	return (struct vcc_nearest){
	    wanted, STR_NULL, (unsigned)wanted.len / 3 + 2};
}

void
vcc_nearest_try(struct vcc_nearest *n, struct str candidate)
{
	unsigned distance;
	size_t a = n->wanted.len, b = candidate.len;

	if (a > NAME_MAX_LEN || b > NAME_MAX_LEN || a == 0 || b == 0 ||
	    (a > b ? a - b : b - a) >= n->distance)
		return;
	distance = edit_distance(n->wanted, candidate);
	if (distance < n->distance && distance < a) {
		n->distance = distance;
		n->best = candidate;
	}
}

const char *
vcc_did_you_mean(struct vcc *c, const struct vcc_nearest *n)
{
	if (n->best.p == NULL)
		return "";
	return vcc_printf(&c->mem, "; did you mean '%.*s'?", STR_ARG(n->best));
}
