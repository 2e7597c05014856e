/*
 * params.c - the parameters: their table, their texts, their bounds.
 */
#include <sys/mman.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "networks.h"
#include "params.h"

struct params *params;

#define AT(name) offsetof(struct params, name)

const struct param_info param_info[] = {
#define PARAM_DURATION(name, min, max, def, flags, doc)                      \
	{#name, PARAM_IS_DURATION, AT(name), min, max, def, NULL, "seconds", \
	    flags, doc},
#define PARAM_BYTES(name, min, max, def, flags, doc)                           \
	{#name, PARAM_IS_BYTES, AT(name), min, max, def, NULL, "bytes", flags, \
	    doc},
#define PARAM_UINT(name, min, max, def, unit, flags, doc) \
	{#name, PARAM_IS_UINT, AT(name), min, max, def, NULL, unit, flags, doc},
#define PARAM_BOOL(name, def, flags, doc) \
	{#name, PARAM_IS_BOOL, AT(name), 0, 1, def, NULL, "bool", flags, doc},
#define PARAM_STRING(name, def, flags, doc) \
	{#name, PARAM_IS_STRING, AT(name), 0, 0, 0, def, "", flags, doc},
#include "tbl/params.h"
#undef PARAM_DURATION
#undef PARAM_BYTES
#undef PARAM_UINT
#undef PARAM_BOOL
#undef PARAM_STRING
};

const struct params_numbers params_defaults = {
#define PARAM_DURATION(name, min, max, def, flags, doc)   .name = def,
#define PARAM_BYTES(name, min, max, def, flags, doc)      .name = def,
#define PARAM_UINT(name, min, max, def, unit, flags, doc) .name = def,
#define PARAM_BOOL(name, def, flags, doc)
#define PARAM_STRING(name, def, flags, doc)
#include "tbl/params.h"
#undef PARAM_DURATION
#undef PARAM_BYTES
#undef PARAM_UINT
#undef PARAM_BOOL
#undef PARAM_STRING
};

enum { PARAM_N = sizeof(param_info) / sizeof(param_info[0]) };

const unsigned param_n = PARAM_N;

static bool locked[PARAM_N];

static const struct {
	const char *name, *why;
} compat[] = {
#define PARAM_COMPAT(name, why) {#name, why},
#include "tbl/params_compat.h"
#undef PARAM_COMPAT
};

int
params_init(void)
{
	void *p = mmap(NULL, sizeof(*params), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	params = p;
	for (unsigned i = 0; i < PARAM_N; i++)
		param_reset(&param_info[i]);
	return 0;
}

const struct param_info *
param_find(const char *name)
{
	for (unsigned i = 0; i < PARAM_N; i++) {
		if (!strcmp(param_info[i].name, name))
			return &param_info[i];
	}
	return NULL;
}

const char *
param_compat_reason(const char *name)
{
	for (size_t i = 0; i < sizeof(compat) / sizeof(compat[0]); i++) {
		if (!strcmp(compat[i].name, name))
			return compat[i].why;
	}
	return NULL;
}

void
param_lock(const struct param_info *p)
{
	locked[p - param_info] = true;
}

bool
param_is_locked(const struct param_info *p)
{
	return locked[p - param_info];
}

/* ------------------------------------------------------ text to value */

/* A decimal number without exponent, hexadecimal, inf or nan. */
static const char *
parse_number(const char *text, double *out)
{
	char *end;

	if (!isdigit((unsigned char)text[strspn(text, "+-.")]) ||
	    strspn(text, "+-.") > 2)
		return NULL;
	if (text[strspn(text, "+-0")] == 'x' ||
	    text[strspn(text, "+-0")] == 'X')
		return NULL;
	*out = strtod(text, &end);
	return isfinite(*out) ? end : NULL;
}

bool
param_parse_bytes(const char *text, double *out)
{
	static const char units[] = "bkmgtp";
	const char *p = parse_number(text, out), *unit;

	if (p == NULL)
		return false;
	while (*p == ' ')
		p++;
	if (*p == '\0')
		return *out >= 0;
	unit = strchr(units, tolower((unsigned char)*p));
	if (unit == NULL)
		return false;
	*out = ldexp(*out, 10 * (int)(unit - units));
	p++;
	if (unit != units && (*p == 'b' || *p == 'B'))
		p++;
	return *p == '\0' && *out >= 0 && isfinite(*out);
}

bool
param_parse_duration(const char *text, double *out)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {
	    {"", 1},
	    {"s", 1},
	    {"ms", 1e-3},
	    {"m", 60},
	    {"h", 3600},
	    {"d", 86400},
	    {"w", 604800},
	    {"y", 31536000},
	};
	const char *p = parse_number(text, out);

	if (p == NULL)
		return false;
	while (*p == ' ')
		p++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcasecmp(p, units[i].name)) {
			*out *= units[i].seconds;
			return isfinite(*out);
		}
	}
	return false;
}

static bool
parse_bool(const char *text, double *out)
{
	static const char *const yes[] = {"on", "true", "yes", "enable", "1"};
	static const char *const no[] = {"off", "false", "no", "disable", "0"};

	for (int i = 0; i < 5; i++) {
		if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
			*out = !strcasecmp(text, yes[i]);
			return true;
		}
	}
	return false;
}

/* The number that text means for p; false with err set. */
static bool
parse_value(const struct param_info *p, const char *text, double *v,
    char err[PARAM_ERR_MAX])
{
	const char *end;

	switch (p->kind) {
	case PARAM_IS_DURATION:
		if ((p->flags & P_NEVER) && !strcmp(text, "never")) {
			*v = INFINITY;
			return true;
		}
		if (param_parse_duration(text, v))
			return true;
		snprintf(err, PARAM_ERR_MAX,
		    "Invalid number (%.100s): "
		    "seconds, or a number and ms, s, m, h, d, w or y%s",
		    text, p->flags & P_NEVER ? "; or never" : "");
		return false;
	case PARAM_IS_BYTES:
		if (param_parse_bytes(text, v)) {
			*v = floor(*v);
			return true;
		}
		snprintf(err, PARAM_ERR_MAX,
		    "Could not convert to bytes "
		    "(%.100s): try something like '80k' or '120M'",
		    text);
		return false;
	case PARAM_IS_UINT:
		if (!strcasecmp(text, "unlimited")) {
			*v = p->max;
			return true;
		}
		end = parse_number(text, v);
		if (end != NULL && *end == '\0' && *v == floor(*v))
			return true;
		snprintf(err, PARAM_ERR_MAX, "Not a number (%.100s)", text);
		return false;
	case PARAM_IS_BOOL:
		if (parse_bool(text, v))
			return true;
		snprintf(err, PARAM_ERR_MAX, "use \"on\" or \"off\"");
		return false;
	case PARAM_IS_STRING:
		break;
	}
	return false;
}

/* ------------------------------------------------------ value to text */


static void
number_text(const struct param_info *p, double v, char out[PARAM_TEXT_MAX])
{
	static const char units[] = "bkMGTP";
	unsigned unit = 0;

	switch (p->kind) {
	case PARAM_IS_DURATION:
		snprintf(out, PARAM_TEXT_MAX, isinf(v) ? "never" : "%.3f", v);
		break;
	case PARAM_IS_BYTES:
		while (v > 0 && unit < 5 && fmod(v, 1024) == 0) {
			v /= 1024;
			unit++;
		}
		snprintf(out, PARAM_TEXT_MAX, "%.0f%c", v, units[unit]);
		break;
	case PARAM_IS_UINT:
		snprintf(out, PARAM_TEXT_MAX, "%.0f", v);
		break;
	case PARAM_IS_BOOL:
		snprintf(out, PARAM_TEXT_MAX, "%s", v != 0 ? "on" : "off");
		break;
	case PARAM_IS_STRING:
		out[0] = '\0';
		break;
	}
}

static double
value_of(const struct param_info *p)
{
	const char *at = (const char *)params + p->offset;

	switch (p->kind) {
	case PARAM_IS_DURATION:
		return *(const double *)at;
	case PARAM_IS_BYTES:
		return (double)*(const uint64_t *)at;
	case PARAM_IS_UINT:
		return *(const uint32_t *)at;
	case PARAM_IS_BOOL:
		return *(const bool *)at;
	case PARAM_IS_STRING:
		break;
	}
	return 0;
}

static void
store_value(const struct param_info *p, double v)
{
	char *at = (char *)params + p->offset;

	switch (p->kind) {
	case PARAM_IS_DURATION:
		*(double *)at = v;
		break;
	case PARAM_IS_BYTES:
		*(uint64_t *)at = (uint64_t)v;
		break;
	case PARAM_IS_UINT:
		*(uint32_t *)at = (uint32_t)v;
		break;
	case PARAM_IS_BOOL:
		*(bool *)at = v != 0;
		break;
	case PARAM_IS_STRING:
		break;
	}
}

void
param_text(const struct param_info *p, char out[PARAM_TEXT_MAX])
{
	if (p->kind == PARAM_IS_STRING)
		memcpy(out, (const char *)params + p->offset, PARAM_TEXT_MAX);
	else
		number_text(p, value_of(p), out);
}

void
param_default_text(const struct param_info *p, char out[PARAM_TEXT_MAX])
{
	if (p->kind == PARAM_IS_STRING)
		snprintf(out, PARAM_TEXT_MAX, "%s", p->def_string);
	else
		number_text(p, p->def, out);
}

static bool
has_bounds(const struct param_info *p)
{
	return p->kind != PARAM_IS_STRING && p->kind != PARAM_IS_BOOL;
}

bool
param_min_text(const struct param_info *p, char out[PARAM_TEXT_MAX])
{
	number_text(p, p->min, out);
	return has_bounds(p);
}

bool
param_max_text(const struct param_info *p, char out[PARAM_TEXT_MAX])
{
	number_text(p, p->max, out);
	return has_bounds(p);
}

bool
param_is_default(const struct param_info *p)
{
	if (p->kind == PARAM_IS_STRING)
		return !strcmp((const char *)params + p->offset, p->def_string);
	return value_of(p) == p->def;
}

void
param_reset(const struct param_info *p)
{
	if (p->kind == PARAM_IS_STRING)
		snprintf((char *)params + p->offset, PARAM_STRING_MAX, "%s",
		    p->def_string);
	else
		store_value(p, p->def);
}

bool
param_set_text(
    const struct param_info *p, const char *text, char err[PARAM_ERR_MAX])
{
	char bound[PARAM_TEXT_MAX];
	struct networks networks;
	double v;

	if (!strcmp(text, "default")) {
		param_reset(p);
		return true;
	}
	if (p->kind == PARAM_IS_STRING) {
		if (strlen(text) >= PARAM_STRING_MAX) {
			snprintf(err, PARAM_ERR_MAX,
			    "Must be shorter than %d bytes", PARAM_STRING_MAX);
			return false;
		}
		if ((p->flags & P_NETWORKS) &&
		    !networks_parse(&networks, text, err, PARAM_ERR_MAX))
			return false;
		snprintf(
		    (char *)params + p->offset, PARAM_STRING_MAX, "%s", text);
		return true;
	}
	if (!parse_value(p, text, &v, err))
		return false;
	if (v < p->min) {
		number_text(p, p->min, bound);
		snprintf(err, PARAM_ERR_MAX, "Must be at least %s", bound);
		return false;
	}
	if (v > p->max && !isinf(v)) { /* "never" is beyond any */
		number_text(p, p->max, bound);
		snprintf(err, PARAM_ERR_MAX, "Must be no more than %s", bound);
		return false;
	}
	store_value(p, v);
	return true;
}

/* --- features: several parameters as one, as varnishd has them ----------- */

struct feature {
	const char *name;
	const char *param; /* NULL: it has no meaning here */
};

static const struct feature vcc_feature[] = {
	{"err_unref", "vcc_err_unref"},
	{"unsafe_path", "vcc_unsafe_path"},
	{"allow_inline_c", NULL},
	{NULL, NULL},
};

static const struct feature feature[] = {
	{"esi_disable_xml_check", "esi_disable_xml_check"},
	{"esi_ignore_https", "esi_ignore_https"},
	{"esi_ignore_other_elements", "esi_ignore_other_elements"},
	{"esi_include_onerror", "esi_include_onerror"},
	{"esi_remove_bom", "esi_remove_bom"},
	{"busy_stats_rate", NULL},
	{"http2", NULL},
	{"http_date_postel", NULL},
	{"https_scheme", NULL},
	{"no_coredump", NULL},
	{"short_panic", NULL},
	{"trace", NULL},
	{"validate_headers", NULL},
	{"vcl_req_reset", NULL},
	{"wait_silo", NULL},
	{NULL, NULL},
};

static const struct feature *
features_of(const char *set)
{
	if (!strcmp(set, "vcc_feature"))
		return vcc_feature;
	return !strcmp(set, "feature") ? feature : NULL;
}

bool
param_is_features(const char *set)
{
	return features_of(set) != NULL;
}

const struct param_info *
param_of_feature(const char *set, unsigned i)
{
	for (const struct feature *f = features_of(set); f->name != NULL; f++)
		if (f->param != NULL && i-- == 0)
			return param_find(f->param);
	return NULL;
}

static bool
feature_refused(const char *set, const char *what, char err[PARAM_ERR_MAX])
{
	int n = snprintf(err, PARAM_ERR_MAX, "%s; they are", what);

	for (const struct feature *f = features_of(set); f->name != NULL; f++)
		if (n < PARAM_ERR_MAX)
			n += snprintf(err + n, (size_t)(PARAM_ERR_MAX - n),
			    "%s %s", f == features_of(set) ? "" : ",",
			    f->name);
	return false;
}

/* The feature that text begins with, of len bytes. */
static const struct feature *
feature_find(const char *set, const char *text, size_t len)
{
	const struct feature *f = features_of(set);

	while (f->name != NULL &&
	    (strlen(f->name) != len || strncmp(f->name, text, len) != 0))
		f++;
	return f->name != NULL ? f : NULL;
}

/* All of them are looked at before the first is set. */
static bool
each_feature(const char *set, const char *text, bool store,
    char err[PARAM_ERR_MAX])
{
	size_t len;

	for (; *text != '\0'; text += len + (text[len] == ',')) {
		const struct feature *f;
		char what[80];

		len = strcspn(text, ",");
		if (len == 0)
			continue;
		if (*text != '+' && *text != '-')
			return feature_refused(set, "+feature or -feature is "
			    "wanted, or several with commas", err);
		f = feature_find(set, text + 1, len - 1);
		if (f == NULL) {
			snprintf(what, sizeof(what), "there is no feature "
			    "\"%.*s\"", (int)len - 1, text + 1);
			return feature_refused(set, what, err);
		}
		if (store && f->param != NULL)
			store_value(param_find(f->param), *text == '+');
	}
	return true;
}

bool
param_set_features(const char *set, const char *text, char err[PARAM_ERR_MAX])
{
	const struct param_info *p;
	bool none = !strcmp(text, "none");

	if (none || !strcmp(text, "default")) {
		for (unsigned i = 0; (p = param_of_feature(set, i)) != NULL;
		     i++) {
			param_reset(p);
			if (none)
				store_value(p, false);
		}
		return true;
	}
	return each_feature(set, text, false, err) &&
	    each_feature(set, text, true, err);
}
