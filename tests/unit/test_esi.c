/*
 * test_esi.c - pages with ESI: what is text, what is included, what is told.
 */
#include <CUnit/CUnit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esi.h"

static char got[65536];
static size_t got_len;
static bool in_text;

static void
put(const char *p, size_t len)
{
	if (got_len + len >= sizeof got)
		len = sizeof got - got_len - 1;
	memcpy(got + got_len, p, len);
	got_len += len;
	got[got_len] = '\0';
}

/* text as it is, {src} or {src?}, [ERR at what] */
static bool
write_event(void *priv, const struct esi_event *v)
{
	char at[40];

	(void)priv;
	switch (v->kind) {
	case ESI_TEXT:
		put(v->text.p, v->text.len);
		return true;
	case ESI_INCLUDE:
		put("{", 1);
		put(v->text.p, v->text.len);
		put("?}", v->may_fail ? 2 : 0);
		put("}", v->may_fail ? 0 : 1);
		return true;
	case ESI_ERROR:
	case ESI_WARNING:
	case ESI_NO_PAGE:
		put(at, (size_t)snprintf(at, sizeof at, "[%s%llu]",
		    v->kind == ESI_ERROR ? "E" :
		    v->kind == ESI_WARNING ? "W" : "N",
		    (unsigned long long)v->at));
		return true;
	}
	return true;
}

static void
run(const char *text, size_t len, unsigned flags, size_t step)
{
	struct esi *e = esi_new(flags);

	got_len = 0;
	got[0] = '\0';
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		char *piece = malloc(n);

		memcpy(piece, text + at, n);
		CU_ASSERT_TRUE(esi_feed(e, str_of(piece, n), write_event,
		    NULL));
		free(piece);
	}
	CU_ASSERT_TRUE(esi_end(e, write_event, NULL));
	in_text = esi_found(e);
	esi_free(&e);
}

static void
check_flags(const char *page, unsigned flags, const char *want)
{
	size_t len = strlen(page);

	for (size_t step = 1; step <= len; step++) {
		run(page, len, flags, step);
		if (strcmp(got, want) != 0) {
			printf("\n%s\n in steps of %zu: %s\n wanted: %s\n",
			    page, step, got, want);
			CU_FAIL("other events");
			return;
		}
	}
}

static void
check(const char *page, const char *want)
{
	check_flags(page, 0, want);
}

static void
test_text(void)
{
	check("<html>a<b>c</b></html>", "<html>a<b>c</b></html>");
	CU_ASSERT_FALSE(in_text);
	check(" \n\t<p>", " \n\t<p>");
	check("<", "<");
	check("<es", "<es");
	check("<!--es", "<!--es");
	check("<p>a < b <", "<p>a < b <");
	check("<!-- <esi:include src='/x'/> --->x", "<!-- <esi:include "
	    "src='/x'/> --->x");
	check("<![CDATA[<esi:remove>]]]>x", "<![CDATA[<esi:remove>]]]>x");
	check("<a b='<esi:remove>x</esi:remove>'>",
	    "<a b='<esi:remove>x[E32]'>");
	check("<p>-->x", "<p>-->x");
	CU_ASSERT_FALSE(in_text);
}

static void
test_include(void)
{
	check("<p><esi:include src=\"/a\"/></p>", "<p>{/a}</p>");
	CU_ASSERT_TRUE(in_text);
	check("<esi:include src='/a'/>", "{/a}");
	check("<esi:include src=/a />", "{/a}");
	check("<esi:include\n\tsrc='/a'\n/>", "{/a}");
	check("<esi:include alt='/b' src='/a' x=y onerror=\"continue\"/>x",
	    "{/a?}x");
	check("<esi:include src='/a' onerror='stop'/>", "{/a}");
	check("<p><<esi:include src='/a'/>", "<p><{/a}");
	check("<esi:include src='/a?b=&lt;&amp;&apos;&quot;&gt;&x'/>",
	    "{/a?b=<&'\">&x}");
	check("<esi:include src='/a'>x", "[W22]{/a}x");
	check("<esi:include src='http://h/a'/>", "{http://h/a}");
}

static void
test_include_errors(void)
{
	check("<esi:include/>x", "[E14]x");
	check("<esi:include src=''/>x", "[E21]x");
	check("<esi:include src='/a' src='/b'/>x", "[E25]x");
	check("<esi:include src=/a/>x", "[E20]x");
	check("<esi:include src='/a>x", "[E20]x");
	check("<esi:include src= '/a'/>x", "[E17]x");
	check("<esi:include =/>x", "[E13]x");
	check("<esi:include s!c='/a'/>x", "[E14]x");
	check("<esi:include / src='/a'/>x", "[E14]x");
	check("</esi:include>x", "[E13]x");
	check("<esi:includes src='/a'/>x", "[E13]x");
	check("<esi:bogus>x</esi:bogus>y", "[E10]x[E23]y");
	check("<p><esi:include src='/a'", "<p>[E24]");
	check("<esi:include src='https://h/a'/>x", "[W32]x");
	check_flags("<esi:include src='https://h/a'/>x", ESI_IGNORE_HTTPS,
	    "[W32]{https://h/a}x");
}

static void
test_remove(void)
{
	check("<p>a<esi:remove>b<i>c</i></esi:remove>d", "<p>ad");
	check("<esi:remove>b<esi:include src='/a'/></esi:remove>d",
	    "[E25]d");
	check("<esi:remove/>x", "[E13]x");
	check("</esi:remove>x", "[E13]x");
	check("<esi:remove>a<esi:remove>b</esi:remove>x", "[E25]x");
	check("<p><esi:remove>abc", "<p>[E18]");
	check("<p><esi:comment text='a'/>x", "<p>x");
	check("<p><esi:comment text='a'>x", "<p>[E25]x");
	check("<p></esi:comment>x", "<p>[E16]x");
	check("<esi:remove><esi:comment text='a'/></esi:remove>x",
	    "[E24]x");
}

static void
test_comment(void)
{
	check("<p><!--esi a<b>--c-- -->-->d", "<p> a<b>--c-- -->d");
	check("<p><!--esi <esi:include src='/a'/>-->d", "<p> {/a}d");
	check("<p><!--esi a--->b", "<p> a-b");
	check("<!--esi a----->b-->c", " a---b-->c");
	check("<!--esi a<!-- b -->c-->d", " a<!-- b -->cd");
	check("<!--esi a<!--esi b -->c-->d", " a<!--esi b -->cd");
	check("<esi:remove>a<!--esi b--></esi:remove>c", "[E20]c");
	check("<!--esi a-", " a-");
}

static void
test_first_character(void)
{
	static const char page[] = "{\"a\": \"<esi:include src='/a'/>\"}";

	check(page, "[N0]{\"a\": \"<esi:include src='/a'/>\"}");
	check_flags(page, ESI_DISABLE_XML_CHECK, "{\"a\": \"{/a}\"}");
	check_flags("<a b='<esi:include src=\"/a\"/>'>x",
	    ESI_IGNORE_OTHER_ELEMENTS, "<a b='{/a}'>x");
	check("\xef\xbb\xbf<p>", "[N0]\xef\xbb\xbf<p>");
	check_flags("\xef\xbb\xbf<p>", ESI_REMOVE_BOM, "<p>");
	CU_ASSERT_TRUE(in_text);
	check_flags("<p>\xef\xbb\xbf", ESI_REMOVE_BOM, "<p>\xef\xbb\xbf");
	check_flags("\xef\xbb", ESI_REMOVE_BOM, "\xef\xbb");
	check_flags("\xef\xbb<", ESI_REMOVE_BOM | ESI_DISABLE_XML_CHECK,
	    "\xef\xbb<");
}

/* More than is kept of a src is an error, and takes no memory. */
static void
test_long_src(void)
{
	enum { LEN = 20000 };
	static const char end[] = "'/>x";
	char *page = malloc(LEN + 30);
	int n = sprintf(page, "<esi:include src='/");

	memset(page + n, 'a', LEN);
	memcpy(page + n + LEN, end, sizeof end);
	run(page, (size_t)n + LEN + sizeof end - 1, 0, 999);
	CU_ASSERT_STRING_EQUAL(got, "[E8210]x");
	free(page);
}

static void
resolve(const char *base, const char *src, const char *host,
    const char *target)
{
	struct str h = STR_NULL, t = STR_NULL;
	char buf[200];
	bool ok = esi_resolve(str_from_z(base), str_from_z(src), buf, &h, &t);

	if (ok != (target != NULL) || !str_eq(h, str_from_z(host)) ||
	    !str_eq(t, str_from_z(target))) {
		printf("\n%s at %s: %d host <%.*s> target <%.*s>\n", src, base,
		    ok, STR_ARG(h), STR_ARG(t));
		CU_FAIL("another address");
	}
}

static void
test_resolve(void)
{
	resolve("/a/b?c=/d", "/x?y#z", NULL, "/x?y");
	resolve("/a/b?c=/d", "x", NULL, "/a/x");
	resolve("/a/b/", "x/y", NULL, "/a/b/x/y");
	resolve("/a/b", "../x", NULL, "/x");
	resolve("/a/b", "../../../x/./y/", NULL, "/x/y/");
	resolve("/a/b/c", "..", NULL, "/a/");
	resolve("/a/b/c", ".", NULL, "/a/b/");
	resolve("/a/b?c", "?d=..", NULL, "/a/b?d=..");
	resolve("/a", "/b/../c?d/../e", NULL, "/c?d/../e");
	resolve("http://h/a/b?c", "x", NULL, "/a/x");
	resolve("http://h", "x", NULL, "/x");
	resolve("*", "x", NULL, "/x");
	resolve("/a", "http://h:81/x/y", "h:81", "/x/y");
	resolve("/a", "HTTPS://h", "h", "/");
	resolve("/a", "http://h?x", "h", "/?x");
	resolve("/a", "//[::1]:80/x", "[::1]:80", "/x");
	resolve("/a", "http:///x", NULL, NULL);
	resolve("/a", "ftp://h/x", NULL, NULL);
	resolve("/a", "javascript:x", NULL, NULL);
	resolve("/a", "/x y", NULL, NULL);
	resolve("/a", "/x\r\nb", NULL, NULL);
	resolve("/a", "#x", NULL, NULL);
}

static void
test_bad_host(void)
{
	struct str h, t;
	char buf[50];

	CU_ASSERT_FALSE(esi_resolve(STR("/"), STR("//u@h/"), buf, &h, &t));
	CU_ASSERT_FALSE(esi_resolve(STR("/"), STR("//a,b/"), buf, &h, &t));
}

void
suite_esi(void)
{
	CU_pSuite s = CU_add_suite("esi", NULL, NULL);

	CU_add_test(s, "text", test_text);
	CU_add_test(s, "include", test_include);
	CU_add_test(s, "include, wrong", test_include_errors);
	CU_add_test(s, "remove, comment", test_remove);
	CU_add_test(s, "<!--esi", test_comment);
	CU_add_test(s, "the first character", test_first_character);
	CU_add_test(s, "a long src", test_long_src);
	CU_add_test(s, "addresses", test_resolve);
	CU_add_test(s, "no host", test_bad_host);
}
