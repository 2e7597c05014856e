/*
 * fetch_impl.h - what the parts of a fetch know of each other.
 */
#ifndef COPAL_FETCH_IMPL_H
#define COPAL_FETCH_IMPL_H

#include "fetch.h"

/* The fetch's fiber (fetch.c): arg is the struct fetch, with a reference. */
void fetch_run(void *arg) WAITS;
/* Tells the request that waits. */
void fetch_set_state(struct fetch *, enum fetch_state);

#endif
