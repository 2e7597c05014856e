/*
 * worker_cli.h - the manager's commands, in the worker.
 */
#ifndef COPAL_WORKER_CLI_H
#define COPAL_WORKER_CLI_H

#include "cli.h"
#include "worker.h"

enum worker_next { WORKER_GOES_ON, WORKER_STARTS, WORKER_STOPS };

/* Carries out one command; may block (bans, DNS, dlopen). */
enum worker_next worker_command(const struct cli_words *,
    struct cli_answer *);

#endif
