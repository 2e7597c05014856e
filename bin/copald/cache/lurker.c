/*
 * lurker.c - passes over all objects, so that bans can be forgotten.
 *
 *      wait for a ban of ban_lurker_age --> memory --> disk --> close
 *        ^                                                        |
 *        '--- forget what all were tested against <-- the rest ---'
 *
 * Records on disk are not rewritten: what a pass leaves there was tested,
 * which is one number for all, the floor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "ban_expr.h"
#include "counters.h"
#include "index.h"
#include "inval_log.h"
#include "lookup.h"
#include "lurker.h"
#include "params.h"
#include "signals.h"
#include "stevedore.h"

enum {
	/* Objects in memory that are held for being tested. */
	HELD = 16384,
	IDLE_MS = 1000,
};

struct pass {
	uint64_t upto;     /* tested against what is not newer */
	unsigned in_batch;
	struct ban_key key;
	char *key_mem;
	size_t key_cap;
};

static pthread_t thread;
static bool started;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stop_cond = PTHREAD_COND_INITIALIZER;
static bool stopping; /* under lock */
static _Atomic uint64_t floor_seq;
/* Every request of this worker was looked up by its own URL and host. */
static _Atomic bool keys_are_plain = true;

uint64_t
lurker_floor(void)
{
	return atomic_load_explicit(&floor_seq, memory_order_acquire);
}

/* What vcl_builtin_hash makes: URL, NUL, host, NUL; others may follow. */
static bool
key_split(struct str bytes, struct ban_key *k)
{
	const char *nul = memchr(bytes.p, '\0', bytes.len);
	const char *end;

	if (nul == NULL)
		return false;
	k->url = str_of(bytes.p, (size_t)(nul - bytes.p));
	nul++;
	end = memchr(nul, '\0', bytes.len - (size_t)(nul - bytes.p));
	if (end == NULL)
		return false;
	k->host = str_of(nul, (size_t)(end - nul));
	return true;
}

bool
lurker_key_is_plain(const struct request *req)
{
	struct str host = http_get(&req->http, FIELD_HOST);
	struct ban_key k;

	return key_split(req->key.bytes, &k) &&
	    str_eq(k.url, req->http.target) &&
	    (host.len == 0 || str_eq(k.host, host));
}

void
lurker_see_key(const struct request *req)
{
	if (atomic_load_explicit(&keys_are_plain, memory_order_relaxed) &&
	    !lurker_key_is_plain(req))
		atomic_store_explicit(&keys_are_plain, false,
		    memory_order_relaxed);
}

/* false: the end of the worker */
static bool
wait_ms(double ms)
{
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(ms * 1e6) % 1000000000;
	until.tv_sec += (time_t)(ms / 1e3) + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	while (!stopping && pthread_cond_timedwait(&stop_cond, &lock,
	    &until) != ETIMEDOUT)
		;
	go_on = !stopping;
	pthread_mutex_unlock(&lock);
	return go_on;
}

/* Between two objects; false: the end of the worker, or it was turned off */
static bool
pace(struct pass *p)
{
	if (++p->in_batch < params->ban_lurker_batch)
		return true;
	p->in_batch = 0;
	return params->ban_lurker_sleep > 0 &&
	    wait_ms(params->ban_lurker_sleep * 1e3);
}

/* --- memory -------------------------------------------------------------- */

static void
test_in_memory(struct pass *p, struct object *o)
{
	uint64_t tested = o->inval_seq;
	struct ban_key *key = NULL;
	struct str bytes;

	if (atomic_load(&keys_are_plain) && object_is(o, OBJ_PLAIN_KEY) &&
	    index_key(o, &p->key_mem, &p->key_cap, &bytes) &&
	    key_split(bytes, &p->key))
		key = &p->key;
	COUNT_INC(bans_lurker_tested);
	if (ban_lurks(o, tested, key, &p->upto)) {
		COUNT_INC(bans_lurker_obj_killed);
		stevedore_drop(o->stevedore, o);
		return;
	}
	/* unless a lookup tested it further */
	if (tested < p->upto)
		atomic_compare_exchange_strong(&o->inval_seq, &tested,
		    p->upto);
}

/* false: it must stop */
static bool
pass_memory(struct pass *p)
{
	struct object **held = malloc(HELD * sizeof *held);
	unsigned n = HELD;
	bool go_on = held != NULL;

	while (go_on && n == HELD) {
		inval_log_lock(); /* one walk at a time */
		n = stevedores_tested_before(p->upto, held, HELD);
		inval_log_unlock();
		for (unsigned i = 0; i < n; i++) {
			go_on = go_on && pace(p);
			if (go_on)
				test_in_memory(p, held[i]);
			object_unref(&held[i]);
		}
	}
	free(held);
	return go_on;
}

/* --- disk ---------------------------------------------------------------- */

static void
test_on_disk(struct pass *p, struct stevedore *stv, struct store_object *so)
{
	struct store_meta *m = &so->meta;
	struct ban_key *key = NULL;
	struct object *o;

	if (m->inval_seq >= p->upto || lurker_floor() >= p->upto)
		return;
	o = object_from_bytes(m->head, m->vary);
	if (o == NULL)
		return; /* a lookup will say what is wrong with it */
	o->t_origin = m->t_origin;
	o->ttl = m->ttl;
	o->grace = m->grace;
	o->keep = m->keep;
	if (atomic_load(&keys_are_plain) && (m->flags & META_PLAIN_KEY) &&
	    key_split(m->key, &p->key))
		key = &p->key;
	COUNT_INC(bans_lurker_tested);
	if (ban_lurks(o, m->inval_seq > lurker_floor() ? m->inval_seq :
	    lurker_floor(), key, &p->upto)) {
		COUNT_INC(bans_lurker_obj_killed);
		store_drop(stv->store, so->seq);
		index_gone(m->hash, stv, so->seq);
	} else if (o->ttl != m->ttl) {
		/* by a soft purge of a tag */
		m->ttl = o->ttl;
		store_refresh(stv->store, so->seq, m);
	}
	object_unref(&o);
}

/* From *seq on to the last; false: it must stop, or the disk can't be read */
static bool
pass_disk(struct pass *p, struct stevedore *stv, uint64_t *seq)
{
	struct store_object *so;
	int r;

	while ((r = store_next(stv->store, seq, &so)) == 1) {
		if (so != NULL)
			test_on_disk(p, stv, so);
		store_object_free(&so);
		if (!pace(p))
			return false;
	}
	return r == 0;
}

static bool
pass_disks(struct pass *p, uint64_t *seq)
{
	for (unsigned i = 0; i < stevedore_count(); i++) {
		struct stevedore *stv = stevedore_at(i);

		if (stv->store != NULL &&
		    store_oldest_inval_seq(stv->store) < p->upto &&
		    !pass_disk(p, stv, &seq[i]))
			return false;
	}
	return true;
}

static void
sync_disks(void)
{
	for (unsigned i = 0; i < stevedore_count(); i++)
		if (stevedore_at(i)->store != NULL)
			store_sync(stevedore_at(i)->store);
}

/*
 * Once nothing older is taken by the stores any more, and what was taken is
 * committed, the rest of each is walked; then what was found invalid is
 * committed, so that who reads on from the floor can't meet it.
 */
static bool
pass(struct pass *p)
{
	uint64_t *seq = calloc(stevedore_count(), sizeof *seq);
	bool done = false;

	if (seq == NULL)
		return false;
	if (pass_memory(p) && pass_disks(p, seq)) {
		ban_close(p->upto);
		sync_disks();
		done = pass_disks(p, seq) && pass_memory(p);
	}
	free(seq);
	if (!done)
		return false;
	sync_disks();
	inval_log_lock();
	if (p->upto > floor_seq)
		atomic_store_explicit(&floor_seq, p->upto,
		    memory_order_release);
	ban_trim();
	inval_log_unlock();
	return true;
}

static void *
lurk(void *arg)
{
	uint64_t done = 0;

	(void)arg;
	while (wait_ms(IDLE_MS)) {
		struct pass p = {0};
		uint64_t wanted;

		ban_cut();
		if (params->ban_lurker_sleep <= 0 ||
		    inval_log_position() <= done)
			continue;
		wanted = ban_newest_before(clock_wall() -
		    params->ban_lurker_age);
		if (wanted <= done)
			continue;
		p.upto = wanted;
		if (pass(&p))
			done = wanted;
		free(p.key_mem);
	}
	return NULL;
}

int
lurker_start(void)
{
	sigset_t before;

	signals_block(&before);
	started = pthread_create(&thread, NULL, lurk, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started ? 0 : -1;
}

void
lurker_stop(void)
{
	if (!started)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&stop_cond);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	started = false;
}
