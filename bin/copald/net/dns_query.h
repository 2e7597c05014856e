/*
 * dns_query.h - one question about a name, answered by c-ares.
 */
#ifndef COPAL_DNS_QUERY_H
#define COPAL_DNS_QUERY_H

#include <ares.h>

#include "addr_set.h"

struct dns_found {
	struct addr_set *set; /* whose done() may take it; NULL: none, why */
	unsigned ttl;         /* seconds */
	const char *why;      /* "" if there are addresses */
	bool partial;         /* some of a service's servers did not resolve */
	bool canceled;        /* the channel was destroyed */
};

typedef void dns_done_fn(void *priv, struct dns_found *);

/*
 * Asks for the addresses of host, A and AAAA, and calls done once, perhaps
 * before it returns.  A host that begins with "_" is a service: SRV, then the
 * addresses of its servers, with their ports.
 */
void dns_query_start(ares_channel, const char *host, unsigned port,
    dns_done_fn *done, void *priv);

#endif
