/*
 * deliver.h - a response from an object to a stream: conditions, ranges,
 * head and body.
 */
#ifndef COPAL_DELIVER_H
#define COPAL_DELIVER_H

#include "request.h"

/* req->resp from req->obj, as vcl_deliver sees it. false: no room. */
bool deliver_head(struct request *);
/* req->resp for a synthetic response. false: no room. */
bool deliver_synth_head(struct request *, unsigned status,
    struct str reason);
/* Is there room to send req->resp, with the fields that are added then? */
bool deliver_has_room(const struct request *);
/*
 * Sends req->resp with the body of req->obj, all or the range asked for; or not
 * a byte of them (req->undelivered).
 */
void deliver_object(struct request *) WAITS;
/* Sends req->resp with these bytes as its body. */
void deliver_bytes(struct request *, struct str body) WAITS;

/* For who sends ranges of it (deliver_range.h). */
void deliver_set_status(struct request *, uint16_t status);
void deliver_set_length(struct request *, uint64_t len);
/*
 * Bytes [at, end) of the body of req->obj, after the head; end UINT64_MAX: to
 * its end.  more: others follow at once.  false: the response was aborted.
 */
bool deliver_part(struct request *, uint64_t at, uint64_t end, bool more)
    WAITS;
void deliver_finish(struct request *) WAITS;
/*
 * The body can't be had to its end: aborts the response, or says in
 * req->undelivered why there must be another.
 */
void deliver_cut(struct request *, enum failure why);
/*
 * Is there an If-Match or If-Unmodified-Since that does not hold for the
 * response (RFC 9110 13.1.1, 13.1.4)?
 */
bool deliver_precondition_fails(struct request *, const struct http *);

#endif
