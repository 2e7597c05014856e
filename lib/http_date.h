/*
 * http_date.h - HTTP's dates (RFC 9110 5.6.7).
 */
#ifndef COPAL_HTTP_DATE_H
#define COPAL_HTTP_DATE_H

#include "str.h"

enum { HTTP_DATE_LEN = 29 };
/* IMF-fixdate, 29 bytes and a NUL; years beyond 1 to 9999 become these. */
void http_date_format(double t, char out[HTTP_DATE_LEN + 1]);
/*
 * All three forms; 0 if it is not a date (the epoch itself can't be told from
 * that), negative before 1970. now: for two-digit years.
 */
double http_date_parse(struct str, double now);

#endif
