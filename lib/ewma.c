/*
 * ewma.c - an average of durations that follows peaks at once.
 *
 * The state: the average, a float, in the upper half; in the lower the
 * instant in milliseconds, which wraps after 49 days (an average that old is
 * as good as none).
 */
#include <math.h>
#include <string.h>

#include "ewma.h"

/* no sample is less; an average that is much less has been forgotten */
#define EWMA_LEAST 1e-6
#define EWMA_NOTHING 1e-7

static uint32_t
instant(double now)
{
	return (uint32_t)(uint64_t)(now * 1e3);
}

static double
seconds_since(uint64_t state, double now)
{
	/* another thread's clock may be a bit ahead of ours */
	int32_t ms = (int32_t)(instant(now) - (uint32_t)state);

	return ms > 0 ? ms / 1e3 : 0;
}

static double
average(uint64_t state)
{
	uint32_t bits = (uint32_t)(state >> 32);
	float f;

	memcpy(&f, &bits, sizeof f);
	return (double)f;
}

double
ewma_value(uint64_t state, double now)
{
	double v = average(state) *
	    exp(-seconds_since(state, now) / EWMA_SECONDS);

	return v < EWMA_NOTHING ? 0 : v;
}

uint64_t
ewma_add(uint64_t state, double now, double sample)
{
	double old = average(state), w;
	uint32_t bits;
	float f;

	if (sample < EWMA_LEAST)
		sample = EWMA_LEAST;
	w = exp(-seconds_since(state, now) / EWMA_SECONDS);
	f = (float)(sample > old ? sample : old * w + sample * (1 - w));
	memcpy(&bits, &f, sizeof bits);
	return (uint64_t)bits << 32 | instant(now);
}
