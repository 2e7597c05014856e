/*
 * fuzz_cache_control.c - Cache-Control and freshness.  The input is the
 * values of several fields, a line each: Cache-Control, Cache-Control,
 * Expires, Age, Date, CDN-Cache-Control, Surrogate-Control.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_semantics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_age(int64_t age)
{
	return age >= -1 && age <= CACHE_CONTROL_AGE_MAX;
}

/* 0 to 9999 years and a day */
static bool
is_time(double t)
{
	return t >= 0 && t <= 3.2e11;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum field_id names[] = {FIELD_CACHE_CONTROL,
	    FIELD_CACHE_CONTROL, FIELD_EXPIRES, FIELD_AGE, FIELD_DATE,
	    FIELD_CDN_CACHE_CONTROL, FIELD_SURROGATE_CONTROL};
	struct freshness_rules rules = {.default_ttl = 120,
	    .surrogate = size % 2, .authorized = size % 3 == 0};
	enum { N = sizeof(names) / sizeof(*names) };
	const char *p = (const char *)data, *end = p + size;
	struct field field[N];
	struct http h = {.field = field, .field_cap = N, .status = 200};
	struct cache_control cc;
	struct freshness f;

	for (unsigned i = 0; i < N && p < end; i++) {
		const char *eol = memchr(p, '\n', end - p);

		eol = eol ? eol : end;
		http_add_known(&h, names[i], str_trim(str_of(p, eol - p)));
		p = eol + (eol < end);
	}
	cache_control_parse(&cc, &h);
	if (!is_age(cc.max_age) || !is_age(cc.s_maxage) ||
	    !is_age(cc.stale_while_revalidate) ||
	    !is_age(cc.stale_if_error) || !is_age(cc.min_fresh) ||
	    (!is_age(cc.max_stale) && cc.max_stale != INT64_MAX))
		abort();
	(void)cache_control_lists(&h, STR("set-cookie"));
	if ((cc.no_cache_fields && !cc.no_cache) ||
	    (cc.private_fields && !cc.private_))
		abort();
	freshness_of(&f, &h, 1704067200, &rules);
	if (!is_time(f.age) || !is_time(f.ttl) || !f.cacheable ||
	    f.grace < -1 || f.error_grace < -1 || f.source == NULL)
		abort();
	return 0;
}
