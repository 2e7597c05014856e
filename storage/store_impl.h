/*
 * store_impl.h - the store's own struct and what its files say to each other.
 *
 *      callers --> queue --> writer thread --> segments, catalogue, filter
 *         \
 *          +----> lookups: read transactions on the catalogue
 *
 *      store.c   opened, closed, numbers     queue.c   what callers hand over
 *      writer.c  the thread: pieces, batches commit.c  a batch made durable
 *      space.c   what must go, and when      lookup.c  found, read, checked
 *      pack.c    text, packed and unpacked
 *      rescue.c  what does not go though its segment does
 *      health.c  lock, crashes, setting aside
 *      verify.c  every record and extent read again
 *      bus.c     pages of the catalogue that can't be read
 */
#ifndef COPAL_STORAGE_STORE_IMPL_H
#define COPAL_STORAGE_STORE_IMPL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "catalogue.h"
#include "fpset.h"
#include "pack.h"
#include "segment.h"
#include "store.h"

enum {
	/* Group commit: whichever comes first */
	BATCH_OBJECTS = 4096,
	BATCH_BYTES = 64 << 20,
	BATCH_FOR_MS = 1000,
	/* A queue that is quiet this long has nothing to wait for. */
	BATCH_IDLE_MS = 20,
	/* Objects deleted in one transaction to make room */
	EVICT_STEP = 2000,
	RESCUED_MAX = EVICT_STEP,
	/*
	 * Of the store's size: what readers may hold of segments given up.
	 * That much is taken from the store while they do.
	 */
	HELD_SHARE = 4,
	/* Of a segment: what is written again costs a third more at most. */
	RESCUE_SHARE = 4,
	/* A store that lived this long did not crash because of its files. */
	GOOD_AFTER_MS = 60000,
	/* A full disk is taken as the store's size for so long. */
	SOFT_LIMIT_MS = 60000,
};

#define STORE_SIZE_MIN   (32ULL << 20)
#define SEGMENT_SIZE_MIN (2U << 20)
/* An offset in it, and its headers, fit 32 bits. */
#define SEGMENT_SIZE_MAX (4000U << 20)

enum op_kind {
	OP_PIECE,
	OP_COMMIT,
	OP_FAIL, /* a commit that there was no memory for */
	OP_ABORT,
	OP_REFRESH,
	OP_DROP,
	OP_INVAL,
	OP_TRIM,
	OP_DICT,
	OP_EMPTY,
	OP_SYNC,
};

/* One thing for the writer to do */
struct op {
	struct op *next;
	enum op_kind kind;
	size_t cost;           /* what it counts in the queue */
	struct store_put *put; /* PIECE, COMMIT, FAIL, ABORT */
	uint64_t seq;          /* REFRESH, DROP, TRIM; COMMIT: the result */
	void *priv;            /* of the callback */
	union {
		struct {
			const void *data;
			uint32_t len;
			void (*done)(void *priv, const struct extent *);
		} piece;
		struct { /* and REFRESH */
			struct store_meta meta;
			struct str inline_body;
			void (*seq_cb)(void *priv, uint64_t seq);
			const void *text; /* to be packed; NULL: no */
			uint32_t text_len, dict;
			bool as_it_is; /* too much is waiting for that */
			bool packed;
			void *owned; /* inline_body */
		} commit;
		struct {
			uint32_t id;
			const uint8_t *p;
			size_t len;
		} dict;
		struct {
			uint8_t hash[STORE_HASH_LEN];
			uint64_t vhash;
			bool indexed; /* hash and vhash are given */
		} drop;
		struct {
			struct inval inval;
			void (*done)(
			    void *priv, const char *error, unsigned objects);
			unsigned objects;
		} inval;
		sem_t *sync;
		struct {
			sem_t *done;
			int *error;        /* LMDB's, or an errno */
			uint64_t *objects;
		} empty;
	};
	char mem[]; /* what the slices point to */
};

struct put_piece {
	struct segment *segment; /* referenced */
	struct record_extent extent;
};

struct store_put {
	struct store *st;
	uint32_t id;
	atomic_bool failed; /* a piece was not written, or abort */
	uint64_t accepted;  /* bytes: the caller's side */
	/* The writer's side */
	struct put_piece *piece;
	uint32_t n, room;
	uint64_t written; /* bytes */
	bool refused;     /* a piece could not be written */
	struct op end;    /* ABORT and FAIL need no memory. */
};

struct op_list {
	struct op *head, **tail;
};

struct queue {
	pthread_mutex_t mtx;
	pthread_cond_t cond;
	struct op_list list;
	bool asleep, stop;
	size_t list_bytes; /* cost of list */
	bool napping; /* asleep for a moment: woken by what can't wait */
	atomic_size_t bytes; /* queued, and held by the batch */
};

/* A bit a seq, for all threads */
struct hits {
	atomic_uint_fast64_t *word;
	uint64_t mask;
};

struct rescued {
	uint64_t seq;
	uint8_t *extents; /* as a record has them */
	uint32_t extent_n;
};

/* What only the writer thread touches */
struct writer {
	struct op *todo; /* taken off the queue, not looked at yet */
	struct op_list batch;
	unsigned batch_n;
	uint64_t batch_bytes;  /* of bodies */
	uint64_t record_bytes; /* of metadata and small bodies */
	int64_t batch_at;      /* ms; when its first came */
	bool urgent;

	struct segment *current, *spare, *victim;
	uint64_t soft_limit; /* bytes of segments; 0: none */
	/* rescue.c: copies of what was hit on the victim, by seq */
	struct rescued *rescued;
	size_t rescued_n, rescued_at;
	uint64_t rescue_left; /* bytes that may still be copied from it */
	char *rescue_buf;
	size_t moved_n; /* in the transaction */
	int64_t soft_until;

	uint64_t file_pages, live_pages, idx_pages;

	uint8_t *buf; /* a record being encoded */
	size_t buf_room;
	struct gone *gone; /* deleted by this transaction */
	size_t gone_n, gone_room;
	uint64_t evicted_n;               /* those of gone that made room */
	uint8_t (*added)[STORE_HASH_LEN]; /* to the filter, by this one */
	size_t added_n, added_room;

	uint64_t purge_seq; /* of the newest purge in the log; 0: not known */

	bool filling; /* the filter is not complete */
	bool fill_begun;
	uint8_t fill_at[STORE_HASH_LEN]; /* up to and with this it is */

	bool emptied;          /* by this transaction */
	bool failing;          /* a message said so */
	uint64_t oldest_inval; /* in the catalogue */
};

struct store {
	struct store_config cfg;
	char *name, *dir;
	int lock_fd;
	uint64_t segment_size;
	uint64_t catalogue_max; /* bytes */
	uint64_t batch_pages;   /* of the catalogue, a transaction */
	uint64_t batch_bytes;   /* of bodies */
	uint64_t object_max;    /* bytes of body */
	size_t queue_max;
	struct catalogue cat;
	struct segments segs;
	struct fpset filter;
	struct queue q;
	struct writer w;
	struct packer *packer;
	atomic_size_t text_bytes; /* queued, to be packed */
	pthread_t writer, warmer;
	bool writer_runs, warmer_runs;
	atomic_bool stop;
	atomic_int_fast64_t failed_at; /* ms; 0: writes work */
	atomic_uint_fast64_t oldest_inval, put_id;
	atomic_uint_fast64_t puts, put_bytes, dropped, evicted, rescued,
	    corrupt, commits, packed, packed_in, packed_out;
	atomic_uint dicts; /* the id of the one in use */
	struct hits hits;
	/* Set by the writer after each commit */
	atomic_uint_fast64_t objects, segment_used, segment_bytes,
	    catalogue_bytes;
	pthread_mutex_t verify_mtx; /* of verify, verifier_runs */
	struct store_verify verify;
	pthread_t verifier;
	bool verifier_runs; /* or is to be joined */
	int64_t opened_at;
	bool opening_counted;
};

static inline int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* store.c */
void store_message(struct store *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool store_read_only(const struct store *);
/*
 * fn(arg), which reads the catalogue's map.  false: it met a page that can't
 * be had, then or before; the catalogue is lost, which is said.
 */
bool store_guarded(struct store *, void (*fn)(void *), void *arg);

/* queue.c */
void queue_init(struct queue *);
void queue_fini(struct queue *);
void queue_push(struct store *, struct op *);
/* All there is; sleeps at most ms (-1: not at all). *stop: no more comes. */
struct op *queue_take(struct store *, int ms, bool *stop);
void op_list_init(struct op_list *);
void op_list_push(struct op_list *, struct op *);
/* Gives back its cost, and frees what it owns. */
void op_free(struct store *, struct op *);
/* A record in the catalogue that is damaged; hash may be NULL. */
void queue_drop(
    struct store *, uint64_t seq, const uint8_t *hash, uint64_t vhash);

/* A new dictionary; len 0: there is none.  p stays until it is written. */
void queue_dict(struct store *, uint32_t id, const uint8_t *p, size_t len);

/* writer.c */
void *writer_main(void *st);
/* A disk operation failed; nothing is stored for some seconds. */
void writer_failed(struct store *, const char *what, int error);

/* commit.c */
/* Makes the batch durable, or fails it; calls back either way. */
void commit_batch(struct store *);
/* A transaction that only evicts; false: it failed */
bool commit_evictions(struct store *);
void commit_measure(struct store *);
/* Into w.buf; 0, EMSGSIZE or ENOMEM */
int commit_encode(
    struct store *, const struct record *, uint64_t seq, size_t *len);
/* Pages that the batch may dirty */
uint64_t commit_pages(const struct store *);

/* space.c */
/* The segment that len more bytes go to; NULL: there is none (said). */
struct segment *space_for(struct store *, uint32_t len);
/* At the start: the store may be smaller now than it was. */
void space_settle(struct store *);
/* Between batches: a free segment in reserve, room for the catalogue. */
void space_prepare(struct store *);
/* Inside a transaction: deletes what must go. */
int space_evict(struct store *, MDB_txn *, bool *victim_empty);
/* Is there a reason to run commit_evictions? */
bool space_evicting(const struct store *);
bool space_note_gone(struct store *, const struct gone *);

/* Objects of the victim that the next transaction looks at, at most */
unsigned space_evict_step(const struct store *);

/* rescue.c */
/* store_size: bytes.  false: no memory */
bool hits_init(struct hits *, uint64_t store_size);
void hits_fini(struct hits *);
void hits_forget(struct hits *, uint64_t seq);
/* There is a new victim. */
void rescue_begin(struct store *);
/* Before segments are synced: copies what was hit of the victim's first n. */
void rescue_copy(struct store *, unsigned n);
/* The copies are in use, or lost. */
void rescue_reset(struct store *);
/* *moved: the object is elsewhere now, and not to be deleted. */
int rescue_move(struct store *, MDB_txn *, uint64_t seq, bool *moved);
/* The same of one kept whole in the catalogue, which gets a new seq. */
int rescue_inline(struct store *, MDB_txn *, uint64_t seq, bool *moved);

/* lookup.c */
/* The object of a decoded record; 0, or an errno (ENOENT: no segment). */
int lookup_copy(struct store *, const struct record *, uint64_t seq,
    struct store_object **out);

/* verify.c */
/* At the end: waits for the thread, which sees st->stop. */
void verify_end(struct store *);

/* health.c */
/* Takes the lock; -1 with err. */
int health_lock(const char *dir, char err[STORE_ERR_LEN]);
/*
 * Counts this opening.  1: too many did not end well, check the store; 2: it
 * is known to be damaged; 3: we crash with it; 0: go on.
 */
int health_open(struct store *);
/* Its lock is about to be closed. */
void health_forget(const struct store *);
/* Written while the check runs, so that a crash in it tells. */
void health_checking(struct store *, bool);
void health_good(struct store *);
void health_damaged(const char *dir);
/* Renames the store away; takes the lock anew. -1 with err. */
int health_set_aside(struct store *, const char *why, char err[STORE_ERR_LEN]);

#endif
