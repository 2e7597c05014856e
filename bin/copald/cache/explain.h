/*
 * explain.h - what would happen to a request, and why: policy and lookup are
 * run without side effects.
 */
#ifndef COPAL_EXPLAIN_H
#define COPAL_EXPLAIN_H

#include "search_key.h"
#include "store.h"

struct explanation {
	uint8_t hash[STORE_HASH_LEN]; /* of the key, if has_key */
	bool has_key;
	struct search_family family;  /* of it */
	unsigned objects;    /* of the key in memory, all variants */
	char *text;          /* the report; free() it */
	char err[256];
};

/*
 * Explains a GET of a URL, "http://host/path", "host/path" or "/path", with n
 * fields "Name: value", as a client on 127.0.0.1 would ask.  0, or -1 with
 * err.  Not on a loop: it waits for a core, at most for some seconds.
 */
int explain(const char *url, char *const *field, unsigned n, bool json,
    struct explanation *);

#endif
