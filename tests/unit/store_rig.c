/*
 * store_rig.c - see store_rig.h.
 */
#include "store_rig.h"

#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

/* The largest store of a test, with what was set aside beside it */
#define ROOM_MIN (512ULL << 20)
enum { DEPTH = 8 }; /* of folders that are open at a time */

/* Where memory is made short (alloc_sweep.c), the rig gets it all the same. */
static void *
need(size_t n)
{
	void *p;

	while ((p = malloc(n)) == NULL)
		continue;
	return p;
}

static void
on_gone(void *priv, const uint8_t hash[STORE_HASH_LEN], uint64_t seq)
{
	struct rig *r = priv;

	(void)hash;
	(void)seq;
	r->gone_n++;
}

static void
on_message(void *priv, const char *text)
{
	struct rig *r = priv;

	r->message_n++;
	snprintf(r->message, sizeof r->message, "%s", text);
}

/*
 * A commit waits for the disk, and the tests wait for thousands of them.
 * What a sync does is for tests/unit/power_cut, not for these.
 */
static bool
has_room(const char *dir)
{
	struct statvfs v;

	return statvfs(dir, &v) == 0 && access(dir, W_OK) == 0 &&
	       (uint64_t)v.f_bavail * v.f_bsize >= ROOM_MIN;
}

void
rig_init(struct rig *r)
{
	*r = (struct rig){0};
	snprintf(r->dir, sizeof r->dir, "%s/copal-test-store-XXXXXX",
	    has_room("/dev/shm") ? "/dev/shm" : "/tmp");
	if (mkdtemp(r->dir) == NULL)
		perror("mkdtemp");
	r->cfg = (struct store_config){
	    .name = "s0",
	    .dir = r->dir,
	    .size = RIG_SIZE,
	    .on_gone = on_gone,
	    .on_message = on_message,
	    .priv = r,
	};
}

static int
remove_one(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	(void)sb;
	(void)type;
	(void)ftw;
	if (remove(path) != 0)
		perror(path);
	return 0;
}

/* Without a shell: a fork of a large process takes longer than most tests. */
void
rig_fini(struct rig *r)
{
	char pattern[128];
	glob_t g;

	store_close(&r->st);
	snprintf(pattern, sizeof pattern, "%s*", r->dir); /* .bad-* */
	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			nftw(g.gl_pathv[i], remove_one, DEPTH,
			    FTW_DEPTH | FTW_PHYS);
	globfree(&g);
}

bool
rig_open(struct rig *r)
{
	r->st = store_open(&r->cfg, r->err);
	return r->st != NULL;
}

void
rig_begin(struct rig *r)
{
	rig_init(r);
	if (rig_open(r))
		return;
	fprintf(stderr, "the store can't be opened: %s\n", r->err);
	abort();
}

void
rig_reopen(struct rig *r)
{
	store_close(&r->st);
	rig_open(r);
}

struct store_stats
rig_stats(const struct rig *r)
{
	struct store_stats s;

	store_stats(r->st, &s);
	return s;
}

static unsigned
names_like(const char *dir, const char *end)
{
	char pattern[128];
	unsigned n;
	glob_t g;

	snprintf(pattern, sizeof pattern, "%s%s", dir, end);
	n = glob(pattern, 0, NULL, &g) == 0 ? (unsigned)g.gl_pathc : 0;
	globfree(&g);
	return n;
}

unsigned
rig_set_aside_n(const struct rig *r)
{
	return names_like(r->dir, "*bad-*") + names_like(r->dir, "/*bad-*");
}

static uint64_t
folder_bytes(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	uint64_t sum = 0;
	struct stat sb;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (fstatat(dirfd(d), e->d_name, &sb, 0) == 0 &&
		    S_ISREG(sb.st_mode) && strcmp(e->d_name, "lock.mdb") != 0)
			sum += (uint64_t)sb.st_size;
	closedir(d);
	return sum;
}

uint64_t
rig_disk_bytes(const struct rig *r)
{
	char path[128];
	uint64_t sum;

	snprintf(path, sizeof path, "%s/cat", r->dir);
	sum = folder_bytes(path);
	snprintf(path, sizeof path, "%s/seg", r->dir);
	return sum + folder_bytes(path);
}

void
item_hash(unsigned no, uint8_t hash[STORE_HASH_LEN])
{
	XXH128_hash_t h = XXH3_128bits(&no, sizeof no);

	memcpy(hash, &h, STORE_HASH_LEN);
}

/* p as malloc gives it.  In words: a suite fills some hundred MB. */
static void
fill(void *p, size_t len, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1, *word = p;
	size_t n = len / sizeof x;

	for (size_t i = 0; i <= n; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		if (i < n)
			word[i] = x;
		else
			memcpy(word + n, &x, len % sizeof x);
	}
}

char *
item_body(const struct item *it)
{
	char *p = need(it->body_len + 1);

	fill(p, it->body_len, it->no * 1000ULL + it->version);
	return p;
}

/* Strings of a meta: key begins with the number, head with the version. */
static struct str
item_key(const struct item *it, char *buf)
{
	size_t len = it->key_len > 16 ? it->key_len : 16;

	memset(buf, 'k', len);
	buf[snprintf(buf, 16, "/%u", it->no)] = ' ';
	return str_of(buf, len);
}

static struct str
item_head(const struct item *it, char *buf)
{
	size_t len = it->head_len > 16 ? it->head_len : 16;

	memset(buf, 'h', len);
	buf[snprintf(buf, 16, "v%u", it->version)] = ' ';
	return str_of(buf, len);
}

struct putting {
	struct store_put *put;
	char *body, *key, *head;
	sem_t *sem; /* NULL: nobody waits */
	uint64_t *seq;
};

static void
put_free(struct putting *p)
{
	free(p->body);
	free(p->key);
	free(p->head);
	free(p);
}

static void
put_done(void *priv, uint64_t seq)
{
	struct putting *p = priv;

	if (p->seq != NULL)
		*p->seq = seq;
	if (p->sem != NULL)
		sem_post(p->sem);
	put_free(p);
}

static bool
put_pieces(struct putting *p, size_t len)
{
	for (size_t at = 0; at < len; at += RIG_PIECE) {
		size_t n = len - at < RIG_PIECE ? len - at : RIG_PIECE;

		if (!store_put_piece(
			p->put, p->body + at, (uint32_t)n, NULL, NULL))
			return false;
	}
	return true;
}

static bool
item_start(struct rig *r, const struct item *it, sem_t *sem, uint64_t *seq)
{
	struct putting *p = need(sizeof *p);
	struct store_meta m = {
	    .t_origin = 1e9 + it->no,
	    .ttl = it->ttl > 0 ? it->ttl : 60,
	    .grace = 10,
	    .keep = 20,
	    .status = 200,
	    .flags = it->version,
	    .inval_seq = it->inval_seq,
	    .vary = str_from_z(it->vary),
	};
	struct str in = STR_NULL;

	*p = (struct putting){.body = item_body(it)};
	p->key = need(it->key_len + 32);
	p->head = need(it->head_len + 32);
	p->sem = sem;
	p->seq = seq;
	m.key = item_key(it, p->key);
	m.head = item_head(it, p->head);
	item_hash(it->no, m.hash);
	p->put = store_put_begin(r->st, it->body_len);
	if (p->put == NULL) {
		put_free(p);
		return false;
	}
	if (it->body_len <= STORE_INLINE_MAX)
		in = str_of(p->body, it->body_len);
	else if (!put_pieces(p, it->body_len)) {
		/* What was queued before still needs its bytes. */
		store_put_abort(&p->put);
		store_sync(r->st);
		put_free(p);
		return false;
	}
	store_put_commit(&p->put, &m, in, put_done, p);
	return true;
}

uint64_t
item_put(struct rig *r, const struct item *it)
{
	uint64_t seq = 0;
	sem_t sem;

	sem_init(&sem, 0, 0);
	if (item_start(r, it, &sem, &seq)) {
		store_sync(r->st);
		sem_wait(&sem);
	}
	sem_destroy(&sem);
	return seq;
}

bool
item_put_async(struct rig *r, const struct item *it)
{
	return item_start(r, it, NULL, NULL);
}

static bool
item_matches(void *priv, const struct store_meta *m)
{
	const struct item *it = priv;
	char *buf = need(it->key_len + 32);
	bool same = str_eq(m->key, item_key(it, buf)) &&
		    str_eq(m->vary, str_from_z(it->vary)) &&
		    (m->vary.p == NULL) == (it->vary == NULL);

	free(buf);
	return same;
}

static bool
body_is_right(
    struct rig *r, const struct store_object *o, const struct item *it)
{
	/* No more than it needs: a MiB is long in the making. */
	char *want = item_body(it), *buf = need(it->body_len + 1);
	uint64_t at = 0;
	bool ok = o->meta.body_len == it->body_len;

	if (ok && o->inline_body.p != NULL)
		ok = str_eq(o->inline_body, str_of(want, it->body_len));
	else
		for (unsigned i = 0; ok && i < o->extent_n; i++) {
			const struct extent *e = &o->extent[i];

			ok = e->body_at == at && at + e->len <= it->body_len &&
			     extent_read(r->st, e, buf) == 0 &&
			     extent_verify(r->st, e) == 0 &&
			     !memcmp(buf, want + at, e->len);
			at += e->len;
		}
	if (ok && o->inline_body.p == NULL)
		ok = at == it->body_len;
	free(buf);
	free(want);
	return ok;
}

int
item_get(struct rig *r, const struct item *it)
{
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	char *buf = need(it->head_len + 32);
	int rc;

	item_hash(it->no, hash);
	rc = store_lookup(r->st, hash, item_matches, (void *)it, &o);
	if (rc == 1) {
		if ((!r->churning && !store_may_have(r->st, hash)) ||
		    o->meta.flags != it->version ||
		    o->meta.t_origin != 1e9 + it->no ||
		    o->meta.inval_seq != it->inval_seq ||
		    !str_eq(o->meta.head, item_head(it, buf)) ||
		    !body_is_right(r, o, it))
			rc = -1;
		store_object_free(&o);
	}
	free(buf);
	return rc;
}

struct waiting {
	sem_t sem;
	const char *error;
	unsigned objects;
};

static void
inval_done(void *priv, const char *error, unsigned objects)
{
	struct waiting *w = priv;

	w->error = error;
	w->objects = objects;
	sem_post(&w->sem);
}

static const char *
append(struct rig *r, const struct inval *i, unsigned *objects)
{
	struct waiting w = {.error = NULL};

	sem_init(&w.sem, 0, 0);
	store_inval_append(r->st, i, inval_done, &w);
	sem_wait(&w.sem);
	sem_destroy(&w.sem);
	*objects = w.objects;
	return w.error;
}

const char *
rig_purge(struct rig *r, uint64_t seq, unsigned no)
{
	uint8_t hash[STORE_HASH_LEN];
	struct inval i = {.seq = seq, .at = 1.5, .kind = INVAL_PURGE};
	unsigned n;

	item_hash(no, hash);
	i.text = str_of((char *)hash, STORE_HASH_LEN);
	return append(r, &i, &n);
}

const char *
rig_soft_purge(struct rig *r, uint64_t seq, unsigned no, double at,
    struct inval_limits limits, unsigned *objects)
{
	uint8_t hash[STORE_HASH_LEN];
	struct inval i = {
	    .seq = seq, .at = at, .kind = INVAL_SOFT, .limits = limits};

	item_hash(no, hash);
	i.text = str_of((char *)hash, STORE_HASH_LEN);
	return append(r, &i, objects);
}

const char *
rig_ban(struct rig *r, uint64_t seq, struct str text)
{
	struct inval i = {
	    .seq = seq, .at = 1.5, .kind = INVAL_BAN, .text = text};
	unsigned n;

	return append(r, &i, &n);
}
