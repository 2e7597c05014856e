/*
 * sample.c - see sample.h.
 */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "inval_log.h"
#include "stevedore.h"

enum {
	/* Who asks waits that long at most, and with him the manager. */
	DISK_SECONDS = 5,
	CLOCK_EVERY = 64, /* records between two looks at the clock */
};

static void
add(struct sample *s, const struct object *o, struct str key)
{
	struct sample_one *one = &s->one[s->n];

	if (s->n == SAMPLE_MAX)
		return;
	one->key = malloc(key.len + 1);
	if (one->key == NULL)
		return;
	memcpy(one->key, key.p, key.len);
	one->key_len = key.len;
	one->status = o->http.status;
	one->is_variant = o->vary.len > 0;
	s->n++;
}

void
sample_take_memory(struct sample *s, sample_hits *is_hit, void *priv)
{
	struct object *some[SAMPLE_MAX];
	unsigned n;
	char *mem = NULL;
	size_t cap = 0;

	*s = (struct sample){0};
	/* one walk at a time */
	inval_log_lock();
	s->objects = stevedores_count(is_hit, priv, some, SAMPLE_MAX, &n);
	inval_log_unlock();
	for (unsigned i = 0; i < n; i++) {
		struct str key;

		/* what has left since is none any more */
		if (index_key(some[i], &mem, &cap, &key))
			add(s, some[i], key);
		object_unref(&some[i]);
	}
	free(mem);
}

static void
look_at_stored(struct sample *s, struct stevedore *stv,
    const struct store_object *so, sample_hits *is_hit, void *priv)
{
	const struct store_meta *m = &so->meta;
	struct object *o;

	if (index_holds(m->hash, stv, so->seq))
		return;
	o = object_from_bytes(m->head, m->vary);
	if (o == NULL)
		return;
	memcpy(o->hash, m->hash, sizeof o->hash);
	o->t_origin = m->t_origin;
	o->ttl = m->ttl;
	o->grace = m->grace;
	o->keep = m->keep;
	if (is_hit(priv, o)) {
		s->objects++;
		s->on_disk++;
		add(s, o, m->key);
	}
	object_unref(&o);
}

static void
walk_store(struct sample *s, struct stevedore *stv, nsec_t until,
    sample_hits *is_hit, void *priv)
{
	struct store_object *so;
	uint64_t seq = 0;
	int r;

	for (unsigned n = 1; (r = store_next(stv->store, &seq, &so)) == 1;
	    n++) {
		if (so != NULL)
			look_at_stored(s, stv, so, is_hit, priv);
		store_object_free(&so);
		if (n % CLOCK_EVERY == 0 && clock_mono() > until) {
			s->is_partial = true;
			return;
		}
	}
	if (r < 0)
		s->is_partial = true;
}

void
sample_take(struct sample *s, sample_hits *is_hit, void *priv)
{
	nsec_t until = clock_mono() + NSEC_S(DISK_SECONDS);

	sample_take_memory(s, is_hit, priv);
	for (unsigned i = 0; i < stevedore_count(); i++)
		if (stevedore_at(i)->store != NULL)
			walk_store(s, stevedore_at(i), until, is_hit, priv);
}

/* The next part of a key, which end in a NUL each */
static struct str
key_part(struct str *key)
{
	const char *nul = key->len > 0 ? memchr(key->p, '\0', key->len) : NULL;
	size_t len = nul != NULL ? (size_t)(nul - key->p) : key->len;
	struct str part = str_of(key->p, len);

	len += nul != NULL;
	key->p += len;
	key->len -= len;
	return part;
}

static void
tell_one(const struct sample_one *one, struct cli_answer *out, bool json)
{
	struct str key = str_of(one->key, one->key_len);
	struct str url = key_part(&key), host = key_part(&key);

	if (!json) {
		cli_out(out, "\n  %.*s%.*s", STR_ARG(host), STR_ARG(url));
		if (one->is_variant)
			cli_out(out, " (a variant)");
		return;
	}
	cli_out(out, "{\"url\": ");
	cli_json_str(out, url);
	cli_out(out, ", \"host\": ");
	cli_json_str(out, host);
	cli_out(out, ", \"status\": %u, \"variant\": %s}", one->status,
	    one->is_variant ? "true" : "false");
}

void
sample_tell(const struct sample *s, struct cli_answer *out, bool json)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (json && i > 0)
			cli_out(out, ", ");
		tell_one(&s->one[i], out, json);
	}
}

void
sample_release(struct sample *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->one[i].key);
	s->n = 0;
}
