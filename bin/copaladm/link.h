/*
 * link.h - a connection to the CLI of a copald.
 */
#ifndef COPAL_ADM_LINK_H
#define COPAL_ADM_LINK_H

#include <stdbool.h>

#include "cli.h"

enum { LINK_ERR_MAX = 512 };

struct link_to {
	const char *workdir; /* -n; NULL: the default */
	const char *address; /* -T; NULL: the unix socket of workdir */
	const char *secret;  /* -S; NULL: workdir's */
	int timeout_ms;      /* of each step */
};

/*
 * Connects, and authenticates if it is asked to.  banner: what the server
 * says; freed by the caller.  The socket, or -1 with a message in err.
 */
int link_open(
    const struct link_to *, struct cli_answer *banner, char err[LINK_ERR_MAX]);
/* Sends words and receives the answer; false with a message in err. */
bool link_ask(int fd, unsigned n, char *const *word, int timeout_ms,
    struct cli_answer *, char err[LINK_ERR_MAX]);

#endif
