/*
 * test_store_damage.c - the store when something went wrong: flipped bits,
 * foreign files, kills, a disk that fails.
 */
#include <CUnit/CUnit.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "store_rig.h"

static struct rig rig;

static void
begin(void)
{
	rig_init(&rig);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
}

static void
end(void)
{
	rig_fini(&rig);
}

static struct store_stats
stats(void)
{
	struct store_stats s;

	store_stats(rig.st, &s);
	return s;
}

static unsigned
set_aside_n(void)
{
	char pattern[128];
	unsigned n;
	glob_t g;

	snprintf(pattern, sizeof pattern, "%s*bad-*", rig.dir);
	n = glob(pattern, 0, NULL, &g) == 0 ? (unsigned)g.gl_pathc : 0;
	globfree(&g);
	snprintf(pattern, sizeof pattern, "%s/*bad-*", rig.dir);
	n += glob(pattern, 0, NULL, &g) == 0 ? (unsigned)g.gl_pathc : 0;
	globfree(&g);
	return n;
}

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

	begin();
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
	CU_ASSERT_EQUAL(stats().corrupt, 2);
	CU_ASSERT_EQUAL(stats().objects, 1);
	/* It can be stored again. */
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	end();
}

static void
test_flip_in_extent(void)
{
	struct item it = {.no = 77, .body_len = 500000};
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	char *body = item_body(&it), *buf = malloc(STORE_PIECE_MAX);

	begin();
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
	CU_ASSERT_EQUAL(stats().corrupt, 1);
	free(body);
	free(buf);
	end();
}

static void
test_flip_in_ban(void)
{
	begin();
	CU_ASSERT_PTR_NULL(rig_ban(&rig, 3, STR("req.url ~ /x")));
	store_close(&rig.st);
	CU_ASSERT_TRUE(flip("cat/data.mdb", "req.url", 7) > 0);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(store_inval_each(rig.st, NULL, NULL), -1);
	end();
}

static void
test_lost_segment(void)
{
	struct item it = {.no = 77, .body_len = 500000};
	char path[128];

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	snprintf(path, sizeof path, "%s/seg/0001", rig.dir);
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	store_sync(rig.st);
	CU_ASSERT_EQUAL(stats().corrupt, 1);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	end();
}

static void
starts_empty(struct item *it, const char *why)
{
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.message, why));
	CU_ASSERT_EQUAL(set_aside_n(), 1);
	CU_ASSERT_EQUAL(item_get(&rig, it), 0);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, it), 0);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, it), 1);
	CU_ASSERT_EQUAL(set_aside_n(), 1);
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

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	set_format(4711);
	starts_empty(&it, "another version");
	end();
}

/* Only the last one is kept. */
static void
test_set_aside_twice(void)
{
	struct item it = {.no = 1, .body_len = 50000};

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	for (unsigned i = 0; i < 3; i++) {
		store_close(&rig.st);
		set_format(4711 + i);
		starts_empty(&it, "another version");
	}
	end();
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
flip_one_each(const char *file, const struct item *it, unsigned n, size_t before,
    size_t after)
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

	begin();
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
	CU_ASSERT_EQUAL(stats().corrupt, 2 * N);
	for (unsigned i = 0; i < N; i++) {
		CU_ASSERT_EQUAL(item_get(&rig, &in[i]), 0);
		CU_ASSERT_EQUAL(item_get(&rig, &out[i]), 0);
	}
	v = verified();
	CU_ASSERT_EQUAL(v.objects, 0);
	end();
}

static void
test_empty(void)
{
	enum { N = 40 };
	uint64_t objects = 0;

	begin();
	for (unsigned i = 0; i < N; i++) {
		struct item it = {.no = i, .body_len = i % 2 ? 300000 : 700};

		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	}
	CU_ASSERT_PTR_NULL(rig_ban(&rig, 3, STR("req.url ~ /x")));
	CU_ASSERT_EQUAL(store_empty(rig.st, &objects, rig.err), 0);
	CU_ASSERT_EQUAL(objects, N);
	CU_ASSERT_EQUAL(rig.gone_n, N);
	CU_ASSERT_EQUAL(stats().objects, 0);
	CU_ASSERT_EQUAL(stats().segment_bytes_used, 0);
	CU_ASSERT_EQUAL(store_oldest_inval_seq(rig.st), UINT64_MAX);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < N; i++) {
			struct item it = {.no = i,
			    .body_len = i % 2 ? 300000 : 700};

			CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
		}
		rig_reopen(&rig);
	}
	struct item it = {.no = 7, .body_len = 300000};

	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	end();
}

static int
commit_fails(enum fault_op op)
{
	return op == FAULT_CATALOGUE_COMMIT ? EIO : 0;
}

/* It says so, and everything is as it was. */
static void
test_empty_fails(void)
{
	struct item it = {.no = 7, .body_len = 300000};
	uint64_t objects = 0;

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	fault_hook = commit_fails;
	CU_ASSERT_EQUAL(store_empty(rig.st, &objects, rig.err), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.err, "Input/output"));
	fault_hook = NULL;
	CU_ASSERT_EQUAL(rig.gone_n, 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	CU_ASSERT_EQUAL(store_empty(rig.st, &objects, rig.err), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	end();
}

static void
test_garbage(void)
{
	struct item it = {.no = 1, .body_len = 50000};
	char path[128], junk[8192];
	int fd;

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	store_close(&rig.st);
	snprintf(path, sizeof path, "%s/cat/data.mdb", rig.dir);
	fd = open(path, O_WRONLY);
	memset(junk, 0xa5, sizeof junk);
	CU_ASSERT_EQUAL(write(fd, junk, sizeof junk), (ssize_t)sizeof junk);
	close(fd);
	starts_empty(&it, "MDB_INVALID");
	end();
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
	end();
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

	begin();
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
	end();
}

/* ------------------------------------------------------------ the kill */

struct ack {
	uint32_t no;
	bool purge;
};

static int ack_fd;

struct churn_put {
	uint32_t no;
	char *body;
};

static void
churn_ack(void *priv, uint64_t seq)
{
	struct churn_put *p = priv;
	struct ack a = {p->no, false};

	if (seq != 0 && write(ack_fd, &a, sizeof a) != sizeof a)
		_exit(1);
	free(p->body);
	free(p);
}

/* Puts for ever, and purges each seventh again. */
static void
churn(uint32_t no)
{
	if (!rig_open(&rig))
		_exit(2);
	for (;; no++) {
		struct item it = {.no = no,
		    .body_len = 1 + no * 7919 % (no % 5 ? 3000 : 200000)};
		struct churn_put *p = malloc(sizeof *p);
		struct store_meta m = {
		    .t_origin = 1e9 + no, .ttl = 60, .status = 200};
		char key[17], head[17];
		struct store_put *put;
		struct str in = STR_NULL;

		*p = (struct churn_put){no, item_body(&it)};
		memset(key, 'k', 16);
		key[snprintf(key, 16, "/%u", no)] = ' ';
		memset(head, 'h', 16);
		head[snprintf(head, 16, "v0")] = ' ';
		m.key = str_of(key, 16);
		m.head = str_of(head, 16);
		item_hash(no, m.hash);
		while ((put = store_put_begin(rig.st, it.body_len)) == NULL)
			usleep(1000);
		if (it.body_len <= STORE_INLINE_MAX)
			in = str_of(p->body, it.body_len);
		else
			while (!store_put_piece(
			    put, p->body, (uint32_t)it.body_len, NULL, NULL))
				usleep(1000);
		store_put_commit(&put, &m, in, churn_ack, p);
		if (no % 7 == 0) {
			struct ack a = {no, true};

			if (rig_purge(&rig, no, no) == NULL &&
			    write(ack_fd, &a, sizeof a) != sizeof a)
				_exit(1);
		}
	}
}

/* Starts at no, killed after ms; what was acknowledged, malloc'd. */
static struct ack *
churn_and_kill(uint32_t no, unsigned ms, size_t *n)
{
	size_t room = 1 << 20, len = 0;
	char *buf = malloc(room);
	int fd[2], status;
	ssize_t r;
	pid_t pid;

	if (pipe(fd) != 0)
		abort();
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		ack_fd = fd[1];
		churn(no);
	}
	close(fd[1]);
	/* From its first answer on, so that it is at work. */
	r = read(fd[0], buf, 1);
	len += r > 0 ? (size_t)r : 0;
	for (unsigned i = 0; i < ms; i++) {
		usleep(1000);
		if (i + 1 == ms)
			kill(pid, SIGKILL);
	}
	while ((r = read(fd[0], buf + len, room - len)) > 0)
		len += (size_t)r;
	close(fd[0]);
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFSIGNALED(status));
	*n = len / sizeof(struct ack);
	return (struct ack *)buf;
}

/* Whatever is there is right; what was acknowledged last is there. */
static void
check_after_kill(const struct ack *ack, size_t n, uint32_t from)
{
	static bool purged[1000000];
	uint32_t top = from;
	unsigned lost = 0, wrong = 0, back = 0;

	memset(purged, 0, sizeof purged);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(set_aside_n(), 0);
	for (size_t i = 0; i < n; i++) {
		purged[ack[i].no % 1000000] |= ack[i].purge;
		if (ack[i].no > top)
			top = ack[i].no;
	}
	for (uint32_t no = 0; no < top + 100; no++) {
		struct item it = {.no = no,
		    .body_len = 1 + no * 7919 % (no % 5 ? 3000 : 200000)};
		int rc = item_get(&rig, &it);

		wrong += rc == -1;
		back += rc == 1 && no >= from && purged[no % 1000000];
	}
	for (size_t i = n > 200 ? n - 200 : 0; i < n; i++) {
		struct item it = {.no = ack[i].no,
		    .body_len =
			1 + ack[i].no * 7919 % (ack[i].no % 5 ? 3000 : 200000)};

		/* A purge may have been done, and not been told. */
		lost += ack[i].no % 7 != 0 && item_get(&rig, &it) != 1;
	}
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(back, 0);
	store_close(&rig.st);
}

static void
test_kill(void)
{
	uint32_t no = 0;
	size_t total = 0;

	rig_init(&rig);
	for (unsigned round = 0; round < 20; round++) {
		size_t n;
		struct ack *ack = churn_and_kill(no, 20 + round * 13 % 70, &n);
		uint32_t from = no;

		total += n;
		for (size_t i = 0; i < n; i++)
			if (ack[i].no >= no)
				no = ack[i].no + 1;
		no += 20000; /* beyond what was queued */
		/* Now and then several times in a row */
		if (round % 6 < 2)
			check_after_kill(ack, n, from);
		free(ack);
	}
	CU_ASSERT_TRUE(total > 20); /* there was something to lose */
	end();
}

/* ------------------------------------------------------------ the disk */

static enum fault_op fault_at;
static int fault_error;

static int
fail(enum fault_op op)
{
	return op == fault_at ? fault_error : 0;
}

static void
recover(struct item *it)
{
	uint64_t seq = 0;

	fault_hook = NULL;
	for (int i = 0; i < 1000 && seq == 0; i++) {
		seq = item_put(&rig, it);
		if (seq == 0)
			usleep(10000);
	}
	CU_ASSERT_NOT_EQUAL(seq, 0);
	CU_ASSERT_EQUAL(item_get(&rig, it), 1);
	CU_ASSERT_FALSE(stats().read_only);
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.message, "work again"));
}

static void
test_failing_disk(void)
{
	static const struct {
		enum fault_op op;
		int error;
	} t[] = {
	    {FAULT_SEGMENT_CREATE, EIO},
	    {FAULT_SEGMENT_WRITE, ENOSPC},
	    {FAULT_SEGMENT_SYNC, EIO},
	    {FAULT_CATALOGUE_BEGIN, EIO},
	    {FAULT_CATALOGUE_COMMIT, ENOSPC},
	};
	struct item old = {.no = 1, .body_len = 800};
	struct item new = {.body_len = 3000000};

	fault_retry_ms = 100;
	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &old), 0);
	for (unsigned i = 0; i < 5; i++) {
		new.no = 10 + i;
		fault_at = t[i].op;
		fault_error = t[i].error;
		fault_hook = fail;
		CU_ASSERT_EQUAL(item_put(&rig, &new), 0);
		CU_ASSERT_TRUE(stats().read_only);
		CU_ASSERT_PTR_NOT_NULL(
		    strstr(rig.message, strerror(fault_error)));
		CU_ASSERT_PTR_NULL(store_put_begin(rig.st, 10));
		/* Hits go on. */
		CU_ASSERT_EQUAL(item_get(&rig, &old), 1);
		CU_ASSERT_EQUAL(item_get(&rig, &new), 0);
		if (t[i].op == FAULT_CATALOGUE_COMMIT) {
			CU_ASSERT_PTR_NOT_NULL(rig_purge(&rig, 1, 1));
		}
		recover(&new);
	}
	CU_ASSERT_EQUAL(item_get(&rig, &old), 1);
	/* One message for the failure, one for its end */
	CU_ASSERT_EQUAL(rig.message_n, 10);
	rig_reopen(&rig);
	for (unsigned i = 0; i < 4; i++) {
		new.no = 10 + i;
		CU_ASSERT_EQUAL(item_get(&rig, &new), 1);
	}
	fault_retry_ms = 5000;
	end();
}

/* A purge of what is there works, though new bodies can't be synced. */
static void
test_purge_on_failing_disk(void)
{
	struct item it = {.no = 1, .body_len = 5000};
	struct item other = {.no = 2, .body_len = 5000};

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	fault_at = FAULT_SEGMENT_SYNC;
	fault_error = EIO;
	fault_hook = fail;
	CU_ASSERT_TRUE(item_put_async(&rig, &other));
	CU_ASSERT_PTR_NULL(rig_purge(&rig, 1, 1));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &other), 0);
	fault_hook = NULL;
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	end();
}

/* A disk smaller than the store was told: it keeps to what there is. */
static unsigned segments_left;

static int
small_disk(enum fault_op op)
{
	if (op != FAULT_SEGMENT_CREATE)
		return 0;
	if (segments_left == 0)
		return ENOSPC;
	segments_left--;
	return 0;
}

static void
test_small_disk(void)
{
	unsigned found = 0;

	rig_init(&rig);
	rig.cfg.size = 128 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	segments_left = 3;
	fault_hook = small_disk;
	for (unsigned i = 0; i < 60; i++) {
		struct item it = {.no = i, .body_len = 900000};

		if (i > 0 && rig.message_n > 0)
			segments_left = 1; /* what was unlinked is free */
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		found += item_get(&rig, &it) == 1;
	}
	fault_hook = NULL;
	CU_ASSERT_EQUAL(found, 60);
	CU_ASSERT_TRUE(stats().evicted > 0);
	CU_ASSERT_EQUAL(rig.message_n, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.message, "disk is full"));
	end();
}

/* Nothing wrong is given out, and it works again when the disk does. */
static void
test_disk_cannot_be_read(void)
{
	static const enum fault_op op[] = {FAULT_SEGMENT_OPEN,
	    FAULT_SEGMENT_READ, FAULT_CATALOGUE_READ};

	for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
		struct item it = {.no = 1, .body_len = 300000};
		struct item small = {.no = 2, .body_len = 700};

		begin();
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &small), 0);
		/* The segment that is filled is open from the start. */
		for (unsigned no = 10; no < 22; no++) {
			struct item more = {.no = no, .body_len = 500000};

			CU_ASSERT_NOT_EQUAL(item_put(&rig, &more), 0);
		}
		rig_reopen(&rig);
		fault_at = op[i];
		fault_error = EIO;
		fault_hook = fail;
		for (unsigned n = 0; n < 3; n++) {
			CU_ASSERT_NOT_EQUAL(item_get(&rig, &it), 1);
			CU_ASSERT_EQUAL(item_get(&rig, &small) == 1,
			    op[i] != FAULT_CATALOGUE_READ);
		}
		fault_hook = NULL;
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
		CU_ASSERT_EQUAL(item_get(&rig, &small), 1);
		end();
	}
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
	if (item_put(&rig, &other) != 0 || !stats().read_only)
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
	end();
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
	end();
}

/* A segment that is cut short while it is read: no bytes, no signal. */
static void
test_cut_segment(void)
{
	struct item it = {.no = 77, .body_len = 500000};
	char path[128];

	begin();
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	snprintf(path, sizeof path, "%s/seg/0001", rig.dir);
	CU_ASSERT_EQUAL(truncate(path, 100000), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), -1);
	end();
}

/* One disk operation after the other fails, once. */
static _Atomic int faults_left;

static int
fail_one(enum fault_op op)
{
	(void)op;
	return --faults_left == 0 ? EIO : 0;
}

static void
put_get_purge(bool *purged)
{
	for (unsigned no = 1; no <= 14; no++) {
		struct item it = {.no = no,
		    .body_len = no % 3 == 0   ? 700
				: no % 3 == 1 ? 40000
					      : 8000000};

		(void)item_put(&rig, &it);
		(void)item_get(&rig, &it);
	}
	*purged = rig_purge(&rig, 1, 13) == NULL;
	rig_reopen(&rig);
}

static void
test_each_fault(void)
{
	/* each at first, then some: there are many writes */
	int step = getenv("COPAL_EACH_FAULT") != NULL ? 1 : 20;
	int n = 0, old = fault_retry_ms;

	fault_retry_ms = 1;
	do {
		bool purged = false;

		begin();
		n += n < 20 ? 1 : step;
		faults_left = n;
		fault_hook = fail_one;
		put_get_purge(&purged);
		fault_hook = NULL;
		if (rig.st == NULL) /* it said why */
			rig_open(&rig);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rig.st);
		for (unsigned no = 1; no <= 14; no++) {
			struct item it = {.no = no,
			    .body_len = no % 3 == 0   ? 700
					: no % 3 == 1 ? 40000
						      : 8000000};
			int got = item_get(&rig, &it);

			/* Right, or not there */
			CU_ASSERT_TRUE(got == 0 || got == 1);
			if (no == 13 && purged)
				CU_ASSERT_EQUAL(got, 0);
		}
		/* And it works again. */
		CU_ASSERT_NOT_EQUAL(
		    item_put(&rig, &(struct item){.no = 99, .body_len = 5000}),
		    0);
		end();
	} while (faults_left <= 0);
	CU_ASSERT_TRUE(n > 30);
	fault_retry_ms = old;
}

static void
test_file_size_limit(void)
{
	int status;
	pid_t pid;

	rig_init(&rig);
	pid = fork();
	if (pid == 0) {
		struct rlimit l = {1 << 20, 1 << 20};
		struct item it = {.no = 1, .body_len = 500};
		struct item large = {.no = 2, .body_len = 50000};
		int bad = 0;

		setrlimit(RLIMIT_FSIZE, &l);
		bad |= !rig_open(&rig);
		bad |= bad || item_put(&rig, &it) == 0;
		bad |= bad || item_put(&rig, &large) != 0;
		bad |= bad || !stats().read_only;
		bad |= bad || item_get(&rig, &it) != 1;
		store_close(&rig.st);
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	end();
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
	CU_add_test(s, "garbage", test_garbage);
	CU_add_test(s, "set aside twice", test_set_aside_twice);
	CU_add_test(s, "verify finds all", test_verify_finds_all);
	CU_add_test(s, "emptied", test_empty);
	CU_add_test(s, "emptied on a failing disk", test_empty_fails);
	CU_add_test(s, "garbage in a mount point", test_garbage_in_place);
	CU_add_test(s, "how it ended before", test_state);
	CU_add_test(s, "kill -9", test_kill);
	CU_add_test(s, "a failing disk", test_failing_disk);
	CU_add_test(s, "a purge on a failing disk", test_purge_on_failing_disk);
	CU_add_test(s, "a small disk", test_small_disk);
	CU_add_test(s, "a disk that cannot be read", test_disk_cannot_be_read);
	CU_add_test(s, "each operation fails once", test_each_fault);
	CU_add_test(s, "a limit on file size", test_file_size_limit);
	CU_add_test(s, "a catalogue cut short in use", test_cut_catalogue);
	CU_add_test(
	    s, "a catalogue cut short, written", test_cut_catalogue_write);
	CU_add_test(s, "a segment cut short in use", test_cut_segment);
}
