/*
 * types.c - VCL's types, and what can be done with values of them.
 */
#include "types.h"

static const struct type {
	const char *name;
	struct vcc_to_string to_string;
} types[TYPE_MAX] = {
#define VCL_TYPE(id, to_string, takes_ctx, may_fail, doc) \
	{#id, {to_string, takes_ctx, may_fail}},
#include "tbl/vcl_types.h"
#undef VCL_TYPE
};

const char *
vcc_type_name(enum vcc_type type)
{
	return type < TYPE_MAX ? types[type].name : "?";
}

enum vcc_type
vcc_type_from_name(struct str name)
{
	if (str_eq(name, STR("STRING_LIST")) || str_eq(name, STR("STRANDS")))
		return TYPE_STRING;
	for (enum vcc_type t = 0; t < TYPE_MAX; t++) {
		if (str_eq(name, str_from_z(types[t].name)))
			return t;
	}
	return TYPE_MAX;
}

const struct vcc_to_string *
vcc_to_string(enum vcc_type type)
{
	return &types[type].to_string;
}

static const struct {
	const char *ops;
	enum vcc_type l, r, result;
} arithmetic[] = {
    {"+-*/%", TYPE_INT, TYPE_INT, TYPE_INT},
    {"+-*/", TYPE_REAL, TYPE_REAL, TYPE_REAL},
    {"+-*/", TYPE_REAL, TYPE_INT, TYPE_REAL},
    {"+-*/", TYPE_INT, TYPE_REAL, TYPE_REAL},
    {"+-", TYPE_DURATION, TYPE_DURATION, TYPE_DURATION},
    {"*/", TYPE_DURATION, TYPE_REAL, TYPE_DURATION},
    {"*/", TYPE_DURATION, TYPE_INT, TYPE_DURATION},
    {"*", TYPE_REAL, TYPE_DURATION, TYPE_DURATION},
    {"*", TYPE_INT, TYPE_DURATION, TYPE_DURATION},
    {"+-", TYPE_TIME, TYPE_DURATION, TYPE_TIME},
    {"-", TYPE_TIME, TYPE_TIME, TYPE_DURATION},
    {"+-", TYPE_BYTES, TYPE_BYTES, TYPE_BYTES},
    {"*/", TYPE_BYTES, TYPE_REAL, TYPE_BYTES},
    {"*/", TYPE_BYTES, TYPE_INT, TYPE_BYTES},
};

static bool
has_op(const char *ops, unsigned op)
{
	for (; *ops; ops++) {
		if ((unsigned char)*ops == op)
			return true;
	}
	return false;
}

enum vcc_type
vcc_arithmetic(unsigned op, enum vcc_type l, enum vcc_type r)
{
	for (unsigned i = 0; i < sizeof(arithmetic) / sizeof(*arithmetic);
	     i++) {
		if (arithmetic[i].l == l && arithmetic[i].r == r &&
		    has_op(arithmetic[i].ops, op))
			return arithmetic[i].result;
	}
	return TYPE_MAX;
}

static const struct {
	enum vcc_type of;
	const char *ops;
	enum vcc_type operand;
} assign[] = {
    {TYPE_INT, "+-*/", TYPE_INT},
    {TYPE_REAL, "+-*/", TYPE_REAL},
    {TYPE_DURATION, "+-", TYPE_DURATION},
    {TYPE_DURATION, "*/", TYPE_REAL},
    {TYPE_TIME, "+-", TYPE_DURATION},
    {TYPE_BYTES, "+-", TYPE_BYTES},
    {TYPE_BYTES, "*/", TYPE_REAL},
    {TYPE_STRING, "+", TYPE_STRING},
    {TYPE_HEADER, "+", TYPE_STRING},
    {TYPE_BODY, "+", TYPE_BODY}, /* or a STRING, or a BLOB */
};

enum vcc_type
vcc_assign_operand(unsigned op, enum vcc_type of)
{
	for (unsigned i = 0; i < sizeof(assign) / sizeof(*assign); i++) {
		if (assign[i].of == of && has_op(assign[i].ops, op))
			return assign[i].operand;
	}
	return TYPE_MAX;
}

bool
vcc_is_ordered(enum vcc_type type)
{
	return type == TYPE_INT || type == TYPE_REAL || type == TYPE_BYTES ||
	       type == TYPE_DURATION || type == TYPE_TIME ||
	       type == TYPE_STRING;
}

bool
vcc_is_comparable(enum vcc_type type)
{
	return vcc_is_ordered(type) || type == TYPE_BOOL || type == TYPE_IP ||
	       type == TYPE_BACKEND || type == TYPE_STEVEDORE ||
	       type == TYPE_ACL || type == TYPE_PROBE;
}
