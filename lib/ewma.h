/*
 * ewma.h - an average of durations that follows peaks at once.
 *
 * A larger sample than the average replaces it; smaller ones pull it down
 * with a time constant, and so does time without samples.  Value and instant
 * are one word, so any number of threads may add.
 */
#ifndef COPAL_EWMA_H
#define COPAL_EWMA_H

#include <stdint.h>

enum { EWMA_SECONDS = 10 }; /* time constant */

/* state: 0 at first.  now: seconds of any clock, of the same one each time */
uint64_t ewma_add(uint64_t state, double now, double sample);
/* The average as it is now; 0: nothing is known (any more). */
double ewma_value(uint64_t state, double now);

#endif
