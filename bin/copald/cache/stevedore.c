/*
 * stevedore.c - the stores of -s, and the objects in the memory of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ban_expr.h"
#include "core.h"
#include "counters.h"
#include "index.h"
#include "memory.h"
#include "params.h"
#include "stevedore.h"
#include "tags.h"
#include "store.h"

static struct stevedore *stevedores;
static unsigned stevedore_n;

enum {
	/* malloc's own and the index entry's share, beside what is counted */
	OBJECT_OVERHEAD = 192,
	/* Looked at by a walk while it holds the lock. */
	WALK_STEP = 256,
};

static struct object *
object_of(const struct eviction_entry *x)
{
	return (struct object *)((char *)x - offsetof(struct object, eviction));
}

static uint64_t
entry_hash(const struct eviction_entry *x)
{
	uint64_t hash;

	memcpy(&hash, object_of(x)->hash, sizeof hash);
	return hash;
}

static uint64_t
entry_hits(const struct eviction_entry *x)
{
	return atomic_load_explicit(&object_of(x)->hits,
	    memory_order_relaxed);
}

static const struct eviction_ops eviction_ops = {entry_hash, entry_hits};

static void
on_gone(void *priv, const uint8_t hash[STORE_HASH_LEN], uint64_t seq)
{
	index_gone(hash, priv, seq);
}

static void
on_message(void *priv, const char *text)
{
	(void)priv; /* the text names the store */
	fprintf(stderr, "%s\n", text);
	log_raw(core_count() > 0 ? core_at(0)->ring : NULL, LOG_STORE,
	    "%s", text);
}

bool
stevedore_init(struct stevedore *stv, const char *name, enum store_kind kind,
    uint64_t limit)
{
	snprintf(stv->name, sizeof stv->name, "%s", name);
	snprintf(stv->vcl_name, sizeof stv->vcl_name, "storage.%s", name);
	stv->kind = kind;
	stv->limit = limit;
	pthread_mutex_init(&stv->lock, NULL);
	return eviction_init(&stv->eviction, &eviction_ops, limit);
}

int
stevedores_open(const struct worker_config *cfg, char *err, size_t err_len)
{
	uint64_t memory = 0;

	stevedores = calloc(cfg->store_n + 1, sizeof *stevedores);
	if (stevedores == NULL) {
		snprintf(err, err_len, "No memory");
		return -1;
	}
	for (unsigned i = 0; i < cfg->store_n; i++) {
		const struct store_spec *spec = &cfg->store[i];

		memory += spec->kind == STORE_KIND_RAM ? spec->size :
		    params->ram_limit;
	}
	if (index_init(memory) != 0) {
		snprintf(err, err_len, "No memory for the index");
		return -1;
	}
	for (unsigned i = 0; i < cfg->store_n; i++) {
		const struct store_spec *spec = &cfg->store[i];
		struct stevedore *stv = &stevedores[i];
		struct store_config sc = {
		    .name = stv->name,
		    .dir = spec->dir,
		    .size = spec->size,
		    .on_gone = on_gone,
		    .on_message = on_message,
		    .priv = stv,
		};
		char why[STORE_ERR_LEN];

		if (!stevedore_init(stv, spec->name, spec->kind,
		    spec->kind == STORE_KIND_RAM ? spec->size :
		    params->ram_limit)) {
			snprintf(err, err_len, "No memory");
			return -1;
		}
		stevedore_n++;
		if (spec->kind == STORE_KIND_RAM)
			continue;
		stv->store = store_open(&sc, why);
		if (stv->store == NULL) {
			snprintf(err, err_len, "Store %s: %s", stv->name, why);
			return -1;
		}
	}
	if (stevedore_transient() == NULL) {
		if (!stevedore_init(&stevedores[stevedore_n], "Transient",
		    STORE_KIND_RAM, params->ram_limit)) {
			snprintf(err, err_len, "No memory");
			return -1;
		}
		stevedore_n++;
	}
	return 0;
}

void
stevedores_close(void)
{
	for (unsigned i = 0; i < stevedore_n; i++) {
		if (stevedores[i].store != NULL)
			store_close(&stevedores[i].store);
		eviction_destroy(&stevedores[i].eviction);
	}
}

unsigned
stevedore_count(void)
{
	return stevedore_n;
}

struct stevedore *
stevedore_at(unsigned i)
{
	return &stevedores[i];
}

struct stevedore *
stevedore_by_name(struct str name)
{
	for (unsigned i = 0; i < stevedore_n; i++)
		if (str_eq(name, str_from_z(stevedores[i].name)))
			return &stevedores[i];
	return NULL;
}

struct stevedore *
stevedore_transient(void)
{
	return stevedore_by_name(STR("Transient"));
}

uint64_t
stevedore_max_object(const struct stevedore *stv)
{
	uint64_t size = stv->limit, max = (uint64_t)params->storage_object_max;
	struct store_stats st;

	if (stv->store != NULL) {
		store_stats(stv->store, &st);
		size = st.size;
	}
	if (max == 0)
		return size / 4;
	/* one that drives out all others is of no use */
	return max < size / 2 ? max : size / 2;
}

static uint64_t
limit_of(const struct stevedore *stv)
{
	/* -p ram_limit works at once */
	return stv->store != NULL ? params->ram_limit : stv->limit;
}

/* Out of memory with the next to go; removed: from the index.  false: none */
static bool
remove_next(struct stevedore *stv, bool *removed)
{
	/* what it has, if another limit is the reason: its queues' shares */
	uint64_t limit = limit_of(stv), used = stv->used;
	struct eviction_entry *x;
	struct object *o;

	pthread_mutex_lock(&stv->lock);
	x = eviction_victim(&stv->eviction, used < limit ? used : limit);
	o = x != NULL ? object_ref(object_of(x)) : NULL;
	pthread_mutex_unlock(&stv->lock);
	if (o == NULL)
		return false;
	*removed = index_remove(o);
	if (!*removed)
		stevedore_remove(stv, o);
	object_unref(&o);
	return true;
}

static void
evict(struct stevedore *stv)
{
	bool removed;

	while (stv->used > limit_of(stv) && remove_next(stv, &removed))
		if (removed)
			COUNT_INC(n_lru_nuked);
}

/*
 * Not until there is room: what goes is freed a little later, when nobody
 * reads it, and all others would go for it.
 */
void
stevedores_make_room(uint64_t bytes)
{
	uint64_t freed = 0;
	bool removed;

	while (freed < 2 * bytes && stevedore_n > 0 &&
	    !memory_has_room(MEMORY_CACHE, bytes)) {
		struct stevedore *most = &stevedores[0];
		uint64_t before;

		for (unsigned i = 1; i < stevedore_n; i++)
			if (stevedores[i].used > most->used)
				most = &stevedores[i];
		before = most->used;
		if (!remove_next(most, &removed))
			return;
		if (removed)
			COUNT_INC(n_lru_nuked);
		if (most->used < before) /* others may insert meanwhile */
			freed += before - most->used;
	}
}

int
stevedore_empty(struct stevedore *stv, uint64_t *objects, char *err)
{
	uint64_t n = stv->objects;
	bool removed;

	*objects = n;
	/* The disk first: what is looked up there until then is in memory. */
	if (stv->store != NULL &&
	    store_empty(stv->store, objects, err) != 0)
		return -1;
	/* Not for ever, where others come as fast. */
	n = stv->objects > n ? stv->objects : n;
	while (n-- > 0 && remove_next(stv, &removed))
		continue;
	return 0;
}

static void
account(struct stevedore *stv, int64_t bytes)
{
	atomic_fetch_add(&stv->used, (uint64_t)bytes);
	COUNT_ADD(ram_bytes, bytes);
}

void
stevedore_insert(struct stevedore *stv, struct object *o)
{
	size_t bytes = sizeof *o + o->head_len + OBJECT_OVERHEAD;

	pthread_mutex_lock(&o->body.lock);
	bytes += o->body.memory;
	pthread_mutex_unlock(&o->body.lock);
	pthread_mutex_lock(&stv->lock);
	if (!eviction_has(&o->eviction) && !object_is(o, OBJ_DYING)) {
		eviction_insert(&stv->eviction, &o->eviction, bytes);
		stv->objects++;
		account(stv, (int64_t)bytes);
		tags_count_in(o);
	}
	pthread_mutex_unlock(&stv->lock);
	evict(stv);
	stevedores_make_room(bytes);
}

static uint64_t
eviction_hash(const uint8_t hash[STORE_HASH_LEN])
{
	uint64_t h;

	memcpy(&h, hash, sizeof h);
	return h;
}

bool
stevedore_remembers(struct stevedore *stv, const struct object *o,
    const uint8_t hash[STORE_HASH_LEN])
{
	bool r;

	pthread_mutex_lock(&stv->lock);
	/* what was remembered went to the main queue at once */
	r = o->eviction.queue == EVICTION_MAIN ||
	    eviction_remembers(&stv->eviction, eviction_hash(hash));
	pthread_mutex_unlock(&stv->lock);
	return r;
}

void
stevedore_remember(struct stevedore *stv, const uint8_t hash[STORE_HASH_LEN])
{
	pthread_mutex_lock(&stv->lock);
	eviction_remember(&stv->eviction, eviction_hash(hash));
	pthread_mutex_unlock(&stv->lock);
}

void
stevedore_remove(struct stevedore *stv, struct object *o)
{
	pthread_mutex_lock(&stv->lock);
	if (eviction_has(&o->eviction)) {
		stv->objects--;
		account(stv, -(int64_t)o->eviction.bytes);
		eviction_remove(&stv->eviction, &o->eviction);
		tags_count_out(o);
	}
	pthread_mutex_unlock(&stv->lock);
}

void
stevedore_charge(struct stevedore *stv, struct object *o, int64_t bytes)
{
	pthread_mutex_lock(&stv->lock);
	if (eviction_has(&o->eviction)) {
		eviction_resize(&stv->eviction, &o->eviction, bytes);
		account(stv, bytes);
	}
	pthread_mutex_unlock(&stv->lock);
	if (bytes <= 0)
		return;
	evict(stv);
	stevedores_make_room((uint64_t)bytes);
}

void
stevedore_drop(struct stevedore *stv, struct object *o)
{
	uint64_t seq = o->store_seq;

	if (index_remove(o) && seq != 0)
		store_drop(stv->store, seq);
}

/* The lock is only held for some objects at a time. */
static uint64_t
oldest_in_memory(struct stevedore *stv)
{
	struct eviction_entry *x = NULL;
	uint64_t oldest = UINT64_MAX;

	pthread_mutex_lock(&stv->lock);
	eviction_walk_begin(&stv->eviction);
	do {
		for (unsigned i = 0; i < WALK_STEP && (x =
		    eviction_walk_next(&stv->eviction)) != NULL; i++)
			if (object_of(x)->inval_seq < oldest)
				oldest = object_of(x)->inval_seq;
		pthread_mutex_unlock(&stv->lock);
		pthread_mutex_lock(&stv->lock);
	} while (x != NULL);
	pthread_mutex_unlock(&stv->lock);
	return oldest;
}

unsigned
stevedores_tested_before(uint64_t upto, struct object **out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < stevedore_n; i++) {
		struct stevedore *stv = &stevedores[i];
		struct eviction_entry *x = NULL;

		pthread_mutex_lock(&stv->lock);
		eviction_walk_begin(&stv->eviction);
		for (unsigned k = 1; n < max && (x = eviction_walk_next(
		    &stv->eviction)) != NULL; k++) {
			if (object_of(x)->inval_seq < upto)
				out[n++] = object_ref(object_of(x));
			if (k % WALK_STEP != 0)
				continue;
			pthread_mutex_unlock(&stv->lock);
			pthread_mutex_lock(&stv->lock);
		}
		pthread_mutex_unlock(&stv->lock);
	}
	return n;
}

unsigned
stevedores_count(bool (*is_hit)(void *priv, struct object *), void *priv,
    struct object **out, unsigned max, unsigned *n)
{
	unsigned hits = 0;

	*n = 0;
	for (unsigned i = 0; i < stevedore_n; i++) {
		struct stevedore *stv = &stevedores[i];
		struct eviction_entry *x;

		pthread_mutex_lock(&stv->lock);
		eviction_walk_begin(&stv->eviction);
		for (unsigned k = 1; (x = eviction_walk_next(
		    &stv->eviction)) != NULL; k++) {
			if (is_hit(priv, object_of(x))) {
				hits++;
				if (*n < max)
					out[(*n)++] = object_ref(object_of(x));
			}
			if (k % WALK_STEP != 0)
				continue;
			pthread_mutex_unlock(&stv->lock);
			pthread_mutex_lock(&stv->lock);
		}
		pthread_mutex_unlock(&stv->lock);
	}
	return hits;
}

uint64_t
stevedores_oldest_in_memory(void)
{
	uint64_t oldest = UINT64_MAX, seq;

	for (unsigned i = 0; i < stevedore_n; i++) {
		seq = oldest_in_memory(&stevedores[i]);
		if (seq < oldest)
			oldest = seq;
	}
	return oldest;
}

uint64_t
stevedores_oldest_stored(void)
{
	uint64_t oldest = UINT64_MAX, seq;

	for (unsigned i = 0; i < stevedore_n; i++) {
		if (stevedores[i].store == NULL)
			continue;
		seq = store_oldest_inval_seq(stevedores[i].store);
		if (seq < oldest)
			oldest = seq;
	}
	return oldest;
}

static void
list_verify(FILE *out, struct stevedore *stv, bool json)
{
	static const char *const name[] = {
	    [VERIFY_NEVER] = "never",
	    [VERIFY_RUNS] = "running",
	    [VERIFY_ENDED] = "ended",
	    [VERIFY_FAILED] = "failed",
	};
	struct store_verify v;

	store_verify_status(stv->store, &v);
	if (json)
		fprintf(out, ",\n  \"verify\": {\"state\": \"%s\", "
		    "\"started\": %.3f, \"ended\": %.3f, "
		    "\"objects\": %llu, \"of\": %llu, \"bytes\": %llu, "
		    "\"bad\": %llu}", name[v.state], v.started, v.ended,
		    (unsigned long long)v.objects, (unsigned long long)v.of,
		    (unsigned long long)v.bytes, (unsigned long long)v.bad);
	else if (v.state != VERIFY_NEVER)
		fprintf(out, "  verify %s: %llu of %llu objects, %llu bytes, "
		    "%llu bad\n", name[v.state],
		    (unsigned long long)v.objects, (unsigned long long)v.of,
		    (unsigned long long)v.bytes, (unsigned long long)v.bad);
}

void
stevedore_list(FILE *out, bool json)
{
	const char *sep = "";

	if (!json)
		fprintf(out, "Storage devices:\n");
	for (unsigned i = 0; i < stevedore_n; i++) {
		struct stevedore *stv = &stevedores[i];
		const char *kind =
		    stv->kind == STORE_KIND_RAM ? "ram" : "lmdb";
		struct store_stats st = {0};

		if (stv->store != NULL)
			store_stats(stv->store, &st);
		if (json) {
			fprintf(out, "%s{\n  \"name\": \"%s\",\n"
			    "  \"storage\": \"%s\",\n"
			    "  \"memory_used\": %llu,\n"
			    "  \"memory_limit\": %llu,\n"
			    "  \"memory_objects\": %llu",
			    sep, stv->name, kind,
			    (unsigned long long)stv->used,
			    (unsigned long long)limit_of(stv),
			    (unsigned long long)stv->objects);
			if (stv->store != NULL)
				fprintf(out, ",\n  \"size\": %llu,\n"
				    "  \"segment_bytes_used\": %llu,\n"
				    "  \"segment_bytes_free\": %llu,\n"
				    "  \"catalogue_bytes\": %llu,\n"
				    "  \"objects\": %llu,\n"
				    "  \"read_only\": %s",
				    (unsigned long long)st.size,
				    (unsigned long long)st.segment_bytes_used,
				    (unsigned long long)st.segment_bytes_free,
				    (unsigned long long)st.catalogue_bytes,
				    (unsigned long long)st.objects,
				    st.read_only ? "true" : "false");
			if (stv->store != NULL)
				list_verify(out, stv, true);
			fprintf(out, "\n}");
			sep = ",\n";
			continue;
		}
		fprintf(out, "storage.%s = %s\n", stv->name, kind);
		fprintf(out, "  memory %llu of %llu bytes, %llu objects\n",
		    (unsigned long long)stv->used,
		    (unsigned long long)limit_of(stv),
		    (unsigned long long)stv->objects);
		if (stv->store != NULL)
			fprintf(out, "  disk %llu of %llu bytes, "
			    "%llu objects%s\n",
			    (unsigned long long)(st.segment_bytes_used +
			    st.catalogue_bytes), (unsigned long long)st.size,
			    (unsigned long long)st.objects,
			    st.read_only ? ", not writable now" : "");
		if (stv->store != NULL)
			list_verify(out, stv, false);
	}
}
