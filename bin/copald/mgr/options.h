/*
 * options.h - the command line of copald.
 */
#ifndef COPAL_OPTIONS_H
#define COPAL_OPTIONS_H

#include <stdbool.h>

#include "worker.h"

enum { CLI_ADDR_MAX = 16 };

struct options { /* strings are argv's, unless they were made absolute */
	bool foreground;       /* -F */
	bool debug;            /* -d */
	bool compile_only;     /* -C */
	const char *workdir;   /* -n */
	const char *identity;  /* -i */
	const char *vcl_file;  /* -f; absolute if the file was found */
	const char *backend;   /* -b */
	bool no_vcl;           /* -f '' */
	const char *secret;    /* -S */
	bool no_secret;        /* -S none */
	const char *pid_file;  /* -P */
	const char *init_file; /* -I */
	const char *metrics;   /* --metrics */
	const char *jail;      /* -j */
	unsigned listen_n, store_n, cli_n, master_n;
	const char *listen[LISTEN_MAX];    /* -a */
	const char *store[STORE_SPEC_MAX]; /* -s */
	const char *cli[CLI_ADDR_MAX];     /* -T */
	const char *master[CLI_ADDR_MAX];  /* -M */
	bool no_cli;                       /* -T none */
};

/*
 * Reads the command line; -p, -t and -l go into the parameters.  Exits: with
 * 2 and a line on stderr if it is wrong, with 0 for -V and -?.
 */
void options_parse(int argc, char **argv, struct options *);

#endif
