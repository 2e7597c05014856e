/*
 * txn.h - whole transactions, and groups of them, out of a log's batches.
 *
 * A group is a tree: a request with its fetches, its ESI parts and what it
 * became by a restart.  It is complete when all of it has ended; a Link
 * record says what there is to wait for.
 *
 *   batch --> transaction by its id --> tree by parent and Link
 *                                           |
 *       complete, or too old, or too many --+--> emit(root), freed
 */
#ifndef COPAL_TXN_H
#define COPAL_TXN_H

#include "clock.h"
#include "shmlog_read.h"

struct txn {
	uint64_t id, parent;
	enum log_kind kind;
	enum log_reason reason;
	bool begun;   /* its first batch was seen */
	bool ended;   /* its last batch was seen */
	unsigned level; /* in its group; the root: 1 */
	char *records;  /* for log_record_next() */
	size_t len, cap;
	/* the tree */
	struct txn *up, *child, *last_child, *next;
	/* for the collector */
	struct txn *same_hash, *older, *newer;
	nsec_t at; /* when it was first heard of */
};

static inline struct str
txn_records(const struct txn *t)
{
	return str_of(t->records, t->len);
}

/* The next of the tree, parents first; NULL at the end. */
struct txn *txn_walk(const struct txn *root, struct txn *t);

enum grouping { GROUP_RAW, GROUP_XID, GROUP_REQUEST, GROUP_SESSION };

struct txns;

typedef void txn_emit(struct txn *root, void *arg);

/*
 * limit: most transactions kept waiting; wait: longest time for a group to
 * become complete.  GROUP_RAW is not for this.  NULL: no memory.
 */
struct txns *txns_new(enum grouping, unsigned limit, nsec_t wait,
    txn_emit *emit, void *arg);
void txns_free(struct txns **);
/* May call emit.  Raw batches and, by request, sessions are passed over. */
void txns_add(struct txns *, const struct log_batch *, nsec_t now);
/* Emits what has waited too long. */
void txns_expire(struct txns *, nsec_t now);
/* Emits all there is, complete or not. */
void txns_flush(struct txns *);

#endif
