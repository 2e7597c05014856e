/*
 * parse_stmt.h - tokens to statements.
 */
#ifndef COPAL_VCC_PARSE_STMT_H
#define COPAL_VCC_PARSE_STMT_H

#include "parser.h"

/* { statements }, from its '{' on; NULL if there are none. */
struct vcc_stmt *vcc_parse_block(struct vcc_parser *);

#endif
