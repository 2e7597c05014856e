/*
 * directors_shard.h - how a shard director is asked: its parameters.
 */
#ifndef COPAL_DIRECTORS_SHARD_H
#define COPAL_DIRECTORS_SHARD_H

#include "shard_ring.h"
#include "vmod.h"

enum shard_by { SHARD_HASH, SHARD_URL, SHARD_KEY, SHARD_BLOB };

/* Which of them are given. */
enum {
	GIVEN_BY = 1,
	GIVEN_KEY = 2,      /* key or key_blob */
	GIVEN_ALT = 4,
	GIVEN_WARMUP = 8,
	GIVEN_RAMPUP = 16,
	GIVEN_HEALTHY = 32,
};

struct shard_asks {
	unsigned given;
	enum shard_by by;
	uint32_t key;
	int64_t alt;
	double warmup;      /* -1: the director's */
	bool rampup;
	enum shard_healthy healthy;
};

extern const struct shard_asks shard_defaults;

/* The arguments of backend() and set(), which have the same. */
struct shard_arguments {
	bool has_by, has_key, has_key_blob, has_alt, has_warmup, has_rampup,
	    has_healthy;
	VCL_ENUM by, healthy;
	VCL_INT key, alt;
	VCL_BLOB key_blob;
	VCL_REAL warmup;
	VCL_BOOL rampup;
};

/* false: they contradict each other; recorded as a failure, for function */
bool shard_asks_from(struct vcl_ctx *, const char *function,
    const struct shard_arguments *, struct shard_asks *);
/* What over does not give is taken from under. */
struct shard_asks shard_asks_over(struct shard_asks over,
    struct shard_asks under);

/* The key that is looked for: given, or of this request; not in vcl_init. */
uint32_t shard_asks_key(struct vcl_ctx *, const struct shard_asks *);

/* Of a BLOB that use() gave; NULL: it is something else, a failure. */
struct vmod_directors_shard_param *shard_param_of_blob(struct vcl_ctx *,
    VCL_BLOB);
/* As it is for this task. */
struct shard_asks shard_param_asks(struct vcl_ctx *,
    struct vmod_directors_shard_param *);

#endif
