/*
 * listener.h - the sockets of -a.
 *
 * Bound once, and held by the manager as long as it lives: a worker's crash
 * or restart refuses no connection.  A TCP address has a socket, and so an
 * accept queue, for each core (SO_REUSEPORT).
 */
#ifndef COPAL_LISTENER_H
#define COPAL_LISTENER_H

#include <stdbool.h>

#include "cli.h"
#include "worker.h"

enum { LISTENER_ERR_MAX = 512 };

/*
 * Binds an argument of -a,
 * [name=]address[:port][,HTTP|,PROXY][,from=net][,user=u][,group=g]
 * [,mode=m], with cores sockets an address; adds to w->listener, of which
 * there is room for LISTEN_MAX.  false with a message in err.
 */
bool listener_add(struct worker_config *w, const char *arg, unsigned cores,
    char err[LISTENER_ERR_MAX]);
/*
 * Before a worker starts: as many sockets as cores (workers has changed), and
 * the parameter listen_depth.  false with a message in err.
 */
bool listener_prepare(
    struct worker_config *w, unsigned cores, char err[LISTENER_ERR_MAX]);
/* A line each: name, address, port (- for a unix socket). */
void listener_list(const struct worker_config *, struct cli_answer *);
/* Removes the paths of unix sockets; at the end. */
void listener_remove(const struct worker_config *);

#endif
