/*
 * invalidate.h - what the answer to an unsafe request makes invalid (RFC 9111
 * 4.4).
 */
#ifndef COPAL_INVALIDATE_H
#define COPAL_INVALIDATE_H

#include "request.h"

/*
 * The request's answer, req->obj, is there and was not sent.  If its method is
 * not safe and it is no error: purges the target, and what Location and
 * Content-Location name on the same host, if there is anything of them.
 * That is on disk before this returns.
 */
void invalidate_after(struct request *) WAITS;

#endif
