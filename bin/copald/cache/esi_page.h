/*
 * esi_page.h - a page with ESI on its way to a client.
 *
 * The client's request sends the page's texts, and between them the includes
 * send theirs.  An include is a request of its own, on a fiber of its own,
 * with policy, lookup and log; its stream (stream.h) puts its body into the
 * page when its turn comes, and drops its head.  What includes find or fetch
 * goes on ahead of their turn, some of them at a time.
 *
 *	text -> [include 1] -> text -> [include 2] -> text
 *	         turn           ahead:  fetches, waits to send
 *
 * An include may have includes in turn: it then is to them what the page is
 * to it.  All of a page runs on one core.
 */
#ifndef COPAL_ESI_PAGE_H
#define COPAL_ESI_PAGE_H

#include "filters.h"
#include "request.h"

struct esi_item;

/* What a client's request and all includes below it have in common. */
struct esi_page {
	struct request *top;    /* the client's */
	struct filters *pack;   /* of all that is sent; NULL: as it is */
	unsigned include_n;     /* begun so far */
	unsigned running;       /* that have not ended */
	nsec_t left;            /* of esi_timeout */
};

/* Is ESI to be carried out in the response (resp.do_esi, resp.filters)? */
bool esi_is_wanted(const struct request *);
/* The head's fields are those of the page. false: no room. */
bool esi_change_head(struct request *);
/* Sends req->resp with the page that req->obj's body makes. */
void esi_deliver(struct request *) WAITS;

/* Bytes of the page, in the order of the page. 0 or -1 as for a stream. */
int esi_page_write(struct esi_page *, const char *p, size_t len) WAITS;

/*
 * Until when a part of a page waits for others; NSEC_NEVER if the request is
 * no part of one.
 */
nsec_t esi_deadline(const struct request *);
/* It has waited since began (loop_now()): that is off what the page has. */
void esi_waited(struct request *, nsec_t began);

/* --- an include (esi_include.c) ------------------------------------------ */

struct esi_include;

struct esi_includes { /* in the order of the page */
	struct esi_include *first, *last;
	unsigned n;
};

void esi_includes_add(struct esi_includes *, struct esi_include *);
struct esi_include *esi_includes_take(struct esi_includes *); /* the first */

/* Begins it: it runs up to its turn.  NULL: no memory. */
struct esi_include *esi_include_start(struct request *parent,
    const struct esi_item *);
bool esi_include_has_ended(const struct esi_include *);
/*
 * It is its turn; returns when it has ended, or is too slow.  false: it
 * failed, and the page must end with it.
 */
bool esi_include_run(struct esi_include *) WAITS;
/* Its turn will not come, or is over; waits for its end and frees it. */
void esi_include_end(struct esi_include **) WAITS;

#endif
