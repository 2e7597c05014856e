/*
 * var_session.c - client.*, server.*, remote.*, local.*, sess.* and now.
 *
 * A fetch outlives its request, so it has what it needs of the session
 * itself.
 */
#include <stdio.h>
#include <unistd.h>

#include "fetch.h"
#include "params.h"
#include "request.h"
#include "stream.h"
#include "var_read.h"
#include "vrt.h"
#include "worker.h"

static char identity[256];

/* What a unix socket's ends count as. */
static const struct addr no_addr = {
	.len = sizeof(struct sockaddr_in),
	.in4 = {.sin_family = AF_INET},
};

void
vcl_set_identity(const char *name)
{
	snprintf(identity, sizeof identity, "%s", name);
}

static const struct addr *
ip_or_none(const struct addr *a)
{
	return a == NULL || (a->sa.sa_family != AF_INET &&
	    a->sa.sa_family != AF_INET6) ? &no_addr : a;
}

/* One of the addresses that a request and a fetch have. */
#define ADDRESS(name)                                                         \
	static const struct addr *                                            \
	name(const struct vcl_ctx *ctx)                                       \
	{                                                                     \
		if (ctx->req != NULL)                                         \
			return ip_or_none(ctx->req->name);                    \
		return ip_or_none(                                            \
		    ctx->fetch != NULL ? &ctx->fetch->name : NULL);           \
	}
ADDRESS(peer)
ADDRESS(local)
ADDRESS(client)
ADDRESS(server)

VCL_STRING
vrt_r_client_identity(struct vcl_ctx *ctx)
{
	struct str id = STR_NULL;

	if (ctx->req != NULL)
		id = ctx->req->client_identity;
	else if (ctx->fetch != NULL)
		id = ctx->fetch->client_identity;
	return id.len != 0 ? id : vrt_ip_string(ctx, client(ctx));
}

void
vrt_w_client_identity(struct vcl_ctx *ctx, VCL_STRING s)
{
	s = vcl_keep(ctx, s, "client.identity");
	if (s.p != NULL && ctx->req != NULL)
		ctx->req->client_identity = s;
}

VAR_READ(IP, client_ip, client(ctx))
VAR_READ(IP, remote_ip, peer(ctx))
VAR_READ(IP, server_ip, server(ctx))
VAR_READ(IP, local_ip, local(ctx))

VCL_STRING
vrt_r_server_hostname(struct vcl_ctx *ctx)
{
	/* asked for once: the thread outlives the transaction */
	static _Thread_local char name[256];

	(void)ctx;
	if (name[0] == '\0' && gethostname(name, sizeof name - 1) != 0)
		return STR("localhost");
	return str_from_z(name);
}

VAR_READ(STRING, server_identity,
    identity[0] != '\0' ? str_from_z(identity) : vrt_r_server_hostname(ctx))

VCL_STRING
vrt_r_local_endpoint(struct vcl_ctx *ctx)
{
	char text[ADDR_TEXT_MAX];
	const struct listener *l = NULL;

	if (ctx->req != NULL && ctx->req->stream != NULL)
		l = ctx->req->stream->listener;
	else if (ctx->fetch != NULL)
		l = ctx->fetch->listener;
	addr_text(l != NULL ? &l->addr : local(ctx), text);
	return vcl_keep(ctx, str_from_z(text), "local.endpoint");
}

VCL_STRING
vrt_r_local_socket(struct vcl_ctx *ctx)
{
	if (ctx->req != NULL)
		return str_from_z(ctx->req->listener_name);
	return str_from_z(ctx->fetch != NULL ? ctx->fetch->listener_name
					     : NULL);
}

VCL_INT
vrt_r_sess_xid(struct vcl_ctx *ctx)
{
	uint64_t xid = ctx->req != NULL ? ctx->req->sess_xid
	    : ctx->fetch != NULL ? ctx->fetch->sess_xid : 0;

	return (VCL_INT)xid;
}

/*
 * A timeout of the session: VCL's value, else the parameter's.  There is no
 * linger here: a connection without a request costs no thread.
 */
#define SESS(name, parameter)                                                 \
	VCL_DURATION                                                          \
	vrt_r_sess_##name(struct vcl_ctx *ctx)                                \
	{                                                                     \
		return ctx->sess.name >= 0 ? ctx->sess.name : (parameter);    \
	}                                                                     \
	void                                                                  \
	vrt_w_sess_##name(struct vcl_ctx *ctx, VCL_DURATION d)                \
	{                                                                     \
		ctx->sess.name = d > 0 ? d : 0;                               \
	}                                                                     \
	void                                                                  \
	vrt_u_sess_##name(struct vcl_ctx *ctx)                                \
	{                                                                     \
		ctx->sess.name = -1;                                          \
	}
SESS(idle_send_timeout, params->idle_send_timeout)
SESS(send_timeout, params->send_timeout)
SESS(timeout_idle, params->timeout_idle)
SESS(timeout_linger, params->timeout_linger)

VAR_READ(TIME, now, ctx->now)
