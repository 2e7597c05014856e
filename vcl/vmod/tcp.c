/*
 * tcp.c - module tcp: the client's TCP connection.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "request.h"
#include "stream.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

/*
 * -1: nothing to ask, because the client is at a unix socket or only told
 * of ("copaladm why").
 */
static int
client_socket(struct vcl_ctx *ctx)
{
	struct stream *s = ctx->req != NULL ? ctx->req->stream : NULL;

	if (ctx->dry || s == NULL || s->ops->tcp_socket == NULL)
		return -1;
	return s->ops->tcp_socket(s);
}

/* Older kernels fill in less; the rest is 0. */
static bool
get_info(struct vcl_ctx *ctx, struct tcp_info *info)
{
	socklen_t len = sizeof *info;
	int fd = client_socket(ctx);

	memset(info, 0, sizeof *info);
	return fd >= 0 &&
	       getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

VCL_INT
vmod_tcp_congestion_algorithm(struct vcl_ctx *ctx, VCL_STRING algorithm)
{
	int fd = client_socket(ctx);

	if (fd < 0 || algorithm.len == 0)
		return -1;
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm.p,
	    (socklen_t)algorithm.len);
}

VCL_REAL
vmod_tcp_get_estimated_rtt(struct vcl_ctx *ctx)
{
	struct tcp_info info;

	return get_info(ctx, &info) ? info.tcpi_rtt / 1000.0 : -1;
}

VCL_VOID
vmod_tcp_set_socket_pace(struct vcl_ctx *ctx, VCL_INT rate)
{
	int fd = client_socket(ctx);
	/* as the kernel says it: not paced */
	unsigned bytes = ~0U;

	if (rate > 0 && rate < ~0U / 1024)
		bytes = (unsigned)rate * 1024;
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes,
	    sizeof bytes) != 0)
		vrt_log_error(ctx, "tcp: the kernel does not pace");
}

VCL_VOID
vmod_tcp_dump_info(struct vcl_ctx *ctx)
{
	struct tcp_info i;
	char text[160], algorithm[32] = "";
	socklen_t len = sizeof algorithm - 1;
	int n;

	if (!get_info(ctx, &i))
		return;
	n = snprintf(text, sizeof text,
	    "tcpi: snd_mss=%u rcv_mss=%u lost=%u retrans=%u", i.tcpi_snd_mss,
	    i.tcpi_rcv_mss, i.tcpi_lost, i.tcpi_retrans);
	vrt_log(ctx, str_of(text, (size_t)n));
	n = snprintf(text, sizeof text,
	    "tcpi2: pmtu=%u rtt=%u rttvar=%u snd_cwnd=%u advmss=%u "
	    "reordering=%u", i.tcpi_pmtu, i.tcpi_rtt, i.tcpi_rttvar,
	    i.tcpi_snd_cwnd, i.tcpi_advmss, i.tcpi_reordering);
	vrt_log(ctx, str_of(text, (size_t)n));
	if (getsockopt(client_socket(ctx), IPPROTO_TCP, TCP_CONGESTION,
	    algorithm, &len) == 0) {
		n = snprintf(text, sizeof text, "tcpi3: congestion=%s",
		    algorithm);
		vrt_log(ctx, str_of(text, (size_t)n));
	}
}
