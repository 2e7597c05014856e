/*
 * http_semantics.c - Cache-Control and freshness (RFC 9111, RFC 5861).
 *
 * What is malformed is taken the careful way: an age that can't be read is 0,
 * an Expires that can't be read is in the past, and of values that contradict
 * each other the one counts that lets us reuse the response least.
 *
 * Ranges and entity tags are in http_conditions.c.
 */
#include <math.h>

#include "http_date.h"
#include "http_scan.h"
#include "http_semantics.h"

/*
 * delta-seconds (RFC 9111 1.2.2), which may be quoted (5.2: recipients ought
 * to accept both); -1 if it is no number.
 */
static int64_t
parse_seconds(struct str s)
{
	int64_t n = 0;

	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
		s = str_of(s.p + 1, s.len - 2);
	if (s.len == 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (!http_char_is(s.p[i], HTTP_CHAR_DIGIT))
			return -1;
		n = n * 10 + (s.p[i] - '0');
		if (n > CACHE_CONTROL_AGE_MAX)
			n = CACHE_CONTROL_AGE_MAX;
	}
	return n;
}

struct directive {
	struct str name, value; /* value.p == NULL: there is no "=" */
	bool malformed;         /* white space around the "=" */
};

static struct directive
split(struct str item)
{
	const char *equals = memchr(item.p, '=', item.len);
	struct directive d = {.name = item};
	size_t len;

	if (!equals)
		return d;
	len = equals - item.p;
	d.name = str_trim(str_of(item.p, len));
	d.value = str_of(equals + 1, item.len - len - 1);
	d.malformed = d.name.len != len ||
	    (d.value.len > 0 && http_is_space(d.value.p[0]));
	return d;
}

static int64_t
seconds_of(const struct directive *d)
{
	int64_t n = d->value.p && !d->malformed ? parse_seconds(d->value) : -1;

	return n < 0 ? 0 : n;
}

static void
keep_smallest(int64_t *age, int64_t n)
{
	if (*age < 0 || n < *age)
		*age = n;
}

/* Ages; false if d is none of them */
static bool
take_age(struct cache_control *cc, const struct directive *d)
{
	if (str_caseeq(d->name, STR("max-age")))
		keep_smallest(&cc->max_age, seconds_of(d));
	else if (str_caseeq(d->name, STR("s-maxage")))
		keep_smallest(&cc->s_maxage, seconds_of(d));
	else if (str_caseeq(d->name, STR("stale-while-revalidate")))
		keep_smallest(&cc->stale_while_revalidate, seconds_of(d));
	else if (str_caseeq(d->name, STR("stale-if-error")))
		keep_smallest(&cc->stale_if_error, seconds_of(d));
	else if (str_caseeq(d->name, STR("max-stale")))
		keep_smallest(&cc->max_stale,
		    d->value.p ? seconds_of(d) : INT64_MAX);
	else if (str_caseeq(d->name, STR("min-fresh"))) {
		if (seconds_of(d) > cc->min_fresh)
			cc->min_fresh = seconds_of(d);
	} else
		return false;
	return true;
}

/*
 * no-cache and private, with or without a list of fields.  One without a list
 * says more than any with one.
 */
static void
take_qualified(bool *set, bool *only_fields, const struct directive *d)
{
	bool fields = d->value.p && d->value.len > 0;

	*only_fields = fields && (!*set || *only_fields);
	*set = true;
}

static void
take_flag(struct cache_control *cc, const struct directive *d)
{
	static const struct {
		struct str name;
		size_t at;
	} flags[] = {
#define FLAG(text, member)                                                   \
	{{text, sizeof(text) - 1}, offsetof(struct cache_control, member)}
	    FLAG("no-store", no_store),
	    FLAG("public", public_),
	    FLAG("must-revalidate", must_revalidate),
	    FLAG("proxy-revalidate", proxy_revalidate),
	    FLAG("no-transform", no_transform),
	    FLAG("only-if-cached", only_if_cached),
	    FLAG("immutable", immutable),
	    FLAG("must-understand", must_understand),
#undef FLAG
	};

	if (str_caseeq(d->name, STR("no-cache"))) {
		take_qualified(&cc->no_cache, &cc->no_cache_fields, d);
		return;
	}
	if (str_caseeq(d->name, STR("private"))) {
		take_qualified(&cc->private_, &cc->private_fields, d);
		return;
	}
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (str_caseeq(d->name, flags[i].name))
			*(bool *)((char *)cc + flags[i].at) = true;
}

void
cache_control_parse(struct cache_control *cc, const struct http *h)
{
	static const struct field_name name = {.id = FIELD_CACHE_CONTROL};

	*cc = (struct cache_control){
	    .max_age = -1,
	    .s_maxage = -1,
	    .stale_while_revalidate = -1,
	    .stale_if_error = -1,
	    .min_fresh = -1,
	    .max_stale = -1,
	};
	for (int i = http_find(h, &name, 0); i >= 0;
	     i = http_find(h, &name, i + 1)) {
		struct str list =
		    str_of(h->field[i].value, h->field[i].value_len);
		struct str item;

		while (str_next_item(&list, &item)) {
			struct directive d = split(item);

			if (!take_age(cc, &d))
				take_flag(cc, &d);
		}
	}
}

/* ---- freshness ---- */

/*
 * Does the status allow caching where nothing explicit does?  The statuses
 * that Varnish takes; RFC 9110 15.1 would allow 206, 308, 405 and 501 too.
 */
static bool
cacheable_by_default(unsigned status)
{
	switch (status) {
	case 200:
	case 203:
	case 204:
	case 300:
	case 301:
	case 304:
	case 404:
	case 410:
	case 414:
		return true;
	default:
		return false;
	}
}

/* RFC 9111 5.1: of a list the first member; what is no number is ignored. */
static double
age_value(const struct http *h)
{
	struct str list = http_get(h, FIELD_AGE), item;
	int64_t n;

	if (!list.p || !str_next_item(&list, &item))
		return 0;
	n = parse_seconds(item);
	return n < 0 ? 0 : n;
}

/*
 * When Expires says; false if there is none.  The earliest of several; one
 * that is no date ("0", "-1") is long past (RFC 9111 5.3).
 */
static bool
expires_at(const struct http *h, double now, double *at)
{
	static const struct field_name name = {.id = FIELD_EXPIRES};
	bool found = false;

	for (int i = http_find(h, &name, 0); i >= 0;
	     i = http_find(h, &name, i + 1)) {
		double t = http_date_parse(
		    str_of(h->field[i].value, h->field[i].value_len), now);

		if (!found || t < *at)
			*at = t;
		found = true;
	}
	return found;
}

/* RFC 9111 4.2.1: for a shared cache */
static double
lifetime(struct freshness *f, const struct http *h,
    const struct cache_control *cc, double date, double now,
    double default_ttl)
{
	double expires;

	f->explicit_ = true;
	if (cc->s_maxage >= 0)
		return cc->s_maxage;
	if (cc->max_age >= 0)
		return cc->max_age;
	if (expires_at(h, now, &expires))
		return expires > date ? expires - date : 0;
	f->explicit_ = false;
	return cacheable_by_default(h->status) ? default_ttl : 0;
}

void
freshness_of(struct freshness *f, const struct http *h, double now,
    double default_ttl)
{
	struct str date_field = http_get(h, FIELD_DATE);
	struct cache_control cc;
	double date = 0;

	cache_control_parse(&cc, h);
	if (date_field.p)
		date = http_date_parse(date_field, now);
	if (date == 0)
		date = now;
	/* RFC 9111 4.2.3: the larger of the apparent age and Age */
	f->age = age_value(h);
	if (floor(now - date) > f->age) /* ages are whole seconds */
		f->age = floor(now - date);
	f->ttl = lifetime(f, h, &cc, date, now, default_ttl);
	f->cacheable = h->status >= 200 &&
	    (f->explicit_ || cacheable_by_default(h->status));
	f->grace = cc.stale_while_revalidate;
	if (cc.must_revalidate || cc.proxy_revalidate)
		f->grace = 0;
}
