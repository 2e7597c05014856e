/*
 * director.c - asking the backends that modules make.
 *
 * A user may make a circle of directors.  A circle resolves to nothing, and
 * is not healthy.
 */
#include "ctx.h"
#include "director.h"

/* Directors of directors: one more is taken for a circle. */
enum { DEPTH_MAX = 16 };

/* The directors that this thread is asking now, innermost first. */
struct asked {
	const struct backend *director;
	const struct asked *outer;
};
static __thread const struct asked *resolving, *asking;

static bool
is_circle(const struct asked *a, const struct backend *b)
{
	unsigned depth = 0;

	for (; a != NULL; a = a->outer)
		if (a->director == b || ++depth == DEPTH_MAX)
			return true;
	return false;
}

/* A director may ask for what others pick before it picks one of them. */
static struct backend *
pick(struct vcl_ctx *ctx, struct backend *b)
{
	struct asked me = {b, resolving};
	struct backend *picked;

	if (atomic_load(&b->admin) == BACKEND_SICK || is_circle(resolving, b))
		return NULL;
	resolving = &me;
	picked = b->director->resolve(ctx, b->priv);
	resolving = me.outer;
	return picked;
}

struct backend *
backend_resolve(struct vcl_ctx *ctx, struct backend *b)
{
	struct backend *from = b;

	if (b == NULL) {
		if (ctx->log != NULL)
			log_put(ctx->log, LOG_FETCH_ERROR, STR("No backend"));
		return NULL;
	}
	for (unsigned i = 0; b != NULL && b->director != NULL; i++) {
		from = b;
		b = i < DEPTH_MAX ? pick(ctx, b) : NULL;
	}
	if (b == NULL && ctx->log != NULL)
		log_printf(ctx->log, LOG_FETCH_ERROR,
		    "Director %s returned no backend", from->name);
	return b;
}

bool
director_is_healthy(struct vcl_ctx *ctx, const struct backend *b,
    double *changed)
{
	struct asked me = {b, asking};
	bool healthy;

	if (is_circle(asking, b))
		return false;
	asking = &me;
	healthy = b->director->healthy(ctx, b->priv, changed);
	asking = me.outer;
	return healthy;
}
