/*
 * vclload.c - VCL programs that are being loaded: see vclload.h.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "compile.h"
#include "params.h"
#include "vclload.h"
#include "vclprog.h"

/* A bomb (compile.c) must not keep others from loading a program. */
enum { AT_A_TIME = 2 };

struct load {
	struct compile compile; /* first: found from it */
	TAILQ_ENTRY(load) list;
	char *name, *path, *text, *state; /* path or text; state may be NULL */
	bool running;
	vclload_done *done; /* NULL: nobody asks any more */
	void *priv;
};

static TAILQ_HEAD(, load) loads = TAILQ_HEAD_INITIALIZER(loads);
static unsigned load_n, running_n;

static void
free_load(struct load *l)
{
	TAILQ_REMOVE(&loads, l, list);
	load_n--;
	cli_answer_free(&l->compile.said);
	free(l->name);
	free(l->path);
	free(l->text);
	free(l->state);
	free(l);
}

/* z NULL: *copy too; false: no memory */
static bool
copy(char **copy, const char *z)
{
	*copy = z == NULL ? NULL : strdup(z);
	return z == NULL || *copy != NULL;
}

/* NULL: out has the refusal. */
static struct load *
new_load(const char *name, const char *path, struct str text, const char *state,
    struct cli_answer *out)
{
	struct load *l;

	if (!vclprog_may_add(name, state, load_n, out))
		return NULL;
	TAILQ_FOREACH(l, &loads, list)
	{
		if (strcmp(l->name, name))
			continue;
		cli_fail(out, CLI_PARAM, "Already a VCL named %s", name);
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		cli_fail(out, CLI_CANT, "Out of memory\n");
		return NULL;
	}
	cli_answer_init(&l->compile.said);
	TAILQ_INSERT_TAIL(&loads, l, list);
	load_n++;
	if (!copy(&l->name, name) || !copy(&l->path, path) ||
	    !copy(&l->text, text.p) || !copy(&l->state, state)) {
		free_load(l);
		cli_fail(out, CLI_CANT, "Out of memory\n");
		return NULL;
	}
	return l;
}

static bool
begin(struct load *l)
{
	l->running = true;
	running_n++;
	return compile_begin(
	    &l->compile, l->name, l->path, str_from_z(l->text));
}

/* What is to be done when it was compiled, or not. */
static void
end(struct load *l, bool ok, struct cli_answer *out)
{
	running_n--;
	cli_out_str(out, str_of(l->compile.said.p, l->compile.said.len));
	if (ok)
		vclprog_add(l->name, l->compile.dir, l->state, out);
	else
		out->status = CLI_PARAM;
}

static void begin_some(void);

static void
on_done(struct compile *c, bool ok)
{
	struct load *l = (struct load *)c;
	struct cli_answer out;
	vclload_done *done = l->done;
	void *priv = l->priv;

	cli_answer_init(&out);
	end(l, ok, &out);
	free_load(l);
	/* its session may go on with another load */
	if (done != NULL)
		done(priv, &out);
	cli_answer_free(&out);
	begin_some();
}

static void
begin_some(void)
{
	struct load *l;

again:
	TAILQ_FOREACH(l, &loads, list)
	{
		if (running_n >= AT_A_TIME)
			return;
		if (l->running)
			continue;
		if (begin(l))
			continue;
		on_done(&l->compile, false);
		goto again;
	}
}

bool
vclload_begin(const char *name, const char *path, struct str text,
    const char *state, vclload_done *done, void *priv, struct cli_answer *out)
{
	struct load *l = new_load(name, path, text, state, out);

	if (l == NULL)
		return false;
	l->compile.done = on_done;
	if (running_n < AT_A_TIME && !begin(l)) {
		end(l, false, out);
		free_load(l);
		return false;
	}
	l->done = done;
	l->priv = priv;
	return true;
}

void
vclload_now(const char *name, const char *path, struct str text,
    const char *state, struct cli_answer *out)
{
	struct load *l = new_load(name, path, text, state, out);

	if (l == NULL)
		return;
	end(l, begin(l) && compile_wait(&l->compile), out);
	free_load(l);
}

void
vclload_forget(const void *priv)
{
	struct load *l;

	TAILQ_FOREACH(l, &loads, list)
	{
		if (l->priv == priv)
			l->done = NULL;
	}
}

void
vclload_cancel(void)
{
	struct load *l;

	while ((l = TAILQ_FIRST(&loads)) != NULL) {
		if (l->running)
			compile_cancel(&l->compile);
		free_load(l);
	}
}
