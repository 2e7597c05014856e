/*
 * regex.c - regular expressions: PCRE2 with JIT and match limits.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <pcre2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "params.h"
#include "regex.h"

struct vcl_regex {
	pcre2_code *code;
	struct str pattern;
	bool jit;
	bool utf; /* (*UTF): the subject has to be checked before each match */
	char text[];
};

/* What a thread needs to match. */
struct regex_thread {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	uint32_t match_limit, depth_limit; /* as set in context */
};

enum {
	/* JIT'ed code would use 32 KiB of the caller's stack: half a fiber's */
	JIT_STACK_MIN = 32 * 1024,
	JIT_STACK_MAX = 512 * 1024,
	/* Each level of ( costs the compiler a few hundred bytes of stack. */
	NESTING_MAX = 250,
	NESTING_MAX_ONCE = 30,
};

static __thread struct regex_thread *mine;
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

static void
thread_free(void *p)
{
	struct regex_thread *t = p;

	pcre2_jit_stack_free(t->stack);
	pcre2_match_context_free(t->context);
	pcre2_match_data_free(t->data);
	free(t);
	mine = NULL;
}

static void
make_key(void)
{
	int r = pthread_key_create(&thread_key, thread_free);

	assert(r == 0);
}

static struct regex_thread *
thread_new(void)
{
	struct regex_thread *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->data = pcre2_match_data_create(REGEX_GROUPS, NULL);
	t->context = pcre2_match_context_create(NULL);
	t->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
	pthread_once(&thread_once, make_key);
	if (t->data == NULL || t->context == NULL ||
	    pthread_setspecific(thread_key, t) != 0) {
		thread_free(t);
		return NULL;
	}
	if (t->stack != NULL)
		pcre2_jit_stack_assign(t->context, NULL, t->stack);
	mine = t;
	return t;
}

static struct vcl_regex *
compile(struct str pattern, unsigned nesting, bool jit, char *err,
    size_t err_len)
{
	struct vcl_regex *re;
	pcre2_compile_context *cc;
	PCRE2_SIZE at = 0;
	int error = 0;

	re = malloc(sizeof *re + pattern.len + 1);
	cc = pcre2_compile_context_create(NULL);
	if (re == NULL || cc == NULL) {
		snprintf(err, err_len, "out of memory");
		free(re);
		pcre2_compile_context_free(cc);
		return NULL;
	}
	pcre2_set_parens_nest_limit(cc, nesting);
	if (pattern.len != 0)
		memcpy(re->text, pattern.p, pattern.len);
	re->text[pattern.len] = '\0';
	re->pattern = str_of(re->text, pattern.len);
	re->code = pcre2_compile((PCRE2_SPTR)re->text, pattern.len, 0, &error,
	    &at, cc);
	pcre2_compile_context_free(cc);
	if (re->code == NULL) {
		char text[120];

		regex_error_text(error, text, sizeof text);
		snprintf(err, err_len, "%s (at offset %zu)", text, (size_t)at);
		free(re);
		return NULL;
	}
	uint32_t options = 0;
	pcre2_pattern_info(re->code, PCRE2_INFO_ALLOPTIONS, &options);
	re->utf = (options & PCRE2_UTF) != 0;
	/* without JIT (no support, or too large) the interpreter matches */
	re->jit = jit && pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0;
	return re;
}

struct vcl_regex *
regex_new(struct str pattern, char *err, size_t err_len)
{
	return compile(pattern, NESTING_MAX, true, err, err_len);
}

struct vcl_regex *
regex_new_once(struct str pattern, char *err, size_t err_len)
{
	return compile(pattern, NESTING_MAX_ONCE, false, err, err_len);
}

void
regex_free(struct vcl_regex **rep)
{
	struct vcl_regex *re = *rep;

	*rep = NULL;
	if (re == NULL)
		return;
	pcre2_code_free(re->code);
	free(re);
}

struct str
regex_pattern(const struct vcl_regex *re)
{
	return re->pattern;
}

static void
set_limits(struct regex_thread *t)
{
	if (t->match_limit != params->pcre2_match_limit) {
		t->match_limit = params->pcre2_match_limit;
		pcre2_set_match_limit(t->context, t->match_limit);
	}
	if (t->depth_limit != params->pcre2_depth_limit) {
		t->depth_limit = params->pcre2_depth_limit;
		pcre2_set_depth_limit(t->context, t->depth_limit);
	}
}

int
regex_match(const struct vcl_regex *re, struct str subject, size_t from,
    bool not_empty, regex_groups groups, int *error)
{
	struct regex_thread *t = mine != NULL ? mine : thread_new();
	PCRE2_SPTR p = (PCRE2_SPTR)(subject.p != NULL ? subject.p : "");
	uint32_t options = not_empty ? PCRE2_NOTEMPTY : 0;
	int n;

	*error = 0;
	if (t == NULL) {
		*error = PCRE2_ERROR_NOMEMORY;
		return -1;
	}
	set_limits(t);
	if (re->jit && !re->utf && t->stack != NULL)
		n = pcre2_jit_match(re->code, p, subject.len, from, options,
		    t->data, t->context);
	else
		n = pcre2_match(re->code, p, subject.len, from,
		    t->stack != NULL ? options : options | PCRE2_NO_JIT,
		    t->data, t->context);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n < 0) {
		*error = n;
		return -1;
	}
	if (groups != NULL) {
		const PCRE2_SIZE *v = pcre2_get_ovector_pointer(t->data);
		/* 0: there are more groups than we keep */
		unsigned set = n == 0 || n > REGEX_GROUPS ? REGEX_GROUPS
							  : (unsigned)n;

		for (unsigned i = 0; i < 2 * REGEX_GROUPS; i++)
			groups[i] = i < 2 * set && v[i] != PCRE2_UNSET
			    ? v[i] : REGEX_UNSET;
	}
	return 1;
}

void
regex_error_text(int error, char *text, size_t len)
{
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)text, len) < 0)
		snprintf(text, len, "error %d", error);
}
