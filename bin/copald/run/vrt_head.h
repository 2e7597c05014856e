/*
 * vrt_head.h - setting fields and start lines for VCL, checked and logged.
 *
 * ctx->http[which] is there.  A bad value, or no room, is a failure of the
 * transaction.
 */
#ifndef COPAL_VRT_HEAD_H
#define COPAL_VRT_HEAD_H

#include "vrt.h"

/* One field of that name is left. */
void vcl_head_set(struct vcl_ctx *, enum vcl_http which,
    const struct field_name *, struct str value);
/* One more field of that name. */
void vcl_head_add(struct vcl_ctx *, enum vcl_http which,
    const struct field_name *, struct str value);
/* Field i becomes this one. */
void vcl_head_replace_at(struct vcl_ctx *, enum vcl_http which, unsigned i,
    const struct field_name *, struct str value);
void vcl_head_remove_at(struct vcl_ctx *, enum vcl_http which, unsigned i);
/* false, and a failure: there is no such head here, or it is a stored one */
bool vcl_head_is_writable(struct vcl_ctx *, enum vcl_http which);
void vcl_set_method(struct vcl_ctx *, enum vcl_http which, struct str);
void vcl_set_url(struct vcl_ctx *, enum vcl_http which, struct str);
void vcl_set_proto(struct vcl_ctx *, enum vcl_http which, struct str);
/* The reason phrase goes with it. */
void vcl_set_status(struct vcl_ctx *, enum vcl_http which, int64_t status);
void vcl_set_reason(struct vcl_ctx *, enum vcl_http which, struct str);
/* resp.filters, beresp.filters: names that we know, separated by spaces */
void vcl_set_filters(struct vcl_ctx *, enum vcl_http which, struct str);
/* "HTTP/1.1"; h may be NULL */
struct str vcl_proto(const struct http *h);

#endif
