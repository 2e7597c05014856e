/*
 * retry_budget.h - how many requests an origin may be sent again.
 *
 * A token bucket: each request puts in a part of a token, each retry takes
 * one.  An origin that fails is asked little more often than if it did not;
 * what fails now and then is helped.  Little traffic earns nothing to speak
 * of, so some retries are free in each ten seconds.
 */
#ifndef COPAL_RETRY_BUDGET_H
#define COPAL_RETRY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>

#include "clock.h"

struct retry_budget { /* all zero at first */
	_Atomic int64_t tokens;  /* thousandths */
	_Atomic nsec_t began;    /* of the ten seconds */
	_Atomic unsigned free_used;
};

/* A request was sent for the first time; percent: retries for 100 of them */
void retry_budget_earn(struct retry_budget *, unsigned percent);
/*
 * May a request be sent again?  free_n: in ten seconds; percent 100: no limit.
 */
bool retry_budget_spend(struct retry_budget *, unsigned percent,
    unsigned free_n, nsec_t now);

#endif
