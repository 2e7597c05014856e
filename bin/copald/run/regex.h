/*
 * regex.h - regular expressions: PCRE2 with JIT and match limits.
 *
 * A compiled expression is immutable and used by all threads at once; what
 * a match needs (match data, JIT stack) each thread has for itself.  Bytes are
 * matched, not characters: an expression that wants UTF-8 begins with (*UTF).
 */
#ifndef COPAL_REGEX_H
#define COPAL_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

struct vcl_regex;

enum { REGEX_GROUPS = 10 };

/* Offsets of group i: [2 * i] to [2 * i + 1]; REGEX_UNSET: did not match. */
#define REGEX_UNSET SIZE_MAX
typedef size_t regex_groups[2 * REGEX_GROUPS];

/* NULL with a message ("... at offset n") in err. */
struct vcl_regex *regex_new(struct str pattern, char *err, size_t err_len);
/*
 * The same without JIT and with little nesting: for one use, on a fiber's
 * small stack.
 */
struct vcl_regex *regex_new_once(struct str pattern, char *err,
    size_t err_len);
void regex_free(struct vcl_regex **);
struct str regex_pattern(const struct vcl_regex *);

/*
 * Looks for a match from offset from on.  1: found, *groups (unless NULL) is
 * filled in; 0: no match; -1: the match failed (a limit was reached, ...),
 * regex_error_text(*error) says why.  not_empty: a match of nothing at all
 * is no match.
 */
int regex_match(const struct vcl_regex *, struct str subject, size_t from,
    bool not_empty, regex_groups groups, int *error);
void regex_error_text(int error, char *text, size_t len);

#endif
