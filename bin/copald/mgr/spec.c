/*
 * spec.c - what -s and -b say.
 */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "params.h"
#include "spec.h"

/* A store in memory whose size was not given. */
#define RAM_DEFAULT_SIZE (256ULL << 20)
/* Below it no store is of any use. */
#define SIZE_MIN (1ULL << 20)

__attribute__((format(printf, 2, 3))) static bool
fail(char err[SPEC_ERR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, SPEC_ERR_MAX, fmt, ap);
	va_end(ap);
	return false;
}

/* Bytes on disk of the files in dir; 0 if there is none. */
static double
folder_bytes(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	double sum = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    S_ISREG(st.st_mode))
			sum += (double)st.st_blocks * 512;
	}
	closedir(d);
	return sum;
}

/* The file system that dir is on, or will be. */
static int
disk_of(const char *dir, struct statvfs *out)
{
	char path[512];
	char *slash;

	snprintf(path, sizeof(path), "%s", dir);
	while (statvfs(path, out) < 0) {
		slash = strrchr(path, '/');
		if (errno != ENOENT || slash == NULL)
			return -1;
		slash[slash == path] = '\0';
	}
	return 0;
}

/* "10g", "20%" of the disk, "" for the default. */
static bool
disk_size(
    const char *text, const char *dir, uint64_t *size, char err[SPEC_ERR_MAX])
{
	struct statvfs vfs;
	double bytes, all, room;
	char *end;

	if (text[0] != '\0' && param_parse_bytes(text, &bytes)) {
		*size = (uint64_t)bytes;
		return true;
	}
	if (disk_of(dir, &vfs) < 0)
		return fail(err, "%s: %s", dir, strerror(errno));
	all = (double)vfs.f_blocks * (double)vfs.f_frsize;
	room = (double)vfs.f_bavail * (double)vfs.f_frsize + folder_bytes(dir);
	if (text[0] == '\0') {
		*size = (uint64_t)(room * STORE_DEFAULT_PERCENT / 100);
		if (*size > STORE_DEFAULT_MAX)
			*size = STORE_DEFAULT_MAX;
		/* whole megabytes read better in storage.list */
		*size &= ~((1ULL << 20) - 1);
		return true;
	}
	bytes = strtod(text, &end);
	if (end == text || strcmp(end, "%") || !(bytes > 0 && bytes <= 100))
		return fail(err, "bad size \"%s\" (500m, 10g, 20%%)", text);
	*size = (uint64_t)(all * bytes / 100);
	return true;
}

static bool
is_name(const char *s, size_t len)
{
	if (len == 0 || len >= sizeof(((struct store_spec *)0)->name))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c == '_') || (i > 0 && ((c >= '0' && c <= '9') ||
			    c == '-'))))
			return false;
	}
	return true;
}

static bool
parse_lmdb(char *rest, const char *workdir, struct store_spec *s,
    char err[SPEC_ERR_MAX])
{
	char *dir = strsep(&rest, ","), *size = strsep(&rest, ",");
	int n;

	if (rest != NULL)
		return fail(err, "unexpected \",%s\" (lmdb,dir,size)", rest);
	s->kind = STORE_KIND_LMDB;
	if (dir == NULL || dir[0] == '\0')
		n = snprintf(s->dir, sizeof(s->dir), "%s/store", workdir);
	else
		n = snprintf(s->dir, sizeof(s->dir), "%s", dir);
	if (n < 0 || (size_t)n >= sizeof(s->dir))
		return fail(err, "the name of the folder is too long");
	return disk_size(size ? size : "", s->dir, &s->size, err);
}

static bool
parse_ram(char *rest, struct store_spec *s, char err[SPEC_ERR_MAX])
{
	double bytes = RAM_DEFAULT_SIZE;

	s->kind = STORE_KIND_RAM;
	if (rest != NULL && !param_parse_bytes(rest, &bytes))
		return fail(err, "bad size \"%s\" (500m, 10g)", rest);
	s->size = (uint64_t)bytes;
	return true;
}

static bool
parse_store(const char *arg, unsigned number, const char *workdir,
    struct store_spec *s, char err[SPEC_ERR_MAX])
{
	char copy[1024], *rest = copy, *kind, *eq;

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "s%u", number);
	if (strlen(arg) >= sizeof(copy))
		return fail(err, "it is too long");
	strcpy(copy, arg);
	kind = strsep(&rest, ",");
	eq = strchr(kind, '=');
	if (eq != NULL) {
		if (!is_name(kind, (size_t)(eq - kind)))
			return fail(
			    err, "bad name \"%.*s\"", (int)(eq - kind), kind);
		*eq = '\0';
		strcpy(s->name, kind);
		kind = eq + 1;
	}
	if (!strcmp(kind, "lmdb"))
		return parse_lmdb(rest, workdir, s, err);
	/* varnishd's names for a store in memory */
	if (!strcmp(kind, "ram") || !strcmp(kind, "malloc") ||
	    !strcmp(kind, "default"))
		return parse_ram(rest, s, err);
	return fail(err, "unknown kind of store \"%s\" (lmdb, ram)", kind);
}

bool
spec_stores(unsigned n, const char *const *arg, const char *workdir,
    struct worker_config *w, char err[SPEC_ERR_MAX])
{
	static const char *const by_default[] = {"lmdb"};
	char why[SPEC_ERR_MAX / 2];

	if (n == 0) {
		n = 1;
		arg = by_default;
	}
	for (w->store_n = 0; w->store_n < n; w->store_n++) {
		struct store_spec *s = &w->store[w->store_n];

		if (!parse_store(arg[w->store_n], w->store_n, workdir, s, err))
			goto bad;
		if (s->size < SIZE_MIN) {
			fail(err, "%llu bytes are too small for a store",
			    (unsigned long long)s->size);
			goto bad;
		}
		for (unsigned i = 0; i < w->store_n; i++) {
			if (!strcmp(w->store[i].name, s->name)) {
				fail(err, "another store is named %s", s->name);
				goto bad;
			}
			if (s->kind == STORE_KIND_LMDB &&
			    !strcmp(w->store[i].dir, s->dir)) {
				fail(err, "another store is in %s", s->dir);
				goto bad;
			}
		}
	}
	return true;
bad:
	snprintf(why, sizeof(why), "%s", err);
	return fail(err, "-s %.300s: %s", arg[w->store_n], why);
}

/* Nothing that could end a VCL string. */
static bool
is_plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s == '"' || *s == 127)
			return false;
	}
	return true;
}

char *
spec_backend_vcl(const char *arg, char err[SPEC_ERR_MAX])
{
	char copy[512], *host = copy, *port = NULL, *vcl = NULL, *p;
	int n;

	if (strlen(arg) >= sizeof(copy) || !is_plain(arg)) {
		fail(err, "-b %.300s: no address or path", arg);
		return NULL;
	}
	strcpy(copy, arg);
	if (!strcasecmp(arg, "none")) {
		n = asprintf(&vcl, "vcl 4.1;\n\nbackend default none;\n");
		return n < 0 ? NULL : vcl;
	}
	if (!strncmp(copy, "unix:", 5) || copy[0] == '/' || copy[0] == '@') {
		n = asprintf(&vcl,
		    "vcl 4.1;\n\nbackend default {\n"
		    "    .path = \"%s\";\n}\n",
		    copy[0] == 'u' ? copy + 5 : copy);
		return n < 0 ? NULL : vcl;
	}
	if (copy[0] == '[') {
		p = strchr(++host, ']');
		if (p == NULL || (p[1] != '\0' && p[1] != ':')) {
			fail(err, "-b %.300s: [address]:port is wanted", arg);
			return NULL;
		}
		*p++ = '\0';
		if (*p == ':')
			port = p + 1;
	} else if ((p = strchr(copy, ':')) != NULL &&
		   strchr(p + 1, ':') == NULL) {
		*p = '\0';
		port = p + 1;
	}
	if (host[0] == '\0' || (port != NULL && port[0] == '\0')) {
		fail(err, "-b %.300s: host:port is wanted", arg);
		return NULL;
	}
	if (port != NULL && strspn(port, "0123456789") == strlen(port) &&
	    (strlen(port) > 5 || atoi(port) < 1 || atoi(port) > 65535)) {
		fail(err, "-b %.300s: there is no port %s", arg, port);
		return NULL;
	}
	n = asprintf(&vcl,
	    "vcl 4.1;\n\nbackend default {\n"
	    "    .host = \"%s\";\n    .port = \"%s\";\n}\n",
	    host, port ? port : "80");
	if (n < 0) {
		fail(err, "out of memory");
		return NULL;
	}
	return vcl;
}
