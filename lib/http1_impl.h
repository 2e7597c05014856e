/*
 * http1_impl.h - between http1_head.c (syntax) and http1_framing.c (meaning).
 */
#ifndef COPAL_HTTP1_IMPL_H
#define COPAL_HTTP1_IMPL_H

#include "http1.h"

/* Start line and fields of a request or response head, nothing more. */
enum h1_result h1_read_head(bool request, struct http *h, const char *buf,
    size_t len, struct h1_scan *scan, const struct h1_limits *limits,
    size_t *head_len, const char **why);

#endif
