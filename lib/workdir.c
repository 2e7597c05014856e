/*
 * workdir.c - where a running Copal keeps its state.
 */
#include "workdir.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ".." as a whole part of the path */
static bool
climbs(const char *path)
{
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += n;
		path += strspn(path, "/");
	}
	return false;
}

int
workdir_path(const char *n_arg, char *out, size_t len)
{
	int n;

	if (n_arg == NULL || *n_arg == '\0') {
		n = snprintf(out, len, "%s", COPAL_STATE_DIR);
	} else if (*n_arg == '/') {
		n = snprintf(out, len, "%s", n_arg);
	} else if (climbs(n_arg)) {
		errno = EINVAL;
		return -1;
	} else {
		n = snprintf(out, len, "%s/%s", COPAL_STATE_DIR, n_arg);
	}
	if (n < 0 || (size_t)n >= len) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
