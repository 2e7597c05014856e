/*
 * store_rig.h - what the store's suites share: a store in a folder of its
 * own, and objects whose bytes follow from their number and version.
 */
#ifndef COPAL_TEST_STORE_RIG_H
#define COPAL_TEST_STORE_RIG_H

#include "store.h"

enum { RIG_SIZE = 32 << 20, RIG_PIECE = 256 << 10 };

struct rig {
	char dir[64];
	struct store_config cfg;
	struct store *st;
	char err[STORE_ERR_LEN];
	bool churning; /* what was found may be gone a moment later */
	unsigned gone_n;
	unsigned message_n;
	char message[512]; /* the last one */
};

/* Makes the folder; does not open. */
void rig_init(struct rig *);
/* Makes it and opens; a test that can't begin ends the program. */
void rig_begin(struct rig *);
/* Removes the folder, and what was set aside beside it. */
void rig_fini(struct rig *);
/* false: err says why */
bool rig_open(struct rig *);
void rig_reopen(struct rig *);
/* Bytes that the folder takes on disk, but for what was set aside */
uint64_t rig_disk_bytes(const struct rig *);
struct store_stats rig_stats(const struct rig *);
/* Stores that were set aside */
unsigned rig_set_aside_n(const struct rig *);

struct item {
	unsigned no, version;
	size_t body_len, head_len, key_len;
	const char *vary; /* NULL: none */
	uint64_t inval_seq;
	double ttl; /* 0: it ended long ago */
};

void item_hash(unsigned no, uint8_t hash[STORE_HASH_LEN]);
/* malloc'd */
char *item_body(const struct item *);
/* Its seq; 0 if it was not stored.  Waits for the commit. */
uint64_t item_put(struct rig *, const struct item *);
/* Queued only: false if it was turned away. */
bool item_put_async(struct rig *, const struct item *);
/*
 * 1: found, every byte right; 0: not found; -1: found, and something is
 * wrong.
 */
int item_get(struct rig *, const struct item *);

/* Appends a purge, waits; NULL or the error */
const char *rig_purge(struct rig *, uint64_t seq, unsigned no);
const char *rig_soft_purge(struct rig *, uint64_t seq, unsigned no,
    double at, struct inval_limits, unsigned *objects);
const char *rig_ban(struct rig *, uint64_t seq, struct str text);

#endif
