/*
 * metrics_text.c - the counters in Prometheus' text format.
 */
#include "metrics_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct out {
	char *p;
	size_t len, cap;
};

static void __attribute__((format(printf, 2, 3)))
print(struct out *o, const char *fmt, ...)
{
	size_t room = o->len < o->cap ? o->cap - o->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? o->p + o->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->len += n;
}

/* A backslash or line feed in help would end the line. */
static void
print_help(struct out *o, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			print(o, "\\\\");
		else if (*s == '\n')
			print(o, "\\n");
		else
			print(o, "%c", *s);
	}
}

size_t
metrics_text_write(const struct counters_map *m, char *buf, size_t len)
{
	struct out o = {buf, 0, len};

	print(&o, "# HELP copal_up Whether the counters could be read\n"
		  "# TYPE copal_up gauge\ncopal_up %d\n",
	    m != NULL);
	for (unsigned i = 0; m != NULL && i < CNT_MAX; i++) {
		const struct counter_info *c = &counter_info[i];
		const char *total = c->kind == 'c' ? "_total" : "";

		print(&o, "# HELP copal_%s%s ", c->name, total);
		print_help(&o, c->help);
		print(&o, "\n# TYPE copal_%s%s %s\n", c->name, total,
		    c->kind == 'c' ? "counter" : "gauge");
		print(&o, "copal_%s%s %" PRId64 "\n", c->name, total,
		    counters_sum(m, i));
	}
	return o.len;
}

size_t
metrics_text_backends(const struct backend_stats *s, char *buf, size_t len)
{
	struct out o = {buf, 0, len};

	for (unsigned i = 0; i < BACKEND_CNT_MAX && s->n > 0; i++) {
		const struct backend_counter_info *c =
		    &backend_counter_info[i];
		const char *total = c->kind == 'c' ? "_total" : "";

		print(&o, "# HELP copal_backend_%s%s ", c->name, total);
		print_help(&o, c->help);
		print(&o, "\n# TYPE copal_backend_%s%s %s\n", c->name, total,
		    c->kind == 'c' ? "counter" : "gauge");
		for (unsigned j = 0; j < s->n; j++)
			print(&o, "copal_backend_%s%s{backend=\"%s\"} %"
			    PRId64 "\n", c->name, total, s->at[j].name,
			    s->at[j].v[i]);
	}
	return o.len;
}

size_t
metrics_text_room(unsigned backend_n)
{
	size_t n = 256;

	for (unsigned i = 0; i < CNT_MAX; i++)
		n += 128 + 3 * strlen(counter_info[i].name) +
		    2 * strlen(counter_info[i].help);
	if (backend_n > 0)
		n += BACKEND_CNT_MAX *
		    (256 + backend_n * (size_t)(BACKEND_STAT_NAME_MAX + 64));
	return n;
}
