/*
 * store_bench.c - what the store costs: puts a second of small objects,
 * durable and under eviction, and lookups a second, on a real folder.
 *
 *      store_bench [folder [size in MB [seconds]]]
 *      store_bench cold [objects]    memory of objects that are on disk alone,
 *                                    and the first lookup of a new process
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "store.h"

static struct store *st;
static double seconds = 5;
static char *body;
static atomic_uint_fast64_t stored;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
hash_of(uint64_t no, uint8_t hash[STORE_HASH_LEN])
{
	XXH128_hash_t h = XXH3_128bits(&no, sizeof no);

	memcpy(hash, &h, STORE_HASH_LEN);
}

static void
on_stored(void *priv, uint64_t seq)
{
	(void)priv;
	stored += seq != 0;
}

static void
on_message(void *priv, const char *text)
{
	(void)priv;
	fprintf(stderr, "%s\n", text);
}

static bool
put(uint64_t no, uint32_t len)
{
	static const char head[] =
	    "HTTP/1.1 200 OK\r\nContent-Type: text/"
	    "html; charset=utf-8\r\nCache-Control: max-age=3600\r\nETag: "
	    "\"5f3c-5a9b8c7d6e5f4\"\r\nLast-Modified: Mon, 01 Jan 2024 "
	    "00:00:00 GMT\r\nServer: origin\r\nVary: Accept-Encoding\r\n";
	struct store_meta m = {.ttl = 3600,
	    .status = 200,
	    .head = str_of(head, sizeof head - 1),
	    .vary = STR("gzip")};
	struct store_put *p = store_put_begin(st, len);
	struct str in = STR_NULL;
	char key[64];

	if (p == NULL)
		return false;
	m.key = str_of(key,
	    (size_t)snprintf(key, sizeof key,
		"www.example.com/articles/%llu.html", (unsigned long long)no));
	hash_of(no, m.hash);
	if (len <= STORE_INLINE_MAX)
		in = str_of(body, len);
	else if (!store_put_piece(p, body, len, NULL, NULL)) {
		store_put_abort(&p);
		return false;
	}
	store_put_commit(&p, &m, in, on_stored, NULL);
	return true;
}

static uint64_t
bench_put(uint64_t no, uint32_t len)
{
	double start = now(), cpu_start = cpu(), t;
	struct store_stats a, b;
	uint64_t n;

	store_stats(st, &a);
	stored = 0;
	while (now() - start < seconds)
		if (put(no, len))
			no++;
		else
			usleep(200);
	store_sync(st);
	t = now() - start;
	n = stored;
	store_stats(st, &b);
	printf("put %6u B: %8.0f/s, %6.1f MB/s, %5.1f us of CPU, %llu "
	       "commits, %llu evicted\n",
	    len, (double)n / t, (double)n * len / t / 1e6,
	    (cpu() - cpu_start) / (double)n * 1e6,
	    (unsigned long long)(b.commits - a.commits),
	    (unsigned long long)(b.evicted - a.evicted));
	return no;
}

static void
bench_lookup(uint64_t from, uint64_t to)
{
	double start = now(), t;
	uint64_t n = 0, found = 0, x = 1;

	while (now() - start < seconds / 2)
		for (int i = 0; i < 1000; i++, n++) {
			struct store_object *o;
			uint8_t hash[STORE_HASH_LEN];

			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
			hash_of(from + (x >> 33) % (to - from), hash);
			found += store_lookup(st, hash, NULL, NULL, &o) == 1;
			store_object_free(&o);
		}
	t = now() - start;
	printf("lookup:       %8.0f/s, %4.2f us, %4.1f %% found\n",
	    (double)n / t, t / (double)n * 1e6,
	    (double)found * 100 / (double)n);
}

static void
bench_filter(void)
{
	double start = now();
	uint64_t n = 10000000, maybe = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint8_t hash[STORE_HASH_LEN];

		hash_of(i + (1ULL << 40), hash);
		maybe += store_may_have(st, hash);
	}
	printf("may_have:     %6.1f ns with the hash, %llu wrong of %llu\n",
	    (now() - start) / (double)n * 1e9, (unsigned long long)maybe,
	    (unsigned long long)n);
}

/* --- objects on disk alone ----------------------------------------------- */

/* Bytes of memory of our own, not of files */
static uint64_t
anon_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long kb = 0;
	char line[256];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "RssAnon: %llu kB", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb << 10;
}

static bool
has(uint64_t no)
{
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	bool found;

	hash_of(no, hash);
	found = store_lookup(st, hash, NULL, NULL, &o) == 1;
	store_object_free(&o);
	return found;
}

/* What the kernel has of the files in memory goes, where it may. */
static void
drop_cache(void)
{
	FILE *f;

	sync();
	f = fopen("/proc/sys/vm/drop_caches", "w");
	if (f == NULL || fputs("3", f) < 0)
		printf("(the page cache is warm: not root)\n");
	if (f != NULL)
		fclose(f);
}

/* In a process of its own, as a start is. */
static int
open_cold(const struct store_config *cfg, uint64_t n)
{
	char err[STORE_ERR_LEN];
	uint64_t before = anon_bytes(), wrong = 0;
	double start = now(), opened, hit;
	uint8_t none[STORE_HASH_LEN];

	st = store_open(cfg, err);
	if (st == NULL)
		return 1;
	opened = now();
	wrong += !has(n / 2);
	hit = now();
	/* Until the filter says no, it is being filled. */
	hash_of(1ULL << 50, none);
	while (store_may_have(st, none))
		usleep(1000);
	printf("open: %.1f ms, first lookup %.1f ms later, filter complete "
	       "after %.2f s\n",
	    (opened - start) * 1e3, (hit - opened) * 1e3, now() - start);
	printf("memory of a cold object: %.1f bytes of %llu objects, "
	       "%llu not found\n",
	    (double)(anon_bytes() - before) / (double)n,
	    (unsigned long long)n, (unsigned long long)wrong);
	store_close(&st);
	return wrong != 0;
}

static int
bench_cold(uint64_t n)
{
	char err[STORE_ERR_LEN], dir[] = "/tmp/store-bench-XXXXXX", cmd[64];
	struct store_config cfg = {.name = "bench", .dir = mkdtemp(dir),
	    .size = 8ULL << 30, .on_message = on_message};
	int status = 1;
	pid_t pid;

	body = calloc(1, STORE_PIECE_MAX);
	pid = fork();
	if (pid == 0) {
		st = store_open(&cfg, err);
		for (uint64_t i = 0; st != NULL && i < n;)
			if (put(i, 1024))
				i++;
			else
				usleep(500);
		store_close(&st);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	drop_cache();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		status = open_cold(&cfg, n);
		fflush(stdout);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	return system(cmd) != 0 || status != 0;
}

int
main(int argc, char **argv)
{
	char err[STORE_ERR_LEN], tmp[] = "/tmp/store-bench-XXXXXX";
	struct store_config cfg = {
	    .name = "bench",
	    .dir = argc > 1 ? argv[1] : tmp,
	    .size = (argc > 2 ? strtoull(argv[2], NULL, 10) : 4096) << 20,
	    .on_message = on_message,
	};
	uint64_t no = (uint64_t)time(NULL) << 32, from;

	if (argc > 1 && !strcmp(argv[1], "cold"))
		return bench_cold(argc > 2 ? strtoull(argv[2], NULL, 10) :
		    1000000);
	if (argc < 2 && mkdtemp(tmp) == NULL)
		return 1;
	if (argc > 3)
		seconds = atof(argv[3]);
	st = store_open(&cfg, err);
	if (st == NULL) {
		fprintf(stderr, "store_bench: %s\n", err);
		return 1;
	}
	body = malloc(STORE_PIECE_MAX);
	for (int i = 0; i < STORE_PIECE_MAX; i++)
		body[i] = (char)(rand() >> 7);
	from = no;
	no = bench_put(no, 1024);
	bench_lookup(from, no);
	bench_filter();
	from = no;
	no = bench_put(no, 16384);
	bench_lookup(from, no);
	bench_put(no, STORE_PIECE_MAX);
	store_close(&st);
	free(body);
	if (argc < 2) {
		char cmd[64];

		snprintf(cmd, sizeof cmd, "rm -rf %s", tmp);
		return system(cmd) != 0;
	}
	return 0;
}
