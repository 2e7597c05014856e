/*
 * test_vcl_lexer.c - tokens of VCL, and how its strings become C.
 */
#include <math.h>
#include <stdlib.h>

#include <CUnit/CUnit.h>

#include "compiler.h"
#include "emit.h"

/* A compilation that only lexes. */
static struct vcc *
begin(const char *text, size_t len, const struct vcc_source **source)
{
	static const struct vcl_compile_options options;
	struct vcc *c = calloc(1, sizeof(*c));

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	c->options = &options;
	c->mem.limit = 1 << 30;
	c->messages.mem = &c->mem;
	if (setjmp(c->mem.full) != 0)
		CU_FAIL_FATAL("no memory");
	*source = vcc_source_new(
	    c, "<test>", str_of(text, len), (struct vcc_span){0});
	return c;
}

static void
end(struct vcc *c)
{
	vcc_mem_free(&c->mem);
	free(c);
}

/* The first token of a text. */
static struct vcc_token
first(struct vcc *c, const struct vcc_source *source)
{
	uint32_t pos = 0;

	return vcc_lex(c, source, &pos);
}

static void
test_kinds(void)
{
	static const struct {
		const char *text;
		unsigned kind;
		double d;
		int64_t i;
	} cases[] = {
	    {"", T_EOF, 0, 0},
	    {" \t\r\n# x\n// y\n/* z */", T_EOF, 0, 0},
	    {"req.http.X-Forwarded-For", T_ID, 0, 0},
	    {"req.http.\"x\"", T_ID, 0, 0},
	    {"0", T_INT, 0, 0},
	    {"9223372036854775807", T_INT, 9223372036854775807.0, INT64_MAX},
	    {"9223372036854775808", T_BAD, 0, 0},
	    {"1.5", T_REAL, 1.5, 0},
	    {"1ms", T_DURATION, 0.001, 0},
	    {"1.5s", T_DURATION, 1.5, 0},
	    {"5 s", T_DURATION, 5, 0},
	    {"5\n\t/* x */ s", T_DURATION, 5, 0},
	    {"5 # x\ns", T_DURATION, 5, 0},
	    {"5 // x\nMB", T_BYTES, 0, 5 << 20},
	    {"2m", T_DURATION, 120, 0},
	    {"2h", T_DURATION, 7200, 0},
	    {"1d", T_DURATION, 86400, 0},
	    {"1w", T_DURATION, 604800, 0},
	    {"1y", T_DURATION, 31536000, 0},
	    {"5B", T_BYTES, 0, 5},
	    {"1.5KB", T_BYTES, 0, 1536},
	    {"2MB", T_BYTES, 0, 2 << 20},
	    {"1GB", T_BYTES, 0, 1 << 30},
	    {"1TB", T_BYTES, 0, INT64_C(1) << 40},
	    {"99999999999TB", T_BAD, 0, 0},
	    {"1kb", T_BYTES, 0, 1024},
	    {"2k", T_BYTES, 0, 2048},
	    {"2M", T_BYTES, 0, 2 << 20},
	    {"3g", T_BYTES, 0, INT64_C(3) << 30},
	    {"1Pb", T_BYTES, 0, INT64_C(1) << 50},
	    {"1S", T_BAD, 0, 0},
	    {"1kbb", T_BAD, 0, 0},
	    {"1xyz", T_BAD, 0, 0},
	    {"\"a\"", T_STRING, 0, 0},
	    {"\"\"", T_STRING, 0, 0},
	    {"{\"a\"b\n\"}", T_STRING, 0, 0},
	    {"\"\"\"a\"b\n\"\"\"", T_STRING, 0, 0},
	    {"\"a", T_BAD, 0, 0},
	    {"\"a\nb\"", T_STRING, 0, 0},
	    {"{\"a", T_BAD, 0, 0},
	    {"\"\"\"a\"\"", T_BAD, 0, 0},
	    {"'a'", T_BAD, 0, 0},
	    {"/* a", T_EOF, 0, 0},
	    {"C{ x }C", T_BAD, 0, 0},
	    {"&&", T_AND, 0, 0},
	    {"||", T_OR, 0, 0},
	    {"&", T_BAD, 0, 0},
	    {"==", T_EQ, 0, 0},
	    {"!=", T_NE, 0, 0},
	    {"<=", T_LE, 0, 0},
	    {">=", T_GE, 0, 0},
	    {"!~", T_NOMATCH, 0, 0},
	    {"!", '!', 0, 0},
	    {"~", '~', 0, 0},
	    {"+=", T_ADD, 0, 0},
	    {"-=", T_SUB, 0, 0},
	    {"*=", T_MUL, 0, 0},
	    {"/=", T_DIV, 0, 0},
	    {"%", '%', 0, 0},
	    {":SGVsbG8=:", T_BLOB, 0, 0},
	    {"::", T_BLOB, 0, 0},
	    {":SGV", T_BAD, 0, 0},
	    {"$", T_BAD, 0, 0},
	    {"\303\251", T_BAD, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct vcc_source *source;
		struct vcc *c =
		    begin(cases[i].text, strlen(cases[i].text), &source);
		struct vcc_token t = first(c, source);

		if (t.kind != cases[i].kind)
			fprintf(stderr, "token of: %s\n", cases[i].text);
		CU_ASSERT_EQUAL(t.kind, cases[i].kind);
		if (t.kind == T_DURATION || t.kind == T_REAL)
			CU_ASSERT(fabs(t.d - cases[i].d) < 1e-9);
		if (t.kind == T_INT || t.kind == T_BYTES)
			CU_ASSERT_EQUAL(t.i, cases[i].i);
		/* what is bad was reported, once */
		if (t.kind == T_BAD)
			CU_ASSERT_EQUAL(c->error_n, 1);
		end(c);
	}
}

static void
test_text(void)
{
	static const struct {
		const char *source, *text;
	} cases[] = {
	    {"req.http.a-b.lower (", "req.http.a-b.lower"},
	    {"\"a\\d\"x", "a\\d"},
	    {"{\"say \"hi\"\n\"}", "say \"hi\"\n"},
	    {"\"\"\"{\"x\"}\"\"\"", "{\"x\"}"},
	    {":SGVsbG8=:", "Hello"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct vcc_source *source;
		struct vcc *c =
		    begin(cases[i].source, strlen(cases[i].source), &source);
		struct vcc_token t = first(c, source);

		CU_ASSERT(str_eq(t.text, str_from_z(cases[i].text)));
		end(c);
	}
}

static void
test_places(void)
{
	static const char text[] = "a\n\tb\n\303\251\303\251 c";
	const struct vcc_source *source;
	struct vcc *c = begin(text, sizeof(text) - 1, &source);
	struct vcc_span b = {source, 3, 1}, last = {source, 10, 1};

	CU_ASSERT_EQUAL(vcc_line(b), 2);
	CU_ASSERT_EQUAL(vcc_column(b), 2);
	CU_ASSERT_EQUAL(vcc_line(last), 3);
	CU_ASSERT_EQUAL(vcc_column(last), 4);
	CU_ASSERT(str_eq(vcc_line_text(source, 2), STR("\tb")));
	end(c);
}

/* Reads a C string literal as a C compiler would, into out. */
static size_t
read_literal(const char *p, char *out)
{
	size_t n = 0;

	for (; *p; p++) {
		if (*p == '"' || strchr("\n\t ", *p))
			continue; /* between the pieces of the literal */
		if (*p != '\\') {
			out[n++] = *p;
			continue;
		}
		p++;
		if (*p == 'n')
			out[n++] = '\n';
		else if (*p >= '0' && *p <= '7') {
			out[n++] = (char)((p[0] - '0') * 64 + (p[1] - '0') * 8 +
					  (p[2] - '0'));
			p += 2;
		} else
			out[n++] = *p;
	}
	return n;
}

static void
test_literal(void)
{
	const struct vcc_source *source;
	struct vcc *c = begin("", 0, &source);
	struct vcc_buf b = {.mem = &c->mem};
	char all[256 * 2], back[sizeof(all)];
	size_t n = 0;

	/* every byte but the space, each before a digit: "\0011" */
	for (int ch = 0; ch < 256; ch++) {
		if (ch == ' ')
			continue;
		all[n++] = (char)ch;
		all[n++] = '1';
	}
	vcc_emit_literal(&b, str_of(all, n));
	for (size_t i = 0; i < b.len; i++)
		CU_ASSERT((b.p[i] >= ' ' && b.p[i] <= '~') || b.p[i] == '\n' ||
			  b.p[i] == '\t');
	CU_ASSERT_EQUAL(read_literal(b.p, back), n);
	CU_ASSERT(memcmp(all, back, n) == 0);
	CU_ASSERT_PTR_NULL(strstr(b.p, "??"));
	end(c);
}

void
suite_vcl_lexer(void)
{
	CU_pSuite s = CU_add_suite("vcl_lexer", NULL, NULL);

	CU_add_test(s, "kinds of tokens", test_kinds);
	CU_add_test(s, "text of tokens", test_text);
	CU_add_test(s, "lines and columns", test_places);
	CU_add_test(s, "C literals", test_literal);
}
