/*
 * var.c - module var: variables of a task.  Global ones: var_global.c.
 *
 * A list in the task's workspace: a program has a handful of them.
 */
#include <string.h>

#include "sock.h"
#include "str.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum var_type { VAR_STRING, VAR_INT, VAR_REAL, VAR_DURATION, VAR_IP,
	VAR_BACKEND };

struct var {
	struct var *next;
	struct str key;
	enum var_type type;
	union {
		VCL_STRING s;
		VCL_INT i;
		VCL_REAL real;
		VCL_DURATION duration;
		VCL_IP ip;
		VCL_BACKEND backend;
	};
};

static struct var *
find(const struct vmod_priv *priv, VCL_STRING key)
{
	struct var *v = priv != NULL && key.p != NULL ? priv->p : NULL;

	while (v != NULL && !str_eq(v->key, key))
		v = v->next;
	return v;
}

/* NULL: there is none of that name and type */
static const struct var *
get(const struct vmod_priv *priv, VCL_STRING key, enum var_type type)
{
	const struct var *v = find(priv, key);

	return v != NULL && v->type == type ? v : NULL;
}

/* The variable of that name, made if need be; NULL: no name, no room */
static struct var *
set(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING key,
    enum var_type type)
{
	struct var *v = find(priv, key);

	if (v == NULL) {
		if (priv == NULL || key.p == NULL)
			return NULL;
		v = vrt_alloc(ctx, sizeof *v);
		key = vrt_keep(ctx, key);
		if (v == NULL || key.p == NULL)
			return NULL;
		v->key = key;
		v->next = priv->p;
		priv->p = v;
	}
	v->type = type;
	return v;
}

VCL_VOID
vmod_var_set_string(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_STRING key, VCL_STRING value)
{
	struct var *v = set(ctx, priv, key, VAR_STRING);

	if (v != NULL)
		v->s = vrt_keep(ctx, value);
}

VCL_STRING
vmod_var_get_string(struct vcl_ctx *ctx, struct vmod_priv *priv,
    VCL_STRING key)
{
	const struct var *v = get(priv, key, VAR_STRING);

	(void)ctx;
	return v != NULL ? v->s : STR_NULL;
}

VCL_VOID
vmod_var_set(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING key,
    VCL_STRING value)
{
	vmod_var_set_string(ctx, priv, key, value);
}

VCL_STRING
vmod_var_get(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING key)
{
	return vmod_var_get_string(ctx, priv, key);
}

/* The types whose values are kept as they are. */
#define PLAIN(name, NAME, member)                                             \
	VCL_VOID vmod_var_set_##name(struct vcl_ctx *ctx,                     \
	    struct vmod_priv *priv, VCL_STRING key, VCL_##NAME value)         \
	{                                                                     \
		struct var *v = set(ctx, priv, key, VAR_##NAME);              \
                                                                              \
		if (v != NULL)                                                \
			v->member = value;                                    \
	}                                                                     \
	VCL_##NAME vmod_var_get_##name(struct vcl_ctx *ctx,                   \
	    struct vmod_priv *priv, VCL_STRING key)                           \
	{                                                                     \
		const struct var *v = get(priv, key, VAR_##NAME);             \
                                                                              \
		(void)ctx;                                                    \
		return v != NULL ? v->member : 0;                             \
	}

PLAIN(int, INT, i)
PLAIN(real, REAL, real)
PLAIN(duration, DURATION, duration)
PLAIN(backend, BACKEND, backend)

/* An address may be gone before the task is; the variable has its own. */
VCL_VOID
vmod_var_set_ip(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING key,
    VCL_IP value)
{
	struct var *v = set(ctx, priv, key, VAR_IP);
	struct addr *copy = NULL;

	if (v == NULL)
		return;
	if (value != NULL && (copy = vrt_alloc(ctx, sizeof *copy)) != NULL)
		*copy = *value;
	v->ip = copy;
}

VCL_IP
vmod_var_get_ip(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING key)
{
	const struct var *v = get(priv, key, VAR_IP);

	(void)ctx;
	return v != NULL ? v->ip : NULL;
}

VCL_VOID
vmod_var_clear(struct vcl_ctx *ctx, struct vmod_priv *priv)
{
	(void)ctx;
	if (priv != NULL)
		priv->p = NULL;
}
