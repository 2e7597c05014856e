/*
 * fuzz_vmod.c - any text as the description of a module, and what is made
 * of it: C and the manual.
 */
#include <stdlib.h>

#include "compiler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_name(void *arg, const char *c_name)
{
	vcc_putf(arg, "%s\n", c_name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vcl_compile_options options;
	struct vcc c = {.options = &options, .mem.limit = 1 << 28};
	struct vcc_buf b = {.mem = &c.mem};
	struct vcc_module *m;

	c.messages.mem = &c.mem;
	if (setjmp(c.mem.full) == 0) {
		m = vcc_module_read(
		    &c, "<fuzz>", str_of((const char *)data, size));
		/* a module, or what is wrong */
		if ((m == NULL) != (c.error_n > 0))
			abort();
		if (m) {
			vcc_module_each(&c, m, true, put_name, &b);
			for (struct vcc_function *f = m->function; f;
			     f = f->next) {
				vcc_puts(&b, vcc_function_text(&c, f));
				vcc_function_prototype(&b, f, true);
			}
			for (struct vcc_object *o = m->object; o; o = o->next)
				vcc_object_prototypes(&b, o, false);
		}
	}
	vcc_mem_free(&c.mem);
	return 0;
}
