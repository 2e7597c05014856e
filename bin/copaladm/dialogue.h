/*
 * dialogue.h - commands typed by a person, or piped in.
 */
#ifndef COPAL_ADM_DIALOGUE_H
#define COPAL_ADM_DIALOGUE_H

#include "cli.h"

/*
 * Reads commands from stdin until its end or quit; with history and
 * completion on a terminal.  The exit code: from a pipe, 1 if a command
 * failed; 1 if the connection broke.
 */
int dialogue_run(int fd, const struct cli_answer *banner, int timeout_ms);

#endif
