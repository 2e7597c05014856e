/*
 * http_freshness.c - how long a response is good, and whether a shared cache
 * may keep it (RFC 9111 3, 4.2; RFC 5861; RFC 9213).
 *
 * An Expires that can't be read is in the past.
 */
#include <math.h>

#include "http_date.h"
#include "http_semantics.h"

enum {
	HEURISTIC_PART = 10,   /* of the time since Last-Modified */
	HEURISTIC_MAX = 86400, /* longer, users would see old pages for long */
};

/*
 * Does the status allow caching where nothing explicit does (RFC 9110 15.1)?
 * 206 is not here, as the cache asks for whole responses; 304 is, as it is
 * about one of the others.
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
	case 308:
	case 404:
	case 405:
	case 410:
	case 414:
	case 501:
		return true;
	default:
		return false;
	}
}

/*
 * RFC 9111 5.1: of a list the first member.  < 0: it is no number, or there are
 * several lines.  Not ignored, as 5.1 has it, since it may be of any age: what
 * has invalid freshness information is taken for stale (4.2.1).
 */
static double
age_value(const struct http *h)
{
	struct str list = http_get(h, FIELD_AGE), item;

	if (list.p == NULL)
		return 0;
	if (http_count(h, FIELD_AGE) > 1 || !str_next_item(&list, &item) ||
	    item.len == 0 || item.p[0] == '"')
		return -1;
	return http_seconds(item);
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

/*
 * RFC 9111 4.2.2: what did not change for long will not change soon.  A
 * Last-Modified that is no date, or is later than the response, says nothing.
 */
static double
heuristic(struct freshness *f, const struct http *h, double date, double now,
    double default_ttl)
{
	struct str field = http_get(h, FIELD_LAST_MODIFIED);
	double modified = field.p ? http_date_parse(field, now) : 0, part;

	f->source = "default_ttl";
	if (default_ttl <= 0) /* the user wants no guesses */
		return 0;
	if (modified <= 0 || modified > date)
		return default_ttl;
	f->source = "Last-Modified";
	part = (date - modified) / HEURISTIC_PART;
	return part < HEURISTIC_MAX ? part : HEURISTIC_MAX;
}

/* RFC 9111 4.2.1: for a shared cache */
static double
lifetime(struct freshness *f, const struct http *h,
    const struct cache_control *cc, double date, double now,
    double default_ttl)
{
	double expires;

	f->explicit_ = true;
	if (cc->s_maxage >= 0) {
		f->source = "s-maxage";
		return (double)cc->s_maxage;
	}
	if (cc->max_age >= 0) {
		f->source = "max-age";
		return (double)cc->max_age;
	}
	/* beside a targeted field it counts for others (RFC 9213 2.2) */
	if (f->field == FIELD_CACHE_CONTROL && expires_at(h, now, &expires)) {
		f->source = "Expires";
		return expires > date ? expires - date : 0;
	}
	f->explicit_ = false;
	/* public: whatever the status (RFC 9111 4.2.2) */
	if (!cacheable_by_default(h->status) && !cc->public_) {
		f->source = "status";
		return 0;
	}
	return heuristic(f, h, date, now, default_ttl);
}

/*
 * May a shared cache keep it (RFC 9111 3)?  How long is another question, and
 * so are no-cache and max-age=0, which have it asked about.
 */
static bool
is_storable(const struct http *h, const struct cache_control *cc,
    bool authorized)
{
	bool understood = http_status_is_known(h->status);

	if (cc->must_understand && !understood)
		return false;
	/* 5.2.2.3: who understands the status may ignore no-store */
	if (cc->no_store && !cc->must_understand)
		return false;
	if (cc->private_ && !cc->private_fields)
		return false;
	/* 3.5 */
	return !authorized || cc->public_ || cc->must_revalidate ||
	    cc->s_maxage >= 0;
}

/* RFC 5861; and where RFC 9111 4.2.4 has nothing stale served. */
static void
stale_limits(struct freshness *f, const struct cache_control *cc)
{
	f->grace = (double)cc->stale_while_revalidate;
	f->error_grace = (double)cc->stale_if_error;
	if (cc->must_revalidate || cc->proxy_revalidate || f->no_cache) {
		f->grace = f->error_grace = 0;
		return;
	}
	/*
	 * s-maxage means proxy-revalidate, too (5.2.2.10); but an origin
	 * that grants a time of staleness beside it means what it says.
	 */
	if (cc->s_maxage >= 0 && f->grace < 0) {
		f->grace = 0;
		if (f->error_grace < 0)
			f->error_grace = 0;
	}
}

void
freshness_of(struct freshness *f, const struct http *h, double now,
    const struct freshness_rules *rules)
{
	struct str date_field = http_get(h, FIELD_DATE);
	struct cache_control cc;
	double date = 0;

	f->field = cache_control_effective(&cc, h, rules->surrogate);
	if (date_field.p)
		date = http_date_parse(date_field, now);
	if (date == 0)
		date = now;
	/* RFC 9111 4.2.3: the larger of the apparent age and Age */
	f->age = age_value(h);
	f->age_is_unknown = f->age < 0;
	if (f->age_is_unknown)
		f->age = 0;
	if (floor(now - date) > f->age) /* ages are whole seconds */
		f->age = floor(now - date);
	f->no_cache = cc.no_cache && !cc.no_cache_fields;
	f->has_lists = cc.has_lists;
	f->ttl = lifetime(f, h, &cc, date, now, rules->default_ttl);
	if (f->age_is_unknown && f->ttl > 0) {
		f->ttl = 0;
		f->source = "Age";
	}
	f->cacheable = h->status >= 200 && (f->explicit_ || cc.public_ ||
	    cacheable_by_default(h->status));
	f->storable = is_storable(h, &cc, rules->authorized);
	stale_limits(f, &cc);
}
