/*
 * var_global.c - module var: variables of all programs and cores.
 *
 * A table of chains under one lock, which is held for a lookup and a copy.
 * A program may make names of what clients send, so there is a limit to
 * their number and size.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "secret_hash.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum {
	GLOBALS_MAX = 10000,
	GLOBAL_SIZE_MAX = 64 << 10, /* bytes of a key and its value */
	BUCKETS = 1024,             /* chains of ten when there are most */
};

struct global {
	struct global *next;
	struct str key, value;
	char bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct global *table[BUCKETS];
static unsigned global_n;

/* Where the pointer to it is, or would be. */
static struct global **
find(struct str key)
{
	struct global **g = &table[secret_hash(key) % BUCKETS];

	while (*g != NULL && !str_eq((*g)->key, key))
		g = &(*g)->next;
	return g;
}

static struct global *
make(struct str key, struct str value)
{
	struct global *g = malloc(sizeof *g + key.len + value.len);

	if (g == NULL)
		return NULL;
	memcpy(g->bytes, key.p, key.len);
	if (value.len != 0)
		memcpy(g->bytes + key.len, value.p, value.len);
	g->key = str_of(g->bytes, key.len);
	g->value = str_of(g->bytes + key.len, value.len);
	return g;
}

VCL_VOID
vmod_var_global_set(struct vcl_ctx *ctx, VCL_STRING key, VCL_STRING value)
{
	struct global *new = NULL, *old, **at;
	const char *why = NULL;

	if (key.p == NULL || vrt_is_dry(ctx))
		return;
	if (key.len > GLOBAL_SIZE_MAX || value.len > GLOBAL_SIZE_MAX - key.len)
		why = "it is too large";
	else if (value.p != NULL && (new = make(key, value)) == NULL)
		why = "out of memory";
	if (why != NULL) {
		vrt_failf(ctx, "var.global_set(): %s", why);
		return;
	}
	pthread_mutex_lock(&lock);
	at = find(key);
	old = *at;
	if (new != NULL && old == NULL && global_n == GLOBALS_MAX) {
		why = "there are too many";
		old = new;
	} else if (new != NULL) {
		new->next = old != NULL ? old->next : NULL;
		*at = new;
		global_n += old == NULL;
	} else if (old != NULL) {
		*at = old->next;
		global_n--;
	}
	pthread_mutex_unlock(&lock);
	free(old);
	if (why != NULL)
		vrt_failf(ctx, "var.global_set(): %s", why);
}

VCL_STRING
vmod_var_global_get(struct vcl_ctx *ctx, VCL_STRING key)
{
	struct str value = STR_NULL;
	const struct global *g;

	if (key.p == NULL)
		return value;
	pthread_mutex_lock(&lock);
	g = *find(key);
	if (g != NULL)
		value = vrt_copy(ctx, g->value);
	pthread_mutex_unlock(&lock);
	return value;
}
