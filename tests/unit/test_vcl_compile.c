/*
 * test_vcl_compile.c - VCL programs that are accepted, and that are not.
 *
 * What is accepted must be C that a compiler takes without a warning; what
 * is not must be refused with the words and the place that help.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "vcl_compile.h"

#define BACKEND \
	"vcl 4.1;\nimport std;\nbackend b { .host = \"127.0.0.1\"; }\n"
#define RECV(x)     BACKEND "sub vcl_recv { " x " }\n"
#define RECV_OPEN   BACKEND "sub vcl_recv { "
#define RESPONSE(x) BACKEND "sub vcl_backend_response { " x " }\n"

static struct vcl_compile_result
compile(const char *text)
{
	struct vcl_compile_result r;

	vcl_compile("test.vcl", str_from_z(text), NULL, &r);
	return r;
}

/* Does the C compiler take it, with all warnings as errors? */
static bool
is_good_c(const char *c)
{
	char path[] = "/tmp/test_vcl_XXXXXX.c";
	char command[200];
	int fd = mkstemps(path, 2);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool good;

	if (f == NULL)
		return false;
	fputs(c, f);
	fclose(f);
	snprintf(command, sizeof(command),
	    "cc -std=gnu11 -fsyntax-only -Wall -Werror %s", path);
	good = system(command) == 0;
	unlink(path);
	return good;
}

/* One program with everything: one run of the C compiler. */
static const char everything[] =
    "vcl 4.1;\n"
    "import std;\n"
    "probe default { .request = \"GET / HTTP/1.1\" \"Host: x\"; }\n"
    "probe quick { .url = \"/h\"; .interval = 1s; .timeout = 500ms;\n"
    "  .window = 5; .threshold = 3; .initial = 2;\n"
    "  .expected_response = 204; }\n"
    "backend default { .host = \"example.com\"; .port = 8080;\n"
    "  .connect_timeout = 1.5s; .first_byte_timeout = 1m;\n"
    "  .between_bytes_timeout = 10s; .max_connections = 10;\n"
    "  .host_header = \"a\"; .proxy_header = 1; .probe = quick; }\n"
    "backend inline { .host = \"::1\"; .probe = { .url = \"/\"; } }\n"
    "backend uds { .path = \"/run/s\"; .preamble = :SGVsbG8=:; }\n"
    "backend nil none;\n"
    "acl local +log { \"localhost\"; \"10.0.0.0\"/8; !\"10.1.1.1\";\n"
    "  (\"gone.example\"); \"192.168\"/16; \"::1\"/128; }\n"
    "acl empty -pedantic { }\n"
    "acl folded +fold(-report) +table { \"10.0.0.0\"/9; \"10.128.0.0\"/9; }\n"
    "sub own-sub { if (!req.http.x) { return; } else { } }\n"
    "sub vcl_init { return (ok); }\n"
    "sub vcl_recv {\n"
    "  call own-sub;\n"
    "  if (client.ip ~ local || server.ip !~ empty && client.ip !~ folded ||\n"
    "      remote.ip == \"127.0.0.1\" || client.ip != local.ip) {\n"
    "    set req.backend_hint = inline;\n"
    "  } elseif (req.url ~ \"^/\\d+\\?\" && req.http.a) {\n"
    "    set req.backend_hint = default;\n"
    "  } elsif (req.url ~ \"x\" + req.http.y) {\n"
    "    set req.backend_hint = uds;\n"
    "  } elif (!req.http.a ~ \"b\") {\n"
    "    set req.backend_hint = nil;\n"
    "  } else if (req.restarts == 1) {\n"
    "    return (restart);\n"
    "  } else {\n"
    "    return (synth(404, \"No \" + req.url));\n"
    "  }\n"
    "  if (req.http.a < \"b\" && req.http.a >= \"c\" && \"GET\" == "
    "req.method) { return (pass); }\n"
    "  set req.http.t = \"a\" 1 + 2 \" \" now + 5m \"?\?=\" true;\n"
    "  set req.http.u = {\"long\n\"quoted\"\n\"} \"\"\"x\"y\"\"\";\n"
    "  set req.http.\"odd.name\" = req.http.a.upper() + "
    "std.tolower(req.url).upper();\n"
    "  set req.http.n = -5 * (req.restarts - 2) / 3 % 4;\n"
    "  set req.http.r = 1.5 * 2 / req.restarts;\n"
    "  set req.http.i = std.integer(req.http.n, 7);\n"
    "  set req.http.d = std.duration(real=1.5, fallback=2s) * 2;\n"
    "  set req.http.d += \"x\";\n"
    "  set req.ttl = 10s; unset req.http.x; unset req.ttl;\n"
    "  std.collect(req.http.cookie, \"; \");\n"
    "  std.log(\"x\" + req.url); std.ban(\"req.url == x\"); ban(\"y\");\n"
    "  set req.url = regsuball(regsub(req.url, \"\\?.*$\", \"\"), \"//+\","
    " \"/\");\n"
    "  std.rollback(req);\n"
    "  if (std.ip(req.http.ip, \"0.0.0.0\") ~ local) { return (purge); }\n"
    "  if (std.fileread(\"/etc/x\") == std.fileread(\"/etc/y\")) { }\n"
    "  { return (fail(\"no\")); }\n"
    "}\n"
    "sub vcl_hash { hash_data(req.http.c); }\n"
    "sub vcl_backend_fetch { unset bereq.body;\n"
    "  set bereq.connect_timeout = 1s; return (error(503, \"x\")); }\n"
    "sub vcl_backend_response {\n"
    "  set beresp.ttl = 1h; set beresp.ttl *= 1.5; set beresp.ttl += 1s;\n"
    "  set beresp.status = 200; set beresp.status -= 1;\n"
    "  set beresp.transit_buffer = 10KB * 2 - 1B;\n"
    "  set beresp.storage = storage.s0;\n"
    "  if (storage.s0.free_space > 1MB && storage.s0.happy) { }\n"
    "  if (beresp.ttl && beresp.status && beresp.backend) { }\n"
    "  if (bereq.retries < 3) { return (retry); }\n"
    "  if (now > beresp.time + 5s && now - beresp.time < 1d) { }\n"
    "  return (pass(10s));\n"
    "}\n"
    "sub vcl_backend_error { set beresp.body = :AAEC:; \n"
    "  set beresp.body += \"x\"; synthetic(\"y\"); return (deliver); }\n"
    "sub vcl_deliver { set resp.http.h = obj.hits + \"/\" + obj.ttl; }\n"
    "sub vcl_synth { set resp.body = \"x\"; return (deliver); }\n";

static void
test_everything(void)
{
	struct vcl_compile_result r = compile(everything);

	CU_ASSERT_STRING_EQUAL(r.diagnostics, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(r.c);
	CU_ASSERT(is_good_c(r.c));
	vcl_compile_result_free(&r);
}

static void
test_accepted(void)
{
	static const char *const programs[] = {
	    BACKEND,
	    "vcl 4.0; backend b none;",
	    "vcl 4.0; backend b none; sub vcl_recv "
	    "{ set req.esi = false; set req.proto = \"HTTP/1.0\"; }",
	    RECV("return (hash);"),
	    RECV("return(hash);"),
	    RECV(";"),
	    BACKEND "vcl 4.1;",
	    RECV("set req.ttl = 5 s + 1.5 h;"),
	    RECV("") "sub vcl_recv { } sub vcl_recv { }",
	    RECV("if (req.http.a == \"b\" || (req.http.c && !req.http.d))"
		 " { return (pipe); }"),
	    /* an acl and a sub, a backend and a probe of one name */
	    BACKEND "acl purge { \"::1\"; } sub purge { } sub vcl_recv { "
		    "if (client.ip ~ purge) { call purge; } }",
	    "vcl 4.1; probe default { } backend default "
	    "{ .host = \"a\"; }",
	    /* subs that builtin.vcl has parts of can be extended */
	    BACKEND "sub vcl_req_cookie { return; }",
	    BACKEND "sub vcl_beresp_hitmiss { set beresp.ttl = 1s; }",
	    RECV("std.syslog(priority=1, s=\"x\");"),
	    RECV("set req.http.x = default;"),
	    RECV("if (client.ip == \"1.2.3.4 80\") { }"),
	    RECV("if (client.ip == \"localhost\") { }"),
	    RECV("set req.ttl = 10.m + 1.s;"),
	    RECV("unset req.http./* {{ tls }} */X-Forwarded-Proto; "
		 "std . log(req . http.x + req.http . \"x.y\" + "
		 "req.http.z .upper());"),
	    RECV("if (req.xid ~ \"1$\" || req.xid == \"7\" || "
		 "req.xid % 2 == 1) { }"),
	    "vcl 4.0; backend b none; sub vcl_recv { rollback(req); }",
	    BACKEND "vcl 4.0;",
	    "vcl 4.1; backend b None;",
	    BACKEND "acl obj { } sub vcl_recv { if (client.ip ~ obj) { } }",
	    BACKEND "acl a { } probe p { } sub s { } backend c none;"
		    "unused a; unused p; unused s; unused c;",
	    BACKEND "probe p { .initial = 100; .window = 0; .threshold = 0; } "
		    "backend c { .host = \"a\"; .probe = p; } sub vcl_recv "
		    "{ set req.backend_hint = c; "
		    "if (req.url != p && \"p\" == p) "
		    "{ set req.http.p = p; } }",
	    "vcl 4.1; backend b none; sub vcl_init { ban(\"obj.age > 1d\"); }",
	    RECV("set req.http.x = storage.a;"),
	    RESPONSE("set beresp.do_stream = !beresp.http.x;"),
	    RESPONSE("set beresp.grace = 1h + 5m;"),
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		struct vcl_compile_result r = compile(programs[i]);

		if (r.c == NULL || *r.diagnostics)
			fprintf(
			    stderr, "of: %s\n%s", programs[i], r.diagnostics);
		CU_ASSERT_PTR_NOT_NULL(r.c);
	CU_ASSERT_STRING_EQUAL(r.diagnostics, "");
		vcl_compile_result_free(&r);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *program, *message;
	} cases[] = {
	    {"", "test.vcl:1:1: error: VCL version declaration missing"},
	    {"vcl 3.0;", "1:5: error: VCL 3.0 is not supported"},
	    {"vcl 4.1;", "error: No backends or directors found in VCL "
			 "program, at least one is necessary."},
	    {RECV("if (req.ulr ~ \"x\") { }"),
		"4:20: error: unknown variable 'req.ulr'; did you mean "
		"'req.url'?\n"
		"  sub vcl_recv { if (req.ulr ~ \"x\") { } }\n"
		"                     ^^^^^^^\n"},
	    /* syntax */
	    {RECV("set req.url = \"a\""), "expected ';' after 'set'"},
	    {RECV("set req.url = ;"), "expected a value, found ';'"},
	    {RECV("set req.url \"a\";"), "expected '=', '+='"},
	    {RECV("if req.url { }"), "expected '(' after 'if'"},
	    {RECV("if (req.url) return (hash);"), "in braces"},
	    {RECV("if (req.url = \"a\") { }"), "written '=='"},
	    {RECV("if (1 == 1 == 1) { }"), "can't be chained"},
	    {RECV("else { }"), "'else' without an 'if'"},
	    {RECV("return hash;"), "'return (hash);'"},
	    {RECV("return (hsah);"), "did you mean 'hash'?"},
	    {RECV("return (hit_for_pass);"), "'return (pass(120s));'"},
	    {RECV("if (req.url == \"a\" and req.url == \"b\") { }"),
		"'and' is written '&&'"},
	    {RECV("if (req.esi_level or req.can_gzip) { }"),
		"'or' is written '||'"},
	    {RECV("if (req.http.x > 1) { }"), "std.integer() makes a number"},
	    {RECV("set req.backend_hint = \"b\";"), "without quotes"},
	    {BACKEND "sub vcl_hit { set obj.http.x = \"1\"; }",
		"'obj.http.x' can't be set; beresp is what becomes"},
	    {RESPONSE("if (req.url ~ \"^/a\") { }"),
		"it can be in client subs; the fetch's copy of it is bereq"},
	    {BACKEND "import header; sub vcl_recv { if (header.get("
		"header.dyn(obj_stale, \"a\"), \"b\")) { } }",
		"'obj_stale' can't be read in vcl_recv; it can be in "
		"vcl_backend_refresh"},
	    {BACKEND "/* a /* b */", "4:6: error: '/*' in a comment"},
	    {BACKEND "sub vcl_synth { set resp.body = \"\" \\\"a\"; }",
		"4:36: error: a string ends at '\"', also behind a backslash"},
	    {BACKEND "/* a", "'*/' is missing"},
	    {BACKEND "acl a { \"10.1.2.3\"; ! \"10.1.2.3\"/32; }",
		"the same network is there without and with '!'"},
	    {BACKEND "acl a -pedantic { ! \"10.0.0.1\"/8; \"10\"; }",
		"the same network is there without and with '!'"},
	    {RECV("return (synth);"), "'synth' takes arguments"},
	    {RECV("return (hash(1));"), "'hash' takes no arguments"},
	    {RECV("return (synth(99));"), "warning: a status has"},
	    {RECV("return (pass(1s));"), "warning: the duration has no"},
	    {RECV("return;"), "vcl_recv needs a verdict"},
	    {RECV("sett req.url = \"a\";"), "did you mean 'set'?"},
	    {RECV("error 404;"), "'error' is VCL 3"},
	    {RECV("purge;"), "'purge' is VCL 3"},
	    {RECV("C{ x }C"), "inline C is not supported"},
	    {RECV("set req.url = 'a';"), "double quotes"},
	    {RECV("set req.url = req.url ? 1 : 2;"), "written with 'if'"},
	    {RECV("set req.http.x: \"a\";"), "set is written with '='"},
	    {RECV("set req.url = req.url . \"a\";"), "put together with '+'"},
	    {RECV("if (req.http.host == example.com) { }"),
		"unknown variable 'example.com'; a text is written in quotes"},
	    {RECV("if (not req.http.x) { }"), "'not' is written '!'"},
	    {RECV("declare local var.x STRING;"), "no variables of its own"},
	    {BACKEND "sub s { } sub vcl_recv { call s(); }",
		"without parentheses: 'call s;'"},
	    {RECV("return (synth(\"404\"));"), "numbers are written without"},
	    {RECV("if (client.ip == \"10.0.0.0/8\") { }"),
		"a network is in an acl"},
	    {BACKEND "sub vcl_recv {", "'}' is missing"},
	    {BACKEND "}", "'}' without a '{'"},
	    {BACKEND "sbu x { }", "did you mean 'sub'?"},
	    {BACKEND "director d { }", "'director' is VCL 3"},
	    {"vcl 4.0; backend b none; vcl 4.1;", "this file is VCL 4.0"},
	    /* names */
	    {BACKEND "sub vcl_rcv { }", "did you mean 'vcl_recv'?"},
	    {BACKEND "sub vcl_fetch { }", "it is vcl_backend_response"},
	    {BACKEND "sub a { } sub a { }", "already a sub 'a'"},
	    {BACKEND "backend b none;", "already the name of a backend"},
	    {BACKEND "acl b { }", "already the name of a backend"},
	    {RECV("call foo;"), "unknown sub 'foo'"},
	    {RECV("set req.backend_hint = foo;"), "unknown backend 'foo'"},
	    {RECV("nope();"), "unknown function 'nope'"},
	    {RECV("retrun (pass);"), "did you mean 'return'?"},
	    {RECV("set req.htp.x = \"a\";"), "did you mean 'req.http.x'?"},
	    {RECV("std.nope();"), "module 'std' has no 'nope'"},
	    {RECV("foo.bar();"), "unknown module or object 'foo'"},
	    {"vcl 4.1; backend b none; sub vcl_recv { std.log(\"a\"); }",
		"module 'std' is not imported"},
	    {BACKEND "import nope;", "there is no module 'nope'"},
	    {RECV("set req.http.a.b = \"x\";"), "req.http.\"a.b\""},
	    {RECV("set req.http.\"a b\" = \"x\";"), "name of a header"},
	    /* types */
	    {RESPONSE("set beresp.ttl = 5;"),
		"expected DURATION, found INT; give it a unit: 5s"},
	    {RESPONSE("set beresp.ttl = beresp.http.x;"), "std.duration()"},
	    {RESPONSE("if (beresp.ttl > 5) { }"),
		"can't compare DURATION with INT; give it a unit: 5s"},
	    {RESPONSE("if (beresp.status == \"200\") { }"),
		"can't compare INT with STRING"},
	    {RECV("if (req.http.a == 12) { }"),
		"can't compare STRING with INT; a text is written in quotes"},
	    {RECV("if (req.http.a == req.ttl) { }"),
		"can't compare STRING with DURATION; \"\" + x makes"},
	    {RECV("if (req.restarts ~ \"1\") { }"),
		"'~' is for STRING and IP, not for INT; \"\" + x makes"},
	    {RESPONSE("set beresp.ttl = 1s * 1s;"),
		"'*' is not possible between DURATION and DURATION"},
	    {RESPONSE("set beresp.uncacheable += true;"),
		"'+=' is not possible on BOOL"},
	    {RESPONSE("if (now) { }"), "expected BOOL, found TIME"},
	    {RESPONSE("set beresp.backend = b;"), "can't be set"},
	    {RECV("if (client.ip ~ \"x\") { }"), "matched with an acl"},
	    {RECV("if (client.ip == \"x y\") { }"), "is no address"},
	    {BACKEND "acl a { } sub vcl_recv { if (req.url ~ a) { } }",
		"std.ip() makes one"},
	    {RECV("if (req.url ~ \"a(b\") { }"),
		"in the regular expression: missing closing parenthesis"},
	    {RECV("set req.url = regsub(req.url, req.url, \"\");"),
		"must be a string constant"},
	    {RECV("set req.http.a = std.log(\"x\");"), "has no result"},
	    {RECV("std.log();"), "too few arguments"},
	    {RECV("std.tolower(\"a\", \"b\");"), "too many arguments"},
	    {RECV("std.random(lo=1, hj=2);"), "did you mean 'hi'?"},
	    {RECV("std.random(1, lo=2);"), "is given twice"},
	    {RECV("set req.http.a = req;"), "can't be made a STRING"},
	    /* who may do what */
	    {RECV("set beresp.ttl = 1s;"),
		"'beresp.ttl' can't be set in vcl_recv"},
	    {RECV("if (req.is_hitpass) { }"),
		"'req.is_hitpass' can't be read in vcl_recv; it can be in "
		"vcl_pass, vcl_deliver, vcl_synth"},
	    {RECV("set req.esi = true;"), "only in VCL 4.0"},
	    {RECV("unset req.url;"), "'req.url' can't be unset"},
	    {RECV("set obj.ttl = 1s;"), "'obj.ttl' can't be set"},
	    {RECV("hash_data(\"x\");"), "'hash_data' can't be called"},
	    {RECV("return (deliver);"), "'return (deliver)' is not "
					"allowed in vcl_recv"},
	    {RECV("return (deliver);"),
		"allowed there: fail, hash, pass, pipe, purge, restart, "
		"synth, vcl"},
	    {RECV("new x = std.y();"), "no objects of type 'y'"},
	    {BACKEND "sub a { set beresp.ttl = 1s; } "
		     "sub vcl_recv { call a; }",
		"note: 'a' is called from vcl_recv"},
	    {BACKEND "sub a { call c; } sub c { call a; }",
		"sub 'a' calls itself"},
	    {BACKEND "sub a { call a; }", "sub 'a' calls itself"},
	    /* declarations */
	    {"vcl 4.1; backend b { }", "has no address"},
	    {"vcl 4.1; backend b { .host = \"a\"; .path = \"/b\"; }",
		"not both"},
	    {"vcl 4.1; backend b { .path = \"b\"; }", "must be absolute"},
	    {"vcl 4.1; backend b { .path = \"@\"; }", "no name behind"},
	    {"vcl 4.1; backend b { .path = \"/"
	     "0123456789012345678901234567890123456789012345678901234567890"
	     "0123456789012345678901234567890123456789012345678901234567890"
	     "\"; }", "107 bytes at most"},
	    {"vcl 4.1; backend b { .host = \"a b c\"; }", "no such port"},
	    {"vcl 4.1; backend b { .host = \"http://a/\"; }", "no such port"},
	    {"vcl 4.1; backend b { .host = \"a/b\"; }", "no host name"},
	    {"vcl 4.1; backend b { .host = \"a..b\"; }", "no host name"},
	    {"vcl 4.1; backend b { .host = \"10.0.0.256\"; }",
		"no IPv4 address"},
	    {"vcl 4.1; backend b { .host = \"::1:::2\"; }", "no IPv6 address"},
	    {"vcl 4.1; backend b { .host = \"[::g]:80\"; }",
		"no IPv6 address"},
	    {"vcl 4.1; backend b { .host = \"[::1]/0\"; }", "must follow"},
	    {"vcl 4.1; backend b { .host = \"a:99999\"; }", "65535 at most"},
	    {"vcl 4.1; backend b { .host = \"a\"; .port = \"99999\"; }",
		"65535 at most"},
	    {"vcl 4.1; backend b { .hots = \"a\"; }", "did you mean 'host'?"},
	    {"vcl 4.1; backend b { .host = \"a\"; .host = \"b\"; }",
		"is given twice"},
	    {"vcl 4.1; backend b { .host = \"a\"; .probe = p; }",
		"unknown probe 'p'"},
	    {BACKEND "probe p { .window = 65; }", "from 0 to 64"},
	    {BACKEND "probe p { .window = 5; .threshold = 9; }",
		"must not be larger"},
	    {BACKEND "probe p { .window = 5; }", "needs '.threshold' too"},
	    {"vcl 4.1; backend b { .host = \"[::1\"; }", "\"]\" is missing"},
	    {RECV("if (client.ip == \"[::1\") { }"), "is no address"},
	    {RECV("if (client.ip == \"::1 80 81\") { }"), "is no address"},
	    {"vcl 4.1; backend b { .host = \"\"; }", "'.host' is empty"},
	    {"vcl 4.1; backend b { .host = \"a:80\"; .port = \"81\"; }",
		"has a port already"},
	    {"vcl 4.1; backend b { .host = \"[::1]:80\"; .port = \"81\"; }",
		"has a port already"},
	    {BACKEND "acl a { \"1.2.3.4:80\"; }", "expected an address"},
	    {BACKEND "acl a { \"\"; }", "expected an address"},
	    {BACKEND "acl a { \"10.0.0.256\"; }", "no IPv4 address"},
	    {BACKEND "acl a { \"::1:::2\"; }", "no IPv6 address"},
	    {BACKEND "acl a { \"a..b\"; }", "no host name"},
	    {BACKEND "acl a { \"1.2.3.0/24\"/24; }", "given twice"},
	    {BACKEND "acl vcl_a { }", "can't be the name of an acl"},
	    {BACKEND "unused a;", "no backend, acl, probe or sub 'a' above"},
	    /* what is wrong hides nothing that comes after it */
	    {RECV("if (req.url = \"a\") { set req.htp.a = \"b\"; }"),
		"did you mean 'req.http.a'?"},
	    {RECV("set req.url = \"a);\nset req.htp.a = \"b\";"),
		"did you mean 'req.http.a'?"},
	    {"vcl 4.1; backend b { .host = \"a\";\n"
	     "sub vcl_recv { set req.htp.a = \"b\"; }",
		"did you mean 'req.http.a'?"},
	    {BACKEND "acl a { \"1.2.3.4\";\n" RECV("reurn (pass);"),
		"it must end before this"},
	    {RECV("if (req.url == \"a\") {") "sub vcl_hit { retur (pass); }",
		"did you mean 'return'?"},
	    {RECV("req.url = \"a\";"), "'set' is missing before 'req.url'"},
	    {RECV("synthetic \"a\";"), "'synthetic(\"...\");'"},
	    /* of older VCL */
	    {RECV("set req.request = \"GET\";"), "it is req.method now"},
	    {RECV("set req.backend = b;"), "it is req.backend_hint now"},
	    {RECV("rollback(req);"), "write 'std.rollback'"},
	    {RESPONSE("set beresp.saintmode = 10s;"), "vmod saintmode"},
	    {BACKEND "acl a { \"1.2.3.4\"/24; }", "beyond its mask"},
	    {BACKEND "acl a { \"1.2.3.0\"/33; }", "the address has 32"},
	    {BACKEND "acl a { \"::\"/129; }", "a mask of 129 bits"},
	    {BACKEND "acl a +nope { }", "expected a flag"},
	    {BACKEND "acl a +fold(report) { }", "of fold(-report)"},
	    {BACKEND "acl a +fold(-x) { }", "expected 'report'"},
	    {BACKEND "include \"./no/such\";", "can't include"},
	    /* warnings */
	    {BACKEND "sub a { }", "warning: sub 'a' is never used"},
	    {BACKEND "backend c none;", "backend 'c' is never used"},
	    {BACKEND "acl a { }", "acl 'a' is never used"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vcl_compile_result r = compile(cases[i].program);

		if (!strstr(r.diagnostics, cases[i].message))
			fprintf(stderr, "of: %s\nwanted: %s\n%s",
			    cases[i].program, cases[i].message, r.diagnostics);
		CU_ASSERT_PTR_NOT_NULL(strstr(r.diagnostics, cases[i].message));
		CU_ASSERT_EQUAL(r.c == NULL, r.error_n > 0);
		vcl_compile_result_free(&r);
	}
}

/* A text of n times the same, between two others. */
static char *
repeated(const char *before, const char *piece, size_t n, const char *after)
{
	size_t len = strlen(piece);
	char *text = malloc(strlen(before) + n * len + strlen(after) + 1), *p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	p = stpcpy(text, before);
	for (; n > 0; n--)
		p = stpcpy(p, piece);
	strcpy(p, after);
	return text;
}

static void
test_limits(void)
{
	static const struct {
		const char *before, *piece;
		size_t n;
		const char *after, *message; /* NULL: it is accepted */
	} cases[] = {
	    {RECV_OPEN, "{", 1000, "", "nested deeper"},
	    {RECV_OPEN "if (", "(", 1000, "", "nested deeper"},
	    {RECV_OPEN "if (", "!", 1000, "", "nested deeper"},
	    {RECV_OPEN "set req.http.a = ", "-", 1000, "", "nested deeper"},
	    {RECV_OPEN "set req.http.a = \"\"", ".lower()", 1000, ";}",
		"nested deeper"},
	    {RECV_OPEN "set req.http.a = req.restarts", " * 2", 1000, ";}",
		"operators in one calculation"},
	    {RECV_OPEN, "nope;", 1000, "}", "too many errors"},
	    {RECV_OPEN "set req.http.a = \"x\"", " + req.url", 5000, ";}",
		NULL},
	    {RECV_OPEN "if (req.url", " && req.url", 5000, ") { } }", NULL},
	    {RECV_OPEN "set req.http.a = \"x\"", " + req.url", 10001, ";}",
		"more than 10000 strings"},
	    {RECV_OPEN "if (req.url", " && req.url", 10001, ") { } }",
		"more than 10000 operands"},
	    {RECV_OPEN "if (req.url) { }", " elseif (req.url ~ \"x\") { }",
		1000, "}", NULL},
	    {RECV_OPEN, "set req.url = \"x\";", 20000, "}", NULL},
	    /* one long line took minutes */
	    {RECV_OPEN "set req.http.a = ", "\"x\" ", 1000000, ";}", NULL},
	    {BACKEND "#", "x", 17 << 20, "", "16 MiB"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = repeated(cases[i].before, cases[i].piece,
		    cases[i].n, cases[i].after);
		struct vcl_compile_result r = compile(text);

		if (cases[i].message)
			CU_ASSERT_PTR_NOT_NULL(
			    strstr(r.diagnostics, cases[i].message));
		CU_ASSERT_EQUAL(r.c != NULL, cases[i].message == NULL);
		vcl_compile_result_free(&r);
		free(text);
	}
}

static void
test_call_depth(void)
{
	char text[8192];
	size_t n = 0;
	struct vcl_compile_result r;

	for (int depth = 20; depth <= 40; depth += 20) {
		n = (size_t)sprintf(text, RECV("call s0;"));
		for (int i = 0; i < depth; i++)
			n += (size_t)sprintf(
			    text + n, "sub s%d { call s%d; }\n", i, i + 1);
		sprintf(text + n, "sub s%d { }", depth);
		r = compile(text);
		CU_ASSERT_EQUAL(r.c != NULL, depth == 20);
		vcl_compile_result_free(&r);
	}
}

/* Ten calls in each of thirty subs are more than a request can run. */
static void
test_call_fan_out(void)
{
	char text[8192];
	struct vcl_compile_result r;

	for (int depth = 3; depth <= 30; depth += 27) {
		size_t n = (size_t)sprintf(text, RECV("call s0;"));

		for (int i = 0; i < depth; i++) {
			n += (size_t)sprintf(text + n, "sub s%d {", i);
			for (int j = 0; j < 10; j++)
				n += (size_t)sprintf(
				    text + n, " call s%d;", i + 1);
			n += (size_t)sprintf(text + n, " }\n");
		}
		sprintf(text + n, "sub s%d { }", depth);
		r = compile(text);
		CU_ASSERT_EQUAL(r.c != NULL, depth == 3);
		if (depth > 3)
			CU_ASSERT_PTR_NOT_NULL(
			    strstr(r.diagnostics, "may run more than"));
		vcl_compile_result_free(&r);
	}
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

/* Files a.vcl, loop.vcl and d/b.vcl; the program is dir/main.vcl. */
static void
test_include(void)
{
	static const struct {
		const char *text, *message; /* NULL: accepted */
	} cases[] = {
	    {BACKEND "include \"./a.vcl\";", NULL},
	    {BACKEND "include \"a.vcl\";", NULL},
	    {BACKEND "include +glob \"./d/*.vcl\";", NULL},
	    {BACKEND "sub vcl_recv { include \"./d/b.inc\"; }", NULL},
	    {BACKEND "acl a { include \"./acl.inc\"; \"::1\"; }"
		     "sub vcl_recv { if (client.ip ~ a) { return (pass); } }",
		NULL},
	    {BACKEND "acl a { include \"./d/b.inc\"; }",
		"expected an address"},
	    {BACKEND "probe p { .url = \"/\"; include \"./probe.inc\"; }"
		     "backend c { include \"./backend.inc\"; }"
		     "sub vcl_recv { set req.backend_hint = c; }",
		NULL},
	    {BACKEND "include \"./loop.vcl\";", "includes itself"},
	    {BACKEND "include \"./none.vcl\";",
		"can't include './none.vcl': No such file"},
	    {BACKEND "include +glob \"./*.none\";", "no file matches"},
	    {BACKEND "include \"./d\";", "not a regular file"},
	    {BACKEND "include \"./bad.vcl\";", "included from"},
	    {"vcl 4.0; backend b none; include \"./new.vcl\";",
		"can't be included from VCL 4.0"},
	};
	char dir[] = "/tmp/test_vcl_XXXXXX", cwd[4096];
	struct vcl_compile_options options = {.vcl_path = "/nowhere:."};

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(cwd, sizeof(cwd)));
	CU_ASSERT_EQUAL_FATAL(chdir(dir), 0);
	CU_ASSERT_EQUAL(mkdir("d", 0700), 0);
	write_file("a.vcl", "include \"./d/b.vcl\";");
	write_file("loop.vcl", "include \"./loop.vcl\";");
	write_file("bad.vcl", "sub vcl_recv { nope; }");
	write_file("new.vcl", "vcl 4.1;");
	write_file("acl.inc", "\"10.0.0.0\"/8; ! \"10.1.0.0\"/16;");
	write_file("probe.inc", ".interval = 1s;");
	write_file("backend.inc", ".host = \"127.0.0.1\"; .probe = p;");
	write_file("d/b.vcl", "vcl 4.0; include \"./b.inc.vcl\";");
	write_file("d/b.inc.vcl", "sub vcl_deliver { }");
	write_file("d/b.inc", "set req.url = \"/\";");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vcl_compile_result r;

		vcl_compile(
		    "main.vcl", str_from_z(cases[i].text), &options, &r);
		if (cases[i].message == NULL && *r.diagnostics)
			fprintf(stderr, "%s", r.diagnostics);
		CU_ASSERT_EQUAL(r.c != NULL, cases[i].message == NULL);
		if (cases[i].message)
			CU_ASSERT_PTR_NOT_NULL(
			    strstr(r.diagnostics, cases[i].message));
		vcl_compile_result_free(&r);
	}
	unlink("a.vcl");
	unlink("loop.vcl");
	unlink("bad.vcl");
	unlink("new.vcl");
	unlink("acl.inc");
	unlink("probe.inc");
	unlink("backend.inc");
	unlink("d/b.vcl");
	unlink("d/b.inc.vcl");
	unlink("d/b.inc");
	rmdir("d");
	CU_ASSERT_EQUAL(chdir(cwd), 0);
	rmdir(dir);
}

static void
test_options(void)
{
	struct vcl_compile_options options = {.warnings_are_errors = true};
	struct vcl_compile_result r;

	vcl_compile("x", STR(BACKEND "sub a { }"), &options, &r);
	CU_ASSERT_PTR_NULL(r.c);
	CU_ASSERT_EQUAL(r.error_n, 1);
	vcl_compile_result_free(&r);
	options.warnings_are_errors = false;
	options.unused_is_error = true;
	vcl_compile("x", STR(BACKEND "acl a { } backend c none; probe p { } "
				     "sub s { } sub t { } unused t;"),
	    &options, &r);
	CU_ASSERT_PTR_NULL(r.c);
	CU_ASSERT_EQUAL(r.error_n, 4);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.diagnostics, "'unused a;' says"));
	vcl_compile_result_free(&r);
	options.no_paths = true;
	vcl_compile("x", STR(BACKEND "include \"./x\"; import std from \"x\";"),
	    &options, &r);
	CU_ASSERT_PTR_NULL(r.c);
	CU_ASSERT(r.error_n >= 2); /* the module is not there, either */
	CU_ASSERT_PTR_NOT_NULL(strstr(r.diagnostics, "vcc_unsafe_path"));
	vcl_compile_result_free(&r);
	options.no_files = true;
	vcl_compile("x", STR(BACKEND "include \"/etc/passwd\";"), &options, &r);
	CU_ASSERT_PTR_NULL(r.c);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.diagnostics, "not possible here"));
	vcl_compile_result_free(&r);
	vcl_compile("x", str_of(BACKEND "\0", sizeof(BACKEND)), NULL, &r);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.diagnostics, "a NUL byte"));
	vcl_compile_result_free(&r);
}

static const char *
label(unsigned i)
{
	static const char *const names[] = {"blog", "shop"};

	return i < 2 ? names[i] : NULL;
}

static void
test_labels(void)
{
#define GO(x) BACKEND "sub vcl_recv { return (vcl(" x ")); }"
	struct vcl_compile_options options = {.label = label};
	struct vcl_compile_result r;

	vcl_compile("x", STR(GO("shop")), &options, &r);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r.c);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.c, "{\"shop\", &label_0}"));
	vcl_compile_result_free(&r);
	vcl_compile("x", STR(GO("shpo")), &options, &r);
	CU_ASSERT_PTR_NULL(r.c);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.diagnostics,
	    "unknown label 'shpo'; did you mean 'shop'?"));
	vcl_compile_result_free(&r);
	/* nobody knows the labels */
	vcl_compile("x", STR(GO("shpo")), NULL, &r);
	CU_ASSERT_PTR_NOT_NULL(r.c);
	vcl_compile_result_free(&r);
}

void
suite_vcl_compile(void)
{
	CU_pSuite s = CU_add_suite("vcl_compile", NULL, NULL);

	CU_add_test(s, "a program with everything", test_everything);
	CU_add_test(s, "accepted programs", test_accepted);
	CU_add_test(s, "labels", test_labels);
	CU_add_test(s, "refused programs", test_refused);
	CU_add_test(s, "limits", test_limits);
	CU_add_test(s, "depth of calls", test_call_depth);
	CU_add_test(s, "calls that multiply", test_call_fan_out);
	CU_add_test(s, "include", test_include);
	CU_add_test(s, "options", test_options);
}
