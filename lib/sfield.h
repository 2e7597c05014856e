/*
 * sfield.h - structured fields (RFC 9651, which has RFC 8941 in it): read, in
 * place and without memory of its own.
 *
 *   a dictionary   max-age=60, private, except=("a" "b");x=1
 *   a list         a, "b";q=1, (1 2 3)
 *
 * A field that can't be read is to be ignored as a whole (4.2): whoever walks
 * through one acts when the end was reached without SF_ERROR, not before.
 */
#ifndef COPAL_SFIELD_H
#define COPAL_SFIELD_H

#include "str.h"

enum sf_type {
	SF_INTEGER,    /* number */
	SF_DECIMAL,    /* number, in thousandths */
	SF_STRING,     /* text: between the quotes, with its backslashes */
	SF_TOKEN,      /* text */
	SF_BYTES,      /* text: base64, not decoded */
	SF_BOOLEAN,    /* number: 0 or 1 */
	SF_DATE,       /* number: seconds since 1970 */
	SF_DISPLAY,    /* text: between the quotes, with its escapes */
	SF_INNER_LIST, /* text: between the parentheses; see sf_next_inner() */
};

struct sf_item {
	enum sf_type type;
	int64_t number;
	struct str text;
	struct str parameters; /* see sf_next_parameter() */
};

enum sf_result { SF_END, SF_MEMBER, SF_ERROR };

/*
 * Each takes one member off the front of *rest.  Of a dictionary's keys that
 * come twice the last one counts (RFC 9651 4.2.2): that is the caller's to
 * see to.  A member without a value is a BOOLEAN, true.
 */
enum sf_result sf_next_member(struct str *rest, struct str *key,
    struct sf_item *);
enum sf_result sf_next_in_list(struct str *rest, struct sf_item *);
/* Of the text of an inner list. */
enum sf_result sf_next_inner(struct str *rest, struct sf_item *);
/* Of an item's parameters. */
enum sf_result sf_next_parameter(struct str *rest, struct str *key,
    struct sf_item *);
/* A field that is one item; false: it can't be read. */
bool sf_item(struct str, struct sf_item *);

/*
 * The bytes of a STRING without its backslashes into buf, which has room for
 * text.len; how many.
 */
size_t sf_string(struct str text, char *buf);

#endif
