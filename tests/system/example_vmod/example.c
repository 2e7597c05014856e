/*
 * example.c - the functions of module example.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "example.h"

/* ---- events ---- */

enum { EVENTS_MAX = 64 };

/* The word is appended to what the program keeps. */
static int
note(struct vmod_priv *priv, const char *word)
{
	if (priv->p == NULL) {
		priv->p = calloc(1, EVENTS_MAX);
		priv->free = free;
	}
	if (priv->p == NULL)
		return -1;
	if (strlen(priv->p) + strlen(word) < EVENTS_MAX)
		strcat(priv->p, word);
	return 0;
}

int
vmod_example_event(
    struct vcl_ctx *ctx, struct vmod_priv *priv, enum vmod_event event)
{
	switch (event) {
	case VMOD_EVENT_LOAD:
		if (getenv("EXAMPLE_REFUSES")) {
			vrt_failf(ctx, "not on this host");
			return -1;
		}
		return note(priv, "load ");
	case VMOD_EVENT_WARM:
		return note(priv, "warm ");
	case VMOD_EVENT_COLD:
		return note(priv, "cold ");
	case VMOD_EVENT_DISCARD:
		return note(priv, "discard ");
	}
	return 0;
}

VCL_STRING
vmod_example_state(struct vcl_ctx *ctx, struct vmod_priv *priv)
{
	const char *events = priv->p ? priv->p : "";

	return vrt_copy(ctx, (struct str){events, strlen(events)});
}

/* ---- functions ---- */

VCL_STRING
vmod_example_greet(struct vcl_ctx *ctx, VCL_STRING name, bool has_times,
    VCL_INT times, VCL_ENUM how)
{
	if (has_times && times < 1) {
		vrt_failf(ctx, "example.greet(): times must be positive");
		return (struct str){NULL, 0};
	}
	return vrt_printf(ctx, "Hello %.*s%s%s", (int)name.len,
	    name.p ? name.p : "", has_times && times > 1 ? " again" : "",
	    !strcmp(how, "loud") ? "!" : "");
}

VCL_STRING
vmod_example_visits(struct vcl_ctx *ctx, struct vmod_priv *task)
{
	if (task == NULL) /* the workspace is full: recorded */
		return (struct str){NULL, 0};
	return vrt_printf(ctx, "visit %zu", ++task->len);
}

VCL_INT
vmod_example_here(struct vcl_ctx *ctx, struct vmod_priv *call)
{
	(void)ctx;
	return (VCL_INT)__atomic_add_fetch(&call->len, 1, __ATOMIC_RELAXED);
}

VCL_STRING
vmod_example_show(struct vcl_ctx *ctx, VCL_BLOB b, VCL_HEADER h, VCL_HTTP from,
    VCL_REGEX re, VCL_SUB sub, VCL_PROBE probe, VCL_BACKEND backend, VCL_IP ip,
    VCL_TIME t, VCL_DURATION d, VCL_BYTES n)
{
	struct str value = vrt_hdr_get(ctx, h->http, h->header);
	struct str be = vrt_backend_string(backend);
	struct str addr = vrt_ip_string(ctx, ip);

	if (!vrt_call(ctx, sub))
		return (struct str){NULL, 0};
	return vrt_printf(ctx, "%zu %.*s %s %s %.*s %.*s %s %.1f %lld %s %s",
	    b.len, (int)value.len, value.p ? value.p : "",
	    vrt_field_n(ctx, from) > 0 ? "fields" : "none",
	    vrt_regex_match(ctx, value, re) ? "match" : "differs", (int)be.len,
	    be.p ? be.p : "", (int)addr.len, addr.p ? addr.p : "",
	    t > 0 ? "time" : "never", d, (long long)n,
	    probe ? probe->name : "none",
	    vrt_is_client(ctx) ? "client" : "backend");
}

VCL_BLOB
vmod_example_bytes(struct vcl_ctx *ctx, VCL_STRING s)
{
	s = vrt_copy(ctx, s);
	return (struct vcl_blob){s.p, s.len};
}

VCL_IP
vmod_example_address(struct vcl_ctx *ctx, VCL_IP ip)
{
	(void)ctx;
	return ip;
}

VCL_BACKEND
vmod_example_same(struct vcl_ctx *ctx, VCL_BACKEND backend)
{
	(void)ctx;
	return backend;
}

/* ---- counter ---- */

struct vmod_example_counter {
	char *name;
	_Atomic VCL_INT n; /* all cores count in it */
};

void
vmod_example_counter__init(struct vcl_ctx *ctx,
    struct vmod_example_counter **out, const char *name, VCL_INT first,
    VCL_BOOL refuse)
{
	struct vmod_example_counter *o;

	if (refuse) {
		vrt_failf(ctx, "%s: was asked to refuse", name);
		return;
	}
	o = calloc(1, sizeof(*o));
	if (o)
		o->name = strdup(name);
	if (o == NULL || o->name == NULL) {
		free(o);
		vrt_failf(ctx, "out of memory");
		return;
	}
	o->n = first;
	*out = o;
}

void
vmod_example_counter__fini(struct vmod_example_counter **o)
{
	free((*o)->name);
	free(*o);
	*o = NULL;
}

VCL_INT
vmod_example_counter_next(
    struct vcl_ctx *ctx, struct vmod_example_counter *o, VCL_INT by)
{
	(void)ctx;
	return atomic_fetch_add(&o->n, by) + by;
}

VCL_STRING
vmod_example_counter_name(struct vcl_ctx *ctx, struct vmod_example_counter *o)
{
	return vrt_copy(ctx, (struct str){o->name, strlen(o->name)});
}

/* The object's address: what is kept for it alone. */
VCL_INT
vmod_example_counter_mine(
    struct vcl_ctx *ctx, struct vmod_example_counter *o, struct vmod_priv *task)
{
	struct vmod_priv *own = vrt_priv_task(ctx, o);

	if (task == NULL || own == NULL)
		return 0;
	task->len++;
	return (VCL_INT)(++own->len * 100 + task->len);
}
