/*
 * http1.h - HTTP/1 message syntax and framing (RFC 9112), without I/O.
 *
 * Bytes in, a head or body pieces out.  Strict: bare CR or LF, obs-fold,
 * white space before the colon, control characters, a bad or repeated
 * Content-Length, Transfer-Encoding with Content-Length, an unknown transfer
 * coding, or chunked that is not last, are refused, never repaired.  Heads
 * are parsed in place: the fields point into the buffer.
 */
#ifndef COPAL_HTTP1_H
#define COPAL_HTTP1_H

#include "http.h"

struct h1_limits {
	uint32_t head;       /* bytes of the whole head (http_req_size) */
	/* bytes of one line (http_req_hdr_len), but for a request's first */
	uint32_t line;
};                           /* the number of fields: http->field_cap */

enum h1_body {
	H1_NONE,    /* no body */
	H1_LENGTH,  /* framing.length bytes */
	H1_CHUNKED,
	H1_UNTIL_CLOSE, /* responses only */
};

struct h1_framing {
	enum h1_body body;
	uint64_t length;
	bool keep_alive;      /* the connection may be used again (9.3) */
	bool expect_continue; /* Expect: 100-continue, HTTP/1.1 only */
	bool upgrade;         /* Connection: upgrade and Upgrade: ... */
};

enum h1_result {
	H1_OK,
	H1_MORE,     /* not all of the head is here yet */
	H1_BAD,      /* 400, or for a response: not HTTP */
	H1_TOO_LONG, /* head, line or number of fields: 431 */
	H1_VERSION,  /* 505 */
	H1_CODING,   /* 501: unknown transfer coding */
	H1_TARGET_TOO_LONG, /* requests: the target does not fit: 414 */
};

/*
 * Progress of an incomplete head, so that the work is linear in its bytes
 * however they arrive.  Zero to begin; H1_OK leaves it zeroed.  Holds offsets
 * only: the buffer may move between calls, and h may be another one.
 */
struct h1_scan {
	uint32_t seen;   /* bytes known to hold no further end of a line */
	uint32_t line;   /* where the first incomplete line begins */
	uint16_t field_n; /* complete fields so far */
	uint8_t blank_n; /* empty lines before the head */
	bool started;    /* the start line is complete */
};

/*
 * Parses one request head at buf[0..len).  Up to two empty lines before it
 * are skipped (2.2).  h has been http_init()ed.  On H1_OK *head_len is where
 * the body (or the next request) begins, and framing says what follows.
 * On an error, *why is a static text for the log.  status to answer:
 * h1_status(result).
 *
 * The same bytes give the same result in whatever pieces they arrive: a
 * mistake is reported with the line that has it (a control character at
 * once), H1_MORE is never answered when limits->head bytes are there, so a
 * buffer of that size is enough.  After anything but H1_OK, h is undefined.
 *
 * Checks also: exactly one valid Host for 1.1 (3.2), target forms (3.2.x;
 * absolute form is split: Host is replaced by its authority, target becomes
 * origin form, or "*" for OPTIONS without a path; for this, bytes in the
 * buffer may move).  A CONNECT has its authority as target.
 */
enum h1_result h1_parse_request(struct http *h, struct h1_framing *framing,
    char *buf, size_t len, struct h1_scan *scan,
    const struct h1_limits *limits, size_t *head_len, const char **why);

/*
 * The same for a response head; nothing may come before it.  head_request:
 * the request was HEAD, or CONNECT and its answer is the end of HTTP on the
 * connection: no body follows.  1xx, 204, 304 have none either (6.3).  1xx
 * are returned like any other: the caller goes on to the final response.
 * reason is never NULL.
 */
enum h1_result h1_parse_response(struct http *h, struct h1_framing *framing,
    bool head_request, char *buf, size_t len, struct h1_scan *scan,
    const struct h1_limits *limits, size_t *head_len, const char **why);

unsigned h1_status(enum h1_result);

/*
 * Chunked decoding (RFC 9112 7.1).  Zero the struct to begin.  Each call
 * consumes *used bytes of in[0..len) and gives the next piece of body
 * *data (inside in), which may be empty.
 *
 * Strict as the head: CRLF only, no white space around sizes, at most
 * H1_CHUNK_LINE_MAX bytes in a size line with its extensions, which must be
 * well-formed and are dropped, as is the trailer section: well-formed fields
 * of at most H1_TRAILER_MAX bytes; of these the first trailer_cap go to
 * trailer, if the caller has set that.  After H1_CHUNK_BAD the connection is of
 * no further use; *used then says where the offending byte is.
 */
enum { H1_CHUNK_LINE_MAX = 4096, H1_TRAILER_MAX = 8192 };

struct h1_chunked {
	uint64_t left;      /* of the current chunk */
	uint32_t line_len;  /* of the current chunk-size or trailer line */
	uint32_t trailer_len; /* with the empty line at its end */
	uint8_t state;
	uint8_t digits;
	char *trailer;
	uint32_t trailer_cap;
};

enum h1_chunk_result {
	H1_CHUNK_DATA, /* go on calling with what is left of in */
	H1_CHUNK_MORE, /* in is used up */
	H1_CHUNK_END,  /* the last chunk and the trailers were consumed */
	H1_CHUNK_BAD,
};

enum h1_chunk_result h1_chunked_next(struct h1_chunked *, const char *in,
    size_t len, size_t *used, struct str *data);

/*
 * The fields of a whole trailer section, as h1_chunked_next() has kept it.
 * h has been http_init()ed, and points into section.
 */
bool h1_parse_trailers(struct http *h, const char *section, size_t len);

/* Room for h1_chunk_begin: "7fffffffffffffff\r\n" */
enum { H1_CHUNK_HEAD_MAX = 18 };
/* Writes the chunk's size line; its length.  A chunk ends with "\r\n". */
unsigned h1_chunk_begin(char to[H1_CHUNK_HEAD_MAX], uint64_t len);
#define H1_CHUNK_LAST "0\r\n\r\n"

#endif
