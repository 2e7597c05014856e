/*
 * fetch_blocks.h - parts of a representation from the origin: what is asked
 * for, whether the answer fits, and its bytes into blocks (blocks.h).
 *
 *      a range of what is not in the cache -> 206 -> a head, its first blocks
 *      a whole that is large, with a strong validator -> the same
 *      blocks that a head misses: Range and If-Range -> 206 -> blocks
 */
#ifndef COPAL_FETCH_BLOCKS_H
#define COPAL_FETCH_BLOCKS_H

#include "fetch.h"
#include "upstream.h"

/* Adds the Range to f->bereq0, if there is to be one.  false: no room. */
bool fetch_blocks_begin(struct fetch *, struct request *, enum fetch_kind,
    bool has_stale);

enum blocks_answer {
	ANSWER_PLAIN,   /* a response as any other; beresp says 200 of a part */
	ANSWER_FILL,    /* the bytes that were missing */
	ANSWER_AGAIN,   /* to be asked for anew, with another Range or none */
	ANSWER_CHANGED, /* not a part of what we have */
	ANSWER_BAD,     /* 206, but not what was asked for */
};
/* Looks at the head of an answer. */
enum blocks_answer fetch_blocks_answer(struct fetch *);

enum blocks_choice {
	BLOCKS_NO,      /* it is kept in one piece, or not at all */
	BLOCKS_YES,     /* f->obj is a head now */
	BLOCKS_AGAIN,   /* what came is of no use: ask anew */
	BLOCKS_NO_MEMORY,
};
/* After VCL has seen it, and f->obj is made. */
enum blocks_choice fetch_blocks_choose(struct fetch *, bool cacheable);

/* Puts the first block into the index.  false: no memory */
bool fetch_blocks_open(struct fetch *);
/* Reads the answer's body into it and those behind it. */
enum upstream_error fetch_blocks_fill(struct fetch *, struct upstream *) WAITS;

#endif
