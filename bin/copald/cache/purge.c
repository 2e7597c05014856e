/*
 * purge.c - purges of a key (ban.h): one entry of the log of invalidations, and
 * what memory has of the key before and after it is on disk.
 */
#include "ban.h"
#include "index.h"
#include "inval_log.h"

static _Atomic uint64_t purges;

uint64_t
purge_count(void)
{
	return atomic_load(&purges);
}

struct purge_call {
	struct inval_call call;
	const uint8_t *hash;
	const struct inval_limits *soft; /* NULL: a hard one */
	unsigned objects;
};

/* In memory; how many. */
static unsigned
purge_index(const struct purge_call *c)
{
	return c->soft != NULL ?
	    index_soften(c->hash, c->soft, c->call.entry.at) :
	    index_purge(c->hash);
}

static int
purge_begin(struct inval_call *call)
{
	struct purge_call *c = (struct purge_call *)call;

	c->objects = purge_index(c);
	return 0;
}

static void
purge_end(struct inval_call *call)
{
	struct purge_call *c = (struct purge_call *)call;
	unsigned late;

	/*
	 * Counted first: who puts something into the index now, and then
	 * finds the old count, did so before the second purge.
	 */
	atomic_fetch_add(&purges, 1);
	/* what was loaded from disk, or claimed late, in between */
	late = purge_index(c);
	/* a soft purge finds the same ones again */
	c->objects = c->soft == NULL ? c->objects + late
	    : late > c->objects ? late : c->objects;
	/* what is in memory is mostly on disk as well: not to be added up */
	if (call->objects > c->objects)
		c->objects = call->objects;
}

int
purge_key(const uint8_t hash[STORE_HASH_LEN], const struct inval_limits *soft,
    struct purged *out, char err[BAN_ERR_LEN])
{
	struct purge_call c = {
	    .call = {
		.entry = {
		    .kind = soft != NULL ? INVAL_SOFT : INVAL_PURGE,
		    .text = {(const char *)hash, STORE_HASH_LEN},
		},
		.begin = purge_begin,
		.end = purge_end,
		.in_gate = true,
		.err = err,
	    },
	    .hash = hash,
	    .soft = soft,
	};

	if (soft != NULL)
		c.call.entry.limits = *soft;
	inval_log_write(&c.call);
	*out = (struct purged){c.objects, c.call.entry.seq};
	return c.call.result;
}
