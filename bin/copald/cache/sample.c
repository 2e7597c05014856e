/*
 * sample.c - see sample.h.
 */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "inval_log.h"
#include "stevedore.h"

void
sample_take(struct sample *s, bool (*is_hit)(void *priv, struct object *),
    void *priv)
{
	*s = (struct sample){0};
	/* one walk at a time */
	inval_log_lock();
	s->objects = stevedores_count(is_hit, priv, s->object, SAMPLE_MAX,
	    &s->n);
	inval_log_unlock();
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
tell_one(const struct object *o, struct str key, struct cli_answer *out,
    bool json)
{
	struct str url = key_part(&key), host = key_part(&key);

	if (!json) {
		cli_out(out, "\n  %.*s%.*s", STR_ARG(host), STR_ARG(url));
		if (o->vary.len > 0)
			cli_out(out, " (a variant)");
		return;
	}
	cli_out(out, "{\"url\": ");
	cli_json_str(out, url);
	cli_out(out, ", \"host\": ");
	cli_json_str(out, host);
	cli_out(out, ", \"status\": %u, \"variant\": %s}", o->http.status,
	    o->vary.len > 0 ? "true" : "false");
}

void
sample_tell(const struct sample *s, struct cli_answer *out, bool json)
{
	char *mem = NULL;
	size_t cap = 0;
	bool first = true;

	for (unsigned i = 0; i < s->n; i++) {
		struct str key;

		/* what has left since is none any more */
		if (!index_key(s->object[i], &mem, &cap, &key))
			continue;
		if (json && !first)
			cli_out(out, ", ");
		first = false;
		tell_one(s->object[i], key, out, json);
	}
	free(mem);
}

void
sample_release(struct sample *s)
{
	for (unsigned i = 0; i < s->n; i++)
		object_unref(&s->object[i]);
	s->n = 0;
}
