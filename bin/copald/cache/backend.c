/*
 * backend.c - origins: made of VCL's declarations, their health.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "backend_conn.h"
#include "core.h"
#include "director.h"
#include "ewma.h"
#include "params.h"
#include "probe.h"
#include "resolver.h"

/* Not yet answered is no better than that. */
#define FAILURE_SECONDS 1.0

static char *
dup_str(struct str s)
{
	return s.p == NULL ? NULL : strndup(s.p, s.len);
}

/*
 * Its address as addr_parse() takes it: .host may have a port, too.  None: "".
 */
static void
address_text(const struct vcl_backend_def *d, char *text, size_t size)
{
	struct str port = d->port.p != NULL ? d->port : STR("80");

	if (d->none)
		text[0] = '\0';
	else if (d->path.p != NULL)
		snprintf(text, size, "%.*s", STR_ARG(d->path));
	else
		addr_join(d->host, port, text, size);
}

/* A name's host without the labels of a service: "_http._tcp.example.com". */
static struct str
host_of(struct str host)
{
	while (host.len > 0 && host.p[0] == '_') {
		const char *dot = memchr(host.p, '.', host.len);

		if (dot == NULL)
			break;
		host.len -= (size_t)(dot + 1 - host.p);
		host.p = dot + 1;
	}
	return host;
}

/* Takes its addresses, or its name; false: no memory. */
static bool
take_address(struct backend *b, const struct vcl_backend_def *d,
    const char *text, char *err, size_t err_len)
{
	struct addr found[8]; /* an empty host may be several */
	char name[ADDR_NAME_MAX], why[200];
	unsigned port;
	int n;

	n = addr_parse_literal(text, "80", found, 8, name, &port, why,
	    sizeof why);
	if (n < 0) {
		snprintf(err, err_len, "Backend %s: %s", d->name, why);
		return true;
	}
	if (n == 0) {
		b->dns = dns_name_get(name, name[0] == '_' ? 0 : port);
		return b->dns != NULL;
	}
	b->addrs = addr_set_new((unsigned)n);
	if (b->addrs == NULL)
		return false;
	for (int i = 0; i < n; i++)
		b->addrs->at[i].addr = found[i];
	return true;
}

struct addr_set *
backend_addrs(const struct backend *b)
{
	if (b->dns != NULL)
		return dns_name_addrs(b->dns);
	return b->addrs != NULL ? addr_set_ref(b->addrs) : NULL;
}

/* "example.com:8080", "[2001:db8::1]:80"; not "2001:db8::1" */
static struct str
without_port(struct str host)
{
	const char *colon = memchr(host.p, ':', host.len);

	if (host.len > 0 && host.p[0] == '[') {
		colon = memchr(host.p, ']', host.len);
		if (colon != NULL)
			colon++;
	} else if (colon != NULL && memchr(colon + 1, ':',
	    (size_t)(host.p + host.len - colon - 1)) != NULL) {
		return host;
	}
	return colon != NULL ? str_of(host.p, (size_t)(colon - host.p)) : host;
}

/*
 * The host name that a proxy on the way is told: .authority, or its default.
 * A port is no part of it: it is what certificates are looked up by.
 */
static struct str
authority_of(const struct vcl_backend_def *d)
{
	return d->authority.p != NULL ? d->authority : without_port(
	    d->host_header.p != NULL ? d->host_header : host_of(d->host));
}

/* Its pool, whose key says where and how it connects; false: no memory. */
static bool
take_pool(struct backend *b, const struct vcl_backend_def *d,
    const char *text)
{
	struct backend_pool_key key = {.where = str_from_z(text),
	    .preamble = str_of(d->preamble.p, d->preamble.len)};

	if (b->via != NULL) {
		key.via = b->via->pool;
		key.authority = authority_of(d);
	}
	b->pool = backend_pool_get(&key);
	return b->pool != NULL;
}

/* All but addresses; false: no memory */
static bool
fill_in(struct backend *b, const struct vcl_backend_def *d,
    const char *program_name)
{
	b->none = d->none;
	b->name = strdup(d->name);
	b->program_name = strdup(program_name);
	b->host_header = dup_str(d->host_header);
	if (b->host_header == NULL && !d->none)
		b->host_header = d->path.p != NULL ? strdup("0.0.0.0") :
		    dup_str(host_of(d->host));
	b->connect_timeout = d->connect_timeout;
	b->first_byte_timeout = d->first_byte_timeout;
	b->between_bytes_timeout = d->between_bytes_timeout;
	b->max_connections = d->max_connections;
	b->wait_timeout = d->wait_timeout;
	b->idle_timeout = d->idle_timeout;
	b->max_idle = d->max_idle;
	b->proxy_header = d->proxy_header;
	b->changed = clock_wall();
	if (d->via != NULL && *d->via != NULL)
		b->via = backend_ref(*d->via);
	return b->name != NULL && b->program_name != NULL;
}

struct backend *
backend_new(const struct vcl_backend_def *d, const char *program_name,
    char *err, size_t err_len)
{
	struct backend *b = calloc(1, sizeof *b);
	char text[600];

	err[0] = '\0';
	if (b == NULL) {
		snprintf(err, err_len, "No memory");
		return NULL;
	}
	b->ref = 1;
	b->cold = true;
	slots_init(&b->slots, d->max_connections, d->wait_limit >= 0 ?
	    (unsigned)d->wait_limit : params->backend_wait_limit);
	backend_enlist(b);
	address_text(d, text, sizeof text);
	if (!fill_in(b, d, program_name) || !take_pool(b, d, text))
		goto no_memory;
	if (d->none)
		return b;
	if (!take_address(b, d, text, err, err_len))
		goto no_memory;
	if (d->probe != NULL && !probe_join(b, d->probe))
		goto no_memory;
	return b;
no_memory:
	snprintf(err, err_len, "No memory");
	backend_unref(&b);
	return NULL;
}

struct backend *
backend_ref(struct backend *b)
{
	atomic_fetch_add_explicit(&b->ref, 1, memory_order_relaxed);
	return b;
}

static void
backend_free(struct backend *b)
{
	probe_forget(b);
	backend_delist(b);
	if (b->via != NULL)
		backend_unref(&b->via);
	slots_destroy(&b->slots);
	backend_pool_unref(&b->pool);
	dns_name_unref(&b->dns);
	addr_set_unref(&b->addrs);
	free(b->name);
	free(b->program_name);
	free(b->host_header);
	free(b);
}

void
backend_unref(struct backend **pp)
{
	struct backend *b = *pp;

	*pp = NULL;
	if (b != NULL && atomic_fetch_sub_explicit(&b->ref, 1,
	    memory_order_acq_rel) == 1)
		backend_free(b);
}

void
backend_warm(struct backend *b)
{
	if (atomic_exchange(&b->cold, false))
		atomic_fetch_add(&b->pool->warm_n, 1);
	probe_set_warm(b, true);
}

void
backend_cool(struct backend *b)
{
	probe_set_warm(b, false);
	if (!atomic_exchange(&b->cold, true) &&
	    atomic_fetch_sub(&b->pool->warm_n, 1) == 1)
		backend_conns_close(b->pool);
}

void
backend_retire(struct backend **pp)
{
	probe_leave(*pp);
	backend_delist(*pp);
	backend_cool(*pp);
	backend_unref(pp);
}

bool
backend_is_healthy(struct vcl_ctx *ctx, const struct backend *b,
    double *changed)
{
	double at = atomic_load(&b->changed), probed = 0;
	bool healthy = true;

	if (b->none || (b->dns != NULL &&
	    dns_name_state(b->dns) == DNS_UNRESOLVED))
		healthy = false;
	else if (b->director != NULL)
		healthy = director_is_healthy(ctx, b, &probed);
	else if (b->probe != NULL)
		healthy = probe_is_healthy(b->probe, &probed);
	if (changed != NULL)
		*changed = at > probed ? at : probed;
	switch ((enum backend_admin)atomic_load(&b->admin)) {
	case BACKEND_AUTO:
		break;
	case BACKEND_HEALTHY:
		return true;
	case BACKEND_SICK:
		return false;
	}
	return healthy;
}

void
backend_answered(struct backend *b, double seconds, bool failed)
{
	double now = (double)clock_mono() / 1e9;
	uint64_t old = atomic_load_explicit(&b->response,
	    memory_order_relaxed);

	if (failed) {
		atomic_fetch_add_explicit(&b->fails, 1, memory_order_relaxed);
		if (seconds < FAILURE_SECONDS)
			seconds = FAILURE_SECONDS;
	}
	while (!atomic_compare_exchange_weak_explicit(&b->response, &old,
	    ewma_add(old, now, seconds), memory_order_relaxed,
	    memory_order_relaxed))
		continue;
}
