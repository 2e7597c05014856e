/*
 * shard_ring.c - a consistent hashing ring, as Varnish's shard director has.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard_ring.h"

uint32_t
shard_key(struct str s)
{
	unsigned char d[EVP_MAX_MD_SIZE] = {0};
	const unsigned char *p = d + 28;

	/* without memory in libcrypto: one key for all, but a key */
	EVP_Digest(s.p != NULL ? s.p : "", s.len, d, NULL, EVP_sha256(), NULL);
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

uint32_t
shard_key_of_blob(const void *blob, size_t len)
{
	const unsigned char *p = blob;
	uint32_t key = 0;

	for (size_t i = 0; i < len && i < 4; i++)
		key = key << 8 | p[i];
	return key;
}

static int
by_place(const void *a, const void *b)
{
	const struct shard_point *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->host < y->host ? -1 : x->host > y->host;
}

static uint32_t
points_of(double weight, uint32_t replicas)
{
	double n = weight * replicas;

	return n < 1 ? 1 : n > SHARD_POINTS ? SHARD_POINTS : (uint32_t)n;
}

struct shard_ring *
shard_ring_new(unsigned host_n, const struct str *ident, const double *weight,
    uint32_t replicas)
{
	struct shard_ring *r;
	uint64_t n = 0;
	char text[320];

	for (unsigned i = 0; i < host_n; i++)
		n += points_of(weight[i], replicas);
	if (n > SHARD_POINTS || host_n > SHARD_HOSTS)
		return NULL;
	r = malloc(sizeof *r + n * sizeof r->point[0]);
	if (r == NULL)
		return NULL;
	r->host_n = host_n;
	r->point_n = 0;
	for (unsigned i = 0; i < host_n; i++)
		for (uint32_t k = 0; k < points_of(weight[i], replicas); k++) {
			int len = snprintf(text, sizeof text, "%.*s%u",
			    STR_ARG(ident[i]), k);

			r->point[r->point_n++] = (struct shard_point){
			    shard_key(str_of(text, (size_t)len)), i};
		}
	qsort(r->point, r->point_n, sizeof r->point[0], by_place);
	return r;
}

void
shard_walk_begin(struct shard_walk *w, const struct shard_ring *r,
    uint32_t key)
{
	unsigned lo = 0, hi = r->point_n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (r->point[mid].at < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* Varnish's ring has a seam: what is beyond the last is the last's */
	if (lo == r->point_n && lo > 0)
		lo--;
	*w = (struct shard_walk){.ring = r, .at = lo, .left = r->point_n,
	    .host_left = r->host_n};
}

int
shard_walk_next(struct shard_walk *w)
{
	while (w->left > 0 && w->host_left > 0) {
		uint32_t host = w->ring->point[w->at].host;
		uint64_t bit = (uint64_t)1 << host % 64;

		w->at = w->at + 1 == w->ring->point_n ? 0 : w->at + 1;
		w->left--;
		if (w->given[host / 64] & bit)
			continue;
		w->given[host / 64] |= bit;
		w->host_left--;
		return (int)host;
	}
	return -1;
}

int
shard_pick(struct shard_walk *w, int64_t alt, enum shard_healthy mode,
    bool (*is_healthy)(void *, unsigned), void *priv)
{
	int host, last = -1;

	if (alt >= (int64_t)w->ring->host_n)
		alt = (int64_t)w->ring->host_n - 1;
	while ((host = shard_walk_next(w)) >= 0) {
		bool good = mode == SHARD_IGNORE ||
		    is_healthy(priv, (unsigned)host);

		if (good && alt <= 0)
			return host;
		/*
		 * Should all behind be sick: the last healthy one that was
		 * skipped, but for the alternative before this, as in Varnish.
		 */
		if (good && alt > 1)
			last = host;
		/* CHOSEN: those that are skipped need not be healthy */
		if (good || mode == SHARD_CHOSEN)
			alt--;
	}
	return last;
}
