/*
 * encodings.c - codings of a body: chosen, made and kept.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "codec.h"
#include "core.h"
#include "counters.h"
#include "encodings.h"
#include "filters.h"
#include "http_semantics.h"
#include "memory.h"
#include "params.h"
#include "pool.h"
#include "request.h"
#include "stevedore.h"

enum {
	/* Hits from which on it pays to pack well: the best levels take 20 to
	 * 100 times as long as the fast ones for a tenth fewer bytes. */
	POPULAR = 16,
	/* Jobs queued for a thread, of some 0.2 ms each; with more the client
	 * is better off with what is there. */
	JOBS_MAX = 16,
	/* Buffers of a body of encoding_max, which the parameter's maximum
	 * allows; PIECE_NEXT of body.c is the least that they have. */
	PIECES_MAX = 128,
	/* A client does not wait longer for a body to be complete. */
	PATIENCE_MS = 20,
	IMPROVER_NICE = 10,
};

enum encoding_state {
	ENCODING_NONE,
	ENCODING_MAKING,
	ENCODING_FAST,
	ENCODING_BEST,
	ENCODING_NO,
};

/* Readers take it and count on buf within one turn (qsbr.h). */
struct encoded {
	struct qsbr_item retire;
	struct buf *buf;       /* to its end: cap is the length */
};

static struct pool *maker, *improver;
static unsigned maker_threads;
static _Atomic unsigned maker_jobs, improver_jobs;
static _Atomic bool stopping;

int
encodings_start(unsigned threads)
{
	maker_threads = threads;
	maker = pool_new(threads, "encode");
	improver = maker != NULL ? pool_new(1, "encode-well") : NULL;
	return improver != NULL ? 0 : -1;
}

void
encodings_stop(void)
{
	stopping = true;
	pool_free(&maker);
	pool_free(&improver);
}

/* --- which objects ------------------------------------------------------- */

/* A sum of the bytes as they are sent, with their coding (RFC 9530). */
static bool
has_digest(const struct http *h)
{
	static const struct str names[] = {STR("Content-Digest"),
	    STR("Repr-Digest"), STR("Digest"), STR("Content-MD5")};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct field_name name = {names[i], FIELD_OTHER};

		if (http_find(h, &name, 0) >= 0)
			return true;
	}
	return false;
}

static bool
no_transform(const struct http *h)
{
	struct cache_control cc;

	if (http_get(h, FIELD_CACHE_CONTROL).p == NULL)
		return false;
	cache_control_parse(&cc, h);
	return cc.no_transform;
}

void
encodings_mark(struct object *o)
{
	const struct http *h = &o->http;
	bool plain = http_get(h, FIELD_CONTENT_ENCODING).p == NULL;

	if (object_is(o, OBJ_NO_ENCODE | OBJ_HEAD_ONLY) || h->status < 200 ||
	    h->status == 204 || h->status == 206 || h->status == 304 ||
	    (!plain && !http_is_gzip(h)) ||
	    !content_type_packs(http_get(h, FIELD_CONTENT_TYPE)) ||
	    no_transform(h) || has_digest(h))
		return;
	atomic_fetch_or(&o->flags, OBJ_ENCODABLE);
}

static bool
is_complete(const struct object *o)
{
	return atomic_load_explicit(&o->body.state, memory_order_acquire) ==
	    BODY_COMPLETE;
}

bool
encodings_apply(const struct object *o)
{
	int64_t len;

	if (!params->http_encoding || !params->http_gzip_support ||
	    !object_is(o, OBJ_ENCODABLE) || object_is(o, OBJ_PRIVATE))
		return false;
	len = is_complete(o) ? (int64_t)o->body.len : o->body.expected;
	/* of unknown length: it could */
	return len < 0 || ((uint64_t)len >= params->encoding_min &&
	    (uint64_t)len <= params->encoding_max);
}

void
encodings_free(struct object *o)
{
	for (int c = 0; c < CODING_N; c++) {
		struct encoded *e = o->encoded[c];

		if (e == NULL)
			continue;
		buf_unref(&e->buf);
		free(e);
	}
}

/* --- which coding -------------------------------------------------------- */

/*
 * For a lookup Accept-Encoding becomes gzip or nothing, and policy may change
 * it before and after; where it did not, the client's own words count.
 */
static const struct http *
head_that_accepts(const struct request *req)
{
	struct str now = http_get(&req->http, FIELD_ACCEPT_ENCODING);
	bool gzip = accepts_coding(&req->received, CODING_GZIP);

	return (gzip && str_eq(now, STR("gzip"))) ||
	    (!gzip && now.p == NULL) ? &req->received : &req->http;
}

/* May it be something else than what the head says of what is stored? */
static bool
head_allows(const struct request *req)
{
	const struct http *o = &req->obj->http, *h = &req->resp;
	struct str coding = http_get(h, FIELD_CONTENT_ENCODING);

	/* shared with the object's, and looked at then, unless it was set */
	return h->status == o->status &&
	    coding.p == http_get(o, FIELD_CONTENT_ENCODING).p &&
	    (http_get(h, FIELD_CACHE_CONTROL).p ==
	    http_get(o, FIELD_CACHE_CONTROL).p || !no_transform(h)) &&
	    !no_transform(&req->http);
}

/* A part of what is stored is asked for, and can be sent. */
static bool
wants_part(const struct request *req, const struct accepted *a)
{
	struct str v = http_get(&req->http, FIELD_IF_RANGE);

	if (http_get(&req->http, FIELD_RANGE).p == NULL ||
	    !params->http_range_support ||
	    !str_eq(req->http.method, STR("GET")))
		return false;
	/* a date does not say of which coding the client has a part */
	if (v.len > 0 && v.p[0] != '"' && !str_starts(v, STR("W/")))
		return false;
	return http_is_gzip(&req->obj->http) ? a->rank[CODING_GZIP] > 0 :
	    a->rank[CODING_IDENTITY] > 0;
}

static unsigned
state_of(const struct object *o, enum coding c)
{
	return atomic_load_explicit(&o->encoding_state[c],
	    memory_order_relaxed);
}

/* Of those that are taken equally well, the one that is there, or the first */
static enum coding
choose_among(const struct object *o, unsigned codings)
{
	enum coding stored = http_is_gzip(&o->http) ? CODING_GZIP :
	    CODING_IDENTITY;
	enum coding first = CODING_IDENTITY;

	for (int c = CODING_IDENTITY + 1; c < CODING_N; c++) {
		if (!(codings & 1u << c) || (c != (int)stored &&
		    state_of(o, (enum coding)c) == ENCODING_NO))
			continue;
		if (c == (int)stored)
			return CODING_IDENTITY;
		if (o->encoded[c] != NULL)
			return (enum coding)c;
		if (first == CODING_IDENTITY)
			first = (enum coding)c;
	}
	/* gzip is there: another one only for what is asked for often */
	if (stored == CODING_GZIP && codings & 1u << CODING_GZIP &&
	    o->hits < POPULAR)
		return CODING_IDENTITY;
	return first;
}

enum coding
encodings_choose(struct request *req)
{
	struct object *o = req->obj;
	struct accepted a;

	/* a page and what it includes are one body, in one coding */
	if (!encodings_apply(o) || req->is_pass || req->do_esi ||
	    req->esi_level > 0 ||
	    req->ctx.filters.p != NULL || !head_allows(req) ||
	    (!str_eq(req->http.method, STR("GET")) &&
	    !str_eq(req->http.method, STR("HEAD"))))
		return CODING_IDENTITY;
	accept_codings(&a, head_that_accepts(req));
	if (wants_part(req, &a))
		return CODING_IDENTITY;
	return choose_among(o, accepted_best(&a));
}

bool
encodings_change_head(enum coding c, struct http *h, struct arena *a)
{
	return filters_change_coding(coding_name(c), h, a);
}

/* --- making -------------------------------------------------------------- */

struct job {
	struct object *o;      /* counted, in the background */
	enum coding coding;
	bool best;
	unsigned n;
	struct buf *buf[PIECES_MAX]; /* counted; NULL: a flat body's */
	struct str piece[PIECES_MAX];
	size_t len;
};

static enum codec_kind
packs(enum coding c)
{
	switch (c) {
	case CODING_ZSTD:
		return CODEC_ZSTD;
	case CODING_BR:
		return CODEC_BR;
	case CODING_IDENTITY:
	case CODING_GZIP:
		break;
	}
	return CODEC_GZIP;
}

static int
level_of(enum coding c, bool best)
{
	switch (c) {
	case CODING_ZSTD:
		return (int)(best ? params->zstd_level_best :
		    params->zstd_level);
	case CODING_BR:
		return (int)(best ? params->br_level_best : params->br_level);
	case CODING_IDENTITY:
	case CODING_GZIP:
		break;
	}
	return (int)(best ? params->gzip_level_best : params->gzip_level);
}

bool
encodings_wanted(const struct request *req, enum coding c)
{
	struct accepted a;

	if (!params->http_encoding || !params->http_gzip_support)
		return false;
	accept_codings(&a, head_that_accepts(req));
	return (accepted_best(&a) & 1u << c) != 0;
}

/* All pieces through a codec; the length of what comes out, 0: no room */
static size_t
run(struct codec *c, const struct str *piece, unsigned n, char *out,
    size_t room)
{
	char *to = out;
	enum codec_result r = CODEC_OK;

	for (unsigned i = 0; i < n && r == CODEC_OK; i++) {
		struct str in = piece[i];

		do
			r = codec_run(c, &in.p, &in.len, &to, &room,
			    i + 1 == n);
		while (r == CODEC_OK && room > 0 &&
		    (in.len > 0 || i + 1 == n));
		if (in.len > 0)
			break;
	}
	return r == CODEC_END ? (size_t)(to - out) : 0;
}

/* Stored as gzip: the bytes themselves, to be freed; *len 0: they can't be
 * had, or are too many */
static char *
unpack(const struct job *j, size_t *len)
{
	struct codec_limits limits = {
	    .max_ratio = (unsigned)params->unpack_ratio};
	struct codec *c = codec_new(CODEC_GUNZIP, &limits);
	size_t room = params->encoding_max;
	char *to = c != NULL ? malloc(room + 1) : NULL;

	*len = to != NULL ? run(c, j->piece, j->n, to, room + 1) : 0;
	if (*len > room)
		*len = 0;
	codec_free(&c);
	return to;
}

/* NULL: it does not become a tenth smaller */
static struct buf *
pack(const struct job *j, const struct str *piece, unsigned n, size_t len)
{
	struct codec_limits limits = {
	    .level = level_of(j->coding, j->best),
	    .memory = (int)params->gzip_memlevel,
	    .size = len,
	};
	size_t room = len - len / 10;
	char *to = malloc(room);
	struct codec *c = codec_new(packs(j->coding), &limits);
	struct buf *buf = NULL;

	len = to != NULL && c != NULL ? run(c, piece, n, to, room) : 0;
	codec_free(&c);
	if (len > 0)
		buf = buf_new((uint32_t)len);
	if (buf != NULL)
		memcpy(buf->data, to, len);
	free(to);
	return buf;
}

static struct buf *
make(const struct job *j)
{
	struct str plain = STR_NULL;
	struct buf *buf = NULL;
	char *mem;

	if (!http_is_gzip(&j->o->http))
		return pack(j, j->piece, j->n, j->len);
	mem = unpack(j, &plain.len);
	plain.p = mem;
	if (plain.len > 0)
		buf = pack(j, &plain, 1, plain.len);
	free(mem);
	return buf;
}

static void
encoded_freed(struct qsbr_item *i)
{
	struct encoded *e = (struct encoded *)
	    ((char *)i - offsetof(struct encoded, retire));

	buf_unref(&e->buf);
	free(e);
}

/* From here on others find it. */
static void
publish(struct object *o, enum coding c, struct encoded *e)
{
	struct encoded *old = atomic_exchange(&o->encoded[c], e);
	int64_t bytes = (int64_t)(sizeof *e + e->buf->cap);

	if (old != NULL) {
		bytes -= (int64_t)(sizeof *old + old->buf->cap);
		qsbr_retire(&old->retire, encoded_freed);
	}
	stevedore_charge(o->stevedore, o, bytes);
}

void
encodings_adopt(struct object *o, enum coding c, struct buf **bufp)
{
	unsigned char none = ENCODING_NONE;
	struct encoded *e = NULL;

	if (encodings_apply(o) && atomic_compare_exchange_strong(
	    &o->encoding_state[c], &none, ENCODING_MAKING)) {
		e = malloc(sizeof *e);
		if (e != NULL) {
			e->buf = *bufp;
			*bufp = NULL;
			publish(o, c, e);
			COUNT_INC(encodings_stored);
		}
		atomic_store(&o->encoding_state[c], e != NULL ?
		    ENCODING_FAST : ENCODING_NONE);
	}
	buf_unref(bufp);
}

static void
job_run(struct job *j)
{
	struct object *o = j->o;
	struct buf *buf = make(j);
	struct encoded *e = buf != NULL ? malloc(sizeof *e) : NULL;

	if (e != NULL) {
		e->buf = buf;
		publish(o, j->coding, e);
		COUNT_INC(encodings_made);
	} else {
		buf_unref(&buf);
	}
	/* without gain, what was made fast stays */
	atomic_store(&o->encoding_state[j->coding], j->best ? ENCODING_BEST :
	    e != NULL ? ENCODING_FAST : ENCODING_NO);
	for (unsigned i = 0; i < j->n; i++)
		buf_unref(&j->buf[i]);
}

static void
give_up(struct job *j, enum encoding_state state)
{
	for (unsigned i = 0; i < j->n; i++)
		buf_unref(&j->buf[i]);
	atomic_store(&j->o->encoding_state[j->coding], state);
}

static void
make_now(void *arg)
{
	job_run(arg);
}

static void
make_well(void *arg)
{
	struct job *j = arg;

	/* of this thread alone, as Linux has it */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), IMPROVER_NICE);
	if (stopping)
		give_up(j, ENCODING_FAST);
	else
		job_run(j);
	object_unref(&j->o);
	free(j);
	atomic_fetch_sub(&improver_jobs, 1);
}

/* The whole body, in memory.  false: it can't be had */
static bool
gather(struct job *j)
{
	struct object *o = j->o;
	uint64_t at = 0;

	while (at < o->body.len) {
		struct body_view v;

		if (j->n == PIECES_MAX || body_get(&o->body, o->stevedore, at,
		    true, NSEC_NEVER, &v) != BODY_GET_OK)
			return false;
		j->buf[j->n] = v.buf;
		j->piece[j->n++] = str_of(v.p, v.len);
		at += v.len;
	}
	j->len = at;
	return at > 0;
}

/* The state from, with the right to change it.  false: another has that */
static bool
claim(struct object *o, enum coding c, unsigned char from)
{
	return atomic_compare_exchange_strong(&o->encoding_state[c], &from,
	    ENCODING_MAKING);
}

static bool
body_is_there(struct request *req)
{
	struct body *b = &req->obj->body;

	if (!is_complete(req->obj))
		body_wait(b, UINT64_MAX, loop_now(req->core->loop) +
		    NSEC_MS(PATIENCE_MS));
	/* it knows its length now */
	return is_complete(req->obj) && encodings_apply(req->obj) &&
	    !b->windowed;
}

static void
make_while_waiting(struct request *req, enum coding c)
{
	struct object *o = req->obj;
	struct job *j = malloc(sizeof *j);

	if (j == NULL)
		return;
	memset(j, 0, offsetof(struct job, buf));
	j->o = o;
	j->coding = c;
	if (atomic_fetch_add(&maker_jobs, 1) < JOBS_MAX * maker_threads &&
	    memory_has_room(MEMORY_CACHE, o->body.len) &&
	    claim(o, c, ENCODING_NONE)) {
		if (gather(j))
			pool_call(maker, make_now, j, "encoding");
		else
			give_up(j, ENCODING_NO);
	}
	atomic_fetch_sub(&maker_jobs, 1);
	free(j);
}

struct buf *
encodings_peek(const struct object *o, enum coding c, uint32_t *len)
{
	struct encoded *e =
	    atomic_load_explicit(&o->encoded[c], memory_order_acquire);

	if (e == NULL)
		return NULL;
	*len = e->buf->cap;
	return buf_ref(e->buf);
}

struct buf *
encodings_get(struct request *req, enum coding c, uint32_t *len)
{
	struct buf *buf = encodings_peek(req->obj, c, len);

	if (buf != NULL || !body_is_there(req))
		return buf;
	make_while_waiting(req, c);
	return encodings_peek(req->obj, c, len);
}

void
encodings_improve(struct request *req, enum coding c)
{
	struct object *o = req->obj;
	struct job *j;

	if (o->hits < POPULAR || state_of(o, c) != ENCODING_FAST ||
	    atomic_load(&improver_jobs) >= JOBS_MAX)
		return;
	j = malloc(sizeof *j);
	if (j == NULL || !claim(o, c, ENCODING_FAST)) {
		free(j);
		return;
	}
	memset(j, 0, offsetof(struct job, buf));
	j->o = object_ref(o);
	j->coding = c;
	j->best = true;
	atomic_fetch_add(&improver_jobs, 1);
	if (gather(j) && pool_post(improver, make_well, j))
		return;
	give_up(j, ENCODING_FAST);
	object_unref(&j->o);
	free(j);
	atomic_fetch_sub(&improver_jobs, 1);
}
