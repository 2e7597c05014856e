/*
 * metrics_text.h - the counters in Prometheus' text format, version 0.0.4.
 */
#ifndef COPAL_METRICS_TEXT_H
#define COPAL_METRICS_TEXT_H

#include <stddef.h>

#include "backend_stats.h"
#include "counters.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Writes HELP, TYPE and a sample for each counter: copal_<name>_total for
 * what only grows, copal_<name> for gauges.  Also copal_up: 1, or 0 if m is
 * NULL (then nothing else).  The length of the whole text; when that is
 * not below len, it was cut (as snprintf).
 */
size_t metrics_text_write(const struct counters_map *m, char *out, size_t len);
/*
 * The same for the counters of backends: copal_backend_<name>[_total] with a
 * label, backend="program.name".
 */
size_t metrics_text_backends(const struct backend_stats *, char *out,
    size_t len);

/* Room for the text of every counter, and of so many backends. */
size_t metrics_text_room(unsigned backend_n);

#endif
