/*
 * std_syslog.c - module std: syslog.  Alone, since <syslog.h> and our own log
 * have names in common.
 */
#include <syslog.h>

#include "vmod.h"
#include "vcl/vmod_functions.h"

VCL_VOID
vmod_std_syslog(struct vcl_ctx *ctx, VCL_INT priority, VCL_STRING s)
{
	(void)ctx;
	syslog((int)(priority & (LOG_PRIMASK | LOG_FACMASK)), "%.*s",
	    (int)s.len, s.p != NULL ? s.p : "");
}
