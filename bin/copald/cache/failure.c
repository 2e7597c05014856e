/*
 * failure.c - the names of failures.
 */
#include "failure.h"
#include "params.h"

struct str
failure_name(enum failure f)
{
	static const struct str names[] = {
		[FAILURE_NONE] = STR(""),
#define FAILURE(id, name, type, doc) [FAILURE_##id] = STR(name),
#include "tbl/failures.h"
#undef FAILURE
	};

	return names[f];
}

struct str
failure_type(enum failure f)
{
	static const struct str types[] = {
		[FAILURE_NONE] = STR(""),
#define FAILURE(id, name, type, doc) [FAILURE_##id] = STR(type),
#include "tbl/failures.h"
#undef FAILURE
	};

	return types[f];
}

enum failure
failure_of_backend(enum backend_error e)
{
	switch (e) {
	case BACKEND_BUSY:
		return FAILURE_BUSY;
	case BACKEND_SICK_NOW:
		return FAILURE_SICK;
	case BACKEND_TIMEOUT:
		return FAILURE_CONNECT_TIMEOUT;
	case BACKEND_CANCELED:
		return FAILURE_SHUTDOWN;
	case BACKEND_NO_ADDRESS:
		return FAILURE_NO_ADDRESS;
	case BACKEND_OK:
	case BACKEND_REFUSED:
		break;
	}
	return FAILURE_REFUSED;
}

enum failure
failure_of_upstream(enum upstream_error e)
{
	switch (e) {
	case UP_OK:
	case UP_SEND:
	case UP_ANSWERED:
		break;
	case UP_CLOSED_EARLY:
		return FAILURE_CLOSED;
	case UP_FIRST_BYTE:
		return FAILURE_FIRST_BYTE;
	case UP_BETWEEN_BYTES:
		return FAILURE_BETWEEN_BYTES;
	case UP_BAD_HEAD:
		return FAILURE_BAD_RESPONSE;
	case UP_TOO_LONG:
		return FAILURE_HEAD_TOO_LONG;
	case UP_CUT:
		return FAILURE_BODY_CUT;
	case UP_BAD_CHUNK:
		return FAILURE_BAD_CHUNK;
	case UP_BAD_CODING:
		return FAILURE_BAD_ENCODING;
	case UP_NO_MEMORY:
		return FAILURE_MEMORY;
	case UP_CLIENT:
		return FAILURE_CLIENT_BODY;
	case UP_CANCELED:
		return FAILURE_SHUTDOWN;
	}
	return FAILURE_SEND;
}

unsigned
failure_status(enum failure f)
{
	switch (f) {
	case FAILURE_BAD_RESPONSE: /* RFC 9112 5.2, 6.3 */
		return params->bad_gateway ? 502 : 503;
	case FAILURE_CONNECT_TIMEOUT: /* RFC 9110 15.6.5 */
	case FAILURE_FIRST_BYTE:
	case FAILURE_BETWEEN_BYTES:
		return params->gateway_timeout ? 504 : 503;
	default: /* most of a long list */
		return 503;
	}
}
