/*
 * esi_address.c - the address of an include, as seen from its page (RFC 3986
 * 5.2).
 */
#include <string.h>

#include "esi.h"

/* s up to the first of these bytes */
static struct str
until(struct str s, const char *any)
{
	size_t n = 0;

	while (n < s.len && strchr(any, s.p[n]) == NULL)
		n++;
	return str_of(s.p, n);
}

static struct str
after(struct str s, size_t n)
{
	return str_of(s.p + n, s.len - n);
}

/* Would it cut the request line short, or mean something else there? */
static bool
is_clean(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
	    (c != '\0' && strchr("[]:_-.", c) != NULL);
}

/* A name or address and a port; no user, no list. */
static bool
is_host(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_host_char(s.p[i]))
			return false;
	return s.len > 0 && s.len <= ESI_HOST_MAX;
}

/* RFC 3986 5.2.4, of a path that begins with / */
static size_t
remove_dots(char *path, size_t len)
{
	size_t to = 0, i = 0;

	while (i < len) {
		struct str rest = str_of(path + i, len - i);
		struct str part = until(after(rest, 1), "/");
		bool last = part.len + 1 == rest.len;

		if (str_eq(part, STR("."))) {
			if (last)
				path[to++] = '/';
		} else if (str_eq(part, STR(".."))) {
			while (to > 0 && path[--to] != '/')
				;
			if (last)
				path[to++] = '/';
		} else {
			memmove(path + to, path + i, part.len + 1);
			to += part.len + 1;
		}
		i += part.len + 1;
	}
	return to;
}

/* The path of a page's target: from its first / up to its query. */
static struct str
path_of(struct str target)
{
	struct str rest = target;

	if (rest.len == 0 || rest.p[0] != '/') {
		size_t n = until(rest, ":").len;

		if (n + 3 > rest.len ||
		    !str_starts(after(rest, n), STR("://")))
			return STR("/");
		rest = after(rest, n + 3);
		rest = after(rest, until(rest, "/?").len);
	}
	rest = until(rest, "?#");
	return rest.len > 0 ? rest : STR("/");
}

static size_t
put(char *buf, size_t n, struct str s)
{
	if (s.len > 0)
		memcpy(buf + n, s.p, s.len);
	return n + s.len;
}

bool
esi_resolve(struct str base, struct str src, char *buf, struct str *host,
    struct str *target)
{
	struct str path, scheme, dir;
	size_t n = 0;

	*host = STR_NULL;
	if (!is_clean(src))
		return false;
	src = until(src, "#");
	scheme = until(src, ":/?");
	if (str_casestarts(src, STR("http://")) ||
	    str_casestarts(src, STR("https://")))
		src = after(src, scheme.len + 1);
	else if (scheme.len < src.len && src.p[scheme.len] == ':')
		return false;
	if (str_starts(src, STR("//"))) {
		*host = until(after(src, 2), "/?");
		if (!is_host(*host))
			return false;
		src = after(src, 2 + host->len);
		n = src.len == 0 || src.p[0] != '/' ? put(buf, 0, STR("/")) : 0;
	} else if (src.len == 0) {
		return false;
	} else if (src.p[0] != '/') {
		dir = path_of(base);
		while (src.p[0] != '?' && dir.p[dir.len - 1] != '/')
			dir.len--;
		n = put(buf, 0, dir);
	}
	path = until(src, "?");
	n = remove_dots(buf, put(buf, n, path));
	n = put(buf, n, after(src, path.len));
	*target = str_of(buf, n);
	return true;
}
