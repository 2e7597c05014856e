/*
 * explain.c - a request that nobody made, on a core's fiber; who asked waits.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ban.h"
#include "core.h"
#include "explain.h"
#include "http_semantics.h"
#include "json.h"
#include "lookup.h"
#include "params.h"
#include "program.h"
#include "request.h"
#include "stevedore.h"
#include "stream.h"
#include "vary.h"

/* A core that does not come to it for so long is stuck. */
enum { PATIENCE_S = 10 };

/* "stale-while-revalidate of Copal-Cache-Control" and shorter. */
enum { SOURCE_LEN = 64 };

struct job {
	struct mail mail;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	_Atomic unsigned ref;      /* who waits, and the core */
	char *head;                /* the request */
	size_t head_len;
	const char *url;           /* in head_mem's place: a copy */
	bool json;
	FILE *out;
	const char *sep, *ban_sep; /* between elements of JSON */
	const struct request *req; /* in put_end */
	bool has_hit, has_marker_pass;
	struct explanation e;      /* text: of out */
	size_t text_len;
};

static void
job_unref(struct job *j)
{
	if (atomic_fetch_sub(&j->ref, 1) != 1)
		return;
	if (j->out != NULL)
		fclose(j->out);
	free(j->e.text);
	free((char *)j->url);
	free(j->head);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->changed);
	free(j);
}

/* --- the report ---------------------------------------------------------- */

static void
put_json(FILE *out, struct str s)
{
	putc('"', out);
	while (s.len > 0) {
		char buf[JSON_CHAR_MAX + 1];
		struct str c = json_next(&s, buf);

		fwrite(c.p, 1, c.len, out);
	}
	putc('"', out);
}

static void
put_hash(FILE *out, const uint8_t hash[STORE_HASH_LEN])
{
	for (unsigned i = 0; i < STORE_HASH_LEN; i++)
		fprintf(out, "%02x", hash[i]);
}

static const char *
verdict(const struct request *req, enum request_step ran,
    enum request_step next)
{
	if (ran == STEP_RECV && next == STEP_HASH)
		return req->after_hash == STEP_LOOKUP ? "hash" :
		    request_step_name(req->after_hash);
	return request_step_name(next);
}

static void
put_step(struct job *j, const struct request *req, enum request_step ran,
    enum request_step next)
{
	const char *sub = ran == STEP_RECV ? "vcl_recv" : "vcl_hash";
	const char *at = req->ctx.where != NULL ? req->ctx.where : "";

	if (j->json) {
		fprintf(j->out, "%s\n    {\"sub\": \"%s\", \"verdict\": ",
		    j->sep, sub);
		put_json(j->out, str_from_z(verdict(req, ran, next)));
		fprintf(j->out, ", \"at\": ");
		put_json(j->out, str_from_z(at));
		fprintf(j->out, "}");
		j->sep = ",";
		return;
	}
	fprintf(j->out, "%-9s %s", sub, verdict(req, ran, next));
	if (next == STEP_SYNTH)
		fprintf(j->out, "(%d)", req->ctx.synth_status);
	fprintf(j->out, *at != '\0' ? ", at %s\n" : "\n", at);
}

/* Where its time to live is from, as far as can be told from its head. */
static void
ttl_source(const struct object *o, char buf[SOURCE_LEN])
{
	static const char *const fields[] = {
	    [FIELD_COPAL_CACHE_CONTROL] = "Copal-Cache-Control",
	    [FIELD_CDN_CACHE_CONTROL] = "CDN-Cache-Control",
	    [FIELD_SURROGATE_CONTROL] = "Surrogate-Control",
	    [FIELD_CACHE_CONTROL] = "Cache-Control"};
	struct freshness_rules rules = {.default_ttl = params->default_ttl,
	    .surrogate = params->surrogate_control};
	struct freshness fr;

	if (object_is(o, OBJ_HITMISS | OBJ_HITPASS)) {
		snprintf(buf, SOURCE_LEN, "VCL");
		return;
	}
	freshness_of(&fr, &o->http, o->t_origin, &rules);
	/* a soft purge takes off, too */
	if (fabs(fr.ttl - o->ttl) > 1)
		snprintf(buf, SOURCE_LEN, o->ttl < fr.ttl ?
		    "VCL or a soft purge" : "VCL");
	else if (strstr(fr.source, "max") != NULL)
		snprintf(buf, SOURCE_LEN, "%s of %s", fr.source,
		    fields[fr.field]);
	else
		snprintf(buf, SOURCE_LEN, "%s", fr.source);
}

static void
put_ban(void *priv, struct str expression, bool hits)
{
	struct job *j = priv;

	if (j->json) {
		fprintf(j->out, "%s{\"ban\": ", j->ban_sep);
		put_json(j->out, expression);
		fprintf(j->out, ", \"hits\": %s}", hits ? "true" : "false");
		j->ban_sep = ", ";
		return;
	}
	fprintf(j->out, "          ban: %.*s: %s\n", STR_ARG(expression),
	    hits ? "hits it" : "does not hit it");
}

/* The fields that make it the variant that it is, and their values. */
static void
put_variant(struct job *j, const struct object *o)
{
	struct str spec = o->vary, name, value;
	const char *sep = "";

	while (vary_next(&spec, &name, &value)) {
		if (!j->json) {
			fprintf(j->out, "          variant: %.*s%s%.*s\n",
			    STR_ARG(name), value.p != NULL ? ": " :
			    " is absent", STR_ARG(value));
			continue;
		}
		fprintf(j->out, "%s", sep);
		put_json(j->out, name);
		fprintf(j->out, ": ");
		if (value.p != NULL)
			put_json(j->out, value);
		else
			fprintf(j->out, "null");
		sep = ", ";
	}
}

static void
put_object(void *priv, const struct explained *x)
{
	struct job *j = priv;
	const struct object *o = x->object;
	double now = clock_wall();
	struct str vary = http_get(&o->http, FIELD_VARY);
	char source[SOURCE_LEN];

	ttl_source(o, source);
	j->e.objects++;
	j->has_hit |= x->chosen && strncmp(x->state, "hit-for", 7) != 0;
	j->has_marker_pass |= x->chosen && !strcmp(x->state, "hit-for-pass");
	if (!j->json) {
		fprintf(j->out, "Object    %llu: %s%s, status %u, age %.0f, "
		    "ttl %.0f, grace %.0f, keep %.0f, %llu hits, %llu bytes, "
		    "in %s%s\n", (unsigned long long)o->xid, x->state,
		    x->chosen ? ", chosen" : "", o->http.status,
		    object_age(o, now), x->ttl, x->grace, (double)o->keep,
		    (unsigned long long)o->hits,
		    (unsigned long long)o->body.len, o->stevedore->name,
		    o->store_seq != 0 ? " and on disk" : "");
		fprintf(j->out, "          ttl is from: %s\n", source);
		if (vary.p != NULL)
			fprintf(j->out, "          Vary: %.*s\n",
			    STR_ARG(vary));
		put_variant(j, o);
		if (o->tags.len > 0)
			fprintf(j->out, "          tags: %.*s\n",
			    STR_ARG(o->tags));
		ban_explain(x->object, j->req, put_ban, j);
		return;
	}
	fprintf(j->out, "%s\n    {\"xid\": %llu, \"state\": \"%s\", "
	    "\"chosen\": %s, \"status\": %u, \"age\": %.0f, \"ttl\": %.3f, "
	    "\"grace\": %.3f, \"keep\": %.3f, \"hits\": %llu, \"bytes\": %llu, "
	    "\"storage\": ", j->sep, (unsigned long long)o->xid, x->state,
	    x->chosen ? "true" : "false", o->http.status, object_age(o, now),
	    x->ttl, x->grace, (double)o->keep, (unsigned long long)o->hits,
	    (unsigned long long)o->body.len);
	put_json(j->out, str_from_z(o->stevedore->name));
	fprintf(j->out, ", \"on_disk\": %s, \"vary\": ",
	    o->store_seq != 0 ? "true" : "false");
	put_json(j->out, vary.p != NULL ? vary : STR(""));
	fprintf(j->out, ", \"tags\": ");
	put_json(j->out, o->tags.len > 0 ? o->tags : STR(""));
	fprintf(j->out, ", \"ttl_from\": \"%s\", \"variant\": {", source);
	put_variant(j, o);
	fprintf(j->out, "}, \"bans_tested\": [");
	j->ban_sep = "";
	ban_explain(x->object, j->req, put_ban, j);
	fprintf(j->out, "]}");
	j->sep = ",";
}

static const char *
decision(const struct job *j, const struct request *req,
    enum request_step last, bool on_disk)
{
	if (last != STEP_LOOKUP)
		return request_step_name(last);
	if (j->has_hit)
		return "hit";
	if (j->has_marker_pass)
		return "pass";
	return on_disk && !req->hash_always_miss ?
	    "lookup on disk, and a hit or a miss" : "miss";
}

static void
put_end(struct job *j, const struct request *req, enum request_step last)
{
	bool keyed = req->key.bytes.p != NULL, on_disk = false;

	if (j->json)
		fprintf(j->out, "\n  ],\n  \"objects\": [");
	j->sep = "";
	if (keyed && !j->json) {
		fprintf(j->out, "Key       ");
		put_hash(j->out, req->key.hash);
		putc('\n', j->out);
	}
	if (keyed) {
		j->req = req;
		lookup_explain(req, put_object, j);
		on_disk = lookup_may_load(&req->key);
		memcpy(j->e.hash, req->key.hash, STORE_HASH_LEN);
		search_family_of(&req->search, &j->e.family);
		j->e.has_key = true;
	}
	if (j->json) {
		fprintf(j->out, "\n  ],\n  \"key\": \"");
		if (keyed)
			put_hash(j->out, req->key.hash);
		fprintf(j->out, "\",\n  \"may_be_on_disk\": %s,\n"
		    "  \"vcl\": ", on_disk ? "true" : "false");
		put_json(j->out, str_from_z(req->program != NULL ?
		    program_name(req->program) : ""));
		fprintf(j->out, ",\n  \"decision\": ");
		put_json(j->out, str_from_z(decision(j, req, last, on_disk)));
		fprintf(j->out, "\n}\n");
		return;
	}
	if (keyed)
		fprintf(j->out, "Disk      %s\n", on_disk ?
		    "perhaps has one" : "has none");
	fprintf(j->out, "VCL       %s\nDecision  %s\n", req->program != NULL ?
	    program_name(req->program) : "(none)",
	    decision(j, req, last, on_disk));
}

/* An explain_fn. */
static void
told(void *priv, struct request *req, enum request_step ran,
    enum request_step next)
{
	struct job *j = priv;

	if (next == STEP_DONE)
		put_end(j, req, ran);
	else
		put_step(j, req, ran, next);
}

/* --- the request --------------------------------------------------------- */

static ssize_t
no_body(struct stream *s, void *buf, size_t len)
{
	(void)s;
	(void)buf;
	(void)len;
	return 0;
}

static void
no_tos(struct stream *s, int tos)
{
	(void)s;
	(void)tos;
}

/* Nothing is ever sent: policy stops before. */
static const struct stream_ops ops = {.read_body = no_body,
    .set_tos = no_tos};

/* The head, parsed in memory that begins at mem; false: it is wrong. */
static bool
parse(struct job *j, struct stream *s, struct arena *a)
{
	struct h1_limits limits = {(uint32_t)params->http_req_size,
	    (uint32_t)params->http_req_hdr_len};
	struct h1_scan scan = {0};
	const char *why = "it is not complete";
	size_t head_len;

	if (!http_init(&s->http, a, params->http_max_hdr) ||
	    h1_parse_request(&s->http, &s->framing, j->head, j->head_len,
	    &scan, &limits, &head_len, &why) != H1_OK) {
		snprintf(j->e.err, sizeof j->e.err, "Bad request: %s", why);
		return false;
	}
	s->head = str_of(j->head, head_len);
	return true;
}

static void
run(struct job *j)
{
	static struct listener listener = {.name = "explain"};
	size_t fields = 65536, mem_len = params->workspace_client +
	    params->vsl_buffer + sizeof(struct request) + 256;
	char *mem = aligned_alloc(64, (mem_len + 63) & ~(size_t)63);
	char *field_mem = malloc(fields), err[200];
	struct stream s = {.ops = &ops, .core = core_self(), .mem = mem,
	    .mem_len = mem_len, .listener = &listener,
	    .t_first = clock_wall()};
	struct addr local;
	struct arena a;

	if (mem == NULL || field_mem == NULL ||
	    addr_parse("127.0.0.1:0", NULL, true, &local, 1, err,
	    sizeof err) != 1) {
		snprintf(j->e.err, sizeof j->e.err, "Out of memory");
	} else {
		s.peer = s.local = s.client = s.server = &local;
		arena_init(&a, field_mem, fields);
		if (parse(j, &s, &a))
			request_explain(&s, told, j);
		arena_reset(&a);
	}
	free(field_mem);
	free(mem);
}

static void
job_fiber(void *arg)
{
	struct job *j = arg;

	if (j->json) {
		fprintf(j->out, "{\n  \"url\": ");
		put_json(j->out, str_from_z(j->url));
		fprintf(j->out, ",\n  \"steps\": [");
	}
	run(j);
	pthread_mutex_lock(&j->lock);
	j->done = true;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
	job_unref(j);
}

static void
on_core(struct mail *m)
{
	struct job *j = (struct job *)m;

	if (fiber_start(job_fiber, j, "explain") == 0)
		return;
	snprintf(j->e.err, sizeof j->e.err, "Out of memory");
	pthread_mutex_lock(&j->lock);
	j->done = true;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
	job_unref(j);
}

static bool
has_bad_byte(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' && *s != '\t')
			return true;
	return false;
}

/* The request's head. */
static bool
write_head(FILE *f, const char *url, char *const *field, unsigned n)
{
	const char *host = url, *path;

	if (strncmp(url, "http://", 7) == 0)
		host += 7;
	else if (strncmp(url, "https://", 8) == 0)
		host += 8;
	path = strchr(host, '/');
	if (has_bad_byte(url) || strchr(url, ' ') != NULL)
		return false;
	fprintf(f, "GET %s HTTP/1.1\r\n", path != NULL ? path : "/");
	/* "/path": Host is among the fields, or the parser says so */
	if (path != host)
		fprintf(f, "Host: %.*s\r\n", path != NULL ?
		    (int)(path - host) : (int)strlen(host), host);
	for (unsigned i = 0; i < n; i++) {
		if (has_bad_byte(field[i]))
			return false;
		fprintf(f, "%s\r\n", field[i]);
	}
	fprintf(f, "\r\n");
	return true;
}

static struct job *
job_new(const char *url, char *const *field, unsigned n, bool json,
    char *err, size_t err_len)
{
	struct job *j = calloc(1, sizeof *j);
	FILE *f;
	bool ok;

	snprintf(err, err_len, "Out of memory");
	if (j == NULL)
		return NULL;
	j->ref = 1;
	j->json = json;
	j->sep = "";
	j->mail.fn = on_core;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->changed, NULL);
	j->url = strdup(url);
	j->out = open_memstream(&j->e.text, &j->text_len);
	f = open_memstream(&j->head, &j->head_len);
	if (f != NULL) {
		ok = write_head(f, url, field, n);
		fclose(f);
		if (ok && j->head != NULL && j->out != NULL && j->url != NULL)
			return j;
		if (!ok)
			snprintf(err, err_len, "Not a URL or a field");
	}
	job_unref(j);
	return NULL;
}

int
explain(const char *url, char *const *field, unsigned n, bool json,
    struct explanation *e)
{
	struct job *j;
	struct timespec until;
	int r = 0;

	memset(e, 0, sizeof *e);
	j = job_new(url, field, n, json, e->err, sizeof e->err);
	if (j == NULL)
		return -1;
	atomic_fetch_add(&j->ref, 1);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	loop_post(core_at(0)->loop, &j->mail);
	pthread_mutex_lock(&j->lock);
	while (!j->done && r == 0)
		r = pthread_cond_timedwait(&j->changed, &j->lock, &until);
	if (!j->done) {
		snprintf(e->err, sizeof e->err, "No answer from the core");
	} else {
		fclose(j->out);
		j->out = NULL;
		*e = j->e;
		j->e.text = NULL;
	}
	pthread_mutex_unlock(&j->lock);
	job_unref(j);
	if (e->err[0] == '\0')
		return 0;
	free(e->text);
	e->text = NULL;
	return -1;
}
