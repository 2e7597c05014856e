/*
 * vrt_director.c - directors and backends, as modules see them.
 */
#include <stdlib.h>
#include <string.h>

#include "director.h"
#include "ewma.h"
#include "program.h"
#include "vrt.h"

struct backend *
vrt_director_new(struct vcl_ctx *ctx,
    const struct vmod_director_methods *methods, const char *name, void *priv)
{
	struct backend *b = calloc(1, sizeof *b);

	if (b == NULL)
		goto no_memory;
	b->ref = 1;
	b->director = methods;
	b->priv = priv;
	b->connect_timeout = b->first_byte_timeout =
	    b->between_bytes_timeout = -1;
	b->changed = clock_wall();
	slots_init(&b->slots, 0, 0);
	b->name = strdup(name);
	b->program_name = strdup(program_name(ctx->program));
	backend_enlist(b);
	if (b->name != NULL && b->program_name != NULL)
		return b;
	b->director = NULL;
	backend_unref(&b);
no_memory:
	vcl_fail(ctx, "no memory for a director");
	return NULL;
}

void
vrt_director_free(struct backend **pp)
{
	struct backend *b = *pp;

	if (b == NULL)
		return;
	backend_delist(b);
	if (b->director->free != NULL)
		b->director->free(b->priv);
	backend_unref(pp);
}

bool
vrt_backend_health(struct vcl_ctx *ctx, const struct backend *b,
    double *changed)
{
	return b != NULL && backend_is_healthy(ctx, b, changed);
}

bool
vrt_backend_healthy(struct vcl_ctx *ctx, const struct backend *b)
{
	return vrt_backend_health(ctx, b, NULL);
}

struct backend *
vrt_backend_resolve(struct vcl_ctx *ctx, struct backend *b)
{
	return backend_resolve(ctx, b);
}

const char *
vrt_backend_name(const struct backend *b)
{
	return b->name;
}

bool
vrt_backend_is_director(const struct backend *b)
{
	return b->director != NULL;
}

unsigned
vrt_backend_in_flight(const struct backend *b)
{
	return atomic_load_explicit(&b->slots.used, memory_order_relaxed);
}

double
vrt_backend_response_time(const struct backend *b)
{
	return ewma_value(atomic_load_explicit(&b->response,
	    memory_order_relaxed), (double)clock_mono() / 1e9);
}

struct backend *
vrt_backend_by_name(struct vcl_ctx *ctx, struct str name)
{
	const struct vcl_program_info *p = program_info_of(ctx->program);

	for (unsigned i = 0; i < p->backend_n; i++)
		if (str_eq(name, str_from_z(p->backend[i].name)))
			return *p->backend[i].instance;
	return NULL;
}
