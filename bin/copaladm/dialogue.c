/*
 * dialogue.c - commands typed by a person, or piped in: see dialogue.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <histedit.h>

#include "cli_cmds.h"
#include "dialogue.h"
#include "link.h"

enum { HISTORY_MAX = 200, HISTORY_PATH_MAX = 1024 };

static int link_fd;
static int link_timeout_ms;

/* ---------------------------------------------------------- one command */

static void
print_answer(const struct cli_answer *a, bool with_status)
{
	if (with_status)
		printf("%u\n", a->status);
	fwrite(a->p, 1, a->len, stdout);
	if (a->len > 0 && a->p[a->len - 1] != '\n')
		putchar('\n');
	fflush(stdout);
}

/* false: the connection is over. */
static bool
run(struct cli_words *w, bool with_status, int *code)
{
	struct cli_answer a;
	char err[LINK_ERR_MAX];
	bool goes_on;

	if (w->error != NULL) {
		fprintf(stderr, "copaladm: %s\n", w->error);
		*code = 1;
		return true;
	}
	if (w->n == 0)
		return true;
	if (!link_ask(link_fd, w->n, w->word, link_timeout_ms, &a, err)) {
		fprintf(stderr, "copaladm: %s\n", err);
		*code = 1;
		cli_answer_free(&a);
		return false;
	}
	print_answer(&a, with_status);
	goes_on = a.status != CLI_CLOSE;
	if (a.status != CLI_OK && goes_on)
		*code = 1;
	cli_answer_free(&a);
	return goes_on;
}

static int
run_pipe(void)
{
	struct cli_input in;
	struct cli_words w;
	char buf[4096];
	int code = 0;
	ssize_t n;

	cli_input_init(&in, CLI_COMMAND_MAX);
	while ((n = read(0, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !cli_input_add(&in, buf, (size_t)n)) {
			fprintf(stderr, "copaladm: %s\n",
			    n < 0 ? strerror(errno) : "a command is too long");
			cli_input_free(&in);
			return 1;
		}
		while (cli_input_next(&in, &w)) {
			bool goes_on = run(&w, false, &code);

			cli_words_free(&w);
			if (!goes_on)
				goto out;
		}
	}
	/* the last line may lack its newline */
	if (in.len > 0 && cli_input_add(&in, "\n", 1)) {
		if (cli_input_next(&in, &w)) {
			(void)run(&w, false, &code);
			cli_words_free(&w);
		} else {
			fprintf(stderr,
			    "copaladm: the input ends within a command\n");
			code = 1;
		}
	}
out:
	cli_input_free(&in);
	return code;
}

/* ----------------------------------------------------------- completion */

/* The answer of a command, for completion; NULL: it failed. */
static char *
ask_quietly(const char *command)
{
	char name[32], *word[] = {name, NULL};
	struct cli_answer a;
	char err[LINK_ERR_MAX];

	snprintf(name, sizeof(name), "%s", command);
	if (!link_ask(link_fd, 1, word, link_timeout_ms, &a, err) ||
	    a.status != CLI_OK) {
		cli_answer_free(&a);
		return NULL;
	}
	return a.p;
}

struct matches {
	const char *start;
	size_t len;    /* of what was typed */
	size_t common; /* bytes that all matches share */
	char first[128];
	unsigned n;
};

static void
match(struct matches *m, const char *word, size_t len)
{
	size_t i = 0;

	if (len < m->len || len >= sizeof(m->first) ||
	    memcmp(word, m->start, m->len))
		return;
	if (m->n++ == 0) {
		memcpy(m->first, word, len);
		m->first[len] = '\0';
		m->common = len;
		return;
	}
	while (i < m->common && i < len && m->first[i] == word[i])
		i++;
	m->common = i;
}

/* Names at the start (or the end) of the lines of text. */
static void
each_line(char *text, bool last_word, void (*fn)(void *, const char *, size_t),
    void *priv)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *name = line;

		if (last_word && strrchr(line, ' ') != NULL)
			name = strrchr(line, ' ') + 1;
		name[strcspn(name, " ")] = '\0';
		if (name[0] != '\0')
			fn(priv, name, strlen(name));
	}
}

static void
match_line(void *priv, const char *word, size_t len)
{
	match(priv, word, len);
}

static void
print_line(void *priv, const char *word, size_t len)
{
	const struct matches *m = priv;

	if (len >= m->len && !memcmp(word, m->start, m->len))
		printf("%s\n", word);
}

/* What may stand at the place: commands, or names of what is there. */
static void
each_candidate(const char *line, size_t word_at,
    void (*fn)(void *, const char *, size_t), void *priv)
{
	char *text = NULL;
	bool help = !strncmp(line, "help ", 5);

	if (word_at == 0 || help) {
		for (unsigned i = 0; i < CLI_CMD_MAX; i++) {
			const char *name = cli_cmds[i].name;

			if (!cli_cmd_is_hidden(&cli_cmds[i]))
				fn(priv, name, strlen(name));
		}
	} else if (!strncmp(line, "param.", 6)) {
		text = ask_quietly("param.show");
		if (text != NULL)
			each_line(text, false, fn, priv);
	} else if (!strncmp(line, "vcl.", 4)) {
		text = ask_quietly("vcl.list");
		if (text != NULL)
			each_line(text, true, fn, priv);
	} else if (!strncmp(line, "backend.", 8)) {
		text = ask_quietly("backend.list");
		if (text != NULL)
			each_line(text, false, fn, priv);
	}
	free(text);
}

static unsigned char
complete(EditLine *el, int ch)
{
	const LineInfo *li = el_line(el);
	struct matches m = {0};
	const char *start = li->cursor;
	char line[512], rest[130];
	size_t len = (size_t)(li->cursor - li->buffer);

	(void)ch;
	if (len >= sizeof(line))
		return CC_ERROR;
	memcpy(line, li->buffer, len);
	line[len] = '\0';
	while (start > li->buffer && start[-1] != ' ')
		start--;
	m.start = line + (start - li->buffer);
	m.len = (size_t)(li->cursor - start);
	each_candidate(line, (size_t)(start - li->buffer), match_line, &m);
	if (m.n == 0)
		return CC_ERROR;
	if (m.n > 1 && m.common == m.len) {
		putchar('\n');
		each_candidate(
		    line, (size_t)(start - li->buffer), print_line, &m);
		fflush(stdout);
		return CC_REDISPLAY;
	}
	snprintf(rest, sizeof(rest), "%.*s%s", (int)(m.common - m.len),
	    m.first + m.len, m.n == 1 ? " " : "");
	return el_insertstr(el, rest) < 0 ? CC_ERROR : CC_REFRESH;
}

/* ------------------------------------------------------------- terminal */

static char *
prompt(EditLine *el)
{
	static char text[] = "copal> ";

	(void)el;
	return text;
}

static bool
history_path(char out[HISTORY_PATH_MAX])
{
	const char *home = getenv("HOME");
	int n;

	if (home == NULL || home[0] == '\0')
		return false;
	n = snprintf(out, HISTORY_PATH_MAX, "%s/.copaladm_history", home);
	return n > 0 && n < HISTORY_PATH_MAX;
}

static int
run_terminal(void)
{
	char path[HISTORY_PATH_MAX];
	bool keeps = history_path(path), goes_on = true;
	EditLine *el = el_init("copaladm", stdin, stdout, stderr);
	History *h = history_init();
	HistEvent ev;
	struct cli_input in;
	struct cli_words w;
	const char *line;
	int n, code = 0;

	if (el == NULL || h == NULL) {
		fprintf(stderr, "copaladm: the terminal cannot be used\n");
		return 1;
	}
	history(h, &ev, H_SETSIZE, HISTORY_MAX);
	history(h, &ev, H_SETUNIQUE, 1);
	if (keeps)
		history(h, &ev, H_LOAD, path);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_HIST, history, h);
	el_set(el, EL_ADDFN, "complete", "complete a word", complete);
	el_set(el, EL_BIND, "^I", "complete", NULL);
	el_source(el, NULL);
	cli_input_init(&in, CLI_COMMAND_MAX);
	while (goes_on && (line = el_gets(el, &n)) != NULL && n > 0) {
		if (line[strspn(line, " \t\n")] != '\0')
			history(h, &ev, H_ENTER, line);
		if (!cli_input_add(&in, line, (size_t)n)) {
			fprintf(stderr, "copaladm: a command is too long\n");
			cli_input_free(&in);
			continue;
		}
		while (goes_on && cli_input_next(&in, &w)) {
			/* a person has seen what failed before */
			code = 0;
			goes_on = run(&w, true, &code);
			cli_words_free(&w);
		}
	}
	if (goes_on)
		putchar('\n');
	if (keeps)
		history(h, &ev, H_SAVE, path);
	cli_input_free(&in);
	history_end(h);
	el_end(el);
	return goes_on ? 0 : code;
}

int
dialogue_run(int fd, const struct cli_answer *banner, int timeout_ms)
{
	link_fd = fd;
	link_timeout_ms = timeout_ms;
	if (!isatty(0))
		return run_pipe();
	print_answer(banner, true);
	return run_terminal();
}
