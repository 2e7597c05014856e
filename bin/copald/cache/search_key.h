/*
 * search_key.h - keys under No-Vary-Search (search_variance.h): what the last
 * response of a path said of its query, and the key that this makes of a URL.
 *
 *	vcl_hash says     /p?b=1&a=2 | host
 *	its path          /p | host             -> the rule, in a table
 *	the key           /p?a=2&b=1 | host | rule
 *
 * The rule is a part of the key: what was stored under another one is not
 * found.  So a key is right whatever the table forgets; it only has a URL
 * fetched once more.
 */
#ifndef COPAL_SEARCH_KEY_H
#define COPAL_SEARCH_KEY_H

#include "request.h"

struct fetch;

/* req->key, from what vcl_hash said in plain; also when rules have changed. */
void search_key_make(struct request *, struct str plain);
/* Is there another rule now than the one that req->key was made with? */
bool search_key_is_old(const struct request *);
/* The key of another target of the same host; plain: vcl_hash's for it. */
void search_key_of(struct request *, struct str plain, struct str target,
    struct key *);

/*
 * A response that others may get: its rule is learned, and if that is another
 * than the key's, the fetch and its claim move to the right key.  Before the
 * object is made.
 */
void search_key_learn(struct fetch *);

#endif
