/*
 * state.h - the state folder of a running copald.
 *
 *      <workdir>/          0755
 *          _.lock          held by the manager; its process id
 *          _.secret        0600, for clients of the CLI over TCP
 *          cli.sock        0600, the CLI of this machine
 *          log/            the worker's: log rings, counters
 *          store/          the worker's: the default store
 *          built/          the manager's: see built.h
 *          vcl/            the children's: a folder for each VCL program
 *          vmod/           the children's: modules in files, as they were
 *                          when a program that is loaded was compiled
 */
#ifndef COPAL_STATE_H
#define COPAL_STATE_H

#include <stdbool.h>

enum { STATE_ERR_MAX = 768 };

/*
 * Makes the folder and what is in it, takes the lock (another copald must not
 * use it), removes what an earlier one left, and makes it the current folder.
 * false with a message in err.
 */
bool state_open(const char *workdir, char err[STATE_ERR_MAX]);
/* Writes a secret unless there is one. */
bool state_make_secret(const char *path, char err[STATE_ERR_MAX]);
/* Closes the lock in a child. */
void state_leave(void);
/* At the end: removes the programs and the CLI's socket. */
void state_close(void);
/* Removes a folder of files. */
void state_remove_dir(const char *dir);
bool state_write_pid(const char *path, char err[STATE_ERR_MAX]);

#endif
