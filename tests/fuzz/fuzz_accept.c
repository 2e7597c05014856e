/*
 * fuzz_accept.c - module accept: whatever a header says, the answer is one of
 * the list or the fallback; and what is asked for alone is given.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ctx.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) char mem[65536];
	struct str header = str_of((const char *)data, size), s;
	struct vmod_accept_rule *rule = NULL;
	struct vcl_ctx ctx;
	struct arena ws;

	if (size > 10000)
		return 0;
	arena_init(&ws, mem, sizeof mem);
	vcl_ctx_init(&ctx, &ws, NULL, NULL);
	vmod_accept_rule__init(&ctx, &rule, "fuzz", STR("none"));
	vmod_accept_rule_add(&ctx, rule, STR("en"));
	vmod_accept_rule_add(&ctx, rule, STR("text/html"));
	s = vmod_accept_rule_filter(&ctx, rule, header);
	if (!str_eq(s, STR("none")) && !str_eq(s, STR("en")) &&
	    !str_eq(s, STR("text/html")))
		abort();
	if (!str_eq(vmod_accept_rule_filter(&ctx, rule, s), s))
		abort();
	vmod_accept_rule_add(&ctx, rule, header);
	vmod_accept_rule_filter(&ctx, rule, header);
	vmod_accept_rule_remove(&ctx, rule, header);
	if (ctx.failed)
		abort();
	vmod_accept_rule__fini(&rule);
	vcl_ctx_end(&ctx);
	arena_reset(&ws);
	return 0;
}
