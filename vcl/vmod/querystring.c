/*
 * querystring.c - module querystring: the parameters of a URL.
 *
 * All functions are one: the parameters that stay are listed, perhaps sorted,
 * and written behind what was before the '?'.  List and text are in what is
 * left of the workspace; only the text is kept, and not even that if the
 * URL is as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "shell_pattern.h"
#include "vrt.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum criterion_kind {
	CRITERION_STRING,
	CRITERION_NAMES, /* strings with SEPARATOR between them */
	CRITERION_GLOB,
	CRITERION_REGEX,
};

/* Neither the line of a request nor the value of a header has it. */
#define SEPARATOR '\r'


struct criterion {
	struct criterion *next;
	enum criterion_kind kind;
	const struct vcl_regex *regex;
	struct vcl_regex *own_regex; /* to be freed: made by add_regex() */
	struct str text;
	char bytes[];
};

struct vmod_querystring_filter {
	struct criterion *criterion;
	const char *name;  /* as the program calls it */
	bool sort, uniq, by_name;
};

/* Two fit where a struct str would: a URL may be all parameters. */
struct param {
	uint32_t at, len; /* in the URL */
};

/* ---- parameters ---- */

static struct str
text_of(const char *url, struct param p)
{
	return str_of(url + p.at, p.len);
}

static struct str
name_of(struct str param)
{
	const char *equals = memchr(param.p, '=', param.len);

	if (equals != NULL)
		param.len = (size_t)(equals - param.p);
	return param;
}

/* What a filter looks at. */
static struct str
subject_of(const struct vmod_querystring_filter *f, const char *url,
    struct param p)
{
	struct str text = text_of(url, p);

	return f->by_name ? name_of(text) : text;
}

struct order {
	const struct vmod_querystring_filter *filter;
	const char *url;
};

static int
param_cmp(const void *a, const void *b, void *priv)
{
	const struct order *o = priv;
	const struct param *x = a, *y = b;
	int cmp = str_cmp(subject_of(o->filter, o->url, *x),
	    subject_of(o->filter, o->url, *y));

	/* the same: as they were; qsort need not be stable */
	return cmp != 0 ? cmp : x->at < y->at ? -1 : x->at > y->at;
}

static bool
is_one_of(struct str names, struct str subject)
{
	while (names.len > 0) {
		const char *end = memchr(names.p, SEPARATOR, names.len);
		size_t len = end != NULL ? (size_t)(end - names.p) : names.len;

		if (str_eq(str_of(names.p, len), subject))
			return true;
		if (end == NULL)
			break;
		names = str_of(end + 1, names.len - len - 1);
	}
	return false;
}

static bool
fits(struct vcl_ctx *ctx, const struct criterion *c, struct str subject)
{
	for (; c != NULL; c = c->next)
		switch (c->kind) {
		case CRITERION_STRING:
			if (str_eq(c->text, subject))
				return true;
			break;
		case CRITERION_NAMES:
			if (is_one_of(c->text, subject))
				return true;
			break;
		case CRITERION_GLOB:
			if (shell_pattern_match(c->text, subject))
				return true;
			break;
		case CRITERION_REGEX:
			if (vrt_regex_match(ctx, subject, c->regex))
				return true;
			break;
		}
	return false;
}

/*
 * Lists the parameters from at on that stay, at most room of them; how many,
 * or room + 1.
 */
static size_t
list_params(struct vcl_ctx *ctx, const struct vmod_querystring_filter *f,
    struct str url, size_t at, bool keep, struct param *list, size_t room)
{
	size_t n = 0;

	while (at < url.len) {
		const char *amp = memchr(url.p + at, '&', url.len - at);
		size_t end = amp != NULL ? (size_t)(amp - url.p) : url.len;
		struct param p = {(uint32_t)at, (uint32_t)(end - at)};

		at = end + 1;
		if (p.len == 0 || url.p[p.at] == '=' || (f->criterion != NULL
		    ? fits(ctx, f->criterion, subject_of(f, url.p, p)) != keep
		    : keep))
			continue;
		if (n == room)
			return room + 1;
		list[n++] = p;
	}
	return n;
}

static size_t
drop_repeated(const struct vmod_querystring_filter *f, const char *url,
    struct param *list, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !str_eq(subject_of(f, url, list[kept - 1]),
		    subject_of(f, url, list[i])))
			list[kept++] = list[i];
	return kept;
}

/* What was before the '?', and it, unless extract; the parameters. */
static size_t
write_url(char *to, struct str url, size_t head, bool extract,
    const struct param *list, size_t n)
{
	char *p = to;

	if (!extract) {
		memcpy(p, url.p, head);
		p += head;
	}
	for (size_t i = 0; i < n; i++) {
		if (i != 0 || !extract)
			*p++ = i != 0 ? '&' : '?';
		memcpy(p, url.p + list[i].at, list[i].len);
		p += list[i].len;
	}
	return (size_t)(p - to);
}

/* p == NULL: no query is left, or none was asked for */
static struct str
filter_url(struct vcl_ctx *ctx, const struct vmod_querystring_filter *f,
    struct str url, bool keep, bool extract)
{
	const char *mark = url.len != 0 ? memchr(url.p, '?', url.len) : NULL;
	size_t head, room, n, len = 0, text_room;
	struct param *list;
	bool fit, same;
	char *to;

	if (mark == NULL || url.len > UINT32_MAX - 1)
		return extract ? STR_NULL : url;
	head = (size_t)(mark - url.p);
	to = vrt_reserve(ctx, &room);
	if (to == NULL)
		return STR_NULL;
	/* the text, and behind it, where it is aligned, the list */
	text_room = url.len +
	    (-((uintptr_t)to + url.len) & (_Alignof(struct param) - 1));
	list = (struct param *)(void *)(to + text_room);
	fit = room > text_room;
	room = fit ? (room - text_room) / sizeof *list : 0;
	n = fit ? list_params(ctx, f, url, head + 1, keep, list, room) : 0;
	fit = fit && n <= room;
	if (fit) {
		if (f->sort && n > 1)
			qsort_r(list, n, sizeof *list, param_cmp,
			    &(struct order){f, url.p});
		if (f->uniq)
			n = drop_repeated(f, url.p, list, n);
		len = write_url(to, url, head, extract, list, n);
	}
	same = fit && str_eq(str_of(to, len), url);
	vrt_commit(ctx, same ? 0 : len);
	if (!fit)
		vrt_failf(ctx, "Workspace overflow (querystring)");
	if (!fit || (extract && len == 0))
		return STR_NULL;
	return same ? url : str_of(to, len);
}

static struct str
url_or_default(struct vcl_ctx *ctx, bool has_url, VCL_STRING url)
{
	if (has_url)
		return url;
	return vrt_is_client(ctx) ? vrt_r_req_url(ctx)
	    : vrt_is_backend(ctx) ? vrt_r_bereq_url(ctx) : STR_NULL;
}

/* ---- functions ---- */

VCL_STRING
vmod_querystring_clean(struct vcl_ctx *ctx, bool has_url, VCL_STRING url)
{
	static const struct vmod_querystring_filter all;

	return filter_url(ctx, &all, url_or_default(ctx, has_url, url), false,
	    false);
}

VCL_STRING
vmod_querystring_remove(struct vcl_ctx *ctx, bool has_url, VCL_STRING url)
{
	const char *mark;

	url = url_or_default(ctx, has_url, url);
	mark = url.len != 0 ? memchr(url.p, '?', url.len) : NULL;
	return mark != NULL ? str_of(url.p, (size_t)(mark - url.p)) : url;
}

VCL_STRING
vmod_querystring_sort(struct vcl_ctx *ctx, bool has_url, VCL_STRING url,
    VCL_BOOL uniq)
{
	const struct vmod_querystring_filter all = {.sort = true,
	    .uniq = uniq};

	return filter_url(ctx, &all, url_or_default(ctx, has_url, url), false,
	    false);
}

/* ---- functions of older versions ---- */

static struct str
filter_by_name(struct vcl_ctx *ctx, struct str url, struct criterion *c,
    bool keep)
{
	const struct vmod_querystring_filter f = {.criterion = c,
	    .by_name = true};

	return filter_url(ctx, &f, url, keep, false);
}

static struct str
filter_text(struct vcl_ctx *ctx, struct str url, enum criterion_kind kind,
    struct str text, bool keep)
{
	return filter_by_name(ctx, url,
	    &(struct criterion){.kind = kind, .text = text}, keep);
}

VCL_STRING
vmod_querystring_filter(struct vcl_ctx *ctx, VCL_STRING url, VCL_STRING names)
{
	return filter_text(ctx, url, CRITERION_NAMES, names, false);
}

VCL_STRING
vmod_querystring_filter_except(struct vcl_ctx *ctx, VCL_STRING url,
    VCL_STRING names)
{
	return filter_text(ctx, url, CRITERION_NAMES, names, true);
}

VCL_STRING
vmod_querystring_filtersep(struct vcl_ctx *ctx)
{
	static const char separator[] = {SEPARATOR};

	(void)ctx;
	return str_of(separator, 1);
}

VCL_STRING
vmod_querystring_globfilter(struct vcl_ctx *ctx, VCL_STRING url,
    VCL_STRING glob)
{
	return filter_text(ctx, url, CRITERION_GLOB, glob, false);
}

VCL_STRING
vmod_querystring_globfilter_except(struct vcl_ctx *ctx, VCL_STRING url,
    VCL_STRING glob)
{
	return filter_text(ctx, url, CRITERION_GLOB, glob, true);
}

VCL_STRING
vmod_querystring_regfilter(struct vcl_ctx *ctx, VCL_STRING url, VCL_REGEX regex)
{
	return filter_by_name(ctx, url,
	    &(struct criterion){.kind = CRITERION_REGEX, .regex = regex},
	    false);
}

VCL_STRING
vmod_querystring_regfilter_except(struct vcl_ctx *ctx, VCL_STRING url,
    VCL_REGEX regex)
{
	return filter_by_name(ctx, url,
	    &(struct criterion){.kind = CRITERION_REGEX, .regex = regex},
	    true);
}

/* ---- filters ---- */

void
vmod_querystring_filter__init(struct vcl_ctx *ctx,
    struct vmod_querystring_filter **out, const char *name, VCL_BOOL sort,
    VCL_BOOL uniq, VCL_ENUM match)
{
	struct vmod_querystring_filter *f = calloc(1, sizeof *f);

	if (f == NULL) {
		vrt_failf(ctx, "querystring.filter %s: out of memory", name);
		return;
	}
	*f = (struct vmod_querystring_filter){
	    .name = name,
	    .sort = sort,
	    .uniq = uniq,
	    .by_name = strcmp(match, "name") == 0,
	};
	*out = f;
}

void
vmod_querystring_filter__fini(struct vmod_querystring_filter **out)
{
	struct vmod_querystring_filter *f = *out;
	struct criterion *c;

	*out = NULL;
	while ((c = f->criterion) != NULL) {
		f->criterion = c->next;
		vrt_regex_free(&c->own_regex);
		free(c);
	}
	free(f);
}

static void
add(struct vcl_ctx *ctx, struct vmod_querystring_filter *f,
    enum criterion_kind kind, struct str text)
{
	struct criterion *c;
	char err[200];

	if (text.p == NULL) {
		vrt_failf(ctx, "querystring.filter %s: a criterion is unset",
		    f->name);
		return;
	}
	c = calloc(1, sizeof *c + text.len);
	if (c == NULL) {
		vrt_failf(ctx, "querystring.filter %s: out of memory",
		    f->name);
		return;
	}
	c->kind = kind;
	if (text.len != 0)
		memcpy(c->bytes, text.p, text.len);
	c->text = str_of(c->bytes, text.len);
	if (kind == CRITERION_REGEX) {
		c->regex = c->own_regex = vrt_regex_new(text, err, sizeof err);
		if (c->regex == NULL) {
			vrt_failf(ctx, "querystring.filter %s: "
			    "regular expression \"%.*s\": %s", f->name,
			    STR_ARG(text), err);
			free(c);
			return;
		}
	}
	c->next = f->criterion;
	f->criterion = c;
}

VCL_VOID
vmod_querystring_filter_add_string(struct vcl_ctx *ctx,
    struct vmod_querystring_filter *f, VCL_STRING string)
{
	add(ctx, f, CRITERION_STRING, string);
}

VCL_VOID
vmod_querystring_filter_add_glob(struct vcl_ctx *ctx,
    struct vmod_querystring_filter *f, VCL_STRING glob)
{
	add(ctx, f, CRITERION_GLOB, glob);
}

VCL_VOID
vmod_querystring_filter_add_regex(struct vcl_ctx *ctx,
    struct vmod_querystring_filter *f, VCL_STRING regex)
{
	add(ctx, f, CRITERION_REGEX, regex);
}

VCL_STRING
vmod_querystring_filter_apply(struct vcl_ctx *ctx,
    struct vmod_querystring_filter *f, bool has_url, VCL_STRING url,
    VCL_ENUM mode)
{
	return filter_url(ctx, f, url_or_default(ctx, has_url, url),
	    strcmp(mode, "keep") == 0, false);
}

VCL_STRING
vmod_querystring_filter_extract(struct vcl_ctx *ctx,
    struct vmod_querystring_filter *f, bool has_url, VCL_STRING url,
    VCL_ENUM mode)
{
	return filter_url(ctx, f, url_or_default(ctx, has_url, url),
	    strcmp(mode, "keep") == 0, true);
}
