/*
 * command.c - carries out commands of the CLI.
 *
 * What concerns programs, parameters or the worker is done in vclprog.c,
 * param_cmd.c and child.c; what the worker knows is forwarded to it.
 */
#include <sys/utsname.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#include "child.h"
#include "cli_auth.h"
#include "cli_cmds.h"
#include "command.h"
#include "jail.h"
#include "listener.h"
#include "mgr.h"
#include "param_cmd.h"
#include "vclprog.h"

struct call {
	struct command_client *client;
	bool json;
	unsigned n; /* words, the command's name included */
	char *const *word;
	unsigned argc; /* arguments without -j */
	char *const *arg;
	struct cli_answer *out;
	bool pending; /* the answer comes later */
};

static const struct worker_config *config;

void
command_init(const struct worker_config *c)
{
	config = c;
}

/* ------------------------------------------------------------- session */

static void
cmd_auth(const struct call *c)
{
	char secret[CLI_SECRET_MAX], right[CLI_RESPONSE_LEN + 1];
	struct str s;

	if (c->client->authenticated)
		return;
	if (c->client->secret_path == NULL) {
		cli_fail(c->out, CLI_CANT, "Secret file not configured\n");
		return;
	}
	s = cli_auth_read(c->client->secret_path, secret);
	if (s.p == NULL) {
		cli_fail(c->out, CLI_CANT, "Cannot read the secret file\n");
		mgr_say(
		    LOG_ERR, "%s: %s", c->client->secret_path, strerror(errno));
		return;
	}
	if (!cli_auth_response(c->client->challenge, s, right) ||
	    !cli_auth_is_equal(c->arg[0], right)) {
		/* one guess a connection */
		mgr_say(LOG_WARNING, "CLI: authentication failed");
		c->out->status = CLI_CLOSE;
		c->client->quit = true;
		return;
	}
	c->client->authenticated = true;
	command_banner(c->out);
}

void
command_challenge(const struct command_client *client, struct cli_answer *out)
{
	out->status = CLI_AUTH;
	cli_out_str(out, str_of(client->challenge, CLI_CHALLENGE_LEN));
	cli_out_str(out, STR("\nAuthentication required.\n"));
}

static const char *
kind_of(const struct store_spec *s)
{
	return s->kind == STORE_KIND_LMDB ? "lmdb" : "ram";
}

void
command_banner(struct cli_answer *out)
{
	struct utsname u;

	uname(&u);
	cli_out(out,
	    "-----------------------------\n"
	    "Copal Cache CLI 1.0\n"
	    "-----------------------------\n"
	    "%s,%s,%s,-j%s",
	    u.sysname, u.release, u.machine, jail_name());
	for (unsigned i = 0; i < config->store_n; i++)
		cli_out(out, ",-s%s", kind_of(&config->store[i]));
	cli_out(out,
	    "\ncopal-%s\n\nType 'help' for command list.\n"
	    "Type 'quit' to close CLI session.\n",
	    PACKAGE_VERSION);
	if (child_pid() == 0)
		cli_out_str(
		    out, STR("Type 'start' to launch worker process.\n"));
}

static void
cmd_help_json(const struct call *c)
{
	cli_json_begin(c->out, c->n, c->word);
	for (unsigned i = 0; i < CLI_CMD_MAX; i++) {
		const struct cli_cmd *cmd = &cli_cmds[i];

		cli_out(c->out,
		    ",\n  {\n    \"request\": \"%s\",\n"
		    "    \"syntax\": ",
		    cmd->name);
		cli_json_str(c->out, str_from_z(cmd->syntax));
		cli_out_str(c->out, STR(",\n    \"help\": "));
		cli_json_str(c->out, str_from_z(cmd->summary));
		cli_out(c->out,
		    ",\n    \"minarg\": %u,\n    \"maxarg\": %u,\n"
		    "    \"flags\": \"%s\",\n    \"json\": %s\n  }",
		    cmd->min_args, cmd->max_args,
		    cli_cmd_is_hidden(cmd) ? "d" : "",
		    cli_cmd_has_json(cmd) ? "true" : "false");
	}
	cli_json_end(c->out);
}

static void
cmd_help(const struct call *c)
{
	const struct cli_cmd *cmd;

	if (c->json) {
		cmd_help_json(c);
		return;
	}
	if (c->argc == 0) {
		for (unsigned i = 0; i < CLI_CMD_MAX; i++) {
			if (!cli_cmd_is_hidden(&cli_cmds[i]))
				cli_out(c->out, "%s\n", cli_cmds[i].syntax);
		}
		return;
	}
	cmd = cli_cmd_find(c->arg[0]);
	if (cmd == NULL) {
		cli_fail(c->out, CLI_UNKNOWN,
		    "Unknown request.\nType 'help' for more info.\n");
		return;
	}
	cli_out(c->out, "%s\n%s\n", cmd->syntax, cmd->summary);
	if (cmd->doc[0] != '\0')
		cli_out(c->out, "%s\n", cmd->doc);
}

/* ------------------------------------------------------------- process */

static void
cmd_ping(const struct call *c)
{
	if (c->json) {
		cli_json_begin(c->out, c->n, c->word);
		cli_out_str(c->out, STR(", \"PONG\"\n"));
		cli_json_end(c->out);
	} else {
		cli_out(c->out, "PONG %lld 1.0", (long long)time(NULL));
	}
}

static void
cmd_pid(const struct call *c)
{
	pid_t worker = child_pid();

	if (c->json) {
		cli_json_begin(c->out, c->n, c->word);
		cli_out(c->out, ",\n  {\"master\": %d", (int)getpid());
		if (worker != 0)
			cli_out(c->out, ", \"worker\": %d", (int)worker);
		cli_out_str(c->out, STR("}"));
		cli_json_end(c->out);
		return;
	}
	cli_out(c->out, "Master: %10d\n", (int)getpid());
	if (worker != 0)
		cli_out(c->out, "Worker: %10d\n", (int)worker);
}

static void
cmd_status(const struct call *c)
{
	if (c->json) {
		cli_json_begin(c->out, c->n, c->word);
		cli_out(c->out, ", \"%s\"", child_state());
		cli_json_end(c->out);
	} else {
		cli_out(c->out, "Child in state %s", child_state());
	}
}

static void
cmd_start(const struct call *c)
{
	if (child_pid() != 0)
		cli_fail(c->out, CLI_CANT, "Child in state %s", child_state());
	else if (!vclprog_has_active())
		cli_fail(c->out, CLI_CANT, "No VCL available\n");
	else
		(void)child_start(c->out);
}

static void
cmd_panic_show(const struct call *c)
{
	const char *text = child_panic();

	if (text == NULL) {
		cli_fail(c->out, CLI_CANT,
		    "Child has not panicked or panic has been cleared");
	} else if (c->json) {
		cli_json_begin(c->out, c->n, c->word);
		cli_out_str(c->out, STR(",\n  "));
		cli_json_str(c->out, str_from_z(text));
		cli_json_end(c->out);
	} else {
		cli_out(c->out, "%s\n", text);
	}
}

static void
cmd_panic_clear(const struct call *c)
{
	if (c->argc == 1 && strcmp(c->arg[0], "-z")) {
		cli_fail(
		    c->out, CLI_PARAM, "Unknown parameter \"%s\".", c->arg[0]);
	} else if (child_panic() == NULL && c->argc == 0) {
		cli_fail(c->out, CLI_CANT, "No panic to clear");
	} else {
		child_panic_clear();
	}
}

/* vcl.load and vcl.inline: path or text */
static void
cmd_vcl_load(struct call *c, const char *path, const char *text)
{
	const char *state = c->argc > 2 ? c->arg[2] : NULL;

	if (c->client->answered == NULL)
		vclload_now(
		    c->arg[0], path, str_from_z(text), state, c->out);
	else
		c->pending = vclload_begin(c->arg[0], path, str_from_z(text),
		    state, c->client->answered, c->client->priv, c->out);
}

static void
cmd_vcl_show(const struct call *c)
{
	bool all = c->argc > 0 && !strcmp(c->arg[0], "-v");

	if (c->argc == 2 && !all)
		cli_fail(
		    c->out, CLI_PARAM, "Too many parameters: '%s'", c->arg[1]);
	else
		vclprog_show(c->argc > all ? c->arg[all] : NULL, all, c->out);
}

/* ------------------------------------------------------------ dispatch */

static void
run_manager(const struct cli_cmd *cmd, struct call *c)
{
	switch (cmd->id) {
	case CLI_CMD_auth:
		cmd_auth(c);
		break;
	case CLI_CMD_banner:
		command_banner(c->out);
		break;
	case CLI_CMD_debug_listen_address:
		listener_list(config, c->out);
		break;
	case CLI_CMD_debug_panic_worker:
		if (!child_crash())
			cli_fail(c->out, CLI_CANT, "Child not running\n");
		break;
	case CLI_CMD_help:
		cmd_help(c);
		break;
	case CLI_CMD_panic_clear:
		cmd_panic_clear(c);
		break;
	case CLI_CMD_panic_show:
		cmd_panic_show(c);
		break;
	case CLI_CMD_param_reset:
		param_cmd_reset(c->json, c->n, c->word, c->out);
		break;
	case CLI_CMD_param_set:
		param_cmd_set(c->json, c->n, c->word, c->out);
		break;
	case CLI_CMD_param_show:
		param_cmd_show(c->json, c->n, c->word, c->out);
		break;
	case CLI_CMD_pid:
		cmd_pid(c);
		break;
	case CLI_CMD_ping:
		cmd_ping(c);
		break;
	case CLI_CMD_quit:
		c->client->quit = true;
		cli_fail(c->out, CLI_CLOSE, "Closing CLI connection");
		break;
	case CLI_CMD_start:
		cmd_start(c);
		break;
	case CLI_CMD_status:
		cmd_status(c);
		break;
	case CLI_CMD_stop:
		(void)child_stop(c->out);
		break;
	case CLI_CMD_vcl_discard:
		vclprog_discard(c->argc, c->arg, c->out);
		break;
	case CLI_CMD_vcl_inline:
		cmd_vcl_load(c, NULL, c->arg[1]);
		break;
	case CLI_CMD_vcl_deps:
		vclprog_deps(c->json, c->n, c->word, c->out);
		break;
	case CLI_CMD_vcl_label:
		vclprog_label(c->arg[0], c->arg[1], c->out);
		break;
	case CLI_CMD_vcl_list:
		vclprog_list(c->json, c->n, c->word, c->out);
		break;
	case CLI_CMD_vcl_load:
		cmd_vcl_load(c, c->arg[1], NULL);
		break;
	case CLI_CMD_vcl_show:
		cmd_vcl_show(c);
		break;
	case CLI_CMD_vcl_state:
		vclprog_set_state(c->arg[0], c->arg[1], c->out);
		break;
	case CLI_CMD_vcl_use:
		vclprog_use(c->arg[0], c->out);
		break;
	case CLI_CMD_backend_list:
	case CLI_CMD_backend_set_health:
	case CLI_CMD_ban:
	case CLI_CMD_ban_list:
	case CLI_CMD_debug_store_fault:
	case CLI_CMD_debug_xid:
	case CLI_CMD_purge:
	case CLI_CMD_storage_drop:
	case CLI_CMD_storage_list:
	case CLI_CMD_storage_verify:
	case CLI_CMD_why:
	case CLI_CMD_MAX:
		/* the worker's */
		cli_fail(c->out, CLI_UNIMPL, "Unimplemented\n");
		break;
	}
}

/* What may be said before auth. */
static bool
is_public(const struct cli_cmd *cmd)
{
	return cmd->id == CLI_CMD_auth || cmd->id == CLI_CMD_quit ||
	       cmd->id == CLI_CMD_ping;
}

/* Of storage.list without a worker, which alone knows what is in it. */
static void
list_store(const struct call *c, const char *name, const char *kind)
{
	if (c->json)
		cli_out(c->out, ",\n{\n  \"name\": \"%s\",\n"
		    "  \"storage\": \"%s\"\n}", name, kind);
	else
		cli_out(c->out, "storage.%s = %s\n", name, kind);
}

/* What there will be. */
static void
list_stores(const struct call *c)
{
	bool transient = false;

	if (c->json)
		cli_json_begin(c->out, c->n, c->word);
	else
		cli_out_str(c->out, STR("Storage devices:\n"));
	for (unsigned i = 0; i < config->store_n; i++) {
		const struct store_spec *s = &config->store[i];

		transient |= strcmp(s->name, "Transient") == 0;
		list_store(c, s->name, kind_of(s));
	}
	if (!transient)
		list_store(c, "Transient", "ram");
	if (c->json)
		cli_json_end(c->out);
}

/* What invalidates says on whose behalf. */
static void
ask_worker(const struct command_client *client, const struct cli_cmd *cmd,
    const struct cli_words *w, struct cli_answer *out)
{
	char **word;

	if (cmd->id != CLI_CMD_ban && cmd->id != CLI_CMD_purge) {
		(void)child_ask(out, w->n, w->word);
		return;
	}
	word = malloc((w->n + 2) * sizeof(*word));
	if (word == NULL) {
		cli_fail(out, CLI_CANT, "Out of memory\n");
		return;
	}
	word[0] = (char *)"as";
	word[1] = (char *)client->who;
	memcpy(word + 2, w->word, w->n * sizeof(*word));
	(void)child_ask(out, w->n + 2, word);
	free(word);
}

bool
command_run(struct command_client *client, const struct cli_words *w,
    struct cli_answer *out)
{
	struct call c = {
	    .client = client, .n = w->n, .word = w->word, .out = out};
	const struct cli_cmd *cmd;

	if (w->error != NULL) {
		cli_fail(out, CLI_SYNTAX, "Syntax Error: %s\n", w->error);
		return true;
	}
	if (w->n == 0)
		return true;
	cmd = cli_cmd_find(w->word[0]);
	if (!client->authenticated && (cmd == NULL || !is_public(cmd))) {
		command_challenge(client, out);
		return true;
	}
	if (cmd == NULL) {
		cli_fail(out, CLI_UNKNOWN,
		    "Unknown request.\nType 'help' for more info.\n");
		return true;
	}
	c.argc = w->n - 1;
	c.arg = w->word + 1;
	if (c.argc > 0 && !strcmp(c.arg[0], "-j")) {
		if (!cli_cmd_has_json(cmd)) {
			cli_fail(out, CLI_UNIMPL, "JSON unimplemented\n");
			return true;
		}
		c.json = true;
		c.argc--;
		c.arg++;
	}
	if (c.argc < cmd->min_args)
		cli_fail(out, CLI_TOO_FEW, "Too few parameters\n");
	else if (c.argc > cmd->max_args)
		cli_fail(out, CLI_TOO_MANY, "Too many parameters\n");
	else if (cmd->where == CLI_WHERE_MGR)
		run_manager(cmd, &c);
	else if (!child_is_running() && cmd->id == CLI_CMD_storage_list)
		list_stores(&c);
	else if (!child_is_running())
		cli_fail(out, CLI_CANT, "Child not running\n");
	else
		ask_worker(client, cmd, w, out);
	return !c.pending;
}

bool
command_file(const char *path, struct cli_answer *out)
{
	struct command_client client = {.who = path, .authenticated = true};
	struct cli_input in;
	struct cli_words w;
	char buf[4096];
	bool ok = true;
	size_t n;
	FILE *f = fopen(path, "re");

	if (f == NULL) {
		cli_fail(out, CLI_CANT, "%s: %s\n", path, strerror(errno));
		return false;
	}
	cli_input_init(&in, CLI_COMMAND_MAX);
	while (ok && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		ok = cli_input_add(&in, buf, n);
	if (ok && in.len > 0 && in.p[in.len - 1] != '\n')
		ok = cli_input_add(&in, "\n", 1);
	fclose(f);
	if (!ok)
		cli_fail(out, CLI_CANT, "%s: it is too long\n", path);
	while (ok && !client.quit && cli_input_next(&in, &w)) {
		bool may_fail = w.n > 0 && w.word[0][0] == '-';
		struct cli_answer a;

		cli_answer_init(&a);
		if (may_fail)
			w.word[0]++;
		if (w.n > 0 && w.word[0][0] != '#')
			(void)command_run(&client, &w, &a);
		if (a.status != CLI_OK && !may_fail && !client.quit) {
			cli_fail(out, a.status, "%s: %s: %s\n", path,
			    w.n > 0 ? w.word[0] : "", a.p ? a.p : "");
			ok = false;
		}
		cli_answer_free(&a);
		cli_words_free(&w);
	}
	if (ok && in.len > 0) {
		cli_fail(
		    out, CLI_SYNTAX, "%s: it ends within a command\n", path);
		ok = false;
	}
	cli_input_free(&in);
	return ok;
}
