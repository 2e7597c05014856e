/*
 * acceptor.h - a core's end of each listening socket.
 */
#ifndef COPAL_ACCEPTOR_H
#define COPAL_ACCEPTOR_H

struct core;
struct listener;

/* Begins to accept from socket core->index of each listener. */
void acceptors_open(struct core *, const struct listener *, unsigned n);
/* Stops; the sockets stay open in the manager. */
void acceptors_close(struct core *);

#endif
