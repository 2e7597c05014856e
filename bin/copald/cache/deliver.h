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
/* Sends req->resp with the body of req->obj, all or the range asked for. */
void deliver_object(struct request *) WAITS;
/* Sends req->resp with these bytes as its body. */
void deliver_bytes(struct request *, struct str body) WAITS;

#endif
