/*
 * params.h - the parameters' values, shared by manager and worker.
 *
 * One struct in memory that both map: param.set in the manager is seen by
 * the worker at its next read.  One field a record of tbl/params.h.
 */
#ifndef COPAL_PARAMS_H
#define COPAL_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

struct params {
#define PARAM_DURATION(name, min, max, def, flags, doc) double name;
#define PARAM_BYTES(name, min, max, def, flags, doc) uint64_t name;
#define PARAM_UINT(name, min, max, def, unit, flags, doc) uint32_t name;
#define PARAM_BOOL(name, def, flags, doc) bool name;
#define PARAM_STRING(name, def, flags, doc) char name[256];
#include "tbl/params.h"
#undef PARAM_DURATION
#undef PARAM_BYTES
#undef PARAM_UINT
#undef PARAM_BOOL
#undef PARAM_STRING
};

extern struct params *params; /* never NULL once params_init() ran */

#endif
