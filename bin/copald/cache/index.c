/*
 * index.c - the hash table of keys.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core.h"
#include "counters.h"
#include "fetch.h"
#include "index.h"
#include "params.h"
#include "stevedore.h"

enum {
	/*
	 * Locks: enough that cores which fill different keys hardly ever
	 * meet.  Only fills, purges and evictions take them.
	 */
	STRIPES = 1024,
	/* What an object costs at least, to size the table. */
	OBJECT_MIN = 1024,
};

struct stripe {
	_Alignas(64) pthread_mutex_t lock;
};

static struct objhead *_Atomic *bucket;
static uint64_t bucket_mask;
static struct stripe stripe[STRIPES];

int
index_init(uint64_t memory)
{
	uint64_t n = STRIPES;

	while (n < memory / OBJECT_MIN && n < (UINT64_C(1) << 32))
		n *= 2;
	/* zero pages until they are used */
	bucket = mmap(NULL, n * sizeof *bucket, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bucket == MAP_FAILED)
		return -1;
	bucket_mask = n - 1;
	for (unsigned i = 0; i < STRIPES; i++)
		pthread_mutex_init(&stripe[i].lock, NULL);
	return 0;
}

static uint64_t
hash_word(const uint8_t hash[STORE_HASH_LEN])
{
	uint64_t w;

	memcpy(&w, hash, sizeof w);
	return w;
}

static pthread_mutex_t *
stripe_of(const uint8_t hash[STORE_HASH_LEN])
{
	return &stripe[hash_word(hash) % STRIPES].lock;
}

/* All keys of a bucket have the same stripe: there are STRIPES or more. */
static struct objhead *_Atomic *
bucket_of(const uint8_t hash[STORE_HASH_LEN])
{
	return &bucket[hash_word(hash) & bucket_mask];
}

static bool
head_is(const struct objhead *h, const struct key *k)
{
	return !memcmp(h->hash, k->hash, STORE_HASH_LEN) &&
	    h->key_len == k->bytes.len &&
	    !memcmp(h->key, k->bytes.p, h->key_len);
}

struct objhead *
index_find(const struct key *k)
{
	struct objhead *h = atomic_load_explicit(bucket_of(k->hash),
	    memory_order_acquire);

	while (h != NULL && !head_is(h, k))
		h = atomic_load_explicit(&h->next, memory_order_acquire);
	return h;
}

struct object *
index_first(const struct objhead *h)
{
	return atomic_load_explicit(&h->variants, memory_order_acquire);
}

struct object *
index_next(const struct object *o)
{
	return atomic_load_explicit(&o->next, memory_order_acquire);
}

/* stripe locked; finds or makes */
static struct objhead *
head_get(const struct key *k)
{
	struct objhead *h = index_find(k);
	struct objhead *_Atomic *b = bucket_of(k->hash);

	if (h != NULL)
		return h;
	h = malloc(sizeof *h + k->bytes.len);
	if (h == NULL)
		return NULL;
	memset(h, 0, sizeof *h);
	memcpy(h->hash, k->hash, STORE_HASH_LEN);
	h->key_len = (uint32_t)k->bytes.len;
	memcpy(h->key, k->bytes.p, k->bytes.len);
	h->next = atomic_load_explicit(b, memory_order_relaxed);
	atomic_store_explicit(b, h, memory_order_release);
	COUNT_INC(n_objecthead);
	return h;
}

static void
head_free(struct qsbr_item *i)
{
	free((char *)i - offsetof(struct objhead, retire));
	COUNT_ADD(n_objecthead, -1);
}

/* stripe locked; nobody needs it any more? */
static void
head_drop_if_empty(struct objhead *h)
{
	struct objhead *_Atomic *pp = bucket_of(h->hash);
	struct objhead *x;

	if (h->variants != NULL || h->claims != NULL || h->waiter_n > 0 ||
	    h->fetches != NULL || h->unlinked)
		return;
	while ((x = *pp) != h)
		pp = &x->next;
	atomic_store_explicit(pp, h->next, memory_order_release);
	h->unlinked = true;
	qsbr_retire(&h->retire, head_free);
}

/* Could what comes of the one be for the other? */
static bool
variants_meet(uint64_t a, uint64_t b)
{
	return a == 0 || b == 0 || a == b;
}

/* stripe locked; who waits for another variant goes on waiting */
static void
head_wake(struct objhead *h, uint64_t variant)
{
	struct claim_waiter *w, **pp = &h->waiters;

	while ((w = *pp) != NULL) {
		struct fiber *f = w->fiber;

		if (!variants_meet(w->variant, variant)) {
			pp = &w->next;
			continue;
		}
		*pp = w->next;
		w->fiber = NULL;
		fiber_wake(f);
	}
}

/* stripe locked */
static bool
is_claimed(const struct objhead *h, uint64_t variant)
{
	for (const struct claim *c = h->claims; c != NULL; c = c->next)
		if (variants_meet(c->variant, variant))
			return true;
	return false;
}

/* stripe locked */
static void
claim_add(struct objhead *h, struct claim *c, uint64_t variant)
{
	*c = (struct claim){h, variant, h->claims};
	h->claims = c;
}

enum claim_result
index_claim(const struct key *k, struct claim **out)
{
	pthread_mutex_t *lock = stripe_of(k->hash);
	enum claim_result r = CLAIM_NO_MEMORY;
	struct claim *c = malloc(sizeof *c);
	struct objhead *h;

	if (c == NULL)
		return r;
	pthread_mutex_lock(lock);
	h = head_get(k);
	if (h != NULL && !is_claimed(h, k->variant)) {
		claim_add(h, c, k->variant);
		r = CLAIM_GRANTED;
	} else if (h != NULL) {
		r = CLAIM_BUSY;
	}
	pthread_mutex_unlock(lock);
	if (r == CLAIM_GRANTED)
		*out = c;
	else
		free(c);
	return r;
}

struct claim *
index_try_claim(struct objhead *h, uint64_t variant)
{
	pthread_mutex_t *lock = stripe_of(h->hash);
	struct claim *c;
	bool granted;

	if (variant == 0 && atomic_load_explicit(&h->claims,
	    memory_order_relaxed) != NULL)
		return NULL;
	c = malloc(sizeof *c);
	if (c == NULL)
		return NULL;
	pthread_mutex_lock(lock);
	granted = !is_claimed(h, variant) && !h->unlinked;
	if (granted)
		claim_add(h, c, variant);
	pthread_mutex_unlock(lock);
	if (granted)
		return c;
	free(c);
	return NULL;
}

enum fiber_wake
index_wait(const struct key *k, nsec_t deadline)
{
	pthread_mutex_t *lock = stripe_of(k->hash);
	struct claim_waiter w, **pp;
	enum fiber_wake r = FIBER_WOKEN;
	struct objhead *h;

	pthread_mutex_lock(lock);
	h = index_find(k);
	if (h == NULL || !is_claimed(h, k->variant)) {
		pthread_mutex_unlock(lock);
		return FIBER_WOKEN;
	}
	w.fiber = fiber_self();
	w.variant = k->variant;
	w.next = h->waiters;
	h->waiters = &w;
	h->waiter_n++;
	while (r == FIBER_WOKEN && w.fiber != NULL) {
		pthread_mutex_unlock(lock);
		r = fiber_park("another request's fetch", deadline);
		pthread_mutex_lock(lock);
	}
	for (pp = &h->waiters; *pp != NULL; pp = &(*pp)->next)
		if (*pp == &w) {
			*pp = w.next;
			break;
		}
	h->waiter_n--;
	head_drop_if_empty(h);
	pthread_mutex_unlock(lock);
	return r;
}

/* stripe locked */
static void
fetches_mark_purged(struct fetch *f)
{
	for (; f != NULL; f = f->next_of_key)
		atomic_store(&f->purged, true);
}

static void
object_retired(struct qsbr_item *i)
{
	struct object *o =
	    (struct object *)((char *)i - offsetof(struct object, retire));

	object_unref(&o);
}

/*
 * stripe locked; the index's reference is dropped after the grace period: at
 * once if no core runs any more, so who goes on with o has one of its own
 */
static bool
object_unlink(struct objhead *h, struct object *o)
{
	struct object *_Atomic *pp = &h->variants;
	struct object *x;

	while ((x = *pp) != NULL && x != o)
		pp = &x->next;
	if (x == NULL)
		return false;
	atomic_store_explicit(pp, o->next, memory_order_release);
	atomic_fetch_or(&o->flags, OBJ_DYING);
	qsbr_retire(&o->retire, object_retired);
	return true;
}

/*
 * Stripe locked; from first on, what o makes useless, and too many variants.
 * As long as o's body may still fail, the one before it stays for that case.
 */
static void
variants_prune(struct objhead *h, struct object *o, struct object *first,
    struct object **out, unsigned *out_n, unsigned max)
{
	struct object *x, *next, *oldest = NULL;
	bool whole = atomic_load(&o->body.state) == BODY_COMPLETE ||
	    object_is(o, OBJ_BLOCKS);
	unsigned n = 1;

	for (x = first; x != NULL && *out_n < max; x = next) {
		next = x->next;
		if (whole && str_eq(x->vary, o->vary)) {
			out[(*out_n)++] = object_ref(x);
			object_unlink(h, x);
		} else {
			n++;
			oldest = x;
		}
	}
	if (n > params->max_variants && oldest != NULL && *out_n < max) {
		out[(*out_n)++] = object_ref(oldest);
		object_unlink(h, oldest);
	}
}

/* no lock held: what was taken out goes from its stevedore, too */
static void
gone_drop(struct object **gone, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		stevedore_remove(gone[i]->stevedore, gone[i]);
		object_unref(&gone[i]);
	}
}

/* stripe locked on entry, not on return */
static void
insert_unlock(struct objhead *h, struct object *o, pthread_mutex_t *lock)
{
	struct object *gone[8];
	unsigned gone_n = 0;

	variants_prune(h, o, h->variants, gone, &gone_n, 8);
	o->of = h;
	memcpy(o->hash, h->hash, STORE_HASH_LEN);
	object_ref(o);
	o->next = h->variants;
	atomic_store_explicit(&h->variants, o, memory_order_release);
	pthread_mutex_unlock(lock);
	gone_drop(gone, gone_n);
	stevedore_insert(o->stevedore, o);
}

void
index_completed(struct object *o)
{
	pthread_mutex_t *lock;
	struct object *gone[8];
	unsigned gone_n = 0;

	if (o->of == NULL)
		return;
	lock = stripe_of(o->hash);
	pthread_mutex_lock(lock);
	if (!object_is(o, OBJ_DYING))
		variants_prune(o->of, o, o->next, gone, &gone_n, 8);
	pthread_mutex_unlock(lock);
	gone_drop(gone, gone_n);
}

void
index_insert(const struct claim *c, struct object *o)
{
	pthread_mutex_t *lock = stripe_of(c->head->hash);

	pthread_mutex_lock(lock);
	insert_unlock(c->head, o, lock);
}

bool
index_insert_fetched(const struct claim *c, struct fetch *f, struct object *o)
{
	struct objhead *h = c->head;
	pthread_mutex_t *lock = stripe_of(h->hash);

	/* purges mark fetches under the same lock */
	pthread_mutex_lock(lock);
	if (f->purged) {
		pthread_mutex_unlock(lock);
		return false;
	}
	insert_unlock(h, o, lock);
	return true;
}

int
index_insert_key(const struct key *k, struct object *o)
{
	pthread_mutex_t *lock = stripe_of(k->hash);
	struct objhead *h;

	pthread_mutex_lock(lock);
	h = head_get(k);
	if (h == NULL) {
		pthread_mutex_unlock(lock);
		return -1;
	}
	insert_unlock(h, o, lock);
	return 0;
}

bool
index_has_waiters(const struct claim *c)
{
	const struct objhead *h = c->head;
	pthread_mutex_t *lock = stripe_of(h->hash);
	bool has;

	pthread_mutex_lock(lock);
	has = h->waiter_n > 0;
	pthread_mutex_unlock(lock);
	return has;
}

void
index_release(struct claim **pp)
{
	struct claim *c = *pp, *x;
	struct objhead *h = c->head;
	pthread_mutex_t *lock = stripe_of(h->hash);

	*pp = NULL;
	pthread_mutex_lock(lock);
	if (h->claims == c) {
		h->claims = c->next;
	} else {
		for (x = h->claims; x->next != c; x = x->next)
			;
		x->next = c->next;
	}
	head_wake(h, c->variant);
	head_drop_if_empty(h);
	pthread_mutex_unlock(lock);
	free(c);
}

bool
index_key(const struct object *o, char **mem, size_t *cap, struct str *key)
{
	pthread_mutex_t *lock;
	bool got = false;

	if (o->of == NULL || object_is(o, OBJ_DYING))
		return false;
	lock = stripe_of(o->hash);
	pthread_mutex_lock(lock);
	if (!object_is(o, OBJ_DYING)) {
		size_t len = o->of->key_len;

		if (len > *cap) {
			char *more = realloc(*mem, len);

			if (more != NULL) {
				*mem = more;
				*cap = len;
			}
		}
		got = len <= *cap && len > 0;
		if (got) {
			memcpy(*mem, o->of->key, len);
			*key = str_of(*mem, len);
		}
	}
	pthread_mutex_unlock(lock);
	return got;
}

bool
index_remove(struct object *o)
{
	pthread_mutex_t *lock;
	bool removed;

	if (o->of == NULL || object_is(o, OBJ_DYING))
		return false;
	/* o->of is valid under the lock, as long as o is not dying */
	lock = stripe_of(o->hash);
	pthread_mutex_lock(lock);
	removed = !object_is(o, OBJ_DYING) && object_unlink(o->of, o);
	if (removed)
		head_drop_if_empty(o->of);
	pthread_mutex_unlock(lock);
	if (removed)
		stevedore_remove(o->stevedore, o);
	return removed;
}

/*
 * Takes out of the entries with this hash (usually one) what match says;
 * how many.
 */
static unsigned
remove_matching(const uint8_t hash[STORE_HASH_LEN],
    bool (*match)(void *, const struct object *), void *priv, bool purge)
{
	pthread_mutex_t *lock = stripe_of(hash);
	struct object *gone[64];
	unsigned n, total = 0;

	do {
		struct objhead *h, *next;

		n = 0;
		pthread_mutex_lock(lock);
		for (h = *bucket_of(hash); h != NULL; h = next) {
			struct object *o, *after;

			next = h->next;
			if (memcmp(h->hash, hash, STORE_HASH_LEN) != 0)
				continue;
			for (o = h->variants; o != NULL && n < 64; o = after) {
				after = o->next;
				if (match(priv, o)) {
					gone[n++] = object_ref(o);
					object_unlink(h, o);
				}
			}
			if (purge)
				fetches_mark_purged(h->fetches);
			head_drop_if_empty(h);
		}
		pthread_mutex_unlock(lock);
		for (unsigned i = 0; i < n; i++) {
			stevedore_remove(gone[i]->stevedore, gone[i]);
			object_unref(&gone[i]);
		}
		total += n;
	} while (n == 64);
	return total;
}

static bool
match_any(void *priv, const struct object *o)
{
	(void)priv;
	(void)o;
	return true;
}

unsigned
index_purge(const uint8_t hash[STORE_HASH_LEN])
{
	return remove_matching(hash, match_any, NULL, true);
}

/* The object's times are read without a lock: each is right by itself. */
static void
object_soften(struct object *o, const struct inval_limits *l, double at)
{
	double ttl = inval_limited_ttl(l, at, o->t_origin, o->ttl);

	if (ttl < o->ttl)
		o->ttl = ttl;
	if (l->grace >= 0 && l->grace < o->grace)
		o->grace = l->grace;
	if (l->keep >= 0 && l->keep < o->keep)
		o->keep = l->keep;
}

unsigned
index_soften(const uint8_t hash[STORE_HASH_LEN], const struct inval_limits *l,
    double at)
{
	pthread_mutex_t *lock = stripe_of(hash);
	unsigned n = 0;

	pthread_mutex_lock(lock);
	for (struct objhead *h = *bucket_of(hash); h != NULL; h = h->next) {
		if (memcmp(h->hash, hash, STORE_HASH_LEN) != 0)
			continue;
		for (struct object *o = h->variants; o != NULL; o = o->next) {
			object_soften(o, l, at);
			n++;
		}
		fetches_mark_purged(h->fetches);
	}
	pthread_mutex_unlock(lock);
	return n;
}

struct gone {
	struct stevedore *stv;
	uint64_t seq;
};

static bool
match_gone(void *priv, const struct object *o)
{
	const struct gone *g = priv;

	return o->stevedore == g->stv && o->store_seq == g->seq;
}

void
index_gone(const uint8_t hash[STORE_HASH_LEN], struct stevedore *stv,
    uint64_t store_seq)
{
	struct gone g = {stv, store_seq};

	remove_matching(hash, match_gone, &g, false);
}

bool
index_holds(const uint8_t hash[STORE_HASH_LEN], struct stevedore *stv,
    uint64_t store_seq)
{
	pthread_mutex_t *lock = stripe_of(hash);
	struct gone g = {stv, store_seq};
	bool held = false;

	pthread_mutex_lock(lock);
	for (struct objhead *h = *bucket_of(hash); h != NULL && !held;
	    h = h->next)
		if (memcmp(h->hash, hash, STORE_HASH_LEN) == 0)
			for (struct object *o = h->variants; o != NULL && !held;
			    o = o->next)
				held = match_gone(&g, o);
	pthread_mutex_unlock(lock);
	return held;
}

void
index_fetch_begins(const struct claim *c, struct fetch *f)
{
	struct objhead *h = c->head;
	pthread_mutex_t *lock = stripe_of(h->hash);

	pthread_mutex_lock(lock);
	f->next_of_key = h->fetches;
	h->fetches = f;
	f->key_head = h;
	pthread_mutex_unlock(lock);
}

void
index_fetch_ends(struct fetch *f)
{
	struct objhead *h = f->key_head;
	pthread_mutex_t *lock;
	struct fetch **pp;

	if (h == NULL)
		return;
	f->key_head = NULL;
	lock = stripe_of(h->hash); /* it stays while we are in its list */
	pthread_mutex_lock(lock);
	for (pp = &h->fetches; *pp != f; pp = &(*pp)->next_of_key)
		;
	*pp = f->next_of_key;
	head_drop_if_empty(h);
	pthread_mutex_unlock(lock);
}
