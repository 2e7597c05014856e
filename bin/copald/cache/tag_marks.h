/*
 * tag_marks.h - how many tags were purged, and when: marks in the log, by which
 * the older half of them is forgotten when there are too many.
 */
#ifndef COPAL_TAG_MARKS_H
#define COPAL_TAG_MARKS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * In inval_log_lock, or at start: n more tags were purged at seq.  true: that
 * made a mark.
 */
bool tag_marks_add(unsigned n, uint64_t seq);
/* In inval_log_lock: what is not newer than upto was forgotten. */
void tag_marks_forget(uint64_t upto);

#endif
