/*
 * cold.h - bytes of bodies that may not be in memory: read by io_uring, or
 * by the blocking pool, so that no core ever waits for a disk.
 */
#ifndef COPAL_COLD_H
#define COPAL_COLD_H

#include "fiber.h"
#include "store.h"

/*
 * Reads and verifies an extent, into buf (its len bytes), or, if that is
 * NULL, into the page cache.  0, -1: wrong or unreadable, or STORE_NO_MEMORY.
 * The caller has a reference to its segment.  On a thread without a core it
 * blocks.
 */
int cold_read(struct store *, const struct extent *, char *buf) WAITS;
/* Has the first len bytes of an extent read ahead, and does not wait. */
void cold_ahead(const struct extent *, uint32_t len);

#endif
