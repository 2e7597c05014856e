/*
 * filters.h - what a body goes through on its way in (beresp.filters) and out
 * (resp.filters): a chain of named filters.
 */
#ifndef COPAL_FILTERS_H
#define COPAL_FILTERS_H

#include <stdbool.h>

#include "http.h"

struct fetch;
struct object;
struct request;

/* In the order in which they are run when VCL does not say. */
enum filter_id {
#define FILTER(id, name, doc) FILTER_##id,
#include "tbl/filters.h"
#undef FILTER
	FILTER_MAX
};

enum filters_result {
	FILTERS_OK,
	FILTERS_BAD,       /* the body is not what its coding says */
	FILTERS_BOMB,      /* it unpacks to more than parameter unpack_ratio */
	FILTERS_NO_MEMORY,
	FILTERS_STOP,      /* the sink said so */
};

/* Takes what comes out; false: no more. */
typedef bool filter_sink(void *priv, const char *p, size_t len);

struct filters; /* opaque */

/*
 * The next name of a list, separated by spaces; moves list.  false: none is
 * left.  *id is FILTER_MAX if there is no such filter.
 */
bool filters_next(struct str *list, enum filter_id *id);
struct str filter_name(enum filter_id);

/*
 * The filters of a list whose names are right.  *out is NULL if there is
 * none.  FILTERS_NO_MEMORY, or FILTERS_OK.
 */
enum filters_result filters_new(struct str list, struct filters **out);
void filters_free(struct filters **);
/* All of in goes in; last: it is the end of the body. */
enum filters_result filters_run(struct filters *, struct str in, bool last,
    filter_sink *, void *priv);
const char *filters_text(enum filters_result);

/* As VCL has set it, or what is right for the response as it is. */
struct str filters_of_fetch(const struct fetch *);
struct str filters_of_delivery(const struct request *);

/* Is gzip its one coding? */
bool http_is_gzip(const struct http *);
/* What takes the coding off the body of such a head; empty: it has none. */
struct str filters_to_identity(const struct http *);

/*
 * A copy in gzip is unpacked for some, another one packed: caches behind us
 * must know (RFC 9110 12.5.5).  Adds that to Vary of the response to be made
 * of an object.  false: no room.
 */
bool filters_add_vary(const struct object *, struct http *response,
    struct arena *);
/* The head's coding becomes another one; "": none.  false: no room */
bool filters_change_coding(struct str coding, struct http *, struct arena *);

/*
 * The response's head, as it is when the body has gone through the filters:
 * Content-Encoding, ETag (a weak one: RFC 9110 8.8.1), Vary, no length.
 * false: no room.
 */
bool filters_change_head(struct str list, struct http *, struct arena *);
/* The bytes will be others than those that the origin named so. */
bool filters_weaken_etag(struct http *, struct arena *);

#endif
