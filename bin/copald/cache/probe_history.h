/*
 * probe_history.h - what became of the last tries of a probe.
 *
 * For each thing that may happen in a try a word of 64 bits, the newest try
 * in the lowest one.
 */
#ifndef COPAL_PROBE_HISTORY_H
#define COPAL_PROBE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* In the order in which they are shown. */
#define PROBE_EVENTS(X)                                                       \
	X(IPV4, '4', "Good IPv4")                                             \
	X(IPV6, '6', "Good IPv6")                                             \
	X(UNIX, 'U', "Good UNIX")                                             \
	X(XMIT_ERROR, 'x', "Error Xmit")                                      \
	X(XMIT, 'X', "Good Xmit")                                             \
	X(RECV_ERROR, 'r', "Error Recv")                                      \
	X(RECV, 'R', "Good Recv")                                             \
	X(HAPPY, 'H', "Happy")

enum probe_event {
#define X(id, letter, text) PROBE_##id,
	PROBE_EVENTS(X)
#undef X
	PROBE_EVENT_MAX
};

struct probe_history {
	unsigned window, threshold;
	uint64_t bits[PROBE_EVENT_MAX];
	unsigned good;      /* of the last window tries */
	bool healthy;
	double last;        /* seconds that the last good try took, or 0 */
	double average;     /* of good tries */
	unsigned averaged;  /* how many, at most AVERAGE_OVER */
};

/*
 * initial tries count as good, and none before them was.  window is at most
 * 64.
 */
void probe_history_init(struct probe_history *, unsigned window,
    unsigned threshold, unsigned initial);
/*
 * A try: events is a mask of 1 << PROBE_...; seconds counts if it was happy.
 * Whether the health has changed.
 */
bool probe_history_add(struct probe_history *, unsigned events,
    double seconds);
/* "4---X-RH": the last try */
void probe_history_letters(const struct probe_history *,
    char out[PROBE_EVENT_MAX + 1]);
void probe_history_print(const struct probe_history *, FILE *out);
/* members of an object, each line with this indent */
void probe_history_print_json(const struct probe_history *, FILE *out,
    const char *indent);

#endif
