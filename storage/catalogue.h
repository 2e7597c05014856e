/*
 * catalogue.h - the LMDB environment: which objects there are, and where.
 *
 *      obj    seq                  the first CHUNK bytes of the record
 *      ext    seq, n               the n-th further chunk of a long record
 *      idx    hash, vhash          seq
 *      sobj   segment number, seq  nothing: what dies with a segment
 *      seg    segment number       generation, size, used
 *      stale  inval_seq            how many objects carry it
 *      inval  seq, n               the invalidation log, in chunks
 *      dict   id, n                a dictionary, in chunks (pack.h)
 *      meta   name                 format, secret, next seq
 *
 * Numbers in keys are big-endian, so that LMDB's order is theirs; seqs grow,
 * and records are appended.  No value is longer than a page has room for:
 * LMDB is never asked for a run of pages, whose search is what makes it slow
 * and full under churn.  Objects whose body is in the record belong to the
 * segment number CATALOGUE_INLINE.
 *
 * Functions that take a txn return LMDB's code: 0, MDB_NOTFOUND, an errno.
 * The write functions are the writer thread's alone.
 */
#ifndef COPAL_STORAGE_CATALOGUE_H
#define COPAL_STORAGE_CATALOGUE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "record.h"
#include "store.h"

enum {
	CATALOGUE_FORMAT = 1,
	CATALOGUE_CHUNK = 4000,
	/* The virtual segment of objects kept whole in their records */
	CATALOGUE_INLINE = 0xffffffff,
	/*
	 * Variants under one hash; the oldest goes for one more.  A bound on
	 * what a lookup reads when an origin says Vary: User-Agent.
	 */
	CATALOGUE_VARIANT_MAX = 256,
	CATALOGUE_DELTA_N = 8,
	CATALOGUE_PAGE = 4096,
};

struct catalogue {
	MDB_env *env;
	MDB_dbi obj, ext, idx, sobj, seg, stale, inval, dict, meta;
	uint64_t vhash_seed;
	uint64_t next_seq;
	bool was_short; /* a part of the file was missing: to be checked */
	/* A page can't be read: none is touched any more, calls fail. */
	atomic_bool lost;
	/* Read transactions at rest */
	pthread_mutex_t mtx;
	MDB_txn **idle;
	unsigned idle_n, idle_room;
	/* Counts of stale that the transaction has not written yet */
	struct {
		uint64_t seq;
		int64_t n;
	} delta[CATALOGUE_DELTA_N];
	unsigned delta_n;
};

enum catalogue_status {
	CATALOGUE_OK,
	CATALOGUE_ERROR, /* the system says no; the files may be fine */
	CATALOGUE_BAD,   /* not a catalogue of ours, or damaged */
};

/* A whole record; the bytes are LMDB's, or owned. */
struct blob {
	const uint8_t *p;
	size_t len;
	uint8_t *owned;
};

struct variant {
	uint64_t vhash, seq;
};

/* What is known of an object that was deleted */
struct gone {
	uint8_t hash[STORE_HASH_LEN];
	uint64_t seq;
	bool known; /* its record could be read: hash is right */
	bool last;  /* no other variant is left under hash */
	bool told;  /* the caller of the store wants to know */
};

struct seg_info {
	uint32_t no, gen;
	uint64_t size, used;
};

/* path: an existing folder; store_size: of the whole store, in bytes */
enum catalogue_status catalogue_open(struct catalogue *, const char *path,
    uint64_t store_size, MDB_assert_func *on_assert, void *priv,
    char err[STORE_ERR_LEN]);
void catalogue_close(struct catalogue *);
/*
 * Walks everything, as a crash may have been the catalogue's fault.
 * false: it can't be trusted, reason in err.
 */
bool catalogue_check(struct catalogue *, char err[STORE_ERR_LEN]);
/* Pages that the file has, and those that hold something */
uint64_t catalogue_file(struct catalogue *);
uint64_t catalogue_live(struct catalogue *, MDB_txn *);
uint64_t catalogue_vhash(
    const struct catalogue *, struct str key, struct str vary);

/* A read transaction, to be ended in the same function; NULL and *rc */
MDB_txn *catalogue_read(struct catalogue *, int *rc);
void catalogue_read_end(struct catalogue *, MDB_txn *);
/* The writer's; ended with mdb_txn_abort or: */
int catalogue_begin(struct catalogue *, MDB_txn **);
int catalogue_commit(struct catalogue *, MDB_txn *);
void catalogue_abort(struct catalogue *, MDB_txn *);

/* Those under hash, newest first; *n of them. */
int catalogue_variants(struct catalogue *, MDB_txn *,
    const uint8_t hash[STORE_HASH_LEN], struct variant v[CATALOGUE_VARIANT_MAX],
    unsigned *n);
/* Its record as it is, not verified; blob_free */
int catalogue_load(struct catalogue *, MDB_txn *, uint64_t seq, struct blob *);
void blob_free(struct blob *);
/*
 * What LMDB shows in a write transaction holds only until the next change:
 * this lasts.  0 or ENOMEM, and then it is freed.
 */
int blob_own(struct blob *);

/* Takes the next seq for the encoded record; r must fit buf. */
int catalogue_insert(struct catalogue *, MDB_txn *, const struct record *r,
    uint64_t seq, const uint8_t *buf, size_t len);
/* Other bytes for the same object, whose extents and identity stay */
int catalogue_replace(struct catalogue *, MDB_txn *, uint64_t seq,
    const struct record *old, size_t old_len, const struct record *r,
    const uint8_t *buf, size_t len);
/*
 * As replace, for a record whose extents are elsewhere now; old is in memory
 * of its own (blob_own).
 */
int catalogue_move(struct catalogue *, MDB_txn *, uint64_t seq,
    const struct record *old, size_t old_len, const struct record *r,
    const uint8_t *buf, size_t len);
/* MDB_NOTFOUND: there was none */
int catalogue_delete(
    struct catalogue *, MDB_txn *, uint64_t seq, struct gone *);
/* Removes hash, vhash -> seq where the record does not say so itself. */
int catalogue_unindex(struct catalogue *, MDB_txn *,
    const uint8_t hash[STORE_HASH_LEN], uint64_t vhash, uint64_t seq,
    struct gone *);

/* The first object of a segment; MDB_NOTFOUND: it has none. */
int catalogue_segment_first(
    struct catalogue *, MDB_txn *, uint32_t no, uint64_t *seq);
/* The first behind after */
int catalogue_segment_next(struct catalogue *, MDB_txn *, uint32_t no,
    uint64_t after, uint64_t *seq);
int catalogue_segment_forget_object(
    struct catalogue *, MDB_txn *, uint32_t no, uint64_t seq);
int catalogue_segment_put(
    struct catalogue *, MDB_txn *, const struct seg_info *);
int catalogue_segment_del(struct catalogue *, MDB_txn *, uint32_t no);
int catalogue_segment_each(struct catalogue *, MDB_txn *,
    int (*fn)(void *priv, const struct seg_info *), void *priv);

/*
 * The distinct hashes behind after (NULL: from the start), at most n of
 * them; *got < n at the end.
 */
int catalogue_hashes(struct catalogue *, MDB_txn *, const uint8_t *after,
    uint8_t (*out)[STORE_HASH_LEN], unsigned n, unsigned *got);

/* The first object behind seq; MDB_NOTFOUND: there is none. */
int catalogue_next(
    struct catalogue *, MDB_txn *, uint64_t seq, uint64_t *next);
/*
 * Takes out every object and segment; the invalidation log stays.  fn is
 * told of each object first: its hash, its seq, and whether it is the last
 * under that hash; what is not 0 ends it.
 */
int catalogue_clear(struct catalogue *, MDB_txn *,
    int (*fn)(void *priv, const struct gone *), void *priv);

int catalogue_dict_put(struct catalogue *, MDB_txn *, uint32_t id,
    const uint8_t *p, size_t len);
/* A verified copy, to be freed */
int catalogue_dict_get(struct catalogue *, MDB_txn *, uint32_t id,
    uint8_t **out, size_t *len);
/* The highest id; 0: there is none */
int catalogue_dict_last(struct catalogue *, MDB_txn *, uint32_t *id);

/* The lowest inval_seq of an object; UINT64_MAX if there is none */
int catalogue_oldest_inval(struct catalogue *, MDB_txn *, uint64_t *seq);
int catalogue_inval_put(struct catalogue *, MDB_txn *, const struct inval *);
/* One entry; it need not be there. */
int catalogue_inval_del(struct catalogue *, MDB_txn *, uint64_t seq);
int catalogue_inval_each(struct catalogue *, MDB_txn *,
    void (*fn)(void *priv, const struct inval *), void *priv);
/* At most max entries with seq < before; *n of them went. */
int catalogue_inval_trim(
    struct catalogue *, MDB_txn *, uint64_t before, unsigned max, unsigned *n);

#endif
