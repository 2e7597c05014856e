/*
 * manual.h - the manual page that a module's description makes.
 */
#ifndef COPAL_VMOD_MANUAL_H
#define COPAL_VMOD_MANUAL_H

#include "compiler.h"

/* vmod_<name>(3), in roff */
void manual_write(struct vcc *, struct vcc_buf *, const struct vcc_module *);

#endif
