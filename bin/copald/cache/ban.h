/*
 * ban.h - invalidation: bans and purges, and the log that keeps them.
 *
 * Every ban and purge is an entry of one ordered, durable log, on disk in
 * each store before it is acknowledged.  A ban is tested when an object is
 * looked up: the object carries the position that it was last tested
 * against, so an object pays for a ban once, and nothing when there is no
 * newer one.  A purge removes its key's variants at once.
 *
 * Expression: <field> <operator> <argument> [&& ...], as in vcl(7):
 *   req.url, req.http.*, obj.http.*: == != ~ !~;  obj.status: == != < > ...
 *   obj.ttl, obj.grace, obj.keep, obj.age: < <= > >= with a duration
 */
#ifndef COPAL_BAN_H
#define COPAL_BAN_H

#include <stdio.h>

#include "request.h"

enum { BAN_ERR_LEN = 256 };

/* Reads the logs of all stores.  0, or -1 with a message. */
int bans_load(char *err, size_t err_len);
void bans_free(void); /* the worker's end */

/*
 * Adds a ban, waits until it is on disk.  May block: not on a loop's stack;
 * on a fiber use ban_add_wait.  0, or -1 with a message: not added.
 */
int ban_add(const char *expression, char err[BAN_ERR_LEN]);
int ban_add_wait(struct core *, struct str expression,
    char err[BAN_ERR_LEN]) WAITS;

/* The position that a new object begins with. */
uint64_t ban_position(void);
/*
 * Is the object invalid by a ban that it was not tested against?  No lock,
 * does not wait; notes the position it was tested against.
 */
bool ban_hits(struct object *, const struct request *);

/*
 * Were bans forgotten that an object tested up to there should be tested
 * against?  In the purge gate: it must not be stored then.
 */
bool ban_is_forgotten(uint64_t tested);

/* Purges a key everywhere, waits until that is on disk. 0, or -1: message. */
int purge_wait(struct core *, const struct key *, unsigned *removed,
    char err[BAN_ERR_LEN]) WAITS;

/*
 * Between the two, no purge begins: a fetch looks whether its key was purged
 * and hands its object to the store.
 */
void purge_gate_enter(void);
void purge_gate_leave(void);

/* Purges carried out: what was read from a store before may be purged. */
uint64_t purge_count(void);

void ban_list(FILE *out, bool json);

#endif
