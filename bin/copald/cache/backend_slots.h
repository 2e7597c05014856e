/*
 * backend_slots.h - how many requests an origin works on, and who waits.
 *
 * Without a limit a slot is an addition.  With one, it is taken under a
 * lock; who finds none may wait in line, and is given the slot of the next
 * request that ends, on whichever core that is.
 */
#ifndef COPAL_BACKEND_SLOTS_H
#define COPAL_BACKEND_SLOTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "clock.h"
#include "fiber.h"

struct slot_waiter;

struct backend_slots {
	unsigned limit;         /* 0: none */
	unsigned queue_limit;
	_Atomic unsigned used;
	pthread_mutex_t lock;   /* of what follows, and of used if limited */
	struct slot_waiter *first, **end;
	_Atomic unsigned queue_n;
};

/* REFUSED: who waited was sent away. */
enum slot_result { SLOT_TAKEN, SLOT_NONE, SLOT_REFUSED, SLOT_CANCELED };

void slots_init(struct backend_slots *, unsigned limit, unsigned queue_limit);
void slots_destroy(struct backend_slots *);
/* A slot, at once or before deadline (clock_mono). */
enum slot_result slots_take(struct backend_slots *, nsec_t deadline) WAITS;
void slots_give(struct backend_slots *);
/* Sends away all who wait. */
void slots_refuse(struct backend_slots *);

#endif
