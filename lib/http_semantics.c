/*
 * http_semantics.c - Cache-Control (RFC 9111 5.2, RFC 5861), the fields that
 * stand in its place (RFC 9213, Surrogate-Control), and Accept-Encoding.
 *
 * What is malformed is taken the careful way: an age that can't be read is 0,
 * and of values that contradict each other the one counts that lets us reuse
 * the response least.  Only in structured fields the last one does, as their
 * RFC has it.
 *
 * What follows for a response is in http_freshness.c; ranges and entity tags
 * are in byte_range.c and http_conditions.c.
 */
#include "http_scan.h"
#include "http_semantics.h"
#include "sfield.h"

/* may be quoted (RFC 9111 5.2: recipients ought to accept both) */
int64_t
http_seconds(struct str s)
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
	int64_t n = d->value.p && !d->malformed ? http_seconds(d->value) : -1;

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
take_qualified(struct cache_control *cc, bool *set, bool *only_fields,
    const struct directive *d)
{
	bool fields = d->value.p && d->value.len > 0;

	*only_fields = fields && (!*set || *only_fields);
	*set = true;
	cc->has_lists |= fields;
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
		take_qualified(cc, &cc->no_cache, &cc->no_cache_fields, d);
		return;
	}
	if (str_caseeq(d->name, STR("private"))) {
		take_qualified(cc, &cc->private_, &cc->private_fields, d);
		return;
	}
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (str_caseeq(d->name, flags[i].name))
			*(bool *)((char *)cc + flags[i].at) = true;
}

static void
forget(struct cache_control *cc)
{
	*cc = (struct cache_control){
	    .max_age = -1,
	    .s_maxage = -1,
	    .stale_while_revalidate = -1,
	    .stale_if_error = -1,
	    .min_fresh = -1,
	    .max_stale = -1,
	};
}

static struct str
value_at(const struct http *h, int i)
{
	return str_of(h->field[i].value, h->field[i].value_len);
}

void
cache_control_parse(struct cache_control *cc, const struct http *h)
{
	static const struct field_name name = {.id = FIELD_CACHE_CONTROL};

	forget(cc);
	for (int i = http_find(h, &name, 0); i >= 0;
	     i = http_find(h, &name, (unsigned)i + 1)) {
		struct str list = value_at(h, i), item;

		while (str_next_item(&list, &item)) {
			struct directive d = split(item);

			if (!take_age(cc, &d))
				take_flag(cc, &d);
		}
	}
}

/* ---- in its place ---- */

/* Of a key that comes twice, only the last counts (RFC 9651 4.2.2). */
static void
drop_directive(struct cache_control *cc, struct str key)
{
	struct cache_control none;
	static const struct {
		struct str name;
		size_t at;
	} ages[] = {
#define AGE(text, member)                                                    \
	{{text, sizeof(text) - 1}, offsetof(struct cache_control, member)}
	    AGE("max-age", max_age),
	    AGE("s-maxage", s_maxage),
	    AGE("stale-while-revalidate", stale_while_revalidate),
	    AGE("stale-if-error", stale_if_error),
#undef AGE
	};

	forget(&none);
	for (unsigned i = 0; i < sizeof(ages) / sizeof(*ages); i++)
		if (str_eq(key, ages[i].name))
			memcpy((char *)cc + ages[i].at,
			    (char *)&none + ages[i].at, sizeof(int64_t));
	if (str_eq(key, STR("no-cache")))
		cc->no_cache = cc->no_cache_fields = false;
	if (str_eq(key, STR("private")))
		cc->private_ = cc->private_fields = false;
}

/*
 * A member of a targeted field: an age is an Integer, a list of fields a
 * String, all else a flag.  An age of another type can't be read: it is 0.
 */
static void
take_member(struct cache_control *cc, struct str key,
    const struct sf_item *item)
{
	struct directive d = {.name = key, .value = STR("x")};
	struct cache_control probe;
	char digits[20], *p = digits + sizeof digits;
	uint64_t n = item->number > 0 ? (uint64_t)item->number : 0;

	drop_directive(cc, key);
	forget(&probe);
	if (take_age(&probe, &d)) {
		if (item->type == SF_INTEGER) {
			do
				*--p = (char)('0' + n % 10);
			while ((n /= 10) > 0);
			d.value = str_of(p, (size_t)(digits +
			    sizeof digits - p));
		}
		take_age(cc, &d);
		return;
	}
	if (item->type == SF_BOOLEAN && item->number == 0)
		return;
	d.value = item->type == SF_STRING ? item->text : STR_NULL;
	take_flag(cc, &d);
}

/* RFC 9213 2.1; false: absent, empty, or it can't be read */
static bool
parse_targeted(struct cache_control *cc, const struct http *h,
    enum field_id id)
{
	struct field_name name = {.id = id};
	bool some = false;

	forget(cc);
	for (int i = http_find(h, &name, 0); i >= 0;
	     i = http_find(h, &name, (unsigned)i + 1)) {
		struct str rest = value_at(h, i), key;
		struct sf_item item;

		for (;;) {
			enum sf_result r = sf_next_member(&rest, &key, &item);

			if (r == SF_ERROR)
				return false;
			if (r == SF_END)
				break;
			some = true;
			take_member(cc, key, &item);
		}
	}
	return some;
}

/* "max-age=60+30": to be served stale for 30 s while it is refreshed */
static void
take_surrogate_age(struct cache_control *cc, struct directive *d)
{
	const char *plus = d->value.p != NULL ?
	    memchr(d->value.p, '+', d->value.len) : NULL;
	struct str v = d->value;

	if (plus != NULL) {
		int64_t more;

		d->value = str_of(v.p, (size_t)(plus - v.p));
		more = http_seconds(str_of(plus + 1,
		    v.len - d->value.len - 1));
		cc->stale_while_revalidate = more > 0 ? more : 0;
	}
	keep_smallest(&cc->max_age, seconds_of(d));
}

/*
 * W3C's note edge-arch: "max-age=60;other" is for the surrogate of that name
 * only.  false: it says nothing to us.
 */
static bool
parse_surrogate(struct cache_control *cc, const struct http *h)
{
	static const struct field_name name = {.id = FIELD_SURROGATE_CONTROL};

	forget(cc);
	for (int i = http_find(h, &name, 0); i >= 0;
	     i = http_find(h, &name, (unsigned)i + 1)) {
		struct str list = value_at(h, i), item;

		while (str_next_item(&list, &item)) {
			struct directive d;
			const char *semi = memchr(item.p, ';', item.len);

			if (semi != NULL && !str_caseeq(str_trim(str_of(
			    semi + 1, (size_t)(item.p + item.len - semi - 1))),
			    STR("copal")))
				continue;
			if (semi != NULL)
				item.len = (size_t)(semi - item.p);
			d = split(str_trim(item));
			if (d.malformed)
				continue;
			if (str_caseeq(d.name, STR("max-age")))
				take_surrogate_age(cc, &d);
			else if (str_caseeq(d.name, STR("no-store")))
				cc->no_store = true;
		}
	}
	return cc->max_age >= 0 || cc->no_store;
}

enum field_id
cache_control_effective(struct cache_control *cc, const struct http *h,
    bool surrogate)
{
	static const enum field_id targeted[] = {FIELD_COPAL_CACHE_CONTROL,
	    FIELD_CDN_CACHE_CONTROL};
	struct cache_control own;

	for (unsigned i = 0; i < sizeof(targeted) / sizeof(*targeted); i++)
		if (parse_targeted(cc, h, targeted[i]))
			return targeted[i];
	cache_control_parse(&own, h);
	if (surrogate && parse_surrogate(cc, h)) {
		/* what it can't say */
		cc->no_transform = own.no_transform;
		return FIELD_SURROGATE_CONTROL;
	}
	*cc = own;
	return FIELD_CACHE_CONTROL;
}

/* Is field in the list of fields that no-cache or private has? */
static bool
directive_lists(const struct directive *d, struct str field)
{
	struct str list = d->value;

	if (list.p == NULL || (!str_caseeq(d->name, STR("no-cache")) &&
	    !str_caseeq(d->name, STR("private"))))
		return false;
	if (list.len >= 2 && list.p[0] == '"' && list.p[list.len - 1] == '"')
		list = str_of(list.p + 1, list.len - 2);
	return str_list_has(list, field);
}

bool
cache_control_lists(const struct http *h, struct str field)
{
	static const enum field_id ids[] = {FIELD_COPAL_CACHE_CONTROL,
	    FIELD_CDN_CACHE_CONTROL, FIELD_CACHE_CONTROL};

	for (unsigned k = 0; k < sizeof(ids) / sizeof(*ids); k++) {
		struct field_name name = {.id = ids[k]};

		for (int i = http_find(h, &name, 0); i >= 0;
		     i = http_find(h, &name, (unsigned)i + 1)) {
			struct str list = value_at(h, i), item;

			while (str_next_item(&list, &item)) {
				struct directive d = split(item);

				if (directive_lists(&d, field))
					return true;
			}
		}
	}
	return false;
}

bool
http_is_safe(struct str method)
{
	static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE",
	    "PROPFIND", "REPORT", "SEARCH", "QUERY"};

	for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
		if (str_eq(method, str_from_z(safe[i])))
			return true;
	return false;
}
