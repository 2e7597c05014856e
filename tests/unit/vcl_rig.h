/*
 * vcl_rig.h - a request (and a fetch) made by hand, for what VCL calls.
 */
#ifndef COPAL_VCL_RIG_H
#define COPAL_VCL_RIG_H

#include "fetch.h"
#include "request.h"
#include "stream.h"
#include "vrt.h"

struct vcl_rig {
	struct arena ws;
	void *mem;
	struct log_txn log;
	char log_buf[4096];
	struct addr peer;
	struct stream stream;
	struct request req;
	struct fetch fetch;
	struct vcl_ctx ctx;   /* with a request; http[REQ], [RESP] */
};

/* GET /path HTTP/1.1 of 192.0.2.1:1234; size: of the workspace */
void vcl_rig_begin(struct vcl_rig *, size_t size);
void vcl_rig_end(struct vcl_rig *);
/* Did a call fail since this was asked last? */
bool vcl_rig_failed(struct vcl_rig *);
/* ctx is a fetch's from here on; http[BEREQ], [BERESP] */
void vcl_rig_fetch(struct vcl_rig *);

/*
 * Compiles VCL into <dir>/<name>.so.  NULL, or what is wrong (static).
 */
const char *vcl_rig_compile(const char *dir, const char *name,
    const char *vcl);

/* A header constant, as a compiled program has it. */
struct vcl_header vcl_rig_header(const char *name);

#define SAME(s, literal) CU_ASSERT(str_eq((s), STR(literal)))

#endif
