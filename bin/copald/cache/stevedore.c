/*
 * stevedore.c - the stores of -s, and the queue of objects in the memory of
 * each: first in, first out, but an object that was hit since it came or was
 * looked at last goes round once more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "counters.h"
#include "index.h"
#include "params.h"
#include "stevedore.h"
#include "store.h"

static struct stevedore *stevedores;
static unsigned stevedore_n;

enum {
	/* malloc's own and the index entry's share, beside what is counted */
	OBJECT_OVERHEAD = 192,
	/* Looked at for one that goes: bounds the time under the lock. */
	EVICT_LOOK = 64,
	/* Looked at by the rover while it holds the lock. */
	ROVER_STEP = 256,
};

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

int
stevedores_open(const struct worker_config *cfg, char *err, size_t err_len)
{
	uint64_t memory = 0;

	stevedores = calloc(cfg->store_n, sizeof *stevedores);
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

		snprintf(stv->name, sizeof stv->name, "%s", spec->name);
		snprintf(stv->vcl_name, sizeof stv->vcl_name, "storage.%s",
		    stv->name);
		stv->kind = spec->kind;
		stv->limit = spec->size;
		pthread_mutex_init(&stv->lock, NULL);
		stevedore_n++;
		if (spec->kind == STORE_KIND_RAM)
			continue;
		stv->limit = params->ram_limit;
		stv->store = store_open(&sc, why);
		if (stv->store == NULL) {
			snprintf(err, err_len, "Store %s: %s", stv->name, why);
			return -1;
		}
	}
	return 0;
}

void
stevedores_close(void)
{
	for (unsigned i = 0; i < stevedore_n; i++)
		if (stevedores[i].store != NULL)
			store_close(&stevedores[i].store);
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

uint64_t
stevedore_max_object(const struct stevedore *stv)
{
	struct store_stats st;

	if (stv->store == NULL)
		return stv->limit / 4;
	store_stats(stv->store, &st);
	return st.size / 4;
}

static uint64_t
limit_of(const struct stevedore *stv)
{
	/* -p ram_limit works at once */
	return stv->store != NULL ? params->ram_limit : stv->limit;
}

/* lock held */
static void
queue_append(struct stevedore *stv, struct object *o)
{
	o->fifo_next = NULL;
	o->fifo_prev = stv->last;
	if (stv->last != NULL)
		stv->last->fifo_next = o;
	else
		stv->first = o;
	stv->last = o;
}

/* lock held */
static void
queue_unlink(struct stevedore *stv, struct object *o)
{
	if (stv->rover == o)
		stv->rover = o->fifo_next;
	if (o->fifo_prev != NULL)
		o->fifo_prev->fifo_next = o->fifo_next;
	else
		stv->first = o->fifo_next;
	if (o->fifo_next != NULL)
		o->fifo_next->fifo_prev = o->fifo_prev;
	else
		stv->last = o->fifo_prev;
	o->fifo_next = o->fifo_prev = NULL;
}

/* lock held; a reference to the one to go, NULL: none */
static struct object *
victim(struct stevedore *stv)
{
	for (unsigned i = 0; i < EVICT_LOOK && stv->first != NULL; i++) {
		struct object *o = stv->first;
		uint64_t hits = o->hits;

		if (i == EVICT_LOOK - 1 || hits == o->hits_seen)
			return object_ref(o);
		o->hits_seen = hits;
		queue_unlink(stv, o);
		queue_append(stv, o);
	}
	return NULL;
}

static void
evict(struct stevedore *stv)
{
	while (stv->used > limit_of(stv)) {
		struct object *o;

		pthread_mutex_lock(&stv->lock);
		o = victim(stv);
		pthread_mutex_unlock(&stv->lock);
		if (o == NULL)
			return;
		if (index_remove(o))
			COUNT_INC(n_lru_nuked);
		else
			stevedore_remove(stv, o);
		object_unref(&o);
	}
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
	if (!o->queued && !object_is(o, OBJ_DYING)) {
		o->queued = true;
		o->charged = bytes;
		queue_append(stv, o);
		stv->objects++;
		account(stv, (int64_t)bytes);
	}
	pthread_mutex_unlock(&stv->lock);
	evict(stv);
}

void
stevedore_remove(struct stevedore *stv, struct object *o)
{
	pthread_mutex_lock(&stv->lock);
	if (o->queued) {
		o->queued = false;
		queue_unlink(stv, o);
		stv->objects--;
		account(stv, -(int64_t)o->charged);
		o->charged = 0;
	}
	pthread_mutex_unlock(&stv->lock);
}

void
stevedore_charge(struct stevedore *stv, struct object *o, int64_t bytes)
{
	pthread_mutex_lock(&stv->lock);
	if (o->queued) {
		o->charged += (size_t)bytes;
		account(stv, bytes);
	}
	pthread_mutex_unlock(&stv->lock);
	if (bytes > 0)
		evict(stv);
}

void
stevedore_drop(struct stevedore *stv, struct object *o)
{
	uint64_t seq = o->store_seq;

	if (index_remove(o) && seq != 0)
		store_drop(stv->store, seq);
}

/*
 * A rover goes along the queue; who takes the object where it stands out of
 * the queue moves it on.  So the lock is only held for some objects at a time.
 */
static uint64_t
oldest_in_memory(struct stevedore *stv)
{
	uint64_t oldest = UINT64_MAX;
	bool more;

	pthread_mutex_lock(&stv->lock);
	stv->rover = stv->first;
	do {
		for (unsigned i = 0; i < ROVER_STEP && stv->rover != NULL;
		    i++) {
			struct object *o = stv->rover;

			if (o->inval_seq < oldest)
				oldest = o->inval_seq;
			stv->rover = o->fifo_next;
		}
		more = stv->rover != NULL;
		pthread_mutex_unlock(&stv->lock);
		pthread_mutex_lock(&stv->lock);
	} while (more);
	pthread_mutex_unlock(&stv->lock);
	return oldest;
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
	}
}
