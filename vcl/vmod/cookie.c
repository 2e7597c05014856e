/*
 * cookie.c - module cookie: a Cookie header taken apart.
 *
 * The cookies of a task are an array in the order in which they came, found
 * by name through a hash table beside it: a header of thousands of cookies
 * costs as much for each as one of ten.  The hash has a secret seed, so that
 * nobody can make names that collide.  Names and values are slices of
 * the task's workspace, and so are both tables; those that were outgrown stay
 * there until the task ends.
 */
#include <string.h>

#include "secret_hash.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum { COOKIES_MIN = 16 }; /* room in the first table: a usual header's */

struct cookie {
	const char *name, *value; /* name NULL: deleted */
	uint32_t name_len, value_len;
	uint32_t hash;
	uint32_t next;  /* of the same bucket: its index + 1, 0 at the end */
};

struct cookies {
	struct cookie *all;
	uint32_t *bucket; /* of each the first's index + 1, 0 if it is empty */
	uint32_t n, cap, bucket_n; /* bucket_n is a power of 2 */
};

/* ---- the table ---- */

static struct str
name_of(const struct cookie *c)
{
	return str_of(c->name, c->name_len);
}

/* NULL: there is none; or, recorded as a failure, no room for one */
static struct cookies *
of_task(struct vcl_ctx *ctx, struct vmod_priv *priv)
{
	struct cookies *cs;

	if (priv == NULL)
		return NULL;
	if (priv->p == NULL) {
		cs = vrt_alloc(ctx, sizeof *cs);
		if (cs == NULL)
			return NULL;
		memset(cs, 0, sizeof *cs);
		priv->p = cs;
	}
	return priv->p;
}

static void
forget_all(struct cookies *cs)
{
	cs->n = 0;
	if (cs->bucket_n != 0)
		memset(cs->bucket, 0, cs->bucket_n * sizeof *cs->bucket);
}

static struct cookie *
find(const struct cookies *cs, struct str name)
{
	uint32_t hash, i;

	if (cs->n == 0 || name.len == 0)
		return NULL;
	hash = (uint32_t)secret_hash(name);
	for (i = cs->bucket[hash & (cs->bucket_n - 1)]; i != 0;
	    i = cs->all[i - 1].next) {
		struct cookie *c = &cs->all[i - 1];

		if (c->hash == hash && c->name != NULL &&
		    str_eq(name_of(c), name))
			return c;
	}
	return NULL;
}

static void
append(struct cookies *cs, struct cookie c)
{
	uint32_t *bucket = &cs->bucket[c.hash & (cs->bucket_n - 1)];

	c.next = *bucket;
	cs->all[cs->n] = c;
	*bucket = ++cs->n;
}

/* Room for wanted cookies, without those that were deleted. */
static bool
grow(struct vcl_ctx *ctx, struct cookies *cs, size_t wanted)
{
	struct cookies bigger = {.bucket_n = COOKIES_MIN};

	if (wanted <= cs->cap)
		return true;
	if (wanted < COOKIES_MIN)
		wanted = COOKIES_MIN;
	while (bigger.bucket_n < wanted && bigger.bucket_n <= UINT32_MAX / 2)
		bigger.bucket_n *= 2;
	bigger.cap = (uint32_t)wanted;
	bigger.all = vrt_alloc(ctx, wanted * sizeof *bigger.all);
	bigger.bucket = bigger.all == NULL ? NULL
	    : vrt_alloc(ctx, bigger.bucket_n * sizeof *bigger.bucket);
	if (bigger.bucket == NULL)
		return false;
	forget_all(&bigger);
	for (uint32_t i = 0; i < cs->n; i++)
		if (cs->all[i].name != NULL)
			append(&bigger, cs->all[i]);
	*cs = bigger;
	return true;
}

/* name and value live as long as the task */
static void
put(struct vcl_ctx *ctx, struct cookies *cs, struct str name, struct str value)
{
	struct cookie *c;

	if (name.len == 0 || value.len == 0 || name.len > UINT32_MAX ||
	    value.len > UINT32_MAX)
		return;
	c = find(cs, name);
	if (c != NULL) {
		c->value = value.p;
		c->value_len = (uint32_t)value.len;
	} else if (cs->n < cs->cap ||
	    grow(ctx, cs, 2 * (size_t)cs->cap + 1)) {
		append(cs, (struct cookie){
		    .name = name.p, .name_len = (uint32_t)name.len,
		    .value = value.p, .value_len = (uint32_t)value.len,
		    .hash = (uint32_t)secret_hash(name),
		});
	}
}

/* ---- parse ---- */

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct str
skip_space(struct str s)
{
	while (s.len != 0 && is_space(*s.p)) {
		s.p++;
		s.len--;
	}
	return s;
}

/* Takes what is before the next c, and c, off *s; all if there is none. */
static struct str
take_until(struct str *s, char c)
{
	const char *end = s->len != 0 ? memchr(s->p, c, s->len) : NULL;
	struct str part = *s;

	if (end != NULL)
		part.len = (size_t)(end - s->p);
	s->p += part.len + (end != NULL);
	s->len -= part.len + (end != NULL);
	return part;
}

/* How many cookies there may be in it: a full table costs no second one. */
static size_t
count_at_most(struct str header)
{
	size_t equals = 0, parts = 1;

	for (size_t i = 0; i < header.len; i++) {
		equals += header.p[i] == '=';
		parts += header.p[i] == ';';
	}
	return equals < parts ? equals : parts;
}

VCL_VOID
vmod_cookie_parse(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_STRING header)
{
	struct cookies *cs = of_task(ctx, priv);
	struct str name;

	if (cs == NULL || header.len == 0)
		return;
	forget_all(cs);
	header = vrt_keep(ctx, header);
	if (header.p == NULL || !grow(ctx, cs, count_at_most(header)))
		return;
	while (!vrt_failed(ctx)) {
		header = skip_space(header);
		if (header.len == 0 ||
		    memchr(header.p, '=', header.len) == NULL)
			break;
		name = take_until(&header, '=');
		put(ctx, cs, name, take_until(&header, ';'));
	}
}

/* ---- one cookie ---- */

VCL_VOID
vmod_cookie_set(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING name,
    VCL_STRING value)
{
	struct cookies *cs = of_task(ctx, priv);

	if (cs == NULL || name.len == 0 || value.len == 0)
		return;
	name = vrt_keep(ctx, name);
	value = vrt_keep(ctx, value);
	put(ctx, cs, name, value);
}

VCL_STRING
vmod_cookie_get(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING name)
{
	const struct cookies *cs = of_task(ctx, priv);
	const struct cookie *c = cs != NULL ? find(cs, name) : NULL;

	return c != NULL ? str_of(c->value, c->value_len) : STR_NULL;
}

VCL_BOOL
vmod_cookie_isset(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING name)
{
	const struct cookies *cs = of_task(ctx, priv);

	return cs != NULL && find(cs, name) != NULL;
}

VCL_VOID
vmod_cookie_delete(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_STRING name)
{
	const struct cookies *cs = of_task(ctx, priv);
	struct cookie *c = cs != NULL ? find(cs, name) : NULL;

	if (c != NULL)
		c->name = NULL;
}

VCL_STRING
vmod_cookie_get_re(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_REGEX re)
{
	const struct cookies *cs = of_task(ctx, priv);

	for (uint32_t i = 0; cs != NULL && i < cs->n; i++) {
		const struct cookie *c = &cs->all[i];

		if (c->name != NULL && vrt_regex_match(ctx, name_of(c), re))
			return str_of(c->value, c->value_len);
	}
	return STR_NULL;
}

/* ---- all of them ---- */

VCL_VOID
vmod_cookie_clean(struct vcl_ctx *ctx, struct vmod_priv *priv)
{
	struct cookies *cs = of_task(ctx, priv);

	if (cs != NULL)
		forget_all(cs);
}

VCL_VOID
vmod_cookie_filter(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_STRING names)
{
	const struct cookies *cs = of_task(ctx, priv);
	struct cookie *c;

	while (cs != NULL && (names = skip_space(names)).len != 0)
		if ((c = find(cs, take_until(&names, ','))) != NULL)
			c->name = NULL;
}

VCL_VOID
vmod_cookie_keep(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING names)
{
	const struct cookies *cs = of_task(ctx, priv);
	const struct cookie *c;
	bool *kept;

	if (cs == NULL || cs->n == 0)
		return;
	kept = vrt_alloc(ctx, cs->n);
	if (kept == NULL)
		return;
	memset(kept, 0, cs->n);
	while ((names = skip_space(names)).len != 0)
		if ((c = find(cs, take_until(&names, ','))) != NULL)
			kept[c - cs->all] = true;
	for (uint32_t i = 0; i < cs->n; i++)
		if (!kept[i])
			cs->all[i].name = NULL;
}

static void
delete_if(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_REGEX re, bool match)
{
	const struct cookies *cs = of_task(ctx, priv);

	for (uint32_t i = 0; cs != NULL && i < cs->n; i++) {
		struct cookie *c = &cs->all[i];

		if (c->name != NULL &&
		    vrt_regex_match(ctx, name_of(c), re) == match)
			c->name = NULL;
	}
}

VCL_VOID
vmod_cookie_keep_re(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_REGEX re)
{
	delete_if(ctx, priv, re, false);
}

VCL_VOID
vmod_cookie_filter_re(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_REGEX re)
{
	delete_if(ctx, priv, re, true);
}

static char *
copy(char *to, const char *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

VCL_STRING
vmod_cookie_get_string(struct vcl_ctx *ctx, struct vmod_priv *priv)
{
	const struct cookies *cs = of_task(ctx, priv);
	size_t len = 0;
	char *p, *to;

	for (uint32_t i = 0; cs != NULL && i < cs->n; i++)
		if (cs->all[i].name != NULL)
			len += cs->all[i].name_len + cs->all[i].value_len +
			    sizeof "=; " - 1;
	if (len == 0)
		return STR("");
	p = to = vrt_alloc(ctx, len);
	if (p == NULL)
		return STR("");
	for (uint32_t i = 0; i < cs->n; i++) {
		const struct cookie *c = &cs->all[i];

		if (c->name == NULL)
			continue;
		p = copy(p, c->name, c->name_len);
		*p++ = '=';
		p = copy(p, c->value, c->value_len);
		*p++ = ';';
		*p++ = ' ';
	}
	return str_of(to, len - 2);
}

/* ---- dates ---- */

VCL_STRING
vmod_cookie_format_date(struct vcl_ctx *ctx, VCL_TIME now,
    VCL_DURATION timedelta)
{
	return vrt_time_string(ctx, now + timedelta);
}

VCL_STRING
vmod_cookie_format_rfc1123(struct vcl_ctx *ctx, VCL_TIME now,
    VCL_DURATION timedelta)
{
	return vmod_cookie_format_date(ctx, now, timedelta);
}
