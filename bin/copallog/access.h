/*
 * access.h - what an access log says of a transaction: method, URL, status,
 * bytes, times.  For NCSA lines and JSON.
 */
#ifndef COPAL_ACCESS_H
#define COPAL_ACCESS_H

#include "txn.h"

/* Slices point into the transaction's records; p == NULL: not logged. */
struct access {
	bool is_fetch;
	struct str host;      /* the peer's address */
	struct str method, url, protocol;
	struct str reason;
	unsigned status;      /* 0: none */
	double start;         /* seconds since 1970; 0: not logged */
	double duration;      /* until the last event */
	double first_byte;    /* until there was a response; < 0: never */
	double in_total, out_total, out_body; /* bytes */
	const char *hitmiss;  /* "hit", "miss", "-" */
	const char *handling; /* hit, miss, pass, pipe, synth, error, "-" */
	bool restarted;       /* goes on as another transaction: not logged */
};

void access_of(struct access *, const struct txn *);

/*
 * The value of a field: of the request as VCL left it, of the response as
 * it was sent.
 */
struct str access_request_field(const struct txn *, struct str name);
struct str access_response_field(const struct txn *, struct str name);

#endif
