/*
 * director.h - the backends that modules make; see vmod_director.h.
 */
#ifndef COPAL_DIRECTOR_H
#define COPAL_DIRECTOR_H

#include "backend.h"

/* methods->healthy, unless b is among those that are being asked already */
bool director_is_healthy(struct vcl_ctx *, const struct backend *,
    double *changed);

#endif
