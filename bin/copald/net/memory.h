/*
 * memory.h - the budget of -p memory_limit: what grows with load.
 *
 * Counted are objects, bodies' buffers, the blocks of requests and fetches,
 * with what they touch of their stacks, and connections.  Every thread adds
 * to a sum of its own and passes it on when it is large, so the total is
 * right to within MEMORY_SLACK a thread and a hit writes nothing that is
 * shared.
 *
 *	7/8 of the limit: objects leave memory
 *	15/16: fetches wait for room; a new one makes some, or is refused (503)
 *	all: connections and requests are turned away
 */
#ifndef COPAL_MEMORY_H
#define COPAL_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

enum { MEMORY_SLACK = 262144 };

enum memory_use { /* for what; the later, the more of the limit */
	MEMORY_CACHE,
	MEMORY_FETCH,
	MEMORY_REQUEST,
};

void memory_charge(int64_t bytes);
/* false: there is no room for them (an arena_charge) */
bool memory_take(int64_t bytes);
uint64_t memory_used(void);
/* of -p memory_limit, or half of the machine, or of its control group */
uint64_t memory_limit(void);
/* Is there room for so many bytes more? */
bool memory_has_room(enum memory_use, uint64_t bytes);

#endif
