/*
 * print.h - transactions as text for people and as JSON for programs.
 */
#ifndef COPAL_PRINT_H
#define COPAL_PRINT_H

#include <stdio.h>

#include "log_regex.h"
#include "tag_set.h"
#include "txn.h"

/* -i -I -x -X: which records are printed. */
struct filter;

struct filter *filter_new(void); /* NULL: no memory */
void filter_free(struct filter **);
/*
 * The argument of one option: opt is i, I, x or X.  The first of them being i
 * or I, only what was asked for is printed.  false with err.
 */
bool filter_add(struct filter *, char opt, const char *arg, bool caseless,
    char *err, size_t err_len);
bool filter_shows(const struct filter *, const struct log_record *);

/*
 * As varnishlog(1): a line for the transaction, one for each record that the
 * filter shows, with the depth in the group in front.  Control characters
 * and bytes that are not UTF-8 are printed as \xHH: a client must not get at
 * the terminal.  Nothing and false, if no record is shown.
 */
bool print_text(FILE *, const struct txn *, const struct filter *);
/* A record outside of groups: id, tag, c, b or -, text. */
void print_raw(FILE *, const struct log_batch *, const struct log_record *);
/*
 * One line, one object:
 *   {"id":2,"kind":"request","parent":1,"reason":"rxreq","level":1,
 *    "complete":true, "start":..., "duration":..., "client":..., "method":...,
 *    "url":..., "protocol":..., "status":..., "handling":...,
 *    "bytes_in":..., "bytes_out":..., "records":[["ReqMethod","GET"],...]}
 * What was not logged is left out.  Strings are UTF-8; a byte that is not part
 * of valid UTF-8 is written as \u00HH.
 */
void print_json(FILE *, const struct txn *, const struct filter *);

#endif
