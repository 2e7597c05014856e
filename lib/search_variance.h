/*
 * search_variance.h - No-Vary-Search (draft-ietf-httpbis-no-vary-search): which
 * parts of a URL's query make no difference to a response.
 *
 * A rule is bytes, the same for fields that say the same.  Queries that a rule
 * takes for equal have the same text under it.
 */
#ifndef COPAL_SEARCH_VARIANCE_H
#define COPAL_SEARCH_VARIANCE_H

#include "http.h"

/* Of a rule: some dozens of names.  A longer one is taken for none. */
enum { SEARCH_RULE_MAX = 1024 };

/*
 * The rule of a response's field, into buf; its length.  0: there is none, it
 * can't be read, or it says that all of the query counts.
 */
size_t search_rule(const struct http *response, char buf[SEARCH_RULE_MAX]);

/*
 * target with its query as the rule has it, in a.  p == NULL: no room, or
 * more parameters than we look at.
 */
struct str search_apply(struct str rule, struct str target, struct arena *a);

#endif
