/*
 * std_ip.c - module std: addresses from text, and their ports.
 */
#include <netdb.h>
#include <stdlib.h>

#include "counters.h"
#include "core.h"
#include "sock.h"
#include "vmod.h"
#include "vrt.h"
#include "vcl/vmod_functions.h"

struct lookup { /* what the pool does */
	char host[256], port[64];
	struct addrinfo hints;
	struct addr addr;
	bool found;
};

static void
look_up(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo *found, *ai;

	if (getaddrinfo(l->host, l->port, &l->hints, &found) != 0)
		return;
	for (ai = found; ai != NULL && !l->found; ai = ai->ai_next) {
		if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) ||
		    ai->ai_addrlen > sizeof l->addr.ss)
			continue;
		l->addr.len = ai->ai_addrlen;
		memcpy(&l->addr.ss, ai->ai_addr, ai->ai_addrlen);
		l->found = true;
	}
	freeaddrinfo(found);
}

static bool
copy(char *to, size_t room, struct str s)
{
	if (s.len == 0 || s.len >= room || memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(to, s.p, s.len);
	to[s.len] = '\0';
	return true;
}

/*
 * "host", "host:port", "host port", "[v6]", "[v6]:port", "[v6] port", and a
 * bare "v6", in which every colon is its own.
 */
static bool
split(struct str s, struct str default_port, struct lookup *l)
{
	struct str host = s, port = default_port;
	const char *sep;

	if (s.len != 0 && s.p[0] == '[') {
		const char *end = memchr(s.p, ']', s.len);

		if (end == NULL)
			return false;
		host = str_of(s.p + 1, end - (s.p + 1));
		s = str_of(end + 1, s.p + s.len - (end + 1));
		if (s.len != 0) {
			if (s.p[0] != ':' && s.p[0] != ' ')
				return false;
			port = str_of(s.p + 1, s.len - 1);
		}
	} else if ((sep = memchr(s.p, ' ', s.len)) != NULL ||
	    ((sep = memchr(s.p, ':', s.len)) != NULL &&
	    memchr(sep + 1, ':', s.p + s.len - (sep + 1)) == NULL)) {
		host = str_of(s.p, sep - s.p);
		port = str_of(sep + 1, s.p + s.len - (sep + 1));
	}
	port = str_trim(port);
	if (port.len == 0) /* "1.2.3.4:" */
		port = STR("0");
	return copy(l->host, sizeof l->host, str_trim(host)) &&
	    copy(l->port, sizeof l->port, port);
}

static bool
parse(struct str s, struct str default_port, bool resolve, struct lookup *l)
{
	struct core *core = core_self();

	s = str_trim(s);
	if (s.len == 0 || !split(s, default_port, l))
		return false;
	l->hints.ai_socktype = SOCK_STREAM;
	l->hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	look_up(l);
	if (l->found || !resolve)
		return l->found;
	l->hints.ai_flags = 0;
	if (core != NULL && core->pool != NULL)
		pool_call(core->pool, look_up, l, "std.ip");
	else
		look_up(l);
	return l->found;
}

VCL_IP
vmod_std_ip(struct vcl_ctx *ctx, VCL_STRING s, bool has_fallback,
    VCL_IP fallback, VCL_BOOL resolve, bool has_p, VCL_STRING p)
{
	struct lookup l = {.found = false};
	struct addr *a;

	if (!parse(s, has_p && p.len != 0 ? p : STR("80"), resolve, &l)) {
		if (!has_fallback)
			vcl_fail(ctx, "std.ip(): \"%.*s\" is not an address",
			    STR_ARG(s));
		return fallback;
	}
	a = arena_alloc(ctx->ws, sizeof *a);
	if (a == NULL) {
		vcl_fail_space(ctx, "std.ip");
		return fallback;
	}
	*a = l.addr;
	return a;
}

VCL_INT
vmod_std_port(struct vcl_ctx *ctx, VCL_IP ip)
{
	(void)ctx;
	return ip != NULL ? addr_port(ip) : 0;
}
