/*
 * vcl_rig.c - a request (and a fetch) made by hand, for what VCL calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "params.h"
#include "vcl_compile.h"
#include "vcl_rig.h"

void
vcl_rig_begin(struct vcl_rig *r, size_t size)
{
	if (params == NULL && params_init() != 0)
		abort();
	memset(r, 0, sizeof *r);
	r->mem = aligned_alloc(16, (size + 15) / 16 * 16);
	if (r->mem == NULL)
		abort();
	arena_init(&r->ws, r->mem, size);
	log_txn_begin(&r->log, NULL, LOG_KIND_REQUEST, 1001, 0, r->log_buf,
	    sizeof r->log_buf);
	if (addr_parse("192.0.2.1:1234", NULL, false, &r->peer, 1,
	    r->log_buf, sizeof r->log_buf) != 1)
		abort();
	vcl_ctx_init(&r->ctx, &r->ws, &r->log, NULL);
	r->ctx.req = &r->req;
	r->ctx.now = 1e9;
	r->req.stream = &r->stream;
	r->req.xid = 1001;
	r->req.sess_xid = 1000;
	r->req.peer = r->req.local = r->req.client = r->req.server =
	    &r->peer;
	r->req.listener_name = "a0";
	r->req.ttl_limit = r->req.grace_limit = -1;
	if (!http_init(&r->req.http, &r->ws, 16) ||
	    !http_init(&r->req.resp, &r->ws, 16))
		abort();
	r->req.http.method = STR("GET");
	r->req.http.target = STR("/path");
	r->req.http.version = r->req.resp.version = 11;
	r->req.resp.status = 200;
	r->req.resp.reason = STR("OK");
	r->ctx.http[VCL_HTTP_REQ] = r->ctx.http[VCL_HTTP_REQ_TOP] =
	    &r->req.http;
	r->ctx.http[VCL_HTTP_RESP] = &r->req.resp;
}

void
vcl_rig_fetch(struct vcl_rig *r)
{
	struct fetch *f = &r->fetch;

	vcl_ctx_end(&r->ctx);
	vcl_ctx_init(&r->ctx, &r->ws, &r->log, r->ctx.program);
	r->ctx.fetch = f;
	r->ctx.now = 1e9;
	f->xid = 1002;
	f->peer = f->local = f->client = f->server = r->peer;
	f->listener_name = "a0";
	f->connect_timeout = f->first_byte_timeout =
	    f->between_bytes_timeout = -1;
	f->t_origin = r->ctx.now;
	f->do_stream = true;
	if (!http_init(&f->bereq, &r->ws, 16) ||
	    !http_init(&f->beresp, &r->ws, 16))
		abort();
	f->bereq.method = STR("GET");
	f->bereq.target = STR("/path");
	f->bereq.version = f->beresp.version = 11;
	f->beresp.status = 200;
	f->beresp.reason = STR("OK");
	r->ctx.http[VCL_HTTP_BEREQ] = &f->bereq;
	r->ctx.http[VCL_HTTP_BERESP] = &f->beresp;
}

void
vcl_rig_end(struct vcl_rig *r)
{
	vcl_ctx_end(&r->ctx);
	arena_reset(&r->ws);
	free(r->mem);
}

bool
vcl_rig_failed(struct vcl_rig *r)
{
	bool failed = r->ctx.failed;

	r->ctx.failed = false;
	return failed;
}

struct vcl_header
vcl_rig_header(const char *name)
{
	struct vcl_header h = {{name, strlen(name)}, 0};

	h.id = field_id(h.name);
	return h;
}

const char *
vcl_rig_compile(const char *dir, const char *name, const char *vcl)
{
	static char why[4096];
	struct vcl_compile_options options = {.no_files = true};
	struct vcl_compile_result result = {0};
	char path[512], command[1600];
	FILE *f;
	int r = vcl_compile("<inline>", str_from_z(vcl), &options, &result);

	snprintf(why, sizeof why, "%s",
	    result.diagnostics != NULL ? result.diagnostics : "?");
	if (r == 0) {
		snprintf(path, sizeof path, "%s/%s.c", dir, name);
		f = fopen(path, "w");
		if (f == NULL || fputs(result.c, f) == EOF || fclose(f) != 0)
			abort();
		snprintf(command, sizeof command, "cc -std=gnu11 -O1 -fPIC "
		    "-shared -w -o %s/%s.so %s 2>%s/cc.log", dir, name, path,
		    dir);
		r = system(command);
		if (r != 0)
			snprintf(why, sizeof why, "cc failed, see %s/cc.log",
			    dir);
	}
	vcl_compile_result_free(&result);
	return r == 0 ? NULL : why;
}
