/*
 * test_sfield.c - structured fields: what is read, and what is not.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "sfield.h"

void suite_sfield(void);

static char text[1024];
static size_t used;

static void
say(const char *format, struct str s)
{
	used += (size_t)snprintf(text + used, sizeof text - used, format,
	    STR_ARG(s));
}

static void
say_item(const struct sf_item *i)
{
	switch (i->type) {
	case SF_INTEGER:
	case SF_DECIMAL:
	case SF_BOOLEAN:
	case SF_DATE:
		used += (size_t)snprintf(text + used, sizeof text - used,
		    "%c%lld", "ID????@"[i->type], (long long)i->number);
		break;
	case SF_STRING:
		say("\"%.*s\"", i->text);
		break;
	case SF_TOKEN:
		say("%.*s", i->text);
		break;
	case SF_BYTES:
		say(":%.*s:", i->text);
		break;
	case SF_DISPLAY:
		say("%%\"%.*s\"", i->text);
		break;
	case SF_INNER_LIST:
		say("(%.*s)", i->text);
		break;
	}
	say("%.*s", i->parameters);
}

static const char *
dictionary(const char *z)
{
	struct str rest = str_from_z(z), key;
	struct sf_item i;
	enum sf_result r;

	used = 0;
	text[0] = '\0';
	while ((r = sf_next_member(&rest, &key, &i)) == SF_MEMBER) {
		say("%.*s=", key);
		say_item(&i);
		say("%.*s", STR(" "));
	}
	return r == SF_END ? text : "error";
}

static void
test_dictionary(void)
{
	static const char *const v[][2] = {
	    {"", ""},
	    {" max-age=60 , private", "max-age=I60 private=?1 "},
	    {"a=?0,b=?1;x;y=2,\tc", "a=?0 b=?1;x;y=2 c=?1 "},
	    {"a=-1.5, b=\"q\\\"x\", c=*tok/en:x", "a=D-1500 b=\"q\\\"x\" "
		"c=*tok/en:x "},
	    {"a=:aGk=:, d=@1659578233, e=%\"f%c3%bc\"",
		"a=:aGk=: d=@1659578233 e=%\"f%c3%bc\" "},
	    {"except=(\"a\" \"b\";q=1 );x=1, b=()",
		"except=(\"a\" \"b\";q=1 );x=1 b=() "},
	    {"a=999999999999999", "a=I999999999999999 "},
	    {"a=1000000000000000", "error"},
	    {"a=1234567890123.1", "error"},
	    {"a=1.1234", "error"},
	    {"a=1.", "error"},
	    {"a=-", "error"},
	    {"MAX-AGE=1", "error"},
	    {"a,", "error"},
	    {"a=1 b=2", "error"},
	    {"a =1", "error"},
	    {"a= 1", "error"},
	    {"a=\"x", "error"},
	    {"a=\"x\\y\"", "error"},
	    {"a=\"\xc3\xbc\"", "error"},
	    {"a=(1 2", "error"},
	    {"a=(1,2)", "error"},
	    {"a=(1\"x\")", "error"},
	    {"a=?2", "error"},
	    {"a=:!:", "error"},
	    {"a=@1.5", "error"},
	    {"a=%\"%C3\"", "error"},
	    {"a;=1", "error"},
	    {"a=1;B", "error"},
	    {"&&&", "error"},
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		CU_ASSERT_STRING_EQUAL(dictionary(v[i][0]), v[i][1]);
		if (strcmp(dictionary(v[i][0]), v[i][1]) != 0)
			fprintf(stderr, "%s: %s\n", v[i][0],
			    dictionary(v[i][0]));
	}
}

static void
test_list(void)
{
	struct str rest = STR("a;q=1, (1 \"b\");x, 2"), inner, key;
	struct sf_item i;
	char buf[8];

	CU_ASSERT_EQUAL(sf_next_in_list(&rest, &i), SF_MEMBER);
	CU_ASSERT_EQUAL(i.type, SF_TOKEN);
	CU_ASSERT_EQUAL(sf_next_parameter(&i.parameters, &key, &i), SF_MEMBER);
	CU_ASSERT(str_eq(key, STR("q")));
	CU_ASSERT_EQUAL(i.number, 1);
	CU_ASSERT_EQUAL(sf_next_in_list(&rest, &i), SF_MEMBER);
	CU_ASSERT_EQUAL_FATAL(i.type, SF_INNER_LIST);
	inner = i.text;
	CU_ASSERT_EQUAL(sf_next_inner(&inner, &i), SF_MEMBER);
	CU_ASSERT_EQUAL(i.number, 1);
	CU_ASSERT_EQUAL(sf_next_inner(&inner, &i), SF_MEMBER);
	CU_ASSERT(str_eq(i.text, STR("b")));
	CU_ASSERT_EQUAL(sf_next_inner(&inner, &i), SF_END);
	CU_ASSERT_EQUAL(sf_next_in_list(&rest, &i), SF_MEMBER);
	CU_ASSERT_EQUAL(i.number, 2);
	CU_ASSERT_EQUAL(sf_next_in_list(&rest, &i), SF_END);
	CU_ASSERT(sf_item(STR(" \"a\\\\b\";x=1 "), &i));
	CU_ASSERT_EQUAL(sf_string(i.text, buf), 3);
	CU_ASSERT(!memcmp(buf, "a\\b", 3));
	CU_ASSERT(!sf_item(STR("1, 2"), &i));
	CU_ASSERT(!sf_item(STR(""), &i));
}

void
suite_sfield(void)
{
	CU_pSuite s = CU_add_suite("sfield", NULL, NULL);

	CU_add_test(s, "dictionary", test_dictionary);
	CU_add_test(s, "list", test_list);
}
