/*
 * cli_cmds.c - the administrator's commands: see cli_cmds.h.
 */
#include <string.h>

#include "cli_cmds.h"

#define WHERE_MGR CLI_WHERE_MGR
#define WHERE_WRK CLI_WHERE_WRK

const struct cli_cmd cli_cmds[] = {
#define CLI_CMD(id, name, where, min, max, syntax, summary, doc) \
	{CLI_CMD_##id, name, WHERE_##where, min, max, syntax, summary, doc},
#include "tbl/cli_cmds.h"
#undef CLI_CMD
};

const struct cli_cmd *
cli_cmd_find(const char *name)
{
	for (unsigned i = 0; i < CLI_CMD_MAX; i++) {
		if (!strcmp(cli_cmds[i].name, name))
			return &cli_cmds[i];
	}
	return NULL;
}

bool
cli_cmd_has_json(const struct cli_cmd *cmd)
{
	return strstr(cmd->syntax, "-j") != NULL;
}

bool
cli_cmd_is_hidden(const struct cli_cmd *cmd)
{
	return !strncmp(cmd->name, "debug.", 6);
}
