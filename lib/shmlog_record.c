/*
 * shmlog_record.c - records of the log, from bytes to text.
 */
#include "shmlog_read.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "shmlog_ring.h"

bool
log_record_next(struct str *records, struct log_record *out)
{
	struct ring_record r;

	for (;;) {
		size_t nums;

		if (records->len < sizeof r)
			return false;
		memcpy(&r, records->p, sizeof r);
		nums = r.nums * sizeof(double);
		if (r.tag == LOG_NONE || r.nums > LOG_NUMS_MAX ||
		    r.len < nums || r.len > records->len - sizeof r)
			return false;
		out->tag = r.tag;
		out->num_n = r.nums;
		memcpy(out->num, records->p + sizeof r, nums);
		out->text = str_of(records->p + sizeof r + nums, r.len - nums);
		records->p += sizeof r + r.len;
		records->len -= sizeof r + r.len;
		if (r.tag < LOG_TAG_MAX)
			return true;
	}
}

size_t
log_record_write(char *to, size_t room, enum log_tag tag, const double *v,
    unsigned n, struct str text)
{
	size_t len = n * sizeof *v + text.len;
	struct ring_record r = {tag, n, len};

	if (n > LOG_NUMS_MAX || len > LOG_VALUE_MAX || room < sizeof r + len)
		return 0;
	memcpy(to, &r, sizeof r);
	if (n != 0)
		memcpy(to + sizeof r, v, n * sizeof *v);
	if (text.len != 0)
		memcpy(to + sizeof r + n * sizeof *v, text.p, text.len);
	return sizeof r + len;
}

/* A bounded text that is being written. */
struct out {
	char *p;
	size_t len;
};

static void __attribute__((format(printf, 2, 3)))
print(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->p + o->len, LOG_TEXT_MAX - o->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	o->len += n;
	if (o->len >= LOG_TEXT_MAX)
		o->len = LOG_TEXT_MAX - 1;
}

/* Numbers in the ring may be anything, so they are looked at as doubles. */
static unsigned
small(double v)
{
	return v >= 0 && v < 256 ? (unsigned)v : 0;
}

static const char *
kind_name(double v)
{
	switch (small(v)) {
	case LOG_KIND_REQUEST:
		return "req";
	case LOG_KIND_FETCH:
		return "bereq";
	case LOG_KIND_SESSION:
		return "sess";
	default:
		return "raw";
	}
}

/* Not text: any byte may be in it. */
static void
put_text(struct out *o, struct str text)
{
	size_t n = LOG_TEXT_MAX - 1 - o->len;

	if (n > text.len)
		n = text.len;
	if (n != 0)
		memcpy(o->p + o->len, text.p, n);
	o->len += n;
}

/* Seconds, without zeros that say nothing: 120 and 0.25. */
static void
print_plain(struct out *o, double v)
{
	if (fabs(v) < 1e15 && floor(v) == v)
		print(o, "%.0f", v);
	else
		print(o, "%.6f", v);
}

static void
format(struct out *o, const struct log_record *r)
{
	const double *v = r->num;
	unsigned n = r->num_n;
	unsigned reason;

	if (r->tag == LOG_TIMESTAMP && n == 3) {
		put_text(o, r->text);
		print(o, ": %.6f %.6f %.6f", v[0], v[0] - v[1], v[0] - v[2]);
		return;
	}
	if (r->tag == LOG_TTL && n == 9) {
		put_text(o, r->text);
		for (unsigned i = 0; i < 8; i++)
			print(o, " %.0f", v[i]);
		print(o, v[8] != 0 ? " cacheable" : " uncacheable");
		return;
	}
	if ((r->tag == LOG_BEGIN || r->tag == LOG_LINK) && n == 3) {
		reason = small(v[2]);
		print(o, "%s %.0f %s", kind_name(v[0]), v[1],
		    reason < LOG_REASON_MAX ? log_reason_name[reason] : "-");
		return;
	}
	if ((r->tag == LOG_HIT || r->tag == LOG_MISS ||
	     r->tag == LOG_HITPASS) && n >= 2) {
		print(o, "%.0f", v[0]);
		for (unsigned i = 1; i < n; i++)
			print(o, " %.6f", v[i]);
		return;
	}
	if (r->tag == LOG_SESS_CLOSE && n == 1) {
		put_text(o, r->text);
		print(o, " %.3f", v[0]);
		return;
	}
	put_text(o, r->text);
	for (unsigned i = 0; i < n; i++) {
		if (o->len != 0)
			print(o, " ");
		print_plain(o, v[i]);
	}
}

struct str
log_record_text(const struct log_record *r, char scratch[LOG_TEXT_MAX])
{
	struct out o = {scratch, 0};

	if (r->num_n == 0)
		return r->text;
	format(&o, r);
	return str_of(scratch, o.len);
}
