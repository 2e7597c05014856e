/*
 * test_store_damage.c - a store that is damaged or foreign: flipped bits, files
 * cut short, what is set aside.
 */
#include <CUnit/CUnit.h>

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_rig.h"

static struct rig rig;

/* Changes one bit at each place where the file has these bytes. */
static unsigned
flip(const char *file, const char *what, size_t len)
{
	char path[128], *buf;
	struct stat sb;
	unsigned n = 0;
	int fd;

	snprintf(path, sizeof path, "%s/%s", rig.dir, file);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &sb) != 0)
		return 0;
	buf = malloc((size_t)sb.st_size);
	if (pread(fd, buf, (size_t)sb.st_size, 0) == sb.st_size)
		for (off_t i = 0; i + (off_t)len <= sb.st_size; i++)
			if (!memcmp(buf + i, what, len)) {
				char c = buf[i + (off_t)len - 1] ^ 4;

				n += pwrite(fd, &c, 1, i + (off_t)len - 1) == 1;
			}
	free(buf);
	close(fd);
	return n;
}

static void
test_flip_in_record(void)
{
	struct item it = {.no = 77, .body_len = 500};
	struct item other = {.no = 78, .body_len = 500};
	struct item large = {.no = 79, .body_len = 500, .head_len = 20000};

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &other), 0);
	large.version = 5;
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &large), 0);
	store_close(&rig.st);
	CU_ASSERT_TRUE(flip("cat/data.mdb", "/77 k", 5) > 0);
	CU_ASSERT_TRUE(flip("cat/data.mdb", "v5 hh", 5) > 0);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &large), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &other), 1);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(rig_stats(&rig).corrupt, 2);
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 1);
	/* It can be stored again. */
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_fini(&rig);
}

static void
test_flip_in_extent(void)
{
	struct item it = {.no = 77, .body_len = 500000};
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	char *body = item_body(&it), *buf = malloc(STORE_PIECE_MAX);

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	CU_ASSERT_EQUAL(flip("seg/0001", body + RIG_PIECE, 64), 1);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	item_hash(77, hash);
	CU_ASSERT_EQUAL_FATAL(store_lookup(rig.st, hash, NULL, NULL, &o), 1);
	CU_ASSERT_EQUAL_FATAL(o->extent_n, 2);
	CU_ASSERT_EQUAL(extent_read(rig.st, &o->extent[0], buf), 0);
	CU_ASSERT_EQUAL(extent_verify(rig.st, &o->extent[0]), 0);
	CU_ASSERT_EQUAL(extent_read(rig.st, &o->extent[1], buf), -1);
	CU_ASSERT_EQUAL(extent_verify(rig.st, &o->extent[1]), -1);
	store_drop(rig.st, o->seq);
	store_object_free(&o);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(rig_stats(&rig).corrupt, 1);
	free(body);
	free(buf);
	rig_fini(&rig);
}

static void
test_flip_in_ban(void)
{
	rig_begin(&rig);
	CU_ASSERT_PTR_NULL(rig_ban(&rig, 3, STR("req.url ~ /x")));
	store_close(&rig.st);
	CU_ASSERT_TRUE(flip("cat/data.mdb", "req.url", 7) > 0);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(store_inval_each(rig.st, NULL, NULL), -1);
	rig_fini(&rig);
}

static void
test_lost_segment(void)
{
	struct item it = {.no = 77, .body_len = 500000};
	char path[128];

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	snprintf(path, sizeof path, "%s/seg/0001", rig.dir);
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(rig_stats(&rig).corrupt, 1);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_fini(&rig);
}

static void
starts_empty(struct item *it, const char *why)
{
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.message, why));
	CU_ASSERT_EQUAL(rig_set_aside_n(&rig), 1);
	CU_ASSERT_EQUAL(item_get(&rig, it), 0);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, it), 0);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, it), 1);
	CU_ASSERT_EQUAL(rig_set_aside_n(&rig), 1);
}

static void
set_format(uint64_t format)
{
	char name[] = "format";
	MDB_val k = {6, name}, v = {8, &format};
	char path[128];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	snprintf(path, sizeof path, "%s/cat", rig.dir);
	mdb_env_create(&env);
	mdb_env_set_maxdbs(env, 16);
	CU_ASSERT_EQUAL_FATAL(mdb_env_open(env, path, 0, 0600), 0);
	mdb_txn_begin(env, NULL, 0, &txn);
	CU_ASSERT_EQUAL(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
	CU_ASSERT_EQUAL(mdb_put(txn, dbi, &k, &v, 0), 0);
	CU_ASSERT_EQUAL(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void
test_unknown_format(void)
{
	struct item it = {.no = 1, .body_len = 50000};

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	set_format(4711);
	starts_empty(&it, "another version");
	rig_fini(&rig);
}

/* Only the last one is kept. */
static void
test_set_aside_twice(void)
{
	struct item it = {.no = 1, .body_len = 50000};

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	for (unsigned i = 0; i < 3; i++) {
		store_close(&rig.st);
		set_format(4711 + i);
		starts_empty(&it, "another version");
	}
	rig_fini(&rig);
}

/* Waits; what the verdict was. */
static struct store_verify
verified(void)
{
	struct store_verify v;

	CU_ASSERT_TRUE(store_verify_start(rig.st));
	do {
		usleep(1000);
		store_verify_status(rig.st, &v);
	} while (v.state == VERIFY_RUNS);
	store_sync(rig.st);
	return v;
}

/*
 * One bit of each object in a file: somewhere from before bytes ahead of its
 * body to after bytes into it, at each place where the file has that body.
 * How many objects were found.
 */
static unsigned
flip_one_each(const char *file, const struct item *it, unsigned n,
    size_t before, size_t after)
{
	char path[128], *buf;
	struct stat sb;
	unsigned found = 0;
	int fd;

	snprintf(path, sizeof path, "%s/%s", rig.dir, file);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &sb) != 0)
		return 0;
	buf = malloc((size_t)sb.st_size);
	CU_ASSERT_EQUAL(
	    pread(fd, buf, (size_t)sb.st_size, 0), (ssize_t)sb.st_size);
	for (unsigned i = 0; i < n; i++) {
		char *body = item_body(&it[i]), *at = buf, bit = 0;
		size_t place = (i * 7919UL) % (before + after);

		while ((at = memmem(at, (size_t)(buf + sb.st_size - at), body,
			    64)) != NULL) {
			char *where = at - before + place;

			bit = (char)(*where ^ (1 << i % 8));
			CU_ASSERT_EQUAL(pwrite(fd, &bit, 1, where - buf), 1);
			at += 64;
			found += bit != *where;
			if (before == 0)
				break;
		}
		free(body);
	}
	free(buf);
	close(fd);
	return found;
}

/* One bit in each of 1,000 records and extents */
static void
test_verify_finds_all(void)
{
	enum { N = 500, INLINE_LEN = 700, EXTENT_LEN = 4000 };
	static struct item in[N], out[N];
	struct store_verify v;
	unsigned found = 0;

	rig_begin(&rig);
	for (unsigned i = 0; i < N; i++) {
		in[i] = (struct item){.no = 1000 + i, .body_len = INLINE_LEN};
		out[i] = (struct item){.no = 9000 + i, .body_len = EXTENT_LEN};
		CU_ASSERT_TRUE(item_put_async(&rig, &in[i]));
		CU_ASSERT_TRUE(item_put_async(&rig, &out[i]));
	}
	store_sync(rig.st);
	v = verified();
	CU_ASSERT_EQUAL(v.state, VERIFY_ENDED);
	CU_ASSERT_EQUAL(v.objects, 2 * N);
	CU_ASSERT_EQUAL(v.bad, 0);
	CU_ASSERT_EQUAL(v.bytes, N * (INLINE_LEN + EXTENT_LEN));
	store_close(&rig.st);
	/* Ahead of the body: the fixed part, the key and the head */
	CU_ASSERT_TRUE(
	    flip_one_each("cat/data.mdb", in, N, 136 + 32, INLINE_LEN) >= N);
	for (unsigned no = 1; no < 16; no++) {
		char name[16];

		snprintf(name, sizeof name, "seg/%04u", no);
		found += flip_one_each(name, out, N, 0, EXTENT_LEN);
	}
	CU_ASSERT_EQUAL(found, N);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	v = verified();
	CU_ASSERT_EQUAL(v.objects, 2 * N);
	CU_ASSERT_EQUAL(v.bad, 2 * N);
	CU_ASSERT_EQUAL(rig_stats(&rig).corrupt, 2 * N);
	for (unsigned i = 0; i < N; i++) {
		CU_ASSERT_EQUAL(item_get(&rig, &in[i]), 0);
		CU_ASSERT_EQUAL(item_get(&rig, &out[i]), 0);
	}
	v = verified();
	CU_ASSERT_EQUAL(v.objects, 0);
	rig_fini(&rig);
}

static void
test_empty(void)
{
	enum { N = 40 };
	uint64_t objects = 0;

	rig_begin(&rig);
	for (unsigned i = 0; i < N; i++) {
		struct item it = {.no = i, .body_len = i % 2 ? 300000 : 700};

		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	}
	CU_ASSERT_PTR_NULL(rig_ban(&rig, 3, STR("req.url ~ /x")));
	CU_ASSERT_EQUAL(store_empty(rig.st, &objects, rig.err), 0);
	CU_ASSERT_EQUAL(objects, N);
	CU_ASSERT_EQUAL(rig.gone_n, N);
	CU_ASSERT_EQUAL(rig_stats(&rig).objects, 0);
	CU_ASSERT_EQUAL(rig_stats(&rig).segment_bytes_used, 0);
	CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), UINT64_MAX);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < N; i++) {
			struct item it = {
			    .no = i, .body_len = i % 2 ? 300000 : 700};

			CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
		}
		rig_reopen(&rig);
	}
	struct item it = {.no = 7, .body_len = 300000};

	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_fini(&rig);
}

static void
test_garbage(void)
{
	struct item it = {.no = 1, .body_len = 50000};
	char path[128], junk[8192];
	int fd;

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	snprintf(path, sizeof path, "%s/cat/data.mdb", rig.dir);
	fd = open(path, O_WRONLY);
	memset(junk, 0xa5, sizeof junk);
	CU_ASSERT_EQUAL(write(fd, junk, sizeof junk), (ssize_t)sizeof junk);
	close(fd);
	starts_empty(&it, "MDB_INVALID");
	rig_fini(&rig);
}

/* As a mount point: it can't be renamed. */
static void
test_garbage_in_place(void)
{
	struct item it = {.no = 1, .body_len = 50000};
	char dir[80];

	rig_init(&rig);
	snprintf(dir, sizeof dir, "%s/.", rig.dir);
	rig.cfg.dir = dir;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	set_format(4711);
	starts_empty(&it, "another version");
	rig_fini(&rig);
}

static void
write_state(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/state", rig.dir);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static void
test_state(void)
{
	struct item it = {.no = 1, .body_len = 50000};

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	/* Killed often: looked at, and kept. */
	write_state("copal-store 3 0 0\n");
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.message, "checking"));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	store_close(&rig.st);
	write_state("what is this");
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	store_close(&rig.st);
	/* Died during the look: not kept. */
	write_state("copal-store 4 1 0\n");
	starts_empty(&it, "damaged");
	rig_fini(&rig);
}

static void
crash_with_it(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (!rig_open(&rig))
			_exit(1);
		store_note_crash();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
test_crashes(void)
{
	struct item it = {.no = 1, .body_len = 50000};

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	/* Two, and an end as it should be: nothing is held against it. */
	for (unsigned round = 0; round < 3; round++) {
		crash_with_it();
		crash_with_it();
		CU_ASSERT_TRUE_FATAL(rig_open(&rig));
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
		store_close(&rig.st);
	}
	CU_ASSERT_EQUAL(rig_set_aside_n(&rig), 0);
	for (unsigned i = 0; i < 3; i++)
		crash_with_it();
	starts_empty(&it, "a crash followed within a minute");
	rig_fini(&rig);
}

/*
 * Who reads a map of a file that was cut short gets SIGBUS: here an error,
 * and the next start sets the store aside.
 */
static int
use_cut_catalogue(void)
{
	struct item small = {.no = 1, .body_len = 700};
	struct item other = {.no = 2, .body_len = 700};
	struct store_object *o;
	char path[128];
	uint64_t seq = 0;

	if (!rig_open(&rig) || item_put(&rig, &small) == 0)
		return 1;
	/* Not all on the pages that are in the process's own memory */
	for (unsigned no = 10; no < 500; no++) {
		struct item more = {.no = no, .body_len = 900};

		item_put_async(&rig, &more);
	}
	store_sync(rig.st);
	snprintf(path, sizeof path, "%s/cat/data.mdb", rig.dir);
	if (truncate(path, 8192) != 0)
		return 2;
	if (item_get(&rig, &small) != -1)
		return 3;
	if (strstr(rig.message, "cut short") == NULL || rig.message_n != 1)
		return 4;
	if (item_put(&rig, &other) != 0 || !rig_stats(&rig).read_only)
		return 5;
	if (rig_purge(&rig, 1, 1) == NULL || store_next(rig.st, &seq, &o) != -1)
		return 6;
	if (store_inval_each(rig.st, NULL, NULL) != -1)
		return 7;
	store_close(&rig.st);
	return 0;
}

static void
test_cut_catalogue(void)
{
	struct item it = {.no = 1, .body_len = 700};
	int status;
	pid_t pid;

	rig_init(&rig);
	pid = fork();
	if (pid == 0)
		_exit(use_cut_catalogue());
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
	starts_empty(&it, "damaged");
	rig_fini(&rig);
}

/* The writer is the first to meet the page that is not there. */
static int
write_cut_catalogue(void)
{
	struct item it = {.no = 1, .body_len = 700};
	char path[128];

	if (!rig_open(&rig))
		return 1;
	for (unsigned no = 10; no < 500; no++) {
		struct item more = {.no = no, .body_len = 900};

		item_put_async(&rig, &more);
	}
	store_sync(rig.st);
	snprintf(path, sizeof path, "%s/cat/data.mdb", rig.dir);
	if (truncate(path, 4096) != 0)
		return 2;
	if (item_put(&rig, &it) != 0 || rig_purge(&rig, 1, 1) == NULL)
		return 3;
	if (strstr(rig.message, "cut short") == NULL &&
	    strstr(rig.message, "Input/output") == NULL)
		return 4;
	store_close(&rig.st);
	return 0;
}

static void
test_cut_catalogue_write(void)
{
	int status;
	pid_t pid;

	rig_init(&rig);
	pid = fork();
	if (pid == 0)
		_exit(write_cut_catalogue());
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
	rig_fini(&rig);
}

/* A segment that is cut short while it is read: no bytes, no signal. */
static void
test_cut_segment(void)
{
	struct item it = {.no = 77, .body_len = 500000};
	char path[128];

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	snprintf(path, sizeof path, "%s/seg/0001", rig.dir);
	CU_ASSERT_EQUAL(truncate(path, 100000), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), -1);
	rig_fini(&rig);
}

void
suite_store_damage(void)
{
	CU_pSuite s = CU_add_suite("store_damage", NULL, NULL);

	CU_add_test(s, "a flipped bit in a record", test_flip_in_record);
	CU_add_test(s, "a flipped bit in a body", test_flip_in_extent);
	CU_add_test(s, "a flipped bit in a ban", test_flip_in_ban);
	CU_add_test(s, "a lost segment", test_lost_segment);
	CU_add_test(s, "an unknown format", test_unknown_format);
	CU_add_test(s, "set aside twice", test_set_aside_twice);
	CU_add_test(s, "verify finds all", test_verify_finds_all);
	CU_add_test(s, "emptied", test_empty);
	CU_add_test(s, "garbage", test_garbage);
	CU_add_test(s, "garbage in a mount point", test_garbage_in_place);
	CU_add_test(s, "how it ended before", test_state);
	CU_add_test(s, "crashes", test_crashes);
	CU_add_test(s, "a catalogue cut short in use", test_cut_catalogue);
	CU_add_test(
	    s, "a catalogue cut short, written", test_cut_catalogue_write);
	CU_add_test(s, "a segment cut short in use", test_cut_segment);
}
