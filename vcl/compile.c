/*
 * compile.c - vcl_compile(): runs the stages of the compiler.
 */
#include <stdlib.h>

#include "compiler.h"

/*
 * Enough for 16 MiB of source, its tree and its C; beyond it the input is
 * not what it pretends to be.
 */
#define MEMORY_LIMIT ((size_t)4 << 30)

static const char no_memory[] = "error: not enough memory\n";

static void
run(struct vcc *c, const char *name, struct str text, char **out)
{
	const struct vcc_span nowhere = {0};
	struct vcc_source *main_source, *builtin;

	vcc_symbols_init(c);
	main_source =
	    vcc_source_new(c, vcc_printf(&c->mem, "%s", name), text, nowhere);
	if (main_source)
		vcc_parse(c, main_source);
	if (c->stop || main_source == NULL)
		return;
	builtin = vcc_source_new(
	    c, "<builtin>", str_from_z(builtin_vcl_text), nowhere);
	if (builtin == NULL)
		return;
	builtin->builtin = true;
	vcc_parse(c, builtin);
	/* what was not understood would be missed, and reported once more */
	if (c->error_n > 0 && c->incomplete)
		return;
	vcc_check(c);
	if (c->error_n > 0)
		return;
	vcc_check_calls(c);
	if (c->error_n == 0)
		vcc_lint(c);
	if (c->error_n == 0)
		*out = vcc_emit(c);
}

int
vcl_compile(const char *name, struct str text,
    const struct vcl_compile_options *options,
    struct vcl_compile_result *result)
{
	static const struct vcl_compile_options defaults;
	struct vcc *c = calloc(1, sizeof(*c));

	*result = (struct vcl_compile_result){0};
	if (c == NULL) {
		result->error_n = 1;
		return -1;
	}
	c->options = options ? options : &defaults;
	c->mem.limit = MEMORY_LIMIT;
	c->messages.mem = &c->mem;
	c->sub_end = &c->sub;
	c->backend_end = &c->backend;
	c->probe_end = &c->probe;
	c->acl_end = &c->acl;
	if (setjmp(c->mem.full) == 0) {
		run(c, name, text, &result->c);
		result->diagnostics =
		    strdup(c->messages.p ? c->messages.p : "");
	} else {
		c->error_n++;
		free(result->c);
		result->c = NULL;
		result->diagnostics = strdup(no_memory);
	}
	result->error_n = c->error_n;
	result->warning_n = c->warning_n;
	vcc_mem_free(&c->mem);
	free(c);
	return result->c ? 0 : -1;
}

void
vcl_compile_result_free(struct vcl_compile_result *result)
{
	free(result->c);
	free(result->diagnostics);
	*result = (struct vcl_compile_result){0};
}
