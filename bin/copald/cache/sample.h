/*
 * sample.h - what a dry run of an invalidation would hit: how many objects, and
 * some of them.
 */
#ifndef COPAL_SAMPLE_H
#define COPAL_SAMPLE_H

#include "cli.h"
#include "object.h"

/* Enough to see whether the right ones are meant */
enum { SAMPLE_MAX = 10 };

struct sample {
	unsigned objects; /* all of them */
	unsigned on_disk; /* those among them that are not in memory */
	bool is_partial;  /* there were too many on disk to look at each */
	unsigned n;
	struct sample_one {
		char *key; /* its own memory */
		size_t key_len;
		unsigned status;
		bool is_variant;
	} one[SAMPLE_MAX];
};

typedef bool sample_hits(void *priv, struct object *);
/*
 * Walks over all objects in memory, and, for some seconds, on disk; is_hit must
 * not wait.  What is on disk may be invalid by a ban that it was not tested
 * against.  BLOCKS for the disk.
 */
void sample_take(struct sample *, sample_hits *is_hit, void *priv);
/* The same in memory alone. */
void sample_take_memory(struct sample *, sample_hits *is_hit, void *priv);
/*
 * The URL and host of each, as far as its key says: a line each, or, as JSON,
 * a list.
 */
void sample_tell(const struct sample *, struct cli_answer *, bool json);
void sample_release(struct sample *);

#endif
