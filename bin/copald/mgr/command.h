/*
 * command.h - carries out commands of the CLI.
 */
#ifndef COPAL_COMMAND_H
#define COPAL_COMMAND_H

#include "cli.h"
#include "vclload.h"
#include "worker.h"

/* What a command does to its connection. */
struct command_client {
	const char *who;         /* for the records of what it invalidates */
	bool authenticated;
	bool quit;               /* set by quit: close after the answer */
	const char *challenge;   /* CLI_CHALLENGE_LEN bytes */
	const char *secret_path; /* NULL: there is none */
	/*
	 * Takes the answer of a command that lasts, with the client's priv;
	 * NULL: such a command is waited for.
	 */
	vclload_done *answered;
	void *priv;
};

void command_init(const struct worker_config *);
/* out: initialised.  false: the answer comes later, to answered. */
bool command_run(
    struct command_client *, const struct cli_words *, struct cli_answer *out);
/* The text of status 107. */
void command_challenge(const struct command_client *, struct cli_answer *);
void command_banner(struct cli_answer *);
/*
 * Runs the commands of a file; "-" before one: it may fail.  false with the
 * reason in out.
 */
bool command_file(const char *path, struct cli_answer *out);

#endif
