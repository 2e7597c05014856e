/*
 * forwarded.c - whose request it is: X-Forwarded-For and Forwarded (RFC
 * 7239).
 *
 * Both lists grow at their ends, so what a stranger has put into them comes
 * first, where careless readers look.  With trusted_proxies strangers begin
 * with empty ones.
 */
#include "forwarded.h"
#include "networks.h"
#include "params.h"

/* Written once, when the worker starts: every core reads them. */
static struct networks trusted, may_ask;

void
forwarded_init(void)
{
	char err[PARAM_ERR_MAX];

	/* the manager has seen to it that they are right */
	if (!networks_parse(&trusted, params->trusted_proxies, err, sizeof err))
		trusted = (struct networks){0};
	if (!networks_parse(&may_ask, params->diagnose_clients, err,
	    sizeof err))
		may_ask = (struct networks){0};
}

bool
forwarded_may_ask(const struct addr *a)
{
	return networks_have(&may_ask, a);
}

static bool
append(struct http *h, enum field_id id, struct str element, struct arena *a)
{
	struct str list = http_get_list(h, id, a);

	if (list.p != NULL && list.len > 0)
		element = arena_printf(a, "%.*s, %.*s", STR_ARG(list),
		    STR_ARG(element));
	return element.p != NULL && http_set_known(h, id, element);
}

/* for=192.0.2.1;host="example.com";proto=http */
static struct str
element(struct request *req)
{
	struct str host = http_get(&req->http, FIELD_HOST);
	struct str from = req->client_host;

	switch (req->client->sa.sa_family) {
	case AF_INET:
		break;
	case AF_INET6:
		from = arena_printf(&req->ws, "\"[%.*s]\"", STR_ARG(from));
		break;
	default:
		from = STR("unknown");
	}
	if (from.p == NULL)
		return STR_NULL;
	/* what may be in a Host needs no quoting inside of quotes */
	return host.p == NULL || host.len == 0 ?
	    arena_printf(&req->ws, "for=%.*s;proto=http", STR_ARG(from)) :
	    arena_printf(&req->ws, "for=%.*s;host=\"%.*s\";proto=http",
	    STR_ARG(from), STR_ARG(host));
}

bool
forwarded_put(struct request *req)
{
	struct http *h = &req->http;
	struct str from;

	if (!networks_have(&trusted, req->client)) {
		http_unset(h, FIELD_X_FORWARDED_FOR);
		http_unset(h, FIELD_FORWARDED);
	}
	from = arena_strdup(&req->ws, req->client_host);
	if (from.p == NULL ||
	    !append(h, FIELD_X_FORWARDED_FOR, from, &req->ws))
		return false;
	if (!params->forwarded)
		return true;
	from = element(req);
	return from.p != NULL && append(h, FIELD_FORWARDED, from, &req->ws);
}
