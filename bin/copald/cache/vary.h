/*
 * vary.h - which variant of a key is for which request (RFC 9111 4.1).
 *
 * The spec that an object carries is, for each field that Vary names:
 * name_len (2 bytes), name, value_len (4 bytes, UINT32_MAX: the field
 * was absent), value.  Integers are little-endian.
 */
#ifndef COPAL_VARY_H
#define COPAL_VARY_H

#include "arena.h"
#include "http.h"

enum vary_result {
	VARY_NONE,   /* no Vary field */
	VARY_SPEC,   /* *spec is the spec, in the arena */
	VARY_ALL,    /* "*": nothing matches */
	VARY_BAD,    /* not a list of names, or no room */
};

enum vary_result vary_make(const struct http *response,
    const struct http *request, struct arena *, struct str *spec);
/* Is the spec's variant the one for this request?  Malformed: no. */
bool vary_matches(struct str spec, const struct http *request);
/*
 * Which variant a request is for, if its key's depend on what this one of them
 * depends on: equal for equal ones.  0: there is no knowing.
 */
uint64_t vary_hash(struct str spec, const struct http *request);

/*
 * Takes the next field off a spec; value->p == NULL: the variant is of requests
 * without it.  false: the end, or what is no spec.
 */
bool vary_next(struct str *spec, struct str *name, struct str *value);

#endif
