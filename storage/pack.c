/*
 * pack.c - bodies packed and unpacked, and where dictionaries come from.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zdict.h>
#include <zstd.h>

#include "pack.h"
#include "store_impl.h"

enum {
	/* Small bodies until the first dictionary, and how many times more
	 * until each further one */
	TRAIN_FIRST = 512,
	TRAIN_FACTOR = 8,
	/* Samples, and what is looked at of each: a hundred times the
	 * dictionary is what zstd advises, this is what is worth the memory. */
	SAMPLES = 1024,
	SAMPLE_LEN = 4096,
	TRAINER_NICE = 10,
	/* Contexts at rest, for as many cold reads at a time; each has some
	 * 100 KiB. */
	IDLE_MAX = 8,
};

struct dict {
	uint32_t id;
	ZSTD_DDict *ddict;
};

struct packer {
	struct store *st;

	/* The writer's */
	ZSTD_CCtx *cctx;
	ZSTD_CDict *cdict;
	uint32_t cdict_id;     /* 0: none */
	void *out;             /* STORE_PIECE_MAX */
	bool looked;           /* for a dictionary in the catalogue */
	uint32_t dict_n;       /* made so far: the highest id */
	uint64_t seen;         /* small bodies since the last was trained */
	uint8_t *sample;       /* SAMPLES of SAMPLE_LEN; NULL: not now */
	size_t sample_len[SAMPLES];
	unsigned sample_n;
	uint64_t offered;
	uint32_t random;
	pthread_t trainer;
	bool trainer_runs;     /* or is to be joined */
	uint8_t *trained;      /* DICT_LEN: what it gives */
	size_t trained_len;

	/* Readers' */
	pthread_mutex_t mtx;
	struct dict dict[DICT_MAX];
	ZSTD_DCtx *idle[IDLE_MAX];
	unsigned idle_n;
};

struct packer *
packer_new(struct store *st)
{
	struct packer *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->st = st;
	p->random = 1;
	pthread_mutex_init(&p->mtx, NULL);
	return p;
}

void
packer_stop(struct packer *p)
{
	if (p != NULL && p->trainer_runs)
		pthread_join(p->trainer, NULL);
	if (p != NULL)
		p->trainer_runs = false;
}

void
packer_free(struct packer **pp)
{
	struct packer *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	packer_stop(p);
	ZSTD_freeCCtx(p->cctx);
	ZSTD_freeCDict(p->cdict);
	free(p->out);
	free(p->sample);
	free(p->trained);
	for (unsigned i = 0; i < DICT_MAX; i++)
		ZSTD_freeDDict(p->dict[i].ddict);
	while (p->idle_n > 0)
		ZSTD_freeDCtx(p->idle[--p->idle_n]);
	pthread_mutex_destroy(&p->mtx);
	free(p);
}

/* --- dictionaries -------------------------------------------------------- */

struct dict_reading {
	struct store *st;
	uint32_t id; /* 0: the newest */
	uint8_t *bytes;
	size_t len;
	int rc;
};

static void
dict_read_run(void *arg)
{
	struct dict_reading *r = arg;
	struct catalogue *cat = &r->st->cat;
	MDB_txn *txn = catalogue_read(cat, &r->rc);

	if (txn == NULL)
		return;
	if (r->id == 0)
		r->rc = catalogue_dict_last(cat, txn, &r->id);
	if (r->rc == 0 && r->id != 0)
		r->rc = catalogue_dict_get(cat, txn, r->id, &r->bytes,
		    &r->len);
	catalogue_read_end(cat, txn);
}

/*
 * A copy of it, or NULL: it is not there, or wrong, or *rc is ENOMEM; id 0:
 * the newest
 */
static uint8_t *
dict_read(struct store *st, uint32_t *id, size_t *len, int *rc)
{
	struct dict_reading r = {.st = st, .id = *id};

	*rc = EIO;
	if (!store_guarded(st, dict_read_run, &r))
		return NULL;
	*id = r.id;
	*len = r.len;
	*rc = r.rc;
	return r.bytes;
}

/*
 * NULL: it can't be had, for want of memory if *rc is ENOMEM.  It lives as
 * long as the packer.
 */
static ZSTD_DDict *
ddict_of(struct packer *p, uint32_t id, int *rc)
{
	ZSTD_DDict *d = NULL;
	uint8_t *bytes;
	size_t len;

	*rc = 0;
	if (id == 0 || id > DICT_MAX)
		return NULL;
	pthread_mutex_lock(&p->mtx);
	d = p->dict[id - 1].ddict;
	if (d == NULL && (bytes = dict_read(p->st, &id, &len, rc)) != NULL) {
		d = ZSTD_createDDict(bytes, len);
		if (d == NULL)
			*rc = ENOMEM;
		p->dict[id - 1].ddict = d;
		free(bytes);
	}
	pthread_mutex_unlock(&p->mtx);
	return d;
}

static void
use_dict(struct packer *p, uint32_t id, const uint8_t *bytes, size_t len)
{
	ZSTD_CDict *d = ZSTD_createCDict(bytes, len, PACK_LEVEL_SMALL);

	if (d == NULL)
		return;
	ZSTD_freeCDict(p->cdict);
	p->cdict = d;
	p->cdict_id = id;
	atomic_store(&p->st->dicts, id);
}

/* The one that was made last, by this process or one before it */
static void
look_for_dict(struct packer *p)
{
	uint8_t *bytes;
	size_t len;
	int rc;

	bytes = dict_read(p->st, &p->dict_n, &len, &rc);
	/* Else a new one would take the place of one that is in use. */
	p->looked = rc != ENOMEM;
	if (bytes != NULL && p->dict_n <= DICT_MAX)
		use_dict(p, p->dict_n, bytes, len);
	free(bytes);
}

/* Small bodies until the next dictionary; 0: there will be none. */
static uint64_t
train_after(const struct packer *p)
{
	uint64_t n = TRAIN_FIRST;

	if (p->dict_n >= DICT_MAX)
		return 0;
	for (uint32_t i = 0; i < p->dict_n; i++)
		n *= TRAIN_FACTOR;
	return n;
}

static void *
train(void *arg)
{
	struct packer *p = arg;

	/* of this thread alone, as Linux has it */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), TRAINER_NICE);
	p->trained_len = ZDICT_trainFromBuffer(p->trained, DICT_LEN,
	    p->sample, p->sample_len, p->sample_n);
	if (ZDICT_isError(p->trained_len))
		p->trained_len = 0; /* too much alike, or too few */
	queue_dict(p->st, p->dict_n + 1, p->trained, p->trained_len);
	return NULL;
}

/* The samples lie one behind another for the trainer. */
static void
close_gaps(struct packer *p)
{
	size_t at = 0;

	for (unsigned i = 0; i < p->sample_n; i++) {
		memmove(p->sample + at, p->sample + (size_t)i * SAMPLE_LEN,
		    p->sample_len[i]);
		at += p->sample_len[i];
	}
}

static void
start_training(struct packer *p)
{
	sigset_t all, old;

	close_gaps(p);
	if (p->trained == NULL)
		p->trained = malloc(DICT_LEN);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	p->trainer_runs = p->trained != NULL &&
	    pthread_create(&p->trainer, NULL, train, p) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!p->trainer_runs)
		pack_dict_written(p, 0, false);
}

/* Each of those offered is kept with the same chance (reservoir sampling). */
static void
take_sample(struct packer *p, const void *body, uint32_t len)
{
	unsigned at = p->sample_n;

	p->offered++;
	if (at == SAMPLES) {
		p->random = p->random * 1664525 + 1013904223;
		at = (unsigned)((p->random >> 8) % p->offered);
		if (at >= SAMPLES)
			return;
	} else {
		p->sample_n++;
	}
	p->sample_len[at] = len < SAMPLE_LEN ? len : SAMPLE_LEN;
	memcpy(p->sample + (size_t)at * SAMPLE_LEN, body, p->sample_len[at]);
}

/* A small body passes: the later half of those before a training count. */
static void
sample(struct packer *p, const void *body, uint32_t len)
{
	uint64_t enough = train_after(p);

	if (enough == 0 || p->trainer_runs || ++p->seen < enough / 2)
		return;
	if (p->sample == NULL) {
		p->sample = malloc((size_t)SAMPLES * SAMPLE_LEN);
		p->sample_n = 0;
		p->offered = 0;
		if (p->sample == NULL) {
			p->seen = 0;
			return;
		}
	}
	take_sample(p, body, len);
	if (p->seen >= enough)
		start_training(p);
}

void
pack_dict_written(struct packer *p, uint32_t id, bool ok)
{
	packer_stop(p);
	if (ok) {
		p->dict_n = id;
		use_dict(p, id, p->trained, p->trained_len);
	}
	free(p->sample);
	p->sample = NULL;
	p->seen = 0;
}

/* --- packing ------------------------------------------------------------- */

static bool
ready(struct packer *p)
{
	if (p->out == NULL)
		p->out = malloc(STORE_PIECE_MAX);
	if (p->cctx == NULL) {
		p->cctx = ZSTD_createCCtx();
		if (p->cctx != NULL) /* the record says which */
			ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_dictIDFlag, 0);
	}
	if (!p->looked)
		look_for_dict(p);
	return p->out != NULL && p->cctx != NULL && p->looked;
}

struct packed
pack_try(struct packer *p, const void *body, uint32_t len)
{
	struct packed as_it_is = {body, len, false, 0}, x = as_it_is;
	bool small = len < PACK_SMALL;
	size_t n;

	if (p == NULL || !ready(p))
		return as_it_is;
	ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_compressionLevel,
	    small ? PACK_LEVEL_SMALL : PACK_LEVEL);
	ZSTD_CCtx_refCDict(p->cctx, small ? p->cdict : NULL);
	n = ZSTD_compress2(p->cctx, p->out, len - len / 10, body, len);
	if (small) {
		x.dict = p->cdict != NULL ? p->cdict_id : 0;
		sample(p, body, len);
	}
	if (ZSTD_isError(n))
		return as_it_is;
	x.data = p->out;
	x.len = (uint32_t)n;
	x.is_packed = true;
	atomic_fetch_add(&p->st->packed, 1);
	atomic_fetch_add(&p->st->packed_in, len);
	atomic_fetch_add(&p->st->packed_out, n);
	return x;
}

/* --- unpacking ----------------------------------------------------------- */

static ZSTD_DCtx *
context_get(struct packer *p)
{
	ZSTD_DCtx *c = NULL;

	pthread_mutex_lock(&p->mtx);
	if (p->idle_n > 0)
		c = p->idle[--p->idle_n];
	pthread_mutex_unlock(&p->mtx);
	return c != NULL ? c : ZSTD_createDCtx();
}

static void
context_put(struct packer *p, ZSTD_DCtx *c)
{
	pthread_mutex_lock(&p->mtx);
	if (p->idle_n < IDLE_MAX) {
		p->idle[p->idle_n++] = c;
		c = NULL;
	}
	pthread_mutex_unlock(&p->mtx);
	ZSTD_freeDCtx(c);
}

/* In one go into a buffer of the right size: a wrong frame can't do more. */
static int
unpack(struct packer *p, const struct store_object *o, struct str in,
    void *out)
{
	int rc = 0;
	ZSTD_DDict *d = o->dict != 0 ? ddict_of(p, o->dict, &rc) : NULL;
	ZSTD_DCtx *c = context_get(p);
	size_t n;

	if (c == NULL)
		return STORE_NO_MEMORY;
	if (o->dict != 0 && d == NULL) {
		context_put(p, c);
		return rc == ENOMEM ? STORE_NO_MEMORY : -1;
	}
	n = ZSTD_decompress_usingDDict(c, out, o->meta.body_len, in.p, in.len,
	    d);
	context_put(p, c);
	return n == o->meta.body_len ? 0 : -1;
}

uint32_t
store_frame_len(const struct store_object *o)
{
	if (!o->packed || o->dict != 0)
		return 0;
	if (o->inline_body.p != NULL)
		return (uint32_t)o->inline_body.len;
	return o->extent_n == 1 ? o->extent[0].len : 0;
}

int
store_unpack(struct store *st, const struct store_object *o, void *out,
    void *frame)
{
	const struct extent *e = o->extent; /* of an inline body: NULL */
	void *in;
	int r;

	if (o->inline_body.p != NULL) {
		if (frame != NULL)
			memcpy(frame, o->inline_body.p, o->inline_body.len);
		return unpack(st->packer, o, o->inline_body, out);
	}
	if (o->extent_n != 1)
		return -1;
	in = frame != NULL ? frame : malloc(e->len);
	if (in == NULL)
		return STORE_NO_MEMORY;
	r = extent_read(st, e, in);
	if (r == 0)
		r = unpack(st->packer, o, str_of(in, e->len), out);
	if (in != frame)
		free(in);
	return r;
}
