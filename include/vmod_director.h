/*
 * vmod_director.h - BACKENDs that a module makes: directors.
 *
 * In VCL a director is a BACKEND as any other.  It is asked for one of its
 * own backends when a request is about to be sent (or when VCL says
 * x.resolve()), on whichever core the request is: methods run on many
 * threads at a time.  What a director gives may be a director again.
 */
#ifndef COPAL_VMOD_DIRECTOR_H
#define COPAL_VMOD_DIRECTOR_H

#include "vcl_abi.h"

struct vmod_director_list; /* what backend.list prints; see list() */

struct vmod_director_methods {
	const char *type; /* as backend.list -j says: "round-robin" */
	/*
	 * A backend for this transaction, NULL if there is none (healthy).
	 * Does not wait.
	 */
	struct backend *(*resolve)(struct vcl_ctx *, void *priv);
	/*
	 * Is there a healthy one?  *changed (if not NULL): when that last
	 * changed, seconds since 1970.  ctx is NULL outside of transactions.
	 */
	bool (*healthy)(struct vcl_ctx *, void *priv, double *changed);
	/*
	 * Tells of its backends, by calls of vrt_director_list_*.  NULL:
	 * there is nothing to tell.
	 */
	void (*list)(void *priv, struct vmod_director_list *);
	/* Of vrt_director_free(): frees priv.  May be NULL. */
	void (*free)(void *priv);
};

/*
 * A director; name: as the user called it, copied.  methods stay the
 * module's.  From an object's constructor only; NULL: no memory, which is
 * recorded as a failure.
 */
struct backend *vrt_director_new(struct vcl_ctx *,
    const struct vmod_director_methods *, const char *name, void *priv);
/*
 * From the object's destructor, which runs when no request uses the program
 * any more.  Leaves NULL; NULL is allowed.
 */
void vrt_director_free(struct backend **);

/* as vrt_backend_healthy(), and since when; changed may be NULL */
bool vrt_backend_health(struct vcl_ctx *, const struct backend *,
    double *changed);
/* "a", as in VCL; lives as long as the backend */
const char *vrt_backend_name(const struct backend *);
/* Is it a director? */
bool vrt_backend_is_director(const struct backend *);
/* Requests that it works on, those that connect included; a director: 0. */
unsigned vrt_backend_in_flight(const struct backend *);
/*
 * Seconds to the first byte of a response, an average that follows peaks at
 * once and forgets them with a time constant of 10 s; a failure counts as at
 * least a second.  0: nothing is known; a director: 0.
 */
double vrt_backend_response_time(const struct backend *);
/* The backend of that name of the program that runs; NULL: there is none. */
struct backend *vrt_backend_by_name(struct vcl_ctx *, struct str name);

/* --- of list() ----------------------------------------------------------- */

/* A value of the director itself; json: as it is, so strings with quotes. */
void vrt_director_list_value(struct vmod_director_list *, const char *key,
    const char *json);
/* Begins the line of one of its backends. */
void vrt_director_list_row(struct vmod_director_list *, struct backend *);
/*
 * A column of this line: title and text for people, key and json for
 * programs.  Each line has the same columns in the same order.  title NULL:
 * only for programs; key NULL: only for people.  The backend's health is a
 * column already.
 */
void vrt_director_list_cell(struct vmod_director_list *, const char *title,
    const char *text, const char *key, const char *json);

#endif
