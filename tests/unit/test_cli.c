/*
 * test_cli.c - words, commands from a stream, answers, the proof of the
 * secret.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "cli.h"
#include "cli_auth.h"
#include "cli_cmds.h"

/* The words of line, joined by "|"; "!error" if they are wrong. */
static const char *
words_of(const char *line)
{
	static char out[512];
	struct cli_words w;
	char *p = out;

	cli_words_parse(str_from_z(line), &w);
	out[0] = '\0';
	if (w.error != NULL)
		snprintf(out, sizeof(out), "!%s", w.error);
	for (unsigned i = 0; w.error == NULL && i < w.n; i++)
		p += snprintf(p, sizeof(out) - (size_t)(p - out), "%s%s",
		    i > 0 ? "|" : "", w.word[i]);
	cli_words_free(&w);
	return out;
}

static void
test_words(void)
{
	CU_ASSERT_STRING_EQUAL(words_of(""), "");
	CU_ASSERT_STRING_EQUAL(words_of("  \t "), "");
	CU_ASSERT_STRING_EQUAL(words_of("ping"), "ping");
	CU_ASSERT_STRING_EQUAL(words_of("  a  bc\td "), "a|bc|d");
	CU_ASSERT_STRING_EQUAL(words_of("a \"b c\" d"), "a|b c|d");
	CU_ASSERT_STRING_EQUAL(words_of("\"\" x"), "|x");
	CU_ASSERT_STRING_EQUAL(words_of("\"\\n\\t\\r\\\"\\\\\""), "\n\t\r\"\\");
	CU_ASSERT_STRING_EQUAL(words_of("\"\\101\\x42\""), "AB");
	CU_ASSERT_STRING_EQUAL(
	    words_of("ban req.url ~ \"\\\\.png$\""), "ban|req.url|~|\\.png$");
	/* outside of quotes a backslash is one */
	CU_ASSERT_STRING_EQUAL(words_of("a\\.b"), "a\\.b");
}

static void
test_wrong_words(void)
{
	CU_ASSERT_STRING_EQUAL(words_of("\"abc"), "!Missing '\"'");
	CU_ASSERT_STRING_EQUAL(
	    words_of("\"abc\"d"), "!Incorrectly quoted string");
	CU_ASSERT_STRING_EQUAL(
	    words_of("ab\"c\""), "!Incorrectly quoted string");
	CU_ASSERT_STRING_EQUAL(
	    words_of("\"\\q\""), "!Invalid backslash sequence");
	CU_ASSERT_STRING_EQUAL(
	    words_of("\"\\x4\""), "!Invalid backslash sequence");
	CU_ASSERT_STRING_EQUAL(
	    words_of("\"\\000\""), "!Invalid backslash sequence");
	CU_ASSERT_STRING_EQUAL(
	    words_of("\"\\777\""), "!Invalid backslash sequence");
	CU_ASSERT_STRING_EQUAL(words_of("\"\\"), "!Invalid backslash sequence");
}

static void
test_too_many_words(void)
{
	char line[2 * CLI_WORDS_MAX + 8];
	struct cli_words w;

	for (unsigned i = 0; i < sizeof(line); i++)
		line[i] = i % 2 ? ' ' : 'x';
	cli_words_parse(str_of(line, 2 * CLI_WORDS_MAX), &w);
	CU_ASSERT_PTR_NULL(w.error);
	CU_ASSERT_EQUAL(w.n, CLI_WORDS_MAX);
	cli_words_free(&w);
	cli_words_parse(str_of(line, 2 * CLI_WORDS_MAX + 1), &w);
	CU_ASSERT_PTR_NOT_NULL(w.error);
	cli_words_free(&w);
	cli_words_parse(str_of("a\0b", 3), &w);
	CU_ASSERT_PTR_NOT_NULL(w.error);
	cli_words_free(&w);
}

/* Whatever words are, they come out as they went in. */
static void
test_join(void)
{
	char all[256];
	char *word[] = {
	    "", "a", "b c", "\"", "\\", "<<", all, "\xff\xfe", "x\ny"};
	enum { N = sizeof(word) / sizeof(word[0]) };
	struct cli_words w;
	char *line;

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	line = cli_words_join(N, word);
	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	CU_ASSERT_EQUAL(strchr(line, '\n') - line, (long)strlen(line) - 1);
	cli_words_parse(str_of(line, strlen(line) - 1), &w);
	CU_ASSERT_PTR_NULL(w.error);
	CU_ASSERT_EQUAL_FATAL(w.n, N);
	for (unsigned i = 0; i < N; i++)
		CU_ASSERT_STRING_EQUAL(w.word[i], word[i]);
	cli_words_free(&w);
	free(line);
}

/* Byte by byte, as a slow client may send. */
static void
test_input(void)
{
	static const char text[] = "ping\r\n\nvcl.inline x << E\nvcl 4.1;\n"
				   " E\nEx\nE\nvcl.inline y \"<<\" E\nquit\n";
	struct cli_input in;
	struct cli_words w[6];
	unsigned n = 0;

	cli_input_init(&in, 1000);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		CU_ASSERT_TRUE(cli_input_add(&in, &text[i], 1));
		while (n < 6 && cli_input_next(&in, &w[n]))
			n++;
	}
	CU_ASSERT_EQUAL_FATAL(n, 5);
	CU_ASSERT_EQUAL(w[0].n, 1);
	CU_ASSERT_STRING_EQUAL(w[0].word[0], "ping");
	CU_ASSERT_EQUAL(w[1].n, 0);
	CU_ASSERT_EQUAL_FATAL(w[2].n, 3);
	CU_ASSERT_STRING_EQUAL(w[2].word[1], "x");
	CU_ASSERT_STRING_EQUAL(w[2].word[2], "vcl 4.1;\n E\nEx\n");
	/* quoted, it is a word like any other */
	CU_ASSERT_EQUAL_FATAL(w[3].n, 4);
	CU_ASSERT_STRING_EQUAL(w[3].word[2], "<<");
	CU_ASSERT_STRING_EQUAL(w[4].word[0], "quit");
	CU_ASSERT_EQUAL(in.len, 0);
	for (unsigned i = 0; i < n; i++)
		cli_words_free(&w[i]);
	cli_input_free(&in);
}

static void
test_input_bound(void)
{
	struct cli_input in;
	struct cli_words w;

	cli_input_init(&in, 10);
	CU_ASSERT_TRUE(cli_input_add(&in, "0123456789", 10));
	CU_ASSERT_FALSE(cli_input_next(&in, &w));
	CU_ASSERT_FALSE(cli_input_add(&in, "x", 1));
	cli_input_free(&in);
	CU_ASSERT_TRUE(cli_input_add(&in, "a\nb", 3));
	CU_ASSERT_TRUE(cli_input_next(&in, &w));
	cli_words_free(&w);
	CU_ASSERT_EQUAL(in.len, 1);
	cli_input_free(&in);
}

static void
test_answer(void)
{
	int fd[2];
	struct cli_answer a, b;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	cli_answer_init(&a);
	cli_fail(&a, CLI_PARAM, "no %s\n", "such");
	cli_out_str(&a, STR("x\0y"));
	CU_ASSERT_EQUAL(cli_send_answer(fd[0], &a, 1000), 0);
	CU_ASSERT_EQUAL(cli_receive(fd[1], &b, 1000), 0);
	CU_ASSERT_EQUAL(b.status, CLI_PARAM);
	CU_ASSERT_EQUAL_FATAL(b.len, 11);
	CU_ASSERT_EQUAL(memcmp(b.p, "no such\nx\0y", 12), 0);
	cli_answer_free(&a);
	cli_answer_free(&b);
	/* an empty one */
	cli_answer_init(&a);
	CU_ASSERT_EQUAL(cli_send_answer(fd[0], &a, 1000), 0);
	CU_ASSERT_EQUAL(cli_receive(fd[1], &b, 1000), 0);
	CU_ASSERT_EQUAL(b.status, CLI_OK);
	CU_ASSERT_EQUAL(b.len, 0);
	cli_answer_free(&b);
	close(fd[0]);
	close(fd[1]);
}

static void
check_received(const char *bytes, int expected_errno)
{
	int fd[2];
	struct cli_answer a;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	CU_ASSERT_EQUAL(cli_send(fd[0], bytes, strlen(bytes), 1000), 0);
	if (expected_errno != ETIMEDOUT)
		close(fd[0]);
	errno = 0;
	CU_ASSERT_EQUAL(cli_receive(fd[1], &a, 20), -1);
	CU_ASSERT_EQUAL(errno, expected_errno);
	CU_ASSERT_EQUAL(a.status, CLI_COMMS);
	cli_answer_free(&a);
	if (expected_errno == ETIMEDOUT)
		close(fd[0]);
	close(fd[1]);
}

static void
test_wrong_answers(void)
{
	check_received("", ECONNRESET);
	check_received("200 3", ECONNRESET);
	check_received("200 3       \nab", ECONNRESET);
	check_received("200 3       \nabcX", EPROTO);
	check_received("hello, world\n", EPROTO);
	check_received("200 -1      \n\n", EPROTO);
	check_received("200 3       x", EPROTO);
	check_received("", ETIMEDOUT);
	check_received("200 3       \na", ETIMEDOUT);
}

static void
test_head(void)
{
	char head[CLI_HEAD_LEN + 1];

	cli_head(head, 200, 239);
	CU_ASSERT_STRING_EQUAL(head, "200 239     \n");
	cli_head(head, 107, CLI_ANSWER_MAX);
	CU_ASSERT_STRING_EQUAL(head, "107 99999999\n");
}

static void
test_json(void)
{
	char *word[] = {"ping", "-j"};
	struct cli_answer a;

	cli_answer_init(&a);
	cli_json_str(&a, STR("a\"\\\n\t\x01\xc3\xa9\xff\xc0\x80\xed\xa0\x80"));
	CU_ASSERT_STRING_EQUAL(a.p, "\"a\\\"\\\\\\n\\t\\u0001\xc3\xa9"
				    "\\u00ff\\u00c0\\u0080"
				    "\\u00ed\\u00a0\\u0080\"");
	cli_answer_free(&a);
	cli_json_begin(&a, 2, word);
	CU_ASSERT_EQUAL(strncmp(a.p, "[ 2, [\"ping\", \"-j\"], 1", 22), 0);
	cli_json_end(&a);
	CU_ASSERT_STRING_EQUAL(a.p + a.len - 3, "\n]\n");
	cli_answer_free(&a);
}

static void
test_auth(void)
{
	/* the example of varnish-cli(7) */
	static const char challenge[] = "ixslvvxrgkjptxmcgnnsdxsvdmvfympg\n";
	char out[CLI_RESPONSE_LEN + 1], random[CLI_CHALLENGE_LEN + 1];
	char upper[CLI_RESPONSE_LEN + 1];

	CU_ASSERT_TRUE(cli_auth_response(challenge, STR("foo\n"), out));
	CU_ASSERT_STRING_EQUAL(out, "455ce847f0073c7ab3b1465f74507b75"
				    "d3dc064c1e7de3b71e00de9092fdc89a");
	CU_ASSERT_TRUE(cli_auth_is_equal(out, out));
	for (int i = 0; i <= CLI_RESPONSE_LEN; i++)
		upper[i] = out[i] >= 'a' ? (char)(out[i] - 32) : out[i];
	CU_ASSERT_TRUE(cli_auth_is_equal(upper, out));
	upper[63] ^= 1;
	CU_ASSERT_FALSE(cli_auth_is_equal(upper, out));
	CU_ASSERT_FALSE(cli_auth_is_equal("", out));
	CU_ASSERT_TRUE(cli_auth_challenge(random));
	CU_ASSERT_EQUAL(strlen(random), CLI_CHALLENGE_LEN);
	CU_ASSERT_EQUAL(random[CLI_CHALLENGE_LEN - 1], '\n');
}

static void
test_table(void)
{
	for (unsigned i = 0; i < CLI_CMD_MAX; i++) {
		const struct cli_cmd *c = &cli_cmds[i];

		CU_ASSERT_PTR_EQUAL(cli_cmd_find(c->name), c);
		CU_ASSERT_TRUE(c->min_args <= c->max_args);
		CU_ASSERT_EQUAL(
		    strncmp(c->syntax, c->name, strlen(c->name)), 0);
		if (i > 0)
			CU_ASSERT_TRUE(
			    strcmp(cli_cmds[i - 1].name, c->name) < 0);
	}
	CU_ASSERT_PTR_NULL(cli_cmd_find("nosuch"));
	CU_ASSERT_TRUE(cli_cmd_has_json(cli_cmd_find("ping")));
	CU_ASSERT_FALSE(cli_cmd_has_json(cli_cmd_find("vcl.use")));
}

void
suite_cli(void)
{
	CU_pSuite s = CU_add_suite("cli", NULL, NULL);

	CU_add_test(s, "words", test_words);
	CU_add_test(s, "wrong words", test_wrong_words);
	CU_add_test(s, "too many words", test_too_many_words);
	CU_add_test(s, "join", test_join);
	CU_add_test(s, "input", test_input);
	CU_add_test(s, "bound of the input", test_input_bound);
	CU_add_test(s, "answer", test_answer);
	CU_add_test(s, "wrong answers", test_wrong_answers);
	CU_add_test(s, "head", test_head);
	CU_add_test(s, "JSON", test_json);
	CU_add_test(s, "auth", test_auth);
	CU_add_test(s, "table of commands", test_table);
}
