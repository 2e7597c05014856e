/*
 * std_convert.c - module std: duration, bytes, integer, real, time.
 *
 * Each takes just one source beside its fallback.  What can't be converted
 * is the fallback, or without one a failure of the sub.
 */
#include <limits.h>
#include <math.h>
#include <time.h>

#include "http_date.h"
#include "vmod.h"
#include "vrt.h"
#include "vcl/vmod_functions.h"

/* More is not exact in a double, and no INT of VCL. */
#define INTEGER_MAX 999999999999999.0
/* A REAL's, of RFC 8941 */
#define DECIMAL_MAX 999999999999.999
/* of a sum of doubles */
#define BYTES_MAX 9007199254740991.0

static bool
one_source(struct vcl_ctx *ctx, const char *name, int n)
{
	if (n != 1)
		vcl_fail(ctx, "std.%s(): %s", name,
		    n == 0 ? "no argument" : "more than one argument");
	return n == 1;
}

static void
no_conversion(struct vcl_ctx *ctx, const char *name)
{
	vcl_fail(ctx, "std.%s(): conversion failed", name);
}

#define RESULT(ctx, name, good, value)                                        \
	do {                                                                  \
		if (good)                                                     \
			return value;                                         \
		if (has_fallback)                                             \
			return fallback;                                      \
		no_conversion(ctx, name);                                     \
		return 0;                                                     \
	} while (0)

static bool
take_char(struct str *s, char c)
{
	if (s->len == 0 || *s->p != c)
		return false;
	*s = str_of(s->p + 1, s->len - 1);
	return true;
}

static void
skip_blanks(struct str *s)
{
	while (take_char(s, ' ') || take_char(s, '\t'))
		continue;
}

/* Takes digits off *s, at most max; how many, and in *v their value. */
static unsigned
take_digits(struct str *s, unsigned max, double *v)
{
	unsigned n;

	*v = 0;
	for (n = 0; n < max && s->len != 0 && *s->p >= '0' && *s->p <= '9';
	    n++) {
		*v = *v * 10 + (*s->p - '0');
		*s = str_of(s->p + 1, s->len - 1);
	}
	return n;
}

/*
 * Takes "-12.5" off *s, with the blanks around it: a number of RFC 8941, of
 * at most 15 digits, 12 before a point, which need not have digits on both
 * sides.  Of a fraction the first three digits count; strict: there are one
 * to three, and some before the point.  No plus, exponent, hexadecimal.
 */
static bool
take_number(struct str *s, bool strict, double *out)
{
	static const double place[] = {1, 10, 100, 1000};
	unsigned whole, parts = 0, more;
	double fraction, rest;
	bool minus;

	skip_blanks(s);
	minus = take_char(s, '-');
	whole = take_digits(s, 15, out);
	if (whole != 0)
		skip_blanks(s);
	if (take_char(s, '.')) {
		parts = take_digits(s, 3, &fraction);
		more = take_digits(s, UINT_MAX, &rest);
		if (*out > DECIMAL_MAX ||
		    (strict && (whole == 0 || parts == 0 || more != 0)))
			return false;
		*out += fraction / place[parts];
		skip_blanks(s);
	}
	if (minus)
		*out = -*out;
	return whole + parts != 0;
}

static bool
parse_duration(struct str s, double *out)
{
	static const struct {
		struct str unit;
		double seconds;
	} units[] = {
		{STR("ms"), 1e-3}, {STR("s"), 1}, {STR("m"), 60},
		{STR("h"), 3600}, {STR("d"), 86400}, {STR("w"), 604800},
		{STR("y"), 31536000},
	};

	if (!take_number(&s, false, out))
		return false;
	s = str_trim(s);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (str_eq(s, units[i].unit)) {
			*out *= units[i].seconds;
			return true;
		}
	return false;
}

VCL_DURATION
vmod_std_duration(struct vcl_ctx *ctx, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_DURATION fallback, bool has_real, VCL_REAL real,
    bool has_integer, VCL_INT integer)
{
	double d = 0;
	bool good = true;

	if (!one_source(ctx, "duration", has_s + has_real + has_integer))
		return 0;
	if (has_s)
		good = parse_duration(s, &d);
	else
		d = has_real ? real : (double)integer;
	RESULT(ctx, "duration", good, d);
}

static bool
parse_bytes(struct str s, double *out)
{
	static const char units[] = "kmgtp";
	double factor = 1024;

	if (!take_number(&s, true, out))
		return false;
	s = str_trim(s);
	if (s.len == 0 || (s.p[0] | 0x20) == 'b') /* no parts of a byte */
		return *out == floor(*out) && s.len <= 1;
	for (const char *u = units; *u != '\0'; u++, factor *= 1024) {
		if ((s.p[0] | 0x20) != *u)
			continue;
		*out *= factor;
		return s.len == 1 ||
		       (s.len == 2 && (s.p[1] | 0x20) == 'b');
	}
	return false;
}

VCL_BYTES
vmod_std_bytes(struct vcl_ctx *ctx, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_BYTES fallback, bool has_real, VCL_REAL real,
    bool has_integer, VCL_INT integer)
{
	double d = 0;
	bool good = true;

	if (!one_source(ctx, "bytes", has_s + has_real + has_integer))
		return 0;
	if (has_integer)
		RESULT(ctx, "bytes", integer >= 0, integer);
	if (has_s)
		good = parse_bytes(s, &d);
	else
		d = real;
	good = good && d >= 0 && d <= BYTES_MAX; /* false for a NaN */
	RESULT(ctx, "bytes", good, (VCL_BYTES)d);
}

static bool
fits_integer(double d)
{
	return d >= -INTEGER_MAX && d <= INTEGER_MAX; /* false for a NaN */
}

VCL_INT
vmod_std_integer(struct vcl_ctx *ctx, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_INT fallback, bool has_bool, VCL_BOOL b,
    bool has_bytes, VCL_BYTES bytes, bool has_duration, VCL_DURATION duration,
    bool has_real, VCL_REAL real, bool has_time, VCL_TIME time)
{
	double d = 0;
	bool good = true;

	if (!one_source(ctx, "integer", has_s + has_bool + has_bytes +
	    has_duration + has_real + has_time))
		return 0;
	if (has_bool)
		return b;
	if (has_bytes)
		return bytes;
	if (has_s) {
		/* "1.000" is what a REAL looks like */
		good = take_number(&s, false, &d) && s.len == 0 &&
		       d == trunc(d);
	} else {
		d = has_duration ? duration : has_real ? real : time;
	}
	good = good && fits_integer(d);
	RESULT(ctx, "integer", good, (VCL_INT)d);
}

VCL_REAL
vmod_std_real(struct vcl_ctx *ctx, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_REAL fallback, bool has_integer, VCL_INT integer,
    bool has_bool, VCL_BOOL b, bool has_bytes, VCL_BYTES bytes,
    bool has_duration, VCL_DURATION duration, bool has_time, VCL_TIME time)
{
	double d = 0;
	bool good;

	if (!one_source(ctx, "real", has_s + has_integer + has_bool +
	    has_bytes + has_duration + has_time))
		return 0;
	if (has_integer)
		return (double)integer;
	if (has_bool)
		return b;
	if (has_bytes)
		return (double)bytes;
	if (has_duration)
		return duration;
	if (has_time)
		return time;
	good = take_number(&s, false, &d) && s.len == 0 &&
	       fabs(d) <= DECIMAL_MAX;
	RESULT(ctx, "real", good, d);
}

/* "1994-11-06T08:49:37", in UTC */
static bool
parse_iso(struct str s, double *out)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	int v[6] = {0}, n = 0;
	struct tm tm = {0};
	time_t t;

	if (s.len != sizeof form - 1)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (form[i] != 'd') {
			if (s.p[i] != form[i])
				return false;
			n++;
		} else if (s.p[i] >= '0' && s.p[i] <= '9') {
			v[n] = v[n] * 10 + (s.p[i] - '0');
		} else {
			return false;
		}
	}
	if (v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 ||
	    v[4] > 59 || v[5] > 60)
		return false;
	tm.tm_year = v[0] - 1900;
	tm.tm_mon = v[1] - 1;
	tm.tm_mday = v[2];
	tm.tm_hour = v[3];
	tm.tm_min = v[4];
	tm.tm_sec = v[5];
	t = timegm(&tm);
	*out = (double)t;
	return tm.tm_mday == v[2] && t >= 0; /* February 30 moved */
}

static bool
parse_time(struct vcl_ctx *ctx, struct str s, double *out)
{
	s = str_trim(s);
	if (s.len == 0)
		return false;
	*out = http_date_parse(s, ctx->now);
	if (*out > 0)
		return true;
	if (!parse_iso(s, out) &&
	    (!take_number(&s, false, out) || s.len != 0))
		return false;
	return *out > 0;
}

VCL_TIME
vmod_std_time(struct vcl_ctx *ctx, bool has_s, VCL_STRING s,
    bool has_fallback, VCL_TIME fallback, bool has_real, VCL_REAL real,
    bool has_integer, VCL_INT integer)
{
	double d = 0;
	bool good = true;

	if (!one_source(ctx, "time", has_s + has_real + has_integer))
		return 0;
	if (has_s)
		good = parse_time(ctx, s, &d);
	else
		d = has_real ? real : (double)integer;
	good = good && isfinite(d);
	RESULT(ctx, "time", good, d);
}

/* ---- the old names ---- */

VCL_INT
vmod_std_real2integer(struct vcl_ctx *ctx, VCL_REAL r, VCL_INT fallback)
{
	(void)ctx;
	r = round(r);
	return fits_integer(r) ? (VCL_INT)r : fallback;
}

VCL_TIME
vmod_std_real2time(struct vcl_ctx *ctx, VCL_REAL r, VCL_TIME fallback)
{
	(void)ctx;
	return isfinite(r) ? r : fallback;
}

VCL_INT
vmod_std_time2integer(struct vcl_ctx *ctx, VCL_TIME t, VCL_INT fallback)
{
	return vmod_std_real2integer(ctx, t, fallback);
}

VCL_REAL
vmod_std_time2real(struct vcl_ctx *ctx, VCL_TIME t, VCL_REAL fallback)
{
	return vmod_std_real2time(ctx, t, fallback);
}
