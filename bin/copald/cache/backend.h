/*
 * backend.h - what VCL calls a backend: an origin, or a director.
 *
 * An origin has addresses, limits, perhaps a probe, and a pool of idle
 * connections (backend_pool.h).  A director belongs to a module, and picks one
 * of its own backends when it is asked (vmod_director.h).  Both belong to a VCL
 * program.
 */
#ifndef COPAL_BACKEND_H
#define COPAL_BACKEND_H

#include <stdatomic.h>
#include <stdio.h>

#include "addr_set.h"
#include "backend_pool.h"
#include "backend_slots.h"
#include "retry_budget.h"
#include "vmod_director.h"

struct core;
struct dns_name;
struct log_txn;
struct probe;
struct probe_mail;

enum backend_admin { BACKEND_AUTO, BACKEND_HEALTHY, BACKEND_SICK };

struct backend {
	_Atomic uint32_t ref;
	char *name;             /* as in VCL */
	char *program_name;
	_Atomic int admin;      /* enum backend_admin */
	_Atomic double changed; /* when admin last did, wall clock */
	struct backend *next;   /* all of them; backend.list */

	/* a director; NULL: an origin, which has what is below */
	const struct vmod_director_methods *director;
	void *priv;

	bool none;              /* backend x none; */
	char *host_header;
	double connect_timeout, first_byte_timeout, between_bytes_timeout;
	                        /* < 0: the parameter */
	unsigned max_connections; /* requests at a time; 0: no limit */
	double wait_timeout, idle_timeout; /* < 0: the parameter */
	int max_idle;           /* < 0: the parameter */
	unsigned proxy_header;
	struct dns_name *dns;   /* its name; NULL: it has addresses */
	struct addr_set *addrs; /* NULL: it has a name, or is wrong */
	_Atomic uint64_t turn;  /* of its addresses */
	struct backend *via;    /* we connect to that one; counted */
	struct probe *probe;    /* NULL: always healthy */
	struct probe_mail *probe_stop;
	struct backend *next_of_probe;
	bool warm;              /* probed; under the probes' lock */

	struct backend_slots slots;    /* its requests in flight */
	_Atomic uint64_t requests, fails, retries, unhealthy, busy;
	struct retry_budget retry_budget;
	_Atomic uint64_t response;     /* ewma.h */
	struct backend_pool *pool;     /* of its connections; counted */
	_Atomic bool cold;      /* not one for whom connections are kept */
};

/*
 * An origin; NULL with a message in err.  Its name is resolved in the
 * background (resolver.h); a port that is none is a message, and a backend
 * without addresses.  Cold at first.
 */
struct backend *backend_new(const struct vcl_backend_def *,
    const char *program_name, char *err, size_t err_len);
struct backend *backend_ref(struct backend *);
void backend_unref(struct backend **);
/*
 * Its program gets cold: it is not probed, and unless a warm backend shares
 * its pool, idle connections are closed, those in use when their request
 * ends.  Warm again: they are kept, and it is.
 */
void backend_cool(struct backend *);
void backend_warm(struct backend *);
/* Cools it, and gives up the reference of the program that had it. */
void backend_retire(struct backend **);

/* Its addresses, counted; NULL: there are none (yet). */
struct addr_set *backend_addrs(const struct backend *);

/*
 * The origin behind b, through directors; b itself if it is one.  NULL, and
 * why in ctx' log, if there is none.
 */
struct backend *backend_resolve(struct vcl_ctx *ctx, struct backend *b);
/* ctx and changed may be NULL; *changed: when it last changed, wall clock */
bool backend_is_healthy(struct vcl_ctx *ctx, const struct backend *b,
    double *changed);
/*
 * A request is over: seconds until the response began, or until it failed.
 */
void backend_answered(struct backend *, double seconds, bool failed);

/* Closes all that are idle on the core, whose thread calls it. */
void backends_close_idle(struct core *);

/* The administrator's commands; print to out (JSON if json). */
void backend_list(FILE *out, const char *pattern, bool json, bool detail);
/* Their counters to <workdir>/log/backends, if they changed. */
void backends_write_stats(const char *workdir);
/* how many matched */
unsigned backend_set_health(const char *pattern, enum backend_admin);
/* Some went sick: who waits for a connection to them does so no longer. */
void backends_release_waiting(void);

/* --- of the files that make them ----------------------------------------- */

/* Into the list of all, at its end, and out of it. */
void backend_enlist(struct backend *);
void backend_delist(struct backend *);

#endif
