/*
 * fetch_body.h - the body of a fetch: from the origin into the object, and
 * on to the store.
 */
#ifndef COPAL_FETCH_BODY_H
#define COPAL_FETCH_BODY_H

#include "fetch.h"
#include "upstream.h"

/*
 * A refresh is found when it is complete, as long as the response before it
 * may be served: nobody is to get a body that breaks off while there is a
 * whole one.
 */
bool fetch_is_hidden(const struct fetch *);
/*
 * Reads the whole body into f->obj, handing full pieces to the store as they
 * come; then commits.  On an error the body has failed.
 */
enum upstream_error fetch_body(struct fetch *, struct upstream *) WAITS;
/* An object that is complete already (synthetic, 304) goes to its store. */
void fetch_store(struct fetch *) WAITS;
/*
 * The object, complete in memory, was held back (store_second_hit), and goes
 * to its store now; in a fiber of its own.
 */
void fetch_store_late(struct object *, const struct key *);
/* Is the body larger than may be kept? */
bool fetch_is_too_large(const struct fetch *, uint64_t len);

/* For who fills and stores objects otherwise (fetch_blocks.h). */
/* Room at the end of a body, which the object's store is charged for. */
char *fetch_make_room(struct object *, uint64_t want, size_t *room) WAITS;
void fetch_charge(struct object *, int64_t bytes);
/* Piece i of o to the store; false: it did not take it. */
bool fetch_hand_over(struct object *o, struct store_put *, uint32_t i) WAITS;
/* A seq_cb; priv is the object, with a reference. */
void fetch_stored(void *priv, uint64_t seq);

#endif
