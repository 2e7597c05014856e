/*
 * inval_log.h - writes entries of the invalidation log to every store, many
 * at a time.
 *
 * Whoever invalidates puts a call into one queue.  A thread of its own takes
 * all that are queued, hands them to the stores, waits once until the last is
 * on disk, and answers: so a flood of purges shares its commits, and leaves
 * the threads that read cold objects alone.
 *
 * Positions are microseconds since 1970, made unique and growing: they stay
 * ordered across restarts even if the log was empty.
 */
#ifndef COPAL_INVAL_LOG_H
#define COPAL_INVAL_LOG_H

#include "store.h"

struct core;

struct inval_call {
	struct inval entry; /* the caller's; seq and at are set by the log */
	/*
	 * Before the entry goes to the stores; -1 with a message: it does
	 * not.  NULL: nothing to do.
	 */
	int (*begin)(struct inval_call *);
	/*
	 * After; result is 0 if every store has it on disk.  Both run in the
	 * order of the log, one at a time, with the log locked.
	 */
	void (*end)(struct inval_call *);
	/* The purge gate is closed from begin until the stores have it. */
	bool in_gate;
	char *err;                /* BAN_ERR_LEN bytes */
	int result;               /* 0, or -1 with a message */
	_Atomic unsigned objects; /* that it removed from the stores */
	/* the log's own */
	struct inval_call *next;
	_Atomic bool failed;
	bool done;
};

/* Before the first call. 0, or -1: no thread. */
int inval_log_start(uint64_t position);
void inval_log_stop(void);

/*
 * Returns c->result once that is known.  Parks a fiber; elsewhere, and not on
 * a loop's stack, blocks.
 */
int inval_log_write(struct inval_call *c);
/* The same, by who holds the lock: from an end(). */
int inval_log_write_locked(struct inval_call *c);

/* No entry is written meanwhile; blocks. */
void inval_log_lock(void);
void inval_log_unlock(void);

/* Of the newest entry that lookups must know of. */
uint64_t inval_log_position(void);
/* By an end(): what it is about can be found. */
void inval_log_publish(uint64_t seq);

/* Between the two, who waits for purge_gate_enter() does not get in. */
void inval_gate_close(void);
void inval_gate_open(void);

#endif
