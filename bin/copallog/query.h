/*
 * query.h - conditions on log records, as in vsl-query(7).
 *
 *   query      = and { "or" and }
 *   and        = not { "and" not }
 *   not        = "not" not | "(" query ")" | condition
 *   condition  = records [ operator operand ]
 *   records    = [ "{" level [ "+" | "-" ] "}" ] tags [ ":" prefix ]
 *                [ "[" field "]" ]  |  "xid"
 *   operator   = "==" | "!=" | "<" | "<=" | ">" | ">="     numbers
 *              | "eq" | "ne"                               strings
 *              | "~" | "!~"                                PCRE2
 *
 * tags is a list as in tag_set.h.  prefix selects records that begin with it
 * and a colon, and what follows is compared ("ReqHeader:Host"); field selects
 * one of the words of that.  A condition holds if one of the group's records
 * fulfils it; without operator, if there is one.  An operand is a word or a
 * string in '...' or "...", with \ before that quote; any other \ is kept
 * as it is, for PCRE2.
 *
 * A query is fed record by record, and then asked:
 *
 *   log_query_begin(q);
 *   log_query_record(q, ...) for each record of the group
 *   log_query_result(q)
 */
#ifndef COPAL_QUERY_H
#define COPAL_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "shmlog_read.h"

struct log_query;

/* caseless: regular expressions and eq, ne ignore case.  NULL with err. */
struct log_query *log_query_new(const char *text, bool caseless, char *err,
    size_t err_len);
void log_query_free(struct log_query **);

void log_query_begin(struct log_query *);
/* xid, level: of the transaction that the record belongs to; root: 1 */
void log_query_record(struct log_query *, uint64_t xid, unsigned level,
    const struct log_record *);
bool log_query_result(const struct log_query *);

#endif
