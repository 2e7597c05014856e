/*
 * networks.h - a short list of networks, as a parameter says it:
 * "10.0.0.0/8, 2001:db8::/32, 192.0.2.7, unix", "*" for everybody, "" for
 * nobody.
 */
#ifndef COPAL_NETWORKS_H
#define COPAL_NETWORKS_H

#include "sock.h"

/* It is searched one by one; a larger one is an acl's work. */
enum { NETWORKS_MAX = 64 };

struct networks {
	bool all, local; /* local: peers on unix sockets */
	unsigned n;
	struct network_prefix {
		uint8_t bytes[16]; /* IPv4 is ::ffff:0:0/96 */
		uint8_t bits;
	} of[NETWORKS_MAX];
};

/* false, with a message for the user in err: it is no such list. */
bool networks_parse(struct networks *, const char *text, char *err,
    size_t err_len);
bool networks_have(const struct networks *, const struct addr *);

#endif
