/*
 * sample.h - what a dry run of an invalidation would hit in memory: how many
 * objects, and some of them.
 */
#ifndef COPAL_SAMPLE_H
#define COPAL_SAMPLE_H

#include "cli.h"
#include "object.h"

/* Enough to see whether the right ones are meant */
enum { SAMPLE_MAX = 10 };

struct sample {
	unsigned objects; /* all of them */
	unsigned n;
	struct object *object[SAMPLE_MAX]; /* with a reference each */
};

/*
 * Walks over all objects in memory; is_hit must not wait.  Not on a loop's
 * own stack.
 */
void sample_take(struct sample *,
    bool (*is_hit)(void *priv, struct object *), void *priv) WAITS;
/*
 * The URL and host of each, as far as its key says: a line each, or, as JSON,
 * a list.
 */
void sample_tell(const struct sample *, struct cli_answer *, bool json);
void sample_release(struct sample *);

#endif
