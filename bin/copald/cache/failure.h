/*
 * failure.h - the fixed list of reasons for which Copal answers itself
 * (include/tbl/failures.h).
 */
#ifndef COPAL_FAILURE_H
#define COPAL_FAILURE_H

#include "backend_conn.h"
#include "str.h"
#include "upstream.h"

enum failure {
	FAILURE_NONE,
#define FAILURE(id, name, type, doc) FAILURE_##id,
#include "tbl/failures.h"
#undef FAILURE
};

/* as the log has it; empty for FAILURE_NONE */
struct str failure_name(enum failure);
/* the error type of Proxy-Status (RFC 9209 2.3) */
struct str failure_type(enum failure);

enum failure failure_of_backend(enum backend_error);
enum failure failure_of_upstream(enum upstream_error);

/* Of the answer, as parameters bad_gateway and gateway_timeout say. */
unsigned failure_status(enum failure);

#endif
