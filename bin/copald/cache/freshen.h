/*
 * freshen.h - what the answer to a HEAD says of the stored answer to GET (RFC
 * 9111 4.3.5).
 */
#ifndef COPAL_FRESHEN_H
#define COPAL_FRESHEN_H

#include "request.h"

/*
 * An origin answered a HEAD by req->obj.  What memory has for the request
 * becomes stale if that is another representation, or was made fresh by it
 * if its validators are the same.  A 304 of the next conditional fetch updates
 * the fields then.
 */
void freshen_after_head(struct request *) WAITS;

#endif
