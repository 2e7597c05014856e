/*
 * tags.c - the table of tags: when each was purged, how many objects have it.
 *
 *      tag -> shard (a lock, a hash table) -> hard, soft, objects
 *
 * Tags are known by 64 bits of hash.  A tag is in the table while objects in
 * memory carry it or a purge of it is remembered.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tags.h"

enum {
	/* Locks: cores that fill objects with other tags hardly ever meet. */
	SHARDS = 64,
	SHARD_MIN = 16, /* buckets to begin with */
};

struct tag {
	struct tag *next;
	uint64_t hash;
	uint64_t hard, soft; /* position of the last purge; 0: none */
	uint32_t objects;    /* in memory, not hit by the last hard purge */
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct tag **bucket;
	size_t bucket_n, tag_n;
};

static struct shard shard[SHARDS] = {
    [0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};
/* The newest purge: who was tested since need not ask for each tag. */
static _Atomic uint64_t newest_purge;

/* --- lists of tags ------------------------------------------------------- */

static bool
is_separator(char c)
{
	return c == ' ' || c == ',' || (c >= '\t' && c <= '\r');
}

bool
tags_next(struct str *list, struct str *tag)
{
	const char *p = list->p, *end, *from;

	if (p == NULL)
		return false;
	end = p + list->len;
	while (p < end && is_separator(*p))
		p++;
	from = p;
	while (p < end && !is_separator(*p))
		p++;
	*tag = str_of(from, (size_t)(p - from));
	*list = str_of(p, (size_t)(end - p));
	return tag->len > 0;
}

uint64_t
tag_hash(struct str tag)
{
	return XXH3_64bits(tag.p, tag.len);
}

/* --- the table ----------------------------------------------------------- */

/* The high bits: the low ones choose the bucket. */
static struct shard *
shard_of(uint64_t hash)
{
	return &shard[hash >> 58];
}

_Static_assert(SHARDS == 1 << (64 - 58), "as many as six bits say");

/* lock held */
static struct tag *
find(const struct shard *s, uint64_t hash)
{
	struct tag *t;

	if (s->bucket_n == 0)
		return NULL;
	for (t = s->bucket[hash & (s->bucket_n - 1)]; t != NULL; t = t->next)
		if (t->hash == hash)
			return t;
	return NULL;
}

/* lock held; longer chains are the price if there is no memory */
static void
grow(struct shard *s)
{
	size_t n = s->bucket_n == 0 ? SHARD_MIN : s->bucket_n * 2;
	struct tag **bucket = calloc(n, sizeof *bucket);

	if (bucket == NULL)
		return;
	for (size_t i = 0; i < s->bucket_n; i++) {
		struct tag *t, *next;

		for (t = s->bucket[i]; t != NULL; t = next) {
			struct tag **to = &bucket[t->hash & (n - 1)];

			next = t->next;
			t->next = *to;
			*to = t;
		}
	}
	free(s->bucket);
	s->bucket = bucket;
	s->bucket_n = n;
}

/* lock held; finds or makes; NULL: no memory */
static struct tag *
get(struct shard *s, uint64_t hash)
{
	struct tag *t = find(s, hash);
	struct tag **at;

	if (t != NULL)
		return t;
	if (s->tag_n >= s->bucket_n)
		grow(s);
	t = s->bucket_n > 0 ? calloc(1, sizeof *t) : NULL;
	if (t == NULL)
		return NULL;
	t->hash = hash;
	at = &s->bucket[hash & (s->bucket_n - 1)];
	t->next = *at;
	*at = t;
	s->tag_n++;
	return t;
}

/* lock held */
static void
drop_if_empty(struct shard *s, struct tag *t)
{
	struct tag **at = &s->bucket[t->hash & (s->bucket_n - 1)];

	if (t->objects > 0 || t->hard > 0 || t->soft > 0)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	s->tag_n--;
	free(t);
}

/*
 * An object that a hard purge has hit was taken out of the count by it, so
 * whether it is in the count follows from the two positions.
 */
static void
count(struct object *o, bool in)
{
	struct str list = o->tags, word;

	while (tags_next(&list, &word)) {
		uint64_t hash = tag_hash(word);
		struct shard *s = shard_of(hash);
		struct tag *t;

		pthread_mutex_lock(&s->lock);
		t = in ? get(s, hash) : find(s, hash);
		if (t != NULL && t->hard <= o->inval_seq) {
			if (in)
				t->objects++;
			else if (t->objects > 0)
				t->objects--;
		}
		if (t != NULL && !in)
			drop_if_empty(s, t);
		pthread_mutex_unlock(&s->lock);
	}
}

void
tags_count_in(struct object *o)
{
	count(o, true);
}

void
tags_count_out(struct object *o)
{
	count(o, false);
}

bool
tags_purge(uint64_t hash, uint64_t seq, bool soft, unsigned *hit)
{
	struct shard *s = shard_of(hash);
	struct tag *t;

	pthread_mutex_lock(&s->lock);
	t = get(s, hash);
	if (t != NULL) {
		uint64_t *at = soft ? &t->soft : &t->hard;

		*hit += t->objects;
		if (seq > *at)
			*at = seq;
		if (!soft)
			t->objects = 0;
	}
	pthread_mutex_unlock(&s->lock);
	if (seq > atomic_load(&newest_purge))
		atomic_store(&newest_purge, seq);
	return t != NULL;
}

unsigned
tags_objects(uint64_t hash)
{
	struct shard *s = shard_of(hash);
	const struct tag *t;
	unsigned n;

	pthread_mutex_lock(&s->lock);
	t = find(s, hash);
	n = t != NULL ? t->objects : 0;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/*
 * Its freshness ended when the tag was purged: a position is the time in
 * microseconds, unless the clock was set back.
 */
static void
make_stale(struct object *o, uint64_t seq, double now)
{
	double at = (double)seq / 1e6, ttl;

	ttl = (at < now ? at : now) - o->t_origin;
	if (ttl < 0)
		ttl = 0;
	if (o->ttl > ttl)
		o->ttl = ttl;
}

bool
tags_hit(struct object *o, uint64_t tested, double now)
{
	struct str list = o->tags, word;
	uint64_t hard = 0, soft = 0;

	if (list.p == NULL || tested >= atomic_load(&newest_purge))
		return false;
	while (hard <= tested && tags_next(&list, &word)) {
		uint64_t hash = tag_hash(word);
		struct shard *s = shard_of(hash);
		const struct tag *t;

		pthread_mutex_lock(&s->lock);
		t = find(s, hash);
		if (t != NULL) {
			hard = t->hard;
			soft = t->soft > soft ? t->soft : soft;
		}
		pthread_mutex_unlock(&s->lock);
	}
	if (hard > tested)
		return true;
	if (soft > tested)
		make_stale(o, soft, now);
	return false;
}

void
tags_forget(uint64_t upto)
{
	for (struct shard *s = shard; s < shard + SHARDS; s++) {
		pthread_mutex_lock(&s->lock);
		for (size_t i = 0; i < s->bucket_n; i++) {
			struct tag *t, *next;

			for (t = s->bucket[i]; t != NULL; t = next) {
				next = t->next;
				if (t->hard <= upto)
					t->hard = 0;
				if (t->soft <= upto)
					t->soft = 0;
				drop_if_empty(s, t);
			}
		}
		pthread_mutex_unlock(&s->lock);
	}
}
