/*
 * fuzz_cookie.c - module cookie: a Cookie header of anything is parsed, and
 * what get_string() makes of it is parsed to the same; every cookie in it is
 * found, can be removed and is gone then.  A workspace too small is a
 * failure and nothing worse.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ctx.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vmod_priv *
task(struct vcl_ctx *ctx)
{
	return vrt_priv_task(ctx, "cookie");
}

/* Of "name=value;..." the name; cookies are taken out one by one. */
static void
remove_all(struct vcl_ctx *ctx)
{
	struct str all, name;

	for (unsigned i = 0; i < 100; i++) {
		all = vmod_cookie_get_string(ctx, task(ctx));
		if (all.len == 0)
			return;
		name = str_of(all.p, (size_t)((const char *)memchr(all.p, '=',
		    all.len) - all.p));
		if (!vmod_cookie_isset(ctx, task(ctx), name))
			abort();
		if (memchr(name.p, ',', name.len) == NULL && i % 2)
			vmod_cookie_filter(ctx, task(ctx), name);
		else
			vmod_cookie_delete(ctx, task(ctx), name);
		if (vmod_cookie_isset(ctx, task(ctx), name))
			abort();
		if (i % 3 == 0) {
			vmod_cookie_set(ctx, task(ctx), name, STR("x"));
			vmod_cookie_delete(ctx, task(ctx), name);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) char mem[8 << 20];
	struct str header = str_of((const char *)data, size), once, twice;
	struct vcl_ctx ctx;
	struct arena ws;

	if (size > 10000)
		return 0;
	for (unsigned small = 0; small < 2; small++) {
		arena_init(&ws, mem, small ? 1000 + 2 * size : sizeof mem);
		vcl_ctx_init(&ctx, &ws, NULL, NULL);
		vmod_cookie_parse(&ctx, task(&ctx), header);
		once = vmod_cookie_get_string(&ctx, task(&ctx));
		vmod_cookie_parse(&ctx, task(&ctx), once);
		twice = vmod_cookie_get_string(&ctx, task(&ctx));
		if (ctx.failed ? !small : !str_eq(once, twice))
			abort();
		if (!small) {
			remove_all(&ctx);
			vmod_cookie_parse(&ctx, task(&ctx), header);
			vmod_cookie_keep(&ctx, task(&ctx), header);
			vmod_cookie_filter(&ctx, task(&ctx), header);
		}
		vcl_ctx_end(&ctx);
		arena_reset(&ws);
	}
	return 0;
}
