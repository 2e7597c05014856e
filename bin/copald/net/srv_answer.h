/*
 * srv_answer.h - the SRV records of a DNS answer (RFC 2782).
 */
#ifndef COPAL_SRV_ANSWER_H
#define COPAL_SRV_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

/* Servers of a service; more are left out. */
enum { SRV_MAX = 16, SRV_HOST_MAX = 256 };

struct srv {
	unsigned priority, weight, port;
	char host[SRV_HOST_MAX];
};

struct srv_answer {
	unsigned n;
	struct srv srv[SRV_MAX];
	unsigned ttl;   /* the least of all records */
	bool has_none;  /* it says that there is no such service */
};

/* False: it is no answer that can be read, or has no SRV records. */
bool srv_answer_read(const unsigned char *, size_t, struct srv_answer *);

#endif
