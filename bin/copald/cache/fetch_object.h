/*
 * fetch_object.h - the object that a fetch makes.
 */
#ifndef COPAL_FETCH_OBJECT_H
#define COPAL_FETCH_OBJECT_H

#include "fetch.h"

/* f->obj from beresp, without a body.  false: no memory */
bool fetch_object_make(struct fetch *);
/* May the object be found by others? */
bool fetch_is_cacheable(const struct fetch *);
/*
 * A fetch without a claim (hit-for-miss, hash_ignore_busy) whose answer is
 * cacheable after all takes one now, unless another has it.
 */
void fetch_late_claim(struct fetch *);
/*
 * Others can't use what comes: releases the claim, and who waits for it, all at
 * once; with a marker if others shall not wait in future either.
 */
void fetch_let_others_go(struct fetch *);
/*
 * From here on the request can deliver, and others find the object, or a
 * marker in its place.  Releases the claim.
 */
void fetch_publish(struct fetch *, bool cacheable);
/* After a 304: f->obj gets f->stale's body. -1: it has none any more. */
int fetch_object_reuse_body(struct fetch *, bool cacheable);
/*
 * Then, with f->obj in the index: on disk only the head changes.  If the record
 * has left the store meanwhile the object leaves the index for that.
 */
void fetch_refresh_stored(struct fetch *);

#endif
