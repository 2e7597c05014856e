/*
 * verify.c - every record and every extent read again, in the background.
 *
 * Goes by seq, an object at a time: its record is checked and copied in a
 * read transaction that ends at once, its extents are read after that, from
 * segments that are held meanwhile.  What came after the start is looked at
 * as well if it is reached.  A bad object is dropped as one that a request
 * found; one that was evicted or replaced meanwhile is not bad.
 */
#include <errno.h>

#include "signals.h"
#include "store_impl.h"

static double
wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct step {
	struct store *st;
	uint64_t seq;
	struct store_object *object;
	int rc;
};

static void
next_run(void *arg)
{
	struct step *s = arg;
	struct store *st = s->st;
	struct record r;
	struct blob b;
	int got;
	MDB_txn *txn = catalogue_read(&st->cat, &s->rc);

	if (txn == NULL)
		return;
	s->rc = catalogue_next(&st->cat, txn, s->seq, &s->seq);
	if (s->rc == 0) {
		got = catalogue_load(&st->cat, txn, s->seq, &b);
		if (got == ENOMEM)
			s->rc = got;
		if (got == 0 && record_decode(b.p, b.len, s->seq, &r))
			s->rc = lookup_copy(st, &r, s->seq, &s->object);
		/* A segment that is not there: told later, by still_there */
		if (s->rc == ENOENT)
			s->rc = 0;
		blob_free(&b);
	}
	catalogue_read_end(&st->cat, txn);
}

/*
 * The object behind *seq.  0: *o, NULL if it is bad; MDB_NOTFOUND: there are
 * no more; else the catalogue can't be read.
 */
static int
next_object(struct store *st, uint64_t *seq, struct store_object **o)
{
	struct step s = {.st = st, .seq = *seq};

	*o = NULL;
	if (!store_guarded(st, next_run, &s))
		return EIO;
	*seq = s.seq;
	*o = s.object;
	return s.rc;
}

int
store_next(struct store *st, uint64_t *seq, struct store_object **out)
{
	int rc = next_object(st, seq, out);

	return rc == 0 ? 1 : rc == MDB_NOTFOUND ? 0 : -1;
}

static void
still_run(void *arg)
{
	struct step *s = arg;
	MDB_txn *txn = catalogue_read(&s->st->cat, &s->rc);

	if (txn == NULL)
		return;
	s->rc = catalogue_next(&s->st->cat, txn, s->seq, &s->seq);
	catalogue_read_end(&s->st->cat, txn);
}

/* In the catalogue as it is now */
static bool
still_there(struct store *st, uint64_t seq)
{
	struct step s = {.st = st, .seq = seq - 1};

	return store_guarded(st, still_run, &s) && s.rc == 0 && s.seq == seq;
}

/* As extent_verify, of all */
static int
extents_verify(struct store *st, const struct store_object *o)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < o->extent_n; i++)
		rc = extent_verify(st, &o->extent[i]);
	return rc;
}

static void
count(struct store *st, const struct store_object *o, bool bad)
{
	pthread_mutex_lock(&st->verify_mtx);
	st->verify.objects++;
	if (o != NULL)
		st->verify.bytes += o->meta.body_len;
	if (bad)
		st->verify.bad++;
	pthread_mutex_unlock(&st->verify_mtx);
}

static void
ended(struct store *st, int rc)
{
	struct store_verify v;

	pthread_mutex_lock(&st->verify_mtx);
	st->verify.ended = wall();
	st->verify.state = rc == 0 ? VERIFY_ENDED : VERIFY_FAILED;
	v = st->verify;
	pthread_mutex_unlock(&st->verify_mtx);
	if (rc == 0)
		store_message(st,
		    "store %s: verified %llu objects, %llu of them bad",
		    st->name, (unsigned long long)v.objects,
		    (unsigned long long)v.bad);
	else
		store_message(st, "store %s: verify stopped after %llu "
		    "objects: %s", st->name, (unsigned long long)v.objects,
		    rc == ECANCELED ? "the store is closed"
				    : mdb_strerror(rc));
}

static void *
verify(void *arg)
{
	struct store *st = arg;
	uint64_t seq = 0;
	int rc = 0;

	while (!atomic_load(&st->stop)) {
		struct store_object *o;
		bool bad;
		int got;

		rc = next_object(st, &seq, &o);
		if (rc != 0)
			break;
		got = o != NULL ? extents_verify(st, o) : -1;
		if (got == STORE_NO_MEMORY) {
			store_object_free(&o);
			rc = ENOMEM;
			break;
		}
		bad = got != 0 && still_there(st, seq);
		if (bad)
			store_drop(st, seq);
		count(st, o, bad);
		store_object_free(&o);
	}
	if (rc == 0)
		rc = ECANCELED;
	ended(st, rc == MDB_NOTFOUND ? 0 : rc);
	return NULL;
}

bool
store_verify_start(struct store *st)
{
	sigset_t old;
	bool started = false;

	pthread_mutex_lock(&st->verify_mtx);
	if (st->verify.state != VERIFY_RUNS) {
		/* The last one has ended: nothing is waited for. */
		if (st->verifier_runs)
			pthread_join(st->verifier, NULL);
		st->verify = (struct store_verify){
		    .state = VERIFY_RUNS,
		    .started = wall(),
		    .of = atomic_load(&st->objects),
		};
		signals_block(&old);
		started = pthread_create(&st->verifier, NULL, verify, st) == 0;
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		st->verifier_runs = started;
		if (!started)
			st->verify = (struct store_verify){0};
	}
	pthread_mutex_unlock(&st->verify_mtx);
	return started;
}

void
store_verify_status(struct store *st, struct store_verify *v)
{
	pthread_mutex_lock(&st->verify_mtx);
	*v = st->verify;
	pthread_mutex_unlock(&st->verify_mtx);
}

void
verify_end(struct store *st)
{
	if (st->verifier_runs)
		pthread_join(st->verifier, NULL);
	st->verifier_runs = false;
}
