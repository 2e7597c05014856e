/*
 * bodyaccess.c - module bodyaccess: the body of a request.
 */
#include <openssl/sha.h>

#include "regex.h"
#include "req_body.h"
#include "request.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum { LINES_MAX = 10000 }; /* that one call logs */

/* false, and a record in the log: it was not kept */
static bool
body_of(struct vcl_ctx *ctx, struct str *body)
{
	if (req_body_kept(ctx->req, body))
		return true;
	vrt_log_error(ctx, "bodyaccess: the request's body was not kept by "
	    "std.cache_req_body()");
	return false;
}

VCL_INT
vmod_bodyaccess_rematch_req_body(struct vcl_ctx *ctx, VCL_STRING pattern)
{
	char err[200] = "no expression";
	struct vcl_regex *re = NULL;
	struct str body;
	int error, r;

	if (!body_of(ctx, &body))
		return -1;
	if (pattern.p != NULL)
		re = regex_new_once(pattern, err, sizeof err);
	if (re == NULL) {
		vrt_log_error(ctx, "bodyaccess: \"%.*s\": %s",
		    STR_ARG(pattern), err);
		return -1;
	}
	r = regex_match(re, body, 0, false, NULL, &error);
	regex_free(&re);
	if (r < 0) {
		regex_error_text(error, err, sizeof err);
		vrt_log_error(ctx, "bodyaccess: the match failed: %s", err);
	}
	return r;
}

VCL_VOID
vmod_bodyaccess_hash_req_body(struct vcl_ctx *ctx)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	struct str body;

	if (!body_of(ctx, &body))
		return;
	SHA256((const uint8_t *)(body.p != NULL ? body.p : ""), body.len, sum);
	vcl_buf_append(ctx, &ctx->key, str_of((const char *)sum, sizeof sum),
	    "bodyaccess.hash_req_body");
}

VCL_INT
vmod_bodyaccess_len_req_body(struct vcl_ctx *ctx)
{
	struct str body;

	return body_of(ctx, &body) ? (VCL_INT)body.len : -1;
}

VCL_VOID
vmod_bodyaccess_log_req_body(struct vcl_ctx *ctx, VCL_STRING prefix,
    VCL_INT length)
{
	struct str body;

	if (length < 1) {
		vrt_failf(ctx, "bodyaccess.log_req_body(): a length is at "
		    "least 1");
		return;
	}
	if (!body_of(ctx, &body))
		return;
	for (unsigned i = 0; i < LINES_MAX && body.len != 0; i++) {
		size_t n = (uint64_t)length < body.len ? (size_t)length
						       : body.len;

		log_printf(ctx->log, LOG_VCL_LOG, "%.*s%.*s", STR_ARG(prefix),
		    (int)n, body.p);
		body.p += n;
		body.len -= n;
	}
}
