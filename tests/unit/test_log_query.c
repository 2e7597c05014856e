/*
 * test_log_query.c - copallog's queries: what they say of a transaction, and
 * what is said of those that are wrong.
 */
#include <CUnit/CUnit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copallog/query.h"
#include "copallog/tag_set.h"

static const struct {
	unsigned level;
	struct log_record record;
} records[] = {
    {1, {LOG_REQ_METHOD, 0, {0}, {"GET", 3}}},
    {1, {LOG_REQ_URL, 0, {0}, {"/foo/bar?x=1", 12}}},
    {1, {LOG_REQ_HEADER, 0, {0}, {"Host: www.example", 17}}},
    {1, {LOG_REQ_HEADER, 0, {0}, {"X-Number:  42 7 ", 16}}},
    {1, {LOG_REQ_HEADER, 0, {0}, {"X-Empty:", 8}}},
    {1, {LOG_TIMESTAMP, 3, {1000.5, 1000, 1000.25}, {"Resp", 4}}},
    {1, {LOG_RESP_STATUS, 1, {503}, {NULL, 0}}},
    {2, {LOG_BERESP_STATUS, 1, {200}, {NULL, 0}}},
};

static bool
holds_caseless(const char *text, bool caseless)
{
	char err[256];
	struct log_query *q = log_query_new(text, caseless, err, sizeof err);
	bool r;

	if (q == NULL) {
		printf("\n  %s: %s\n", text, err);
		CU_FAIL("the query was refused");
		return false;
	}
	/* Twice: nothing may be left of the first time. */
	for (int i = 0; i < 2; i++) {
		log_query_begin(q);
		for (size_t k = 0; k < sizeof records / sizeof *records; k++)
			log_query_record(q, records[k].level == 1 ? 7 : 8,
			    records[k].level, &records[k].record);
		r = log_query_result(q);
	}
	log_query_free(&q);
	CU_ASSERT_PTR_NULL(q);
	return r;
}

static bool
holds(const char *text)
{
	return holds_caseless(text, false);
}

static void
test_conditions(void)
{
	static const struct {
		const char *query;
		bool holds;
	} table[] = {
	    {"ReqURL", true},
	    {"BereqURL", false},
	    {"ReqURL ~ \"^/foo\"", true},
	    {"ReqURL ~ '^/bar'", false},
	    {"ReqURL !~ '^/bar'", true},
	    {"ReqURL ~ ^/foo", true},
	    {"requrl eq /foo/bar?x", false},
	    {"ReqURL eq '/foo/bar?x=1'", true},
	    {"ReqMethod eq GET", true},
	    {"ReqMethod eq get", false},
	    {"ReqMethod ne GET", false},
	    {"ReqMethod ne POST", true},
	    {"RespStatus == 503", true},
	    {"RespStatus==503", true},
	    {"RespStatus != 503", false},
	    {"RespStatus >= 500", true},
	    {"RespStatus > 503", false},
	    {"RespStatus <= 503", true},
	    {"RespStatus < 503.5", true},
	    {"*Status == 200", true},
	    {"RespStatus,BerespStatus == 200", true},
	    {"ReqMethod == 1", false},
	    {"ReqHeader:Host eq 'www.example'", true},
	    {"ReqHeader:host eq www.example", true},
	    {"ReqHeader:Hos", false},
	    {"ReqHeader:X-Number[1] == 42", true},
	    {"ReqHeader:X-Number[2] == 7", true},
	    {"ReqHeader:X-Number[3]", false},
	    {"ReqHeader:X-Number == 42", false},
	    {"ReqHeader:X-Empty", true},
	    {"ReqHeader:X-Empty eq ''", true},
	    {"Timestamp:Resp[2] > 0.4", true},
	    {"Timestamp:Resp[2] > 0.6", false},
	    {"Timestamp:Resp[3] == 0.25", true},
	    {"Timestamp[1] eq 'Resp:'", true},
	    {"{1}BerespStatus", false},
	    {"{2}BerespStatus == 200", true},
	    {"{2+}BerespStatus", true},
	    {"{2-}RespStatus", true},
	    {"{2+}RespStatus", false},
	    {"xid == 7", true},
	    {"vxid == 9", false},
	    {"* ~ foo", true},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (holds(table[i].query) == table[i].holds)
			continue;
		printf("\n  %s\n", table[i].query);
		CU_FAIL("another answer than expected");
	}
}

static void
test_logic(void)
{
	CU_ASSERT_TRUE(holds("ReqURL and RespStatus"));
	CU_ASSERT_FALSE(holds("ReqURL and BereqURL"));
	CU_ASSERT_TRUE(holds("BereqURL or ReqURL"));
	CU_ASSERT_FALSE(holds("not ReqURL"));
	CU_ASSERT_TRUE(holds("not not ReqURL"));
	/* not before and before or */
	CU_ASSERT_TRUE(holds("ReqURL or BereqURL and BereqURL"));
	CU_ASSERT_FALSE(holds("(ReqURL or BereqURL) and BereqURL"));
	CU_ASSERT_TRUE(holds("not BereqURL and ReqURL"));
	CU_ASSERT_FALSE(holds("not (BereqURL or ReqURL)"));
	CU_ASSERT_TRUE(holds("not(BereqURL)"));
	CU_ASSERT_TRUE(holds("( (ReqMethod eq 'GET') and"
			     " (RespStatus>=500 or RespStatus == 404) )"));
}

static void
test_strings(void)
{
	CU_ASSERT_TRUE(holds("ReqURL ~ \"o\\\\/|r\\?x\""));
	CU_ASSERT_TRUE(holds("ReqURL ne \"a\\\"b\""));
	CU_ASSERT_TRUE(holds("ReqURL ~ 'bar\\?x=\\d$'"));
	CU_ASSERT_FALSE(holds("ReqURL ~ FOO"));
	CU_ASSERT_TRUE(holds_caseless("ReqURL ~ FOO", true));
	CU_ASSERT_TRUE(holds_caseless("ReqMethod eq get", true));
}

static void
refused(const char *text, const char *expected)
{
	char err[256] = "";
	struct log_query *q = log_query_new(text, false, err, sizeof err);

	CU_ASSERT_PTR_NULL(q);
	if (strstr(err, expected) == NULL) {
		printf("\n  %s: \"%s\", expected \"%s\"\n", text, err,
		    expected);
		CU_FAIL("another message than expected");
	}
	log_query_free(&q);
}

static void
test_errors(void)
{
	char text[8192] = "";

	refused("", "Expected the name of a tag");
	refused("   ", "Expected the name of a tag");
	refused("Bogus", "\"Bogus\" is not a tag of the log, at offset 0");
	refused("ReqURL,Bogus", "\"Bogus\" is not a tag");
	refused("ReqURL ~", "Expected a value");
	refused("ReqURL ~ '", "no end");
	refused("ReqURL ~ '('", "missing closing parenthesis");
	refused("ReqURL == foo", "Expected a number");
	refused("ReqURL == 0x10", "Expected a number");
	refused("ReqURL == nan", "Expected a number");
	refused("ReqURL ReqURL", "Expected and, or");
	refused("(ReqURL", "Expected a )");
	refused("ReqURL)", "Expected and, or");
	refused("ReqURL and", "Expected the name of a tag");
	refused("ReqURL[0]", "Expected a number from 1");
	refused("ReqURL[x]", "Expected a number from 1");
	refused("ReqHeader:", "Expected a prefix");
	refused("{ReqURL", "Expected a } after the level");
	refused("{0}ReqURL", "Expected a number from 1");
	refused("ReqURL]", "Expected a [");
	refused("xid", "Expected an operator");
	for (int i = 0; i < 1000; i++)
		strcat(text, "(");
	refused(text, "levels of nesting");
	text[0] = '\0';
	for (int i = 0; i < 700; i++)
		strcat(text, "End or ");
	strcat(text, "End");
	refused(text, "More than");
}

static bool
set_has(const char *list, enum log_tag tag)
{
	struct tag_set s = {{0}};
	struct str bad;

	return tag_set_parse(&s, str_from_z(list), &bad) &&
	    tag_set_has(&s, tag);
}

static void
test_tag_set(void)
{
	CU_ASSERT_TRUE(set_has("ReqURL", LOG_REQ_URL));
	CU_ASSERT_TRUE(set_has("requrl", LOG_REQ_URL));
	CU_ASSERT_FALSE(set_has("ReqURL", LOG_BEREQ_URL));
	CU_ASSERT_TRUE(set_has("End, ReqU*", LOG_REQ_URL));
	CU_ASSERT_TRUE(set_has("*URL", LOG_BEREQ_URL));
	CU_ASSERT_TRUE(set_has("*", LOG_NOTICE));
	CU_ASSERT_FALSE(set_has("", LOG_REQ_URL));
	CU_ASSERT_FALSE(set_has("ReqURL,", LOG_REQ_URL));
	CU_ASSERT_FALSE(set_has("ReqURL,x*", LOG_REQ_URL));
}

void suite_log_query(void);

void
suite_log_query(void)
{
	CU_pSuite s = CU_add_suite("log_query", NULL, NULL);

	CU_add_test(s, "conditions", test_conditions);
	CU_add_test(s, "logic", test_logic);
	CU_add_test(s, "strings", test_strings);
	CU_add_test(s, "errors", test_errors);
	CU_add_test(s, "tag_set", test_tag_set);
}
