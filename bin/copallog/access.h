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
	/* hit, hitmiss, hitpass, miss, pass, pipe, synth, error, "-" */
	const char *handling;
	struct str marker;    /* the sub that one was found for */
	bool changed;         /* policy has had its way with what came */
	bool restarted;       /* goes on as another transaction: not logged */
};

void access_of(struct access *, const struct txn *);

/*
 * The value of a field, as it was on the wire: of a request as the client
 * sent it or the origin got it, of a response as the client got it or the
 * origin sent it.
 */
struct str access_request_field(const struct txn *, struct str name);
struct str access_response_field(const struct txn *, struct str name);

#endif
