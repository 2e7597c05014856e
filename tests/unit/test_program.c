/*
 * test_program.c - compiled VCL: loaded, run, counted, discarded.
 */
#include <CUnit/CUnit.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "params.h"
#include "program.h"
#include "vcl_rig.h"

enum { THREADS = 3 };

static char dir[64];
static struct vcl_rig r;

static int
begin(void)
{
	strcpy(dir, "/tmp/copal-program-XXXXXX");
	if ((params == NULL && params_init() != 0) || mkdtemp(dir) == NULL ||
	    program_init(THREADS) != 0)
		return 1;
	return 0;
}

static int
end(void)
{
	char command[100];

	program_shutdown();
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

/*
 * Compiles into a file of its own (<dir>/v<n>.so) and loads; NULL with the
 * reason in err.
 */
static unsigned file_n;

static struct program *
load(const char *name, const char *vcl, char err[500])
{
	char path[128], file[20];
	const char *why;

	if (params == NULL && params_init() != 0)
		abort();
	snprintf(file, sizeof file, "v%u", ++file_n);
	why = vcl_rig_compile(dir, file, vcl);
	if (why != NULL) {
		snprintf(err, 500, "%s", why);
		return NULL;
	}
	snprintf(path, sizeof path, "%s/%s.so", dir, file);
	return program_load(name, path, err, 500);
}

static struct program *
good(const char *name, const char *vcl)
{
	char err[500] = "";
	struct program *p = load(name, vcl, err);

	if (p == NULL)
		fprintf(stderr, "%s\n", err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

/* Every function that the tables promise to a compiled program. */
static void
test_complete(void)
{
	enum { ALL = 1 };
#define VS(sub) ALL
#define VS_CLIENT ALL
#define VS_BACKEND ALL
#define VS_HOUSE ALL
#define VS_ALL ALL
#define VS_NONE 0
#define VS_ONLY40 0
#define VS_ONLY41 0
	static const struct {
		const char *name;
		int in[3];
	} vars[] = {
#define VCL_VAR(c, name, type, r, w, u, doc) {#c, {r, w, u}},
#include "tbl/vcl_vars.h"
#undef VCL_VAR
	};
	static const char *const functions[] = {
#define VCL_FUNCTION(name, description, c_name, in, doc) c_name,
#define VCL_METHOD(type, name, result, c_name, doc) c_name,
#include "tbl/vcl_functions.h"
	};
	static const char *const strings[] = {
#define VCL_TYPE(id, to_string, ctx, fail, doc) to_string,
#include "tbl/vcl_types.h"
	};
	char symbol[100];
	unsigned missing = 0;

	for (size_t i = 0; i < sizeof vars / sizeof *vars; i++)
		for (unsigned k = 0; k < 3; k++) {
			snprintf(symbol, sizeof symbol, "vrt_%c_%s", "rwu"[k],
			    vars[i].name);
			if (vars[i].in[k] == 0 ||
			    dlsym(RTLD_DEFAULT, symbol) != NULL)
				continue;
			fprintf(stderr, "no %s\n", symbol);
			missing++;
		}
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		/* the two regsub are inline in vcl_abi.h */
		if (strncmp(functions[i], "vrt_regsub", 10) != 0 &&
		    dlsym(RTLD_DEFAULT, functions[i]) == NULL) {
			fprintf(stderr, "no %s\n", functions[i]);
			missing++;
		}
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
		if (strings[i] != NULL &&
		    dlsym(RTLD_DEFAULT, strings[i]) == NULL) {
			fprintf(stderr, "no %s\n", strings[i]);
			missing++;
		}
	CU_ASSERT_EQUAL(missing, 0);
}

static enum vcl_ret
call(struct program *p, enum vcl_sub_id sub)
{
	r.ctx.program = p;
	return program_call(&r.ctx, sub);
}

static void
set(const char *name, const char *value)
{
	struct vcl_header h = vcl_rig_header(name);

	vrt_hdr_set(&r.ctx, VCL_HTTP_REQ, &h, str_from_z(value));
}

static struct str
get(enum vcl_http http, const char *name)
{
	struct vcl_header h = vcl_rig_header(name);

	return vrt_hdr_get(&r.ctx, http, &h);
}

static void
test_run(void)
{
	struct program *p = good("run",
	    "vcl 4.1;\n"
	    "import std;\n"
	    "backend default { .host = \"127.0.0.1\"; .port = \"9\"; }\n"
	    "backend other { .host = \"127.0.0.1\"; .port = \"10\"; }\n"
	    "acl here { \"192.0.2.0\"/24; ! \"192.0.2.7\"; }\n"
	    "sub vcl_recv {\n"
	    "  if (req.url ~ \"^/old/\") {\n"
	    "    set req.url = regsub(req.url, \"^/old/(.*)\", \"/\\1\");\n"
	    "    set req.backend_hint = other;\n"
	    "  }\n"
	    "  if (client.ip ~ here) { set req.http.X-Here = \"yes\"; }\n"
	    "  set req.http.X-All = req.method + \" \" + req.http.Host + \n"
	    "    \":\" + client.ip + std.toupper(\"a\") + 1.5s;\n"
	    "  set req.url = std.querysort(req.url);\n"
	    "  if (req.http.X-Fail) { set req.url = \"\"; }\n"
	    "  if (req.http.X-Synth) { return (synth(12345, \"why\")); }\n"
	    "}\n"
	    "sub vcl_deliver {\n"
	    "  set resp.http.X-Sum = \"\" + (1 + 2) + \", \" + now;\n"
	    "  set resp.status = 404;\n"
	    "}\n"
	    "sub vcl_synth {\n"
	    "  synthetic(resp.reason); return (deliver);\n"
	    "}\n");

	vcl_rig_begin(&r, 65536);
	r.ctx.program = p;
	set("Host", "example.org");
	r.req.http.target = STR("/old/x?b&a");
	CU_ASSERT_EQUAL(call(p, VCL_SUB_RECV), VCL_RET_HASH);
	SAME(r.req.http.target, "/x?a&b");
	SAME(get(VCL_HTTP_REQ, "X-Here"), "yes");
	SAME(get(VCL_HTTP_REQ, "X-All"), "GET example.org:192.0.2.1A1.500");
	SAME(vrt_backend_string(r.req.backend_hint), "other");
	CU_ASSERT_PTR_NOT_NULL(program_default_backend(p));
	SAME(vrt_backend_string(program_default_backend(p)), "default");

	CU_ASSERT_EQUAL(call(p, VCL_SUB_HASH), VCL_RET_LOOKUP);
	CU_ASSERT(str_eq(str_of(r.ctx.key.p, r.ctx.key.len),
	    STR("/x?a&b\0example.org\0")));

	CU_ASSERT_EQUAL(call(p, VCL_SUB_DELIVER), VCL_RET_DELIVER);
	SAME(r.req.resp.reason, "Not Found");
	CU_ASSERT(str_starts(get(VCL_HTTP_RESP, "X-Sum"), STR("3, ")));
	CU_ASSERT(str_starts(get(VCL_HTTP_RESP, "X-Sum"), STR("3, ")));

	set("X-Synth", "1");
	CU_ASSERT_EQUAL(call(p, VCL_SUB_RECV), VCL_RET_SYNTH);
	CU_ASSERT_EQUAL(r.ctx.synth_status, 12345);
	SAME(r.ctx.synth_reason, "why");
	CU_ASSERT_EQUAL(call(p, VCL_SUB_SYNTH), VCL_RET_DELIVER);
	CU_ASSERT(str_eq(str_of(r.ctx.body.p, r.ctx.body.len),
	    STR("Not Found")));

	/* a failure, and a fresh start after it */
	set("X-Fail", "1");
	CU_ASSERT_EQUAL(call(p, VCL_SUB_RECV), VCL_RET_FAIL);
	CU_ASSERT_EQUAL(call(p, VCL_SUB_DELIVER), VCL_RET_DELIVER);
	vcl_rig_end(&r);
	CU_ASSERT(program_discard(p, NULL, 0));
	CU_ASSERT_EQUAL(program_reap(), 0);
}

static void
test_fetch(void)
{
	struct program *p = good("fetch",
	    "vcl 4.1;\n"
	    "backend default { .host = \"127.0.0.1\"; .port = \"9\"; }\n"
	    "sub vcl_backend_fetch {\n"
	    "  set bereq.http.X-Timeout = bereq.connect_timeout;\n"
	    "  set bereq.first_byte_timeout = 5s;\n"
	    "}\n"
	    "sub vcl_backend_response {\n"
	    "  if (beresp.ttl > 10s) { set beresp.ttl = 10s; }\n"
	    "  set beresp.http.X-Ttl = beresp.ttl;\n"
	    "  set beresp.grace = 1h;\n"
	    "}\n");

	vcl_rig_begin(&r, 65536);
	vcl_rig_fetch(&r);
	r.fetch.ttl = 120;
	CU_ASSERT_EQUAL(call(p, VCL_SUB_BACKEND_FETCH), VCL_RET_FETCH);
	SAME(get(VCL_HTTP_BEREQ, "X-Timeout"), "3.500");
	CU_ASSERT_EQUAL(r.fetch.first_byte_timeout, 5);
	/* the object is 20 s old: its ttl counts from its origin */
	r.fetch.t_origin = clock_wall() - 20;
	CU_ASSERT_EQUAL(call(p, VCL_SUB_BACKEND_RESPONSE), VCL_RET_DELIVER);
	SAME(get(VCL_HTTP_BERESP, "X-Ttl"), "10.000");
	CU_ASSERT(r.fetch.ttl > 29.9 && r.fetch.ttl < 31);
	CU_ASSERT_EQUAL(r.fetch.grace, 3600);
	/* can be set, not taken back */
	vrt_w_beresp_uncacheable(&r.ctx, true);
	vrt_w_beresp_uncacheable(&r.ctx, false);
	CU_ASSERT(vrt_r_beresp_uncacheable(&r.ctx));
	vcl_rig_end(&r);
	CU_ASSERT(program_discard(p, NULL, 0));
	CU_ASSERT_EQUAL(program_reap(), 0);
}

static void
test_refused(void)
{
	char err[500] = "", path[128];
	FILE *f;

	CU_ASSERT_PTR_NULL(load("init", "vcl 4.1;\n"
	    "backend default { .host = \"127.0.0.1\"; }\n"
	    "sub vcl_init { return (fail(\"not today\")); }\n", err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "not today"));
	CU_ASSERT_PTR_NULL(program_find("init"));

	CU_ASSERT_PTR_NULL(load("acl", "vcl 4.1;\n"
	    "backend default { .host = \"127.0.0.1\"; }\n"
	    "acl a { \"no-such-name.invalid\"; }\n"
	    "sub vcl_recv { if (client.ip ~ a) { return (pass); } }\n", err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "does not resolve"));

	CU_ASSERT_PTR_NULL(program_load("none", "/no/such/file.so", err,
	    sizeof err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "can't load"));
	snprintf(path, sizeof path, "%s/empty.so", dir);
	f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs("not an object", f);
	fclose(f);
	CU_ASSERT_PTR_NULL(program_load("empty", path, err, sizeof err));
}

#define MINIMAL "vcl 4.1;\nbackend default { .host = \"127.0.0.1\"; }\n"

static void
add_up(void *priv, const struct program_info *info)
{
	uint64_t *refs = priv;

	*refs += info->refs;
}

static uint64_t
all_refs(void)
{
	uint64_t refs = 0;

	program_list(add_up, &refs);
	return refs;
}

struct wanted {
	const char *name;
	int temp; /* -1: there is none of that name */
};

static void
look(void *priv, const struct program_info *info)
{
	struct wanted *w = priv;

	if (!strcmp(info->name, w->name) && info->state != PROGRAM_DISCARDED)
		w->temp = (int)info->temp;
}

static int
temp_of(const char *name)
{
	struct wanted w = {name, -1};

	program_list(look, &w);
	return w.temp;
}

static void
test_states(void)
{
	struct program *a = good("a", MINIMAL), *b = good("b", MINIMAL), *ref;
	char err[500] = "", path[128];

	CU_ASSERT_PTR_EQUAL(program_find("a"), a);
	CU_ASSERT_PTR_NULL(program_ref_active());
	snprintf(path, sizeof path, "%s/v%u.so", dir, file_n); /* b's */
	CU_ASSERT_PTR_NULL(load("a", MINIMAL, err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "already"));
	CU_ASSERT_PTR_NULL(program_load("c", path, err, sizeof err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "already"));

	CU_ASSERT_EQUAL(temp_of("a"), PROGRAM_COLD);
	CU_ASSERT(program_set_warm(a, true, err, sizeof err));
	program_use(a);
	ref = program_ref_active();
	CU_ASSERT_PTR_EQUAL(ref, a);
	CU_ASSERT(!program_discard(a, err, sizeof err));
	CU_ASSERT(!program_set_warm(a, false, err, sizeof err));
	CU_ASSERT(program_set_warm(b, true, err, sizeof err));
	program_use(b);
	/* as long as a request runs it; and warm again before that */
	CU_ASSERT(program_set_warm(a, false, err, sizeof err));
	CU_ASSERT_EQUAL(temp_of("a"), PROGRAM_BUSY);
	CU_ASSERT(program_set_warm(a, true, err, sizeof err));
	CU_ASSERT_EQUAL(temp_of("a"), PROGRAM_WARM);
	CU_ASSERT(program_set_warm(a, false, err, sizeof err));
	CU_ASSERT_EQUAL(all_refs(), 1);
	CU_ASSERT(program_discard(a, err, sizeof err));
	CU_ASSERT_PTR_NULL(program_find("a"));
	/* as long as a request runs it */
	CU_ASSERT_EQUAL(program_reap(), 1);
	CU_ASSERT_STRING_EQUAL(program_name(ref), "a");
	/* the name is free meanwhile */
	a = good("a", MINIMAL);
	program_unref(&ref);
	CU_ASSERT_PTR_NULL(ref);
	CU_ASSERT_EQUAL(program_reap(), 0);
	CU_ASSERT(program_discard(a, err, sizeof err));
	CU_ASSERT_EQUAL(program_reap(), 0);
	CU_ASSERT_EQUAL(all_refs(), 0);

	/* busy until its request ends, which no command has to see */
	a = good("a", MINIMAL);
	CU_ASSERT(program_set_warm(a, true, err, sizeof err));
	ref = program_ref(a);
	CU_ASSERT(program_set_warm(a, false, err, sizeof err));
	program_reap();
	CU_ASSERT_EQUAL(temp_of("a"), PROGRAM_BUSY);
	program_unref(&ref);
	program_reap();
	CU_ASSERT_EQUAL(temp_of("a"), PROGRAM_COLD);
	CU_ASSERT(program_discard(a, err, sizeof err));
	CU_ASSERT_EQUAL(program_reap(), 0);
	CU_ASSERT_EQUAL(temp_of("a"), -1);
}

static void
test_labels(void)
{
	static const char top[] = "vcl 4.1; backend d none;"
	    "sub vcl_recv { return (vcl(shop)); }";
	struct program *one, *two, *user, *ref;
	char err[500] = "";

	one = good("one", MINIMAL);
	two = good("two", MINIMAL);
	CU_ASSERT(!program_label_set("shop", one, err, sizeof err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "cold"));
	CU_ASSERT_PTR_NULL(program_label_find("shop"));
	CU_ASSERT(program_set_warm(one, true, err, sizeof err));
	CU_ASSERT(program_set_warm(two, true, err, sizeof err));
	CU_ASSERT(!program_label_set("two", one, err, sizeof err));
	CU_ASSERT_PTR_NULL(load("user", top, err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "no label shop"));

	CU_ASSERT(program_label_set("shop", one, err, sizeof err));
	CU_ASSERT_PTR_NULL(load("shop", MINIMAL, err));
	user = good("user", top);
	vcl_rig_begin(&r, 65536);
	CU_ASSERT_EQUAL(call(user, VCL_SUB_RECV), VCL_RET_VCL);
	CU_ASSERT_PTR_EQUAL(r.ctx.vcl_label, program_label_find("shop"));
	ref = program_label_ref(r.ctx.vcl_label);
	CU_ASSERT_PTR_EQUAL(ref, one);
	program_unref(&ref);
	CU_ASSERT_PTR_NULL(ref);

	/* what is referred to stays */
	CU_ASSERT(!program_discard(one, err, sizeof err));
	CU_ASSERT(!program_set_warm(one, false, err, sizeof err));
	CU_ASSERT(!program_label_discard(program_label_find("shop"), err,
	    sizeof err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "user"));

	CU_ASSERT(program_label_set("shop", two, err, sizeof err));
	ref = program_label_ref(r.ctx.vcl_label);
	CU_ASSERT_PTR_EQUAL(ref, two);
	program_unref(&ref);
	CU_ASSERT(program_discard(one, err, sizeof err));
	CU_ASSERT_EQUAL(program_reap(), 0);

	/* a request of a discarded program can still go there, and it stays */
	ref = program_ref(user);
	CU_ASSERT(program_discard(user, err, sizeof err));
	CU_ASSERT(program_label_discard(program_label_find("shop"), err,
	    sizeof err));
	CU_ASSERT_PTR_NULL(program_label_find("shop"));
	CU_ASSERT(program_discard(two, err, sizeof err));
	CU_ASSERT_EQUAL(program_reap(), 2);
	one = program_label_ref(r.ctx.vcl_label);
	CU_ASSERT_PTR_EQUAL(one, two);
	program_unref(&one);
	vcl_rig_end(&r);
	program_unref(&ref);
	CU_ASSERT_EQUAL(program_reap(), 0);
}

/* ---- many cores take references while programs come and go ---- */

static _Atomic bool stop;
static _Atomic unsigned errors;
static _Atomic unsigned long rounds;

static void *
take_and_drop(void *arg)
{
	program_bind_core((unsigned)(uintptr_t)arg);
	while (!atomic_load(&stop)) {
		struct program *p = program_ref_active(), *q;

		if (p == NULL)
			continue;
		q = program_ref(p);
		program_unref(&p);
		/* what a closed program has no more */
		if (program_info_of(q) == NULL ||
		    program_info_of(q)->abi != VCL_ABI_VERSION)
			atomic_fetch_add(&errors, 1);
		program_unref(&q);
		atomic_fetch_add_explicit(&rounds, 1, memory_order_relaxed);
	}
	return NULL;
}

static void
test_cores(void)
{
	pthread_t thread[THREADS];
	char err[500] = "", path[2][128], name[20];
	struct program *last = program_find("b");

	/* two objects, loaded in turn */
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "turn%u", i);
		CU_ASSERT_PTR_NULL(vcl_rig_compile(dir, name, MINIMAL));
		snprintf(path[i], sizeof path[i], "%s/turn%u.so", dir, i);
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL(pthread_create(&thread[i], NULL,
		    take_and_drop, (void *)i), 0);
	for (unsigned i = 0; i < 200; i++) {
		struct program *p;

		snprintf(name, sizeof name, "n%u", i);
		p = program_load(name, path[i % 2], err, sizeof err);
		if (p == NULL)
			fprintf(stderr, "%s\n", err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		CU_ASSERT(program_set_warm(p, true, err, sizeof err));
		program_use(p);
		if (last != NULL)
			CU_ASSERT(program_discard(last, err, sizeof err));
		last = p;
		for (unsigned k = 0; k < 100000 && program_reap() != 0; k++)
			sched_yield();
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT_EQUAL(atomic_load(&errors), 0);
	CU_ASSERT(atomic_load(&rounds) > 0);
	CU_ASSERT_EQUAL(all_refs(), 0);
	CU_ASSERT_EQUAL(program_reap(), 0);
}

void
suite_program(void)
{
	CU_pSuite s = CU_add_suite("program", begin, end);

	CU_add_test(s, "complete", test_complete);
	CU_add_test(s, "run", test_run);
	CU_add_test(s, "fetch", test_fetch);
	CU_add_test(s, "refused", test_refused);
	CU_add_test(s, "states", test_states);
	CU_add_test(s, "labels", test_labels);
	CU_add_test(s, "cores", test_cores);
}
