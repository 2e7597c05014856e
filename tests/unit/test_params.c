/*
 * test_params.c - the parameters: texts, bounds, defaults.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "params.h"

static int
set_up(void)
{
	return params != NULL ? 0 : params_init();
}

/* Each suite that follows finds defaults. */
static int
reset_all(void)
{
	for (unsigned i = 0; i < param_n; i++)
		param_reset(&param_info[i]);
	return 0;
}

static bool
set(const char *name, const char *text)
{
	char err[PARAM_ERR_MAX] = "";
	bool ok = param_set_text(param_find(name), text, err);

	CU_ASSERT_EQUAL(ok, err[0] == '\0');
	return ok;
}

static const char *
get(const char *name)
{
	static char text[PARAM_TEXT_MAX];

	param_text(param_find(name), text);
	return text;
}

/* Every default is within its bounds, and its text means it. */
static void
test_table(void)
{
	char text[PARAM_TEXT_MAX], err[PARAM_ERR_MAX], again[PARAM_TEXT_MAX];

	for (unsigned i = 0; i < param_n; i++) {
		const struct param_info *p = &param_info[i];

		CU_ASSERT_PTR_EQUAL(param_find(p->name), p);
		CU_ASSERT_PTR_NULL(param_compat_reason(p->name));
		CU_ASSERT_TRUE(param_is_default(p));
		CU_ASSERT_TRUE(strlen(p->doc) > 0);
		param_default_text(p, text);
		CU_ASSERT_TRUE(param_set_text(p, text, err));
		CU_ASSERT_TRUE(param_is_default(p));
		param_text(p, again);
		CU_ASSERT_STRING_EQUAL(text, again);
		if (param_min_text(p, text))
			CU_ASSERT_TRUE(param_set_text(p, text, err));
		if (param_max_text(p, text))
			CU_ASSERT_TRUE(param_set_text(p, text, err));
		param_reset(p);
		CU_ASSERT_TRUE(param_is_default(p));
	}
	CU_ASSERT_PTR_NULL(param_find("nosuch"));
	CU_ASSERT_PTR_NOT_NULL(param_compat_reason("thread_pool_min"));
}

static void
test_features(void)
{
	char err[PARAM_ERR_MAX];

	CU_ASSERT_FALSE(params->vcc_err_unref);
	CU_ASSERT_TRUE(params->vcc_unsafe_path);
	CU_ASSERT_TRUE(param_set_features("vcc_feature",
	    "+err_unref,-unsafe_path,-allow_inline_c", err));
	CU_ASSERT_TRUE(params->vcc_err_unref);
	CU_ASSERT_FALSE(params->vcc_unsafe_path);
	CU_ASSERT_FALSE(param_set_features("vcc_feature", "-err_unref,+nope",
	    err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "no feature \"nope\""));
	CU_ASSERT_FALSE(param_set_features("vcc_feature", "err_unref", err));
	CU_ASSERT_TRUE(params->vcc_err_unref);
	CU_ASSERT_TRUE(param_set_features("vcc_feature", "none", err));
	CU_ASSERT_FALSE(params->vcc_err_unref);
	CU_ASSERT_TRUE(param_set_features("vcc_feature", "default", err));
	CU_ASSERT_TRUE(params->vcc_unsafe_path);

	CU_ASSERT_TRUE(param_set_features("feature",
	    "+esi_ignore_https,+http2,+esi_remove_bom", err));
	CU_ASSERT_TRUE(params->esi_ignore_https);
	CU_ASSERT_TRUE(params->esi_remove_bom);
	CU_ASSERT_FALSE(params->esi_include_onerror);
	CU_ASSERT_FALSE(param_set_features("feature", "+err_unref", err));
	CU_ASSERT_TRUE(param_set_features("feature", "default", err));
	CU_ASSERT_FALSE(params->esi_ignore_https);
}

static void
test_duration(void)
{
	CU_ASSERT_TRUE(set("timeout_idle", "1.5"));
	CU_ASSERT_EQUAL(params->timeout_idle, 1.5);
	CU_ASSERT_TRUE(set("timeout_idle", "200ms"));
	CU_ASSERT_EQUAL(params->timeout_idle, 0.2);
	CU_ASSERT_TRUE(set("timeout_idle", "2 m"));
	CU_ASSERT_EQUAL(params->timeout_idle, 120);
	CU_ASSERT_STRING_EQUAL(get("timeout_idle"), "120.000");
	CU_ASSERT_TRUE(set("timeout_idle", "1h"));
	CU_ASSERT_EQUAL(params->timeout_idle, 3600);
	CU_ASSERT_FALSE(set("timeout_idle", "-1"));
	CU_ASSERT_FALSE(set("timeout_idle", ""));
	CU_ASSERT_FALSE(set("timeout_idle", "x"));
	CU_ASSERT_FALSE(set("timeout_idle", "1q"));
	CU_ASSERT_FALSE(set("timeout_idle", "nan"));
	CU_ASSERT_FALSE(set("timeout_idle", "inf"));
	CU_ASSERT_FALSE(set("timeout_idle", "0x10"));
	CU_ASSERT_FALSE(set("timeout_idle", "1e999"));
	CU_ASSERT_FALSE(set("timeout_idle", "2000000"));
	CU_ASSERT_FALSE(set("timeout_idle", "1e308y"));
	CU_ASSERT_FALSE(set("timeout_idle", "never"));
	CU_ASSERT_EQUAL(params->timeout_idle, 3600);
	CU_ASSERT_TRUE(set("timeout_idle", "default"));
	CU_ASSERT_TRUE(param_is_default(param_find("timeout_idle")));
}

static void
test_never(void)
{
	CU_ASSERT_TRUE(set("send_timeout", "never"));
	CU_ASSERT_STRING_EQUAL(get("send_timeout"), "never");
	CU_ASSERT_TRUE(isinf(params->send_timeout));
	CU_ASSERT_TRUE(set("send_timeout", "1"));
	/* only by that word */
	CU_ASSERT_FALSE(set("send_timeout", "1e308y"));
	CU_ASSERT_FALSE(set("send_timeout", "inf"));
	CU_ASSERT_EQUAL(params->send_timeout, 1);
	CU_ASSERT_TRUE(set("send_timeout", "default"));
}

static void
test_bytes(void)
{
	CU_ASSERT_TRUE(set("http_req_size", "1024"));
	CU_ASSERT_EQUAL(params->http_req_size, 1024);
	CU_ASSERT_TRUE(set("http_req_size", "64k"));
	CU_ASSERT_EQUAL(params->http_req_size, 65536);
	CU_ASSERT_STRING_EQUAL(get("http_req_size"), "64k");
	CU_ASSERT_TRUE(set("http_req_size", "0.5MB"));
	CU_ASSERT_STRING_EQUAL(get("http_req_size"), "512k");
	CU_ASSERT_TRUE(set("http_req_size", "1000b"));
	CU_ASSERT_STRING_EQUAL(get("http_req_size"), "1000b");
	CU_ASSERT_FALSE(set("http_req_size", "64q"));
	CU_ASSERT_FALSE(set("http_req_size", "64kk"));
	CU_ASSERT_FALSE(set("http_req_size", "64kbb"));
	CU_ASSERT_FALSE(set("http_req_size", "-64k"));
	CU_ASSERT_FALSE(set("http_req_size", "1"));
	CU_ASSERT_FALSE(set("http_req_size", "2g"));
	CU_ASSERT_FALSE(set("http_req_size", "1e308p"));
	CU_ASSERT_EQUAL(params->http_req_size, 1000);
}

static void
test_others(void)
{
	char longest[PARAM_STRING_MAX + 1];

	CU_ASSERT_TRUE(set("http_max_hdr", "100"));
	CU_ASSERT_EQUAL(params->http_max_hdr, 100);
	CU_ASSERT_FALSE(set("http_max_hdr", "1.5"));
	CU_ASSERT_FALSE(set("http_max_hdr", "64k"));
	CU_ASSERT_FALSE(set("http_max_hdr", "-5"));
	CU_ASSERT_FALSE(set("http_max_hdr", "4294967360"));
	CU_ASSERT_TRUE(set("auto_restart", "off"));
	CU_ASSERT_FALSE(params->auto_restart);
	CU_ASSERT_TRUE(set("auto_restart", "True"));
	CU_ASSERT_TRUE(params->auto_restart);
	CU_ASSERT_FALSE(set("auto_restart", "maybe"));
	CU_ASSERT_TRUE(set("vcl_path", "/a:/b"));
	CU_ASSERT_STRING_EQUAL(params->vcl_path, "/a:/b");
	memset(longest, 'x', PARAM_STRING_MAX);
	longest[PARAM_STRING_MAX] = '\0';
	CU_ASSERT_FALSE(set("vcl_path", longest));
	longest[PARAM_STRING_MAX - 1] = '\0';
	CU_ASSERT_TRUE(set("vcl_path", longest));
	CU_ASSERT_STRING_EQUAL(get("vcl_path"), longest);
}

void
suite_params(void)
{
	CU_pSuite s = CU_add_suite("params", set_up, reset_all);

	CU_add_test(s, "table", test_table);
	CU_add_test(s, "durations", test_duration);
	CU_add_test(s, "never", test_never);
	CU_add_test(s, "bytes", test_bytes);
	CU_add_test(s, "numbers, booleans, strings", test_others);
	CU_add_test(s, "vcc_feature", test_features);
}
