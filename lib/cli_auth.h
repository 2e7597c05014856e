/*
 * cli_auth.h - the proof that a client of the CLI knows the secret.
 *
 * The server's challenge is CLI_CHALLENGE_LEN bytes, the last one a newline;
 * the answer is the SHA-256, in hexadecimal, of challenge, secret, challenge.
 * As varnish-cli(7) has it.
 */
#ifndef COPAL_CLI_AUTH_H
#define COPAL_CLI_AUTH_H

#include <stdbool.h>

#include "str.h"

enum {
	CLI_CHALLENGE_LEN = 33,
	CLI_RESPONSE_LEN = 64,
	CLI_SECRET_MAX = 4096, /* bytes of the secret file that count */
};

/* Random letters, the newline and a NUL; false: no randomness (errno). */
bool cli_auth_challenge(char out[CLI_CHALLENGE_LEN + 1]);
/* NUL-terminated; challenge: at least CLI_CHALLENGE_LEN bytes. */
bool cli_auth_response(
    const char *challenge, struct str secret, char out[CLI_RESPONSE_LEN + 1]);
/* Compares without telling by its time where they differ. */
bool cli_auth_is_equal(const char *a, const char *b);
/*
 * Reads a secret file into buf; its bytes, or STR_NULL with errno (EINVAL:
 * it is empty).
 */
struct str cli_auth_read(const char *path, char buf[CLI_SECRET_MAX]);

#endif
