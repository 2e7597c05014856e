/*
 * copalvmod - what a module's description means: in C, and as a manual page.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "emit.h"
#include "manual.h"

enum { TEXT_MAX = 1024 * 1024 }; /* bytes of a description */

static void
write_prototypes(struct vcc *c, struct vcc_buf *b, const struct vcc_module *m)
{
	(void)c;
	for (const struct vcc_object *o = m->object; o; o = o->next) {
		vcc_object_prototypes(b, o, false);
		for (const struct vcc_function *f = o->method; f; f = f->next)
			vcc_function_prototype(b, f, false);
	}
	for (const struct vcc_function *f = m->function; f; f = f->next)
		vcc_function_prototype(b, f, false);
	if (m->event)
		vcc_putf(b, "vmod_event_fn %s;\n", m->event);
}

/*
 * Hidden: a name that copald or another module has too is this module's own
 * when its own code says it.
 */
static void
write_header(struct vcc *c, struct vcc_buf *b, const struct vcc_module *m)
{
	vcc_putf(b,
	    "/* Written by copalvmod from the description of module %.*s. */\n"
	    "#ifndef VMOD_%.*s_H\n#define VMOD_%.*s_H\n\n"
	    "#include <copal/vmod.h>\n\n#pragma GCC visibility push(hidden)\n",
	    STR_ARG(m->name), STR_ARG(m->name), STR_ARG(m->name));
	write_prototypes(c, b, m);
	vcc_puts(b, "#pragma GCC visibility pop\n\n#endif\n");
}

static void
put_entry(void *arg, const char *c_name)
{
	vcc_putf(arg, "\t{\"%s\", (void (*)(void))%s},\n", c_name, c_name);
}

static void
write_glue(struct vcc *c, struct vcc_buf *b, const struct vcc_module *m)
{
	write_header(c, b, m);
	vcc_puts(b,
	    "\n/* a description may be longer than ISO C wants literals */\n"
	    "#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n"
	    "static const char description[]\n"
	    "    __attribute__((section(VMOD_SECTION), used)) = VMOD_MAGIC\n"
	    "\t    ");
	vcc_emit_literal(b, m->text);
	vcc_puts(b, ";\n\nstatic const struct vmod_function functions[] = {\n");
	vcc_module_each(c, m, true, put_entry, b);
	vcc_puts(b,
	    "\t{NULL, NULL},\n};\n\n"
	    "extern const struct vmod_module copal_module\n"
	    "    __attribute__((visibility(\"default\")));\n"
	    "const struct vmod_module copal_module = {\n"
	    "\tVMOD_ABI_MAJOR, VMOD_ABI_MINOR,\n"
	    "\tdescription + sizeof(VMOD_MAGIC) - 1,\n"
	    "\tfunctions, sizeof(functions) / sizeof(*functions) - 1,\n};\n");
}

static const struct mode {
	const char *option;
	void (*write)(
	    struct vcc *, struct vcc_buf *, const struct vcc_module *);
	const char *help;
} modes[] = {
    {"--header", write_header, "the header that the module's C includes"},
    {"--glue", write_glue, "the C file that makes a shared object a module"},
    {"--man", manual_write, "the manual page vmod_<name>(3)"},
    {"--prototypes", write_prototypes, "the functions' prototypes only"},
};

enum { MODE_N = sizeof(modes) / sizeof(*modes) };

static void
usage(FILE *f)
{
	fputs("usage: copalvmod <option> <file.vmod>\n", f);
	for (unsigned i = 0; i < MODE_N; i++)
		fprintf(f, "    %-14s%s\n", modes[i].option, modes[i].help);
	fputs("    --version     the versions of copal and of the module "
	      "interface\n",
	    f);
}

/* All of the file, malloc'ed, at most a byte too many; NULL with errno. */
static char *
read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = f ? malloc(TEXT_MAX + 1) : NULL;
	int err;

	if (text) {
		*len = fread(text, 1, TEXT_MAX + 1, f);
		if (ferror(f)) {
			err = errno;
			free(text);
			text = NULL;
			errno = err;
		}
	}
	err = errno;
	if (f)
		fclose(f);
	errno = err;
	return text;
}

/* What is written, or messages, to stdout or stderr; the exit code. */
static int
describe(
    struct vcc *c, const struct mode *mode, const char *path, struct str text)
{
	struct vcc_buf b = {.mem = &c->mem};
	struct vcc_module *m;

	if (setjmp(c->mem.full) != 0) {
		fprintf(stderr, "%s: not enough memory\n", path);
		return 1;
	}
	m = vcc_module_read(c, path, text);
	if (m) {
		m->path = path;
		mode->write(c, &b, m);
	}
	if (c->messages.p)
		fputs(c->messages.p, stderr);
	if (m == NULL)
		return 1;
	if (b.p)
		fputs(b.p, stdout);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		perror("stdout");
		return 1;
	}
	return 0;
}

static int
run(const struct mode *mode, const char *path)
{
	static const struct vcl_compile_options options;
	struct vcc c = {.options = &options, .mem.limit = SIZE_MAX};
	size_t len = 0;
	char *text = read_file(path, &len);
	int status = 1;

	c.messages.mem = &c.mem;
	if (text == NULL)
		perror(path);
	else if (len > TEXT_MAX)
		fprintf(stderr, "%s: a description has at most %d bytes\n",
		    path, TEXT_MAX);
	else
		status = describe(&c, mode, path, str_of(text, len));
	vcc_mem_free(&c.mem);
	free(text);
	return status;
}

int
main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		usage(stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("copalvmod %s, module interface %d.%d\n",
		    PACKAGE_VERSION, VMOD_ABI_MAJOR, VMOD_ABI_MINOR);
		return 0;
	}
	for (unsigned i = 0; argc == 3 && i < MODE_N; i++) {
		if (!strcmp(argv[1], modes[i].option))
			return run(&modes[i], argv[2]);
	}
	usage(stderr);
	return 2;
}
