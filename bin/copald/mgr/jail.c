/*
 * jail.c - whose rights the processes have: see jail.h.
 */
#include <sys/prctl.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jail.h"

static bool active; /* there are rights to give up */
static uid_t uid;
static gid_t gid;
static pid_t manager;

static bool
take_user(const char *name, char err[JAIL_ERR_MAX])
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		snprintf(err, JAIL_ERR_MAX, "no user \"%.100s\"%s%s", name,
		    errno ? ": " : "", errno ? strerror(errno) : "");
		return false;
	}
	if (pw->pw_uid == 0) {
		snprintf(err, JAIL_ERR_MAX,
		    "user \"%.100s\" is root: say "
		    "\"-j none\" if that is meant",
		    name);
		return false;
	}
	uid = pw->pw_uid;
	gid = pw->pw_gid;
	return true;
}

bool
jail_init(const char *arg, char err[JAIL_ERR_MAX])
{
	bool root = geteuid() == 0;

	manager = getpid();
	active = root;
	if (arg != NULL && !strcmp(arg, "none")) {
		active = false;
		return true;
	}
	if (arg == NULL) {
		if (!root)
			return true;
		return getpwnam("copal") != NULL ? take_user("copal", err)
						 : take_user("nobody", err);
	}
	if (strcmp(arg, "unix") && strncmp(arg, "unix,", 5)) {
		snprintf(err, JAIL_ERR_MAX,
		    "-j %.100s: \"none\" or "
		    "\"unix,user=...\" is wanted",
		    arg);
		return false;
	}
	if (!root) {
		snprintf(err, JAIL_ERR_MAX,
		    "-j %.100s: only root can become somebody else", arg);
		return false;
	}
	if (!strcmp(arg, "unix"))
		return jail_init(NULL, err);
	if (strncmp(arg, "unix,user=", 10) || strchr(arg + 10, ',') != NULL) {
		snprintf(err, JAIL_ERR_MAX,
		    "-j %.100s: \"unix,user=...\" is wanted", arg);
		return false;
	}
	return take_user(arg + 10, err);
}

const char *
jail_name(void)
{
	return active ? "unix" : "none";
}

bool
jail_enter(void)
{
	if (active) {
		if (setgroups(1, &gid) < 0 || setgid(gid) < 0 ||
		    setuid(uid) < 0)
			return false;
		if (setuid(0) == 0) { /* it must not be possible any more */
			errno = EPERM;
			return false;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return false;
	/* changing the user switched both off */
	prctl(PR_SET_DUMPABLE, 1);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return false;
	if (getppid() != manager) { /* it died before we could ask */
		errno = ESRCH;
		return false;
	}
	return true;
}

bool
jail_deputy(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != manager)
		return false;
	manager = getpid();
	return true;
}

bool
jail_is_active(void)
{
	return active;
}

int
jail_mkdirs(const char *dir, unsigned mode)
{
	char path[1024];

	if (strlen(dir) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(path, dir);
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -1;
	return 0;
}

int
jail_make_dir(const char *dir, unsigned mode)
{
	DIR *d;
	struct dirent *e;
	struct stat st;
	int rc = 0;

	if (jail_mkdirs(dir, mode) < 0)
		return -1;
	d = opendir(dir);
	if (d == NULL)
		return -1;
	if (active && fchown(dirfd(d), uid, gid) < 0)
		rc = -1;
	while (active && rc == 0 && (e = readdir(d)) != NULL) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    S_ISREG(st.st_mode) && st.st_uid != uid && st.st_nlink == 1)
			rc = fchownat(
			    dirfd(d), e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW);
	}
	closedir(d);
	return rc;
}
