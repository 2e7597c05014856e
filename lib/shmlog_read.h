/*
 * shmlog_read.h - the reading side of the shared-memory log.
 *
 * Three layers, each usable alone:
 *
 *   log_reader   follows all rings of a work directory, across restarts of
 *                the worker and files that are replaced
 *   log_view     one ring as mapped memory; never crashes, whatever the bytes
 *   log_record   one record of a batch, and its text
 *
 * A reader never waits for a writer nor holds it up.  It copies a batch, makes
 * sure that it was not overwritten meanwhile, and only then looks at it.
 */
#ifndef COPAL_SHMLOG_READ_H
#define COPAL_SHMLOG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shmlog.h"

/* A transaction or a part of one. */
struct log_batch {
	uint64_t id, parent;
	enum log_kind kind;
	enum log_reason reason;
	bool first, last;
	struct str records; /* until the next call on the view or reader */
};

/* ---- records ---- */

struct log_record {
	enum log_tag tag; /* below LOG_TAG_MAX */
	unsigned num_n;
	double num[LOG_NUMS_MAX];
	struct str text;
};

/*
 * Takes the next record off *records; false at the end, and at what is not
 * a record.  Records with a tag that this build does not know are skipped.
 */
bool log_record_next(struct str *records, struct log_record *out);

enum { LOG_TEXT_MAX = 1024 };
/*
 * The record as copallog prints it.  A record without numbers is its text,
 * unchanged (any bytes); else it is formatted into scratch, and cut there
 * if its text is very long.
 */
struct str log_record_text(const struct log_record *,
    char scratch[LOG_TEXT_MAX]);

/*
 * Writes a record to to[0..room): the twin of log_put_mixed for a reader that
 * makes records of its own.  Bytes written, 0: no room.
 */
size_t log_record_write(char *to, size_t room, enum log_tag, const double *v,
    unsigned n, struct str text);

/* ---- one ring ---- */

struct log_view {
	const uint8_t *base; /* the mapping, page-aligned; not owned */
	uint64_t size;
	uint64_t at;
	uint64_t lost;       /* bytes that were overwritten before we came */
	char *copy;          /* owned: the batch being looked at */
	size_t copy_cap;
};

/* The oldest record still there, or what is written from now on. */
enum log_from { LOG_FROM_OLDEST, LOG_FROM_NOW };

/* false: not a ring of our format */
bool log_view_init(struct log_view *, const void *base, size_t len,
    enum log_from);
/* The next batch; false: there is none yet. */
bool log_view_next(struct log_view *, struct log_batch *);
void log_view_free(struct log_view *);

/* ---- all rings of a work directory ---- */

struct log_reader;

/* dir: the work directory.  NULL with a message in err. */
struct log_reader *log_reader_open(const char *dir, enum log_from, char *err,
    size_t err_len);
void log_reader_close(struct log_reader **);
/* The next batch of any ring; false: nothing new in any. */
bool log_reader_next(struct log_reader *, struct log_batch *);
/* Bytes lost since this was last asked. */
uint64_t log_reader_lost(struct log_reader *);
/*
 * Looks for rings that came, went or were replaced; what is still unread in
 * one that was replaced is read first.  Call it when idle, about once a
 * second: it lists the directory.
 */
void log_reader_rescan(struct log_reader *);

#endif
