/*
 * worker_cli.c - each command of the worker is a function in one table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend.h"
#include "ban.h"
#include "ban_expr.h"
#include "core.h"
#include "explain.h"
#include "program.h"
#include "invalidate.h"
#include "stevedore.h"
#include "store.h"
#include "tags.h"
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

/* --- programs ------------------------------------------------------------ */

static struct program *
find_program(const char *name, struct cli_answer *out)
{
	struct program *p = program_find(name);

	if (p == NULL)
		cli_fail(out, CLI_PARAM, "No VCL named %s known.", name);
	return p;
}

/* The manager says "warm" or "cold". */
static bool
is_warm(const char *word)
{
	return !strcmp(word, "warm");
}

static enum worker_next
cmd_vcl_load(const struct cli_words *w, struct cli_answer *out)
{
	char err[1024] = "";
	struct program *p;

	p = program_load(w->word[1], w->word[2], err, sizeof err);
	if (p == NULL) {
		cli_fail(out, CLI_CANT, "%s", err);
	} else if (is_warm(w->word[3]) &&
	    !program_set_warm(p, true, err, sizeof err)) {
		cli_fail(out, CLI_CANT, "%s", err);
		program_discard(p, err, sizeof err);
		program_reap();
	}
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
	struct program_label *l = program_label_find(w->word[1]);
	struct program *p = l == NULL ? find_program(w->word[1], out) : NULL;
	char err[256];

	if ((l != NULL && !program_label_discard(l, err, sizeof err)) ||
	    (p != NULL && !program_discard(p, err, sizeof err)))
		cli_fail(out, CLI_CANT, "%s", err);
	program_reap();
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_vcl_label(const struct cli_words *w, struct cli_answer *out)
{
	struct program *p = find_program(w->word[2], out);
	char err[256];

	if (p != NULL && !program_label_set(w->word[1], p, err, sizeof err))
		cli_fail(out, CLI_CANT, "%s", err);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_vcl_state(const struct cli_words *w, struct cli_answer *out)
{
	struct program *p = find_program(w->word[1], out);
	char err[256];

	if (p != NULL && !program_set_warm(p, is_warm(w->word[2]), err,
	    sizeof err))
		cli_fail(out, CLI_CANT, "%s", err);
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

	static const char *const temps[] = {
		[PROGRAM_COLD] = "cold",
		[PROGRAM_WARM] = "warm",
		[PROGRAM_BUSY] = "busy",
	};

	cli_out(priv, "%s %llu %s %s\n", i->name,
	    (unsigned long long)i->refs, names[i->state], temps[i->temp]);
}

static enum worker_next
cmd_vcl_refs(const struct cli_words *w, struct cli_answer *out)
{
	(void)w;
	program_reap();
	program_list(print_refs, out);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_why(const struct cli_words *w, struct cli_answer *out)
{
	bool json = takes_json(w);
	unsigned first = json ? 2 : 1;
	struct explanation e;

	if (w->n <= first) {
		cli_fail(out, CLI_TOO_FEW, "Too few parameters");
		return WORKER_GOES_ON;
	}
	if (explain(w->word[first], w->word + first + 1, w->n - first - 1,
	    json, &e) != 0) {
		cli_fail(out, CLI_PARAM, "%s", e.err);
		return WORKER_GOES_ON;
	}
	if (json) {
		cli_json_begin(out, w->n, w->word);
		cli_out(out, ",\n");
	}
	cli_out_str(out, str_from_z(e.text));
	if (json)
		cli_json_end(out);
	free(e.text);
	return WORKER_GOES_ON;
}

/* --- invalidation -------------------------------------------------------- */

/* The words back to an expression: an argument with blanks gets quotes. */
static char *
ban_text(char *const *word, unsigned n)
{
	size_t len = 1;
	char *text, *p;

	for (unsigned i = 0; i < n; i++)
		len += 2 * strlen(word[i]) + 3;
	p = text = malloc(len);
	if (text == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			*p++ = ' ';
		p = ban_expr_put(p, str_from_z(word[i]));
	}
	*p = '\0';
	return text;
}

/* What a command that invalidates answers, as JSON. */
static void
tell_invalidated(const struct cli_words *w, struct cli_answer *out,
    const struct sample *dry, const struct purged *done)
{
	cli_json_begin(out, w->n, w->word);
	cli_out(out, ",\n  {\"dry\": %s, \"objects\": %u, "
	    "\"position\": %llu", dry != NULL ? "true" : "false",
	    done->objects, (unsigned long long)done->seq);
	if (dry != NULL) {
		cli_out(out, ", \"sample\": [");
		sample_tell(dry, out, true);
		cli_out(out, "], \"only_on_disk\": %u, \"partial\": %s",
		    dry->on_disk, dry->is_partial ? "true" : "false");
	}
	cli_out(out, "}\n");
	cli_json_end(out);
}

/* Behind the number of all, and what becomes of them. */
static void
tell_where(const struct sample *s, struct cli_answer *out)
{
	if (s->on_disk > 0)
		cli_out(out, ", %u of them only on disk", s->on_disk);
	if (s->is_partial)
		cli_out(out, "; there are too many on disk to look at each");
	sample_tell(s, out, false);
}

static enum worker_next
cmd_ban(const struct cli_words *w, struct cli_answer *out)
{
	char err[BAN_ERR_LEN] = "";
	bool json = false, dry = false;
	struct purged done = {0};
	struct sample sample = {0};
	unsigned i = 1;
	char *text;

	for (; i < w->n && w->word[i][0] == '-'; i++) {
		json |= !strcmp(w->word[i], "-j");
		dry |= !strcmp(w->word[i], "-n");
		if (strcmp(w->word[i], "-j") != 0 &&
		    strcmp(w->word[i], "-n") != 0)
			break; /* no field either: that will be said */
	}
	text = ban_text(w->word + i, w->n - i);
	if (text == NULL)
		snprintf(err, sizeof err, "Out of memory");
	else if ((dry ? ban_sample(text, &sample, err) :
	    ban_add(str_from_z(text), &done.seq, err)) == 0)
		err[0] = '\0';
	done.objects = sample.objects;
	if (err[0] == '\0' && !dry)
		inval_audit(NULL, "ban", str_from_z(text), &done);
	free(text);
	if (err[0] != '\0')
		cli_fail(out, CLI_PARAM, "%s", err);
	else if (json)
		tell_invalidated(w, out, dry ? &sample : NULL, &done);
	else if (dry) {
		cli_out(out, "At most %u objects would be banned",
		    done.objects);
		tell_where(&sample, out);
	}
	sample_release(&sample);
	return WORKER_GOES_ON;
}

/* What purge was told. */
struct purge_words {
	bool json, dry, soft, tags;
	char *const *word; /* the URL and headers, or tags */
	unsigned n;
};

static bool
purge_words(const struct cli_words *w, struct purge_words *p,
    struct cli_answer *out)
{
	unsigned i = 1;

	*p = (struct purge_words){0};
	for (; i < w->n && w->word[i][0] == '-'; i++) {
		if (!strcmp(w->word[i], "-j"))
			p->json = true;
		else if (!strcmp(w->word[i], "-n"))
			p->dry = true;
		else if (!strcmp(w->word[i], "-soft"))
			p->soft = true;
		else if (!strcmp(w->word[i], "-tag"))
			p->tags = true;
		else {
			cli_fail(out, CLI_PARAM, "Invalid argument: %s",
			    w->word[i]);
			return false;
		}
	}
	p->word = w->word + i;
	p->n = w->n - i;
	if (p->n == 0)
		cli_fail(out, CLI_TOO_FEW, "Too few parameters");
	return p->n > 0;
}

static bool
tag_is_among(struct str tag, const struct purge_words *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct str list = str_from_z(p->word[i]), t;

		while (tags_next(&list, &t))
			if (str_eq(t, tag))
				return true;
	}
	return false;
}

static bool
has_tag(void *priv, struct object *o)
{
	struct str list = o->tags, tag;

	while (tags_next(&list, &tag))
		if (tag_is_among(tag, priv))
			return true;
	return false;
}

/* Each word is a list of tags. */
static bool
purge_tags(struct purge_words *p, struct purged *done, struct sample *sample,
    char err[BAN_ERR_LEN])
{
	if (p->dry) {
		sample_take(sample, has_tag, p);
		done->objects = sample->objects;
		return true;
	}
	for (unsigned i = 0; i < p->n; i++) {
		struct str list = str_from_z(p->word[i]);
		struct purged one = {0};

		if (tags_purge_list(list, p->soft, &one, err) != 0)
			return false;
		done->objects += one.objects;
		if (one.seq != 0)
			done->seq = one.seq;
		inval_audit(NULL, p->soft ? "softtags" : "tags",
		    str_from_z(p->word[i]), &one);
	}
	return true;
}

static bool
has_hash(void *hash, struct object *o)
{
	return memcmp(o->hash, hash, STORE_HASH_LEN) == 0;
}

static bool
purge_url(const struct purge_words *p, struct purged *done,
    struct explanation *e, struct sample *sample, char err[BAN_ERR_LEN])
{
	/* ttl only: grace and keep go on */
	static const struct inval_limits soft = {0, -1, -1};

	if (explain(p->word[0], p->word + 1, p->n - 1, false, e) != 0) {
		snprintf(err, BAN_ERR_LEN, "%s", e->err);
		return false;
	}
	if (!e->has_key) {
		snprintf(err, BAN_ERR_LEN, "VCL makes no key for this URL");
		return false;
	}
	done->objects = e->objects;
	if (p->dry) {
		/* the text says it in words */
		if (p->json)
			sample_take_memory(sample, has_hash, e->hash);
		return true;
	}
	if (invalidate_url(e->hash, &e->family, p->soft ? &soft : NULL, done,
	    err) != 0)
		return false;
	inval_audit(NULL, p->soft ? "softpurge" : "purge",
	    str_from_z(p->word[0]), done);
	return true;
}

static enum worker_next
cmd_purge(const struct cli_words *w, struct cli_answer *out)
{
	struct explanation e = {.text = NULL};
	struct purged done = {0};
	struct sample sample = {0};
	struct purge_words p;
	char err[BAN_ERR_LEN] = "";
	bool ok;

	if (!purge_words(w, &p, out))
		return WORKER_GOES_ON;
	ok = p.tags ? purge_tags(&p, &done, &sample, err) :
	    purge_url(&p, &done, &e, &sample, err);
	if (!ok) {
		cli_fail(out, CLI_CANT, "%s", err);
	} else if (p.json) {
		tell_invalidated(w, out, p.dry ? &sample : NULL, &done);
	} else {
		cli_out(out, "%u objects%s", done.objects, p.dry ?
		    " would be purged" : p.soft ? " are stale" : " purged");
		if (p.dry && e.text != NULL)
			cli_out(out, "\n%s", e.text);
		tell_where(&sample, out);
	}
	sample_release(&sample);
	free(e.text);
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

/* --- backends and stores ------------------------------------------------- */

static enum worker_next
cmd_backend_list(const struct cli_words *w, struct cli_answer *out)
{
	bool json = false, detail = false;
	const char *pattern = NULL;
	struct printed p;

	for (unsigned i = 1; i < w->n; i++) {
		const char *word = w->word[i];
		size_t n = strlen(word);

		/* "-pj" is both */
		if (n > 1 && word[0] == '-' &&
		    strspn(word + 1, "jp") == n - 1) {
			json |= strchr(word, 'j') != NULL;
			detail |= strchr(word, 'p') != NULL;
		} else if (word[0] == '-' || pattern != NULL) {
			cli_fail(out, CLI_PARAM, "Invalid argument: %s", word);
			return WORKER_GOES_ON;
		} else
			pattern = word;
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

/* By its name as in -s, or as in VCL; NULL: said so. */
static struct stevedore *
find_store(const char *name, struct cli_answer *out)
{
	static const char prefix[] = "storage.";
	struct stevedore *stv = stevedore_by_name(str_from_z(name));

	if (stv == NULL && !strncmp(name, prefix, sizeof prefix - 1))
		stv = stevedore_by_name(
		    str_from_z(name + sizeof prefix - 1));
	if (stv == NULL)
		cli_fail(out, CLI_PARAM, "No storage named %s", name);
	return stv;
}

static enum worker_next
cmd_storage_drop(const struct cli_words *w, struct cli_answer *out)
{
	struct stevedore *stv = find_store(w->word[1], out);
	char err[STORE_ERR_LEN];
	uint64_t objects;

	if (stv == NULL)
		return WORKER_GOES_ON;
	if (stevedore_empty(stv, &objects, err) != 0)
		cli_fail(out, CLI_CANT, "Store %s: %s", stv->name, err);
	else
		cli_out(out, "%llu objects dropped",
		    (unsigned long long)objects);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_storage_verify(const struct cli_words *w, struct cli_answer *out)
{
	struct stevedore *stv = find_store(w->word[1], out);

	if (stv == NULL)
		return WORKER_GOES_ON;
	if (stv->store == NULL)
		cli_fail(out, CLI_PARAM, "Store %s has nothing on disk",
		    stv->name);
	else if (!store_verify_start(stv->store))
		cli_fail(out, CLI_CANT, "Store %s is being verified already, "
		    "or there is no thread for it", stv->name);
	return WORKER_GOES_ON;
}

static enum worker_next
cmd_debug_store_fault(const struct cli_words *w, struct cli_answer *out)
{
	if (!store_fault(w->word[1], w->word[2]))
		cli_fail(out, CLI_PARAM, "No operation %s or no error %s",
		    w->word[1], w->word[2]);
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

/* as WHO COMMAND...: the records of what it invalidates name who. */
static enum worker_next
cmd_as(const struct cli_words *w, struct cli_answer *out)
{
	struct cli_words command = {.n = w->n - 2, .word = w->word + 2};
	enum worker_next next;

	inval_audit_who(w->word[1]);
	next = worker_command(&command, out);
	inval_audit_who(NULL);
	return next;
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
	{"vcl.label", 2, cmd_vcl_label},
	{"vcl.state", 2, cmd_vcl_state},
	{"vcl.refs", 0, cmd_vcl_refs},
	{"why", 1, cmd_why},
	{"as", 2, cmd_as},
	{"ban", 3, cmd_ban},
	{"ban.list", 0, cmd_ban_list},
	{"purge", 1, cmd_purge},
	{"backend.list", 0, cmd_backend_list},
	{"backend.set_health", 2, cmd_backend_set_health},
	{"storage.drop", 1, cmd_storage_drop},
	{"storage.list", 0, cmd_storage_list},
	{"storage.verify", 1, cmd_storage_verify},
	{"debug.store_fault", 2, cmd_debug_store_fault},
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
