/*
 * deliver_range.h - the ranges of a response that a client asked for (RFC
 * 9110 14).
 */
#ifndef COPAL_DELIVER_RANGE_H
#define COPAL_DELIVER_RANGE_H

#include "byte_range.h"
#include "request.h"

/*
 * Answers a GET with 206 or 416; len: of the body, -1: not known yet.
 * false: nothing was sent, answer with the whole.
 */
bool deliver_range(struct request *, int64_t len) WAITS;

/* Would Range be honoured for req->resp, if there were one? */
bool deliver_has_ranges(const struct request *, int64_t len);

#endif
