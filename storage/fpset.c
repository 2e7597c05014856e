/*
 * fpset.c - the set of fingerprints behind store_may_have; see fpset.h.
 *
 * Linear probing.  A slot is 0 (empty, a search ends), 1 (removed, a search
 * goes on) or a fingerprint.  Nothing is ever moved within a table, so a
 * search that runs beside a change finds what was there all the time; a
 * table with too few empty slots is copied into a new one and the pointer
 * swapped.
 */
#include "fpset.h"

#include <sched.h>
#include <stdlib.h>
#include <xxhash.h>

enum {
	EMPTY = 0,
	REMOVED = 1,
	SLOTS_MIN = 1024,
	/* Above this share of used and removed slots, searches get long. */
	FULL_PERCENT = 80,
	/* A new table starts with this share used: 4 / 0.55 = 7.3 bytes. */
	FRESH_PERCENT = 55,
};

struct fpset_table {
	uint32_t slots;
	uint32_t used; /* fingerprints */
	uint32_t removed;
	_Atomic uint32_t slot[];
};

static struct fpset_table *
table_new(uint64_t slots)
{
	struct fpset_table *t;

	if (slots < SLOTS_MIN)
		slots = SLOTS_MIN;
	if (slots > UINT32_MAX)
		return NULL;
	t = calloc(1, sizeof *t + slots * sizeof t->slot[0]);
	if (t != NULL)
		t->slots = (uint32_t)slots;
	return t;
}

static uint32_t
fingerprint(const struct fpset *f, const uint8_t hash[STORE_HASH_LEN])
{
	uint32_t fp =
	    (uint32_t)(XXH3_64bits_withSeed(hash, STORE_HASH_LEN, f->seed) >>
		       32);

	return fp > REMOVED ? fp : fp + 2;
}

/* Where the search for fp starts: its share of the table */
static uint32_t
home(const struct fpset_table *t, uint32_t fp)
{
	return (uint32_t)(((uint64_t)fp * t->slots) >> 32);
}

static uint32_t
next(const struct fpset_table *t, uint32_t i)
{
	return i + 1 < t->slots ? i + 1 : 0;
}

static void
table_add(struct fpset_table *t, uint32_t fp)
{
	uint32_t i = home(t, fp), v;

	while ((v = atomic_load_explicit(&t->slot[i], memory_order_relaxed)) >
	       REMOVED)
		i = next(t, i);
	if (v == REMOVED)
		t->removed--;
	t->used++;
	atomic_store_explicit(&t->slot[i], fp, memory_order_release);
}

bool
fpset_init(struct fpset *f, uint64_t seed)
{
	struct fpset_table *t = table_new(SLOTS_MIN);

	atomic_init(&f->table, t);
	atomic_init(&f->complete, false);
	f->seed = seed;
	for (int i = 0; i < FPSET_STRIPES; i++)
		atomic_init(&f->inside[i].n, 0);
	return t != NULL;
}

void
fpset_fini(struct fpset *f)
{
	free(atomic_load(&f->table));
	atomic_store(&f->table, NULL);
}

/* Any spread of the threads over the stripes does. */
static unsigned
my_stripe(void)
{
	static atomic_uint next_stripe;
	static _Thread_local unsigned stripe;

	if (stripe == 0)
		stripe = 1 + atomic_fetch_add(&next_stripe, 1) % FPSET_STRIPES;
	return stripe - 1;
}

bool
fpset_may_have(struct fpset *f, const uint8_t hash[STORE_HASH_LEN])
{
	uint32_t fp = fingerprint(f, hash), i, v;
	unsigned stripe = my_stripe();
	const struct fpset_table *t;

	if (!atomic_load(&f->complete))
		return true;
	atomic_fetch_add(&f->inside[stripe].n, 1);
	t = atomic_load(&f->table);
	i = home(t, fp);
	while ((v = atomic_load_explicit(&t->slot[i], memory_order_acquire)) !=
		   EMPTY &&
	       v != fp)
		i = next(t, i);
	atomic_fetch_sub(&f->inside[stripe].n, 1);
	return v == fp;
}

/* A fresh table of the right size takes the place of the old. */
static bool
renew(struct fpset *f)
{
	struct fpset_table *old = atomic_load(&f->table), *t;

	t = table_new(((uint64_t)old->used + 1) * 100 / FRESH_PERCENT);
	if (t == NULL)
		return false;
	for (uint32_t i = 0; i < old->slots; i++) {
		uint32_t v =
		    atomic_load_explicit(&old->slot[i], memory_order_relaxed);

		if (v > REMOVED)
			table_add(t, v);
	}
	atomic_store(&f->table, t);
	/*
	 * Who came before the swap may hold the old pointer, who comes after
	 * has the new: once each stripe was seen empty, the old is free.
	 */
	for (int i = 0; i < FPSET_STRIPES; i++)
		while (atomic_load(&f->inside[i].n) != 0)
			sched_yield();
	free(old);
	return true;
}

bool
fpset_add(struct fpset *f, const uint8_t hash[STORE_HASH_LEN])
{
	struct fpset_table *t = atomic_load(&f->table);

	if (((uint64_t)t->used + t->removed + 1) * 100 >
	    (uint64_t)t->slots * FULL_PERCENT) {
		if (!renew(f)) {
			atomic_store(&f->complete, false);
			/* Keep one slot empty, or a search never ends. */
			if (t->used + t->removed + 1 >= t->slots)
				return false;
		}
		t = atomic_load(&f->table);
	}
	table_add(t, fingerprint(f, hash));
	return true;
}

void
fpset_remove(struct fpset *f, const uint8_t hash[STORE_HASH_LEN])
{
	struct fpset_table *t = atomic_load(&f->table);
	uint32_t fp = fingerprint(f, hash), i = home(t, fp), v;

	while ((v = t->slot[i]) != EMPTY && v != fp)
		i = next(t, i);
	if (v == EMPTY)
		return;
	t->used--;
	if (t->slot[next(t, i)] != EMPTY) {
		t->slot[i] = REMOVED;
		t->removed++;
		return;
	}
	/* The end of a run: it and the removed ones before it are empty. */
	t->slot[i] = EMPTY;
	for (;;) {
		i = i > 0 ? i - 1 : t->slots - 1;
		if (t->slot[i] != REMOVED)
			break;
		t->slot[i] = EMPTY;
		t->removed--;
	}
}

void
fpset_set_complete(struct fpset *f)
{
	atomic_store(&f->complete, true);
}

uint64_t
fpset_n(const struct fpset *f)
{
	return atomic_load(&((struct fpset *)f)->table)->used;
}

uint64_t
fpset_bytes(const struct fpset *f)
{
	const struct fpset_table *t = atomic_load(&((struct fpset *)f)->table);

	return sizeof *t + (uint64_t)t->slots * sizeof t->slot[0];
}
