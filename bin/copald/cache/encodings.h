/*
 * encodings.h - an object's body in the codings that clients ask for.
 *
 * One stored copy, in identity or gzip, serves all.  What else is wanted is
 * made once, when it is first asked for and fast, on a thread of its own
 * while the client waits; it stays in memory as long as the object does and
 * counts as the object's.  For an object that is asked for often it is made
 * again in the background, smaller.
 *
 *	NONE --asked for--> MAKING --> FAST --popular--> MAKING --> BEST
 *	                       \--> NO (not worth it, or it can't be)
 *
 * ETag: made again, the bytes change, so all codings that are made here have
 * the weak form of the stored one's (RFC 9110 8.8.1), and If-None-Match
 * matches whichever of them the client has.
 *
 * Range: a part is one of the stored bytes.  Who asks for one is sent nothing
 * that is made here, unless by If-Range with a date, which does not tell which
 * coding the client has a part of: that gets the whole.
 */
#ifndef COPAL_ENCODINGS_H
#define COPAL_ENCODINGS_H

#include "object.h"

struct request;

/* Threads; once the cores run.  0, or -1 with errno. */
int encodings_start(unsigned threads);
void encodings_stop(void);

/* Of a new object's head: may it be sent in other codings (OBJ_ENCODABLE)? */
void encodings_mark(struct object *);
/* Are there clients that would get the body in another coding? */
bool encodings_apply(const struct object *);
/* Does the client take this one as well as any? */
bool encodings_wanted(const struct request *, enum coding);
/*
 * The bytes of o in a coding, as they lay on disk; buf is taken.  Before others
 * ask for it, or while they do.
 */
void encodings_adopt(struct object *o, enum coding, struct buf **buf);
void encodings_free(struct object *);

/*
 * Which coding the request's object is to be made into; CODING_IDENTITY: none,
 * it goes out as it is stored or through its filters.
 */
enum coding encodings_choose(struct request *);
/*
 * Its bytes, counted; NULL: as it is stored after all (its body is not there
 * yet, packing does not help, too much to do).
 */
struct buf *encodings_get(struct request *, enum coding, uint32_t *len) WAITS;
/* The same, only if they are there. */
struct buf *encodings_peek(const struct object *, enum coding,
    uint32_t *len);
/* After it was sent: has it made smaller, if it is asked for often. */
void encodings_improve(struct request *, enum coding);
/* The response's head, as it is with that coding.  false: no room */
bool encodings_change_head(enum coding, struct http *, struct arena *);

#endif
