/*
 * log_regex.h - regular expressions over log records: PCRE2 with limits.
 */
#ifndef COPAL_LOG_REGEX_H
#define COPAL_LOG_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

struct log_regex;

/* NULL with a message that names the place in err. */
struct log_regex *log_regex_new(struct str pattern, bool caseless, char *err,
    size_t err_len);
/* A match that exceeds PCRE2's limits is none. */
bool log_regex_matches(const struct log_regex *, struct str subject);
void log_regex_free(struct log_regex **);

#endif
