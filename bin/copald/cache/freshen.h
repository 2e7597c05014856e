/*
 * freshen.h - what the answer to a HEAD says of the stored answer to GET (RFC
 * 9111 4.3.5).
 */
#ifndef COPAL_FRESHEN_H
#define COPAL_FRESHEN_H

#include "request.h"

/*
 * An origin answered a HEAD by req->obj.  What memory has for the request
 * is purged if that is another representation, and is as fresh as the answer
 * if one of its validators says that it is the same.
 */
void freshen_after_head(struct request *) WAITS;

#endif
