/*
 * shard_ring.h - a consistent hashing ring, as Varnish's shard director has.
 *
 *	hash("b1" "0") -> a point of b1; hash("b1" "1") -> another ...
 *	a key belongs to the next point that is not below it
 *
 * Points, keys and the order of alternatives are those of Varnish 7, so that
 * a site that moves keeps what its origins' caches hold.  A ring never
 * changes.
 */
#ifndef COPAL_SHARD_RING_H
#define COPAL_SHARD_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "qsbr.h"
#include "str.h"

enum {
	SHARD_HOSTS = 1024,        /* of a ring */
	SHARD_POINTS = 4 << 20,    /* 32 MiB */
};

struct shard_point {
	uint32_t at;
	uint32_t host;
};

struct shard_ring {
	struct qsbr_item item;
	unsigned host_n, point_n;
	struct shard_point point[]; /* by at */
};

/* Of a string: the last 32 bits of its SHA-256, the lowest byte first. */
uint32_t shard_key(struct str);
/* Of bytes: the first four, the highest first; of fewer, all. */
uint32_t shard_key_of_blob(const void *, size_t len);

/*
 * Host i is ident[i] and has replicas * weight[i] points.  To be freed by
 * free().  NULL: no memory, or more than SHARD_POINTS.
 */
struct shard_ring *shard_ring_new(unsigned host_n, const struct str *ident,
    const double *weight, uint32_t replicas);

/* The hosts of a key in their order, each once. */
struct shard_walk {
	const struct shard_ring *ring;
	unsigned at, left;  /* the next point; points not looked at */
	unsigned host_left; /* hosts not given yet */
	uint64_t given[SHARD_HOSTS / 64];
};

void shard_walk_begin(struct shard_walk *, const struct shard_ring *,
    uint32_t key);
/* The next host, or -1. */
int shard_walk_next(struct shard_walk *);

enum shard_healthy { SHARD_CHOSEN, SHARD_IGNORE, SHARD_ALL };
/*
 * The alt-th alternative (0: the first), by the rules of
 * vmod_directors(3).  is_healthy(priv, host) is asked as need be.  -1: none.
 * walk stands behind it.
 */
int shard_pick(struct shard_walk *walk, int64_t alt, enum shard_healthy,
    bool (*is_healthy)(void *priv, unsigned host), void *priv);

#endif
