/*
 * worker.h - what the manager gives to a worker process, and gets back.
 *
 * The worker is forked from the manager without exec: it inherits the
 * listening sockets, the mappings (parameters, panic area, log, counters) and
 * one end of a socketpair, over which the manager sends CLI commands
 * in the CLI's own protocol (a line in, a length-prefixed answer out, one at
 * a time; the worker says nothing unasked).
 *
 * Commands that only the manager sends (besides those of tbl/cli_cmds.h):
 *   vcl.load <name> <path of the .so> <auto|warm|cold>
 *   vcl.use <name>      vcl.discard <name>      vcl.state <name> <state>
 *   vcl.refs            a line a program: name, requests using it, and
 *                       available, active or discarded
 *   start               open stores, begin to accept; 200 when it does
 *   stop                finish requests (shutdown_timeout), commit, exit(0)
 *   ping                200: the worker lives
 * At start all programs are loaded and one is used before "start" comes;
 * there may be none.  Each answer is awaited for cli_timeout, then the worker
 * gets SIGQUIT.
 *
 * The end of the command stream (the manager is gone) is a "stop", and so
 * is SIGTERM, which the kernel sends when the manager dies.  SIGINT, SIGHUP
 * and SIGPIPE are ignored, all others are at their defaults.  stdout and
 * stderr lead to the manager's log.
 */
#ifndef COPAL_WORKER_H
#define COPAL_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "sock.h"

enum { LISTEN_MAX = 64, STORE_SPEC_MAX = 16, PROXY_FROM_MAX = 32 };

struct network {
	struct addr addr;
	unsigned bits;
};

struct listener { /* one -a */
	char name[64];      /* "a0" ... or given */
	struct addr addr;   /* as bound: a port 0 was replaced */
	bool proxy;         /* connections begin with a PROXY header */
	unsigned from_n;    /* those from here do, others not; 0: all do */
	struct network from[PROXY_FROM_MAX];
	unsigned fd_n;      /* = cores with SO_REUSEPORT; 1 for unix */
	int *fd;
};

enum store_kind { STORE_KIND_LMDB, STORE_KIND_RAM };

struct store_spec { /* one -s */
	enum store_kind kind;
	char name[64];
	char dir[512];
	uint64_t size;
};

struct panic_area { /* shared; written by a dying worker */
	char text[8192];
};

struct worker_config {
	char workdir[512];
	char identity[256];     /* -i; server.identity */
	unsigned cores;
	unsigned listener_n;
	struct listener *listener;
	unsigned store_n;       /* at least 1 */
	struct store_spec store[STORE_SPEC_MAX];
	struct panic_area *panic;
	struct counters_map *counters; /* cores + 1 blocks */
	int cli_fd;
};

/* The worker process; does not return. Privileges are already dropped. */
void worker_main(const struct worker_config *) __attribute__((noreturn));

#endif
