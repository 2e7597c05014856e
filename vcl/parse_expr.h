/*
 * parse_expr.h - tokens to expressions.
 */
#ifndef COPAL_VCC_PARSE_EXPR_H
#define COPAL_VCC_PARSE_EXPR_H

#include "parser.h"

/* NULL after an error was reported. */
struct vcc_expr *vcc_parse_expr(struct vcc_parser *);
/* Only a name: req.url, req.http.host, req.http."odd.name" */
struct vcc_expr *vcc_parse_name(struct vcc_parser *, const char *what);

#endif
