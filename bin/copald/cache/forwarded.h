/*
 * forwarded.h - whose request it is: X-Forwarded-For and Forwarded (RFC
 * 7239); whom we believe that, and whom we tell why we fail.
 */
#ifndef COPAL_FORWARDED_H
#define COPAL_FORWARDED_H

#include "request.h"

/* Reads trusted_proxies and diagnose_clients; before the first request. */
void forwarded_init(void);

/*
 * Takes from the request what its sender is not trusted to say, and adds who
 * that is.  false: no room.
 */
bool forwarded_put(struct request *);

/* May that address know why there is no answer of an origin? */
bool forwarded_may_ask(const struct addr *);

#endif
