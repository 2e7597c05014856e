/*
 * tag_set.h - a set of log tags, as the user writes one: "ReqURL,Resp*".
 */
#ifndef COPAL_TAG_SET_H
#define COPAL_TAG_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "shmlog.h"

struct tag_set {
	uint64_t word[4]; /* LOG_TAG_MAX is at most 256 */
};

static inline void
tag_set_put(struct tag_set *s, enum log_tag tag)
{
	s->word[tag / 64] |= (uint64_t)1 << tag % 64;
}

static inline bool
tag_set_has(const struct tag_set *s, enum log_tag tag)
{
	return s->word[tag / 64] >> tag % 64 & 1;
}

/*
 * Adds the tags of a comma-separated list to s: names without regard to case,
 * "Req*", "*Header", "*".  false with the name that is no tag in *bad.
 */
bool tag_set_parse(struct tag_set *s, struct str list, struct str *bad);

#endif
