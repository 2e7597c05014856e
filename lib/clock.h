/*
 * clock.h - the two kinds of time.
 *
 * nsec_t: nanoseconds of CLOCK_MONOTONIC, for deadlines and durations.
 * double: seconds since 1970 (wall clock), for HTTP's dates and VCL's TIME.
 */
#ifndef COPAL_CLOCK_H
#define COPAL_CLOCK_H

#include <stdint.h>

typedef int64_t nsec_t;

#define NSEC_NEVER INT64_MAX
#define NSEC_MS(ms) ((nsec_t)(ms) * 1000000)
#define NSEC_S(s) nsec_of_seconds(s)

/* What is longer than 31 years is these: it can be added to an instant. */
static inline nsec_t
nsec_of_seconds(double s)
{
	return (nsec_t)(s < 1e9 ? s * 1e9 : 1e18);
}

nsec_t clock_mono(void);
double clock_wall(void);

#endif
