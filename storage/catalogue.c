/*
 * catalogue.c - the LMDB environment itself: opened, checked, measured; its
 * transactions.  What is in it: catalogue_object.c, catalogue_inval.c.
 *
 * Flags: MDB_NORDAHEAD, because a fault in the map would else read megabytes
 * (a first hit of 1 ms became 61); MDB_NOTLS, because read transactions are
 * handed between threads.  Durability is LMDB's default: whatever is weaker
 * was seen to lose the whole file in a power cut.
 */
#include "catalogue.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "catalogue_key.h"
#include "fault.h"

enum {
	READERS_MAX = 1024,
	DBI_MAX = 16,
	SEED_LEN = 8,
};

/* Only address space: never the limit, as a delete needs pages too. */
static const uint64_t map_min = 64ULL << 30;

static void __attribute__((format(printf, 2, 3)))
explain(char err[STORE_ERR_LEN], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, STORE_ERR_LEN, fmt, ap);
	va_end(ap);
}

static int
open_dbis(struct catalogue *c, MDB_txn *txn)
{
	struct {
		const char *name;
		MDB_dbi *dbi;
	} t[] = {
	    {"obj", &c->obj},
	    {"ext", &c->ext},
	    {"idx", &c->idx},
	    {"sobj", &c->sobj},
	    {"seg", &c->seg},
	    {"stale", &c->stale},
	    {"inval", &c->inval},
	    {"dict", &c->dict},
	    {"meta", &c->meta},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		int rc = mdb_dbi_open(txn, t[i].name, MDB_CREATE, t[i].dbi);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
meta_get(struct catalogue *c, MDB_txn *txn, const char *name, uint64_t *out)
{
	MDB_val k = {strlen(name), (void *)name}, v;
	int rc = mdb_get(txn, c->meta, &k, &v);

	if (rc != 0)
		return rc;
	return val_u64(&v, out) ? 0 : MDB_CORRUPTED;
}

static int
meta_put(struct catalogue *c, MDB_txn *txn, const char *name, uint64_t n)
{
	MDB_val k = {strlen(name), (void *)name}, v = {8, &n};

	return mdb_put(txn, c->meta, &k, &v, 0);
}

/* The format, and numbers that were drawn when the store was made */
static int
read_meta(struct catalogue *c, MDB_txn *txn, bool *known)
{
	uint64_t format, page = 0, seed;
	MDB_stat st;
	int rc = meta_get(c, txn, "format", &format);

	*known = true;
	if (rc == MDB_NOTFOUND) {
		if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
			return errno;
		mdb_env_stat(c->env, &st);
		c->vhash_seed = seed;
		c->next_seq = 1;
		rc = meta_put(c, txn, "format", CATALOGUE_FORMAT);
		if (rc == 0)
			rc = meta_put(c, txn, "page_size", st.ms_psize);
		if (rc == 0)
			rc = meta_put(c, txn, "seed", seed);
		if (rc == 0)
			rc = meta_put(c, txn, "next_seq", c->next_seq);
		return rc;
	}
	if (rc != 0)
		return rc;
	if (format != CATALOGUE_FORMAT) {
		*known = false;
		return 0;
	}
	rc = meta_get(c, txn, "page_size", &page);
	if (rc == 0 && page != CATALOGUE_PAGE)
		*known = false;
	if (rc == 0)
		rc = meta_get(c, txn, "seed", &c->vhash_seed);
	if (rc == 0)
		rc = meta_get(c, txn, "next_seq", &c->next_seq);
	/* Without its numbers it is no catalogue of ours. */
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static enum catalogue_status
status_of(int rc)
{
	switch (rc) {
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_PANIC:
	case MDB_BAD_DBI:
	case EINVAL:
		return CATALOGUE_BAD;
	default:
		return CATALOGUE_ERROR;
	}
}

static int
open_env(struct catalogue *c, const char *path, uint64_t map,
    MDB_assert_func *on_assert, void *priv)
{
	int rc = mdb_env_create(&c->env), dead;

	if (rc != 0)
		return rc;
	mdb_env_set_userctx(c->env, priv);
	mdb_env_set_assert(c->env, on_assert);
	mdb_env_set_maxreaders(c->env, READERS_MAX);
	mdb_env_set_maxdbs(c->env, DBI_MAX);
	rc = mdb_env_set_mapsize(c->env, map);
	if (rc == 0)
		rc =
		    mdb_env_open(c->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc == 0)
		rc = mdb_reader_check(c->env, &dead);
	if (rc != 0) {
		mdb_env_close(c->env);
		c->env = NULL;
	}
	return rc;
}

/*
 * Pages that the file lacks would kill whoever looks at them (SIGBUS): they
 * are made, of zeros, which no page may be.  A file may be a little short by
 * right, as LMDB leaves out pages that were given up in the transaction that
 * made them; so the check has the last word.
 */
static int
make_whole(struct catalogue *c)
{
	MDB_envinfo info;
	MDB_stat ms;
	struct stat st;
	uint64_t size;
	int fd, rc = mdb_env_info(c->env, &info);

	if (rc == 0)
		rc = mdb_env_stat(c->env, &ms);
	if (rc == 0)
		rc = mdb_env_get_fd(c->env, &fd);
	if (rc != 0)
		return rc;
	if (fstat(fd, &st) != 0)
		return errno;
	size = (info.me_last_pgno + 1) * ms.ms_psize;
	if (size > info.me_mapsize)
		return MDB_CORRUPTED;
	if ((uint64_t)st.st_size >= size)
		return 0;
	c->was_short = true;
	return ftruncate(fd, (off_t)size) == 0 ? 0 : errno;
}

enum catalogue_status
catalogue_open(struct catalogue *c, const char *path, uint64_t store_size,
    MDB_assert_func *on_assert, void *priv, char err[STORE_ERR_LEN])
{
	uint64_t map = store_size > map_min ? store_size : map_min;
	MDB_txn *txn = NULL;
	bool known = true;
	int rc;

	*c = (struct catalogue){0};
	rc = open_env(c, path, map, on_assert, priv);
	/* Where address space is rationed, the store's size will do. */
	if (rc == ENOMEM && map > store_size)
		rc = open_env(c, path, store_size, on_assert, priv);
	if (rc != 0) {
		explain(err, "%s: %s", path, mdb_strerror(rc));
		return status_of(rc);
	}
	rc = make_whole(c);
	if (rc == 0)
		rc = mdb_txn_begin(c->env, NULL, 0, &txn);
	if (rc == 0)
		rc = open_dbis(c, txn);
	if (rc == 0)
		rc = read_meta(c, txn, &known);
	if (rc == 0 && known) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	if (txn != NULL)
		mdb_txn_abort(txn);
	if (rc != 0 || !known) {
		mdb_env_close(c->env);
		c->env = NULL;
		explain(err, "%s: %s", path,
		    rc != 0 ? mdb_strerror(rc)
			    : "written by another version of the store, or for "
			      "another page size");
		return rc != 0 ? status_of(rc) : CATALOGUE_BAD;
	}
	pthread_mutex_init(&c->mtx, NULL);
	return CATALOGUE_OK;
}

void
catalogue_close(struct catalogue *c)
{
	if (c->env == NULL)
		return;
	while (c->idle_n > 0)
		mdb_txn_abort(c->idle[--c->idle_n]);
	free(c->idle);
	pthread_mutex_destroy(&c->mtx);
	mdb_env_close(c->env);
	c->env = NULL;
}

/* Reads every key and value of a database, so that each page is visited. */
static int
walk(MDB_txn *txn, MDB_dbi dbi, uint64_t *entries)
{
	MDB_cursor *cur;
	MDB_val k, v;
	MDB_stat st;
	uint64_t n = 0;
	int rc = mdb_stat(txn, dbi, &st);

	if (rc == 0)
		rc = mdb_cursor_open(txn, dbi, &cur);
	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
		/* Also the page that a long value is on */
		if (v.mv_size > 0)
			(void)*(volatile uint8_t *)v.mv_data;
		n++;
	}
	mdb_cursor_close(cur);
	*entries = n;
	if (rc != MDB_NOTFOUND)
		return rc;
	return n == st.ms_entries ? 0 : MDB_CORRUPTED;
}

bool
catalogue_check(struct catalogue *c, char err[STORE_ERR_LEN])
{
	/* 0 is LMDB's own list of free pages. */
	MDB_dbi dbi[] = {0, c->obj, c->ext, c->idx, c->sobj, c->seg, c->stale,
	    c->inval, c->dict, c->meta};
	uint64_t n;
	MDB_txn *txn;
	int rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);

	if (rc == 0) {
		for (size_t i = 0; rc == 0 && i < sizeof dbi / sizeof dbi[0];
		     i++)
			rc = walk(txn, dbi[i], &n);
		mdb_txn_abort(txn);
	}
	/* Allocation and the way to the disk, too */
	if (rc == 0)
		rc = mdb_txn_begin(c->env, NULL, 0, &txn);
	if (rc == 0) {
		rc = meta_put(c, txn, "next_seq", c->next_seq);
		if (rc == 0)
			rc = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	if (rc != 0)
		explain(err, "%s", mdb_strerror(rc));
	return rc == 0;
}

uint64_t
catalogue_live(struct catalogue *c, MDB_txn *txn)
{
	MDB_dbi dbi[] = {0, c->obj, c->ext, c->idx, c->sobj, c->seg, c->stale,
	    c->inval, c->dict, c->meta};
	uint64_t live = 2; /* the two meta pages */
	MDB_stat st;

	for (size_t i = 0; i < sizeof dbi / sizeof dbi[0]; i++)
		if (mdb_stat(txn, dbi[i], &st) == 0)
			live += st.ms_branch_pages + st.ms_leaf_pages +
				st.ms_overflow_pages;
	return live;
}

uint64_t
catalogue_file(struct catalogue *c)
{
	MDB_envinfo info;

	mdb_env_info(c->env, &info);
	return info.me_last_pgno + 1;
}

uint64_t
catalogue_vhash(const struct catalogue *c, struct str key, struct str vary)
{
	uint64_t h =
	    XXH3_64bits_withSeed(key.p ? key.p : "", key.len, c->vhash_seed);

	/* No vary and an empty one are two variants. */
	if (vary.p == NULL)
		return h ^ 1;
	return XXH3_64bits_withSeed(vary.p, vary.len, h);
}

MDB_txn *
catalogue_read(struct catalogue *c, int *rc)
{
	MDB_txn *txn = NULL;

	*rc = atomic_load(&c->lost) ? EIO : fault(FAULT_CATALOGUE_READ);
	if (*rc != 0)
		return NULL;
	pthread_mutex_lock(&c->mtx);
	if (c->idle_n > 0)
		txn = c->idle[--c->idle_n];
	pthread_mutex_unlock(&c->mtx);
	if (txn == NULL) {
		*rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);
		return *rc == 0 ? txn : NULL;
	}
	*rc = mdb_txn_renew(txn);
	if (*rc != 0) {
		mdb_txn_abort(txn);
		return NULL;
	}
	return txn;
}

void
catalogue_read_end(struct catalogue *c, MDB_txn *txn)
{
	mdb_txn_reset(txn);
	pthread_mutex_lock(&c->mtx);
	if (c->idle_n == c->idle_room) {
		unsigned room = c->idle_room * 2 + 8;
		MDB_txn **idle = realloc(c->idle, room * sizeof *idle);

		if (idle != NULL) {
			c->idle = idle;
			c->idle_room = room;
		}
	}
	if (c->idle_n < c->idle_room) {
		c->idle[c->idle_n++] = txn;
		txn = NULL;
	}
	pthread_mutex_unlock(&c->mtx);
	if (txn != NULL)
		mdb_txn_abort(txn);
}

int
catalogue_begin(struct catalogue *c, MDB_txn **txn)
{
	int rc = atomic_load(&c->lost) ? EIO : fault(FAULT_CATALOGUE_BEGIN);

	c->delta_n = 0;
	return rc != 0 ? rc : mdb_txn_begin(c->env, NULL, 0, txn);
}

void
catalogue_abort(struct catalogue *c, MDB_txn *txn)
{
	c->delta_n = 0;
	mdb_txn_abort(txn);
}

int
catalogue_commit(struct catalogue *c, MDB_txn *txn)
{
	int rc = delta_flush(c, txn);

	if (rc == 0)
		rc = meta_put(c, txn, "next_seq", c->next_seq);
	if (rc == 0)
		rc = fault(FAULT_CATALOGUE_COMMIT);
	if (rc != 0) {
		catalogue_abort(c, txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}
