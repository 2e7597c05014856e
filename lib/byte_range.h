/*
 * byte_range.h - Range and Content-Range in bytes, and sets of ranges (RFC
 * 9110 14), without I/O.
 */
#ifndef COPAL_BYTE_RANGE_H
#define COPAL_BYTE_RANGE_H

#include "str.h"

struct byte_range {
	uint64_t first, last; /* inclusive */
};

enum range_result {
	RANGE_NONE,            /* no Range, not bytes, or bad syntax: ignore */
	RANGE_SOME,            /* set[0..n) */
	RANGE_UNSATISFIABLE,   /* 416: not one of them is */
};
/*
 * RFC 9110 14.1.2; size: of the representation.  The satisfiable ranges in the
 * order in which they were asked for, but that those that overlap, touch or
 * are so near that a part's head is longer than what lies between are
 * one (15.3.7.2): together they are never more than the whole.  More than max
 * are RANGE_NONE.
 */
enum range_result range_parse(struct str value, uint64_t size,
    struct byte_range *set, unsigned max, unsigned *n);

/*
 * What can be said before the size is known: the first byte of the first
 * range, and its last (UINT64_MAX: open).  false: a suffix, or to be ignored.
 */
bool range_begin(struct str value, struct byte_range *);

/*
 * Content-Range of a 206 (RFC 9110 14.4).  false: malformed, of another unit,
 * without a range, or without the complete length.
 */
bool content_range_parse(struct str value, struct byte_range *,
    uint64_t *size);

/* n afterwards; the set has room for one more. */
unsigned range_add(struct byte_range *set, unsigned n, struct byte_range,
    uint64_t near);

#endif
