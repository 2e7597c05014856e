/*
 * vsthrottle.c - module vsthrottle: limits of rate for each key.
 *
 * Buckets are in shards, each with a lock that is held for some hundred
 * nanoseconds.  A shard is a hash table and a list of its buckets in the order
 * of their last use.  Who adds one looks at the two at that list's end first:
 * those that are full again go.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "clock.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum {
	SHARDS = 64,          /* cores meet in one rarely */
	CHAINS = 4096,        /* of a shard; 4 buckets each when it is full */
	BUCKETS_MAX = 16384,  /* of a shard: 1 Mi in all, some 100 MB */
	LOOKED_AT = 2,
};

struct bucket {
	struct bucket *next;           /* of its chain */
	struct bucket *newer, *older;  /* in the order of use */
	XXH128_hash_t id;
	double tokens, limit, period;
	double at;                     /* of tokens; seconds, monotonic */
	double blocked_until;
};

struct shard {
	pthread_mutex_t lock;
	struct bucket **chain;         /* NULL: none yet */
	struct bucket *newest, *oldest;
	unsigned n;
};

static struct shard shards[SHARDS] = {
	[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER},
};

struct rule { /* what names a bucket */
	VCL_STRING key;
	VCL_INT limit;
	double period, block;
};

static double
now(void)
{
	return (double)clock_mono() / 1e9;
}

static XXH128_hash_t
id_of(const struct rule *r)
{
	double numbers[] = {(double)r->limit, r->period, r->block};
	XXH128_hash_t h = XXH3_128bits(r->key.p, r->key.len);

	/* the numbers' hash is another text's seed: no key can imitate it */
	return XXH3_128bits_withSeed(&h, sizeof h,
	    XXH3_64bits(numbers, sizeof numbers));
}

static struct bucket **
chain_of(struct shard *s, XXH128_hash_t id)
{
	return &s->chain[id.low64 / SHARDS % CHAINS];
}

static void
unlink_use(struct shard *s, struct bucket *b)
{
	*(b->newer != NULL ? &b->newer->older : &s->newest) = b->older;
	*(b->older != NULL ? &b->older->newer : &s->oldest) = b->newer;
}

static void
link_newest(struct shard *s, struct bucket *b)
{
	b->newer = NULL;
	b->older = s->newest;
	*(b->older != NULL ? &b->older->newer : &s->oldest) = b;
	s->newest = b;
}

static void
forget(struct shard *s, struct bucket *b)
{
	struct bucket **pp = chain_of(s, b->id);

	while (*pp != b)
		pp = &(*pp)->next;
	*pp = b->next;
	unlink_use(s, b);
	s->n--;
	free(b);
}

static void
refill(struct bucket *b, double at)
{
	/* in this order: no time times a huge rate would be no number */
	b->tokens += (at - b->at) / b->period * b->limit;
	if (b->tokens > b->limit)
		b->tokens = b->limit;
	b->at = at;
}

/* What is full and not blocked says no more than no bucket. */
static void
tidy(struct shard *s, double at)
{
	for (unsigned i = 0; i < LOOKED_AT && s->oldest != NULL; i++) {
		struct bucket *b = s->oldest;

		refill(b, at);
		if (b->tokens < b->limit || b->blocked_until > at)
			return;
		forget(s, b);
	}
}

/* NULL: there is none, and make is false or there is no memory */
static struct bucket *
find(struct shard *s, const struct rule *r, XXH128_hash_t id, double at,
    bool make)
{
	struct bucket *b;

	if (s->chain == NULL)
		s->chain = calloc(CHAINS, sizeof *s->chain);
	if (s->chain == NULL)
		return NULL;
	for (b = *chain_of(s, id); b != NULL; b = b->next) {
		if (XXH128_isEqual(b->id, id)) {
			unlink_use(s, b);
			link_newest(s, b);
			refill(b, at);
			return b;
		}
	}
	if (!make)
		return NULL;
	tidy(s, at);
	if (s->n >= BUCKETS_MAX)
		forget(s, s->oldest);
	b = malloc(sizeof *b);
	if (b == NULL)
		return NULL;
	*b = (struct bucket){
		.next = *chain_of(s, id), .id = id,
		.tokens = (double)r->limit, .limit = (double)r->limit,
		.period = r->period, .at = at,
	};
	*chain_of(s, id) = b;
	link_newest(s, b);
	s->n++;
	return b;
}

/* Locks the rule's shard. */
static struct shard *
enter(const struct rule *r, XXH128_hash_t *id)
{
	struct shard *s;

	*id = id_of(r);
	s = &shards[id->low64 % SHARDS];
	pthread_mutex_lock(&s->lock);
	return s;
}

/* false: nothing is to be done; or a failure */
static bool
is_rule(struct vcl_ctx *ctx, const struct rule *r)
{
	if (!(r->period > 0))
		vrt_failf(ctx, "vsthrottle: a period must be above 0");
	return r->period > 0 && r->key.p != NULL && r->limit > 0;
}

VCL_BOOL
vmod_vsthrottle_is_denied(struct vcl_ctx *ctx, VCL_STRING key, VCL_INT limit,
    VCL_DURATION period, VCL_DURATION block)
{
	struct rule r = {key, limit, period, block};
	XXH128_hash_t id;
	double at = now();
	struct bucket *b;
	struct shard *s;
	bool denied;

	if (!is_rule(ctx, &r))
		return true;
	s = enter(&r, &id);
	b = find(s, &r, id, at, true);
	/* without memory for it: all are let in rather than none */
	denied = b != NULL && (b->blocked_until > at || b->tokens < 1);
	if (vrt_is_dry(ctx))
		;
	else if (b != NULL && !denied)
		b->tokens -= 1;
	else if (b != NULL && block > 0 && b->blocked_until <= at)
		b->blocked_until = at + block;
	pthread_mutex_unlock(&s->lock);
	return denied;
}

VCL_VOID
vmod_vsthrottle_return_token(struct vcl_ctx *ctx, VCL_STRING key,
    VCL_INT limit, VCL_DURATION period, VCL_DURATION block)
{
	struct rule r = {key, limit, period, block};
	XXH128_hash_t id;
	struct bucket *b;
	struct shard *s;

	if (!is_rule(ctx, &r) || vrt_is_dry(ctx))
		return;
	s = enter(&r, &id);
	b = find(s, &r, id, now(), false);
	if (b != NULL)
		b->tokens = b->tokens + 1 < b->limit ? b->tokens + 1
						     : b->limit;
	pthread_mutex_unlock(&s->lock);
}

VCL_INT
vmod_vsthrottle_remaining(struct vcl_ctx *ctx, VCL_STRING key, VCL_INT limit,
    VCL_DURATION period, VCL_DURATION block)
{
	struct rule r = {key, limit, period, block};
	VCL_INT left = limit;
	XXH128_hash_t id;
	struct bucket *b;
	struct shard *s;

	if (!is_rule(ctx, &r))
		return 0;
	s = enter(&r, &id);
	b = find(s, &r, id, now(), false);
	if (b != NULL)
		left = b->tokens < b->limit ? (VCL_INT)b->tokens : limit;
	pthread_mutex_unlock(&s->lock);
	return left;
}

VCL_DURATION
vmod_vsthrottle_blocked(struct vcl_ctx *ctx, VCL_STRING key, VCL_INT limit,
    VCL_DURATION period, VCL_DURATION block)
{
	struct rule r = {key, limit, period, block};
	XXH128_hash_t id;
	double at = now(), left = 0;
	struct bucket *b;
	struct shard *s;

	if (!is_rule(ctx, &r))
		return 0;
	s = enter(&r, &id);
	b = find(s, &r, id, at, false);
	if (b != NULL && b->blocked_until > at)
		left = b->blocked_until - at;
	pthread_mutex_unlock(&s->lock);
	return left;
}

VCL_VOID
vmod_vsthrottle_remove_bucket(struct vcl_ctx *ctx, VCL_STRING key,
    VCL_INT limit, VCL_DURATION period, VCL_DURATION block)
{
	struct rule r = {key, limit, period, block};
	XXH128_hash_t id;
	struct bucket *b;
	struct shard *s;

	if (!is_rule(ctx, &r) || vrt_is_dry(ctx))
		return;
	s = enter(&r, &id);
	b = find(s, &r, id, now(), false);
	if (b != NULL)
		forget(s, b);
	pthread_mutex_unlock(&s->lock);
}
