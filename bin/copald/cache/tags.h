/*
 * tags.h - tags of objects, and which of them were purged.
 *
 * A tag is a word: any bytes but white space and commas, which stand between
 * tags.  An object carries its tags as text; a purge by tag is one entry in
 * the table here (and in the log that ban.c keeps), whatever the number of
 * objects.  An object that was last tested against the log before its tag was
 * purged is invalid, or stale, when it is looked up.
 *
 * The table also counts the objects in memory that carry a tag, so that a
 * purge can tell how many it hits.  Locks are held for a look at one tag.
 */
#ifndef COPAL_TAGS_H
#define COPAL_TAGS_H

#include "object.h"

struct arena;
struct fetch;

/* Takes the next tag off the beginning of a list; false: there is none. */
bool tags_next(struct str *list, struct str *tag);
uint64_t tag_hash(struct str tag);

/*
 * The tags of f's response: beresp.tags, and the headers in use for tags
 * (parameter tag_headers).  Each once, in order, with one blank between; *out
 * is in f's workspace, STR_NULL if there are none.  false: no room.
 */
bool tags_of_response(struct fetch *f, struct str *out);
/* Those of Cache-Group-Invalidation (RFC 9875 3), to be purged. */
bool tags_of_invalidation(struct fetch *f, struct str *out);
/* Removes the headers that carry tags. */
void tags_strip(struct http *);

/* The object has come into the index, or has left it. */
void tags_count_in(struct object *);
void tags_count_out(struct object *);

/*
 * The tag is purged at position seq; soft: its objects become stale then.
 * Adds to *hit how many objects in memory that hits.  false: no memory.  One
 * caller at a time.
 */
bool tags_purge(uint64_t hash, uint64_t seq, bool soft, unsigned *hit);
/* How many objects in memory a purge of it would hit. */
unsigned tags_objects(uint64_t hash);
/*
 * Was a tag of the object, which was tested up to position tested, purged
 * since?  Makes it stale if there was only a soft purge.
 */
bool tags_hit(struct object *, uint64_t tested, double now);

/* Forgets purges that are not newer than upto. */
void tags_forget(uint64_t upto);

#endif
