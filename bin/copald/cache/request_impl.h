/*
 * request_impl.h - what the parts of the request path know of each other.
 */
#ifndef COPAL_REQUEST_IMPL_H
#define COPAL_REQUEST_IMPL_H

#include "request.h"

void request_event(struct request *, const char *what);
/* What a step held and its verdict does not need any more. */
void request_drop_objects(struct request *);

/* request_serve.c: the request as a program finds it; nothing was said yet. */
void request_begin_policy(struct request *);
/* Before policy: what every policy would do.  false: no room */
bool request_prepare(struct request *);
/* After vcl_recv, before a lookup.  false: no room */
bool request_normalise_coding(struct request *);
/* Its first records. */
void request_log(struct request *, enum log_reason);

/* request.c: steps that are run one by one, too */
enum request_step request_step_recv(struct request *) WAITS;
enum request_step request_step_hash(struct request *) WAITS;
enum request_step request_step_fail(struct request *) WAITS;

#endif
