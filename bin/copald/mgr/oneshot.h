/*
 * oneshot.h - a function in a child process with limits.
 *
 * What may take long, use much memory or crash (the VCL compiler, the C
 * compiler, the trial load of a program) runs there, with the rights of
 * jail.h, at a low priority, as the first that the kernel kills when memory
 * is short, and without a network: it can't make a socket.
 */
#ifndef COPAL_ONESHOT_H
#define COPAL_ONESHOT_H

#include "cli.h"

struct oneshot {
	const char *name;      /* for messages: "VCC-compiler" */
	int (*fn)(void *priv); /* in the child; its exit code */
	void *priv;
	unsigned seconds; /* until it is killed, and of CPU */
	size_t memory;    /* bytes of address space; 0: no limit */
	/*
	 * If the child may ask for something: its end of a SOCK_SEQPACKET is
	 * put into *ask_fd, and serve is called here when a request has come.
	 */
	int *ask_fd;
	void (*serve)(int fd);
};

/*
 * Runs it and waits.  What it writes to stdout and stderr is appended to out,
 * headed by "Message from <name>:" and, unless it exits with 0, followed by a
 * line that says how it ended.  Was it 0?
 */
bool oneshot_run(const struct oneshot *, struct cli_answer *out);

#endif
