/*
 * proxy.c - module proxy: what a PROXY header says of the client.
 */
#include "proxy_header.h"
#include "request.h"
#include "stream.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

static VCL_STRING
text(struct vcl_ctx *ctx, struct str tlv, unsigned type)
{
	struct str value;

	if (!proxy_tlv_find(tlv, type, &value))
		return STR_NULL;
	/* as all strings of VCL */
	return vrt_copy(ctx, str_of(value.p, strnlen(value.p, value.len)));
}

struct ssl {
	unsigned flags;
	uint32_t verify;
	struct str tlv;
};

/* All zero if the header does not say it. */
static struct ssl
ssl_of(const struct vcl_ctx *ctx)
{
	struct ssl ssl = {0};
	const unsigned char *p;
	struct str value;

	if (!proxy_tlv_find(ctx->req->stream->proxy_tlv, PROXY_TLV_SSL,
	    &value) || value.len < PROXY_SSL_LEN)
		return ssl;
	p = (const unsigned char *)value.p;
	ssl.flags = p[0];
	ssl.verify = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 8 | p[4];
	ssl.tlv = str_of(value.p + PROXY_SSL_LEN, value.len - PROXY_SSL_LEN);
	return ssl;
}

VCL_STRING
vmod_proxy_alpn(struct vcl_ctx *ctx)
{
	return text(ctx, ctx->req->stream->proxy_tlv, PROXY_TLV_ALPN);
}

VCL_STRING
vmod_proxy_authority(struct vcl_ctx *ctx)
{
	return text(ctx, ctx->req->stream->proxy_tlv, PROXY_TLV_AUTHORITY);
}

VCL_BOOL
vmod_proxy_is_ssl(struct vcl_ctx *ctx)
{
	return (ssl_of(ctx).flags & PROXY_SSL) != 0;
}

VCL_BOOL
vmod_proxy_client_has_cert_sess(struct vcl_ctx *ctx)
{
	return (ssl_of(ctx).flags & PROXY_SSL_CERT_SESS) != 0;
}

VCL_BOOL
vmod_proxy_client_has_cert_conn(struct vcl_ctx *ctx)
{
	return (ssl_of(ctx).flags & PROXY_SSL_CERT_CONN) != 0;
}

VCL_INT
vmod_proxy_ssl_verify_result(struct vcl_ctx *ctx)
{
	return ssl_of(ctx).verify;
}

VCL_STRING
vmod_proxy_ssl_version(struct vcl_ctx *ctx)
{
	return text(ctx, ssl_of(ctx).tlv, PROXY_TLV_SSL_VERSION);
}

VCL_STRING
vmod_proxy_client_cert_cn(struct vcl_ctx *ctx)
{
	return text(ctx, ssl_of(ctx).tlv, PROXY_TLV_SSL_CN);
}

VCL_STRING
vmod_proxy_ssl_cipher(struct vcl_ctx *ctx)
{
	return text(ctx, ssl_of(ctx).tlv, PROXY_TLV_SSL_CIPHER);
}

VCL_STRING
vmod_proxy_cert_sign(struct vcl_ctx *ctx)
{
	return text(ctx, ssl_of(ctx).tlv, PROXY_TLV_SSL_SIG_ALG);
}

VCL_STRING
vmod_proxy_cert_key(struct vcl_ctx *ctx)
{
	return text(ctx, ssl_of(ctx).tlv, PROXY_TLV_SSL_KEY_ALG);
}
