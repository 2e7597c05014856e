/*
 * ban.c - the list of bans, newest first, and the log of invalidations.
 *
 * Readers walk from the newest ban to the position of their object without
 * a lock; the list only grows at its head, and what leaves it is freed by
 * QSBR.  The way back, from the oldest on, is for who holds the lock.
 * inval_log.c writes the log; "locked" here means by inval_log_lock, which it
 * holds when it calls begin and end.
 */
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "ban_expr.h"
#include "ban_twins.h"
#include "core.h"
#include "counters.h"
#include "inval_log.h"
#include "json.h"
#include "lurker.h"
#include "params.h"
#include "stevedore.h"
#include "tag_marks.h"
#include "tags.h"

enum {
	/* Bans between two looks at which are of no use any more: it walks
	 * over the objects in memory. */
	TRIM_EVERY = 64,
};

struct ban {
	struct ban *_Atomic older;
	struct ban *newer; /* locked */
	uint64_t seq;
	double at;
	struct ban_expr *expr;
	struct ban_twin twin;
	_Atomic uint64_t tests, kills;
	struct qsbr_item retire;
};

static struct ban *_Atomic newest;
static struct ban *oldest; /* locked, as is list_n */
static unsigned list_n;
/*
 * Of the newest ban that was forgotten.  An object that was not tested so far
 * was under way then, and can't be tested any more.
 */
static _Atomic uint64_t forgotten;
/* At least forgotten: the stores take no object that was tested less far. */
static _Atomic uint64_t closed;
uint64_t
ban_position(void)
{
	return inval_log_position();
}

static void
ban_freed(struct qsbr_item *i)
{
	struct ban *b =
	    (struct ban *)((char *)i - offsetof(struct ban, retire));

	ban_expr_free(&b->expr);
	free(b);
}

/* locked */
static void
ban_unlink(struct ban *b)
{
	struct ban *older = b->older;

	ban_twins_drop(&b->twin);
	if (older != NULL)
		older->newer = b->newer;
	else
		oldest = b->newer;
	if (b->newer != NULL)
		atomic_store_explicit(&b->newer->older, older,
		    memory_order_release);
	else
		atomic_store_explicit(&newest, older, memory_order_release);
	list_n--;
	COUNT_ADD(bans, -1);
	qsbr_retire(&b->retire, ban_freed);
}

/*
 * locked.  An older one that says the same is done with: who was not tested
 * against it will be against b.  In the log it stays until that is trimmed.
 */
static void
ban_link(struct ban *b)
{
	struct ban_twin *t = params->ban_dups ?
	    ban_twins_put(&b->twin, b->expr) : NULL;

	b->older = newest;
	if (newest != NULL)
		newest->newer = b;
	else
		oldest = b;
	list_n++;
	COUNT_INC(bans);
	atomic_store_explicit(&newest, b, memory_order_release);
	if (t == NULL)
		return;
	ban_unlink((struct ban *)((char *)t - offsetof(struct ban, twin)));
	COUNT_INC(bans_dups);
}

/* locked */
static int
ban_push(struct ban_expr *expr, uint64_t seq, double at)
{
	struct ban *b = calloc(1, sizeof *b);

	if (b == NULL)
		return -1;
	b->expr = expr;
	b->seq = seq;
	b->at = at;
	ban_link(b);
	/* after the list: who sees the position finds the ban */
	inval_log_publish(seq);
	return 0;
}

/* locked; NULL: there is none */
static struct ban *
newest_upto(uint64_t upto)
{
	struct ban *b = oldest;

	if (b == NULL || b->seq > upto)
		return NULL;
	while (b->newer != NULL && b->newer->seq <= upto)
		b = b->newer;
	return b;
}

/* locked; forgets what is not newer than upto, here and in the log */
static void
forget(uint64_t upto)
{
	/* the newest is the list's head for readers */
	while (oldest != newest && oldest->seq <= upto)
		ban_unlink(oldest);
	if (tag_marks_forget(upto))
		tags_forget(upto);
	/* the newest entry stays: its position must survive a restart */
	for (unsigned i = 0; i < stevedore_count(); i++)
		if (stevedore_at(i)->store != NULL)
			store_inval_trim(stevedore_at(i)->store,
			    upto < ban_position() ? upto + 1 : ban_position());
}

/* How far at least */
static uint64_t
stored_were_tested(void)
{
	uint64_t stored = stevedores_oldest_stored(), lurked = lurker_floor();

	return stored > lurked ? stored : lurked;
}

/*
 * Bans and purged tags that are older than every object are forgotten.
 * Objects in memory of a store are also on disk or newer; those of a store
 * without a disk are asked for one by one.
 */
void
ban_trim(void)
{
	uint64_t upto = stored_were_tested(), memory, tag;
	struct ban *b;

	/* it is a walk over all objects in memory */
	if (tag_marks_newest(upto) == 0 && newest_upto(upto) == NULL)
		return;
	memory = stevedores_oldest_in_memory();
	/* who is handed to a store from here on asks ban_is_forgotten */
	inval_gate_close();
	upto = stored_were_tested();
	if (upto > memory)
		upto = memory;
	b = newest_upto(upto);
	if (b != NULL && b == newest)
		b = b->older;
	if (b != NULL && b->seq > forgotten)
		atomic_store_explicit(&forgotten, b->seq,
		    memory_order_release);
	tag = tag_marks_newest(upto);
	if (tag > forgotten)
		atomic_store_explicit(&forgotten, tag, memory_order_release);
	inval_gate_open();
	forget(upto);
}

static bool
would_hit(void *priv, struct object *o)
{
	return ban_expr_matches(priv, o, NULL, clock_wall());
}

int
ban_sample(const char *text, struct sample *s, char err[BAN_ERR_LEN])
{
	struct ban_expr *expr = ban_expr_parse(str_from_z(text), err);

	*s = (struct sample){0};
	if (expr == NULL)
		return -1;
	sample_take(s, would_hit, expr);
	ban_expr_free(&expr);
	return 0;
}

struct ban_call {
	struct inval_call call;
	struct ban_expr *expr; /* the list has it when it was added */
};

static void
ban_end(struct inval_call *call)
{
	static unsigned added; /* locked */
	struct ban_call *c = (struct ban_call *)call;
	struct inval *e = &call->entry;

	if (call->result != 0)
		return;
	if (ban_push(c->expr, e->seq, e->at) != 0) {
		snprintf(call->err, BAN_ERR_LEN, "No memory");
		call->result = -1;
		return;
	}
	c->expr = NULL;
	COUNT_INC(bans_added);
	if (++added % TRIM_EVERY == 0)
		ban_trim();
}

int
ban_add(struct str text, uint64_t *seq, char err[BAN_ERR_LEN])
{
	struct ban_call c = {
	    .call = {
		.entry = {.kind = INVAL_BAN, .text = text},
		.end = ban_end,
		.err = err,
	    },
	};

	c.expr = ban_expr_parse(text, err);
	if (c.expr == NULL)
		return -1;
	inval_log_write(&c.call);
	*seq = c.call.entry.seq;
	ban_expr_free(&c.expr);
	return c.call.result;
}

bool
ban_is_forgotten(uint64_t tested)
{
	return tested < atomic_load_explicit(&forgotten,
	    memory_order_acquire) ||
	    tested < atomic_load_explicit(&closed, memory_order_acquire);
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
	if (tags_hit(o, tested, req->ctx.now)) {
		COUNT_INC(tags_obj_killed);
		return true;
	}
	for (b = atomic_load_explicit(&newest, memory_order_acquire);
	    b != NULL && b->seq > tested;
	    b = atomic_load_explicit(&b->older, memory_order_acquire)) {
		if (params->ban_cutoff > 0 && ++n > params->ban_cutoff)
			return true;
		COUNT_INC(bans_tested);
		atomic_fetch_add_explicit(&b->tests, 1, memory_order_relaxed);
		if (ban_expr_matches(b->expr, o, req, b->at)) {
			atomic_fetch_add_explicit(&b->kills, 1,
			    memory_order_relaxed);
			COUNT_INC(bans_obj_killed);
			return true;
		}
	}
	/* after the walk: who saw the list cut off sees this */
	if (tested < atomic_load_explicit(&forgotten, memory_order_acquire))
		return true;
	atomic_store_explicit(&o->inval_seq, upto, memory_order_relaxed);
	return false;
}

bool
ban_explain(struct object *o, const struct request *req, ban_tell *tell,
    void *priv)
{
	uint64_t tested =
	    atomic_load_explicit(&o->inval_seq, memory_order_relaxed);
	unsigned n = 0;

	if (tested >= ban_position())
		return false;
	if (tags_hit(o, tested, req->ctx.now))
		return true;
	for (const struct ban *b = atomic_load_explicit(&newest,
	    memory_order_acquire); b != NULL && b->seq > tested;
	    b = atomic_load_explicit(&b->older, memory_order_acquire)) {
		bool hits = ban_expr_matches(b->expr, o, req, b->at);

		if (params->ban_cutoff > 0 && ++n > params->ban_cutoff)
			return true;
		if (tell != NULL)
			tell(priv, ban_expr_text(b->expr), hits);
		if (hits)
			return true;
	}
	return tested < atomic_load_explicit(&forgotten, memory_order_acquire);
}

void
ban_forget_untested(uint64_t upto)
{
	char err[BAN_ERR_LEN];
	struct inval_call c = {
	    .entry = {
		.kind = INVAL_FORGET,
		.text = {(const char *)&upto, sizeof upto},
	    },
	    .err = err,
	};

	if (inval_log_write_locked(&c) != 0)
		return;
	inval_gate_close();
	if (upto > forgotten)
		atomic_store_explicit(&forgotten, upto, memory_order_release);
	inval_gate_open();
	inval_log_publish(c.entry.seq);
	forget(upto);
}

/* --- for the lurker ------------------------------------------------------ */

bool
ban_lurks(struct object *o, uint64_t tested, const struct ban_key *key,
    uint64_t *upto)
{
	uint64_t depends = UINT64_MAX;
	bool hit = false;
	struct ban *b;

	if (tags_hit(o, tested, clock_wall())) {
		COUNT_INC(tags_obj_killed);
		return true;
	}
	inval_log_lock(); /* no trim meanwhile: this is no reader of QSBR */
	for (b = newest; b != NULL && b->seq > tested && !hit; b = b->older) {
		if (b->seq > *upto)
			continue;
		switch (ban_expr_verdict(b->expr, o, key, b->at)) {
		case BAN_YES:
			b->kills++;
			hit = true;
			break;
		case BAN_DEPENDS:
			depends = b->seq;
			break;
		case BAN_NO:
			break;
		}
	}
	inval_log_unlock();
	if (!hit && depends <= *upto)
		*upto = depends - 1;
	return hit;
}

uint64_t
ban_newest_before(double at)
{
	uint64_t upto = at > 0 ? (uint64_t)(at * 1e6) : 0, tag;
	struct ban *b;

	inval_log_lock();
	b = newest_upto(upto);
	tag = tag_marks_newest(upto);
	if (b != NULL && b->seq > tag)
		tag = b->seq;
	inval_log_unlock();
	return tag;
}

void
ban_close(uint64_t upto)
{
	inval_gate_close();
	if (upto > closed)
		atomic_store_explicit(&closed, upto, memory_order_release);
	inval_gate_open();
}

void
ban_cut(void)
{
	unsigned max = params->ban_cutoff;

	inval_log_lock();
	if (max > 0 && list_n > max) {
		struct ban *b = oldest;

		for (unsigned n = list_n - max; n > 1; n--)
			b = b->newer;
		ban_forget_untested(b->seq);
	}
	inval_log_unlock();
}

/* --- start, end, list ---------------------------------------------------- */

struct load {
	struct ban **list;
	unsigned n, cap;
	uint64_t last;
	bool failed;
};

static void
load_tags(struct load *l, const struct inval *e, bool is_new)
{
	unsigned n = (unsigned)(e->text.len / sizeof(uint64_t)), hit = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t hash;

		memcpy(&hash, e->text.p + i * sizeof hash, sizeof hash);
		if (!tags_purge(hash, e->seq, e->kind == INVAL_TAGS_SOFT, &hit))
			l->failed = true;
	}
	if (is_new && !tag_marks_add(n, e->seq))
		l->failed = true;
}

static void
load_forgotten(const struct inval *e)
{
	uint64_t upto = 0;

	if (e->text.len == sizeof upto)
		memcpy(&upto, e->text.p, sizeof upto);
	if (upto > forgotten)
		forgotten = upto;
}

static void
load_ban(struct load *l, const struct inval *e)
{
	char err[BAN_ERR_LEN];
	struct ban *b;

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
		/* another version's: better no cache than a wrong one */
		l->failed = true;
		free(b);
		return;
	}
	b->seq = e->seq;
	b->at = e->at;
	l->list[l->n++] = b;
}

static void
load_one(void *priv, const struct inval *e)
{
	struct load *l = priv;
	bool is_new = e->seq > l->last; /* each store has it */

	if (is_new)
		l->last = e->seq;
	switch (e->kind) {
	case INVAL_BAN:
		load_ban(l, e);
		break;
	case INVAL_TAGS:
	case INVAL_TAGS_SOFT:
		load_tags(l, e, is_new);
		break;
	case INVAL_FORGET:
		load_forgotten(e);
		break;
	case INVAL_PURGE:
	case INVAL_SOFT:
		break; /* it was carried out when it was written */
	}
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
	for (unsigned i = 0; i < l.n; i++)
		if (newest == NULL || newest->seq != l.list[i]->seq) {
			ban_link(l.list[i]);
		} else { /* each store has it */
			ban_expr_free(&l.list[i]->expr);
			free(l.list[i]);
		}
	free(l.list);
	if (inval_log_start(l.last) != 0) {
		snprintf(err, err_len, "No thread for invalidation");
		return -1;
	}
	if (lurker_start() != 0) {
		snprintf(err, err_len, "No thread for bans");
		return -1;
	}
	return 0;
}

void
bans_free(void)
{
	struct ban *b = newest, *older;

	lurker_stop();
	inval_log_stop();
	newest = oldest = NULL;
	for (; b != NULL; b = older) {
		older = b->older;
		ban_twins_drop(&b->twin);
		ban_freed(&b->retire);
	}
	ban_twins_free();
	tag_marks_free();
}

void
ban_list(FILE *out, bool json)
{
	struct ban *b;
	const char *sep = "";

	inval_log_lock(); /* no trim meanwhile */
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
		while (text.len != 0) {
			char buf[JSON_CHAR_MAX + 1];
			struct str c = json_next(&text, buf);

			fwrite(c.p, 1, c.len, out);
		}
		fprintf(out, "\"\n}");
		sep = ",\n";
	}
	inval_log_unlock();
}
