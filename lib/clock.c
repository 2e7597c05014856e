/*
 * clock.c - reading the two clocks.  Both go through the vDSO: some 20 ns,
 * no system call; whoever runs in a loop takes loop_now() instead.
 */
#include <time.h>

#include "clock.h"

nsec_t
clock_mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (nsec_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

double
clock_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}
