/*
 * backend_stats.c - the counters of each backend, for tools to read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend_stats.h"

enum { PATH_LEN = 4096, LINE_MAX_LEN = 1024 };

/* Tools of another build find other names here, and read no further. */
static const char first_line[] = "backends"
#define BACKEND_COUNTER(id, kind, help) " " #id
#include "tbl/backend_counters.h"
#undef BACKEND_COUNTER
    "\n";

const struct backend_counter_info backend_counter_info[BACKEND_CNT_MAX] = {
#define KIND_COUNT 'c'
#define KIND_GAUGE 'g'
#define BACKEND_COUNTER(id, kind, help) {#id, KIND_##kind, help},
#include "tbl/backend_counters.h"
#undef BACKEND_COUNTER
};

struct backend_stat *
backend_stats_add(struct backend_stats *s, const char *name)
{
	struct backend_stat *b;

	if (s->n == s->room) {
		unsigned room = s->room > 0 ? 2 * s->room : 16;

		b = realloc(s->at, room * sizeof *b);
		if (b == NULL)
			return NULL;
		s->at = b;
		s->room = room;
	}
	b = &s->at[s->n++];
	memset(b, 0, sizeof *b);
	snprintf(b->name, sizeof b->name, "%s", name);
	return b;
}

bool
backend_stats_eq(const struct backend_stats *a, const struct backend_stats *b)
{
	return a->n == b->n &&
	    (a->n == 0 || !memcmp(a->at, b->at, a->n * sizeof *a->at));
}

void
backend_stats_free(struct backend_stats *s)
{
	free(s->at);
	*s = (struct backend_stats){0};
}

bool
backend_stats_write(const struct backend_stats *s, const char *workdir)
{
	char path[PATH_LEN], temp[PATH_LEN + 8];
	FILE *f;
	bool ok;

	snprintf(path, sizeof path, "%s/log/backends", workdir);
	snprintf(temp, sizeof temp, "%s.new", path);
	f = fopen(temp, "we");
	if (f == NULL)
		return false;
	fputs(first_line, f);
	for (unsigned i = 0; i < s->n; i++) {
		fputs(s->at[i].name, f);
		for (unsigned j = 0; j < BACKEND_CNT_MAX; j++)
			fprintf(f, " %" PRId64, s->at[i].v[j]);
		fputc('\n', f);
	}
	ok = !ferror(f);
	return fclose(f) == 0 && ok && rename(temp, path) == 0;
}

static bool
read_line(struct backend_stats *s, char *line)
{
	char *rest = line, *name = strsep(&rest, " "), *end;
	struct backend_stat *b;

	if (rest == NULL || (b = backend_stats_add(s, name)) == NULL)
		return false;
	for (unsigned i = 0; i < BACKEND_CNT_MAX; i++, rest = end) {
		b->v[i] = strtoll(rest, &end, 10);
		if (end == rest)
			return false;
	}
	return true;
}

bool
backend_stats_read(struct backend_stats *out, const char *workdir)
{
	char path[PATH_LEN], line[LINE_MAX_LEN];
	FILE *f;
	bool ok;

	*out = (struct backend_stats){0};
	snprintf(path, sizeof path, "%s/log/backends", workdir);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	ok = fgets(line, sizeof line, f) != NULL && !strcmp(line, first_line);
	while (ok && fgets(line, sizeof line, f) != NULL)
		ok = read_line(out, line);
	fclose(f);
	return ok;
}
