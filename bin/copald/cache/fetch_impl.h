/*
 * fetch_impl.h - what the parts of a fetch know of each other.
 */
#ifndef COPAL_FETCH_IMPL_H
#define COPAL_FETCH_IMPL_H

#include "fetch.h"
#include "upstream.h"

enum fetch_step {
	FS_FETCH,
	FS_CONNECT,
	FS_ANSWER,
	FS_REFRESH,
	FS_RESPONSE,
	FS_BODY,
	FS_BLOCKS,
	FS_RETRY,
	FS_ERROR,
	FS_FAIL,
	FS_DONE,
};

struct fetching { /* what lives as long as the fiber */
	struct fetch *f;
	struct upstream up;
	enum upstream_error error;
	bool again;     /* the second try after a stale connection */
	const struct backend *asked; /* the last one that got the request */
	bool early;     /* answered before it had read our body */
	bool answered;  /* the head of the final answer was read */
	unsigned interim_n; /* 1xx so far */
};

/* The fetch's fiber (fetch.c): arg is the struct fetch, with a reference. */
void fetch_run(void *arg) WAITS;
/* Tells the request that waits. */
void fetch_set_state(struct fetch *, enum fetch_state);
void fetch_event(struct fetch *, const char *what);
/* Lets go of the connection, if there is one. */
void fetch_conn_done(struct fetching *, bool keep);

/* The next step, of what went wrong; why: static text. */
enum fetch_step fetch_fail_with(struct fetch *, enum failure, const char *why);
enum fetch_step fetch_give_up(struct fetch *, enum failure, const char *why);
enum fetch_step fetch_vcl_ended(struct fetch *, enum vcl_ret);

/* fetch_exchange.c: the client's body goes to the origin as it comes. */
enum upstream_error fetch_send_body(struct fetching *) WAITS;
/* ... and its answer comes, after 1xx. */
enum upstream_error fetch_read_answer(struct fetching *) WAITS;

/* fetch_error.c */
enum fetch_step fetch_step_error(struct fetching *) WAITS;
enum fetch_step fetch_step_fail(struct fetching *) WAITS;

#endif
