/*
 * test_workspace.c - a workspace that ends at any byte.
 *
 * Each statement below is run with 0, 1, 2 ... bytes of room, up to what it
 * needs.  Either all is as with plenty of room, or the sub fails with a
 * message that says what there was no room for, and where, and no header has
 * a value that it has not with plenty of room.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <unistd.h>

#include "params.h"
#include "program.h"
#include "vcl_rig.h"

enum { PLENTY = 32768 };

struct step {
	const char *sub;   /* "recv" ... */
	enum vcl_sub_id id;
	const char *code;
};

/* X is what the results are looked for in, IN a header of 100 bytes or so. */
#define RECV(code) {"recv", VCL_SUB_RECV, code},
#define SET(expr) RECV("set req.http.X = " expr ";")
#define SUB(sub, id, code) {sub, VCL_SUB_##id, code},

static const struct step steps[] = {
	/* strings */
	SET("req.http.In + \"-\" + req.http.In")
	SET("req.url + 1 + 2.5 + 3s + true + 10KB")
	SET("client.ip + \" \" + remote.ip + server.identity")
	SET("req.http.In.upper() + req.http.In.lower()")
	SET("\"\" + (1 + 2) + \" \" + default + req.backend_hint")
	SET("req.xid + req.restarts + client.identity")
	SET("regsub(req.http.In, \"(a+)\", \"<\\1>\")")
	SET("regsuball(req.http.In, \"[aeiou]\", \"<\\0>\")")
	SET("blob.encode(HEX, blob=blob.decode(BASE64, encoded=\"aGVsbG8=\"))")
	SET("blob.encode(BASE64, blob=blob.decode(encoded=req.http.In))")
	SET("blob.transcode(IDENTITY, URL, encoded=req.http.In)")
	/* heads */
	RECV("set req.http.X = \"a\"; set req.http.X = req.http.In + \"b\"; "
	    "set req.http.Y = req.http.X + req.http.In; unset req.http.In;")
	RECV("set req.http.X += req.http.In;")
	RECV("set req.url = req.url + \"?\" + req.xid;")
	RECV("set req.method = \"A\" + req.method; "
	    "set client.identity = req.http.In + \"me\";")
	RECV("set req.http.Y = \"1\"; std.collect(req.http.Many);")
	RECV("return (synth(404, req.http.In + \"!\"));")
	RECV("ban(\"\" + req.http.In);")
	/* std */
	SET("std.toupper(req.http.In + \"x\") + std.tolower(\"ABC\" + req.xid)")
	SET("std.querysort(\"/x?b=2&a=1&\" + req.http.Q)")
	SET("std.strstr(req.http.In, \"quick \" + \"brown\")")
	SET("std.fnmatch(\"*\" + \"quick*\", req.http.In, pathname=false)")
	SET("std.strftime(std.real2time(1000000000.0, now), "
	    "\"%Y-%m-%d %H:%M\")")
	SET("std.integer(\"1\" + \"2\", 7) + std.real(\"1.\" + \"5\", 0.1)")
	SET("std.duration(\"1\" + \"0s\", 1s) + std.bytes(\"1\" + \"K\", 1B)")
	SET("std.time(\"1000\" + \"000000\", std.real2time(0, now))")
	SET("std.ip(\"192.0.2.\" + \"9\", client.ip)")
	SET("std.getenv(\"HO\" + \"ME\") + \"/x\"")
	SET("std.fileread(\"/proc/sys/kernel/\" + \"ostype\")")
	SET("std.file_exists(\"/proc/\" + \"sys\")")
	RECV("std.log(\"a\" + req.http.In); std.timestamp(\"T\" + req.xid);")
	/* module cookie */
	RECV("cookie.parse(req.http.Cookie); cookie.set(\"new\", \"v\" + "
	    "req.xid); cookie.delete(\"b\"); set req.http.X = "
	    "cookie.get_string() + cookie.get(\"a\");")
	RECV("cookie.parse(req.http.Cookie); cookie.keep(\"a\" + \",c\"); "
	    "set req.http.X = cookie.get_string();")
	RECV("cookie.parse(req.http.Cookie); cookie.filter_re(\"^b\"); "
	    "set req.http.X = cookie.get_string() + cookie.get_re(\"c\") + "
	    "cookie.isset(\"a\");")
	/* matches with names that are made */
	RECV("if (req.http.In ~ (\"qu\" + \"ick\") && "
	    "req.http.In ~ req.http.Re) { set req.http.X = \"match\"; } "
	    "else { set req.http.X = \"no\"; }")
	RECV("if (req.http.In + \"x\" == req.http.In) "
	    "{ set req.http.X = \"=\"; } else { set req.http.X = \"!=\"; }")
	RECV("if (std.ip(\"192.0.2.\" + \"1\", \"192.0.2.2\") ~ net) "
	    "{ set req.http.X = \"in\"; }")
	/* other subs */
	SUB("hash", HASH, "hash_data(req.url + req.http.In); hash_data(\"b\"); "
	    "return (lookup);")
	SUB("deliver", DELIVER, "set resp.http.X = req.http.In + resp.status; "
	    "set resp.reason = \"R\" + req.xid;")
	SUB("deliver", DELIVER, "set resp.http.Set-Cookie = \"a=\" + req.xid; "
	    "unset resp.http.Server; set resp.status = 404;")
	SUB("synth", SYNTH, "synthetic({\"<p>\"} + req.http.In); "
	    "synthetic(resp.reason + req.xid); set resp.http.X = resp.status; "
	    "return (deliver);")
	SUB("synth", SYNTH, "set resp.body = \"<\" + req.http.In + \">\"; "
	    "return (deliver);")
	SUB("backend_fetch", BACKEND_FETCH, "set bereq.http.X = bereq.url + "
	    "bereq.xid + bereq.connect_timeout; set bereq.url = \"/b\" + "
	    "bereq.url;")
	SUB("backend_response", BACKEND_RESPONSE, "set beresp.http.X = "
	    "beresp.grace + \"/\" + beresp.status + bereq.http.In; "
	    "set beresp.http.Y = beresp.http.X + \"y\";")
	SUB("backend_error", BACKEND_ERROR,
	    "synthetic(\"<b>\" + bereq.http.In); "
	    "set beresp.http.X = beresp.reason + bereq.xid; return (deliver);")
};

enum { STEP_N = sizeof steps / sizeof *steps };

static struct vcl_rig r;
static struct program *program;
static char err[500];
static size_t filled; /* bytes of the workspace before the step */

/* Step number i runs where req.http.Step is i. */
static char *
policy(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "vcl 4.1;\nimport std; import blob; import cookie;\n"
	    "backend default { .host = \"127.0.0.1\"; }\n"
	    "acl net { \"192.0.2.0\"/24; }\n");
	for (unsigned i = 0; i < STEP_N; i++)
		fprintf(f, "sub vcl_%s {\n\tif (%s.http.Step == \"%u\") {\n"
		    "\t\t%s\n\t}\n}\n", steps[i].sub,
		    !strncmp(steps[i].sub, "backend", 7) ? "bereq" : "req", i,
		    steps[i].code);
	fclose(f);
	return text;
}

static int
begin(void)
{
	char dir[] = "/tmp/copal-workspace-XXXXXX", path[64], command[64];
	char *text = policy();
	const char *why;

	if ((params == NULL && params_init() != 0) || mkdtemp(dir) == NULL ||
	    program_init(1) != 0)
		return 1;
	why = vcl_rig_compile(dir, "w", text);
	free(text);
	if (why != NULL) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	snprintf(path, sizeof path, "%s/w.so", dir);
	program = program_load("w", path, err, sizeof err);
	if (program == NULL)
		fprintf(stderr, "%s\n", err);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) != 0 || program == NULL;
}

static int
end(void)
{
	program_shutdown();
	return 0;
}

static void
set(enum vcl_http http, const char *name, const char *value)
{
	struct vcl_header h = vcl_rig_header(name);
	struct field_name n = {h.name, (enum field_id)h.id};

	if (!http_add(r.ctx.http[http], &n, str_from_z(value)))
		abort();
}

/* What a step looks at. */
static void
fill(unsigned step)
{
	static char number[12];
	bool fetch = steps[step].id >= VCL_SUB_BACKEND_FETCH;
	enum vcl_http in = fetch ? VCL_HTTP_BEREQ : VCL_HTTP_REQ;

	vcl_rig_begin(&r, PLENTY);
	if (fetch)
		vcl_rig_fetch(&r);
	snprintf(number, sizeof number, "%u", step);
	set(in, "Step", number);
	set(in, "Host", "example.org");
	set(in, "In", "the quick brown fox jumps over the lazy dog, and "
	    "aardvarks look at it from behind a tree");
	set(in, "Re", "[qz].");
	set(in, "Q", "z=26&m=13&=&c=3");
	set(in, "Cookie", "a=1; b=2; cc=3");
	set(in, "Many", "one");
	set(in, "Many", "two");
	set(fetch ? VCL_HTTP_BERESP : VCL_HTTP_RESP, "Server", "origin");
	r.fetch.ttl = 120;
	r.ctx.program = program;
	r.ctx.err = err;
	r.ctx.err_len = sizeof err;
	err[0] = '\0';
}

static void
print_head(FILE *f, const char *name, const struct http *h)
{
	fprintf(f, "%s %.*s %.*s %u %.*s\n", name, STR_ARG(h->method),
	    STR_ARG(h->target), h->status, STR_ARG(h->reason));
	for (unsigned i = 0; i < h->field_n; i++)
		fprintf(f, "%s.%.*s=%.*s\n", name, h->field[i].name_len,
		    h->field[i].name, (int)h->field[i].value_len,
		    h->field[i].value);
}

/* All that a step can have changed; to be freed. */
static char *
outcome(enum vcl_ret ret)
{
	bool fetch = r.ctx.fetch != NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "verdict %d\n", (int)ret);
	print_head(f, "to", r.ctx.http[fetch ? VCL_HTTP_BEREQ : VCL_HTTP_REQ]);
	print_head(f, "from",
	    r.ctx.http[fetch ? VCL_HTTP_BERESP : VCL_HTTP_RESP]);
	fprintf(f, "key %zu %.*s\n", r.ctx.key.len, (int)r.ctx.key.len,
	    r.ctx.key.p != NULL ? r.ctx.key.p : "");
	fprintf(f, "body %.*s\n", (int)r.ctx.body.len,
	    r.ctx.body.p != NULL ? r.ctx.body.p : "");
	fprintf(f, "synth %d %.*s\n", r.ctx.synth_status,
	    STR_ARG(r.ctx.synth_reason));
	fprintf(f, "identity %.*s\n", STR_ARG(r.req.client_identity));
	fclose(f);
	return text;
}

/* What came of it; to be freed. */
static char *
run(unsigned step, size_t room, enum vcl_ret *ret)
{
	fill(step);
	filled = r.ws.used;
	if (room < PLENTY)
		r.ws.size = filled + room;
	*ret = program_call(&r.ctx, steps[step].id);
	return outcome(*ret);
}

/* On a failure, may the step's result have this line? */
static bool
is_known(const char *line, size_t len, const char *all)
{
	const char *p = all;

	while ((p = memmem(p, strlen(p), line, len)) != NULL) {
		if ((p == all || p[-1] == '\n') && p[len] == '\n')
			return true;
		p++;
	}
	return false;
}

/* The header that the step makes is as with plenty of room, or is not. */
static bool
is_whole(const char *text, const char *wanted)
{
	static const char *const made[] = {"to.X=", "to.Y=", "from.X=",
	    "from.Y=", "from.Set-Cookie="};

	for (; *text != '\0'; text = strchr(text, '\n') + 1) {
		size_t len = strcspn(text, "\n");

		for (unsigned i = 0; i < sizeof made / sizeof *made; i++)
			if (!strncmp(text, made[i], strlen(made[i])) &&
			    strncmp(text, "to.X=a\n", 7) != 0 &&
			    !is_known(text, len, wanted))
				return false;
	}
	return true;
}

static void
check_step(unsigned step)
{
	enum vcl_ret ret;
	char *wanted = run(step, PLENTY, &ret);
	size_t need = r.ws.used - filled;
	unsigned wrong = 0;

	if (ret == VCL_RET_FAIL)
		fprintf(stderr, "%s: %s\n", steps[step].code, err);
	CU_ASSERT_NOT_EQUAL(ret, VCL_RET_FAIL);
	vcl_rig_end(&r);
	for (size_t room = 0; room < need; room++) {
		char *text = run(step, room, &ret);
		bool ok;

		if (ret == VCL_RET_FAIL)
			ok = strcasestr(err, "workspace") != NULL &&
			    strncmp(err, "<inline>:", 9) == 0 &&
			    is_whole(text, wanted);
		else
			ok = !strcmp(text, wanted);
		if (!ok && wrong++ == 0)
			fprintf(stderr, "with %zu bytes of room: %s\n%s\n%s\n"
			    "instead of\n%s\n", room, steps[step].code, err,
			    text, wanted);
		free(text);
		vcl_rig_end(&r);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	free(wanted);
}

static void
test_any_byte(void)
{
	for (unsigned i = 0; i < STEP_N; i++)
		check_step(i);
}

void
suite_workspace(void)
{
	CU_pSuite s = CU_add_suite("workspace", begin, end);

	CU_add_test(s, "any byte", test_any_byte);
}
