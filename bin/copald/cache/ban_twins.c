/*
 * ban_twins.c - a hash table of bans by what they say.  Not by a walk over the
 * list: with 100,000 bans each further one would cost a millisecond.
 */
#include <stdlib.h>

#include "ban_twins.h"

enum { BUCKETS_MIN = 64 };

static struct ban_twin **bucket;
static size_t bucket_n, twin_n;

static struct ban_twin **
bucket_of(uint64_t hash)
{
	return &bucket[hash & (bucket_n - 1)];
}

/* Longer chains are the price if there is no memory. */
static void
grow(void)
{
	size_t n = bucket_n == 0 ? BUCKETS_MIN : bucket_n * 2, old_n = bucket_n;
	struct ban_twin **old = bucket, **made = calloc(n, sizeof *made);

	if (made == NULL)
		return;
	bucket = made;
	bucket_n = n;
	for (size_t i = 0; i < old_n; i++) {
		struct ban_twin *t, *next;

		for (t = old[i]; t != NULL; t = next) {
			next = t->next;
			t->next = *bucket_of(t->hash);
			*bucket_of(t->hash) = t;
		}
	}
	free(old);
}

struct ban_twin *
ban_twins_put(struct ban_twin *t, const struct ban_expr *expr)
{
	struct ban_twin *other;

	*t = (struct ban_twin){.expr = expr};
	if (ban_expr_is_of_moment(expr))
		return NULL;
	if (twin_n >= bucket_n)
		grow();
	if (bucket_n == 0)
		return NULL;
	t->hash = ban_expr_hash(expr) | (uint64_t)1 << 63;
	for (other = *bucket_of(t->hash); other != NULL; other = other->next)
		if (other->hash == t->hash &&
		    ban_expr_equal(other->expr, expr))
			break;
	if (other != NULL)
		ban_twins_drop(other);
	t->next = *bucket_of(t->hash);
	*bucket_of(t->hash) = t;
	twin_n++;
	return other;
}

void
ban_twins_drop(struct ban_twin *t)
{
	struct ban_twin **at;

	if (t->hash == 0)
		return;
	for (at = bucket_of(t->hash); *at != t;)
		at = &(*at)->next;
	*at = t->next;
	t->hash = 0;
	twin_n--;
}

void
ban_twins_free(void)
{
	free(bucket);
	bucket = NULL;
	bucket_n = twin_n = 0;
}
