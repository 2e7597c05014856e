/*
 * search_key.c - see search_key.h.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "ban.h"
#include "fetch.h"
#include "index.h"
#include "lookup.h"
#include "params.h"
#include "qsbr.h"
#include "search_key.h"
#include "search_variance.h"

enum {
	/*
	 * Paths whose rule is remembered: in rows, whose oldest makes room.  A
	 * path that is forgotten is learned again by its next response.
	 */
	ROWS = 4096,
	WAYS = 4,
};

struct rule {
	struct qsbr_item retire;
	uint64_t path; /* hash of vcl_hash's bytes, without the query */
	uint64_t hash; /* of the rule; never 0 */
	uint32_t len;
	char bytes[];
};

static struct rule *_Atomic table[ROWS][WAYS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of writers */

static struct rule *
rule_find(uint64_t path)
{
	for (unsigned i = 0; i < WAYS; i++) {
		struct rule *r = atomic_load_explicit(&table[path % ROWS][i],
		    memory_order_acquire);

		if (r != NULL && r->path == path)
			return r;
	}
	return NULL;
}

static uint64_t
rule_hash(const char *bytes, size_t len)
{
	return len == 0 ? 0 : XXH3_64bits(bytes, len) | 1;
}

static void
rule_free(struct qsbr_item *i)
{
	free((char *)i - offsetof(struct rule, retire));
}

/* len 0: forgets it.  Without memory, too: that is right, and slower. */
static void
rule_put(uint64_t path, const char *bytes, size_t len)
{
	struct rule *fresh = len > 0 ? malloc(sizeof *fresh + len) : NULL;
	struct rule *old;
	unsigned at = 0;

	if (fresh != NULL) {
		fresh->path = path;
		fresh->hash = rule_hash(bytes, len);
		fresh->len = (uint32_t)len;
		memcpy(fresh->bytes, bytes, len);
	}
	pthread_mutex_lock(&lock);
	while (at < WAYS - 1 && (old = table[path % ROWS][at]) != NULL &&
	    old->path != path)
		at++;
	old = table[path % ROWS][at];
	if (fresh != NULL || (old != NULL && old->path == path)) {
		for (; fresh != NULL && at > 0; at--)
			atomic_store(&table[path % ROWS][at],
			    table[path % ROWS][at - 1]);
		atomic_store_explicit(&table[path % ROWS][at], fresh,
		    memory_order_release);
	} else {
		old = NULL;
	}
	pthread_mutex_unlock(&lock);
	if (old != NULL)
		qsbr_retire(&old->retire, rule_free);
}

/* --- keys ---------------------------------------------------------------- */

/* Where in what vcl_hash said the whole target is; false: it is not. */
static bool
find_target(struct str plain, struct str target, size_t *at)
{
	size_t i = 0;

	while (i < plain.len) {
		const char *nul = memchr(plain.p + i, '\0', plain.len - i);
		size_t len = nul != NULL ? (size_t)(nul - plain.p) - i :
		    plain.len - i;

		if (str_eq(str_of(plain.p + i, len), target)) {
			*at = i;
			return true;
		}
		i += len + 1;
	}
	return false;
}

static struct str
path_of(struct str target)
{
	const char *mark = memchr(target.p, '?', target.len);

	return mark == NULL ? target :
	    str_of(target.p, (size_t)(mark - target.p));
}

static uint64_t
hash_of_path(struct str plain, const struct search_use *u, struct str path)
{
	uint64_t h = XXH3_64bits(plain.p, u->at);

	h = XXH3_64bits_withSeed(path.p, path.len, h);
	return XXH3_64bits_withSeed(plain.p + u->at + u->len,
	    plain.len - u->at - u->len, h);
}

/* p NULL: no room */
static struct str
key_under(struct str rule, struct str plain, const struct search_use *u,
    struct arena *a)
{
	struct str target = search_apply(rule, str_of(plain.p + u->at, u->len),
	    a);
	size_t rest = plain.len - u->at - u->len, n;
	char *bytes;

	if (target.p == NULL)
		return STR_NULL;
	bytes = arena_bytes(a, plain.len + target.len + 32);
	if (bytes == NULL)
		return STR_NULL;
	memcpy(bytes, plain.p, u->at);
	memcpy(bytes + u->at, target.p, target.len);
	n = u->at + target.len;
	memcpy(bytes + n, plain.p + u->at + u->len, rest);
	n += rest;
	n += (size_t)snprintf(bytes + n, 32, "search:%016llx",
	    (unsigned long long)rule_hash(rule.p, rule.len)) + 1;
	return str_of(bytes, n);
}

static void
make(struct str plain, struct str target, struct arena *a,
    struct search_use *u, struct key *key)
{
	struct str bytes = STR_NULL;
	const struct rule *r;
	size_t at;

	*u = (struct search_use){.plain = STR_NULL};
	if (params->no_vary_search && find_target(plain, target, &at)) {
		u->plain = plain;
		u->at = (uint32_t)at;
		u->len = (uint32_t)target.len;
		u->path = hash_of_path(plain, u, path_of(target));
		r = rule_find(u->path);
		if (r != NULL)
			bytes = key_under(str_of(r->bytes, r->len), plain, u,
			    a);
		if (bytes.p != NULL)
			u->rule = r->hash;
	}
	key_make(key, bytes.p != NULL ? bytes : plain);
}

void
search_key_make(struct request *req, struct str plain)
{
	make(plain, req->http.target, &req->ws, &req->search, &req->key);
}

void
search_key_of(struct request *req, struct str plain, struct str target,
    struct search_use *u, struct key *key)
{
	make(plain, target, &req->ws, u, key);
}

bool
search_key_is_old(const struct request *req)
{
	const struct rule *r;

	if (req->search.plain.p == NULL)
		return false;
	r = rule_find(req->search.path);
	return (r != NULL ? r->hash : 0) != req->search.rule;
}

/* --- purges -------------------------------------------------------------- */

enum { TAG_LEN = 7 + 16 };

static struct str
tag_of(uint64_t path, char buf[TAG_LEN + 1])
{
	snprintf(buf, TAG_LEN + 1, "search:%016llx", (unsigned long long)path);
	return str_of(buf, TAG_LEN);
}

void
search_family_of(const struct search_use *u, struct search_family *f)
{
	struct key plain;

	*f = (struct search_family){.is_used = u->plain.p != NULL};
	if (!f->is_used)
		return;
	key_make(&plain, u->plain);
	memcpy(f->plain, plain.hash, sizeof f->plain);
	f->has_rule = u->rule != 0;
	f->path = u->path;
}

int
search_family_purge(const struct search_family *f,
    const struct inval_limits *soft, struct purged *done, char *err)
{
	char buf[TAG_LEN + 1];
	struct purged one;

	if (!f->is_used)
		return 0;
	if (tags_purge_list(tag_of(f->path, buf), soft != NULL, &one, err) !=
	    0)
		return -1;
	done->objects += one.objects;
	done->seq = one.seq;
	if (!f->has_rule)
		return 0;
	if (purge_key(f->plain, soft, &one, err) != 0)
		return -1;
	done->objects += one.objects;
	done->seq = one.seq;
	return 0;
}

bool
search_family_tag(struct fetch *f, struct str *tag)
{
	char buf[TAG_LEN + 1];

	*tag = STR_NULL;
	if (f->search.rule == 0)
		return true;
	*tag = arena_strdup(&f->ws, tag_of(f->search.path, buf));
	return tag->p != NULL;
}

/* --- what a response teaches --------------------------------------------- */

/*
 * To the key that the new rule makes.  Who waits at the old one looks again,
 * and then waits at this one.
 */
static void
move(struct fetch *f, struct str bytes)
{
	struct claim *old = f->busy, *claimed;

	key_make(&f->key, bytes);
	f->key_is_plain = false;
	if (old == NULL)
		return;
	index_fetch_ends(f);
	f->busy = NULL;
	if (index_claim(&f->key, &claimed) == CLAIM_GRANTED) {
		f->busy = claimed;
		index_fetch_begins(claimed, f);
		/* of a purge of this key we were not told */
		if (purge_count() != f->purges)
			f->purged = true;
	}
	index_release(&old);
}

void
search_key_learn(struct fetch *f)
{
	struct search_use *u = &f->search;
	char rule[SEARCH_RULE_MAX];
	struct str bytes;
	uint64_t hash;
	size_t n;

	if (u->plain.p == NULL || f->uncacheable || f->no_store || f->is_pass ||
	    !params->no_vary_search)
		return;
	n = search_rule(&f->beresp, rule);
	hash = rule_hash(rule, n);
	if (hash == u->rule)
		return;
	bytes = n == 0 ? u->plain :
	    key_under(str_of(rule, n), u->plain, u, &f->ws);
	rule_put(u->path, rule, n);
	u->rule = hash;
	/* what it is a part of, or stored as, is under the old key */
	if (bytes.p == NULL || f->was_304 || f->blocks.range.p != NULL)
		f->no_store = true;
	else
		move(f, bytes);
}
