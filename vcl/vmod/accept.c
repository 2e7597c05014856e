/*
 * accept.c - module accept: the one of a list that a header wants most.
 *
 * A list is filled in vcl_init and read from then on, but a program may change
 * it at any time; a lock that readers share protects it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum {
	VALUES_MAX = 1000,   /* each entry of a header is compared with all */
	WEIGHT_ONE = 1000,   /* weights have three digits: in thousandths */
	WEIGHT_BAD = -1,
};

struct value {
	struct value *next;
	struct str text;
	char bytes[];
};

struct vmod_accept_rule {
	pthread_rwlock_t lock;
	struct value *first; /* under it, and those behind */
	unsigned n;
	struct str fallback;
	char bytes[];
};

/* ---- the list ---- */

void
vmod_accept_rule__init(struct vcl_ctx *ctx, struct vmod_accept_rule **out,
    const char *name, VCL_STRING fallback)
{
	struct vmod_accept_rule *r = calloc(1, sizeof *r + fallback.len);

	if (r == NULL || pthread_rwlock_init(&r->lock, NULL) != 0) {
		vrt_failf(ctx, "accept.rule %s: out of memory", name);
		free(r);
		return;
	}
	if (fallback.len != 0)
		memcpy(r->bytes, fallback.p, fallback.len);
	r->fallback = str_of(r->bytes, fallback.len);
	*out = r;
}

void
vmod_accept_rule__fini(struct vmod_accept_rule **out)
{
	struct vmod_accept_rule *r = *out;
	struct value *v;

	*out = NULL;
	while ((v = r->first) != NULL) {
		r->first = v->next;
		free(v);
	}
	pthread_rwlock_destroy(&r->lock);
	free(r);
}

/* Where the pointer to it is, or would be. */
static struct value **
find(struct vmod_accept_rule *r, struct str text)
{
	struct value **v = &r->first;

	while (*v != NULL && !str_caseeq((*v)->text, text))
		v = &(*v)->next;
	return v;
}

VCL_VOID
vmod_accept_rule_add(struct vcl_ctx *ctx, struct vmod_accept_rule *r,
    VCL_STRING text)
{
	struct value *new, **at;
	bool full;

	if (text.len == 0)
		return;
	new = calloc(1, sizeof *new + text.len);
	if (new == NULL) {
		vrt_failf(ctx, "accept.rule.add(): out of memory");
		return;
	}
	memcpy(new->bytes, text.p, text.len);
	new->text = str_of(new->bytes, text.len);
	pthread_rwlock_wrlock(&r->lock);
	at = find(r, text);
	full = r->n == VALUES_MAX && *at == NULL;
	if (*at == NULL && !full) {
		*at = new;
		new = NULL;
		r->n++;
	}
	pthread_rwlock_unlock(&r->lock);
	free(new);
	if (full)
		vrt_failf(ctx, "accept.rule.add(): there are %d already",
		    VALUES_MAX);
}

VCL_VOID
vmod_accept_rule_remove(struct vcl_ctx *ctx, struct vmod_accept_rule *r,
    VCL_STRING text)
{
	struct value *v, **at;

	(void)ctx;
	pthread_rwlock_wrlock(&r->lock);
	at = find(r, text);
	v = *at;
	if (v != NULL) {
		*at = v->next;
		r->n--;
	}
	pthread_rwlock_unlock(&r->lock);
	free(v);
}

/* ---- the header ---- */

/*
 * Takes what is before the next ';', trimmed, off *s; one in a quoted string
 * is part of it.  false at the end.
 */
static bool
next_part(struct str *s, struct str *part)
{
	bool quoted = false;
	size_t i;

	if (s->p == NULL)
		return false;
	for (i = 0; i < s->len && (quoted || s->p[i] != ';'); i++)
		if (s->p[i] == '"')
			quoted = !quoted;
		else if (s->p[i] == '\\' && quoted && i + 1 < s->len)
			i++;
	*part = str_trim(str_of(s->p, i));
	*s = i < s->len ? str_of(s->p + i + 1, s->len - i - 1) : STR_NULL;
	return true;
}

/*
 * "0.8" in thousandths (RFC 9110 12.4.2); digits beyond the third, which it
 * forbids, are not looked at.
 */
static int
read_weight(struct str s)
{
	int weight, place = WEIGHT_ONE / 10;

	if (s.len == 0 || (*s.p != '0' && *s.p != '1') ||
	    (s.len > 1 && s.p[1] != '.'))
		return WEIGHT_BAD;
	weight = *s.p == '1' ? WEIGHT_ONE : 0;
	for (size_t i = 2; i < s.len; i++, place /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return WEIGHT_BAD;
		weight += (s.p[i] - '0') * place;
	}
	return weight <= WEIGHT_ONE ? weight : WEIGHT_BAD;
}

/* Of the parameters of an entry: that of the first q, 1 if it has none. */
static int
weight_of(struct str params)
{
	struct str param, name;
	const char *equals;

	while (next_part(&params, &param)) {
		equals = param.len != 0 ? memchr(param.p, '=', param.len)
					: NULL;
		if (equals == NULL)
			continue;
		name = str_trim(str_of(param.p, (size_t)(equals - param.p)));
		if (str_caseeq(name, STR("q")))
			return read_weight(str_trim(str_of(equals + 1,
			    param.len - (size_t)(equals + 1 - param.p))));
	}
	return WEIGHT_ONE;
}

VCL_STRING
vmod_accept_rule_filter(struct vcl_ctx *ctx, struct vmod_accept_rule *r,
    VCL_STRING header)
{
	struct str entry, text, result = r->fallback;
	const struct value *v, *best = NULL;
	int weight, highest = 0;

	pthread_rwlock_rdlock(&r->lock);
	while (highest < WEIGHT_ONE && str_next_item(&header, &entry)) {
		if (!next_part(&entry, &text) || text.len == 0 ||
		    (v = *find(r, text)) == NULL)
			continue;
		weight = weight_of(entry);
		if (weight > highest) {
			highest = weight;
			best = v;
		}
	}
	if (best != NULL)
		result = best->text;
	result = vrt_copy(ctx, result);
	pthread_rwlock_unlock(&r->lock);
	return result;
}
