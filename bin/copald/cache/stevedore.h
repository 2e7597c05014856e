/*
 * stevedore.h - where objects are kept: a store on disk with memory in
 * front, or memory alone.  One a -s; each has a hard size.
 */
#ifndef COPAL_STEVEDORE_H
#define COPAL_STEVEDORE_H

#include <pthread.h>
#include <stdio.h>

#include "object.h"
#include "worker.h"

struct stevedore {
	char name[64];
	char vcl_name[80];     /* "storage.<name>" */
	enum store_kind kind;
	struct store *store;      /* NULL: memory alone */
	uint64_t limit;           /* of memory */
	pthread_mutex_t lock;     /* the queue of objects */
	_Atomic uint64_t used;
	struct object *first, *last; /* oldest first */
	struct object *rover;     /* of stevedores_oldest_in_memory */
	_Atomic uint64_t objects;
};

/* Opens all; 0, or -1 with a message. */
int stevedores_open(const struct worker_config *, char *err, size_t err_len);
void stevedores_close(void);
unsigned stevedore_count(void);
struct stevedore *stevedore_at(unsigned i);
struct stevedore *stevedore_by_name(struct str); /* NULL */

/* Takes an object into its queue and accounts for it; evicts others. */
void stevedore_insert(struct stevedore *, struct object *);
void stevedore_remove(struct stevedore *, struct object *);
/* The object's memory changed (a body that grew, or went to disk). */
void stevedore_charge(struct stevedore *, struct object *, int64_t bytes);
/* Its bytes on disk are wrong: nobody gets it any more. */
void stevedore_drop(struct stevedore *, struct object *);
/* Largest object that is kept. */
uint64_t stevedore_max_object(const struct stevedore *);

/*
 * The oldest position of any object; UINT64_MAX: none.  In memory: takes a
 * while, one caller at a time, not on a loop.
 */
uint64_t stevedores_oldest_in_memory(void);
uint64_t stevedores_oldest_stored(void);

void stevedore_list(FILE *out, bool json);

#endif
