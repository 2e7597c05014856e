/*
 * types.h - VCL's types, and what can be done with values of them.
 */
#ifndef COPAL_VCC_TYPES_H
#define COPAL_VCC_TYPES_H

#include <stdbool.h>

#include "str.h"

enum vcc_type {
#define VCL_TYPE(id, to_string, takes_ctx, may_fail, doc) TYPE_##id,
#include "tbl/vcl_types.h"
#undef VCL_TYPE
	TYPE_MAX
};

const char *vcc_type_name(enum vcc_type);
/* TYPE_MAX if there is no such type; STRING_LIST is STRING. */
enum vcc_type vcc_type_from_name(struct str);

struct vcc_to_string {
	const char *function; /* NULL: it has no string form */
	bool takes_ctx, may_fail;
};
const struct vcc_to_string *vcc_to_string(enum vcc_type);

/*
 * What l op r is: op one of + - * / %; TYPE_MAX if it can't be.  An INT
 * beside a REAL, and one that a duration or a size is multiplied with, is to
 * be converted to REAL.
 */
enum vcc_type vcc_arithmetic(unsigned op, enum vcc_type l, enum vcc_type r);
/*
 * What may stand on the right of "set <of type> op=": TYPE_MAX if it can't
 * be.  op is '+', '-', '*' or '/'.
 */
enum vcc_type vcc_assign_operand(unsigned op, enum vcc_type of);
/* Have values of that type an order, or (else) an equality? */
bool vcc_is_ordered(enum vcc_type);
bool vcc_is_comparable(enum vcc_type);

#endif
