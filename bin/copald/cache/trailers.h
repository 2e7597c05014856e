/*
 * trailers.h - trailer fields on their way (RFC 9110 6.5).
 */
#ifndef COPAL_TRAILERS_H
#define COPAL_TRAILERS_H

#include "fetch.h"
#include "upstream.h"

/* Does the client say that it takes trailers (10.1.4)? */
bool trailers_wanted(const struct http *request);
/* Before the body is read: they will be kept. */
void trailers_begin(struct fetch *, struct upstream *);
/* After it: what may be forwarded becomes the object's. */
void trailers_end(struct fetch *, const struct upstream *);
/* Has req->obj any, and the client wants them? */
bool trailers_are_due(const struct request *);
/* The stream ends with those of req->obj, if it can and the client wants. */
void trailers_put(struct request *);

/*
 * Of a chunked request, before its body is read: those that bereq.http.Trailer
 * announces will be kept ...
 */
void trailers_of_request_begin(struct fetch *);
/* ... and end it. */
enum upstream_error trailers_of_request_send(struct fetch *,
    struct upstream *) WAITS;

#endif
