/*
 * eviction_bench.c - hit ratios of the real eviction code on traces, beside
 * LRU and FIFO.
 *
 *      eviction_bench                  made-up traces: Zipf, Zipf with scans
 *      eviction_bench FILE [BYTES]     a trace, in memory of BYTES (1 GiB)
 *
 * A trace is text, a request a line: KEY SIZE, the key any word, the size in
 * bytes; what begins with # is left out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "eviction.h"

struct request {
	uint32_t object;
	uint32_t size;
};

struct trace {
	struct request *request;
	size_t n, cap;
	uint32_t objects;
};

static void
add(struct trace *t, uint32_t object, uint32_t size)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 1 << 20 : t->cap * 2;
		t->request = realloc(t->request, t->cap * sizeof *t->request);
		if (t->request == NULL)
			abort();
	}
	t->request[t->n++] = (struct request){object, size};
	if (object >= t->objects)
		t->objects = object + 1;
}

/* --- policies ------------------------------------------------------------ */

struct object {
	struct eviction_entry entry; /* first; of LRU and FIFO: its links */
	uint64_t hits;
	uint32_t id;
};

static struct object *objects;

static uint64_t
hash_of(const struct eviction_entry *e)
{
	const struct object *o = (const void *)e;

	return XXH3_64bits(&o->id, sizeof o->id);
}

static uint64_t
hits_of(const struct eviction_entry *e)
{
	return ((const struct object *)(const void *)e)->hits;
}

static const struct eviction_ops ops = {hash_of, hits_of};

struct result {
	double objects, bytes; /* hit ratios */
};

static struct result
s3fifo(const struct trace *t, uint64_t limit)
{
	uint64_t hits = 0, hit_bytes = 0, bytes = 0;
	struct eviction e;

	if (!eviction_init(&e, &ops, limit))
		abort();
	for (size_t i = 0; i < t->n; i++) {
		const struct request *r = &t->request[i];
		struct object *o = &objects[r->object];
		struct eviction_entry *x;

		bytes += r->size;
		if (eviction_has(&o->entry)) {
			hits++;
			hit_bytes += r->size;
			o->hits++;
			continue;
		}
		if (r->size > limit / 4)
			continue;
		eviction_insert(&e, &o->entry, r->size);
		while (e.small.bytes + e.main.bytes > limit &&
		    (x = eviction_victim(&e, limit)) != NULL)
			eviction_remove(&e, x);
	}
	eviction_destroy(&e);
	return (struct result){(double)hits / (double)t->n,
	    (double)hit_bytes / (double)bytes};
}

/* A list; lru: a hit moves to its end. */
static struct result
list(const struct trace *t, uint64_t limit, bool lru)
{
	struct eviction_entry head = {.next = &head, .prev = &head}, *x;
	uint64_t hits = 0, hit_bytes = 0, bytes = 0, used = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct request *r = &t->request[i];

		x = &objects[r->object].entry;
		bytes += r->size;
		if (x->next != NULL) {
			hits++;
			hit_bytes += r->size;
			if (!lru)
				continue;
			x->prev->next = x->next;
			x->next->prev = x->prev;
		} else if (r->size > limit / 4) {
			continue;
		} else {
			x->bytes = r->size;
			used += r->size;
		}
		x->prev = head.prev;
		x->next = &head;
		head.prev->next = x;
		head.prev = x;
		while (used > limit) {
			x = head.next;
			head.next = x->next;
			x->next->prev = &head;
			used -= x->bytes;
			x->next = x->prev = NULL;
		}
	}
	return (struct result){(double)hits / (double)t->n,
	    (double)hit_bytes / (double)bytes};
}

static void
forget(const struct trace *t)
{
	memset(objects, 0, t->objects * sizeof *objects);
	for (uint32_t i = 0; i < t->objects; i++)
		objects[i].id = i;
}

static void
compare(const char *name, const struct trace *t, uint64_t limit)
{
	struct result s3, lru, fifo;

	objects = malloc(t->objects * sizeof *objects);
	if (objects == NULL)
		abort();
	forget(t);
	s3 = s3fifo(t, limit);
	forget(t);
	lru = list(t, limit, true);
	forget(t);
	fifo = list(t, limit, false);
	printf("| %s | %zu | %u | %.0f | **%.1f** / %.1f | %.1f / %.1f | "
	    "%.1f / %.1f |\n", name, t->n, t->objects, (double)limit / 1e6,
	    s3.objects * 100, s3.bytes * 100, lru.objects * 100,
	    lru.bytes * 100, fifo.objects * 100, fifo.bytes * 100);
	free(objects);
}

/* --- traces -------------------------------------------------------------- */

static uint64_t seed = 1;

static double
uniform(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) / 9007199254740992.0;
}

/* Sizes as of a web site: most some KB, few very large. */
static uint32_t
size_of(uint32_t object)
{
	uint64_t h = XXH3_64bits_withSeed(&object, sizeof object, 7);
	double u = ((double)(h >> 11) + 1) / 9007199254740993.0;
	double v = ((double)(h & 0xffff) + 1) / 65537.0;
	double normal = sqrt(-2 * log(u)) * cos(6.283185307 * v);
	double size = exp(9.4 + 1.3 * normal); /* median 12 KB */

	return size < 200 ? 200 : size > 5e6 ? 5000000 : (uint32_t)size;
}

/* Ranks by the inverse of the integral of rank^-a: good enough for a bench. */
static uint32_t
zipf(uint32_t n, double a)
{
	double u = uniform(), p = 1 - a;
	double x = pow(u * (pow(n, p) - 1) + 1, 1 / p);
	uint32_t rank = (uint32_t)x;

	return rank < 1 ? 0 : rank > n ? n - 1 : rank - 1;
}

/* scan_every: requests between scans of 20,000 objects; 0: none */
static void
make(struct trace *t, uint32_t n, double a, size_t requests,
    size_t scan_every)
{
	uint32_t next = n;

	t->n = 0;
	t->objects = 0;
	for (size_t i = 0; i < requests; i++) {
		uint32_t object = zipf(n, a);

		add(t, object, size_of(object));
		if (scan_every == 0 || i % scan_every != scan_every - 1)
			continue;
		for (unsigned k = 0; k < 20000; k++, next++)
			add(t, next, size_of(next));
	}
}

struct name {
	struct name *next;
	uint32_t object;
	char key[];
};

static uint32_t
object_named(const char *key, uint32_t *n)
{
	enum { BUCKETS = 1 << 20 };
	static struct name *bucket[BUCKETS];
	struct name **at =
	    &bucket[XXH3_64bits(key, strlen(key)) & (BUCKETS - 1)], *x;

	for (x = *at; x != NULL; x = x->next)
		if (!strcmp(x->key, key))
			return x->object;
	x = malloc(sizeof *x + strlen(key) + 1);
	if (x == NULL)
		abort();
	strcpy(x->key, key);
	x->object = (*n)++;
	x->next = *at;
	*at = x;
	return x->object;
}

static int
read_trace(struct trace *t, const char *path)
{
	FILE *f = strcmp(path, "-") != 0 ? fopen(path, "r") : stdin;
	char line[65536], key[65536];
	uint32_t n = 0;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	while (fgets(line, sizeof line, f) != NULL) {
		unsigned long size;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%65535s %lu", key, &size) != 2 ||
		    size > UINT32_MAX) {
			fprintf(stderr, "%s: not KEY SIZE: %s", path, line);
			return -1;
		}
		add(t, object_named(key, &n), (uint32_t)size);
	}
	return t->n > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct trace t = {0};

	printf("| trace | requests | objects | memory, MB | S3-FIFO, %% of "
	    "requests / bytes | LRU | FIFO |\n|---|---|---|---|---|---|---|\n");
	if (argc > 1) {
		if (read_trace(&t, argv[1]) != 0)
			return 1;
		compare(argv[1], &t, argc > 2 ? strtoull(argv[2], NULL, 10) :
		    1 << 30);
		return 0;
	}
	for (unsigned i = 0; i < 3; i++) {
		static const double memory[] = {5e7, 2e8, 8e8};

		make(&t, 200000, 0.8, 2000000, 0);
		compare("Zipf 0.8", &t, (uint64_t)memory[i]);
		make(&t, 200000, 0.99, 2000000, 0);
		compare("Zipf 0.99", &t, (uint64_t)memory[i]);
		make(&t, 200000, 0.8, 2000000, 200000);
		compare("Zipf 0.8, scans", &t, (uint64_t)memory[i]);
	}
	free(t.request);
	return 0;
}
