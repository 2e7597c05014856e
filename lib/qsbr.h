/*
 * qsbr.h - freeing what other threads may still be reading, without a lock.
 *
 * Quiescent-state based reclamation.  A registered thread promises that at
 * qsbr_quiescent() it holds no pointer into shared structures; a loop says so
 * once a turn.  Who has taken something out of a shared structure retires
 * it, and it is freed when every registered thread has been quiescent since.
 * A thread that sleeps goes offline and is not waited for.
 *
 *	reader:  p = atomic_load(&shared); use p; ... qsbr_quiescent()
 *	writer:  atomic_store(&shared, new); qsbr_retire(&old->item, free_old)
 *
 * A fiber that parks lets its loop become quiescent: hold no such pointer
 * across a wait (fiber_no_wait_begin() asserts it).
 *
 * loop.c calls quiescent, offline and online for a registered thread.
 * Nothing here waits.
 */
#ifndef COPAL_QSBR_H
#define COPAL_QSBR_H

#include <stdbool.h>

/* Embedded in what is retired; no need to initialize. */
struct qsbr_item {
	struct qsbr_item *next;
	void (*fn)(struct qsbr_item *);
};

enum { QSBR_THREADS = 256 };

/*
 * The calling thread is a reader from here on, and online.  0, or -1 if
 * there are QSBR_THREADS already.
 */
int qsbr_register(void);
/*
 * No reader any more.  What it retired is freed by another registered
 * thread, or here if there is none.
 */
void qsbr_unregister(void);
bool qsbr_is_registered(void);

/* The calling thread holds no shared pointer now.  May run items' fn. */
void qsbr_quiescent(void);
/* Holds none until online; nothing may be read in between. */
void qsbr_offline(void);
void qsbr_online(void);

/*
 * Has fn(item) run after every online thread was quiescent: on the calling
 * thread, in one of its next qsbr_quiescent(); if it is not registered, on
 * any thread that is, or here if there is none.  fn may retire more.
 */
void qsbr_retire(struct qsbr_item *item, void (*fn)(struct qsbr_item *));

/* Does the calling thread have items that are not freed yet? */
bool qsbr_pending(void);

#endif
