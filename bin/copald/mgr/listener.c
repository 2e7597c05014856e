/*
 * listener.c - the sockets of -a: see listener.h.
 */
#include <sys/stat.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "listener.h"
#include "params.h"

struct spec { /* of one -a */
	const char *name;
	const char *where;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool owned, moded, proxy;
	unsigned from_n;
	struct network from[PROXY_FROM_MAX];
};

__attribute__((format(printf, 2, 3))) static bool
fail(char err[LISTENER_ERR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, LISTENER_ERR_MAX, fmt, ap);
	va_end(ap);
	return false;
}

/* Who may send a PROXY header: an address, or a network. */
static bool
parse_from(struct spec *s, const char *text, char err[LISTENER_ERR_MAX])
{
	char copy[INET6_ADDRSTRLEN + 8], why[200], host[ADDR_NAME_MAX], *slash;
	struct network *n = &s->from[s->from_n];
	unsigned long bits;
	unsigned most, port;
	char *end;

	if (s->from_n == PROXY_FROM_MAX)
		return fail(err, "more than %d times from=", PROXY_FROM_MAX);
	if (strlen(text) >= sizeof(copy))
		return fail(err, "from=%.100s: no address", text);
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	if (copy[0] == '/' || copy[0] == '\0' ||
	    addr_parse_literal(copy, "80", &n->addr, 1, host, &port, why,
		sizeof(why)) != 1)
		return fail(err, "from=%.100s: no address", text);
	most = n->addr.sa.sa_family == AF_INET ? 32 : 128;
	bits = slash != NULL ? strtoul(slash + 1, &end, 10) : most;
	if (slash != NULL && (end == slash + 1 || *end != '\0' || bits > most))
		return fail(err, "from=%.100s: no network", text);
	n->bits = (unsigned)bits;
	s->from_n++;
	return true;
}

static bool
parse_option(struct spec *s, const char *opt, char err[LISTENER_ERR_MAX])
{
	struct passwd *pw;
	struct group *gr;
	char *end;

	if (!strcasecmp(opt, "HTTP"))
		return true;
	if (!strcasecmp(opt, "PROXY")) {
		s->proxy = true;
		return true;
	}
	if (!strncmp(opt, "from=", 5))
		return parse_from(s, opt + 5, err);
	if (strncmp(opt, "user=", 5) && strncmp(opt, "group=", 6) &&
	    strncmp(opt, "mode=", 5))
		return fail(err, "unknown option \"%.100s\"", opt);
	if (s->where[0] != '/')
		return fail(err, "%.100s is for unix sockets only, with a path",
		    opt);
	if (opt[0] == 'u') {
		pw = getpwnam(opt + 5);
		if (pw == NULL)
			return fail(err, "no user \"%.100s\"", opt + 5);
		s->uid = pw->pw_uid;
		s->owned = true;
	} else if (opt[0] == 'g') {
		gr = getgrnam(opt + 6);
		if (gr == NULL)
			return fail(err, "no group \"%.100s\"", opt + 6);
		s->gid = gr->gr_gid;
		s->owned = true;
	} else {
		s->mode = (mode_t)strtoul(opt + 5, &end, 8);
		if (end == opt + 5 || *end != '\0' || s->mode > 0777)
			return fail(err, "bad mode \"%.100s\" (0660)", opt + 5);
		s->moded = true;
	}
	return true;
}

/* arg is cut up. */
static bool
parse(struct spec *s, char *arg, const char *number, char err[LISTENER_ERR_MAX])
{
	char *rest = arg, *where = strsep(&rest, ","), *opt;
	char *eq = strchr(where, '=');

	*s = (struct spec){.name = number, .uid = (uid_t)-1, .gid = (gid_t)-1};
	if (eq != NULL && where[0] != '/' && where[0] != '@') {
		*eq = '\0';
		s->name = where;
		where = eq + 1;
		if (s->name[0] == '\0' ||
		    strlen(s->name) >= sizeof(((struct listener *)0)->name) ||
		    strpbrk(s->name, " \t\"\\/") != NULL)
			return fail(err, "bad name \"%.100s\"", s->name);
	}
	s->where = strncmp(where, "unix:", 5) ? where : where + 5;
	while ((opt = strsep(&rest, ",")) != NULL) {
		if (!parse_option(s, opt, err))
			return false;
	}
	if (s->from_n > 0 && (!s->proxy || s->where[0] == '/' ||
				    s->where[0] == '@'))
		return fail(err, "from= is for addresses with PROXY only");
	return true;
}

static void
set_port(struct addr *a, unsigned port)
{
	if (a->sa.sa_family == AF_INET)
		a->in4.sin_port = htons((uint16_t)port);
	else if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons((uint16_t)port);
}

/* n sockets in all for l, which has fd_n. */
static bool
grow(struct listener *l, unsigned n, char err[LISTENER_ERR_MAX])
{
	bool tcp = l->addr.sa.sa_family != AF_UNIX;
	int *fd = realloc(l->fd, n * sizeof(*fd));

	if (fd == NULL)
		return fail(err, "out of memory");
	l->fd = fd;
	for (; l->fd_n < n; l->fd_n++) {
		fd[l->fd_n] = sock_listen(&l->addr, tcp,
		    (int)params->listen_depth, err, LISTENER_ERR_MAX);
		if (fd[l->fd_n] < 0)
			return false;
	}
	return true;
}

static void
close_from(struct listener *l, unsigned n)
{
	while (l->fd_n > n)
		close(l->fd[--l->fd_n]);
}

static bool
has_path(const struct addr *a)
{
	return a->sa.sa_family == AF_UNIX && !addr_is_abstract(a);
}

static bool
bind_one(struct worker_config *w, const struct spec *s, const struct addr *at,
    unsigned cores, char err[LISTENER_ERR_MAX])
{
	struct listener *l = &w->listener[w->listener_n];
	bool tcp = at->sa.sa_family != AF_UNIX;
	int probe;

	memset(l, 0, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%s", s->name);
	l->addr = *at;
	l->proxy = s->proxy;
	l->from_n = s->from_n;
	memcpy(l->from, s->from, sizeof(l->from));
	if (tcp) {
		/*
		 * Sockets that share a port would share it with another
		 * copald, too: only one that does not share tells that the
		 * port is free.  It also finds a port for port 0.
		 */
		probe = sock_listen(at, false, 1, err, LISTENER_ERR_MAX);
		if (probe < 0)
			return false;
		if (sock_local(probe, &l->addr) < 0) {
			close(probe);
			return fail(err, "getsockname: %s", strerror(errno));
		}
		set_port(&l->addr, addr_port(&l->addr));
		close(probe);
	}
	if (!grow(l, tcp ? cores : 1, err)) {
		close_from(l, 0);
		free(l->fd);
		return false;
	}
	if (has_path(at) &&
	    ((s->owned && chown(at->un.sun_path, s->uid, s->gid) < 0) ||
		chmod(at->un.sun_path, s->moded ? s->mode : 0666) < 0))
		return fail(err, "%s: %s", at->un.sun_path, strerror(errno));
	w->listener_n++;
	return true;
}

bool
listener_add(struct worker_config *w, const char *arg, unsigned cores,
    char err[LISTENER_ERR_MAX])
{
	char copy[512], number[16], why[LISTENER_ERR_MAX / 2];
	struct addr at[8];
	struct spec s;
	int n;

	snprintf(number, sizeof(number), "a%u", w->listener_n);
	if (strlen(arg) >= sizeof(copy))
		return fail(err, "-a %.100s...: it is too long", arg);
	strcpy(copy, arg);
	if (!parse(&s, copy, number, err))
		goto bad;
	for (unsigned i = 0; i < w->listener_n; i++) {
		if (!strcmp(w->listener[i].name, s.name)) {
			fail(err, "another one is named %s", s.name);
			goto bad;
		}
	}
	n = addr_parse(s.where, "80", true, at, 8, err, LISTENER_ERR_MAX);
	if (n < 0)
		goto bad_address;
	for (int i = 0; i < n; i++) {
		if (w->listener_n == LISTEN_MAX) {
			fail(err, "more than %d addresses", LISTEN_MAX);
			goto bad;
		}
		/* all addresses of a name get the port that the first got */
		if (i > 0 && addr_port(&at[i]) == 0)
			set_port(&at[i],
			    addr_port(&w->listener[w->listener_n - 1].addr));
		if (!bind_one(w, &s, &at[i], cores, err))
			goto bad_address;
	}
	return true;
bad:
	snprintf(why, sizeof(why), "%s", err);
	return fail(err, "-a %.200s: %s", arg, why);
bad_address: /* err names it already */
	snprintf(why, sizeof(why), "%s", err);
	return fail(err, "-a %s", why);
}

bool
listener_prepare(
    struct worker_config *w, unsigned cores, char err[LISTENER_ERR_MAX])
{
	for (unsigned i = 0; i < w->listener_n; i++) {
		struct listener *l = &w->listener[i];

		if (l->addr.sa.sa_family != AF_UNIX && cores != l->fd_n) {
			/*
			 * A queue that nobody will serve is closed; what
			 * waits in it is refused, as it must be.
			 */
			close_from(l, cores);
			if (!grow(l, cores, err))
				return false;
		}
		for (unsigned j = 0; j < l->fd_n; j++)
			listen(l->fd[j], (int)params->listen_depth);
	}
	return true;
}

void
listener_list(const struct worker_config *w, struct cli_answer *out)
{
	char host[ADDR_HOST_MAX];

	for (unsigned i = 0; i < w->listener_n; i++) {
		const struct listener *l = &w->listener[i];

		addr_host(&l->addr, host);
		if (l->addr.sa.sa_family == AF_UNIX)
			cli_out(out, "%s %s -\n", l->name, host);
		else
			cli_out(out, "%s %s %u\n", l->name, host,
			    addr_port(&l->addr));
	}
}

void
listener_remove(const struct worker_config *w)
{
	for (unsigned i = 0; i < w->listener_n; i++) {
		const struct addr *a = &w->listener[i].addr;

		if (has_path(a))
			unlink(a->un.sun_path);
	}
}
