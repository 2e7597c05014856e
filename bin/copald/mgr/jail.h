/*
 * jail.h - whose rights the processes have.
 *
 * A manager that was started by root keeps root's rights, for the sockets and
 * the files of the administrator; the worker, the compiler's children and
 * the metrics run as -j's user.  A manager that was started by anyone else
 * has nothing to give up.
 */
#ifndef COPAL_JAIL_H
#define COPAL_JAIL_H

#include <stdbool.h>
#include <stddef.h>

enum { JAIL_ERR_MAX = 256 };

/* arg: -j's, or NULL; false with a message in err. */
bool jail_init(const char *arg, char err[JAIL_ERR_MAX]);
/*
 * In a child: gives up root for ever, and asks the kernel for SIGTERM when
 * the manager dies.  false with errno: the child must not go on.
 */
bool jail_enter(void);
/*
 * In a child that keeps the manager's rights and has children of its own: it
 * gets SIGTERM when the manager dies, they when it dies.  false: it must
 * not go on.
 */
bool jail_deputy(void);
/* Has a child other rights than the manager? */
bool jail_is_active(void);
/*
 * Makes the folder dir (mode; with its parents, 0755) unless it is there, and
 * hands it and the plain files in it to the children's user.  0, or -1 with
 * errno.
 */
int jail_make_dir(const char *dir, unsigned mode);
/* For storage and the banner: "none" or "unix". */
const char *jail_name(void);

/* mkdir -p; 0, or -1 with errno. */
int jail_mkdirs(const char *dir, unsigned mode);

#endif
