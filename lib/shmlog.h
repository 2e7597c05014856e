/*
 * shmlog.h - the shared-memory log: a ring a core, without system calls.
 *
 * The worker maps <workdir>/log/ring.<core> (created by the manager, so that
 * it survives a worker's crash) and appends binary records; copallog maps
 * it read-only and follows.  A writer never waits for a reader: a reader
 * that is too slow is told how much it lost.  The format of the file is in
 * shmlog_ring.h, the reading side in shmlog_read.h.
 *
 * A transaction (request, fetch, session) is collected in a struct
 * log_txn buffer in its own memory and copied to the ring in one piece when
 * it ends (log_txn_end), so records of a transaction are together and a
 * hit costs one copy.  A full buffer is flushed early and goes on.
 *
 * A record is a tag, up to 15 numbers (raw doubles) and then text.  What is
 * only text is printed as it is; what has numbers is formatted by the reader
 * (log_record_text), so that the writer never prints a number on the hit
 * path.  The numbers of each tag, in order, then its text:
 *
 *   Timestamp          now, start, last (seconds since 1970); event
 *   ReqAcct, BereqAcct request head, body, total, response head, body, total
 *   PipeAcct           client request, backend request, from, to the client
 *   RespStatus, BerespStatus   status
 *   Hit                id, remaining ttl, grace, keep, age
 *   HitMiss, HitPass   id, remaining ttl
 *   TTL                ttl, grace, keep, reference, age, date, expires,
 *                      max-age, cacheable (0 or 1); source
 *   Begin, Link        kind (enum log_kind), id, reason (enum log_reason)
 *   SessClose          duration in seconds; reason
 *   any other          the text, then the numbers
 *
 * The functions below each named after a tag write these; callers need not
 * know.  Begin and End are not written: the reader makes them out of the
 * transaction's own header.
 */
#ifndef COPAL_SHMLOG_H
#define COPAL_SHMLOG_H

#include <stdint.h>

#include "str.h"

enum log_tag {
	LOG_NONE = 0,
#define LOG_TAG(id, name, help) LOG_##id,
#include "tbl/log_tags.h"
#undef LOG_TAG
	LOG_TAG_MAX
};

extern const char *const log_tag_name[LOG_TAG_MAX];
extern const char *const log_tag_help[LOG_TAG_MAX];

enum log_kind {
	LOG_KIND_REQUEST = 'c',
	LOG_KIND_FETCH = 'b',
	LOG_KIND_SESSION = 's',
	LOG_KIND_RAW = 'r',
};

enum log_reason {
	LOG_REASON_NONE = 0,
#define LOG_REASON(id, name) LOG_REASON_##id,
#include "tbl/log_reasons.h"
#undef LOG_REASON
	LOG_REASON_MAX
};

extern const char *const log_reason_name[LOG_REASON_MAX];

struct log_ring; /* one a core; writer's view */

enum {
	LOG_VALUE_MAX = 65535, /* bytes of one record */
	LOG_NUMS_MAX = 15,     /* numbers of one record */
};

/*
 * Opens <dir>/log/ring.<core> for writing; dir is the work directory.  A
 * ring of the same format and size is taken over with what it holds, else
 * the file is made anew (renamed into place, all its space allocated) and
 * readers go over to it.  <dir>/log is made if it is not there.  size is
 * rounded up to a power of two, at least 256 KiB, at most 1 GiB.  Only one
 * process may write to a ring at a time; the mapping is inherited by fork.
 * NULL: errno.
 */
struct log_ring *log_ring_create(const char *dir, unsigned core, size_t size);
void log_ring_close(struct log_ring **);

struct log_txn {
	struct log_ring *ring;
	uint64_t id;      /* transaction id (X-Copal) */
	uint64_t parent;  /* the request that caused it; 0 */
	uint32_t used, cap;
	uint8_t kind;
	uint8_t flushed;  /* a part of it is in the ring */
	uint8_t reason;   /* enum log_reason; may be set after log_txn_begin */
	char *buf;        /* the caller's, cap bytes (at least 256) */
};

/*
 * ring NULL: nothing is logged.  The reason is rxreq for a request, fetch
 * for a fetch, HTTP/1 for a session; set txn->reason for another one.  The
 * reader groups by it: a request that is neither esi nor restart begins a
 * group of its own.
 */
void log_txn_begin(struct log_txn *, struct log_ring *, enum log_kind,
    uint64_t id, uint64_t parent, void *buf, uint32_t cap);
/* Truncates value to what a record holds (64 KiB - 1). */
void log_put(struct log_txn *, enum log_tag, struct str value);
/* "Name: value" without formatting */
void log_put2(struct log_txn *, enum log_tag, struct str a, struct str sep,
    struct str b);
/* formatted; for what is rare */
void log_printf(struct log_txn *, enum log_tag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Numbers, formatted by the reader: see tbl/log_tags.h for what they mean. */
void log_put_nums(struct log_txn *, enum log_tag, const double *v, unsigned n);
/* Numbers and text; n at most LOG_NUMS_MAX, the numbers are never cut. */
void log_put_mixed(struct log_txn *, enum log_tag, const double *v, unsigned n,
    struct str text);
/* Makes what was put so far visible; for what lives long (a pipe). */
void log_txn_flush(struct log_txn *);
/* Flushes, and marks the transaction as complete. */
void log_txn_end(struct log_txn *);

/* times: clock_wall() */
void log_timestamp(struct log_txn *, const char *event, double now,
    double start, double last);
void log_status(struct log_txn *, enum log_tag, unsigned status);
/* LOG_REQ_ACCT or LOG_BEREQ_ACCT: bytes of heads and bodies */
void log_acct(struct log_txn *, enum log_tag, uint64_t req_head,
    uint64_t req_body, uint64_t resp_head, uint64_t resp_body);
void log_pipe_acct(struct log_txn *, uint64_t client_req,
    uint64_t backend_req, uint64_t from_client, uint64_t to_client);
void log_hit(struct log_txn *, uint64_t id, double ttl, double grace,
    double keep, double age);
/* LOG_MISS (hit-for-miss) or LOG_HITPASS */
void log_hit_for(struct log_txn *, enum log_tag, uint64_t id, double ttl);
/* Where a ttl comes from ("RFC", "VCL", "HFM", "HFP"); 0: unknown time. */
struct log_ttl {
	double ttl, grace, keep;
	double reference, age, date, expires, max_age;
	bool cacheable;
};
void log_ttl(struct log_txn *, const char *source, const struct log_ttl *);
/* A child transaction: LOG_KIND_FETCH or LOG_KIND_REQUEST. */
void log_link(struct log_txn *, enum log_kind, uint64_t id, enum log_reason);
/* Client's address (no brackets) and port, name of the listener. */
void log_req_start(struct log_txn *, struct str host, unsigned port,
    struct str listener);
void log_sess_close(struct log_txn *, const char *reason, double duration);

/* A record outside of any transaction; any thread (takes a lock). */
void log_raw(struct log_ring *, enum log_tag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
