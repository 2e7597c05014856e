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
struct inval_limits;
struct purged;

/* req->key, from what vcl_hash said in plain; also when rules have changed. */
void search_key_make(struct request *, struct str plain);
/* Is there another rule now than the one that req->key was made with? */
bool search_key_is_old(const struct request *);
/* The key of another target of the same host; plain: vcl_hash's for it. */
void search_key_of(struct request *, struct str plain, struct str target,
    struct search_use *, struct key *);

/* What a purge of a URL has to reach beside its key. */
struct search_family {
	bool is_used;
	bool has_rule;       /* plain is another key */
	uint8_t plain[STORE_HASH_LEN];
	uint64_t path;
};

void search_family_of(const struct search_use *, struct search_family *);
/*
 * Purges what is stored under any rule of the path, for any query: a rule may
 * be forgotten or change, and come back.  Adds to what *done says.  0, or -1
 * with a text in err.
 */
int search_family_purge(const struct search_family *,
    const struct inval_limits *soft, struct purged *done, char *err) WAITS;
/* The tag by which it finds them; in the fetch's workspace.  p NULL: none. */
bool search_family_tag(struct fetch *, struct str *);

/*
 * A response that others may get: its rule is learned, and if that is another
 * than the key's, the fetch and its claim move to the right key.  Before the
 * object is made.
 */
void search_key_learn(struct fetch *);

#endif
