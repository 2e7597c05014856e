/*
 * object.h - a stored response in memory: head, times, body.
 *
 * An object is made by a fetch (or read back from a store), put into the
 * index, and from then on its head is immutable; times and counters are
 * atomics.  It lives as long as somebody counts on it: the index, a request
 * that delivers it, the fetch that fills it.
 */
#ifndef COPAL_OBJECT_H
#define COPAL_OBJECT_H

#include <stdatomic.h>

#include "body.h"
#include "coding.h"
#include "eviction.h"
#include "http.h"
#include "qsbr.h"

struct encoded;
struct esi_plan;
struct objhead;
struct stevedore;

enum {
	OBJ_HITMISS = 1,   /* a marker: not cacheable, do not wait */
	OBJ_HITPASS = 2,   /* a marker: pass */
	OBJ_PRIVATE = 4,   /* not in the index: pass, or uncacheable */
	OBJ_DYING = 8,     /* taken out of the index */
	OBJ_SYNTH = 16,    /* made by vcl_backend_error */
	OBJ_REFRESHING = 32, /* a background fetch is under way */
	OBJ_FROM_STORE = 64, /* read back from disk */
	OBJ_VARY_ALL = 128, /* Vary: *: matches nothing */
	OBJ_PLAIN_KEY = 512, /* its key: the URL and host of who asked for it */
	OBJ_HEAD_ONLY = 256, /* a response to HEAD: no body, length as said */
	OBJ_ENCODABLE = 1024, /* encodings.h: its head allows it */
	OBJ_NO_ENCODE = 2048, /* policy does not (beresp.do_encode) */
	/* in grace, but served only if the origin does not answer */
	OBJ_ASK_FIRST = 4096,
	OBJ_NEVER_FRESH = 8192, /* asked about each time: nobody waits for it */
	OBJ_HAS_LISTS = 16384, /* cache_control_lists() */
	OBJ_HELD_BACK = 1 << 15, /* goes to its store when it is hit */
	OBJ_ESI = 1 << 16, /* a page with ESI, to be parsed by esi_flags */
	OBJ_MOMENT = 1 << 18, /* only for who waited when it came: born */
	OBJ_UNCACHEABLE = 1 << 19, /* beresp.uncacheable, pass too */
	OBJ_BLOCKS = 1 << 17, /* blocks.h: its body is in others */
};

struct object {
	_Atomic uint32_t ref;
	_Atomic uint32_t flags;        /* OBJ_* */
	struct object *_Atomic next;   /* variants of a key, newest first */
	struct objhead *of;            /* NULL: never indexed */
	uint8_t hash[STORE_HASH_LEN];  /* of its key, once it is indexed */
	struct http http;              /* fields in head_mem */
	void *head_mem;
	size_t head_len;
	struct str vary;               /* vary.h; in head_mem */
	struct str tags;               /* tags.h; in head_mem */
	_Atomic double t_origin, ttl, grace, keep;
	double last_modified;          /* 0: unknown */
	nsec_t born;                   /* OBJ_MOMENT */
	char *last_chunk;              /* trailers.h; NULL: no trailers */
	uint32_t last_chunk_len;
	uint64_t xid;                  /* of the fetch that made it */
	_Atomic uint64_t hits;
	_Atomic double last_hit;
	_Atomic uint64_t inval_seq;    /* tested against the log up to here */
	struct stevedore *stevedore;
	_Atomic uint64_t store_seq;    /* id in the store; 0: not there */
	uint8_t esi_flags;             /* esi.h */
	struct esi_plan *_Atomic esi_plan; /* counted; NULL: not made yet */
	int64_t content_length;        /* HEAD only: as the origin said; -1 */
	struct body body;
	struct encoded *_Atomic encoded[CODING_N]; /* encodings.h */
	_Atomic unsigned char encoding_state[CODING_N];
	/* the stevedore's */
	struct eviction_entry eviction; /* its bytes: what is accounted */
	struct qsbr_item retire;
};

/*
 * A new object with one reference and no body.  Copies the start line and
 * fields of http, the vary bytes and the tags into memory of its own.  NULL: no
 * memory.
 */
struct object *object_new(const struct http *http, struct str vary,
    struct str tags);
struct object *object_ref(struct object *);
void object_unref(struct object **);

static inline bool
object_is(const struct object *o, unsigned flag)
{
	return (atomic_load_explicit(&o->flags, memory_order_acquire) & flag) !=
	    0;
}

double object_age(const struct object *, double now);
/* seconds left of ttl; negative: stale for that long */
double object_ttl_left(const struct object *, double now);
/* beyond ttl + grace + keep */
bool object_is_expired(const struct object *, double now);

/* For the store: head as bytes, and back (0, or -1: malformed). */
size_t object_head_size(const struct object *);
void object_head_write(const struct object *, char *to);
struct object *object_from_bytes(struct str head, struct str vary);

#endif
