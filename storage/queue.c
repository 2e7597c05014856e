/*
 * queue.c - what callers hand to the writer thread, and in what order.
 *
 * Bounded in bytes: who brings a body is turned away when it is full.  What
 * ends a put, and an invalidation, is always taken, as it is small and must
 * not be lost.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store_impl.h"

void
op_list_init(struct op_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

void
op_list_push(struct op_list *l, struct op *op)
{
	op->next = NULL;
	*l->tail = op;
	l->tail = &op->next;
}

void
queue_init(struct queue *q)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&q->mtx, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->cond, &attr);
	pthread_condattr_destroy(&attr);
	op_list_init(&q->list);
	atomic_init(&q->bytes, 0);
}

void
queue_fini(struct queue *q)
{
	pthread_cond_destroy(&q->cond);
	pthread_mutex_destroy(&q->mtx);
}

enum {
	/*
	 * While objects come in a row the writer naps instead of being woken
	 * for each: at 30,000 puts a second that was a third of their cost.
	 * A commit is due after a second; a millisecond more is nothing.
	 */
	NAP_MS = 1,
	NAP_BYTES = 1 << 20, /* queued: enough to be woken for */
};

static bool
op_can_wait(const struct op *op)
{
	return op->kind != OP_INVAL && op->kind != OP_SYNC &&
	       op->kind != OP_EMPTY;
}

void
queue_push(struct store *st, struct op *op)
{
	struct queue *q = &st->q;

	atomic_fetch_add(&q->bytes, op->cost);
	pthread_mutex_lock(&q->mtx);
	/*
	 * An object on its way counts as one that is there: the bans that it
	 * was not tested against must stay.
	 */
	if (op->kind == OP_COMMIT &&
	    op->commit.meta.inval_seq < atomic_load(&st->oldest_inval))
		atomic_store(&st->oldest_inval, op->commit.meta.inval_seq);
	op_list_push(&q->list, op);
	q->list_bytes += op->cost;
	if (q->asleep || (q->napping && (!op_can_wait(op) ||
	    q->list_bytes > NAP_BYTES)))
		pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->mtx);
}

/* q locked; until something is queued and signalled, or ms have passed */
static void
queue_wait(struct queue *q, int ms, bool *flag)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	*flag = true;
	while (q->list.head == NULL && !q->stop && r == 0)
		r = pthread_cond_timedwait(&q->cond, &q->mtx, &until);
	*flag = false;
}

struct op *
queue_take(struct store *st, int ms, bool *stop)
{
	struct queue *q = &st->q;
	struct op *op;

	pthread_mutex_lock(&q->mtx);
	if (q->list.head == NULL && !q->stop && ms > 0)
		queue_wait(q, NAP_MS, &q->napping);
	if (q->list.head == NULL && !q->stop && ms > NAP_MS)
		queue_wait(q, ms - NAP_MS, &q->asleep);
	op = q->list.head;
	op_list_init(&q->list);
	q->list_bytes = 0;
	*stop = q->stop;
	pthread_mutex_unlock(&q->mtx);
	return op;
}

static void
put_free(struct store_put *put)
{
	for (uint32_t i = 0; i < put->n; i++)
		segment_unref(&put->piece[i].segment);
	free(put->piece);
	free(put);
}

void
op_free(struct store *st, struct op *op)
{
	struct store_put *put = op->put;
	bool ends = op->kind == OP_COMMIT || op->kind == OP_FAIL ||
		    op->kind == OP_ABORT;

	atomic_fetch_sub(&st->q.bytes, op->cost);
	if (op->kind == OP_COMMIT)
		free(op->commit.owned);
	if (put == NULL || op != &put->end)
		free(op);
	if (put != NULL && ends)
		put_free(put);
}

static struct op *
op_new(enum op_kind kind, size_t mem)
{
	struct op *op = calloc(1, sizeof *op + mem);

	if (op != NULL) {
		op->kind = kind;
		op->cost = sizeof *op + mem;
	}
	return op;
}

static struct op *
op_with_meta(
    enum op_kind kind, const struct store_meta *m, struct str inline_body)
{
	struct op *op = op_new(
	    kind, m->key.len + m->vary.len + m->head.len + inline_body.len);
	char *mem;

	if (op == NULL)
		return NULL;
	mem = op->mem;
	op->commit.meta = *m;
	op->commit.meta.key = str_copy(&mem, m->key);
	op->commit.meta.vary = str_copy(&mem, m->vary);
	op->commit.meta.head = str_copy(&mem, m->head);
	op->commit.inline_body = str_copy(&mem, inline_body);
	return op;
}

struct store_put *
store_put_begin(struct store *st, uint64_t expected_len)
{
	struct store_put *put = NULL;

	if (!store_read_only(st) &&
	    (expected_len == UINT64_MAX || expected_len <= st->object_max) &&
	    atomic_load(&st->q.bytes) < st->queue_max)
		put = calloc(1, sizeof *put);
	if (put == NULL) {
		atomic_fetch_add(&st->dropped, 1);
		return NULL;
	}
	put->st = st;
	put->id = (uint32_t)atomic_fetch_add(&st->put_id, 1);
	put->end.put = put;
	return put;
}

bool
store_put_piece(struct store_put *put, const void *data, uint32_t len,
    void (*done)(void *priv, const struct extent *), void *priv)
{
	struct store *st = put->st;
	size_t queued = atomic_load(&st->q.bytes);
	struct op *op;

	assert(len > 0 && len <= STORE_PIECE_MAX);
	if (atomic_load(&put->failed) || len > st->object_max ||
	    put->accepted > st->object_max - len ||
	    (queued > 0 && queued + len > st->queue_max))
		return false;
	op = op_new(OP_PIECE, 0);
	if (op == NULL)
		return false;
	op->cost += len;
	op->put = put;
	op->priv = priv;
	op->piece.data = data;
	op->piece.len = len;
	op->piece.done = done;
	put->accepted += len;
	queue_push(st, op);
	return true;
}

void
store_put_commit(struct store_put **putp, const struct store_meta *meta,
    struct str inline_body, void (*seq_cb)(void *priv, uint64_t seq),
    void *priv)
{
	struct store_put *put = *putp;
	struct op *op;

	*putp = NULL;
	assert(inline_body.len <= STORE_INLINE_MAX);
	assert(inline_body.len == 0 || put->accepted == 0);
	/* A body of no bytes is an inline one. */
	if (put->accepted == 0 && inline_body.p == NULL)
		inline_body = STR("");
	else if (put->accepted > 0)
		inline_body = STR_NULL;
	op = op_with_meta(OP_COMMIT, meta, inline_body);
	if (op == NULL) {
		op = &put->end;
		op->kind = OP_FAIL;
	}
	op->put = put;
	op->priv = priv;
	op->commit.seq_cb = seq_cb;
	op->commit.meta.body_len = put->accepted + inline_body.len;
	queue_push(put->st, op);
}

enum {
	/*
	 * Text that waits to be packed: an invalidation that comes behind it
	 * is acknowledged some 40 ms later.  What comes on top of that is
	 * stored as it is.
	 */
	TEXT_BACKLOG = 8 << 20,
};

bool
store_put_text(struct store_put **putp, const struct store_meta *meta,
    const void *data, uint32_t len, void (*seq_cb)(void *priv, uint64_t seq),
    void *priv)
{
	struct store_put *put = *putp;
	struct store *st = put->st;
	size_t queued = atomic_load(&st->q.bytes);
	struct op *op;

	assert(len > 0 && len <= STORE_PIECE_MAX && put->accepted == 0);
	if (queued > 0 && queued + len > st->queue_max)
		return false;
	*putp = NULL;
	op = op_with_meta(OP_COMMIT, meta, STR_NULL);
	if (op == NULL) {
		op = &put->end;
		op->kind = OP_FAIL;
	} else {
		op->commit.text = data;
		op->commit.text_len = len;
		op->commit.as_it_is = len < STORE_PACK_MIN ||
		    atomic_load(&st->text_bytes) > TEXT_BACKLOG;
		if (!op->commit.as_it_is)
			atomic_fetch_add(&st->text_bytes, len);
		op->cost += len;
	}
	op->put = put;
	op->priv = priv;
	op->commit.seq_cb = seq_cb;
	op->commit.meta.body_len = len;
	queue_push(st, op);
	return true;
}

void
store_put_abort(struct store_put **putp)
{
	struct store_put *put = *putp;

	*putp = NULL;
	if (put == NULL)
		return;
	/* Pieces that wait are not worth writing any more. */
	atomic_store(&put->failed, true);
	put->end.kind = OP_ABORT;
	queue_push(put->st, &put->end);
}

void
store_refresh(struct store *st, uint64_t seq, const struct store_meta *meta)
{
	struct op *op = op_with_meta(OP_REFRESH, meta, STR_NULL);

	/* Without memory the old times stay, and it is fetched again. */
	if (op == NULL)
		return;
	op->seq = seq;
	queue_push(st, op);
}

void
queue_drop(struct store *st, uint64_t seq, const uint8_t *hash, uint64_t vhash)
{
	struct op *op = op_new(OP_DROP, 0);

	if (op == NULL)
		return;
	op->seq = seq;
	if (hash != NULL) {
		memcpy(op->drop.hash, hash, STORE_HASH_LEN);
		op->drop.vhash = vhash;
		op->drop.indexed = true;
	}
	queue_push(st, op);
}

void
store_drop(struct store *st, uint64_t seq)
{
	queue_drop(st, seq, NULL, 0);
}

void
store_inval_append(struct store *st, const struct inval *inval,
    void (*done)(void *priv, const char *error, unsigned objects), void *priv)
{
	struct op *op = op_new(OP_INVAL, inval->text.len);
	char *mem;

	if (op == NULL) {
		done(priv, "out of memory", 0);
		return;
	}
	mem = op->mem;
	op->priv = priv;
	op->inval.inval = *inval;
	op->inval.inval.text = str_copy(&mem, inval->text);
	op->inval.done = done;
	queue_push(st, op);
}

void
store_inval_trim(struct store *st, uint64_t before)
{
	struct op *op = op_new(OP_TRIM, 0);

	if (op == NULL)
		return;
	op->seq = before;
	queue_push(st, op);
}

void
queue_dict(struct store *st, uint32_t id, const uint8_t *p, size_t len)
{
	struct op *op;

	/* The writer waits for word; memory comes when others are done. */
	while ((op = op_new(OP_DICT, 0)) == NULL)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	op->dict.id = id;
	op->dict.p = p;
	op->dict.len = len;
	queue_push(st, op);
}

void
store_sync(struct store *st)
{
	struct op *op;
	sem_t sem;

	/* Waiting is the point: memory for it comes when others are done. */
	while ((op = op_new(OP_SYNC, 0)) == NULL)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	sem_init(&sem, 0, 0);
	op->sync = &sem;
	queue_push(st, op);
	while (sem_wait(&sem) != 0 && errno == EINTR)
		continue;
	sem_destroy(&sem);
}

int
store_empty(struct store *st, uint64_t *objects, char err[STORE_ERR_LEN])
{
	struct op *op = op_new(OP_EMPTY, 0);
	int error = 0;
	sem_t sem;

	*objects = 0;
	if (op == NULL) {
		snprintf(err, STORE_ERR_LEN, "out of memory");
		return -1;
	}
	sem_init(&sem, 0, 0);
	op->empty.done = &sem;
	op->empty.error = &error;
	op->empty.objects = objects;
	queue_push(st, op);
	while (sem_wait(&sem) != 0 && errno == EINTR)
		continue;
	sem_destroy(&sem);
	if (error != 0)
		snprintf(err, STORE_ERR_LEN, "%s", mdb_strerror(error));
	return error == 0 ? 0 : -1;
}
