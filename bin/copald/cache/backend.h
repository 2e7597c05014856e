/*
 * backend.h - an origin: its address, limits, health, and idle connections.
 *
 * A backend belongs to a VCL program.  Idle connections are kept by each
 * core for itself, most recently used first.
 */
#ifndef COPAL_BACKEND_H
#define COPAL_BACKEND_H

#include <stdatomic.h>
#include <stdio.h>

#include "loop.h"
#include "sock.h"
#include "vcl_abi.h"

enum { BACKEND_ADDR_MAX = 4 };

enum backend_admin { BACKEND_AUTO, BACKEND_HEALTHY, BACKEND_SICK };

struct backend {
	_Atomic uint32_t ref;
	char *name;             /* as in VCL */
	char *program_name;
	bool none;
	char *host_header;
	double connect_timeout, first_byte_timeout, between_bytes_timeout;
	unsigned max_connections;
	unsigned proxy_header;
	unsigned addr_n;
	struct addr addr[BACKEND_ADDR_MAX];
	_Atomic int admin;      /* enum backend_admin */
	_Atomic double changed; /* when health last changed, wall clock */
	_Atomic unsigned connections; /* open, idle ones included */
	_Atomic uint64_t requests, fails;
	struct backend_conn *_Atomic *idle; /* a list a core */
	_Atomic bool retired;   /* connections are not kept any more */
	struct backend *next;   /* all backends; backend.list */
};

/* An open connection to an origin; belongs to one core. */
struct backend_conn {
	struct source src;
	struct backend *backend;
	struct addr addr;       /* of the peer */
	struct backend_conn *next;
	struct timer idle_timer;
	bool reused;            /* it has carried a request before */
	uint64_t requests;
};

/*
 * Resolves host and port (may block in DNS); NULL with a message in err.  A
 * name that does not resolve is a message, and a backend without addresses.
 */
struct backend *backend_new(const struct vcl_backend_def *,
    const char *program_name, char *err, size_t err_len);
struct backend *backend_ref(struct backend *);
void backend_unref(struct backend **);
/*
 * Gives up the reference of the program that had it: idle connections are
 * closed, those in use when their request ends.
 */
void backend_retire(struct backend **);
bool backend_is_healthy(const struct backend *);

enum backend_error {
	BACKEND_OK,
	BACKEND_BUSY,    /* max_connections */
	BACKEND_SICK_NOW,
	BACKEND_REFUSED, /* connect failed; errno in *err */
	BACKEND_TIMEOUT,
	BACKEND_CANCELED,
	BACKEND_NO_ADDRESS,
};
/*
 * An idle connection (unless fresh is asked for), or a new one.
 * *out is the caller's, to backend_conn_put.
 */
enum backend_error backend_get(struct backend *, bool fresh,
    double connect_timeout, struct backend_conn **out, int *err) WAITS;
/* Keeps it for reuse, or closes it. */
void backend_conn_put(struct backend_conn **, bool keep);
const char *backend_error_text(enum backend_error);

/* The administrator's commands; print to out (JSON if json). */
void backend_list(FILE *out, const char *pattern, bool json, bool detail);
/* how many matched */
unsigned backend_set_health(const char *pattern, enum backend_admin);

#endif
