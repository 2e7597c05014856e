/*
 * fuzz_cli.c - commands of the CLI from any bytes, in pieces; what was split
 * into words can be joined and split again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool right)
{
	if (!right)
		abort();
}

static void
check_words(const struct cli_words *w)
{
	struct cli_words again;
	char *line;

	if (w->error != NULL)
		return;
	line = cli_words_join(w->n, w->word);
	check(line != NULL);
	cli_words_parse(str_of(line, strlen(line) - 1), &again);
	check(again.error == NULL && again.n == w->n);
	for (unsigned i = 0; i < w->n; i++)
		check(!strcmp(w->word[i], again.word[i]));
	cli_words_free(&again);
	free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* the first byte: how long the pieces are */
	size_t step = size > 0 ? data[0] % 32 + 1 : 1;
	struct cli_answer json;
	struct cli_input in;
	struct cli_words w;

	cli_input_init(&in, 4096);
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		if (!cli_input_add(&in, data + at, n))
			cli_input_free(&in);
		while (cli_input_next(&in, &w)) {
			check_words(&w);
			cli_words_free(&w);
		}
	}
	cli_input_free(&in);
	cli_answer_init(&json);
	cli_json_str(&json, str_of((const char *)data, size));
	check(json.len >= 2 && memchr(json.p, '\n', json.len) == NULL);
	cli_answer_free(&json);
	return 0;
}
