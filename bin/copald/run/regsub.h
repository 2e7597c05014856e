/*
 * regsub.h - regsub() and regsuball() of VCL.
 */
#ifndef COPAL_REGSUB_H
#define COPAL_REGSUB_H

#include "arena.h"
#include "regex.h"

enum regsub_result {
	REGSUB_OK,
	REGSUB_NO_ROOM,
	REGSUB_FAILED, /* the match: regex_error_text(*error) */
};

/*
 * subject with the first match (or all of them) replaced by substitution, in
 * which \0 and \& are the match, \1 to \9 its groups, and \ before anything
 * else is that.  *out is subject itself if there is no match, else in a.
 */
enum regsub_result regsub(struct arena *a, bool all, struct str subject,
    const struct vcl_regex *re, struct str substitution, struct str *out,
    int *error);

#endif
