/*
 * emit.h - pieces of C text.
 */
#ifndef COPAL_VCC_EMIT_H
#define COPAL_VCC_EMIT_H

#include "compiler.h"

/* A C string literal of any bytes. */
void vcc_emit_literal(struct vcc_buf *, struct str);
/* {"...", length}, to initialise a struct str */
void vcc_emit_str(struct vcc_buf *, struct str);
/* A double, which reads back the same. */
void vcc_emit_double(struct vcc_buf *, double);
/*
 * The C name of a header, backend or acl: the number makes it unique, the
 * name, in lower case, tells the reader which it is.
 */
void vcc_emit_name(
    struct vcc_buf *, const char *kind, unsigned number, struct str name);
/* Is it the X-Varnish of a message that has X-Copal instead? */
bool vcc_is_x_varnish(const struct vcc_expr *header);
/* The C name of a sub. */
void vcc_emit_sub_name(struct vcc_buf *, const struct vcc_sub *);
/* A checked expression; what has operators is in parentheses. */
void vcc_emit_expr(struct vcc_buf *, const struct vcc_expr *);
/* The same as the whole of a condition, without them. */
void vcc_emit_condition(struct vcc_buf *, const struct vcc_expr *);
/* , and one argument of a function: two if it is optional, one if it is not */
void vcc_emit_args(struct vcc_buf *, const struct vcc_expr *);
/* .name = table, .name_n = n; or nothing */
void vcc_emit_table(
    struct vcc_buf *, const char *name, const char *table, unsigned n);
/* emit_module.c: modules; in this order, with the subs before the tables */
void vcc_emit_module_prototypes(struct vcc *, struct vcc_buf *);
void vcc_emit_module_data(struct vcc *, struct vcc_buf *);
void vcc_emit_module_tables(struct vcc *, struct vcc_buf *);
/* emit_sub.c: the function of a sub */
void vcc_emit_sub(struct vcc_buf *, const struct vcc_sub *);

#endif
