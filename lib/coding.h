/*
 * coding.h - content codings, what a client takes of them (RFC 9110 12.5.3),
 * and which bodies are worth it.
 */
#ifndef COPAL_CODING_H
#define COPAL_CODING_H

#include "http.h"

enum coding { CODING_IDENTITY, CODING_ZSTD, CODING_BR, CODING_GZIP };
enum { CODING_N = CODING_GZIP + 1 };

struct str coding_name(enum coding);

/* What Accept-Encoding says of each coding. */
struct accepted {
	/*
	 * In thousandths; 0: refused.  Those that are named come before the
	 * ones that "*" stands for, at the same weight: the lowest bit.
	 */
	uint16_t rank[CODING_N];
};

/*
 * Of all its Accept-Encoding fields.  Without one, identity alone: whoever
 * can't unpack does not send one.  x-gzip is gzip.
 */
void accept_codings(struct accepted *, const struct http *request);

/* Is that coding taken, and no less gladly than the body without one? */
bool accepts_coding(const struct http *request, enum coding);

/*
 * The codings that are taken best, as bits (1 << coding); 0: nothing is.
 * Identity is among them only if no other is: at the same rank a coding is
 * better.
 */
unsigned accepted_best(const struct accepted *);

/*
 * Is a body of that Content-Type text, or else known to pack well?  Not an
 * event stream: who reads it can't wait for a block to fill.
 */
bool content_type_packs(struct str content_type);

#endif
