/*
 * ban.h - invalidation: bans, purges and purged tags, and the log that keeps
 * them.
 *
 * Every ban and purge is an entry of one ordered, durable log, on disk in
 * each store before it is acknowledged.  A ban is tested when an object is
 * looked up: the object carries the position that it was last tested
 * against, so an object pays for a ban once, and nothing when there is no
 * newer one.  A purge removes its key's variants at once.  A purge by tag is
 * tested as a ban is, but at the same cost however many there were (tags.h).
 *
 * Expression: <field> <operator> <argument> [&& ...], as in vcl(7):
 *   req.url, req.http.*, obj.http.*: == != ~ !~;  obj.status: == != < > ...
 *   obj.ttl, obj.grace, obj.keep, obj.age, obj.last_hit (since then):
 *   < <= > >= with a duration
 */
#ifndef COPAL_BAN_H
#define COPAL_BAN_H

#include <stdio.h>

#include "request.h"
#include "sample.h"
#include "store.h"

enum {
	BAN_ERR_LEN = 256,
	/* Tags in one purge: as many as one entry of the log has room for. */
	TAGS_PURGE_MAX = 100000,
};

/* Reads the logs of all stores.  0, or -1 with a message. */
int bans_load(char *err, size_t err_len);
void bans_free(void); /* the worker's end */

/*
 * The four below park a fiber until the log is on disk, and block elsewhere:
 * not on a loop's own stack.
 */
/* Adds a ban.  *seq is its position.  0, or -1 with a message: not added. */
int ban_add(struct str expression, uint64_t *seq,
    char err[BAN_ERR_LEN]) WAITS;
/*
 * Which objects it would hit at most: a condition on requests
 * counts as met.  0 and the caller's sample; or -1 with a message.
 */
int ban_sample(const char *expression, struct sample *,
    char err[BAN_ERR_LEN]) WAITS;

/* What a purge has done. */
struct purged {
	unsigned objects; /* in memory, or on disk if that is more */
	uint64_t seq;     /* its position in the log; 0: there was none */
};
/*
 * A record of it for who keeps accounts: in the log of the transaction that
 * asked for it, or NULL: it was the CLI, by inval_audit_who.
 */
void inval_audit(struct log_txn *, const char *what, struct str of,
    const struct purged *);
void inval_audit_who(const char *); /* the first thread's; kept */
/*
 * Purges a key everywhere.  soft: only takes off the times of its objects;
 * what is being fetched for it is not kept in either case.  0, or -1:
 * message.
 */
int purge_key(const uint8_t hash[STORE_HASH_LEN],
    const struct inval_limits *soft, struct purged *,
    char err[BAN_ERR_LEN]) WAITS;
/*
 * Purges every object that has one of the tags in list; soft: they become
 * stale only.  objects: those in memory that it hits, each counted for each
 * of its tags.  0, or -1: message.
 */
int tags_purge_list(struct str list, bool soft, struct purged *,
    char err[BAN_ERR_LEN]) WAITS;

/*
 * The same for who explains: tells of each ban that the object has still to be
 * tested against, newest first, up to one that hits it.  Notes and counts
 * nothing.
 */
typedef void ban_tell(void *priv, struct str expression, bool hits);
bool ban_explain(struct object *, const struct request *, ban_tell *,
    void *priv);

/* The position that a new object begins with. */
uint64_t ban_position(void);
/*
 * Is the object invalid by a ban, or a purge of one of its tags, that it was
 * not tested against?  Does not wait; notes the position it was tested
 * against.  An object that a soft purge hit becomes stale.
 */
bool ban_hits(struct object *, const struct request *);

/*
 * Were bans forgotten that an object tested up to there should be tested
 * against?  In the purge gate: it must not be stored then.
 */
bool ban_is_forgotten(uint64_t tested);

/*
 * Between the two, no purge begins: a fetch looks whether its key was purged
 * and hands its object to the store.
 */
void purge_gate_enter(void);
void purge_gate_leave(void);

/* Purges carried out: what was read from a store before may be purged. */
uint64_t purge_count(void);

/* --- for the lurker ------------------------------------------------------ */

struct ban_key;
/*
 * Is the object, tested so far, invalid by what is not newer than *upto?
 * Lowers *upto to before the first ban that depends on the request.
 */
bool ban_lurks(struct object *, uint64_t tested, const struct ban_key *,
    uint64_t *upto);
/* The newest ban or purge of a tag that is not younger; 0: none. */
uint64_t ban_newest_before(double at);
/* What was tested less far is not stored any more (ban_is_forgotten). */
void ban_close(uint64_t upto);
/* Forgets what every object was tested against; in inval_log_lock. */
void ban_trim(void);
/* Forgets the oldest bans, with who was not tested, beyond ban_cutoff. */
void ban_cut(void);
/*
 * In inval_log_lock: forgets what is not newer than upto, and with it who was
 * not tested so far.  No failure: it is tried again when there is more.
 */
void ban_forget_untested(uint64_t upto);

void ban_list(FILE *out, bool json);

#endif
