/*
 * sfield.c - the parser of structured fields (RFC 9651 4.2), step by step as
 * it is written there.
 */
#include "http_scan.h"
#include "sfield.h"

enum {
	/* RFC 9651 3.3.1, 3.3.2: what is longer is an error */
	INTEGER_DIGITS = 15,
	DECIMAL_DIGITS = 12,
	FRACTION_DIGITS = 3,
};

static bool
is_at(const struct str *s, char c)
{
	return s->len > 0 && s->p[0] == c;
}

static void
skip(struct str *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

static bool
take(struct str *s, char c)
{
	if (!is_at(s, c))
		return false;
	skip(s, 1);
	return true;
}

static void
skip_spaces(struct str *s)
{
	while (is_at(s, ' '))
		skip(s, 1);
}

static void
skip_white(struct str *s)
{
	while (s->len > 0 && http_is_space(s->p[0]))
		skip(s, 1);
}

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_alpha(char c)
{
	return is_lower((char)(c | 0x20));
}

static bool
is_digit(char c)
{
	return http_char_is(c, HTTP_CHAR_DIGIT);
}

/* 4.2.3.3 */
static bool
take_key(struct str *s, struct str *key)
{
	size_t n = 0;

	if (s->len == 0 || !(is_lower(s->p[0]) || s->p[0] == '*'))
		return false;
	while (n < s->len && (is_lower(s->p[n]) || is_digit(s->p[n]) ||
	    memchr("_-.*", s->p[n], 4) != NULL))
		n++;
	*key = str_of(s->p, n);
	skip(s, n);
	return true;
}

/* 4.2.4 */
static bool
take_number(struct str *s, struct sf_item *item)
{
	bool negative = take(s, '-');
	unsigned whole = 0, fraction = 0;
	int64_t n = 0;

	for (; s->len > 0 && is_digit(s->p[0]); skip(s, 1)) {
		if (++whole > INTEGER_DIGITS)
			return false;
		n = n * 10 + (s->p[0] - '0');
	}
	if (whole == 0)
		return false;
	item->type = SF_INTEGER;
	if (take(s, '.')) {
		item->type = SF_DECIMAL;
		if (whole > DECIMAL_DIGITS)
			return false;
		for (; s->len > 0 && is_digit(s->p[0]); skip(s, 1)) {
			if (++fraction > FRACTION_DIGITS)
				return false;
			n = n * 10 + (s->p[0] - '0');
		}
		if (fraction == 0)
			return false;
		for (; fraction < FRACTION_DIGITS; fraction++)
			n *= 10;
	}
	item->number = negative ? -n : n;
	return true;
}

/* 4.2.5; the opening quote is off */
static bool
take_string(struct str *s, struct str *text)
{
	for (size_t i = 0; i < s->len; i++) {
		char c = s->p[i];

		if (c == '"') {
			*text = str_of(s->p, i);
			skip(s, i + 1);
			return true;
		}
		if (c == '\\') {
			i++;
			if (i == s->len ||
			    (s->p[i] != '"' && s->p[i] != '\\'))
				return false;
		} else if (c < 0x20 || c > 0x7e) {
			return false;
		}
	}
	return false;
}

/* 4.2.10: %xx, in lower case; that it is UTF-8 is not looked at */
static bool
take_display(struct str *s, struct str *text)
{
	if (!take(s, '"'))
		return false;
	for (size_t i = 0; i < s->len; i++) {
		char c = s->p[i];

		if (c == '"') {
			*text = str_of(s->p, i);
			skip(s, i + 1);
			return true;
		}
		if (c < 0x20 || c > 0x7e)
			return false;
		if (c != '%')
			continue;
		for (unsigned d = 0; d < 2; d++) {
			i++;
			if (i >= s->len || !(is_digit(s->p[i]) ||
			    (s->p[i] >= 'a' && s->p[i] <= 'f')))
				return false;
		}
	}
	return false;
}

/* 4.2.6 */
static void
take_token(struct str *s, struct str *text)
{
	size_t n = 1;

	while (n < s->len && (http_char_is(s->p[n], HTTP_CHAR_TOKEN) ||
	    s->p[n] == ':' || s->p[n] == '/'))
		n++;
	*text = str_of(s->p, n);
	skip(s, n);
}

/* 4.2.7; the opening colon is off */
static bool
take_bytes(struct str *s, struct str *text)
{
	const char *end = memchr(s->p, ':', s->len);

	if (end == NULL)
		return false;
	*text = str_of(s->p, (size_t)(end - s->p));
	for (size_t i = 0; i < text->len; i++)
		if (!is_alpha(text->p[i]) && !is_digit(text->p[i]) &&
		    memchr("+/=", text->p[i], 3) == NULL)
			return false;
	skip(s, text->len + 1);
	return true;
}

/* 4.2.3.1 */
static bool
take_bare_item(struct str *s, struct sf_item *item)
{
	*item = (struct sf_item){.type = SF_BOOLEAN};
	if (s->len == 0)
		return false;
	if (s->p[0] == '-' || is_digit(s->p[0]))
		return take_number(s, item);
	if (take(s, '"')) {
		item->type = SF_STRING;
		return take_string(s, &item->text);
	}
	if (is_at(s, '*') || is_alpha(s->p[0])) {
		item->type = SF_TOKEN;
		take_token(s, &item->text);
		return true;
	}
	if (take(s, ':')) {
		item->type = SF_BYTES;
		return take_bytes(s, &item->text);
	}
	if (take(s, '?')) {
		item->number = is_at(s, '1');
		return take(s, '0') || take(s, '1');
	}
	if (take(s, '@')) {
		bool ok = take_number(s, item) && item->type == SF_INTEGER;

		item->type = SF_DATE;
		return ok;
	}
	if (take(s, '%')) {
		item->type = SF_DISPLAY;
		return take_display(s, &item->text);
	}
	return false;
}

enum sf_result
sf_next_parameter(struct str *rest, struct str *key, struct sf_item *value)
{
	if (!take(rest, ';'))
		return rest->len == 0 ? SF_END : SF_ERROR;
	skip_spaces(rest);
	if (!take_key(rest, key))
		return SF_ERROR;
	*value = (struct sf_item){.type = SF_BOOLEAN, .number = 1};
	if (take(rest, '=') && !take_bare_item(rest, value))
		return SF_ERROR;
	return SF_MEMBER;
}

/* 4.2.3.2: where they end, all of them having been read */
static bool
take_parameters(struct str *s, struct str *parameters)
{
	struct str key, from = *s;
	struct sf_item value;

	while (is_at(s, ';'))
		if (sf_next_parameter(s, &key, &value) != SF_MEMBER)
			return false;
	*parameters = str_of(from.p, from.len - s->len);
	return true;
}

enum sf_result
sf_next_inner(struct str *rest, struct sf_item *item)
{
	skip_spaces(rest);
	if (rest->len == 0)
		return SF_END;
	if (!take_bare_item(rest, item) ||
	    !take_parameters(rest, &item->parameters))
		return SF_ERROR;
	return rest->len == 0 || is_at(rest, ' ') ? SF_MEMBER : SF_ERROR;
}

/* 4.2.1.2; the parenthesis is off */
static bool
take_inner_list(struct str *s, struct str *text)
{
	struct str from = *s;

	for (;;) {
		struct sf_item item;

		skip_spaces(s);
		if (take(s, ')')) {
			*text = str_of(from.p, from.len - s->len - 1);
			return true;
		}
		if (!take_bare_item(s, &item) ||
		    !take_parameters(s, &item.parameters) ||
		    !(is_at(s, ' ') || is_at(s, ')')))
			return false;
	}
}

/* 4.2.1.1: an item or an inner list, with its parameters */
static bool
take_item(struct str *s, struct sf_item *item)
{
	bool ok;

	if (take(s, '(')) {
		*item = (struct sf_item){.type = SF_INNER_LIST};
		ok = take_inner_list(s, &item->text);
	} else {
		ok = take_bare_item(s, item);
	}
	return ok && take_parameters(s, &item->parameters);
}

/* Behind a member: the end, or a comma and another one. */
static bool
take_comma(struct str *s)
{
	skip_white(s);
	if (s->len == 0)
		return true;
	if (!take(s, ','))
		return false;
	skip_white(s);
	return s->len > 0;
}

enum sf_result
sf_next_member(struct str *rest, struct str *key, struct sf_item *item)
{
	skip_white(rest);
	if (rest->len == 0)
		return SF_END;
	if (!take_key(rest, key))
		return SF_ERROR;
	if (take(rest, '=')) {
		if (!take_item(rest, item))
			return SF_ERROR;
	} else {
		*item = (struct sf_item){.type = SF_BOOLEAN, .number = 1};
		if (!take_parameters(rest, &item->parameters))
			return SF_ERROR;
	}
	return take_comma(rest) ? SF_MEMBER : SF_ERROR;
}

enum sf_result
sf_next_in_list(struct str *rest, struct sf_item *item)
{
	skip_white(rest);
	if (rest->len == 0)
		return SF_END;
	return take_item(rest, item) && take_comma(rest) ? SF_MEMBER :
	    SF_ERROR;
}

bool
sf_item(struct str s, struct sf_item *item)
{
	skip_spaces(&s);
	if (!take_bare_item(&s, item) || !take_parameters(&s,
	    &item->parameters))
		return false;
	skip_spaces(&s);
	return s.len == 0;
}

size_t
sf_string(struct str text, char *buf)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\' && i + 1 < text.len)
			i++;
		buf[n++] = text.p[i];
	}
	return n;
}
