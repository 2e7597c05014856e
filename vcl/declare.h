/*
 * declare.h - the attributes that backends and probes have.
 */
#ifndef COPAL_VCC_DECLARE_H
#define COPAL_VCC_DECLARE_H

#include <stdint.h>

enum vcc_attribute_type {
	A_STRING,
	A_PORT,  /* string or number */
	A_LINES, /* strings, each a line of a request */
	A_DURATION,
	A_INT,
	A_BOOL,
	A_BLOB,
	A_PROBE,
	A_BACKEND,
};

struct vcc_attribute {
	const char *name;
	const char *field; /* of struct vcl_backend_def or vcl_probe_def */
	enum vcc_attribute_type type;
	const char *absent; /* the field's C text without it; NULL: zero */
	int64_t min, max;   /* of a number */
};

/* each ends with a NULL name */
extern const struct vcc_attribute vcc_backend_attributes[];
extern const struct vcc_attribute vcc_probe_attributes[];

#endif
