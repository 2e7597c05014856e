/*
 * addr.c - addresses as users write them, and back to text.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sock.h"
#include "str.h"

/* What addr_parse found in the text; host.p NULL: none given. */
struct parts {
	struct str host;
	struct str port;
};

/* RFC 1035 3.1, and room for a scope ("fe80::1%eth0") */
enum { HOST_MAX = 255, PORT_NAME_MAX = 31 };

__attribute__((format(printf, 4, 5))) static int
fail(char *err, size_t err_len, const char *text, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(err, err_len, "\"%.120s\": ", text);

	if (n >= 0 && (size_t)n < err_len) {
		va_start(ap, fmt);
		vsnprintf(err + n, err_len - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return -1;
}

static bool
all_digits(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

static bool
is_unix(const char *text)
{
	return !strncmp(text, "unix:", 5) || text[0] == '/' || text[0] == '@';
}

/*
 * "/path", or "@name" of an abstract socket (unix(7)): a null byte in front of
 * the name, and none behind it.  Either way with "unix:" before it.
 */
static int
parse_unix(const char *text, struct addr *out, char *err, size_t err_len)
{
	const char *path = strncmp(text, "unix:", 5) ? text : text + 5;
	bool abstract = path[0] == '@';
	size_t len = strlen(path);

	if (path[0] != '/' && !abstract)
		return fail(err, err_len, text,
		    "the path of a unix socket must begin with \"/\" or \"@\"");
	if (abstract && len == 1)
		return fail(err, err_len, text, "no name behind the \"@\"");
	if (len >= sizeof out->un.sun_path)
		return fail(err, err_len, text,
		    "the path of a unix socket may have %zu bytes at most",
		    sizeof out->un.sun_path - 1);
	memset(out, 0, sizeof *out);
	out->un.sun_family = AF_UNIX;
	memcpy(out->un.sun_path, path, len);
	if (abstract)
		out->un.sun_path[0] = '\0';
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
	    !abstract);
	return 1;
}

/* "[v6]", "[v6]:port" or "[v6] port"; NULL or what is wrong */
static const char *
split_brackets(const char *text, struct parts *out)
{
	const char *end = strchr(text, ']');

	if (end == NULL)
		return "\"]\" is missing";
	out->host = str_of(text + 1, (size_t)(end - text - 1));
	if (out->host.len == 0)
		return "no address between the brackets";
	if (end[1] == ':' || end[1] == ' ')
		out->port = str_from_z(end + 2);
	else if (end[1] != '\0')
		return "\":\" and a port must follow \"]\"";
	return NULL;
}

static const char *
split(const char *text, bool listening, struct parts *out)
{
	const char *colon = strchr(text, ':'), *space = strchr(text, ' ');

	*out = (struct parts){STR_NULL, STR_NULL};
	if (text[0] == '\0')
		return "no address given";
	if (text[0] == '[')
		return split_brackets(text, out);
	if (space != NULL && space > text) { /* any address, and its port */
		out->host = str_of(text, (size_t)(space - text));
		out->port = str_from_z(space + 1);
		return NULL;
	}
	if (colon == NULL) {
		out->host = str_from_z(text);
		if (!all_digits(out->host))
			return NULL;
		if (!listening)
			return "a port, but no host";
		out->port = out->host;
		out->host = STR_NULL;
		return NULL;
	}
	if (strchr(colon + 1, ':') != NULL) { /* IPv6 without a port */
		out->host = str_from_z(text);
		return NULL;
	}
	if (colon > text)
		out->host = str_of(text, (size_t)(colon - text));
	out->port = str_from_z(colon + 1);
	return NULL;
}

static const char *
check_port(struct str port, bool listening)
{
	uint64_t n;

	if (port.len == 0)
		return "no port given";
	if (port.len > PORT_NAME_MAX)
		return "the port is too long";
	if (!all_digits(port))
		return NULL;
	if (!str_to_u64(port, &n) || n > 65535)
		return "the port must be 65535 at most";
	if (n == 0 && !listening)
		return "the port must not be 0";
	return NULL;
}

/* A machine may have IPv6 switched off, and yet resolve "::". */
static bool
has_family(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno != EAFNOSUPPORT;
	close(fd);
	return true;
}

static int
collect(const struct addrinfo *ai, bool any_host, struct addr *out, int max)
{
	int n = 0;

	for (; ai != NULL && n < max; ai = ai->ai_next) {
		if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
			continue;
		if (any_host && !has_family(ai->ai_family))
			continue;
		memset(&out[n], 0, sizeof out[n]);
		memcpy(&out[n].ss, ai->ai_addr, ai->ai_addrlen);
		out[n].len = ai->ai_addrlen;
		n++;
	}
	return n;
}

/* Host and port as text, each ended; 0, or -1 with a message. */
static int
take_apart(const char *text, const char *default_port, bool listening,
    struct parts *parts, char host[HOST_MAX + 1], char port[PORT_NAME_MAX + 1],
    char *err, size_t err_len)
{
	const char *wrong;

	if ((wrong = split(text, listening, parts)) != NULL)
		return fail(err, err_len, text, "%s", wrong);
	if (parts->port.p == NULL)
		parts->port = str_from_z(default_port);
	if ((wrong = check_port(parts->port, listening)) != NULL)
		return fail(err, err_len, text, "%s", wrong);
	if (parts->host.len > HOST_MAX)
		return fail(err, err_len, text, "the host name is too long");
	snprintf(host, HOST_MAX + 1, "%.*s", STR_ARG(parts->host));
	snprintf(port, PORT_NAME_MAX + 1, "%.*s", STR_ARG(parts->port));
	return 0;
}

static int
look_up(const char *text, const struct parts *parts, const char *host,
    const char *port, int flags, struct addr *out, int max, char *err,
    size_t err_len)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
	struct addrinfo *found = NULL;
	int n;

	n = getaddrinfo(parts->host.p != NULL ? host : NULL, port, &hints,
	    &found);
	if (n == EAI_NONAME && (flags & AI_NUMERICHOST))
		return 0;
	if (n != 0)
		return fail(err, err_len, text, "%s",
		    n == EAI_SYSTEM ? strerror(errno) : gai_strerror(n));
	n = collect(found, parts->host.p == NULL, out, max);
	freeaddrinfo(found);
	if (n == 0)
		return fail(err, err_len, text, "has no usable address");
	return n;
}

int
addr_parse(const char *text, const char *default_port, bool listening,
    struct addr *out, int max, char *err, size_t err_len)
{
	char host[HOST_MAX + 1], port[PORT_NAME_MAX + 1];
	struct parts parts;

	if (is_unix(text))
		return parse_unix(text, out, err, err_len);
	if (take_apart(text, default_port, listening, &parts, host, port, err,
	    err_len) != 0)
		return -1;
	return look_up(text, &parts, host, port, listening ? AI_PASSIVE : 0,
	    out, max, err, err_len);
}

/* Nothing that could not be part of a name in any resolver. */
static bool
is_name(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 127 || strchr("\"\\/[]", *s) != NULL)
			return false;
	return true;
}

int
addr_parse_literal(const char *text, const char *default_port,
    struct addr *out, int max, char host[ADDR_NAME_MAX], unsigned *port,
    char *err, size_t err_len)
{
	char port_text[PORT_NAME_MAX + 1];
	struct addr any;
	struct parts parts;
	int n;

	_Static_assert(ADDR_NAME_MAX == HOST_MAX + 1, "host is one");
	if (is_unix(text))
		return parse_unix(text, out, err, err_len);
	if (take_apart(text, default_port, false, &parts, host, port_text,
	    err, err_len) != 0)
		return -1;
	n = look_up(text, &parts, host, port_text, AI_NUMERICHOST, out, max,
	    err, err_len);
	if (n != 0)
		return n;
	if (!is_name(host))
		return fail(err, err_len, text, "is no host name");
	/* the port may be a service's name, of /etc/services */
	parts.host = STR("0.0.0.0");
	if (look_up(text, &parts, "0.0.0.0", port_text, AI_NUMERICHOST, &any,
	    1, err, err_len) != 1)
		return fail(err, err_len, text, "there is no such port");
	*port = addr_port(&any);
	return 0;
}

bool
addr_join(struct str host, struct str port, char *text, size_t size)
{
	unsigned colons = 0;
	bool bare = memchr(host.p, ' ', host.len) == NULL;

	for (size_t i = 0; i < host.len; i++)
		colons += host.p[i] == ':';
	if (host.p[0] == '[')
		bare = host.p[host.len - 1] == ']';
	else if (colons == 1)
		bare = false;
	if (!bare)
		snprintf(text, size, "%.*s", STR_ARG(host));
	else
		snprintf(text, size, colons > 0 && host.p[0] != '[' ?
		    "[%.*s]:%.*s" : "%.*s:%.*s", STR_ARG(host), STR_ARG(port));
	return bare;
}

/* Is host an IPv6 address, perhaps with a scope: "fe80::1%eth0"? */
static bool
is_ipv6(const char *host)
{
	char copy[HOST_MAX + 1];
	struct in6_addr a;

	snprintf(copy, sizeof copy, "%.*s", (int)strcspn(host, "%"), host);
	return inet_pton(AF_INET6, copy, &a) == 1;
}

/* A name of DNS has letters, and something between its dots; all that is
 * resolved may be in brackets. */
static const char *
host_error(const char *host)
{
	struct in_addr a;

	if (strchr(host, ':') != NULL)
		return is_ipv6(host) ? NULL : "is no IPv6 address";
	if (host[strspn(host, "0123456789.")] == '\0')
		return inet_aton(host, &a) ? NULL : "is no IPv4 address";
	if (!is_name(host) || host[0] == '.' || strstr(host, "..") != NULL)
		return "is no host name";
	return NULL;
}

bool
addr_check(const char *text, const char *default_port, char *err,
    size_t err_len)
{
	char host[HOST_MAX + 1], port[PORT_NAME_MAX + 1];
	struct addr at;
	struct parts parts;
	const char *wrong;

	if (is_unix(text))
		return parse_unix(text, &at, err, err_len) == 1;
	if (take_apart(text, default_port, false, &parts, host, port, err,
	    err_len) != 0)
		return false;
	/* the port may be a service's name, of /etc/services */
	wrong = parts.host.p == NULL ? "no host" : !is_name(port) ?
	    "there is no such port" : host_error(host);
	return wrong == NULL || fail(err, err_len, text, "%s", wrong) == 0;
}

/* v in decimal, then end; without printf, as every request is logged */
static char *
put_byte(char *p, uint8_t v, char end)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	*p++ = end;
	return p;
}

bool
addr_is_abstract(const struct addr *a)
{
	return a->sa.sa_family == AF_UNIX && a->un.sun_path[0] == '\0' &&
	    a->len > offsetof(struct sockaddr_un, sun_path) + 1;
}

/* All of an abstract one's bytes; empty: a peer that has none. */
static struct str
unix_path(const struct addr *a)
{
	size_t at = offsetof(struct sockaddr_un, sun_path);

	if (a->len <= at)
		return STR("");
	return str_of(a->un.sun_path, addr_is_abstract(a) ? a->len - at :
	    strnlen(a->un.sun_path, a->len - at));
}

void
addr_host(const struct addr *a, char out[ADDR_HOST_MAX])
{
	const uint8_t *b;
	struct str path;

	switch (a->len == 0 ? AF_UNSPEC : a->sa.sa_family) {
	case AF_INET:
		b = (const uint8_t *)&a->in4.sin_addr;
		for (unsigned i = 0; i < 4; i++)
			out = put_byte(out, b[i], i < 3 ? '.' : '\0');
		return;
	case AF_INET6:
		if (getnameinfo(&a->sa, a->len, out, ADDR_HOST_MAX, NULL, 0,
		    NI_NUMERICHOST) != 0)
			strcpy(out, "::");
		return;
	case AF_UNIX:
		path = unix_path(a);
		if (path.len == 0)
			break;
		snprintf(out, ADDR_HOST_MAX, "%.*s", STR_ARG(path));
		if (addr_is_abstract(a))
			snprintf(out, ADDR_HOST_MAX, "@%.*s",
			    (int)path.len - 1, path.p + 1);
		return;
	}
	strcpy(out, "0.0.0.0");
}

unsigned
addr_port(const struct addr *a)
{
	if (a->len == 0)
		return 0;
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in4.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}

void
addr_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char host[ADDR_HOST_MAX];

	addr_host(a, host);
	if (host[0] == '/' || host[0] == '@')
		snprintf(out, ADDR_TEXT_MAX, "%s", host);
	else
		snprintf(out, ADDR_TEXT_MAX,
		    strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
		    addr_port(a));
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in4.sin_port == b->in4.sin_port &&
		    a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		    a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		    !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
			sizeof a->in6.sin6_addr);
	case AF_UNIX:
		return str_eq(unix_path(a), unix_path(b));
	}
	return false;
}

bool
addr_in_net(const struct addr *a, const struct addr *net, unsigned bits)
{
	const unsigned char *p, *q;

	if (a->len == 0 || a->sa.sa_family != net->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET) {
		p = (const unsigned char *)&a->in4.sin_addr;
		q = (const unsigned char *)&net->in4.sin_addr;
	} else if (a->sa.sa_family == AF_INET6) {
		p = (const unsigned char *)&a->in6.sin6_addr;
		q = (const unsigned char *)&net->in6.sin6_addr;
	} else
		return false;
	return memcmp(p, q, bits / 8) == 0 && (bits % 8 == 0 ||
	    (p[bits / 8] ^ q[bits / 8]) >> (8 - bits % 8) == 0);
}
