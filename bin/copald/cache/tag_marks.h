/*
 * tag_marks.h - which purges of tags are remembered, oldest first, and how many
 * tags that are: so that who asks for the newest before an instant need not
 * look at each tag, and the older half is forgotten when there are too many.
 *
 * All in inval_log_lock, or at start.
 */
#ifndef COPAL_TAG_MARKS_H
#define COPAL_TAG_MARKS_H

#include <stdbool.h>
#include <stdint.h>

/* n more tags are purged at seq, the newest position.  false: no memory. */
bool tag_marks_add(unsigned n, uint64_t seq);
/* The newest that is not newer than upto; 0: none. */
uint64_t tag_marks_newest(uint64_t upto);
/* What is not newer than upto is forgotten; false: there was nothing. */
bool tag_marks_forget(uint64_t upto);
/* 0, or up to where purges must be forgotten, as there are more than max. */
uint64_t tag_marks_surplus(uint64_t max);
void tag_marks_free(void); /* the worker's end */

#endif
