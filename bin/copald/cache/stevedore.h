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

struct ban_expr;

struct stevedore {
	char name[64];
	char vcl_name[80];     /* "storage.<name>" */
	enum store_kind kind;
	struct store *store;      /* NULL: memory alone */
	uint64_t limit;           /* of memory */
	pthread_mutex_t lock;     /* eviction */
	_Atomic uint64_t used;
	struct eviction eviction; /* objects in memory */
	_Atomic uint64_t objects;
};

/* One of zeroes, without its disk.  false: no memory */
bool stevedore_init(struct stevedore *, const char *name, enum store_kind,
    uint64_t limit);
/* Opens all; 0, or -1 with a message. */
int stevedores_open(const struct worker_config *, char *err, size_t err_len);
void stevedores_close(void);
unsigned stevedore_count(void);
struct stevedore *stevedore_at(unsigned i);
struct stevedore *stevedore_by_name(struct str); /* NULL */
/* Memory alone, always there: policies written for Varnish name it. */
struct stevedore *stevedore_transient(void);

/* Takes an object into its queue and accounts for it; evicts others. */
void stevedore_insert(struct stevedore *, struct object *);
void stevedore_remove(struct stevedore *, struct object *);
/* The budget for all is nearly used up: some go, from the fullest, so that
 * about twice the bytes that come are freed.  None, if there is room. */
void stevedores_make_room(uint64_t bytes);
/* The object's memory changed (a body that grew, or went to disk). */
void stevedore_charge(struct stevedore *, struct object *, int64_t bytes);
/* Its bytes on disk are wrong: nobody gets it any more. */
void stevedore_drop(struct stevedore *, struct object *);
/*
 * Takes out every object, in memory and on disk.  WAITS for the disk, not for
 * a loop.  0 and how many there were, or -1 with the reason in err
 * (STORE_ERR_LEN bytes).
 */
int stevedore_empty(struct stevedore *, uint64_t *objects, char *err);
/* Largest object that is kept. */
uint64_t stevedore_max_object(const struct stevedore *);

/*
 * The oldest position of any object; UINT64_MAX: none.  In memory: takes a
 * while, one caller at a time, not on a loop.
 */
uint64_t stevedores_oldest_in_memory(void);
uint64_t stevedores_oldest_stored(void);
/*
 * Objects in memory that were tested less far, at most max; each has a
 * reference, the caller's.
 */
unsigned stevedores_tested_before(
    uint64_t upto, struct object **, unsigned max);
/*
 * How many objects in memory is_hit says yes to, and the first max of them, *n,
 * with a reference, the caller's.  A walk, too.
 */
unsigned stevedores_count(bool (*is_hit)(void *priv, struct object *),
    void *priv, struct object **out, unsigned max, unsigned *n);

/*
 * Was the object's key asked for before: was it in memory not long ago, and
 * left?
 */
bool stevedore_remembers(struct stevedore *, const struct object *,
    const uint8_t hash[STORE_HASH_LEN]);
/* As if it had been in memory and left. */
void stevedore_remember(struct stevedore *,
    const uint8_t hash[STORE_HASH_LEN]);

void stevedore_list(FILE *out, bool json);

#endif
