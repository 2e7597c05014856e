/*
 * conn.h - a client's HTTP/1 connection.
 *
 *           +-------------- leftover or readable ---------------+
 *           v                                                   |
 *   IDLE --bytes--> HEAD --complete--> SERVING (a fiber) --done-+
 *    ^                |                   |                     |
 *    |                +--bad: 400----+    +--close--> CLOSED    |
 *    +-------------------------------|--------------------------+
 *                                    v
 *                                 CLOSED
 *
 * An idle connection owns this struct and nothing else: no stack, no buffer,
 * no timer of its own turn (the one it has is armed lazily).
 */
#ifndef COPAL_CONN_H
#define COPAL_CONN_H

struct addr;
struct core;
struct listener;

/* Takes over fd. */
void conn_open(struct core *, const struct listener *, int fd,
    const struct addr *peer);
/* Closes what waits for a request; others close when theirs is finished. */
void conns_close_idle(struct core *);
/* Also what has sent a part of a head; fibers close their own. */
void conns_close_all(struct core *);

#endif
