/*
 * vrt_match.c - "~" of VCL: regular expressions, regsub, ACLs.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "acl.h"
#include "program_impl.h"
#include "regex.h"
#include "regsub.h"
#include "vrt.h"

static void
fail_regex(struct vcl_ctx *ctx, const char *what, int error)
{
	char text[128];

	regex_error_text(error, text, sizeof text);
	vcl_fail(ctx, "%s failed: %s", what, text);
}

bool
vrt_regex_match(struct vcl_ctx *ctx, struct str subject,
    const struct vcl_regex *re)
{
	int error, r = regex_match(re, subject, 0, false, NULL, &error);

	if (r < 0)
		fail_regex(ctx, "Regular expression match", error);
	return r == 1;
}

bool
vrt_regex_match_dynamic(struct vcl_ctx *ctx, struct str subject,
    struct str pattern)
{
	char err[200];
	struct vcl_regex *re = regex_new_once(pattern, err, sizeof err);
	bool matched;

	if (re == NULL) {
		vcl_fail(ctx, "Regular expression \"%.*s\": %s",
		    STR_ARG(pattern), err);
		return false;
	}
	matched = vrt_regex_match(ctx, subject, re);
	regex_free(&re);
	return matched;
}

struct str
vrt_regsub(struct vcl_ctx *ctx, bool all, struct str subject,
    const struct vcl_regex *re, struct str substitution)
{
	struct str out = STR("");
	int error;

	switch (regsub(ctx->ws, all, subject, re, substitution, &out,
	    &error)) {
	case REGSUB_OK:
		return out;
	case REGSUB_NO_ROOM:
		vcl_fail_space(ctx, "regsub");
		break;
	case REGSUB_FAILED:
		fail_regex(ctx, "Regular expression substitution", error);
		break;
	}
	return STR("");
}

/* ---- addresses ---- */

bool
vrt_acl_match(struct vcl_ctx *ctx, const struct vcl_acl *acl,
    const struct addr *a)
{
	const char *entry = NULL;
	bool match;

	if (acl == NULL || a == NULL) {
		vcl_fail(ctx, "ACL match without an address");
		return false;
	}
	match = acl_has(acl, a, &entry);
	if (acl_logs(acl) && ctx->log != NULL) {
		if (entry == NULL)
			log_printf(ctx->log, LOG_VCL_ACL, "NO_MATCH %s",
			    acl_name(acl));
		else
			log_printf(ctx->log, LOG_VCL_ACL, "%s %s %s",
			    match ? "MATCH" : "NEG_MATCH", acl_name(acl),
			    entry);
	}
	return match;
}

/* Without the port, as VCL compares them. */
bool
vrt_ip_eq(const struct addr *a, const struct addr *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16);
	return addr_eq(a, b);
}
