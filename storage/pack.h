/*
 * pack.h - bodies of text kept packed: zstd, with a dictionary for small ones.
 *
 * A packed body is one zstd frame, in the record or in one extent.  Small
 * bodies of a site are much alike and each too short to learn from, so the
 * store trains a dictionary from its own small objects once it has seen some
 * hundred of them, and better ones later, each after eight times as many as
 * the one before.  A dictionary is a record of its own (dict, in the
 * catalogue), is on disk before the first object is packed with it, and is
 * never deleted: there are at most DICT_MAX of them.
 *
 *	writer:  pack_try    sample --enough--> trainer: OP_DICT -> writer
 *	reader:  store_unpack (any thread)
 */
#ifndef COPAL_STORAGE_PACK_H
#define COPAL_STORAGE_PACK_H

#include "store.h"

enum {
	/* Below this a body is packed with a dictionary, and better. */
	PACK_SMALL = 16384,
	PACK_LEVEL = 1,
	PACK_LEVEL_SMALL = 3,
	DICT_MAX = 16,
	/* Most of what a dictionary can give: 110 KiB gains a little more,
	 * and is that much more to have in the caches of the CPU. */
	DICT_LEN = 65536,
};

struct packer; /* opaque */

/* What becomes of a body */
struct packed {
	const void *data; /* the packer's until the next one, or the body */
	uint32_t len;
	bool is_packed;
	uint32_t dict;    /* 0: none */
};

struct packer *packer_new(struct store *); /* NULL: no memory */
/* Waits for a dictionary that is being trained. */
void packer_stop(struct packer *);
void packer_free(struct packer **);

/*
 * The writer's: the body packed, if it becomes a tenth smaller, or as it is.
 * A small one may become a sample.
 */
struct packed pack_try(struct packer *, const void *body, uint32_t len);
/* The writer's: dictionary id is on disk, and is the one to use now; or
 * it could not be written. */
void pack_dict_written(struct packer *, uint32_t id, bool ok);

#endif
