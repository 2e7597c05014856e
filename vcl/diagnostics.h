/*
 * diagnostics.h - errors, warnings and notes, with the line that is meant.
 *
 *   file.vcl:12:6: error: unknown variable 'req.ulr'; did you mean 'req.url'?
 *     if (req.ulr ~ "x") {
 *         ^^^^^^^
 */
#ifndef COPAL_VCC_DIAGNOSTICS_H
#define COPAL_VCC_DIAGNOSTICS_H

#include "source.h"

enum { VCC_ERROR_MAX = 20 }; /* after so many the compiler stops */

/* A span without a source is a message about the program as a whole. */
void vcc_error(struct vcc *, struct vcc_span, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* an error if the options say so */
void vcc_warning(struct vcc *, struct vcc_span, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* more about the message before it */
void vcc_note(struct vcc *, struct vcc_span, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The nearest of several names to one that was not found. */
struct vcc_nearest {
	struct str wanted;
	struct str best; /* p NULL: nothing is near */
	unsigned distance;
};

struct vcc_nearest vcc_nearest(struct str wanted);
void vcc_nearest_try(struct vcc_nearest *, struct str candidate);
/* "; did you mean 'x'?" or "" */
const char *vcc_did_you_mean(struct vcc *, const struct vcc_nearest *);

#endif
