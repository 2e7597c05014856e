/*
 * ncsa.h - access-log lines in NCSA's formats, as varnishncsa(1) makes them.
 *
 *   %b bytes of body    %D microseconds   %H protocol    %h client's address
 *   %I bytes received   %l "-"            %m method      %O bytes sent
 *   %q query string     %r first line     %s status      %T seconds
 *   %t time             %U URL, no query  %u user        %v Host, no port
 *   %% percent          %{Name}i, %{Name}o  request's, response's field
 *   %{format}t          strftime(3); also sec, msec, usec, msec_frac,
 *                       usec_frac
 *   %{Copal:X}x         time_firstbyte, hitmiss, handling, side, xid,
 *                       default_format (also as Varnish:X, with vxid)
 *   %{VCL_Log:key}x     what std.log("key:value") said
 *   %{VSL:tag:prefix[field]}x   any record
 *   \n \t \" \\         in the format
 */
#ifndef COPAL_NCSA_H
#define COPAL_NCSA_H

#include <stdio.h>

#include "txn.h"

#define NCSA_COMBINED \
	"%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\""

struct ncsa;

/* NULL with err */
struct ncsa *ncsa_new(const char *format, char *err, size_t err_len);
void ncsa_free(struct ncsa **);
/* A line; false and nothing if the transaction is none of a client's view:
 * not a request or fetch, or one that was restarted. */
bool ncsa_print(const struct ncsa *, FILE *, const struct txn *);

#endif
