/*
 * ban_expr.h - the expression of a ban: conditions that must all hold.
 */
#ifndef COPAL_BAN_EXPR_H
#define COPAL_BAN_EXPR_H

#include "request.h"

struct ban_expr;

enum {
	BAN_EXPR_ERR_LEN = 256,
	/* Far beyond what is sensible, well within an entry of the log. */
	BAN_EXPR_MAX = 65536,
};

/* NULL with a message for the administrator in err. */
struct ban_expr *ban_expr_parse(struct str text, char err[BAN_EXPR_ERR_LEN]);
void ban_expr_free(struct ban_expr **);
/*
 * Appends a word to an expression, in quotes if it must be, and returns what
 * is behind it.  Room: twice the word, and two.
 */
char *ban_expr_put(char *to, struct str word);
/*
 * The expression that text is if its words are taken as they stand, quotes
 * and all, as those of VCL are.  To be freed; NULL: no memory.
 */
char *ban_expr_of_plain(struct str text);
struct str ban_expr_text(const struct ban_expr *);
/* Says the one what the other says, however it is written? */
bool ban_expr_equal(const struct ban_expr *, const struct ban_expr *);
/* Of equal ones it is the same. */
uint64_t ban_expr_hash(const struct ban_expr *);
/* Does it mean something else each time (obj.ttl, obj.age, obj.last_hit)? */
bool ban_expr_is_of_moment(const struct ban_expr *);
/*
 * Does it hold for this object, looked up by this request?  NULL: by one that
 * meets all conditions on requests.  at: when the ban was made, which its
 * conditions on time are about.  Does not wait.
 */
bool ban_expr_matches(const struct ban_expr *, const struct object *,
    const struct request *, double at);

/* What an object's key says of the requests that find it. */
struct ban_key {
	struct str url, host;
};
enum ban_verdict { BAN_NO, BAN_YES, BAN_DEPENDS };
/*
 * The same without a request.  key NULL: not known.  BAN_DEPENDS: on what
 * is known of requests only.
 */
enum ban_verdict ban_expr_verdict(const struct ban_expr *,
    const struct object *, const struct ban_key *key, double at);

#endif
