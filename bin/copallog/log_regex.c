/*
 * log_regex.c - regular expressions over log records.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "log_regex.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Some milliseconds for a pattern that backtracks without end. */
	MATCH_LIMIT = 100000,
	DEPTH_LIMIT = 10000,
};

struct log_regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

struct log_regex *
log_regex_new(struct str pattern, bool caseless, char *err, size_t err_len)
{
	struct log_regex *r = calloc(1, sizeof *r);
	PCRE2_UCHAR8 text[128];
	PCRE2_SIZE at;
	int e;

	if (r == NULL) {
		snprintf(err, err_len, "Out of memory");
		return NULL;
	}
	r->code = pcre2_compile((PCRE2_SPTR)(pattern.len ? pattern.p : ""),
	    pattern.len, caseless ? PCRE2_CASELESS : 0, &e, &at, NULL);
	if (r->code == NULL) {
		pcre2_get_error_message(e, text, sizeof text);
		snprintf(err, err_len,
		    "Regular expression \"%.*s\": %s at offset %zu",
		    STR_ARG(pattern), (char *)text, (size_t)at);
		free(r);
		return NULL;
	}
	/* Where there is no JIT it is interpreted. */
	(void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	r->data = pcre2_match_data_create(1, NULL);
	r->limits = pcre2_match_context_create(NULL);
	if (r->data == NULL || r->limits == NULL) {
		snprintf(err, err_len, "Out of memory");
		log_regex_free(&r);
		return NULL;
	}
	pcre2_set_match_limit(r->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
	return r;
}

bool
log_regex_matches(const struct log_regex *r, struct str s)
{
	/* 0: a match, and the vector has no room for its groups */
	return pcre2_match(r->code, (PCRE2_SPTR)(s.len ? s.p : ""), s.len, 0,
	    0, r->data, r->limits) >= 0;
}

void
log_regex_free(struct log_regex **rp)
{
	struct log_regex *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	pcre2_code_free(r->code);
	pcre2_match_data_free(r->data);
	pcre2_match_context_free(r->limits);
	free(r);
}
