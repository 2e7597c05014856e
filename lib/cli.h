/*
 * cli.h - the administrator's protocol: commands in, answers out.
 *
 * It is Varnish's, varnish-cli(7), so that its tools and plug-ins work.
 * A command is a line of words:
 *
 *      vcl.load main /etc/copal/main.vcl
 *      ban req.url ~ "\\.png$"           C escapes between double quotes
 *      vcl.inline main << END            the lines up to END are the last word
 *      vcl 4.1; ...
 *      END
 *
 * An answer is a line of exactly CLI_HEAD_LEN bytes, then as many bytes of
 * text as it says, then a newline:
 *
 *      200 21      \n
 *      PONG 1795462850 1.0\n             (the text; here with its length)
 *
 * Used by the manager (server), by the worker (server of the manager) and by
 * copaladm (client).  Nothing here knows a command: see cli_cmds.h.
 */
#ifndef COPAL_CLI_H
#define COPAL_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

enum cli_status {
	CLI_SYNTAX = 100,  /* words could not be told apart */
	CLI_UNKNOWN = 101, /* no such command */
	CLI_UNIMPL = 102,
	CLI_TOO_FEW = 104,
	CLI_TOO_MANY = 105,
	CLI_PARAM = 106, /* an argument is wrong */
	CLI_AUTH = 107,  /* the text is a challenge */
	CLI_OK = 200,
	CLI_TRUNCATED = 201, /* there was no memory for the whole answer */
	CLI_CANT = 300,      /* not in this state */
	CLI_COMMS = 400,     /* the worker did not answer */
	CLI_CLOSE = 500,     /* good bye */
};

enum {
	CLI_HEAD_LEN = 13,
	CLI_WORDS_MAX = 512,
	/* A command and its << text: VCL, at most. */
	CLI_COMMAND_MAX = 4 << 20,
	/* Enough to authenticate with. */
	CLI_COMMAND_MAX_UNAUTH = 4096,
	/* eight digits in the head */
	CLI_ANSWER_MAX = 99999999,
};

/* --- words --------------------------------------------------------------- */

struct cli_words {
	unsigned n;
	char **word;       /* n NUL-terminated strings, then NULL */
	const char *error; /* static text; NULL: the words are good */
};

/*
 * Splits a line (without its newline).  Between quotes \n \r \t \" \\,
 * \ooo and \xHH stand for a byte; NUL bytes are refused.  Always to be freed.
 */
void cli_words_parse(struct str line, struct cli_words *);
void cli_words_free(struct cli_words *);
/* Words as a line with its newline, quoted where needed; NULL: no memory. */
char *cli_words_join(unsigned n, char *const *word);

/* --- commands from a stream ---------------------------------------------- */

struct cli_input {
	char *p;
	size_t len, cap;
	size_t max; /* of a command; may be changed between commands */
};

void cli_input_init(struct cli_input *, size_t max);
void cli_input_free(struct cli_input *);
/* Adds what was received; false: no memory, or a command is over max. */
bool cli_input_add(struct cli_input *, const void *, size_t);
/* Takes the next whole command; false: it has not come yet. */
bool cli_input_next(struct cli_input *, struct cli_words *);

/* --- answers ------------------------------------------------------------- */

struct cli_answer {
	unsigned status;
	char *p; /* NUL-terminated; NULL: empty */
	size_t len, cap;
};

void cli_answer_init(struct cli_answer *); /* CLI_OK, empty */
void cli_answer_free(struct cli_answer *);
/* Appends; without memory the status becomes CLI_TRUNCATED. */
void cli_out(struct cli_answer *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void cli_out_str(struct cli_answer *, struct str);
/* Sets the status and appends. */
void cli_fail(struct cli_answer *, enum cli_status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * JSON answers are arrays: [ 2, ["command", "-j"], time, item, ... ] and a
 * newline.  begin writes up to the time; the caller writes ",\n" before each
 * item; end closes.
 */
void cli_json_begin(struct cli_answer *, unsigned n, char *const *word);
void cli_json_end(struct cli_answer *);
/* As a JSON string; bytes that are not UTF-8 become U+FFFD. */
void cli_json_str(struct cli_answer *, struct str);

/* The head line of an answer; out is NUL-terminated. */
void cli_head(char out[CLI_HEAD_LEN + 1], unsigned status, size_t len);

/* --- blocking use of a socket -------------------------------------------- */

/*
 * Sends everything; 0, or -1 with errno, ETIMEDOUT after timeout_ms.  No
 * SIGPIPE if fd is a socket.  timeout_ms < 0: none.
 */
int cli_send(int fd, const void *, size_t, int timeout_ms);
int cli_send_answer(int fd, const struct cli_answer *, int timeout_ms);
/*
 * Receives one answer (initialised by this function, to be freed in
 * any case); 0, or -1 with errno: ETIMEDOUT, ECONNRESET (closed), EPROTO.
 */
int cli_receive(int fd, struct cli_answer *, int timeout_ms);

#endif
