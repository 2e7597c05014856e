/*
 * backend_stats.h - the counters of each backend, for tools to read.
 *
 * Backends come and go with VCL programs, so they have no place in the shared
 * memory of counters.h: the worker writes <workdir>/log/backends once a second
 * when something has changed, whole and under another name first.  A line a
 * backend: its name, and a number for each record of tbl/backend_counters.h.
 */
#ifndef COPAL_BACKEND_STATS_H
#define COPAL_BACKEND_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum backend_counter {
#define BACKEND_COUNTER(id, kind, help) BACKEND_CNT_##id,
#include "tbl/backend_counters.h"
#undef BACKEND_COUNTER
	BACKEND_CNT_MAX
};

struct backend_counter_info {
	const char *name;
	char kind; /* 'c' only grows, 'g' gauge */
	const char *help;
};
extern const struct backend_counter_info backend_counter_info[BACKEND_CNT_MAX];

enum { BACKEND_STAT_NAME_MAX = 300 };

struct backend_stat {
	char name[BACKEND_STAT_NAME_MAX]; /* program.backend; no spaces */
	int64_t v[BACKEND_CNT_MAX];
};

struct backend_stats { /* all zero at first */
	unsigned n, room;
	struct backend_stat *at;
};

/* One more, zeroed but for its name; NULL: no memory. */
struct backend_stat *backend_stats_add(struct backend_stats *,
    const char *name);
bool backend_stats_eq(const struct backend_stats *,
    const struct backend_stats *);
void backend_stats_free(struct backend_stats *);
/* false: errno */
bool backend_stats_write(const struct backend_stats *, const char *workdir);
/*
 * What was written last; false: nothing, or of another version of Copal.
 * *out is to be freed in any case.
 */
bool backend_stats_read(struct backend_stats *out, const char *workdir);

#endif
