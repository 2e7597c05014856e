/*
 * test_vmod_desc.c - descriptions of modules: what is read of them, and what
 * is said of mistakes.
 */
#include <stdlib.h>

#include <CUnit/CUnit.h>

#include "compiler.h"

struct reading {
	struct vcc c;
	struct vcc_module *m;
};

static struct reading *
read_text(const char *text, size_t len)
{
	static const struct vcl_compile_options options;
	struct reading *r = calloc(1, sizeof(*r));

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	r->c.options = &options;
	r->c.mem.limit = 1 << 30;
	r->c.messages.mem = &r->c.mem;
	if (setjmp(r->c.mem.full) != 0)
		CU_FAIL_FATAL("no memory");
	r->m = vcc_module_read(&r->c, "x.vmod", str_of(text, len));
	return r;
}

static void
done(struct reading *r)
{
	vcc_mem_free(&r->c.mem);
	free(r);
}

static bool
is(struct str s, const char *z)
{
	return str_eq(s, str_from_z(z));
}

static const char whole[] =
    "# a comment, (with parentheses and 'quotes'\n"
    "module m \"all that there is\"\n"
    "\tProse of the module.\n"
    "\n"
    "function STRING f(PRIV_CALL, STRING s=\"a)b\", [INT n],\n"
    "    ENUM {one, two} e=two, PRIV_TASK, REAL r=-1.5, BOOL b=true,\n"
    "    BYTES y=4KB, DURATION d=1m, STRANDS more)\n"
    "restrict client vcl_init\n"
    "\tProse of f.\n"
    "function VOID g()\n"
    "# between\n"
    "event happens\n"
    "object o(PRIV_VCL, STRING_LIST s)\n"
    "  Prose of o.\n"
    "method BACKEND pick(BLOB b, HTTP h, HEADER x, SUB s, PROBE p)\n"
    "method VOID f()";

static void
test_whole(void)
{
	struct reading *r = read_text(whole, sizeof(whole) - 1);
	struct vcc_function *f;

	CU_ASSERT_PTR_NOT_NULL_FATAL(r->m);
	CU_ASSERT(is(r->m->name, "m"));
	CU_ASSERT(is(r->m->summary, "all that there is"));
	CU_ASSERT_STRING_EQUAL(r->m->event, "vmod_m_happens");
	CU_ASSERT(is(str_trim(r->m->doc), "Prose of the module."));
	f = r->m->function;
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_STRING_EQUAL(f->c_name, "vmod_m_f");
	CU_ASSERT_STRING_EQUAL(vcc_function_text(&r->c, f),
	    "STRING f(STRING s=\"a)b\", [INT n], ENUM {one, two} e=two, "
	    "REAL r=-1.5, BOOL b=true, BYTES y=4KB, DURATION d=1m, "
	    "STRING more)");
	CU_ASSERT(
	    f->allowed == (vcc_side_mask(STR("client")) | 1u << VCL_SUB_INIT));
	CU_ASSERT(is(f->restriction, "client vcl_init"));
	CU_ASSERT(is(str_trim(f->doc), "Prose of f."));
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->next);
	CU_ASSERT(is(f->next->name, "g"));
	CU_ASSERT(f->next->doc.p == NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r->m->object);
	CU_ASSERT_STRING_EQUAL(r->m->object->init->c_name, "vmod_m_o__init");
	f = r->m->object->method;
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_STRING_EQUAL(f->c_name, "vmod_m_o_pick");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->next);
	done(r);
}

static void
put_name(void *arg, const char *c_name)
{
	vcc_putf(arg, "%s ", c_name);
}

static void
test_in_c(void)
{
	struct reading *r = read_text(whole, sizeof(whole) - 1);
	struct vcc_buf b = {.mem = &r->c.mem};

	CU_ASSERT_PTR_NOT_NULL_FATAL(r->m);
	vcc_function_prototype(&b, r->m->function->next, false);
	vcc_function_prototype(&b, r->m->function->next, true);
	vcc_object_prototypes(&b, r->m->object, true);
	vcc_module_each(&r->c, r->m, true, put_name, &b);
	CU_ASSERT_STRING_EQUAL(b.p,
	    "VCL_VOID vmod_m_g(struct vcl_ctx *);\n"
	    "static VCL_VOID (*vmod_m_g)(struct vcl_ctx *);\n"
	    "struct vmod_m_o;\n"
	    "static void (*vmod_m_o__init)(struct vcl_ctx *, "
	    "struct vmod_m_o **, const char *, struct vmod_priv *, "
	    "VCL_STRING);\n"
	    "static void (*vmod_m_o__fini)(struct vmod_m_o **);\n"
	    "vmod_m_f vmod_m_g vmod_m_o__init vmod_m_o__fini vmod_m_o_pick "
	    "vmod_m_o_f vmod_m_happens ");
	done(r);
}

/* What is wrong, and "line:column: error: ..." of the first message. */
static const struct {
	const char *text, *message;
} mistakes[] = {
    {"", "1:1: error: it has no record 'module <name>'"},
    {"# nothing\n\tat all\n", "1:1: error: it has no record"},
    {"function VOID f()\n", "1:1: error: the first record is"},
    {"module\n", "1:7: error: expected the name of the module"},
    {"module m\nmodule n\n", "2:8: error: it has a name already: 'm'"},
    {"module m n\n", "1:10: error: the record should end here"},
    {"module a-b\n", "1:8: error: a name has letters, digits and '_'"},
    {"module _m\n", "1:8: error: a name has letters"},
    {"module m\nfunctoin VOID f()\n", "2:1: error: a record is module"},
    {"module m\n(\n", "2:1: error: a record is module"},
    {"module m\nfunction WHAT f()\n", "2:10: error: a result can't be of"},
    {"module m\nfunction ENUM f()\n", "2:10: error: a result can't be of"},
    {"module m\nfunction VOID ()\n", "2:15: error: expected a name"},
    {"module m\nfunction VOID f\n", "error: expected '('"},
    {"module m\nfunction VOID f(\n", "error: expected the type of an arg"},
    {"module m\nfunction VOID f(INT\nfunction VOID g()\n",
	"3:10: error: expected ',' or ')', found 'VOID'"},
    {"module m\nfunction VOID f() x\n", "2:19: error: the record should end"},
    {"module m\nfunction VOID f(VOID)\n", "2:17: error: an argument can't"},
    {"module m\nfunction VOID f(IMT x)\n", "2:17: error: an argument can't"},
    {"module m\nfunction VOID f([PRIV_TASK])\n", "a PRIV is always given"},
    {"module m\nfunction VOID f(PRIV_VCL, PRIV_VCL)\n",
	"2:27: error: it has this kind of PRIV already"},
    {"module m\nfunction VOID f(INT a, INT a)\n",
	"2:24: error: there is an argument 'a' already"},
    {"module m\nfunction VOID f(INT a=\"x\")\n",
	"2:23: error: this is no default for a INT"},
    {"module m\nfunction VOID f(STRING a=-\"x\")\n", "this is no default"},
    {"module m\nfunction VOID f(BOOL a=maybe)\n", "a BOOL is true or false"},
    {"module m\nfunction VOID f(BACKEND b=x)\n", "this is no default for a "},
    {"module m\nfunction VOID f([INT a=1])\n", "it needs no brackets"},
    {"module m\nfunction VOID f([INT a)\n", "expected ']', found ')'"},
    {"module m\nfunction VOID f(ENUM e)\n", "expected '{', found 'e'"},
    {"module m\nfunction VOID f(ENUM {} e)\n", "expected a word of the ENUM"},
    {"module m\nfunction VOID f(ENUM {a, a} e)\n", "'a' is there already"},
    {"module m\nfunction VOID f(ENUM {a, b} e=c)\n",
	"'c' is none of the ENUM's words"},
    {"module m\nfunction VOID f()\nfunction INT f()\n",
	"3:10: error: there is a 'f' already"},
    {"module m\nobject o()\nobject o()\n", "there is an object 'o' already"},
    {"module m\nobject o()\nmethod VOID f()\nmethod VOID f()\n",
	"4:8: error: there is a 'f' already"},
    {"module m\nmethod VOID f()\n", "a method needs an object before it"},
    {"module m\nrestrict client\n", "nothing is before it"},
    {"module m\nfunction VOID f()\nrestrict\n", "expected subs, or client"},
    {"module m\nfunction VOID f()\nrestrict client vcl_revc\n",
	"3:17: error: 'vcl_revc' is no sub and no side of subs"},
    {"module m\nevent a\nevent b\n", "it has a function for events already"},
    {"module m\nfunction VOID f(INT \"x)\n", "this string has no end"},
    {"module m\nfunction VOID f(\xff)\n", "2:17: error: VCL has no use for"},
    {"module m\nfunction VOID "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa()\n",
	"a name has at most 60 letters"},
};

static void
test_mistakes(void)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		struct reading *r =
		    read_text(mistakes[i].text, strlen(mistakes[i].text));
		const char *said = r->c.messages.p ? r->c.messages.p : "";

		CU_ASSERT_PTR_NULL(r->m);
		CU_ASSERT(str_starts(str_from_z(said), STR("x.vmod:")));
		CU_ASSERT_PTR_NOT_NULL(strstr(said, mistakes[i].message));
		if (!strstr(said, mistakes[i].message))
			fprintf(stderr, "for %s expected %s, got %s",
			    mistakes[i].text, mistakes[i].message, said);
		done(r);
	}
}

/* Each wrong record is told, and those after it are read. */
static void
test_several(void)
{
	static const char text[] = "module m\nfunction WHAT f()\n\tA word.\n"
				   "function VOID g(IMT)\nrestrict nowhere\n";
	struct reading *r = read_text(text, sizeof(text) - 1);

	CU_ASSERT_EQUAL(r->c.error_n, 3);
	done(r);
	r = read_text("module m\0", 9);
	CU_ASSERT_PTR_NULL(r->m);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->c.messages.p, "a NUL byte"));
	done(r);
}

/* Those of copald itself. */
static void
test_own(void)
{
	const char *name;

	for (unsigned i = 0; (name = vcc_module_name(i)); i++) {
		struct reading *r = read_text("module m\n", 9);

		CU_ASSERT_PTR_NOT_NULL(vcc_module_import(
		    &r->c, str_from_z(name), STR_NULL, (struct vcc_span){0}));
		CU_ASSERT_PTR_NULL(r->c.messages.p);
		done(r);
	}
}

void
suite_vmod_desc(void)
{
	CU_pSuite s = CU_add_suite("vmod_desc", NULL, NULL);

	CU_add_test(s, "all that may be in one", test_whole);
	CU_add_test(s, "in C", test_in_c);
	CU_add_test(s, "mistakes", test_mistakes);
	CU_add_test(s, "several mistakes", test_several);
	CU_add_test(s, "modules of copald", test_own);
}
