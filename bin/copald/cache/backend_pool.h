/*
 * backend_pool.h - where connections to an origin go when they are idle.
 *
 * A connection does not mind which backend it is used for, or of which VCL
 * program: backends that would make the same one share a pool.  So a change
 * of VCL finds the connections that the program before had kept.
 *
 *     backend vcl1.b --+
 *     backend vcl2.b --+-> pool "10.0.0.1:80" -> idle: core 0, core 1, ...
 *     backend vcl2.c ----> pool "10.0.0.2:80" -> ...
 *
 * What is idle is for backend_conn.c; this is who shares it.
 */
#ifndef COPAL_BACKEND_POOL_H
#define COPAL_BACKEND_POOL_H

#include <stdatomic.h>
#include <stdint.h>

#include "str.h"

struct backend_conn;

/* What makes two connections the same: to where, and how they begin. */
struct backend_pool_key {
	struct str where;         /* as declared: "host:port", "/path" */
	struct backend_pool *via; /* of the proxy on the way; NULL: none */
	struct str authority;     /* which it is told */
	struct str preamble;      /* bytes */
};

struct backend_pool {
	_Atomic uint32_t ref;
	struct backend_pool *next; /* in its bucket */
	struct backend_pool_key key; /* its own copies; via is counted */
	_Atomic unsigned warm_n;      /* warm backends; 0: nothing is kept */
	_Atomic unsigned connections; /* open, idle ones included */
	_Atomic unsigned idle_n;
	struct backend_conn *_Atomic *idle; /* a list a core */
};

/* The pool for such connections, counted; NULL: no memory.  Any thread. */
struct backend_pool *backend_pool_get(const struct backend_pool_key *);
struct backend_pool *backend_pool_ref(struct backend_pool *);
void backend_pool_unref(struct backend_pool **);

#endif
