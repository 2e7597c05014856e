/*
 * params.h - the parameters' values, shared by manager and worker.
 *
 * One struct in memory that both map: param.set in the manager is seen by
 * the worker at its next read.  One field a record of tbl/params.h.  Only
 * the manager writes; a number is written in one store, a string is for
 * the manager's own use.
 */
#ifndef COPAL_PARAMS_H
#define COPAL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* a few dozen networks */
enum { PARAM_STRING_MAX = 1024 };

struct params {
#define PARAM_DURATION(name, min, max, def, flags, doc)   double name;
#define PARAM_BYTES(name, min, max, def, flags, doc)      uint64_t name;
#define PARAM_UINT(name, min, max, def, unit, flags, doc) uint32_t name;
#define PARAM_BOOL(name, def, flags, doc)                 bool name;
#define PARAM_STRING(name, def, flags, doc) char name[PARAM_STRING_MAX];
#include "tbl/params.h"
#undef PARAM_DURATION
#undef PARAM_BYTES
#undef PARAM_UINT
#undef PARAM_BOOL
#undef PARAM_STRING
};

extern struct params *params; /* never NULL once params_init() ran */

/* Has a number its default? */
extern const struct params_numbers {
#define PARAM_DURATION(name, min, max, def, flags, doc)   double name;
#define PARAM_BYTES(name, min, max, def, flags, doc)      double name;
#define PARAM_UINT(name, min, max, def, unit, flags, doc) double name;
#define PARAM_BOOL(name, def, flags, doc)
#define PARAM_STRING(name, def, flags, doc)
#include "tbl/params.h"
#undef PARAM_DURATION
#undef PARAM_BYTES
#undef PARAM_UINT
#undef PARAM_BOOL
#undef PARAM_STRING
} params_defaults;
#define param_is_untouched(name) \
	((double)params->name == params_defaults.name)

/* --- for the manager ----------------------------------------------------- */

enum param_kind {
	PARAM_IS_DURATION,
	PARAM_IS_BYTES,
	PARAM_IS_UINT,
	PARAM_IS_BOOL,
	PARAM_IS_STRING,
};

enum {
#define PARAM_FLAG(name, bit, json, note, sentence) name = bit,
#include "tbl/param_flags.h"
#undef PARAM_FLAG
};

struct param_info {
	const char *name;
	enum param_kind kind;
	size_t offset;        /* in struct params */
	double min, max, def; /* of numbers and booleans */
	const char *def_string;
	const char *unit; /* "" if there is none */
	unsigned flags;
	const char *doc;
};

/* In the order of the table. */
extern const struct param_info param_info[];
extern const unsigned param_n;

/* Room for any value as text, and for what can be wrong with one. */
enum { PARAM_TEXT_MAX = PARAM_STRING_MAX, PARAM_ERR_MAX = 1280 };

/* Maps the memory and sets every parameter to its default; 0, or -1: errno. */
int params_init(void);
const struct param_info *param_find(const char *name); /* NULL: no such */
/* Why varnishd's parameter name has no meaning here; NULL: it is not one. */
const char *param_compat_reason(const char *name);

/*
 * Sets it from text: 10, 1.5s, 2h, never; unlimited (the largest); 64k, 1.5M;
 * on, off, true, yes...  false with the reason in err, without a newline, if
 * it is no such value or out of bounds; nothing is changed then.
 */
bool param_set_text(
    const struct param_info *, const char *text, char err[PARAM_ERR_MAX]);
/*
 * varnishd's parameters that are several in one, vcc_feature and feature:
 * "+err_unref,-unsafe_path" switches vcc_err_unref on and vcc_unsafe_path
 * off; others stay as they are.  false as above.
 */
bool param_is_features(const char *set);
bool param_set_features(
    const char *set, const char *text, char err[PARAM_ERR_MAX]);
/* The i-th of these; NULL: there are no more. */
const struct param_info *param_of_feature(const char *set, unsigned i);
void param_reset(const struct param_info *);
bool param_is_default(const struct param_info *);
/* "5.000", "96k", "on" */
void param_text(const struct param_info *, char out[PARAM_TEXT_MAX]);
void param_default_text(const struct param_info *, char out[PARAM_TEXT_MAX]);
/* A bound of a number in the same form; false: there is none to speak of. */
bool param_min_text(const struct param_info *, char out[PARAM_TEXT_MAX]);
bool param_max_text(const struct param_info *, char out[PARAM_TEXT_MAX]);

/* -r: param_set_text and the CLI do not look; the CLI asks first. */
void param_lock(const struct param_info *);
bool param_is_locked(const struct param_info *);

/* "10", "64k", "1.5G", "2TB": bytes; false if it is something else. */
bool param_parse_bytes(const char *text, double *out);
/* "10", "1.5s", "200ms", "1h": seconds; false if it is something else. */
bool param_parse_duration(const char *text, double *out);

#endif
