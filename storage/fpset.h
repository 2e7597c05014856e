/*
 * fpset.h - "may this hash be in the store?", from RAM.
 *
 * A multiset of 32-bit fingerprints in an open-addressed table: 5 to 8 bytes
 * an entry, one or two cache lines a question.  A fingerprint's place follows
 * from the fingerprint alone, so that the table can grow without the hashes.
 * Wrong "yes" answers: entries / 2^32 of the questions (1M: 0.02 %).
 *
 * Threads: anybody asks, without a lock; one thread (the writer) changes.
 */
#ifndef COPAL_STORAGE_FPSET_H
#define COPAL_STORAGE_FPSET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store.h"

enum { FPSET_STRIPES = 16 };

struct fpset_table;

struct fpset {
	_Atomic(struct fpset_table *) table;
	atomic_bool complete; /* else every answer is yes */
	uint64_t seed;
	/* Readers inside, in stripes: tells when an old table is free. */
	struct {
		_Alignas(64) atomic_uint n;
	} inside[FPSET_STRIPES];
};

/* false: no memory */
bool fpset_init(struct fpset *, uint64_t seed);
void fpset_fini(struct fpset *);

bool fpset_may_have(struct fpset *, const uint8_t hash[STORE_HASH_LEN]);
/* false: no memory to grow; the filter answers yes from now on */
bool fpset_add(struct fpset *, const uint8_t hash[STORE_HASH_LEN]);
/* Of one that was added */
void fpset_remove(struct fpset *, const uint8_t hash[STORE_HASH_LEN]);
/* All that is in the store has been added: answers count from now on. */
void fpset_set_complete(struct fpset *);

/* Entries, and bytes of the table */
uint64_t fpset_n(const struct fpset *);
uint64_t fpset_bytes(const struct fpset *);

#endif
