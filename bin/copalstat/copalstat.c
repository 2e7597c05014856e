/*
 * copalstat.c - shows the counters of a running Copal: once as text or JSON,
 * or live.
 */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#include "backend_stats.h"
#include "live.h"
#include "workdir.h"

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list ap;

	fputs("copalstat: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* ---- which counters ---- */

enum { GLOBS_MAX = 64 };

struct glob {
	const char *pattern;
	bool exclude;
};

struct globs {
	unsigned n;
	struct glob glob[GLOBS_MAX];
};

/* "^" or "!" before the pattern: not these. */
static void
add_glob(struct globs *g, const char *arg)
{
	if (g->n == GLOBS_MAX)
		die("Too many -f");
	g->glob[g->n].exclude = *arg == '^' || *arg == '!';
	g->glob[g->n].pattern = arg + g->glob[g->n].exclude;
	g->n++;
}

/* The first that fits decides; none: shown unless there is an inclusion. */
static bool
is_shown(const struct globs *g, const char *name)
{
	bool any_include = false;

	for (unsigned i = 0; i < g->n; i++) {
		if (fnmatch(g->glob[i].pattern, name, 0) == 0)
			return !g->glob[i].exclude;
		any_include = any_include || !g->glob[i].exclude;
	}
	return !any_include;
}

/* ---- once ---- */

/* As scripts for varnishstat know them: the worker's counters are MAIN's. */
#define SECTION "MAIN."

/* -f has the name with its section, or without */
static bool
is_counter_shown(const struct globs *g, const char *name)
{
	char full[64];
	bool any_include = false;

	snprintf(full, sizeof full, SECTION "%s", name);
	for (unsigned i = 0; i < g->n; i++) {
		if (fnmatch(g->glob[i].pattern, full, 0) == 0 ||
		    fnmatch(g->glob[i].pattern, name, 0) == 0)
			return !g->glob[i].exclude;
		any_include = any_include || !g->glob[i].exclude;
	}
	return !any_include;
}

/* The unit, as in varnishstat -j: bytes, a duration, or a number. */
static char
format_of(const char *name)
{
	size_t len = strlen(name);

	if ((len >= 5 && strcmp(name + len - 5, "bytes") == 0) ||
	    strncmp(name, "s_pipe_", 7) == 0)
		return 'B';
	return strcmp(name, "uptime") == 0 ? 'd' : 'i';
}

/* As varnishstat -1: name, value, average a second, help. */
static void
print_once(const struct counters_map *m, const bool *shown)
{
	int64_t uptime = counters_sum(m, CNT_uptime);

	for (unsigned i = 0; i < CNT_MAX; i++) {
		const struct counter_info *c = &counter_info[i];
		int64_t v = counters_sum(m, i);

		if (!shown[i])
			continue;
		printf(SECTION "%-25s %14" PRId64 " ", c->name, v);
		if (c->kind == 'c' && uptime > 0)
			printf("%12.2f", (double)v / (double)uptime);
		else
			printf("%12s", ".  ");
		printf(" %s\n", c->help);
	}
}

static void
print_json_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

/* VBE.boot.default.req */
static void
full_name(char *out, size_t size, const char *backend, unsigned counter)
{
	snprintf(out, size, "VBE.%s.%s", backend,
	    backend_counter_info[counter].name);
}

/* What one backend has of each counter that is shown goes to fn. */
static void
each_of_backends(const struct backend_stats *s, const struct globs *g,
    void (*fn)(const char *name, const struct backend_counter_info *,
	int64_t v, void *priv), void *priv)
{
	char name[BACKEND_STAT_NAME_MAX + 64];

	for (unsigned i = 0; i < s->n; i++)
		for (unsigned j = 0; j < BACKEND_CNT_MAX; j++) {
			full_name(name, sizeof name, s->at[i].name, j);
			if (is_shown(g, name))
				fn(name, &backend_counter_info[j],
				    s->at[i].v[j], priv);
		}
}

static void
print_backend_line(const char *name, const struct backend_counter_info *c,
    int64_t v, void *priv)
{
	int64_t uptime = *(const int64_t *)priv;

	printf("%-30s %14" PRId64 " ", name, v);
	if (c->kind == 'c' && uptime > 0)
		printf("%12.2f", (double)v / (double)uptime);
	else
		printf("%12s", ".  ");
	printf(" %s\n", c->help);
}

static void
print_backend_json(const char *name, const struct backend_counter_info *c,
    int64_t v, void *priv)
{
	const char **comma = priv;

	printf("%s\n    ", *comma);
	print_json_string(name);
	printf(": {\"description\": ");
	print_json_string(c->help);
	printf(", \"flag\": \"%c\", \"format\": \"%c\", \"value\": %" PRId64
	    "}", c->kind, format_of(c->name), v);
	*comma = ",";
}

static void
print_json(const struct counters_map *m, const bool *shown,
    const struct backend_stats *backends, const struct globs *globs)
{
	char text[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("{\n  \"version\": 1,\n  \"timestamp\": \"%s\",\n"
	       "  \"counters\": {",
	    text);
	const char *comma = "";
	for (unsigned i = 0; i < CNT_MAX; i++) {
		const struct counter_info *c = &counter_info[i];

		if (!shown[i])
			continue;
		printf("%s\n    \"" SECTION "%s\": {\"description\": ", comma,
		    c->name);
		print_json_string(c->help);
		printf(", \"flag\": \"%c\", \"format\": \"%c\"", c->kind,
		    format_of(c->name));
		printf(", \"value\": %" PRId64 "}", counters_sum(m, i));
		comma = ",";
	}
	each_of_backends(backends, globs, print_backend_json, &comma);
	printf("\n  }\n}\n");
}

static void
print_list(const bool *shown)
{
	for (unsigned i = 0; i < CNT_MAX; i++)
		if (shown[i])
			printf(SECTION "%-25s %s\n", counter_info[i].name,
			    counter_info[i].help);
}

/* ---- the command line ---- */

static const char usage_text[] =
"Usage: copalstat [options]\n"
"Shows the counters of a running Copal.\n"
"\n"
"  (none)     live; q quits\n"
"  -1         once: name, value, average a second, meaning\n"
"  -j         once, as JSON\n"
"  -l         only the names and what they mean\n"
"  -f glob    only these counters; '^glob': not these\n"
"  -n dir     Copal's work directory\n"
"  -t seconds|off   how long to wait for the counters to be there (5)\n"
"  -V, -h     version, this text\n";

static struct counters_map *
attach(const char *dir, double wait)
{
	struct timespec nap = {0, 50000000};
	struct counters_map *m;

	for (double waited = 0;; waited += 0.05) {
		m = counters_open(dir);
		if (m != NULL)
			return m;
		if (errno == EPROTO)
			die("The counters in %s are of another version of "
			    "Copal",
			    dir);
		if (wait >= 0 && waited >= wait)
			die("Cannot open %s/log/counters: %s", dir,
			    strerror(errno));
		(void)nanosleep(&nap, NULL);
	}
}

static double
wait_of(const char *arg)
{
	char *end;
	double v;

	if (strcmp(arg, "off") == 0)
		return -1;
	v = strtod(arg, &end);
	if (end == arg || *end != '\0' || !(v >= 0 && v <= 1e6))
		die("-t: expected seconds or off, not \"%s\"", arg);
	return v;
}

int
main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	enum { LIVE, ONCE, JSON, LIST } mode = LIVE;
	struct globs globs = {0};
	struct backend_stats backends;
	struct counters_map *m;
	const char *n_arg = NULL;
	bool shown[CNT_MAX];
	char dir[4096];
	double wait = 5;
	int opt;

	while ((opt = getopt_long(argc, argv, "1f:hjln:t:V", long_options,
		    NULL)) != -1) {
		switch (opt) {
		case '1':
			mode = ONCE;
			break;
		case 'f':
			add_glob(&globs, optarg);
			break;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		case 'j':
			mode = JSON;
			break;
		case 'l':
			mode = LIST;
			break;
		case 'n':
			n_arg = optarg;
			break;
		case 't':
			wait = wait_of(optarg);
			break;
		case 'V':
			puts("copalstat (" PACKAGE_STRING ")");
			return 0;
		default:
			fputs("Try copalstat -h\n", stderr);
			return 2;
		}
	}
	if (optind != argc)
		die("Unexpected argument \"%s\"", argv[optind]);
	if (workdir_path(n_arg, dir, sizeof dir) != 0)
		die("-n %s: %s", n_arg, strerror(errno));
	bool any = mode != LIVE && mode != LIST && is_shown(&globs, "VBE.");
	for (unsigned i = 0; i < globs.n && !any; i++)
		any = mode != LIVE && mode != LIST &&
		    !globs.glob[i].exclude &&
		    !strncmp(globs.glob[i].pattern, "VBE.", 4);
	for (unsigned i = 0; i < CNT_MAX; i++) {
		shown[i] = is_counter_shown(&globs, counter_info[i].name);
		any = any || shown[i];
	}
	if (!any)
		die("No counter is left by -f");
	if (mode == LIST) {
		print_list(shown);
		return 0;
	}
	m = attach(dir, wait);
	if (!backend_stats_read(&backends, dir))
		backends.n = 0;
	switch (mode) {
	case LIVE:
		if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
			die("Not a terminal: use -1 or -j");
		if (!live_view(&m, dir, shown))
			die("This terminal cannot show a live view: "
			    "use -1 or -j");
		break;
	case ONCE:
		print_once(m, shown);
		int64_t uptime = counters_sum(m, CNT_uptime);
		each_of_backends(&backends, &globs, print_backend_line,
		    &uptime);
		break;
	case JSON:
		print_json(m, shown, &backends, &globs);
		break;
	case LIST:
		break;
	}
	counters_close(&m);
	backend_stats_free(&backends);
	if (fflush(stdout) != 0 || ferror(stdout))
		die("Cannot write: %s", strerror(errno));
	return 0;
}
