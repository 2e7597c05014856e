/*
 * blocks.h - a large representation kept in parts (RFC 9111 3.3, 3.4).
 *
 *      key of the request --> head: 200, its fields, no body    (OBJ_BLOCKS)
 *                               | X-Copal-Blocks: id size
 *      id, 0 --> block          v
 *      id, 2 --> block     bytes [2 MiB, 3 MiB) ...
 *
 * Blocks are objects of their own under keys made from the head's id, which is
 * random: what a head does not name can't be found.  So a purge or a ban
 * of the head is the end of them all, a validator that has changed too,
 * and each of them is fetched, waited for, evicted, written to disk and found
 * there again like any other object.  A block is there as a whole, is
 * growing, or is missing; what is missing is asked for when it is wanted
 * (fetch_blocks.h).
 */
#ifndef COPAL_BLOCKS_H
#define COPAL_BLOCKS_H

#include "request.h"

enum {
	/* An extent: larger ones would be written in two. */
	BLOCK_LEN = STORE_PIECE_MAX,
	/*
	 * Blocks that one request to the origin is for: it costs little
	 * against them, and a client that leaves has not asked for much more
	 * than it took.
	 */
	BLOCK_RUN = 16,
	BLOCKS_ID_LEN = 32,
};

struct blocks {
	char id[BLOCKS_ID_LEN];
	uint64_t size;          /* of the whole */
};

struct block_key {
	struct key key;
	char bytes[8 + BLOCKS_ID_LEN + 8];
};

/* false: it has none */
bool blocks_of(const struct object *head, struct blocks *);
/* A new id; as the value of X-Copal-Blocks, in a. NULL: no room */
struct str blocks_name(uint64_t size, struct arena *a);
/* o is a head: by its field. false: it has none */
bool blocks_mark(struct object *o);
void block_key_make(struct block_key *, const struct blocks *, uint64_t n);
/* The block in memory, counted; NULL: not there. */
struct object *block_peek(const struct key *);

/*
 * As body_get(), of req->obj, a head: bytes from at on, at most a block's.
 * What is missing is fetched, up to end if that is not far.
 */
enum body_get blocks_get(struct request *, uint64_t at, uint64_t end,
    bool in_memory, struct body_view *) WAITS;
/*
 * Before the response has begun: gets hold of the first block that it needs.
 * false: it can't be had; req->run has the reason.
 */
bool blocks_prepare(struct request *) WAITS;

#endif
