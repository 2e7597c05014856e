/*
 * filter.h - "may this hash be in the store?", from RAM.
 *
 * A multiset of 32-bit fingerprints in an open-addressed table: 5 to 8 bytes
 * an entry, one or two cache lines a question.  A fingerprint's place follows
 * from the fingerprint alone, so that the table can grow without the hashes.
 * Wrong "yes" answers: entries / 2^32 of the questions (1M: 0.02 %).
 *
 * Threads: anybody asks, without a lock; one thread (the writer) changes.
 */
#ifndef COPAL_STORAGE_FILTER_H
#define COPAL_STORAGE_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store.h"

enum { FILTER_STRIPES = 16 };

struct filter_table;

struct filter {
	_Atomic(struct filter_table *) table;
	atomic_bool complete; /* else every answer is yes */
	uint64_t seed;
	/* Readers inside, in stripes: tells when an old table is free. */
	struct {
		_Alignas(64) atomic_uint n;
	} inside[FILTER_STRIPES];
};

/* false: no memory */
bool filter_init(struct filter *, uint64_t seed);
void filter_fini(struct filter *);

bool filter_may_have(struct filter *, const uint8_t hash[STORE_HASH_LEN]);
/* false: no memory to grow; the filter answers yes from now on */
bool filter_add(struct filter *, const uint8_t hash[STORE_HASH_LEN]);
/* Of one that was added */
void filter_remove(struct filter *, const uint8_t hash[STORE_HASH_LEN]);
/* All that is in the store has been added: answers count from now on. */
void filter_set_complete(struct filter *);

/* Entries, and bytes of the table */
uint64_t filter_n(const struct filter *);
uint64_t filter_bytes(const struct filter *);

#endif
