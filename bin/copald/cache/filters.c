/*
 * filters.c - chains of filters, and which are right for a response.
 */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "coding.h"
#include "core.h"
#include "counters.h"
#include "encodings.h"
#include "fetch.h"
#include "filters.h"
#include "http_semantics.h"
#include "params.h"

enum {
	/* What a filter puts out at a time; several fit a socket's buffer. */
	STAGE_OUT = 16384,
	/* More of them than anybody can mean. */
	STAGES_MAX = 8,
};

struct stage {
	struct codec *codec;
	bool test;             /* what comes in goes on as it is */
	bool ended;
	char out[STAGE_OUT];
};

struct filters {
	unsigned n;
	struct stage *stage[STAGES_MAX];
};

struct str
filter_name(enum filter_id id)
{
	static const struct str names[] = {
#define FILTER(id, name, doc) [FILTER_##id] = STR(name),
#include "tbl/filters.h"
#undef FILTER
	};

	return names[id];
}

bool
filters_next(struct str *list, enum filter_id *id)
{
	struct str s = str_trim(*list), name;
	const char *space;
	unsigned i;

	if (s.len == 0)
		return false;
	space = memchr(s.p, ' ', s.len);
	name = str_of(s.p, space != NULL ? (size_t)(space - s.p) : s.len);
	*list = str_of(s.p + name.len, s.len - name.len);
	for (i = 0; i < FILTER_MAX; i++)
		if (str_eq(name, filter_name((enum filter_id)i)))
			break;
	*id = (enum filter_id)i;
	return true;
}

/* What a filter does with a body */
struct recoding {
	enum codec_kind codec;
	struct str packs;      /* the coding of what comes out; "": none */
	bool is_codec, test;
};

static const struct recoding recodings[FILTER_MAX] = {
	[FILTER_GUNZIP] = {CODEC_GUNZIP, STR(""), true, false},
	[FILTER_GZIP] = {CODEC_GZIP, STR("gzip"), true, false},
	/* ESI is read when the body is complete: this is what is left of it */
	[FILTER_ESI_GZIP] = {CODEC_GZIP, STR("gzip"), true, false},
	[FILTER_UNBR] = {CODEC_UNBR, STR(""), true, false},
	[FILTER_BR] = {CODEC_BR, STR("br"), true, false},
	[FILTER_UNZSTD] = {CODEC_UNZSTD, STR(""), true, false},
	[FILTER_ZSTD] = {CODEC_ZSTD, STR("zstd"), true, false},
	[FILTER_TESTGUNZIP] = {CODEC_GUNZIP, STR(""), true, true},
};

/* NULL: not a filter that runs here */
static const struct recoding *
recoding_of(enum filter_id id)
{
	return id < FILTER_MAX && recodings[id].is_codec ? &recodings[id] :
	    NULL;
}

static int
level_of(enum codec_kind kind)
{
	switch (kind) {
	case CODEC_GZIP:
		return (int)params->gzip_level;
	case CODEC_BR:
		return (int)params->br_level;
	case CODEC_ZSTD:
		return (int)params->zstd_level;
	case CODEC_GUNZIP:
	case CODEC_UNBR:
	case CODEC_UNZSTD:
		break;
	}
	return 0;
}

static void
count(const struct recoding *x)
{
	switch (x->codec) {
	case CODEC_GZIP:
		COUNT_INC(n_gzip);
		break;
	case CODEC_GUNZIP:
		if (x->test)
			COUNT_INC(n_test_gunzip);
		else
			COUNT_INC(n_gunzip);
		break;
	case CODEC_BR:
		COUNT_INC(n_br);
		break;
	case CODEC_UNBR:
		COUNT_INC(n_unbr);
		break;
	case CODEC_ZSTD:
		COUNT_INC(n_zstd);
		break;
	case CODEC_UNZSTD:
		COUNT_INC(n_unzstd);
		break;
	}
}

static struct stage *
stage_new(const struct recoding *x)
{
	struct stage *s = malloc(sizeof *s);
	struct codec_limits limits = {.level = level_of(x->codec),
	    .memory = (int)params->gzip_memlevel,
	    .max_ratio = (unsigned)params->unpack_ratio};

	if (s == NULL)
		return NULL;
	s->test = x->test;
	s->ended = false;
	s->codec = codec_new(x->codec, &limits);
	if (s->codec == NULL) {
		free(s);
		return NULL;
	}
	count(x);
	return s;
}

enum filters_result
filters_new(struct str list, struct filters **out)
{
	struct filters *f = NULL;
	enum filter_id id;

	*out = NULL;
	while (filters_next(&list, &id)) {
		const struct recoding *x = recoding_of(id);

		if (x == NULL)
			continue;
		if (f == NULL)
			f = calloc(1, sizeof *f);
		if (f == NULL || f->n == STAGES_MAX ||
		    (f->stage[f->n] = stage_new(x)) == NULL) {
			filters_free(&f);
			return FILTERS_NO_MEMORY;
		}
		f->n++;
	}
	*out = f;
	return FILTERS_OK;
}

void
filters_free(struct filters **pp)
{
	struct filters *f = *pp;

	*pp = NULL;
	for (unsigned i = 0; f != NULL && i < f->n; i++) {
		codec_free(&f->stage[i]->codec);
		free(f->stage[i]);
	}
	free(f);
}

static enum filters_result run_from(struct filters *, unsigned i,
    struct str in, bool last, filter_sink *, void *priv);

/* What comes out of stage i goes on; of a test, what came in does. */
static enum filters_result
run_stage(struct filters *f, unsigned i, struct str in, bool last,
    filter_sink *sink, void *priv)
{
	struct stage *s = f->stage[i];
	enum codec_result r;

	do {
		char *out = s->out;
		size_t room = sizeof s->out;
		enum filters_result e = FILTERS_OK;

		r = s->ended ? CODEC_END : codec_run(s->codec, &in.p, &in.len,
		    &out, &room, last);
		if (r == CODEC_BAD)
			return FILTERS_BAD;
		if (r == CODEC_BOMB)
			return FILTERS_BOMB;
		if (r == CODEC_NO_MEMORY)
			return FILTERS_NO_MEMORY;
		s->ended = r == CODEC_END;
		if (!s->test && out > s->out)
			e = run_from(f, i + 1, str_of(s->out,
			    (size_t)(out - s->out)), false, sink, priv);
		if (e != FILTERS_OK)
			return e;
	} while (r == CODEC_OK && (in.len > 0 || last));
	return FILTERS_OK;
}

static enum filters_result
run_from(struct filters *f, unsigned i, struct str in, bool last,
    filter_sink *sink, void *priv)
{
	enum filters_result e;

	if (i == f->n)
		return in.len == 0 || sink(priv, in.p, in.len) ? FILTERS_OK :
		    FILTERS_STOP;
	e = run_stage(f, i, in, last, sink, priv);
	if (e != FILTERS_OK)
		return e;
	if (f->stage[i]->test)
		return run_from(f, i + 1, in, last, sink, priv);
	return last ? run_from(f, i + 1, STR(""), true, sink, priv) :
	    FILTERS_OK;
}

enum filters_result
filters_run(struct filters *f, struct str in, bool last, filter_sink *sink,
    void *priv)
{
	return run_from(f, 0, in, last, sink, priv);
}

const char *
filters_text(enum filters_result r)
{
	switch (r) {
	case FILTERS_OK:
		return "ok";
	case FILTERS_BAD:
		return "the body is not of its coding, or damaged";
	case FILTERS_BOMB:
		return "the body unpacks to more than unpack_ratio allows";
	case FILTERS_NO_MEMORY:
		return "out of memory";
	case FILTERS_STOP:
		return "stopped";
	}
	return "";
}

/* --- which --------------------------------------------------------------- */

bool
http_is_gzip(const struct http *h)
{
	struct str v = http_get(h, FIELD_CONTENT_ENCODING);

	return http_count(h, FIELD_CONTENT_ENCODING) == 1 &&
	    (str_caseeq(v, STR("gzip")) || str_caseeq(v, STR("x-gzip")));
}

/* RFC 9110 7.7: who sends no-transform has chosen the coding, too. */
static bool
may_pack(const struct http *h)
{
	struct cache_control cc;

	cache_control_parse(&cc, h);
	return !cc.no_transform;
}

struct str
filters_of_fetch(const struct fetch *f)
{
	const struct http *h = &f->beresp;
	bool packed = http_is_gzip(h), pack;

	if (f->ctx.filters.p != NULL)
		return f->ctx.filters;
	/* a part is not ours to touch, nor is any other coding */
	if (h->status == 206)
		return STR("");
	if (!params->http_gzip_support || (!packed &&
	    http_get(h, FIELD_CONTENT_ENCODING).p != NULL))
		return f->do_esi ? STR("esi") : STR("");
	if (packed && f->do_gunzip)
		return f->do_esi ? STR("gunzip esi") : STR("gunzip");
	pack = f->do_gzip && !packed && may_pack(h);
	if (f->do_esi)
		return packed ? STR("testgunzip esi") :
		    pack ? STR("esi_gzip") : STR("esi");
	return packed ? STR("testgunzip") : pack ? STR("gzip") : STR("");
}

struct str
filters_to_identity(const struct http *h)
{
	return http_is_gzip(h) && h->status != 206 ? STR("gunzip") : STR("");
}

struct str
filters_of_delivery(const struct request *req)
{
	/* the coding of a part has no meaning in its page */
	bool unpack = (params->http_gzip_support || req->esi_level > 0) &&
	    req->obj != NULL && http_is_gzip(&req->obj->http) &&
	    req->obj->http.status != 206 &&
	    !accepts_coding(&req->http, CODING_GZIP);

	if (req->ctx.filters.p != NULL)
		return req->ctx.filters;
	if (req->do_esi)
		return unpack ? STR("esi gunzip") : STR("esi");
	return unpack ? STR("gunzip") : STR("");
}

bool
filters_weaken_etag(struct http *h, struct arena *a)
{
	struct str etag = http_get(h, FIELD_ETAG);

	if (etag.p == NULL || str_starts(etag, STR("W/")))
		return true;
	etag = arena_printf(a, "W/%.*s", STR_ARG(etag));
	return etag.p != NULL && http_set_known(h, FIELD_ETAG, etag);
}

static bool
add_vary(struct http *h, struct arena *a)
{
	struct str list = http_get_list(h, FIELD_VARY, a), rest = list, item;

	while (str_next_item(&rest, &item))
		if (str_eq(item, STR("*")) ||
		    str_caseeq(item, STR("Accept-Encoding")))
			return true;
	if (list.len == 0)
		return http_set_known(h, FIELD_VARY, STR("Accept-Encoding"));
	list = arena_printf(a, "%.*s, Accept-Encoding", STR_ARG(list));
	return list.p != NULL && http_set_known(h, FIELD_VARY, list);
}

bool
filters_add_vary(const struct object *o, struct http *response,
    struct arena *a)
{
	bool unpacked = params->http_gzip_support && http_is_gzip(&o->http) &&
	    o->http.status != 206;

	return (!unpacked && !encodings_apply(o)) || add_vary(response, a);
}

bool
filters_change_coding(struct str coding, struct http *h, struct arena *a)
{
	http_unset(h, FIELD_CONTENT_LENGTH);
	http_unset(h, FIELD_CONTENT_ENCODING);
	return filters_weaken_etag(h, a) && (coding.len == 0 ||
	    (http_set_known(h, FIELD_CONTENT_ENCODING, coding) &&
	    add_vary(h, a)));
}

bool
filters_change_head(struct str list, struct http *h, struct arena *a)
{
	enum filter_id id;

	while (filters_next(&list, &id)) {
		const struct recoding *x = recoding_of(id);

		if (x != NULL && !x->test &&
		    !filters_change_coding(x->packs, h, a))
			return false;
	}
	return true;
}
