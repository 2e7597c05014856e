/*
 * worker_cli.c - each command of the worker is a function in one table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend.h"
#include "ban.h"
#include "core.h"
#include "program.h"
#include "stevedore.h"
#include "worker_cli.h"

/* A FILE that writes into an answer. */
struct printed {
	FILE *file;
	char *text;
	size_t len;
};

static bool
print_begin(struct printed *p, struct cli_answer *out)
{
	p->text = NULL;
	p->file = open_memstream(&p->text, &p->len);
	if (p->file == NULL)
		cli_fail(out, CLI_CANT, "Out of memory");
	return p->file != NULL;
}

static void
print_end(struct printed *p, struct cli_answer *out)
{
	fclose(p->file);
	cli_out_str(out, str_of(p->text, p->len));
	free(p->text);
}

static bool
takes_json(const struct cli_words *w)
{
	return w->n > 1 && !strcmp(w->word[1], "-j");
}

static enum worker_next
cmd_ping(const struct cli_words *w, struct cli_answer *out)
{
	(void)w;
	cli_out(out, "PONG");
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_start(const struct cli_words *w, struct cli_answer *out)
{
	(void)w;
	(void)out;
	return WORKER_STARTS;
}

static enum worker_next
cmd_stop(const struct cli_words *w, struct cli_answer *out)
{
	(void)w;
	(void)out;
	return WORKER_STOPS;
}

/* --- programs --------------------------------------------------------------- */

static struct program *
find_program(const char *name, struct cli_answer *out)
{
	struct program *p = program_find(name);

	if (p == NULL)
		cli_fail(out, CLI_PARAM, "No VCL named %s known.", name);
	return p;
}

static enum worker_next
cmd_vcl_load(const struct cli_words *w, struct cli_answer *out)
{
	char err[1024] = "";
	struct program *p;

	p = program_load(w->word[1], w->word[2], err, sizeof err);
	if (p == NULL)
		cli_fail(out, CLI_CANT, "%s", err);
	else if (!program_set_temper(p, w->word[3], err, sizeof err))
		cli_fail(out, CLI_PARAM, "%s", err);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_vcl_use(const struct cli_words *w, struct cli_answer *out)
{
	struct program *p = find_program(w->word[1], out);

	if (p != NULL)
		program_use(p);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_vcl_discard(const struct cli_words *w, struct cli_answer *out)
{
	struct program *p = find_program(w->word[1], out);
	char err[256];

	if (p != NULL && !program_discard(p, err, sizeof err))
		cli_fail(out, CLI_CANT, "%s", err);
	program_reap();
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_vcl_state(const struct cli_words *w, struct cli_answer *out)
{
	struct program *p = find_program(w->word[1], out);
	char err[256];

	if (p != NULL && !program_set_temper(p, w->word[2], err, sizeof err))
		cli_fail(out, CLI_PARAM, "%s", err);
	return WORKER_GOES_ON;
}

static void
print_refs(void *priv, const struct program_info *i)
{
	static const char *const names[] = {
		[PROGRAM_AVAILABLE] = "available",
		[PROGRAM_ACTIVE] = "active",
		[PROGRAM_DISCARDED] = "discarded",
	};

	cli_out(priv, "%s %llu %s\n", i->name, (unsigned long long)i->refs,
	    names[i->state]);
}

static enum worker_next
cmd_vcl_refs(const struct cli_words *w, struct cli_answer *out)
{
	(void)w;
	program_reap();
	program_list(print_refs, out);
	return WORKER_GOES_ON;
}

/* --- invalidation ----------------------------------------------------------- */

/* The words back to an expression: an argument with blanks gets quotes. */
static char *
ban_text(const struct cli_words *w)
{
	size_t len = 1;
	char *text, *p;

	for (unsigned i = 1; i < w->n; i++)
		len += 2 * strlen(w->word[i]) + 3;
	p = text = malloc(len);
	if (text == NULL)
		return NULL;
	for (unsigned i = 1; i < w->n; i++) {
		const char *s = w->word[i];
		bool quote = *s == '\0' || strpbrk(s, " \t\"") != NULL;

		if (i > 1)
			*p++ = ' ';
		if (quote)
			*p++ = '"';
		for (; *s != '\0'; s++) {
			if (quote && (*s == '"' || *s == '\\'))
				*p++ = '\\';
			*p++ = *s;
		}
		if (quote)
			*p++ = '"';
	}
	*p = '\0';
	return text;
}

static enum worker_next
cmd_ban(const struct cli_words *w, struct cli_answer *out)
{
	char *text = ban_text(w);
	char err[BAN_ERR_LEN] = "Out of memory";

	if (text == NULL || ban_add(text, err) != 0)
		cli_fail(out, CLI_PARAM, "%s", err);
	free(text);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_ban_list(const struct cli_words *w, struct cli_answer *out)
{
	bool json = takes_json(w);
	struct printed p;

	if (!print_begin(&p, out))
		return WORKER_GOES_ON;
	if (json)
		cli_json_begin(out, w->n, w->word);
	ban_list(p.file, json);
	fflush(p.file);
	if (json && p.len > 0)
		cli_out(out, ",\n");
	print_end(&p, out);
	if (json)
		cli_json_end(out);
	return WORKER_GOES_ON;
}

/* --- backends and stores ------------------------------------------------------ */

static enum worker_next
cmd_backend_list(const struct cli_words *w, struct cli_answer *out)
{
	bool json = false, detail = false;
	const char *pattern = NULL;
	struct printed p;

	for (unsigned i = 1; i < w->n; i++) {
		if (!strcmp(w->word[i], "-j"))
			json = true;
		else if (!strcmp(w->word[i], "-p"))
			detail = true;
		else if (w->word[i][0] == '-' || pattern != NULL) {
			cli_fail(out, CLI_PARAM, "Invalid argument: %s",
			    w->word[i]);
			return WORKER_GOES_ON;
		} else
			pattern = w->word[i];
	}
	if (!print_begin(&p, out))
		return WORKER_GOES_ON;
	if (json) {
		cli_json_begin(out, w->n, w->word);
		cli_out(out, ",\n");
	}
	backend_list(p.file, pattern, json, detail);
	print_end(&p, out);
	if (json)
		cli_json_end(out);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_backend_set_health(const struct cli_words *w, struct cli_answer *out)
{
	static const char *const names[] = {"auto", "healthy", "sick"};

	for (unsigned i = 0; i < 3; i++) {
		if (strcasecmp(w->word[2], names[i]) != 0)
			continue;
		if (backend_set_health(w->word[1],
		    (enum backend_admin)i) == 0)
			cli_fail(out, CLI_PARAM, "No Backends matches");
		return WORKER_GOES_ON;
	}
	cli_fail(out, CLI_PARAM, "Invalid state %s", w->word[2]);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_storage_list(const struct cli_words *w, struct cli_answer *out)
{
	bool json = takes_json(w);
	struct printed p;

	if (!print_begin(&p, out))
		return WORKER_GOES_ON;
	if (json) {
		cli_json_begin(out, w->n, w->word);
		cli_out(out, ",\n");
	}
	stevedore_list(p.file, json);
	print_end(&p, out);
	if (json)
		cli_json_end(out);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_debug_xid(const struct cli_words *w, struct cli_answer *out)
{
	if (w->n > 1)
		core_xid_set(strtoull(w->word[1], NULL, 10), w->n > 2 ?
		    (unsigned)strtoul(w->word[2], NULL, 10) : 1);
	cli_out(out, "XID is %llu", (unsigned long long)core_xid_peek());
	return WORKER_GOES_ON;
}

static const struct {
	const char *name;
	unsigned min_args;
	enum worker_next (*fn)(const struct cli_words *, struct cli_answer *);
} commands[] = {
	{"ping", 0, cmd_ping},
	{"start", 0, cmd_start},
	{"stop", 0, cmd_stop},
	{"vcl.load", 3, cmd_vcl_load},
	{"vcl.use", 1, cmd_vcl_use},
	{"vcl.discard", 1, cmd_vcl_discard},
	{"vcl.state", 2, cmd_vcl_state},
	{"vcl.refs", 0, cmd_vcl_refs},
	{"ban", 3, cmd_ban},
	{"ban.list", 0, cmd_ban_list},
	{"backend.list", 0, cmd_backend_list},
	{"backend.set_health", 2, cmd_backend_set_health},
	{"storage.list", 0, cmd_storage_list},
	{"debug.xid", 0, cmd_debug_xid},
};

enum worker_next
worker_command(const struct cli_words *w, struct cli_answer *out)
{
	if (w->error != NULL || w->n == 0) {
		cli_fail(out, CLI_SYNTAX, "%s",
		    w->error != NULL ? w->error : "no command");
		return WORKER_GOES_ON;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(w->word[0], commands[i].name) != 0)
			continue;
		if (w->n - 1 < commands[i].min_args) {
			cli_fail(out, CLI_TOO_FEW, "Too few parameters");
			return WORKER_GOES_ON;
		}
		return commands[i].fn(w, out);
	}
	cli_fail(out, CLI_UNKNOWN, "Unknown request: %s", w->word[0]);
	return WORKER_GOES_ON;
}
