/*
 * copaladm.c - the administrator's CLI: one command, or a dialogue.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "dialogue.h"
#include "link.h"

enum { OPT_VERSION = 256, OPT_HELP };

static const char usage[] =
    "Usage: copaladm [-n dir] [-T address:port [-S file]] [-t seconds]\n"
    "                [command [argument ...]]\n"
    "\n"
    "  -n dir            state folder of the copald\n"
    "  -T address:port   go by TCP and not by the folder's socket\n"
    "  -S file           secret for -T (the folder's)\n"
    "  -t seconds        how long to wait for an answer (60)\n"
    "  -V, --version     print the version\n"
    "  -h, --help        print this\n"
    "\n"
    "Without a command: a dialogue.  Exits with 0 if the command was carried\n"
    "out, else with 1; with 2 if copaladm was called wrongly.\n";

static const struct option long_flags[] = {
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

__attribute__((noreturn)) static void
die(int code, const char *text)
{
	fprintf(stderr, "copaladm: %s\n", text);
	exit(code);
}

static int
parse_timeout(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds > 0 && seconds < 1e6))
		die(2, "-t: a number of seconds is wanted");
	return (int)ceil(seconds * 1e3);
}

static void
parse(int argc, char **argv, struct link_to *to)
{
	int flag;

	/* "+": what follows the command is the command's */
	while ((flag = getopt_long(
		    argc, argv, "+hn:S:t:T:V", long_flags, NULL)) >= 0) {
		switch (flag) {
		case 'n':
			to->workdir = optarg;
			break;
		case 'S':
			to->secret = optarg;
			break;
		case 't':
			to->timeout_ms = parse_timeout(optarg);
			break;
		case 'T':
			to->address = optarg;
			break;
		case 'V':
		case OPT_VERSION:
			printf("copaladm (copal-%s)\n", PACKAGE_VERSION);
			exit(0);
		case 'h':
		case OPT_HELP:
			fputs(usage, stdout);
			exit(0);
		default: /* getopt has said what is wrong */
			exit(2);
		}
	}
	if (to->secret != NULL && to->address == NULL)
		die(2, "-S is of use with -T only");
}

/*
 * A whole command as one word of the shell, or a ban's whole expression, is
 * split as the CLI would: varnishadm's users write them so.
 */
static void
split(int *n, char ***word)
{
	static struct cli_words w; /* until the end of the program */
	char *line, *last = (*word)[*n - 1];
	bool ban = *n == 2 && !strcmp((*word)[0], "ban");

	if ((*n != 1 && !ban) || strchr(last, ' ') == NULL)
		return;
	if (asprintf(&line, "%s%s", ban ? "ban " : "", last) < 0)
		die(1, "out of memory");
	cli_words_parse(str_from_z(line), &w);
	if (w.error != NULL)
		die(2, w.error);
	if (w.n > 0) {
		*n = (int)w.n;
		*word = w.word;
	}
	free(line);
}

static int
run_once(int fd, int n, char **word, int timeout_ms)
{
	struct cli_answer a;
	char err[LINK_ERR_MAX];
	bool ok;

	split(&n, &word);
	if (!link_ask(fd, (unsigned)n, word, timeout_ms, &a, err))
		die(1, err);
	/* "quit" is answered with 500, and it is no failure */
	ok = a.status == CLI_OK || !strcmp(word[0], "quit");
	fwrite(a.p, 1, a.len, stdout);
	if (a.len > 0 && a.p[a.len - 1] != '\n')
		putchar('\n');
	if (fflush(stdout) != 0)
		die(1, strerror(errno));
	if (!ok)
		fprintf(
		    stderr, "Command failed with error code %u\n", a.status);
	cli_answer_free(&a);
	return ok ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct link_to to = {.timeout_ms = 60000};
	struct cli_answer banner;
	char err[LINK_ERR_MAX];
	int fd, code;

	parse(argc, argv, &to);
	fd = link_open(&to, &banner, err);
	if (fd < 0)
		die(1, err);
	if (optind < argc)
		code =
		    run_once(fd, argc - optind, argv + optind, to.timeout_ms);
	else
		code = dialogue_run(fd, &banner, to.timeout_ms);
	cli_answer_free(&banner);
	close(fd);
	return code;
}
