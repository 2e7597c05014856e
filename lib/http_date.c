/*
 * http_date.c - HTTP's dates (RFC 9110 5.6.7).
 *
 *      Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate: written, and read
 *      Sunday, 06-Nov-94 08:49:37 GMT   RFC 850: read
 *      Sun Nov  6 08:49:37 1994         asctime(): read
 *
 * The calendar is the Gregorian one, reckoned here: gmtime() and timegm()
 * take locks and look at time zones.  The day of the week must be one, but
 * need not be the right one: senders that get it wrong mean the date.
 */
#include <math.h>

#include "http_date.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static const char day_names[7][10] = {"Sunday", "Monday", "Tuesday",
    "Wednesday", "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct date {
	int year, month, day; /* month 1 to 12 */
	int hour, minute, second;
};

/*
 * Days from 1970-01-01.  The year is taken to begin in March, so that the
 * leap day is its last; 400 years, an era, have 146097 days, and 719468 days
 * lie between 0000-03-01 and 1970-01-01.
 */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
	    year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

/* The reverse, for days from 0000-03-01 on. */
static void
date_of(struct date *d, int64_t days)
{
	int64_t era, day_of_era, year_of_era, day_of_year, month;

	days += 719468;
	era = days / 146097;
	day_of_era = days % 146097;
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
			  day_of_era / 146096) / 365;
	day_of_year = day_of_era -
	    (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153;
	d->day = day_of_year - (153 * month + 2) / 5 + 1;
	d->month = month < 10 ? month + 3 : month - 9;
	d->year = year_of_era + era * 400 + (d->month <= 2);
}

static char *
put_2(char *to, unsigned n)
{
	to[0] = '0' + n / 10;
	to[1] = '0' + n % 10;
	return to + 2;
}

void
http_date_format(double t, char out[HTTP_DATE_LEN + 1])
{
	/* The years that have four digits: 0001 to 9999 */
	const double earliest = -62135596800., latest = 253402300799.;
	int64_t seconds, days;
	struct date d;
	char *p = out;

	if (!(t >= earliest))
		t = isnan(t) ? 0 : earliest;
	if (t > latest)
		t = latest;
	seconds = (int64_t)floor(t);
	days = seconds / DAY;
	seconds %= DAY;
	if (seconds < 0) {
		seconds += DAY;
		days--;
	}
	date_of(&d, days);
	/* 1970-01-01 was a Thursday; 7 * 200000 makes it positive. */
	memcpy(p, day_names[(days + 4 + 7 * 200000) % 7], 3);
	memcpy(p + 3, ", ", 2);
	p = put_2(p + 5, d.day);
	*p++ = ' ';
	memcpy(p, month_names[d.month - 1], 3);
	p[3] = ' ';
	p = put_2(p + 4, d.year / 100);
	p = put_2(p, d.year % 100);
	*p++ = ' ';
	p = put_2(p, seconds / HOUR);
	*p++ = ':';
	p = put_2(p, seconds % HOUR / MINUTE);
	*p++ = ':';
	p = put_2(p, seconds % MINUTE);
	memcpy(p, " GMT", 5);
}

/* ---- reading: each takes something off the front of *s, or says false ---- */

static bool
take(struct str *s, struct str text)
{
	if (!str_starts(*s, text))
		return false;
	s->p += text.len;
	s->len -= text.len;
	return true;
}

/* exactly n digits */
static bool
take_number(struct str *s, unsigned n, int *out)
{
	int value = 0;

	if (s->len < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		value = value * 10 + (s->p[i] - '0');
	}
	s->p += n;
	s->len -= n;
	*out = value;
	return true;
}

static bool
take_month(struct str *s, int *month)
{
	for (int i = 0; i < 12; i++) {
		if (take(s, str_of(month_names[i], 3))) {
			*month = i + 1;
			return true;
		}
	}
	return false;
}

/* *whole: it was the whole name, not its first three letters. */
static bool
take_day_name(struct str *s, bool *whole)
{
	for (int i = 0; i < 7; i++) {
		*whole = take(s, str_from_z(day_names[i]));
		if (*whole || take(s, str_of(day_names[i], 3)))
			return true;
	}
	return false;
}

static bool
take_time(struct str *s, struct date *d)
{
	return take_number(s, 2, &d->hour) && take(s, STR(":")) &&
	    take_number(s, 2, &d->minute) && take(s, STR(":")) &&
	    take_number(s, 2, &d->second);
}

static bool
parse_fixdate(struct str s, struct date *d)
{
	return take(&s, STR(", ")) && take_number(&s, 2, &d->day) &&
	    take(&s, STR(" ")) && take_month(&s, &d->month) &&
	    take(&s, STR(" ")) && take_number(&s, 4, &d->year) &&
	    take(&s, STR(" ")) && take_time(&s, d) &&
	    str_eq(s, STR(" GMT"));
}

static int
year_of(double t)
{
	struct date d;

	if (!(t >= 0 && t < 1e11))
		t = 0;
	date_of(&d, (int64_t)t / DAY);
	return d.year;
}

/* RFC 9110 5.6.7: a two-digit year that seems to be more than 50 years in the
 * future is the most recent past one with these digits. */
static bool
parse_rfc850(struct str s, struct date *d, double now)
{
	int year = year_of(now);

	if (!(take(&s, STR(", ")) && take_number(&s, 2, &d->day) &&
		take(&s, STR("-")) && take_month(&s, &d->month) &&
		take(&s, STR("-")) && take_number(&s, 2, &d->year) &&
		take(&s, STR(" ")) && take_time(&s, d) &&
		str_eq(s, STR(" GMT"))))
		return false;
	d->year += year - year % 100;
	if (d->year > year + 50)
		d->year -= 100;
	else if (d->year <= year - 50)
		d->year += 100;
	return true;
}

static bool
parse_asctime(struct str s, struct date *d)
{
	if (!take(&s, STR(" ")) || !take_month(&s, &d->month) ||
	    !take(&s, STR(" ")))
		return false;
	if (!(take(&s, STR(" ")) ? take_number(&s, 1, &d->day)
				 : take_number(&s, 2, &d->day)))
		return false;
	return take(&s, STR(" ")) && take_time(&s, d) && take(&s, STR(" ")) &&
	    take_number(&s, 4, &d->year) && s.len == 0;
}

/* A leap second is a valid 60, and counts as the second that follows it. */
static bool
is_valid(const struct date *d)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
	    30, 31};
	bool leap = d->year % 4 == 0 &&
	    (d->year % 100 != 0 || d->year % 400 == 0);

	return d->year > 0 && d->day >= 1 &&
	    d->day <= days[d->month - 1] + (leap && d->month == 2) &&
	    d->hour < 24 && d->minute < 60 && d->second <= 60;
}

double
http_date_parse(struct str s, double now)
{
	struct date d = {0};
	bool whole, found;

	if (!take_day_name(&s, &whole))
		return 0;
	if (whole)
		found = parse_rfc850(s, &d, now);
	else
		found = parse_fixdate(s, &d) || parse_asctime(s, &d);
	if (!found || !is_valid(&d))
		return 0;
	return (double)days_of(d.year, d.month, d.day) * DAY +
	    d.hour * HOUR + d.minute * MINUTE + d.second;
}
