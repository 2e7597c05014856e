/*
 * cli.c - the administrator's protocol: see cli.h.  Words and commands here,
 * answers in cli_answer.c.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/*
 * Decodes one escape sequence; *p is behind the backslash and is moved behind
 * the sequence.  The byte, or -1.
 */
static int
unescape(const char **p, const char *end)
{
	int value = 0, digits = 0;

	if (*p == end)
		return -1;
	switch (*(*p)++) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '"':
		return '"';
	case '\\':
		return '\\';
	case 'x':
		for (; digits < 2 && *p < end; digits++, (*p)++) {
			char c = **p;

			if (c >= '0' && c <= '9')
				value = value * 16 + c - '0';
			else if (c >= 'a' && c <= 'f')
				value = value * 16 + c - 'a' + 10;
			else if (c >= 'A' && c <= 'F')
				value = value * 16 + c - 'A' + 10;
			else
				return -1;
		}
		return digits == 2 && value > 0 ? value : -1;
	default:
		(*p)--;
		for (; digits < 3 && *p < end; digits++, (*p)++) {
			if (**p < '0' || **p > '7')
				return -1;
			value = value * 8 + **p - '0';
		}
		return digits == 3 && value > 0 && value < 256 ? value : -1;
	}
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' ||
	       c == '\f';
}

/*
 * Copies one word from *p to out and moves both on.  NULL, or what is wrong.
 */
static const char *
take_word(const char **p, const char *end, char **out)
{
	bool quoted = **p == '"';

	if (quoted)
		(*p)++;
	while (*p < end && (quoted ? **p != '"' : !is_space(**p))) {
		int c = (unsigned char)*(*p)++;

		if (c == 0)
			return "NUL byte in a command";
		if (!quoted && c == '"')
			return "Incorrectly quoted string";
		if (c == '\\' && quoted) {
			c = unescape(p, end);
			if (c < 0)
				return "Invalid backslash sequence";
		}
		*(*out)++ = (char)c;
	}
	*(*out)++ = '\0';
	if (!quoted)
		return NULL;
	if (*p == end)
		return "Missing '\"'";
	(*p)++;
	if (*p < end && !is_space(**p))
		return "Incorrectly quoted string";
	return NULL;
}

void
cli_words_parse(struct str line, struct cli_words *w)
{
	const char *p = line.p, *end = line.p + line.len;
	char **word, *out;
	/* a word takes a byte and a space: so many can there be */
	size_t room = line.len / 2 + 2;

	*w = (struct cli_words){0};
	if (room > CLI_WORDS_MAX + 1)
		room = CLI_WORDS_MAX + 1;
	/* each word ends with a NUL in the place of its space or quote */
	word = malloc(room * sizeof(*word) + line.len + 1);
	if (word == NULL) {
		w->error = "Out of memory";
		return;
	}
	out = (char *)(word + room);
	w->word = word;
	for (;;) {
		while (p < end && is_space(*p))
			p++;
		if (p == end)
			break;
		if (w->n + 1 == room) {
			w->error = "Too many words";
			break;
		}
		word[w->n] = out;
		w->error = take_word(&p, end, &out);
		if (w->error != NULL)
			break;
		w->n++;
	}
	word[w->n] = NULL;
}

void
cli_words_free(struct cli_words *w)
{
	free(w->word);
	*w = (struct cli_words){0};
}

static bool
is_plain(const char *word)
{
	if (*word == '\0' || !strcmp(word, "<<"))
		return false;
	for (; *word != '\0'; word++) {
		unsigned char c = (unsigned char)*word;

		if (c <= ' ' || c == '"' || c == '\\' || c == 127)
			return false;
	}
	return true;
}

static char *
quote(char *out, const char *word)
{
	*out++ = '"';
	for (; *word != '\0'; word++) {
		unsigned char c = (unsigned char)*word;

		if (c == '"' || c == '\\') {
			*out++ = '\\';
			*out++ = (char)c;
		} else if (c == '\n') {
			*out++ = '\\';
			*out++ = 'n';
		} else if (c < ' ' || c == 127) {
			*out++ = '\\';
			*out++ = (char)('0' + (c >> 6));
			*out++ = (char)('0' + ((c >> 3) & 7));
			*out++ = (char)('0' + (c & 7));
		} else {
			*out++ = (char)c;
		}
	}
	*out++ = '"';
	return out;
}

char *
cli_words_join(unsigned n, char *const *word)
{
	size_t len = 2;
	char *line, *out;

	for (unsigned i = 0; i < n; i++)
		len += 4 * strlen(word[i]) + 3;
	line = out = malloc(len);
	if (line == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			*out++ = ' ';
		if (is_plain(word[i]))
			out = stpcpy(out, word[i]);
		else
			out = quote(out, word[i]);
	}
	*out++ = '\n';
	*out = '\0';
	return line;
}

void
cli_input_init(struct cli_input *in, size_t max)
{
	*in = (struct cli_input){.max = max};
}

void
cli_input_free(struct cli_input *in)
{
	free(in->p);
	*in = (struct cli_input){.max = in->max};
}

bool
cli_input_add(struct cli_input *in, const void *data, size_t len)
{
	if (len == 0)
		return true;
	if (len > in->max || in->len > in->max - len)
		return false;
	if (in->cap - in->len < len) {
		size_t cap = in->len + len + in->cap / 2;
		char *p = realloc(in->p, cap);

		if (p == NULL)
			return false;
		in->p = p;
		in->cap = cap;
	}
	memcpy(in->p + in->len, data, len);
	in->len += len;
	return true;
}

/* The line that starts at at, without its end; *next: where the next starts. */
static bool
line_at(const struct cli_input *in, size_t at, struct str *line, size_t *next)
{
	const char *nl;

	if (at >= in->len)
		return false;
	nl = memchr(in->p + at, '\n', in->len - at);
	if (nl == NULL)
		return false;
	*line = str_of(in->p + at, (size_t)(nl - in->p) - at);
	*next = at + line->len + 1;
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* Is the line's last word but one an unquoted << ? */
static bool
wants_text(struct str line, const struct cli_words *w)
{
	const char *p;
	size_t len;

	if (w->error != NULL || w->n < 2 || strcmp(w->word[w->n - 2], "<<"))
		return false;
	line = str_trim(line);
	len = strlen(w->word[w->n - 1]);
	if (line.len < len + 3)
		return false;
	/* quoted, either of the two words would end with a quote */
	p = line.p + line.len - len;
	if (memcmp(p, w->word[w->n - 1], len))
		return false;
	while (p > line.p && is_space(p[-1]))
		p--;
	return p[-1] == '<';
}

/* Replaces "<< TOKEN" by text. */
static void
attach_text(struct cli_words *w, struct str text)
{
	char **word, *out;
	size_t len = text.len + 1;

	if (memchr(text.p, '\0', text.len) != NULL) {
		w->error = "NUL byte in a command";
		return;
	}
	w->n--;
	for (unsigned i = 0; i + 1 < w->n; i++)
		len += strlen(w->word[i]) + 1;
	word = malloc((w->n + 1) * sizeof(*word) + len);
	if (word == NULL) {
		w->error = "Out of memory";
		return;
	}
	out = (char *)(word + w->n + 1);
	for (unsigned i = 0; i + 1 < w->n; i++) {
		word[i] = out;
		out = stpcpy(out, w->word[i]) + 1;
	}
	word[w->n - 1] = out;
	memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	word[w->n] = NULL;
	free(w->word);
	w->word = word;
}

bool
cli_input_next(struct cli_input *in, struct cli_words *w)
{
	struct str line, l;
	size_t text_at, at, next;

	if (!line_at(in, 0, &line, &next))
		return false;
	cli_words_parse(line, w);
	if (wants_text(line, w)) {
		struct str end = str_from_z(w->word[w->n - 1]);

		text_at = next;
		do {
			at = next;
			if (!line_at(in, at, &l, &next)) {
				cli_words_free(w);
				return false;
			}
		} while (!str_eq(l, end));
		attach_text(w, str_of(in->p + text_at, at - text_at));
	}
	in->len -= next;
	memmove(in->p, in->p + next, in->len);
	return true;
}
