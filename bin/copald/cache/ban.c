/*
 * ban.c - the list of bans, newest first, and the log behind it.
 *
 * Readers walk from the newest ban to the position of their object without
 * a lock; the list only grows at its head, and what is cut off at its tail
 * is freed by QSBR.  Positions are microseconds since 1970, made unique and
 * growing: they stay ordered across restarts even if the log was empty.
 */
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "ban_expr.h"
#include "core.h"
#include "counters.h"
#include "index.h"
#include "params.h"
#include "stevedore.h"

/* Bans between two looks at which are of no use any more: it walks over the
 * objects in memory. */
enum { TRIM_EVERY = 64 };

struct ban {
	struct ban *_Atomic older;
	uint64_t seq;
	double at;
	struct ban_expr *expr;
	_Atomic uint64_t tests, kills;
	struct qsbr_item retire;
};

static struct ban *_Atomic newest;
static _Atomic uint64_t position;     /* of the newest entry */
/*
 * Of the newest ban that was forgotten.  An object that was not tested so far
 * was under way then, and can't be tested any more.
 */
static _Atomic uint64_t forgotten;
/* Serialises writers: positions reach the stores in their order. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t purge_gate = PTHREAD_RWLOCK_INITIALIZER;

uint64_t
ban_position(void)
{
	return atomic_load_explicit(&position, memory_order_acquire);
}

/* write_lock held */
static uint64_t
next_seq(double now)
{
	uint64_t seq = (uint64_t)(now * 1e6);

	return seq > position ? seq : position + 1;
}

/* --- writing to the stores ------------------------------------------- */

struct log_wait {
	sem_t done;
	unsigned n;
	_Atomic int failed;
	char err[BAN_ERR_LEN - 32];
};

static void
log_done(void *priv, const char *error)
{
	struct log_wait *w = priv;

	if (error != NULL && atomic_exchange(&w->failed, 1) == 0)
		snprintf(w->err, sizeof w->err, "%s", error);
	sem_post(&w->done);
}

/* write_lock held; hands the entry to every store */
static void
log_begin(struct log_wait *w, const struct inval *e)
{
	memset(w, 0, sizeof *w);
	sem_init(&w->done, 0, 0);
	for (unsigned i = 0; i < stevedore_count(); i++) {
		struct stevedore *stv = stevedore_at(i);

		if (stv->store == NULL)
			continue;
		store_inval_append(stv->store, e, log_done, w);
		w->n++;
	}
}

/* blocks until every store has it on disk */
static int
log_end(struct log_wait *w, char err[BAN_ERR_LEN])
{
	while (w->n-- > 0)
		while (sem_wait(&w->done) != 0)
			;
	sem_destroy(&w->done);
	if (w->failed)
		snprintf(err, BAN_ERR_LEN, "The log could not be written: %s",
		    w->err);
	return w->failed ? -1 : 0;
}

/* write_lock held */
static int
ban_push(struct ban_expr *expr, uint64_t seq, double at)
{
	struct ban *b = calloc(1, sizeof *b);

	if (b == NULL)
		return -1;
	b->expr = expr;
	b->seq = seq;
	b->at = at;
	b->older = atomic_load(&newest);
	atomic_store_explicit(&newest, b, memory_order_release);
	/* after the list: who sees the position finds the ban */
	atomic_store_explicit(&position, seq, memory_order_release);
	COUNT_INC(bans);
	return 0;
}

static void
ban_freed(struct qsbr_item *i)
{
	struct ban *b = (struct ban *)((char *)i - offsetof(struct ban, retire));

	ban_expr_free(&b->expr);
	free(b);
}

/*
 * Bans that are older than every object: forgotten, here and in the log.
 * Objects in memory of a store are also on disk or newer; those of a store
 * without a disk are asked for one by one.
 */
static void
bans_trim(void)
{
	uint64_t oldest = stevedores_oldest_in_memory(), on_disk;
	struct ban *b = newest, *cut;

	if (b == NULL)
		return;
	/* who is handed to a store from here on asks ban_is_forgotten */
	pthread_rwlock_wrlock(&purge_gate);
	on_disk = stevedores_oldest_stored();
	if (on_disk < oldest)
		oldest = on_disk;
	/* the newest stays: its position must survive a restart */
	while (b->older != NULL && b->older->seq > oldest)
		b = b->older;
	cut = b->older;
	if (cut != NULL)
		atomic_store_explicit(&forgotten, cut->seq,
		    memory_order_release);
	pthread_rwlock_unlock(&purge_gate);
	if (cut == NULL)
		return;
	atomic_store_explicit(&b->older, NULL, memory_order_release);
	for (unsigned i = 0; i < stevedore_count(); i++)
		if (stevedore_at(i)->store != NULL)
			store_inval_trim(stevedore_at(i)->store, b->seq);
	while (cut != NULL) {
		struct ban *older = cut->older;

		qsbr_retire(&cut->retire, ban_freed);
		COUNT_ADD(bans, -1);
		cut = older;
	}
}

int
ban_add(const char *text, char err[BAN_ERR_LEN])
{
	struct inval e = {.kind = INVAL_BAN, .text = str_from_z(text)};
	struct ban_expr *expr = ban_expr_parse(e.text, err);
	struct log_wait w;
	int r;

	if (expr == NULL)
		return -1;
	pthread_mutex_lock(&write_lock);
	e.at = clock_wall();
	e.seq = next_seq(e.at);
	log_begin(&w, &e);
	r = log_end(&w, err);
	if (r == 0 && ban_push(expr, e.seq, e.at) != 0) {
		snprintf(err, BAN_ERR_LEN, "No memory");
		r = -1;
	}
	if (r == 0) {
		static unsigned added; /* write_lock held */

		COUNT_INC(bans_added);
		if (++added % TRIM_EVERY == 0)
			bans_trim();
	} else {
		ban_expr_free(&expr);
	}
	pthread_mutex_unlock(&write_lock);
	return r;
}

struct ban_call {
	char *text;
	char *err;
	int result;
};

static void
ban_call(void *arg)
{
	struct ban_call *c = arg;

	c->result = ban_add(c->text, c->err);
}

int
ban_add_wait(struct core *core, struct str expression, char err[BAN_ERR_LEN])
{
	struct ban_call c = {.err = err, .result = -1};

	c.text = strndup(expression.p != NULL ? expression.p : "",
	    expression.len);
	if (c.text == NULL) {
		snprintf(err, BAN_ERR_LEN, "No memory");
		return -1;
	}
	pool_call(core->pool, ban_call, &c, "ban to be on disk");
	free(c.text);
	return c.result;
}

bool
ban_is_forgotten(uint64_t tested)
{
	return tested < atomic_load_explicit(&forgotten, memory_order_acquire);
}

bool
ban_hits(struct object *o, const struct request *req)
{
	uint64_t tested =
	    atomic_load_explicit(&o->inval_seq, memory_order_relaxed);
	uint64_t upto = ban_position();
	unsigned n = 0;
	struct ban *b;

	if (tested >= upto)
		return false;
	for (b = atomic_load_explicit(&newest, memory_order_acquire);
	    b != NULL && b->seq > tested;
	    b = atomic_load_explicit(&b->older, memory_order_acquire)) {
		if (params->ban_cutoff > 0 && ++n > params->ban_cutoff)
			return true;
		COUNT_INC(bans_tests);
		atomic_fetch_add_explicit(&b->tests, 1, memory_order_relaxed);
		if (ban_expr_matches(b->expr, o, req)) {
			atomic_fetch_add_explicit(&b->kills, 1,
			    memory_order_relaxed);
			COUNT_INC(bans_obj_killed);
			return true;
		}
	}
	/* after the walk: who saw the list cut off sees this */
	if (ban_is_forgotten(tested))
		return true;
	atomic_store_explicit(&o->inval_seq, upto, memory_order_relaxed);
	return false;
}

/* --- purge ------------------------------------------------------------ */

static _Atomic uint64_t purges;

void
purge_gate_enter(void)
{
	pthread_rwlock_rdlock(&purge_gate);
}

void
purge_gate_leave(void)
{
	pthread_rwlock_unlock(&purge_gate);
}

uint64_t
purge_count(void)
{
	return atomic_load(&purges);
}

struct purge_call {
	const struct key *key;
	unsigned removed;
	char *err;
	int result;
};

static void
purge_call(void *arg)
{
	struct purge_call *c = arg;
	struct inval e = {.kind = INVAL_PURGE,
	    .text = {(const char *)c->key->hash, STORE_HASH_LEN}};
	struct log_wait w;

	pthread_mutex_lock(&write_lock);
	e.at = clock_wall();
	e.seq = next_seq(e.at);
	pthread_rwlock_wrlock(&purge_gate);
	c->removed = index_purge(c->key->hash);
	log_begin(&w, &e);
	pthread_rwlock_unlock(&purge_gate);
	c->result = log_end(&w, c->err);
	/*
	 * Counted first: who puts something into the index now, and then
	 * finds the old count, did so before the second purge.
	 */
	atomic_fetch_add(&purges, 1);
	/* what was loaded from disk, or claimed late, in between */
	c->removed += index_purge(c->key->hash);
	pthread_mutex_unlock(&write_lock);
}

int
purge_wait(struct core *core, const struct key *key, unsigned *removed,
    char err[BAN_ERR_LEN])
{
	struct purge_call c = {.key = key, .err = err};

	pool_call(core->pool, purge_call, &c, "purge to be on disk");
	*removed = c.removed;
	return c.result;
}

/* --- start, end, list -------------------------------------------------- */

struct load {
	struct ban **list;
	unsigned n, cap;
	uint64_t last;
	bool failed;
};

static void
load_one(void *priv, const struct inval *e)
{
	struct load *l = priv;
	char err[BAN_ERR_LEN];
	struct ban *b;

	if (e->seq > l->last)
		l->last = e->seq;
	if (e->kind != INVAL_BAN)
		return; /* a purge was carried out when it was written */
	if (l->n == l->cap) {
		unsigned cap = l->cap == 0 ? 64 : l->cap * 2;
		struct ban **list = realloc(l->list, cap * sizeof *list);

		if (list == NULL) {
			l->failed = true;
			return;
		}
		l->list = list;
		l->cap = cap;
	}
	b = calloc(1, sizeof *b);
	if (b != NULL)
		b->expr = ban_expr_parse(e->text, err);
	if (b == NULL || b->expr == NULL) {
		/* written by another version: better no cache than a wrong one */
		l->failed = true;
		free(b);
		return;
	}
	b->seq = e->seq;
	b->at = e->at;
	l->list[l->n++] = b;
}

static int
ban_order(const void *a, const void *b)
{
	const struct ban *x = *(struct ban *const *)a;
	const struct ban *y = *(struct ban *const *)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int
bans_load(char *err, size_t err_len)
{
	struct load l = {0};
	struct ban *prev = NULL;

	for (unsigned i = 0; i < stevedore_count(); i++) {
		struct stevedore *stv = stevedore_at(i);

		if (stv->store != NULL &&
		    store_inval_each(stv->store, load_one, &l) != 0)
			l.failed = true;
	}
	if (l.failed) {
		snprintf(err, err_len, "The invalidation log can't be read");
		return -1;
	}
	if (l.n > 0)
		qsort(l.list, l.n, sizeof(struct ban *), ban_order);
	for (unsigned i = 0; i < l.n; i++) {
		/* each store has it */
		if (prev != NULL && prev->seq == l.list[i]->seq) {
			ban_expr_free(&l.list[i]->expr);
			free(l.list[i]);
			continue;
		}
		l.list[i]->older = prev;
		prev = l.list[i];
		COUNT_INC(bans);
	}
	free(l.list);
	newest = prev;
	position = l.last;
	return 0;
}

void
bans_free(void)
{
	struct ban *b = newest, *older;

	newest = NULL;
	for (; b != NULL; b = older) {
		older = b->older;
		ban_freed(&b->retire);
	}
}

void
ban_list(FILE *out, bool json)
{
	struct ban *b;
	const char *sep = "";

	pthread_mutex_lock(&write_lock); /* no trim meanwhile */
	if (!json)
		fprintf(out, "Present bans:\n");
	for (b = newest; b != NULL; b = b->older) {
		struct str text = ban_expr_text(b->expr);

		if (!json) {
			fprintf(out, "%.6f %5llu -  %.*s\n", b->at,
			    (unsigned long long)b->kills, STR_ARG(text));
			continue;
		}
		fprintf(out, "%s{\n  \"time\": %.6f,\n  \"seq\": %llu,\n"
		    "  \"tests\": %llu,\n  \"killed\": %llu,\n  \"ban\": \"",
		    sep, b->at, (unsigned long long)b->seq,
		    (unsigned long long)b->tests,
		    (unsigned long long)b->kills);
		for (size_t i = 0; i < text.len; i++) {
			unsigned char c = (unsigned char)text.p[i];

			if (c == '"' || c == '\\')
				fprintf(out, "\\%c", c);
			else if (c < 0x20)
				fprintf(out, "\\u%04x", c);
			else
				fputc(c, out);
		}
		fprintf(out, "\"\n}");
		sep = ",\n";
	}
	pthread_mutex_unlock(&write_lock);
}
