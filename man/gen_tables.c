/*
 * gen_tables.c - fills the tables of include/tbl into manual pages.
 *
 *      gen_tables < page.in > page
 *
 * A line that is only @counters@, @backend_counters@, @log_tags@, @failures@,
 * @params@, @params_compat@, @cli_cmds@ or one of gen_vcl.c's, is replaced by
 * that table, in man(7)'s macros; anything else is copied.  Runs while Copal is
 * built.
 */
#include "gen_tables.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { WRAP_AT = 76 };

/* Columns that the word at s takes in the page's source. */
static unsigned
word_width(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0' && *s != ' '; s++)
		n += *s == '"' ? 4 : *s == '\\' || *s == '-' ? 2 : 1;
	return n;
}

void
put(const char *s)
{
	unsigned column = 0;

	for (; *s != '\0'; s++, column++) {
		if (column == 0 && (*s == '.' || *s == '\''))
			fputs("\\&", stdout);
		switch (*s) {
		case '\\':
			fputs("\\e", stdout);
			column++;
			break;
		case '-':
			fputs("\\-", stdout);
			column++;
			break;
		case '"':
			fputs("\\(dq", stdout);
			column += 3;
			break;
		case ' ':
			if (column + word_width(s + 1) >= WRAP_AT) {
				putchar('\n');
				column = -1;
				break;
			}
			putchar(' ');
			break;
		default:
			putchar(*s);
		}
	}
}

void
item(const char *name)
{
	fputs(".TP\n.B ", stdout);
	put(name);
	putchar('\n');
}

void
line(const char *text)
{
	put(text);
	putchar('\n');
}

/* ---- counters ---- */

static void
counters(void)
{
#define KIND_COUNT ""
#define KIND_GAUGE " (gauge)"
#define COUNTER(id, name, kind, help)                                          \
	item(name);                                                            \
	line(help KIND_##kind ".");
#include "tbl/counters.h"
#undef COUNTER
}

static void
backend_counters(void)
{
#define BACKEND_COUNTER(id, kind, help)                                        \
	item(#id);                                                             \
	line(help KIND_##kind ".");
#include "tbl/backend_counters.h"
#undef BACKEND_COUNTER
}

static void
log_tags(void)
{
#define LOG_TAG(id, name, help)                                                \
	item(name);                                                            \
	line(help ".");
#include "tbl/log_tags.h"
#undef LOG_TAG
}

static void
failures(void)
{
#define FAILURE(id, name, type, doc)                                           \
	item(name);                                                            \
	line(doc "; in Proxy-Status: " type ".");
#include "tbl/failures.h"
#undef FAILURE
}

/* ---- parameters ---- */

enum {
#define PARAM_FLAG(name, bit, json, note, sentence) name = bit,
#include "tbl/param_flags.h"
#undef PARAM_FLAG
};

static void
flags_and_doc(unsigned flags, const char *doc)
{
	static const struct {
		unsigned bit;
		const char *sentence;
	} said[] = {
#define PARAM_FLAG(name, bit, json, note, sentence) {name, sentence},
#include "tbl/param_flags.h"
#undef PARAM_FLAG
	};

	line(doc);
	for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		if ((flags & said[i].bit) && said[i].sentence != NULL)
			line(said[i].sentence);
	}
}

/* 32768: 32k */
static void
put_bytes(double v)
{
	static const char units[] = "\0kMGTP";
	const char *unit = units;

	while (v >= 1024 && (double)(uint64_t)(v / 1024) == v / 1024 &&
	    unit[1] != '\0') {
		v /= 1024;
		unit++;
	}
	printf("%.0f", v);
	if (*unit != '\0')
		putchar(*unit);
}

/* ".br"-separated facts below the name of a parameter. */
static void
number(const char *name, double min, double max, double def, const char *unit,
    unsigned flags)
{
	item(name);
	printf("Default: %.10g %s, from %.10g to %.10g%s.\n.br\n", def, unit,
	    min, max, flags & P_NEVER ? ", or never" : "");
}

static void
bytes(const char *name, double min, double max, double def)
{
	item(name);
	fputs("Default: ", stdout);
	put_bytes(def);
	fputs(" bytes, from ", stdout);
	put_bytes(min);
	fputs(" to ", stdout);
	put_bytes(max);
	fputs(".\n.br\n", stdout);
}

static void
text(const char *name, const char *def)
{
	item(name);
	fputs("Default: ", stdout);
	put(*def != '\0' ? def : "empty");
	fputs(".\n.br\n", stdout);
}

static void
params(void)
{
#define PARAM_DURATION(name, min, max, def, flags, doc)                        \
	number(#name, min, max, def, "seconds", flags);                        \
	flags_and_doc(flags, doc);
#define PARAM_BYTES(name, min, max, def, flags, doc)                           \
	bytes(#name, min, max, def);                                           \
	flags_and_doc(flags, doc);
#define PARAM_UINT(name, min, max, def, unit, flags, doc)                      \
	number(#name, min, max, def, unit, flags);                             \
	flags_and_doc(flags, doc);
#define PARAM_BOOL(name, def, flags, doc)                                      \
	text(#name, (def) ? "on" : "off");                                     \
	flags_and_doc(flags, doc);
#define PARAM_STRING(name, def, flags, doc)                                    \
	text(#name, def);                                                      \
	flags_and_doc(flags, doc);
#define true  1
#define false 0
#include "tbl/params.h"
}

static void
params_compat(void)
{
#define PARAM_COMPAT(name, why)                                                \
	item(#name);                                                           \
	line(why ".");
#include "tbl/params_compat.h"
#undef PARAM_COMPAT
}

/* ---- commands of the CLI; those for tests are left out ---- */

static void
cli_cmd(const char *syntax, const char *summary, const char *doc)
{
	if (strncmp(syntax, "debug.", 6) == 0)
		return;
	item(syntax);
	line(summary);
	if (*doc != '\0')
		line(doc);
}

static void
cli_cmds(void)
{
#define CLI_CMD(id, name, where, min, max, syntax, summary, doc)               \
	cli_cmd(syntax, summary, doc);
#include "tbl/cli_cmds.h"
#undef CLI_CMD
}

int
main(void)
{
	char buf[4096];

	while (fgets(buf, sizeof buf, stdin) != NULL) {
		if (strcmp(buf, "@counters@\n") == 0)
			counters();
		else if (strcmp(buf, "@backend_counters@\n") == 0)
			backend_counters();
		else if (strcmp(buf, "@log_tags@\n") == 0)
			log_tags();
		else if (strcmp(buf, "@failures@\n") == 0)
			failures();
		else if (strcmp(buf, "@params@\n") == 0)
			params();
		else if (strcmp(buf, "@params_compat@\n") == 0)
			params_compat();
		else if (strcmp(buf, "@cli_cmds@\n") == 0)
			cli_cmds();
		else if (!vcl_table(buf))
			fputs(buf, stdout);
	}
	return ferror(stdin) || fflush(stdout) != 0;
}
