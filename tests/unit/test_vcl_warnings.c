/*
 * test_vcl_warnings.c - what the compiler warns of, and what it must not;
 * and the C of string literals.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "emit.h"
#include "vcl_compile.h"

#define BACKEND  "vcl 4.1;\nimport std;\nbackend b { .host = \"127.0.0.1\"; }\n"
#define RECV(x)  BACKEND "sub vcl_recv { " x " }\n"
#define IF(cond) RECV("if (" cond ") { set req.url = \"/\"; }")

static void
test_warned(void)
{
	static const struct {
		const char *program, *message;
	} cases[] = {
	    {RECV("return (pass); set req.url = \"/\";"),
		"4:31: warning: this is never reached"},
	    {RECV("if (req.esi_level > 0) { return (pass); } "
		  "else { return (hash); } set req.url = \"/\";"),
		"each way through this 'if' returns"},
	    {RECV("return (pass);") "sub vcl_recv { set req.url = \"/\"; }",
		"this part of 'vcl_recv' is never reached"},
	    {RECV("set req.http.a = \"1\"; set req.http.A = \"2\";"),
		"4:16: warning: this has no effect: 'req.http.a' is set "
		"right after"},
	    {RECV("set req.http.a = \"1\"; unset req.http.a;"),
		"is unset right after"},
	    {RECV("unset req.http.a; if (req.http.a) { return (pass); }"),
		"'req.http.a' was just unset"},
	    {RECV("unset req.http.a; set req.http.b = \"x\" + req.http.a;"),
		"'req.http.a' was just unset"},
	    {IF("req.url == \"x\" || \"y\""),
		"4:38: warning: a string by itself is always true"},
	    {IF("\"x\""), "a string by itself is always true"},
	    {IF("req.method != \"GET\" || req.method != \"HEAD\""),
		"always true: it can't equal both; did you mean '&&'?"},
	    {IF("req.http.a == \"x\" && req.http.A == \"y\""),
		"never true: it can't equal both; did you mean '||'?"},
	    {IF("req.url ~ \"a\" || req.http.b || req.url ~ \"a\""),
		"this was tested just before"},
	    {RECV("if (req.url ~ \"a\") { return (pass); } "
		  "elseif (req.url ~ \"a\") { return (hash); }"),
		"this block is never run"},
	    {IF("req.url ~ \"/x^/y\""), "nothing comes before '^'"},
	    {IF("req.url ~ \"^/x|y+^z\""), "nothing comes before '^'"},
	    {IF("req.url ~ \"\\.jpg$\\?\""), "nothing comes after '$'"},
	    {IF("req.url ~ \"x$y\""), "nothing comes after '$'"},
	    {IF("req.url ~ \"*.jpg\""), "is no glob"},
	    {IF("(req.url = \"x\")"), "a comparison is written '=='"},
	    {IF("req.url == \"a\" && (req.url = \"x\")"),
		"a comparison is written '=='"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vcl_compile_result r;

		vcl_compile("test.vcl", str_from_z(cases[i].program), NULL, &r);
		if (!strstr(r.diagnostics, cases[i].message))
			fprintf(stderr, "of: %s\nwanted: %s\n%s",
			    cases[i].program, cases[i].message, r.diagnostics);
		CU_ASSERT_PTR_NOT_NULL(strstr(r.diagnostics, cases[i].message));
		CU_ASSERT_EQUAL(r.error_n + r.warning_n, 1);
		vcl_compile_result_free(&r);
	}
}

static void
test_not_warned(void)
{
	static const char *const cases[] = {
	    RECV(""),
	    RECV("if (req.http.a) { return (pass); } return (hash);"),
	    RECV("set req.http.a = \"1\"; set req.http.a = req.http.a + 2;"),
	    RECV("set req.http.a = \"1\"; set req.http.b = \"2\";"),
	    RECV("set req.http.a = \"1\"; set req.http.a += \"3\";"),
	    RECV("set req.http.a = \"1\"; set req.http.a = "
		 "std.tolower(req.http.a);"),
	    RECV("unset req.http.a; set req.http.a = \"x\";"),
	    RECV("unset req.http.a; set req.http.b = req.url;"),
	    IF("req.method != \"GET\" && req.method != \"HEAD\""),
	    IF("req.method == \"GET\" || req.method == \"HEAD\""),
	    IF("req.url ~ \"x\" && req.url !~ \"x\\.y\""),
	    IF("std.random(0, 9) > 1 && std.random(0, 9) > 1"),
	    IF("req.url ~ \"(^|&)a=(b|$)(&|$)\""),
	    IF("req.url ~ \"a*^b\""),
	    IF("req.url ~ \"(?m)a\\n^b$c\""),
	    IF("req.url ~ \"[^/]+[$]x\""),
	    IF("req.url ~ \"a\\$b\""),
	    IF("req.url ~ \"a\\^b\""),
	    IF("req.url ~ \"^a$|^b$\""),
	    IF("req.url ~ \"x$\\n\""),
	    IF("req.url ~ \"x{2}$\""),
	    IF("req.url ~ \"^^a$$\""),
	    IF("req.url ~ \"\\^a[]^]b[[:alpha:]^]$\""),
	    BACKEND "sub own { if (req.http.a) { return; } "
		    "set req.url = \"/\"; }\nsub vcl_recv { call own; }",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vcl_compile_result r;

		vcl_compile("test.vcl", str_from_z(cases[i]), NULL, &r);
		if (strstr(r.diagnostics, "warning:"))
			fprintf(stderr, "of: %s\n%s", cases[i], r.diagnostics);
		CU_ASSERT_PTR_NULL(strstr(r.diagnostics, "warning:"));
		vcl_compile_result_free(&r);
	}
}

/* ------------------------------------------------------------- literals */

enum { LITERAL_N = 300, LITERAL_MAX = 400, LONG_LITERAL = 200000 };

/* Random bytes, of a set that means something in C more often than not. */
static struct str
make_text(unsigned i)
{
	static const char special[] = "?=/\\\"'\n\t0123456789abcfx%#*/";
	size_t len = i == 0 ? LONG_LITERAL : (size_t)rand() % LITERAL_MAX;
	char *p = malloc(len + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (size_t j = 0; j < len; j++)
		p[j] = rand() % 2 ? (char)(rand() % 256)
				  : special[(size_t)rand() % sizeof(special)];
	return str_of(p, len);
}

static void
test_literals(void)
{
	char c_name[] = "/tmp/test_literal_XXXXXX.c", so[64], command[256];
	struct str text[LITERAL_N];
	struct got {
		const char *p;
		size_t len;
	} * got;
	struct vcc_mem mem = {.limit = 100 << 20};
	struct vcc_buf b = {.mem = &mem};
	int fd = mkstemps(c_name, 2);
	void *handle;

	srand(4711);
	vcc_puts(&b, "#include <stddef.h>\n"
		     "const struct { const char *p; size_t n; } got[] = {\n");
	for (unsigned i = 0; i < LITERAL_N; i++) {
		text[i] = make_text(i);
		vcc_puts(&b, "{");
		vcc_emit_literal(&b, text[i]);
		vcc_puts(&b, ", sizeof(");
		vcc_emit_literal(&b, text[i]);
		vcc_puts(&b, ") - 1},\n");
	}
	vcc_puts(&b, "};\n");
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, b.p, b.len), (ssize_t)b.len);
	close(fd);
	snprintf(so, sizeof(so), "%s.so", c_name);
	/* -trigraphs: with -std=c11 they would be on */
	snprintf(command, sizeof(command),
	    "cc -std=gnu11 -trigraphs -Wall -Werror -Wno-trigraphs -fPIC "
	    "-shared -o %s %s",
	    so, c_name);
	CU_ASSERT_EQUAL(system(command), 0);
	handle = dlopen(so, RTLD_NOW | RTLD_LOCAL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(handle);
	got = dlsym(handle, "got");
	CU_ASSERT_PTR_NOT_NULL_FATAL(got);
	for (unsigned i = 0; i < LITERAL_N; i++) {
		CU_ASSERT(str_eq(str_of(got[i].p, got[i].len), text[i]));
		free((char *)(uintptr_t)text[i].p);
	}
	dlclose(handle);
	unlink(so);
	unlink(c_name);
	vcc_mem_free(&mem);
}

/* Lines of VCL are comments in the C, whatever is in them. */
static void
test_comments(void)
{
	static const char program[] = RECV(
	    "set req.url = \"*/ int x; /* ?\?/\"; /* a */ // b \\\n"
	    "set req.http.A-b = {\"/*/\t\xc3\xa9\xe2\x80\xae\x01\"}; # *\\\n");
	char path[] = "/tmp/test_comment_XXXXXX.c", command[128];
	struct vcl_compile_result r;
	int fd = mkstemps(path, 2);

	vcl_compile("test.vcl", str_from_z(program), NULL, &r);
	CU_ASSERT_STRING_EQUAL(r.diagnostics, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(r.c);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, r.c, strlen(r.c)), (ssize_t)strlen(r.c));
	close(fd);
	snprintf(command, sizeof(command),
	    "cc -std=gnu11 -fsyntax-only -Wall -Wno-unused -Werror %s", path);
	CU_ASSERT_EQUAL(system(command), 0);
	unlink(path);
	vcl_compile_result_free(&r);
}

void
suite_vcl_warnings(void)
{
	CU_pSuite s = CU_add_suite("vcl_warnings", NULL, NULL);

	CU_add_test(s, "what is warned of", test_warned);
	CU_add_test(s, "what is not", test_not_warned);
	CU_add_test(s, "string literals in C", test_literals);
	CU_add_test(s, "lines of VCL in C", test_comments);
}
