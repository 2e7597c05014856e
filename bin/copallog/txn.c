/*
 * txn.c - whole transactions, and groups of them.
 *
 * Ids and parents come out of shared memory and may be anything: a tree is
 * made only if it stays a tree, and no deeper than DEPTH_MAX.
 */
#include "txn.h"

#include <stdlib.h>

enum {
	BUCKETS = 1024,
	DEPTH_MAX = 32,
	/* Of one transaction; more is dropped, it is nobody's to read. */
	RECORDS_MAX = 16 * 1024 * 1024,
};

struct txns {
	enum grouping grouping;
	unsigned limit, n;
	nsec_t wait;
	txn_emit *emit;
	void *arg;
	struct txn *oldest, *newest;
	struct txn *bucket[BUCKETS];
};

struct txn *
txn_walk(const struct txn *root, struct txn *t)
{
	if (t->child != NULL)
		return t->child;
	while (t != root) {
		if (t->next != NULL)
			return t->next;
		t = t->up;
	}
	return NULL;
}

struct txns *
txns_new(enum grouping grouping, unsigned limit, nsec_t wait, txn_emit *emit,
    void *arg)
{
	struct txns *ts = calloc(1, sizeof *ts);

	if (ts == NULL)
		return NULL;
	ts->grouping = grouping;
	ts->limit = limit;
	ts->wait = wait;
	ts->emit = emit;
	ts->arg = arg;
	return ts;
}

static struct txn **
bucket_of(struct txns *ts, uint64_t id)
{
	return &ts->bucket[(id ^ id >> 10) % BUCKETS];
}

static struct txn *
find(struct txns *ts, uint64_t id)
{
	struct txn *t = *bucket_of(ts, id);

	while (t != NULL && t->id != id)
		t = t->same_hash;
	return t;
}

static struct txn *
make(struct txns *ts, uint64_t id, nsec_t now)
{
	struct txn *t = calloc(1, sizeof *t), **bucket = bucket_of(ts, id);

	if (t == NULL)
		return NULL;
	t->id = id;
	t->at = now;
	t->same_hash = *bucket;
	*bucket = t;
	t->older = ts->newest;
	if (ts->newest != NULL)
		ts->newest->newer = t;
	else
		ts->oldest = t;
	ts->newest = t;
	ts->n++;
	return t;
}

static void
forget(struct txns *ts, struct txn *t)
{
	struct txn **at = bucket_of(ts, t->id);

	while (*at != t)
		at = &(*at)->same_hash;
	*at = t->same_hash;
	if (t->older != NULL)
		t->older->newer = t->newer;
	else
		ts->oldest = t->newer;
	if (t->newer != NULL)
		t->newer->older = t->older;
	else
		ts->newest = t->older;
	ts->n--;
	free(t->records);
	free(t);
}

static struct txn *
root_of(struct txn *t)
{
	while (t->up != NULL)
		t = t->up;
	return t;
}

/* No deeper than DEPTH_MAX: see can_adopt(). */
static void
forget_tree(struct txns *ts, struct txn *t)
{
	struct txn *next;

	for (struct txn *c = t->child; c != NULL; c = next) {
		next = c->next;
		forget_tree(ts, c);
	}
	forget(ts, t);
}

/* Hands the tree out, then frees it. */
static void
emit(struct txns *ts, struct txn *root)
{
	for (struct txn *t = root; t != NULL; t = txn_walk(root, t))
		t->level = t->up != NULL ? t->up->level + 1 : 1;
	ts->emit(root, ts->arg);
	forget_tree(ts, root);
}

void
txns_flush(struct txns *ts)
{
	while (ts->oldest != NULL)
		emit(ts, root_of(ts->oldest));
}

void
txns_free(struct txns **tsp)
{
	struct txns *ts = *tsp;

	if (ts == NULL)
		return;
	*tsp = NULL;
	while (ts->oldest != NULL)
		forget_tree(ts, root_of(ts->oldest));
	free(ts);
}

void
txns_expire(struct txns *ts, nsec_t now)
{
	while (ts->oldest != NULL && now - ts->oldest->at > ts->wait)
		emit(ts, root_of(ts->oldest));
}

/* ---- trees ---- */

static bool
is_complete(const struct txn *root)
{
	for (const struct txn *t = root; t != NULL;
	     t = txn_walk(root, (struct txn *)t))
		if (!t->ended)
			return false;
	return true;
}

static unsigned
height(const struct txn *t)
{
	unsigned h = 0;

	for (const struct txn *c = t->child; c != NULL; c = c->next) {
		unsigned below = height(c);

		if (below > h)
			h = below;
	}
	return h + 1;
}

static bool
can_adopt(struct txn *up, const struct txn *t)
{
	unsigned depth = 0;

	if (t->up != NULL)
		return false;
	for (struct txn *p = up; p != NULL; p = p->up, depth++)
		if (p == t)
			return false;
	return depth + height(t) <= DEPTH_MAX;
}

static void
adopt(struct txn *up, struct txn *t)
{
	if (!can_adopt(up, t))
		return;
	t->up = up;
	if (up->last_child != NULL)
		up->last_child->next = t;
	else
		up->child = t;
	up->last_child = t;
}

/* Is a transaction of this kind below its parent, in this grouping? */
static bool
is_below(enum grouping g, enum log_kind kind, enum log_reason reason)
{
	if (g == GROUP_XID || kind == LOG_KIND_SESSION)
		return false;
	return g == GROUP_SESSION || kind == LOG_KIND_FETCH ||
	    reason == LOG_REASON_ESI || reason == LOG_REASON_RESTART;
}

static struct txn *
find_or_make(struct txns *ts, uint64_t id, nsec_t now)
{
	struct txn *t = find(ts, id);

	return t != NULL ? t : make(ts, id, now);
}

/* A number out of the log as an enum's value; what it can't be is 0. */
static unsigned
small(double v, unsigned limit)
{
	return v >= 0 && v < limit ? (unsigned)v : 0;
}

/* What t says that it has caused is waited for. */
static void
follow_links(struct txns *ts, struct txn *t, nsec_t now)
{
	struct str records = txn_records(t);
	struct log_record r;

	while (log_record_next(&records, &r)) {
		struct txn *child;

		if (r.tag != LOG_LINK || r.num_n != 3 ||
		    !(r.num[1] >= 1 && r.num[1] < 0x1p53) ||
		    !is_below(ts->grouping, small(r.num[0], 256),
			small(r.num[2], LOG_REASON_MAX)))
			continue;
		child = find_or_make(ts, (uint64_t)r.num[1], now);
		if (child != NULL)
			adopt(t, child);
	}
}

/* ---- one transaction ---- */

static char *
make_room(struct txn *t, size_t len)
{
	size_t cap = t->cap != 0 ? t->cap : 2048;
	char *p;

	if (len > RECORDS_MAX - t->len)
		return NULL;
	while (cap - t->len < len)
		cap *= 2;
	if (cap != t->cap) {
		p = realloc(t->records, cap);
		if (p == NULL)
			return NULL;
		t->records = p;
		t->cap = cap;
	}
	return t->records + t->len;
}

/*
 * Takes over whole records only, so that what is appended later is read too.
 */
static void
append(struct txn *t, struct str records)
{
	struct str rest = records;
	struct log_record r;
	size_t len;
	char *to;

	while (log_record_next(&rest, &r))
		;
	len = rest.p - records.p;
	to = len != 0 ? make_room(t, len) : NULL;
	if (to == NULL)
		return;
	memcpy(to, records.p, len);
	t->len += len;
}

/* A record that the writer leaves to us. */
static void
append_made(struct txn *t, enum log_tag tag, const double *v, unsigned n)
{
	char *to = make_room(t, 64);

	if (to != NULL)
		t->len += log_record_write(to, 64, tag, v, n, STR_NULL);
}

static void
begin(struct txn *t, const struct log_batch *b)
{
	const double v[] = {b->kind, b->parent, b->reason};

	t->begun = b->first;
	t->kind = b->kind;
	t->reason = b->reason;
	t->parent = b->parent;
	append_made(t, LOG_BEGIN, v, 3);
}

void
txns_add(struct txns *ts, const struct log_batch *b, nsec_t now)
{
	struct txn *t, *up;

	if (b->kind == LOG_KIND_RAW ||
	    (b->kind == LOG_KIND_SESSION && ts->grouping == GROUP_REQUEST))
		return;
	t = find(ts, b->id);
	if (t != NULL && t->kind != 0 && (b->first || t->ended)) {
		/* The worker began anew; its ids too. */
		emit(ts, root_of(t));
		t = NULL;
	}
	if (t == NULL)
		t = make(ts, b->id, now);
	if (t == NULL)
		return;
	if (t->kind == 0)
		begin(t, b);
	append(t, b->records);
	if (t->up == NULL && t->parent != 0 &&
	    is_below(ts->grouping, t->kind, t->reason)) {
		up = find_or_make(ts, t->parent, now);
		if (up != NULL)
			adopt(up, t);
	}
	if (b->last) {
		append_made(t, LOG_END, NULL, 0);
		t->ended = true;
		follow_links(ts, t, now);
	}
	up = root_of(t);
	if (is_complete(up))
		emit(ts, up);
	while (ts->n > ts->limit)
		emit(ts, root_of(ts->oldest));
}
