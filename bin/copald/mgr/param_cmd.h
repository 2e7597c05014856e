/*
 * param_cmd.h - param.show, param.set, param.reset.
 */
#ifndef COPAL_PARAM_CMD_H
#define COPAL_PARAM_CMD_H

#include "cli.h"

/* word: the whole command, the -j of a JSON answer included. */
void param_cmd_show(
    bool json, unsigned n, char *const *word, struct cli_answer *out);
void param_cmd_set(
    bool json, unsigned n, char *const *word, struct cli_answer *out);
void param_cmd_reset(
    bool json, unsigned n, char *const *word, struct cli_answer *out);

#endif
