/*
 * hops.h - how far a request goes: Via, Max-Forwards, loops (RFC 9110 7.6).
 */
#ifndef COPAL_HOPS_H
#define COPAL_HOPS_H

#include "request.h"

enum hops {
	HOPS_ON,   /* forward it */
	HOPS_LAST, /* answer it: hops_answer() */
	HOPS_LOOP, /* it was here too often: 508 */
};

/* May the request be forwarded? */
enum hops hops_look(struct request *);
/* The answer to a TRACE or OPTIONS that ends here (9.3.7, 9.3.8). */
void hops_answer(struct request *) WAITS;

/*
 * Makes the head one that was forwarded: Via has one more hop, by which the
 * message came as HTTP/1.x (version 10 or 11); Max-Forwards of a request is
 * one less.  false: no room.
 */
bool hops_count(struct http *, unsigned version, struct arena *);

#endif
