/*
 * cli_cmds.h - the administrator's commands, from tbl/cli_cmds.h.
 */
#ifndef COPAL_CLI_CMDS_H
#define COPAL_CLI_CMDS_H

#include <stdbool.h>

enum cli_cmd_id {
#define CLI_CMD(id, name, where, min, max, syntax, summary, doc) CLI_CMD_##id,
#include "tbl/cli_cmds.h"
#undef CLI_CMD
	CLI_CMD_MAX
};

enum cli_where {
	CLI_WHERE_MGR, /* the manager answers */
	CLI_WHERE_WRK, /* the manager forwards it to the worker */
};

struct cli_cmd {
	enum cli_cmd_id id;
	const char *name;
	enum cli_where where;
	unsigned min_args, max_args; /* without -j */
	const char *syntax, *summary, *doc;
};

/* Sorted by name; CLI_CMD_MAX records. */
extern const struct cli_cmd cli_cmds[];

const struct cli_cmd *cli_cmd_find(const char *name); /* NULL: no such */
/* Does it take -j as its first argument? */
bool cli_cmd_has_json(const struct cli_cmd *);
/* debug.*: works, but is not listed by help */
bool cli_cmd_is_hidden(const struct cli_cmd *);

#endif
