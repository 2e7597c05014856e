/*
 * query.c - see query.h.
 *
 *	key    what vcl_hash said, "QUERY", SHA-256 of the body and of the
 *	       fields that say how to read it
 *
 * A hash that can be made to collide would give one client what another one
 * has asked for.
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "fetch.h"
#include "lookup.h"
#include "params.h"
#include "query.h"
#include "req_body.h"
#include "tags.h"

static const char hex[] = "0123456789abcdef";

/* Fetches whose result may be kept: no tag counts them yet. */
static _Atomic unsigned fetches;

static void
put_hex(char *to, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*to++ = hex[bytes[i] >> 4];
		*to++ = hex[bytes[i] & 15];
	}
}

enum { FAMILY_LEN = 6 + 2 * STORE_HASH_LEN };

static struct str
family_of(const uint8_t hash[STORE_HASH_LEN], char buf[FAMILY_LEN])
{
	memcpy(buf, "query:", 6);
	put_hex(buf + 6, hash, STORE_HASH_LEN);
	return str_of(buf, FAMILY_LEN);
}

/* The body and its metadata; each field's end can't be in it. */
static void
hash_of(struct request *req, struct str body, char out[64])
{
	static const enum field_id meta[] = {FIELD_CONTENT_TYPE,
	    FIELD_CONTENT_ENCODING};
	uint8_t sum[SHA256_DIGEST_LENGTH], all[sizeof sum * 3] = {0};

	SHA256((const uint8_t *)(body.p != NULL ? body.p : ""), body.len, sum);
	memcpy(all, sum, sizeof sum);
	for (size_t i = 0; i < sizeof meta / sizeof *meta; i++) {
		struct str v = http_get_list(&req->http, meta[i], &req->ws);

		if (v.p == NULL)
			continue;
		SHA256((const uint8_t *)v.p, v.len, sum);
		memcpy(all + sizeof sum * (i + 1), sum, sizeof sum);
	}
	SHA256(all, sizeof all, sum);
	put_hex(out, sum, sizeof sum);
}

bool
query_make_key(struct request *req)
{
	char hash[64], family[FAMILY_LEN];
	struct str tag = family_of(req->key.hash, family);
	struct str key = req->key.bytes, body;
	char *bytes;
	size_t n;

	if (params->query_body_max == 0 || req->ctx.dry ||
	    !req_body_try(req, params->query_body_max, &body))
		return false;
	bytes = arena_bytes(&req->ws, key.len + 6 + sizeof hash + 1);
	req->query_family = arena_strdup(&req->ws, tag);
	if (bytes == NULL || req->query_family.p == NULL)
		return false;
	hash_of(req, body, hash);
	memcpy(bytes, key.p, key.len);
	n = key.len;
	memcpy(bytes + n, "QUERY:", 6);
	memcpy(bytes + n + 6, hash, sizeof hash);
	n += 6 + sizeof hash;
	bytes[n++] = '\0';
	key_make(&req->key, str_of(bytes, n));
	req->search.plain = STR_NULL; /* it is made of another body's, too */
	req->query_body = body;
	req->is_query = true;
	return true;
}

bool
query_begin(struct fetch *f, const struct request *req)
{
	struct str body = req->query_body;

	f->query_family = arena_strdup(&f->ws, req->query_family);
	f->own_body = malloc(body.len + 1);
	if (f->query_family.p == NULL || f->own_body == NULL)
		return false;
	if (body.len > 0)
		memcpy(f->own_body, body.p, body.len);
	f->own_body_len = body.len;
	f->has_body = req->framing.body != H1_NONE;
	atomic_fetch_add(&fetches, 1);
	f->is_query = true;
	return true;
}

void
query_end(struct fetch *f)
{
	if (f->is_query)
		atomic_fetch_sub(&fetches, 1);
	free(f->own_body);
}

int
query_purge(const uint8_t hash[STORE_HASH_LEN], bool soft,
    struct purged *done, char *err)
{
	char buf[FAMILY_LEN];
	struct str family = family_of(hash, buf);
	struct purged queries;

	/* nothing to do is the rule: it must not cost a commit */
	if (atomic_load(&fetches) == 0 && tags_objects(tag_hash(family)) == 0)
		return 0;
	if (tags_purge_list(family, soft, &queries, err) != 0)
		return -1;
	done->objects += queries.objects;
	if (queries.seq != 0)
		done->seq = queries.seq;
	return 0;
}
