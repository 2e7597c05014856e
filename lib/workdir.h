/*
 * workdir.h - where a running Copal keeps its state, for it and its tools.
 */
#ifndef COPAL_WORKDIR_H
#define COPAL_WORKDIR_H

#include <stddef.h>

/* Set by configure: ${localstatedir}/lib/copal. */
#ifndef COPAL_STATE_DIR
#define COPAL_STATE_DIR "/var/lib/copal"
#endif

/*
 * What -n means: NULL or "" is COPAL_STATE_DIR, an absolute path is itself,
 * a name is below COPAL_STATE_DIR.  0, or -1 with errno: ENAMETOOLONG, or
 * EINVAL for a name with ".." in it.
 */
int workdir_path(const char *n_arg, char *out, size_t len);

#endif
