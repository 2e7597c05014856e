/*
 * fetch_body.h - the body of a fetch: from the origin into the object, and
 * on to the store.
 */
#ifndef COPAL_FETCH_BODY_H
#define COPAL_FETCH_BODY_H

#include "fetch.h"
#include "upstream.h"

/*
 * Reads the whole body into f->obj, handing full pieces to the store as they
 * come; then commits.  On an error the body has failed.
 */
enum upstream_error fetch_body(struct fetch *, struct upstream *) WAITS;
/* An object that is complete already (synthetic, 304) goes to its store. */
void fetch_store(struct fetch *) WAITS;
/* Is the body larger than may be kept? */
bool fetch_is_too_large(const struct fetch *, uint64_t len);

#endif
