/*
 * store.h - bytes under keys with attributes, kept on disk.
 *
 * A store is a folder: an LMDB environment (the catalogue, the only
 * authority) and preallocated segment files with bodies.  It knows nothing of
 * VCL or requests: a head is opaque bytes, a vary is opaque bytes.
 *
 * Threads: store_lookup, extent_read and extent_verify may block on the disk
 * (call them on the blocking pool).  Everything else never waits; what must
 * reach the disk goes through a bounded queue to the one writer thread,
 * which commits in groups: pwrite bodies, fdatasync the segments, commit.
 *
 *      store_put_begin -> store_put_piece* -> store_put_commit | _abort
 *
 * Objects die in the order they came (segment FIFO), but for those that were
 * hit since: of these a quarter of the segment is kept.  A segment that is
 * recycled is a new file: the old one is unlinked, and lives on until its
 * last struct segment reference has gone, so bytes handed to sendfile never
 * change.
 */
#ifndef COPAL_STORE_H
#define COPAL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct store;
struct segment; /* reference counted, atomically */
struct store_put;

enum {
	STORE_HASH_LEN = 16,
	STORE_ERR_LEN = 256,
	/* Bodies up to this size live in the record itself. */
	STORE_INLINE_MAX = 1024,
	/* Pieces handed to store_put_piece; the last may be shorter. */
	STORE_PIECE_MAX = 1 << 20,
	/* Smaller bodies are not worth packing. */
	STORE_PACK_MIN = 512,
};

/* Attributes of an object; the slices are the caller's or the object's. */
struct store_meta {
	uint8_t hash[STORE_HASH_LEN]; /* of key */
	struct str key;      /* compared in full by match */
	struct str vary;     /* opaque; part of the identity of a variant */
	struct str head;     /* opaque: the stored response head */
	double t_origin;     /* when it was fresh: wall clock */
	double ttl, grace, keep; /* seconds */
	double last_modified;
	/* The position in the invalidation log that it was tested against */
	uint64_t inval_seq;
	uint64_t body_len;   /* filled in at commit */
	uint32_t flags;      /* the caller's */
	uint16_t status;
};

/* A part of a body in a segment file; immutable. */
struct extent {
	struct segment *segment;
	uint64_t offset;   /* in the segment file, of the first body byte */
	uint64_t body_at;  /* in the body */
	uint32_t len;
	uint64_t sum;      /* XXH3-64 of the bytes */
};

struct store_object {
	struct store_meta meta;  /* memory owned by the object */
	uint64_t seq;            /* its id in the store */
	struct str inline_body;  /* p == NULL: the body is in extents */
	/* These bytes are not the body, store_unpack has it. */
	bool packed;
	uint32_t dict;           /* for store_unpack */
	unsigned extent_n;
	struct extent *extent;   /* in order, no gaps; one reference each */
};

struct store_config {
	const char *name;
	const char *dir;
	/*
	 * Bytes, at least 32 MiB: a hard limit on segments and catalogue.
	 * An object may have half of it.
	 */
	uint64_t size;
	/*
	 * 0: 128 MiB; less for a small store, and more beyond 128 GiB, so
	 * that there are no more than some thousand open files.
	 */
	unsigned segment_size;
	unsigned queue_max; /* bytes that may wait for the writer; 0: 64 MiB */
	/*
	 * The object seq under hash has gone from the catalogue (evicted or
	 * found bad), its segments are about to; called on the writer thread.
	 * Not for those purged or replaced, as who did that knows.
	 */
	void (*on_gone)(void *priv, const uint8_t hash[STORE_HASH_LEN],
	    uint64_t seq);
	/* A message for the administrator. Any thread. */
	void (*on_message)(void *priv, const char *text);
	void *priv;
};

struct store_stats {
	uint64_t objects, size, segment_bytes_used, segment_bytes_free,
	    catalogue_bytes, queue_bytes;
	/* dropped: puts refused or failed */
	uint64_t puts, put_bytes, dropped, evicted, corrupt, commits;
	/* bodies that became smaller by it, their bytes before and after */
	uint64_t packed, packed_in, packed_out;
	unsigned dicts; /* made for small ones, so far */
	uint64_t rescued; /* not evicted, as they had been hit */
	uint64_t held_bytes; /* of segments given up that are still read */
	bool read_only; /* disk trouble: nothing is written now */
};

/*
 * Opens or makes the store.  One that can't be read (unknown format,
 * damaged) is renamed to <dir>.bad-<time> with a message, and a new one
 * made; what was set aside before it is removed.  One that another process uses
 * is an error.  NULL with the reason in err.  Starts the writer thread.
 */
struct store *store_open(const struct store_config *,
    char err[STORE_ERR_LEN]);
/*
 * In a signal handler: this process crashes.  A store that was opened less than
 * a minute ago, for the third time so, is set aside when it is opened next.
 */
void store_note_crash(void);
/* Commits all that is queued, then frees; waits. No put may be open. */
void store_close(struct store **);
void store_stats(const struct store *, struct store_stats *);

/*
 * Cheap, from RAM, never blocks: false means that no object has this hash;
 * true that there may be one (always true until the background scan that
 * fills the filter has ended).
 */
bool store_may_have(const struct store *, const uint8_t hash[STORE_HASH_LEN]);

/*
 * Finds the first variant under hash (newest first) for which match says
 * true, and gives a copy of it.  Checksums of the record are verified; a bad
 * record is dropped and counted, and is no match.  There are at most 256
 * variants under a hash: the oldest goes for one more.  match is called
 * inside a read transaction: it must not wait.
 * 1: found, *out is the caller's to store_object_free; 0: none; -1: error.
 */
int store_lookup(struct store *, const uint8_t hash[STORE_HASH_LEN],
    bool (*match)(void *priv, const struct store_meta *), void *priv,
    struct store_object **out);
void store_object_free(struct store_object **);
/*
 * Somebody asked for the object seq, who had it in memory: it is not given
 * up with its segment, but written again (store_lookup notes it itself).  One
 * that is moved so is told to be gone (on_gone), and found by a lookup.
 */
void store_note_hit(struct store *, uint64_t seq);

/*
 * Where bytes are read: 0, or -1: wrong or unreadable, or STORE_NO_MEMORY to
 * look, which says nothing of them.
 */
enum { STORE_NO_MEMORY = 1 };
/* Reads and verifies; 0 or -1.  buf: e->len bytes. */
int extent_read(struct store *, const struct extent *e, void *buf);
/* Brings it into the page cache and verifies it; any of these. */
int extent_verify(struct store *, const struct extent *e);
/* It was wrong: the object is dropped from the catalogue. */
void store_drop(struct store *, uint64_t seq);

/*
 * The body of a packed object, meta.body_len bytes, to buf; any of these.  May
 * block on the disk.  frame: NULL, or room for store_frame_len() bytes, which
 * becomes the zstd frame itself.
 */
int store_unpack(struct store *, const struct store_object *, void *buf,
    void *frame);
/* Of a frame that anybody can unpack; 0: it takes the store's dictionary. */
uint32_t store_frame_len(const struct store_object *);

int segment_fd(const struct segment *);
struct segment *segment_ref(struct segment *);
void segment_unref(struct segment **);
/* Its space was given up: objects on it must not be used any longer. */
bool segment_is_dead(const struct segment *);
/*
 * Who still reads such a one must stop: together they hold more than a quarter
 * of the store's size beside it.
 */
bool segment_is_overdue(const struct segment *);

/*
 * Begins to store an object; NULL when the store does not take it now (the
 * queue is full, the disk failed, expected_len > what may be stored).
 * expected_len: UINT64_MAX if unknown.
 */
struct store_put *store_put_begin(struct store *, uint64_t expected_len);
/*
 * Hands over the next len bytes of the body (<= STORE_PIECE_MAX; all but the
 * last >= 64 KiB).  data must stay until done(priv, extent) is called, on
 * the writer thread, when the bytes are in the segment file (not yet
 * synced): extent is valid for the call only, NULL on failure; the callee
 * takes its own segment_ref.  Bodies of at most STORE_INLINE_MAX are given
 * to store_put_commit instead.  false: the queue is full or the put has
 * failed; done is not called; abort the put.
 */
bool store_put_piece(struct store_put *, const void *data, uint32_t len,
    void (*done)(void *priv, const struct extent *), void *priv);
/*
 * The body is complete: makes it visible with the next group commit (within
 * a second), replacing a variant with equal key and vary.  Copies meta and
 * inline_body.  seq_cb(priv, seq), on the writer thread: its id; seq 0: it
 * was not stored.  Frees the put.
 */
void store_put_commit(struct store_put **, const struct store_meta *meta,
    struct str inline_body, void (*seq_cb)(void *priv, uint64_t seq),
    void *priv);
/*
 * The same of a put without pieces, whose body of 1 to STORE_PIECE_MAX bytes is
 * text: the writer packs it if that pays.  data must stay until seq_cb is
 * called. false: the queue is full, nothing was done.
 */
bool store_put_text(struct store_put **put, const struct store_meta *meta,
    const void *data, uint32_t len, void (*seq_cb)(void *priv, uint64_t seq),
    void *priv);
/* Also legal at any time after begin; pieces already written are lost space. */
void store_put_abort(struct store_put **);

/*
 * Changes the times, flags and head of an object after a revalidation
 * (RFC 9111 4.3.4); its body stays. Queued.
 */
void store_refresh(struct store *, uint64_t seq, const struct store_meta *);

/*
 * Takes out every object, durably, and gives up their segments; what was
 * queued before goes too, and a put that has begun is not stored.  The
 * catalogue's file keeps its size, for the objects to come.  WAITS for the
 * disk.  0 and how many there were, or -1 with the reason in err.
 */
int store_empty(struct store *, uint64_t *objects, char err[STORE_ERR_LEN]);

/*
 * The object behind *seq, which becomes its id; begin with 0.  1: *out is the
 * caller's, NULL if it is bad; 0: there is none; -1: error.
 */
int store_next(struct store *, uint64_t *seq, struct store_object **out);

/*
 * Reads every record and every extent again and compares the checksums, in
 * a thread of its own; what is wrong is dropped, and counted as corrupt.
 */
struct store_verify {
	enum { VERIFY_NEVER, VERIFY_RUNS, VERIFY_ENDED, VERIFY_FAILED } state;
	double started, ended;         /* wall clock; ended 0: it runs */
	uint64_t objects, of, bytes;   /* looked at; of: when it started */
	uint64_t bad;                  /* objects */
};
/* false: one runs already, or there is no thread to be had. */
bool store_verify_start(struct store *);
void store_verify_status(struct store *, struct store_verify *);

/*
 * The invalidation log: ordered, durable.  Positions are the caller's, and
 * grow.
 */
enum inval_kind {
	INVAL_BAN = 1,   /* text: the ban expression */
	INVAL_PURGE = 2, /* text: STORE_HASH_LEN bytes of hash */
	/* The store keeps these for its user; their text is his. */
	INVAL_TAGS = 3,
	INVAL_TAGS_SOFT = 4,
	INVAL_FORGET = 5,
	INVAL_SOFT = 6,  /* a soft purge; text: as of a purge */
	INVAL_KIND_MAX = INVAL_SOFT,
};
/* What a soft purge leaves of an object, in seconds; < 0: all of it. */
struct inval_limits {
	double ttl;      /* from the purge on */
	double grace, keep;
};
struct inval {
	uint64_t seq;
	double at;       /* wall clock */
	enum inval_kind kind;
	struct str text;
	struct inval_limits limits; /* SOFT; not known of one that is read */
};
/* The ttl, counted from t_origin, that a soft purge at an instant leaves. */
static inline double
inval_limited_ttl(const struct inval_limits *l, double at, double t_origin,
    double ttl)
{
	double left = at + l->ttl - t_origin;

	return l->ttl >= 0 && left < ttl ? left : ttl;
}
/*
 * Appends an entry; of purges only the newest is kept.  A purge also removes
 * every variant under its hash from the catalogue, those still queued before it
 * included, and a soft purge takes off their times.  done(priv, error, objects)
 * is called on the writer thread after the entry is on disk (error NULL;
 * objects: how many variants there were) or could not be written (at once, if
 * there is no memory to queue it).
 */
void store_inval_append(struct store *, const struct inval *,
    void (*done)(void *priv, const char *error, unsigned objects),
    void *priv);
/*
 * Every entry in the log that can be read, in order; before serving.  0, or
 * -1 if one can't be: what it invalidated is not known.
 */
int store_inval_each(struct store *, void (*fn)(void *priv,
    const struct inval *), void *priv);
/* Bans with seq < before are of no use any more: forget them. Queued. */
void store_inval_trim(struct store *, uint64_t before);
/*
 * The oldest inval_seq of any object, queued ones included; UINT64_MAX if
 * the store is empty.  Never blocks (kept in RAM by the writer).
 */
uint64_t store_oldest_inval_seq(struct store *);

/*
 * For tests: from now on a disk operation of all stores fails with the error
 * of that name, or waits until it is told something else; "none": it works.
 * op: segment. create, open, read, write or sync; catalogue. read, begin or
 * commit.  false: no such operation or error.
 */
bool store_fault(const char *op, const char *what);
bool store_has_fault(void); /* it was used */

/* Waits until all that was queued before is committed (tests, clean stop). */
void store_sync(struct store *);

#endif
